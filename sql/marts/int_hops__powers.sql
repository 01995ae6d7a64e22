-- grain: one row per hop
-- build: full
-- why: what whoever power was passed on to could do, by what it held then, and did, by what it was let do; and which crown jewels it touched

with done_with as (
    select int_hops.child_id, steps.step_id
    from int_hops
    join chain_steps as steps on steps.authority_parent_id = int_hops.child_id
    where steps.node_kind = 'activity'
    union
    -- A day of a key is the key.
    select int_hops.child_id, steps.step_id
    from int_hops
    join int_credentials__by_day as by_day on by_day.credential_id = int_hops.child_id
    join chain_steps as steps on steps.authority_parent_id = by_day.node_id
    where steps.node_kind = 'activity'
    union
    select int_hops.child_id, delegations.step_id
    from int_hops
    join delegations on delegations.callee_id = int_hops.child_id
    where int_hops.hop_kind = 'agent_to_agent'
),

acts as (
    select
        done_with.child_id,
        steps.step_id,
        steps.event_id,
        steps.step_at,
        steps.resource_uids,
        -- To pass power on is the hop, and not what was done with it.
        case
            when passing.act_id is not null then null
            when steps.is_privileged then 3
            when activity.access in ('read', 'secret', 'write') then 2
            else 1
        end as power_rank,
        -- What the approval lists is no more than it gives, whatever else needs approval.
        facts.is_outside_actions is distinct from false as is_unlisted,
        coalesce(facts.is_outside_actions or facts.is_outside_resources or facts.is_outside_roles, false) as is_outside_approval
    from done_with
    join chain_steps as steps on steps.step_id = done_with.step_id
    join stg_activities as activity on activity.activity_id = done_with.step_id
    left join step_facts as facts on facts.step_id = done_with.step_id
    left join (select distinct act_id from int_hops) as passing on passing.act_id = done_with.step_id
    -- What failed changed nothing, and what only the subject tells proves nothing.
    where steps.is_counted and steps.outcome = 'success' and steps.voice is distinct from 'reported'
),

did as (
    select
        child_id,
        max(power_rank) as power_rank,
        max(power_rank) filter (where is_unlisted) as unlisted_rank,
        max_by(event_id, {'unlisted': is_unlisted, 'rank': power_rank, 'earlier': -epoch_us(step_at), 'id': event_id}) filter (where power_rank is not null) as event_id,
        bool_and(is_outside_approval) filter (where is_unlisted and power_rank = 3) as is_outside_approval,
        max(step_at) as last_at
    from acts
    group by child_id
),

resources as (
    select distinct child_id, unnest(first_hundred(resource_uids)) as resource_uid
    from acts
),

jewels as (
    select resource_uid
    from (select distinct resource_uid from resources)
    where exists (select 1 from crown_jewels where resource_uid ilike crown_jewels.resource_like escape '\')
),

touched as (
    select resources.child_id, list_sort(list(resources.resource_uid)) as crown_jewels
    from resources
    join jewels on jewels.resource_uid = resources.resource_uid
    group by resources.child_id
),

-- By who says it is theirs: not what only its subject's own logs tell, nor what may be so.
held as (
    select int_hops.child_id, max(power_rank(entitlements.power)) as power_rank,
        max_by(entitlements.event_id, {'rank': power_rank(entitlements.power), 'id': entitlements.event_id}) filter (where entitlements.event_id is not null) as event_id
    from int_hops
    join entitlements
        on entitlements.holder_uid = int_hops.to_uid and entitlements.layer = 'granted' and entitlements.effect = 'allow'
        and entitlements.power is not null and entitlements.is_certain and not entitlements.is_reported
        and coalesce(entitlements.valid_from <= int_hops.hop_at, true) and coalesce(entitlements.valid_until > int_hops.hop_at, true)
    group by int_hops.child_id
)

select
    int_hops.child_id,
    greatest(did.power_rank, held.power_rank) as power_rank,
    greatest(did.unlisted_rank, case when own_role.role_arn is null then held.power_rank end) as unlisted_rank,
    case when did.unlisted_rank >= coalesce(held.power_rank, 0) or own_role.role_arn is not null then did.event_id else coalesce(held.event_id, did.event_id) end
        as shown_by_event_id,
    coalesce(did.is_outside_approval and did.unlisted_rank > coalesce(case when own_role.role_arn is null then held.power_rank end, 0), false) as is_outside_approval,
    coalesce(touched.crown_jewels, []) as crown_jewels,
    did.last_at
from int_hops
left join did on did.child_id = int_hops.child_id
left join held on held.child_id = int_hops.child_id
left join touched on touched.child_id = int_hops.child_id
-- What the roles that it lists hold is what the approval gives.
left join int_approvals__roles as own_role
    on int_hops.is_accounted and own_role.approval_id = int_hops.approval_id and own_role.role_arn = int_hops.to_uid
