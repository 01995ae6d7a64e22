-- grain: one row per name of somebody who answers for others, or whose account a directory told of
-- build: full
-- why: whether an owner is still there is said by a directory, in its own spelling and by several names of one person

with names as (
    select owner as name from identity_facts where owner is not null
    union
    select value from stg_lifecycle_words where field in ('owner', 'team') and value is not null
    union
    select requested_by from stg_approvals where requested_by is not null
    union
    select of_uid from stg_lifecycle_words where field = 'account'
),

-- Spelled as names are compared that any system writes so.
folding as (select name_pattern from name_comparison where log is null and folds_case),

spelled as (
    select names.name, if(bool_or(folding.name_pattern is not null), lower(names.name), names.name) as compared_as
    from names
    left join folding on regexp_matches(names.name, folding.name_pattern)
    group by names.name
),

-- The name means whom it means last.
aliases as (
    select alias_uid, max_by(identity_id, {'until': valid_until, 'from': valid_from}) as identity_id
    from int_identities__resolved
    group by alias_uid
),

folded_aliases as (
    select lower(aliases.alias_uid) as folded, min(aliases.identity_id) as identity_id
    from aliases
    join folding on regexp_matches(aliases.alias_uid, folding.name_pattern)
    group by lower(aliases.alias_uid)
),

whose as (
    select spelled.name, coalesce(aliases.identity_id, folded_aliases.identity_id, spelled.compared_as) as identity_id
    from spelled
    left join aliases on aliases.alias_uid = spelled.name
    left join folded_aliases on folded_aliases.folded = spelled.compared_as
),

last_words as (
    select
        whose.identity_id,
        words.of_uid,
        max_by(words.value, {'at': words.event_at, 'id': words.event_id, 'no': words.word_no}) as state,
        max(words.event_at) as said_at,
        max_by(words.event_id, {'at': words.event_at, 'id': words.event_id, 'no': words.word_no}) as event_id
    from stg_lifecycle_words as words
    join whose on whose.name = words.of_uid
    where words.field = 'account'
    group by whose.identity_id, words.of_uid
),

-- One account that is still there is enough.
told as (
    select identity_id, bool_and(state = 'gone') as is_gone, max(said_at) as said_at, max_by(event_id, {'at': said_at, 'id': event_id}) as event_id
    from last_words
    group by identity_id
),

succeeded as (select identity_id, max(last_success_at) as last_success_at from int_identities__hours group by identity_id)

select
    whose.name,
    whose.identity_id,
    case
        -- Who acts is there.
        when told.is_gone and succeeded.last_success_at > told.said_at + run_context.clock_tolerance then false
        when told.identity_id is not null then told.is_gone
        when succeeded.identity_id is not null then false
    end as is_gone,
    case when told.is_gone then told.said_at end as gone_at,
    case when told.is_gone then told.event_id end as event_id
from whose
cross join run_context
left join told on told.identity_id = whose.identity_id
left join succeeded on succeeded.identity_id = whose.identity_id
