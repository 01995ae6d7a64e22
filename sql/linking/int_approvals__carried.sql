-- grain: one row per credential or issuing activity, approval and carried key
-- build: full
-- why: an approval's id or ticket can travel inside the session: what the issuer put there (its own approval, source identity, transitive tags) cannot change on the way, names and plain tags are the caller's choice; that of somebody else is borrowed, whatever carries it

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
        coalesce(by_day.node_id, 'credential:' || stg_activities.credential_uid) as node_id,
        named.*,
        stg_activities.event_at as carried_at,
        stg_activities.voice,
        stg_activities.role_arn
    from named
    join stg_activities on stg_activities.event_id = named.event_id
    left join int_credentials__by_day as by_day
        on by_day.credential_uid = stg_activities.credential_uid and by_day.day = date_trunc('day', stg_activities.event_at)
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
        stg_activities.voice,
        stg_activities.issued_role_arn as role_arn
    from named
    join stg_activities on stg_activities.event_id = named.event_id
    where stg_activities.issued_credential_uid is not null
        and (named.key_kind <> 'session_name' or starts_with(named.whole_value, stg_activities.issued_role_arn || '/'))
),

issuing as (
    select
        stg_activities.activity_id as node_id,
        named.*,
        stg_activities.event_at as carried_at,
        stg_activities.voice,
        stg_activities.issued_role_arn as role_arn
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

-- Who acted when it was carried, in which role, who holds what was issued, and for whom a web identity vouched.
carrier_names as (
    select event_id, event_at, unnest([actor_uid, role_arn, issued_role_arn, issued_holder]) as alias_uid
    from stg_activities
    semi join named on named.event_id = stg_activities.event_id
    union
    select stg_keys.event_id, stg_keys.event_at, stg_keys.key_value
    from stg_keys
    semi join named on named.event_id = stg_keys.event_id
    where stg_keys.key_kind = 'federated_subject'
),

carrier_identities as (
    select carrier_names.event_id, coalesce(resolved.identity_id, carrier_names.alias_uid) as identity_id
    from carrier_names
    left join int_identities__resolved as resolved
        on resolved.alias_uid = carrier_names.alias_uid
        and holds_at(carrier_names.event_at, resolved.valid_from, resolved.valid_until)
    where carrier_names.alias_uid is not null
),

own as (
    select distinct named.event_id, named.approval_id
    from named
    join carrier_identities on carrier_identities.event_id = named.event_id
    join int_approvals__subjects as subjects
        on subjects.approval_id = named.approval_id and subjects.identity_id = carrier_identities.identity_id
),

-- Whom an approval names: somebody who acts, or only the person who asked; it is everybody's where it is not here.
addressed as (
    select approval_id, bool_and(is_asker) as is_of_asker
    from int_approvals__subjects
    group by approval_id
),

judged as (
    select
        all_carriers.node_id,
        all_carriers.event_id,
        all_carriers.voice,
        all_carriers.approval_id,
        all_carriers.key_kind,
        all_carriers.whole_value as key_value,
        all_carriers.n_passed_over,
        all_carriers.carried_at,
        case
            -- What its own system wrote into a session is that session's.
            when all_carriers.key_kind in ('approval', 'ticket') then 'carried'
            when addressed.approval_id is not null and own.approval_id is null
                and not (addressed.is_of_asker and all_carriers.key_kind in ('source_identity', 'transitive_tag'))
                then 'borrowed'
            when all_carriers.carried_at > corrected(stg_approvals.ends_at, int_corrections.seconds_ahead) + run_context.clock_tolerance
                then case when all_carriers.key_kind in ('source_identity', 'transitive_tag') then 'ended' else 'borrowed' end
            when all_carriers.key_kind in ('source_identity', 'transitive_tag') then 'carried'
            when (array_length(stg_approvals.roles) = 0 or approved_roles.role_arn is not null)
                and is_within(
                    all_carriers.carried_at,
                    corrected(stg_approvals.valid_from, int_corrections.seconds_ahead),
                    corrected(stg_approvals.ends_at, int_corrections.seconds_ahead),
                    run_context.clock_tolerance
                )
                then 'caller_chosen'
            else 'caller_chosen_outside'
        end as method
    from all_carriers
    join stg_approvals on stg_approvals.approval_id = all_carriers.approval_id
    left join int_corrections on int_corrections.node_id = all_carriers.approval_id
    left join int_approvals__roles as approved_roles
        on approved_roles.approval_id = all_carriers.approval_id and approved_roles.role_arn = all_carriers.role_arn
    left join addressed on addressed.approval_id = all_carriers.approval_id
    left join own on own.event_id = all_carriers.event_id and own.approval_id = all_carriers.approval_id
    cross join run_context
),

together as (
    select
        node_id,
        approval_id,
        key_kind,
        key_value,
        method,
        max(n_passed_over) as n_passed_over,
        min(carried_at) as first_at,
        min_by(event_id, {'at': carried_at, 'id': event_id}) as event_id,
        case when bool_and(coalesce(voice = 'reported', false)) then 'reported' else 'recorded' end as voice
    from judged
    group by node_id, approval_id, key_kind, key_value, method
),

-- A session that was given its approval in time stays its own for as long as it lasts.
kept as (
    select *
    from together
    qualify method not in ('borrowed', 'ended') or not bool_or(method not in ('borrowed', 'ended')) over (partition by node_id, approval_id)
),

-- A caller may name as many approvals as it makes calls: those that it named first count.
ranked as (
    select
        *,
        row_number() over (partition by node_id, key_kind order by method = 'borrowed', method, first_at, approval_id, key_value) as nth,
        count(*) over (partition by node_id, key_kind) as n_carried,
        max(n_passed_over) over (partition by node_id, key_kind) as most_passed_over
    from kept
)

select
    node_id,
    approval_id,
    key_kind,
    key_value,
    method,
    most_passed_over + greatest(n_carried - most_candidates(), 0) as n_left_out,
    event_id,
    voice
from ranked
where nth <= most_candidates()
