-- grain: one row per credential or issuing activity, approval and carried key
-- build: by_key node_id
-- why: an approval's id or ticket can travel inside the session: what the issuer put there (its own approval, source identity, transitive tags) cannot change on the way, names and plain tags are the caller's choice; that of somebody else is borrowed, whatever carries it
-- units: select activity_id from stg_activities union all select 'credential:' || credential_uid from stg_activities
--     union all select 'credential:' || issued_credential_uid from stg_activities union all select node_id from int_credentials__by_day
-- dirty: select unnest([activity_id, 'credential:' || issued_credential_uid, 'credential:' || credential_uid,
--         'credential:' || credential_uid || '@' || strftime(event_at, '%Y-%m-%d')]) from delta_stg_activities
-- dirty: select unnest([acts.activity_id, 'credential:' || acts.issued_credential_uid, 'credential:' || acts.credential_uid,
--         'credential:' || acts.credential_uid || '@' || strftime(acts.event_at, '%Y-%m-%d')]) from delta_stg_activities as changed
--     join stg_activities as acts on acts.event_id = changed.event_id
-- dirty: select by_day.node_id from delta_stg_activities as changed join int_credentials__by_day as by_day on by_day.credential_uid = changed.credential_uid
-- dirty: select unnest([acts.activity_id, 'credential:' || acts.issued_credential_uid, 'credential:' || acts.credential_uid,
--         'credential:' || acts.credential_uid || '@' || strftime(acts.event_at, '%Y-%m-%d')]) from delta_stg_keys as changed
--     join stg_activities as acts on acts.event_id = changed.event_id where changed.role = 'carries' or changed.key_kind = 'federated_subject'
-- dirty: select unnest([acts.activity_id, 'credential:' || acts.issued_credential_uid, 'credential:' || acts.credential_uid,
--         'credential:' || acts.credential_uid || '@' || strftime(acts.event_at, '%Y-%m-%d')]) from delta_stg_keys as named
--     join stg_keys as carried on carried.role = 'carries' and carried_name(carried.key_kind, carried.key_value) = named.key_value
--     join stg_activities as acts on acts.event_id = carried.event_id where named.role = 'names' and named.node_kind = 'approval'
-- dirty: select unnest([acts.activity_id, 'credential:' || acts.issued_credential_uid, 'credential:' || acts.credential_uid,
--         'credential:' || acts.credential_uid || '@' || strftime(acts.event_at, '%Y-%m-%d')]) from delta_stg_approvals as changed
--     join stg_keys as named on named.node_id = changed.approval_id and named.role = 'names'
--     join stg_keys as carried on carried.role = 'carries' and carried_name(carried.key_kind, carried.key_value) = named.key_value
--     join stg_activities as acts on acts.event_id = carried.event_id
-- dirty: select stands.node_id from int_approvals__carried as stands where stands.approval_id in (select node_id from delta_int_corrections)
--     or stands.n_left_out > 0
-- dirty: select stands.node_id from int_approvals__carried as stands where stands.approval_id in (select approval_id from delta_int_approvals__roles)
--     or stands.n_left_out > 0
-- dirty: select stands.node_id from int_approvals__carried as stands where stands.approval_id in (select approval_id from delta_int_approvals__subjects)
--     or stands.n_left_out > 0
-- dirty: select unnest([acts.activity_id, 'credential:' || acts.issued_credential_uid, 'credential:' || acts.credential_uid,
--         'credential:' || acts.credential_uid || '@' || strftime(acts.event_at, '%Y-%m-%d')])
--     from delta_int_identities__resolved join stg_activities as acts on alias_uid in (acts.actor_uid, acts.role_arn, acts.issued_role_arn, acts.issued_holder)
-- dirty: select unnest([acts.activity_id, 'credential:' || acts.issued_credential_uid, 'credential:' || acts.credential_uid,
--         'credential:' || acts.credential_uid || '@' || strftime(acts.event_at, '%Y-%m-%d')])
--     from delta_int_identities__resolved join stg_keys as vouched on vouched.key_kind = 'federated_subject' and vouched.key_value = alias_uid
--     join stg_activities as acts on acts.event_id = vouched.event_id
-- dirty: select unnest([node_id, 'credential:' || credential_uid]) from delta_int_credentials__by_day
-- only: stg_activities(activity_id, event_id, event_at, voice, actor_uid, role_arn, credential_uid, issued_credential_uid, issued_role_arn, issued_holder)
-- only: stg_approvals(approval_id, is_granted, roles, valid_from, ends_at)
-- only: int_credentials__by_day(node_id, credential_uid, day)
-- only: run_context(clock_tolerance)

-- Of the nodes that are asked for every record that may show what they carry.
with placed as (
    select
        stg_activities.activity_id, stg_activities.event_id, stg_activities.event_at, stg_activities.voice, stg_activities.actor_uid,
        stg_activities.role_arn, stg_activities.credential_uid, stg_activities.issued_credential_uid, stg_activities.issued_role_arn,
        stg_activities.issued_holder, coalesce(by_day.node_id, 'credential:' || stg_activities.credential_uid) as used_id
    from stg_activities
    left join int_credentials__by_day as by_day
        on by_day.credential_uid = stg_activities.credential_uid and by_day.day = date_trunc('day', stg_activities.event_at)
),

asked as (
    select event_id from placed where used_id in (select id from touched_ids)
    union
    select event_id from placed where 'credential:' || issued_credential_uid in (select id from touched_ids)
    union
    select event_id from placed where activity_id in (select id from touched_ids)
),

acts as (select placed.* from placed semi join asked on asked.event_id = placed.event_id),

carried as (
    select stg_keys.event_id, stg_keys.key_kind, stg_keys.key_value as whole_value, carried_name(stg_keys.key_kind, stg_keys.key_value) as key_value
    from stg_keys
    semi join acts on acts.event_id = stg_keys.event_id
    where stg_keys.key_kind in ('approval', 'ticket', 'source_identity', 'transitive_tag', 'session_tag', 'session_name')
        and stg_keys.role = 'carries'
),

all_names as (
    select stg_keys.node_id as approval_id, stg_keys.key_kind, stg_keys.key_value,
        coalesce(bool_or(stg_approvals.is_granted), false) as is_granted, min(stg_keys.event_at) as stated_at
    from stg_keys
    left join stg_approvals on stg_approvals.approval_id = stg_keys.node_id
    semi join carried on carried.key_value = stg_keys.key_value
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
        acts.used_id as node_id,
        named.*,
        acts.event_at as carried_at,
        acts.voice,
        acts.role_arn
    from named
    join acts on acts.event_id = named.event_id
    where acts.credential_uid is not null
        and (
            (named.key_kind in ('approval', 'ticket', 'source_identity') and acts.issued_credential_uid is null)
            or (named.key_kind = 'session_name' and starts_with(named.whole_value, acts.role_arn || '/'))
        )
),

at_issue as (
    select
        'credential:' || acts.issued_credential_uid as node_id,
        named.*,
        acts.event_at as carried_at,
        acts.voice,
        acts.issued_role_arn as role_arn
    from named
    join acts on acts.event_id = named.event_id
    where acts.issued_credential_uid is not null
        and (named.key_kind <> 'session_name' or starts_with(named.whole_value, acts.issued_role_arn || '/'))
),

issuing as (
    select
        acts.activity_id as node_id,
        named.*,
        acts.event_at as carried_at,
        acts.voice,
        acts.issued_role_arn as role_arn
    from named
    join acts on acts.event_id = named.event_id
    where acts.credential_uid is null
        or (
            acts.issued_credential_uid is not null
            and (named.key_kind <> 'session_name' or starts_with(named.whole_value, acts.issued_role_arn || '/'))
        )
),

all_carriers as (
    select * from in_use
    union all
    select * from at_issue
    union all
    select * from issuing
),

carriers_asked as (select * from all_carriers where node_id in (select id from touched_ids)),

-- Who acted when it was carried, in which role, who holds what was issued, and for whom a web identity vouched.
carrier_names as (
    select event_id, event_at, unnest([actor_uid, role_arn, issued_role_arn, issued_holder]) as alias_uid
    from acts
    semi join named on named.event_id = acts.event_id
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
    from carriers_asked as all_carriers
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
