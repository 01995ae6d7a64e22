-- grain: one row per credential, issuing activity, activity that shows no credential or person's request to an agent, and approval whose subject, role and window fit it
-- build: by_key node_id
-- why: the last resort, where no id travels: it names a candidate and is never proof
-- units: select node_id from int_nodes__identities
-- dirty: select node_id from delta_int_nodes__identities
-- A window: whatever its identity did in it, and as far around it as its slots of time reach.
-- dirty: with opened as (
--     select coalesce(resolved.identity_id, subject_uid) as identity_id, changed.valid_from, coalesce(ends_at, '9999-12-31 00:00:00+00'::timestamptz) as until_at,
--     2 * slot_seconds(changed.valid_from, coalesce(ends_at, '9999-12-31 00:00:00+00'::timestamptz)) + 86400 as reach
--     from delta_stg_approvals as changed left join int_identities__resolved as resolved on resolved.alias_uid = changed.subject_uid)
--     select node_id from opened join int_nodes__identities as node on node.identity_id = opened.identity_id
--     and seconds_between(opened.valid_from, node.until_at) > -reach and seconds_between(node.from_at, opened.until_at) > -reach
-- dirty: with opened as (
--     select distinct coalesce(resolved.identity_id, subject_uid) as identity_id, changed.role_arn, named.valid_from, coalesce(ends_at, '9999-12-31 00:00:00+00'::timestamptz) as until_at
--     from delta_int_approvals__roles as changed join stg_approvals as named using (approval_id) left join int_identities__resolved as resolved on resolved.alias_uid = named.subject_uid)
--     select node_id from opened join int_nodes__identities as node on node.identity_id = opened.identity_id and node.role_arn = opened.role_arn
--     and node.until_at >= opened.valid_from - interval 1 day and node.from_at <= opened.until_at + interval 1 day
-- dirty: select node_id from delta_int_identities__resolved as resolved join stg_approvals as named on named.subject_uid = resolved.alias_uid
--     join int_nodes__identities as node on node.identity_id in (resolved.identity_id, named.subject_uid)
-- only: stg_approvals(approval_id, roles, actions, valid_from, ends_at, subject_uid, event_at, is_granted, origin)
-- only: run_context(clock_tolerance)

with windows as (
    select
        stg_approvals.approval_id,
        stg_approvals.roles,
        stg_approvals.actions,
        stg_approvals.valid_from,
        coalesce(stg_approvals.ends_at, '9999-12-31 00:00:00+00'::timestamptz) as ends_at,
        coalesce(resolved.identity_id, stg_approvals.subject_uid) as identity_id
    from stg_approvals
    left join int_identities__resolved as resolved
        on resolved.alias_uid = stg_approvals.subject_uid
        and holds_at(stg_approvals.event_at, resolved.valid_from, resolved.valid_until)
    where stg_approvals.is_granted and stg_approvals.origin = 'ticket' and stg_approvals.subject_uid is not null
),

identified as (select * from int_nodes__identities where node_id in (select id from touched_ids)),

-- A credential may serve many acts, but one act that the approval does not list, in the words of its log or of a grant, is
-- none of the approved.
patterns as (
    select approval_id, identity_id, unnest(actions) as pattern
    from windows
),

listed as (
    select approval_id, identity_id, as_like(pattern) as pattern_like
    from patterns
),

acted as (select distinct identity_id, action, canonical_action from identified where action is not null),

approved_actions as (
    select distinct listed.approval_id, acted.action, acted.canonical_action
    from acted
    join listed
        on listed.identity_id = acted.identity_id
        and (acted.action ilike listed.pattern_like escape '\' or acted.canonical_action ilike listed.pattern_like escape '\')
),

-- Whatever the length of a window, it lies in two slots of time at most; a moment is looked for in one slot of each length.
stretches as (
    select
        windows.approval_id,
        windows.identity_id,
        windows.valid_from - run_context.clock_tolerance as from_at,
        windows.ends_at + run_context.clock_tolerance as until_at,
        slot_seconds(windows.valid_from - run_context.clock_tolerance, windows.ends_at + run_context.clock_tolerance) as seconds
    from windows
    cross join run_context
),

slots as (
    select approval_id, identity_id, from_at, seconds, case when seconds > 16777216 then 0 else slot_of(from_at, seconds) end as slot
    from stretches
    union
    select approval_id, identity_id, from_at, seconds, case when seconds > 16777216 then -1 else slot_of(until_at, seconds) end
    from stretches
),

ranked_slots as (
    select
        *,
        row_number() over (partition by identity_id, seconds, slot order by from_at, approval_id) as nth,
        count(*) over (partition by identity_id, seconds, slot) as n_in_slot
    from slots
),

first_in_slots as (
    select approval_id, identity_id, seconds, slot, greatest(n_in_slot - most_in_slot(), 0) as n_passed_over
    from ranked_slots
    where nth <= most_in_slot()
),

lengths as (select distinct identity_id, seconds from slots),

looked_for as (
    select identified.*, lengths.seconds, slot_of(identified.from_at, lengths.seconds) as slot
    from identified
    join lengths on lengths.identity_id = identified.identity_id
),

-- What began while a credential was in use fits it too: the first of those.
begun as (
    select identity_id, approval_id, from_at, row_number() over (partition by identity_id order by from_at, approval_id) as nth
    from stretches
),

ticks as (
    select identity_id, from_at as moment, 1 as turn, 1 as n_begun from begun
    union all
    select identity_id, from_at, 2, 0 from identified where until_at > from_at
    union all
    select identity_id, until_at, 2, 0 from identified where until_at > from_at
),

counted as (
    select
        identity_id, moment, turn,
        sum(n_begun) over (partition by identity_id order by moment, turn rows between unbounded preceding and current row) as n_begun
    from ticks
),

places as (
    select identity_id, moment, max(n_begun)::bigint as n_begun
    from counted
    where turn = 2
    group by identity_id, moment
),

spans as (
    select identified.*, opening.n_begun as n_before, closing.n_begun as n_until
    from identified
    join places as opening on opening.identity_id = identified.identity_id and opening.moment = identified.from_at
    join places as closing on closing.identity_id = identified.identity_id and closing.moment = identified.until_at
    where identified.until_at > identified.from_at and closing.n_begun > opening.n_begun
),

begun_within as (
    select
        *,
        unnest(generate_series(n_before + 1, least(n_until, n_before + most_in_slot()))) as nth
    from spans
),

met as (
    select looked_for.node_id, looked_for.role_arn, looked_for.from_at, looked_for.until_at, looked_for.action, looked_for.canonical_action, looked_for.identity_id, first_in_slots.approval_id, first_in_slots.n_passed_over
    from looked_for
    join first_in_slots
        on first_in_slots.identity_id = looked_for.identity_id and first_in_slots.seconds = looked_for.seconds
        and first_in_slots.slot = looked_for.slot
    union all
    select
        begun_within.node_id, begun_within.role_arn, begun_within.from_at, begun_within.until_at, begun_within.action, begun_within.canonical_action, begun_within.identity_id, begun.approval_id,
        greatest(begun_within.n_until - begun_within.n_before - most_in_slot(), 0)
    from begun_within
    join begun on begun.identity_id = begun_within.identity_id and begun.nth = begun_within.nth
),

fitting as (
    select
        met.node_id,
        met.approval_id,
        met.identity_id,
        seconds_between(windows.valid_from, windows.ends_at) as validity,
        windows.valid_from,
        max(met.role_arn) as role_arn,
        min(met.from_at) as from_at,
        max(met.until_at) as until_at,
        max(met.n_passed_over) as n_passed_over
    from met
    join windows on windows.approval_id = met.approval_id and windows.identity_id = met.identity_id
    left join int_approvals__roles as approved_roles
        on approved_roles.approval_id = met.approval_id and approved_roles.role_arn = met.role_arn
    left join approved_actions
        on approved_actions.approval_id = met.approval_id and approved_actions.action = met.action
        and approved_actions.canonical_action is not distinct from met.canonical_action
    cross join run_context
    where met.until_at >= windows.valid_from - run_context.clock_tolerance
        and met.from_at <= windows.ends_at + run_context.clock_tolerance
        and (met.role_arn is null or array_length(windows.roles) = 0 or approved_roles.role_arn is not null)
        and (met.action is null or array_length(windows.actions) = 0 or approved_actions.action is not null)
    group by met.node_id, met.approval_id, met.identity_id, windows.valid_from, windows.ends_at
),

-- The narrowest says most of an act, and of those the one that began closing.
ranked as (
    select
        node_id,
        approval_id,
        identity_id,
        role_arn,
        from_at,
        until_at,
        row_number() over (partition by node_id order by validity, valid_from desc, approval_id) as nth,
        count(*) over (partition by node_id) as n_fitting,
        max(n_passed_over) over (partition by node_id) as most_passed_over
    from fitting
)

select
    node_id,
    approval_id,
    identity_id as key_value,
    role_arn,
    from_at,
    until_at,
    most_passed_over + greatest(n_fitting - most_candidates(), 0) as n_left_out
from ranked
where nth <= most_candidates()
