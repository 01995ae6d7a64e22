-- grain: one row per credential or activity that an approval fits by window alone
-- build: by_key node_id
-- why: such an approval stands above the credentials that were used and holds for what is done in its time; of several the time is that of all together
-- units: select child_id from links
-- dirty: select child_id from delta_links
-- dirty: select child_id from delta_stg_approvals join links on parent_id = approval_id
-- dirty: select node_id from delta_int_approvals__standing
-- only: links(child_id, parent_id, spine, method, confidence, n_candidates)
-- only: stg_approvals(approval_id, valid_from, ends_at)

with fits as (
    select
        links.child_id as node_id,
        links.parent_id as approval_id,
        links.confidence,
        links.n_candidates,
        links.method = 'standing' as is_standing,
        stg_approvals.valid_from,
        coalesce(stg_approvals.ends_at, '9999-12-31 00:00:00+00'::timestamptz) as ends_at
    from links
    join stg_approvals on stg_approvals.approval_id = links.parent_id
    where links.spine = 'authority' and links.method in ('standing', 'attribute_window') and links.child_id in (select id from touched_ids)
),

ranked as (
    select
        *,
        row_number() over (partition by node_id order by confidence desc, valid_from desc, approval_id) as nth,
        count(*) over (partition by node_id) as n_kept,
        min(valid_from) over (partition by node_id) as first_from,
        max(ends_at) over (partition by node_id) as last_until
    from fits
)

select
    ranked.node_id,
    ranked.approval_id,
    ranked.confidence,
    ranked.is_standing,
    case
        when ranked.is_standing then ranked.valid_from
        when ranked.n_candidates > ranked.n_kept then '0001-01-01 00:00:00+00'::timestamptz
        else ranked.first_from
    end as valid_from,
    case
        when ranked.is_standing then ranked.ends_at
        when ranked.n_candidates > ranked.n_kept then '9999-12-31 00:00:00+00'::timestamptz
        else ranked.last_until
    end as ends_at,
    coalesce(standing.is_begun_within, false) as is_begun_within
from ranked
left join int_approvals__standing as standing
    on standing.node_id = ranked.node_id and standing.approval_id = ranked.approval_id
where ranked.nth = 1
