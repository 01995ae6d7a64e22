-- grain: one row per credential or issuing activity, approval and carried key
-- build: full
-- why: an approval's id or ticket can travel inside the session: what the issuer put there (its own approval, source identity, transitive tags) cannot change on the way, names and plain tags are the caller's choice

with all_names as (
    select stg_keys.node_id as approval_id, stg_keys.key_kind, stg_keys.key_value,
        coalesce(bool_or(stg_approvals.is_granted), false) as is_granted, min(stg_keys.event_at) as stated_at
    from stg_keys
    left join stg_approvals on stg_approvals.approval_id = stg_keys.node_id
    where stg_keys.role = 'names' and stg_keys.node_kind = 'approval' and stg_keys.key_kind in ('approval', 'ticket')
    group by stg_keys.node_id, stg_keys.key_kind, stg_keys.key_value
),

-- Of many approvals that bear one ticket the first that were granted count.
ranked_names as (
    select
        approval_id,
        key_kind,
        key_value,
        row_number() over (partition by key_kind, key_value order by is_granted desc, stated_at, approval_id) as nth,
        count(*) over (partition by key_kind, key_value) as n_named
    from all_names
),

approval_names as (
    select approval_id, key_kind, key_value, greatest(n_named - most_candidates(), 0) as n_passed_over
    from ranked_names
    where nth <= most_candidates()
),

carried as (
    select
        event_id,
        key_kind,
        key_value as whole_value,
        case
            when key_kind in ('transitive_tag', 'session_tag') then regexp_replace(key_value, '^[^=]*=', '')
            when key_kind = 'session_name' then regexp_replace(key_value, '^.*/', '')
            else key_value
        end as key_value
    from stg_keys
    where key_kind in ('approval', 'ticket', 'source_identity', 'transitive_tag', 'session_tag', 'session_name') and role = 'carries'
),

named as (
    select carried.event_id, carried.key_kind, carried.whole_value, approval_names.approval_id, approval_names.n_passed_over
    from carried
    join approval_names
        on approval_names.key_value = carried.key_value
        and (carried.key_kind not in ('approval', 'ticket') or carried.key_kind = approval_names.key_kind)
),

-- A session shows its approval, its source identity and its name on every call; its tags only where it was issued.
-- Decisions and tool calls refer to approvals too; only an activity has a credential that can carry one.
in_use as (
    select
        'credential:' || stg_activities.credential_uid as node_id,
        named.*,
        stg_activities.event_at as carried_at,
        stg_activities.role_arn
    from named
    join stg_activities on stg_activities.event_id = named.event_id
    where stg_activities.credential_uid is not null
        and (
            (named.key_kind in ('approval', 'ticket', 'source_identity') and stg_activities.issued_credential_uid is null)
            or (named.key_kind = 'session_name' and starts_with(named.whole_value, stg_activities.role_arn || '/'))
        )
),

at_issue as (
    select
        'credential:' || stg_activities.issued_credential_uid as node_id,
        named.*,
        stg_activities.event_at as carried_at,
        stg_activities.issued_role_arn as role_arn
    from named
    join stg_activities on stg_activities.event_id = named.event_id
    where stg_activities.issued_credential_uid is not null
        and (named.key_kind <> 'session_name' or starts_with(named.whole_value, stg_activities.issued_role_arn || '/'))
),

issuing as (
    select stg_activities.activity_id as node_id, named.*, stg_activities.event_at as carried_at, stg_activities.issued_role_arn as role_arn
    from named
    join stg_activities on stg_activities.event_id = named.event_id
    where stg_activities.credential_uid is null
        or (
            stg_activities.issued_credential_uid is not null
            and (named.key_kind <> 'session_name' or starts_with(named.whole_value, stg_activities.issued_role_arn || '/'))
        )
),

all_carriers as (
    select * from in_use
    union all
    select * from at_issue
    union all
    select * from issuing
),

judged as (
    select
        all_carriers.node_id,
        all_carriers.approval_id,
        all_carriers.key_kind,
        all_carriers.whole_value as key_value,
        all_carriers.n_passed_over,
        all_carriers.carried_at,
        case
            when all_carriers.key_kind in ('approval', 'ticket', 'source_identity', 'transitive_tag') then 'carried'
            when (array_length(stg_approvals.roles) = 0 or approved_roles.role_arn is not null)
                and is_within(all_carriers.carried_at, stg_approvals.valid_from, stg_approvals.ends_at, run_context.clock_tolerance)
                then 'caller_chosen'
            else 'caller_chosen_outside'
        end as method
    from all_carriers
    join stg_approvals on stg_approvals.approval_id = all_carriers.approval_id
    left join int_approvals__roles as approved_roles
        on approved_roles.approval_id = all_carriers.approval_id and approved_roles.role_arn = all_carriers.role_arn
    cross join run_context
),

together as (
    select node_id, approval_id, key_kind, key_value, method, max(n_passed_over) as n_passed_over, min(carried_at) as first_at
    from judged
    group by node_id, approval_id, key_kind, key_value, method
),

-- A caller may name as many approvals as it makes calls: those that it named first count.
ranked as (
    select
        *,
        row_number() over (partition by node_id, key_kind order by method, first_at, approval_id, key_value) as nth,
        count(*) over (partition by node_id, key_kind) as n_carried,
        max(n_passed_over) over (partition by node_id, key_kind) as most_passed_over
    from together
)

select
    node_id,
    approval_id,
    key_kind,
    key_value,
    method,
    most_passed_over + greatest(n_carried - most_candidates(), 0) as n_left_out
from ranked
where nth <= most_candidates()
