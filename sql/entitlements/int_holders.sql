-- grain: one row per holder and place in which it lies, or what it was given counts
-- build: by_key holder_uid
-- why: what bounds an account, a project or a subscription bounds all that lies in it
-- units: select holder_uid from int_holdings
-- dirty: select holder_uid from delta_int_holdings
-- only: int_holdings(holder_uid, scope_uid)

with scopes as (
    select distinct holder_uid, scope_uid
    from int_holdings
    where holder_uid in (select id from touched_ids)
),

-- A scope lies in those with which its name begins.
around as (
    select holder_uid, parts, unnest(range(1, least(array_length(parts), 12) + 1)) as n_parts
    from (select holder_uid, string_split(scope_uid, '/') as parts from scopes where scope_uid is not null) as split_scopes
),

places as (
    select holders.holder_uid, regexp_extract(holders.holder_uid, identity_names.name_pattern, 1) as place_uid, true as is_whole
    from (select distinct holder_uid from scopes) as holders
    join identity_names on identity_names.says = 'has_account' and holders.holder_uid like identity_names.name_like escape '\' and regexp_matches(holders.holder_uid, identity_names.name_pattern)
    union all
    select holder_uid, array_to_string(array_slice(parts, 1, n_parts), '/'), false
    from around
)

select holder_uid, place_uid, bool_or(is_whole) as is_whole
from places
where place_uid <> ''
group by holder_uid, place_uid
