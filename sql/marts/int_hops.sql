-- grain: one row per credential, or agent that another asked, to which power was passed on
-- build: full
-- why: every way in which power goes from one holder to the next, in one shape: from which node, to whom, by which act, how sure that is and how often it was seen before

with issuing as (
    select
        'credential:' || acts.issued_credential_uid as child_id,
        acts.activity_id as act_id,
        acts.event_id,
        acts.event_at as hop_at,
        acts.action,
        acts.actor_uid,
        acts.account_uid,
        acts.credential_uid,
        acts.issued_role_arn,
        acts.issued_session_name,
        acts.issued_holder,
        acts.is_providers_own,
        acts.voice is not distinct from 'reported' as is_reported
    from stg_activities as acts
    anti join int_copies on int_copies.child_event_id = acts.event_id
    where acts.issued_credential_uid is not null and acts.outcome = 'success'
    -- Of several that claim to have issued it, what was recorded counts, and of that the first.
    qualify row_number() over (
        partition by acts.issued_credential_uid
        order by acts.voice is not distinct from 'reported', acts.event_at, acts.event_id
    ) = 1
),

-- The longest pattern of an action is the one that means it.
kinds as (
    select issuing.action, max_by(hop_actions.hop, {'length': length(hop_actions.action_like), 'pattern': hop_actions.action_like}) as hop
    from (select distinct action from issuing) as issuing
    join hop_actions on issuing.action ilike hop_actions.action_like escape '\'
    group by issuing.action
),

-- Whom a web identity speaks for: the subject's own name stands at the end of what a federation calls it.
subjects as (
    select actors.actor_uid, vendor_prefixes.says
    from (select distinct actor_uid from issuing where actor_uid is not null) as actors
    join vendor_prefixes
        on vendor_prefixes.names = 'subject'
        and starts_with(regexp_replace(actors.actor_uid, '^.*/subject/', ''), vendor_prefixes.prefix)
),

above as (
    select
        child_id,
        max_by(regexp_replace(parent_id, '@[0-9]{4}-[0-9]{2}-[0-9]{2}$', ''), {'sure': confidence, 'id': parent_id}) as from_id,
        max(confidence) as confidence
    from links
    where kind = 'credential>credential' and method <> 'same_credential'
    group by child_id
),

cut as (select distinct node_id from int_cycles where spine = 'authority'),

-- Which credential was shown is often known by no id; then the hop stands for itself, and nothing is laid to whoever may have held it.
issued as (
    select
        issuing.child_id,
        case
            when cut.node_id is null and above.confidence >= 0.5 then above.from_id
            when cut.node_id is null and issuing.credential_uid is null then delegations.callee_id
        end as from_id,
        issuing.act_id,
        issuing.event_id,
        [issuing.event_id] as event_ids,
        issuing.hop_at,
        case
            when subjects.says = 'pod' and kinds.hop in ('web_identity', 'token_exchange') then 'pod_to_cloud_role'
            when subjects.says = 'ci_job' and kinds.hop in ('web_identity', 'token_exchange') then 'ci_job_to_cloud_role'
            else kinds.hop
        end as hop_kind,
        false as is_derived,
        issuing.actor_uid as from_uid,
        coalesce(issuing.issued_role_arn, issuing.issued_holder, stg_credentials.role_arn, stg_credentials.holder_uid) as to_uid,
        case when issuing.is_reported then 0.3 else 1.0 end as confidence,
        issuing.is_reported
    from issuing
    join kinds on kinds.action = issuing.action
    left join subjects on subjects.actor_uid = issuing.actor_uid
    left join above on above.child_id = issuing.child_id
    left join cut on cut.node_id = issuing.child_id
    left join delegations on delegations.step_id = issuing.act_id
    left join stg_credentials on stg_credentials.credential_id = issuing.child_id
),

-- Who hands a role to a service acts later as that role in what runs there. The service names the session after what runs.
passing as (
    select
        acts.activity_id as act_id, acts.event_id, acts.event_at, acts.actor_uid, acts.account_uid, acts.credential_uid,
        lower(split_part(acts.canonical_action, ':', 1)) as service,
        first_hundred(acts.resource_uids) as resource_uids,
        acts.passed_roles,
        acts.voice is not distinct from 'reported' as is_reported
    from stg_activities as acts
    join vendor_prefixes as needed
        on needed.names = 'action' and needed.says = 'passes_role' and list_contains(acts.further_permissions, needed.prefix)
    anti join int_copies on int_copies.child_event_id = acts.event_id
    where acts.outcome = 'success' and acts.further_permissions is not null and acts.account_uid is not null
        and not acts.is_providers_own
),

passing_to as (
    select passed_to.* exclude (resource_uid), regexp_extract(passed_to.resource_uid, '[^/:]+$') as name
    from (select * exclude (resource_uids), unnest(resource_uids) as resource_uid from passing) as passed_to
),

services as (
    select
        issuing.child_id, issuing.event_id, issuing.hop_at, issuing.account_uid,
        coalesce(runners.says, lower(split_part(issuing.actor_uid, '.', 1))) as service,
        issuing.issued_session_name as name, issuing.issued_role_arn, issuing.is_reported
    from issuing
    left join vendor_prefixes as runners
        on runners.names = 'runner' and runners.prefix = lower(split_part(issuing.actor_uid, '.', 1))
    where issuing.credential_uid is null and issuing.is_providers_own
        and issuing.issued_session_name is not null and issuing.issued_role_arn is not null
),

-- The last who passed one before the session began; a session began before knows nothing of them. What runs may have been
-- given another role since: then the session is not of that passing.
passed_by_name as (
    select
        services.child_id,
        'credential:' || passing.credential_uid as from_id,
        passing.act_id,
        passing.event_id,
        [passing.event_id, services.event_id] as event_ids,
        passing.event_at as hop_at,
        'pass_role' as hop_kind,
        true as is_derived,
        passing.actor_uid as from_uid,
        services.issued_role_arn as to_uid,
        case when passing.is_reported or services.is_reported then 0.3 else link_weights.weight end as confidence,
        passing.is_reported or services.is_reported as is_reported
    from services
    asof join passing_to as passing
        on passing.service = services.service and passing.name = services.name and passing.account_uid = services.account_uid
        and passing.event_at <= services.hop_at
    join link_weights on link_weights.method = 'caller_chosen'
    where passing.passed_roles is null or list_contains(passing.passed_roles, services.issued_role_arn)
),

-- Some services call every session alike. Then a role that only one actor ever handed to the service came from that actor;
-- where a second one did, nobody knows whose work runs.
roles_passed as (
    select *, min(event_at) filter (where actor_uid is distinct from first_actor) over (partition by service, role_arn, account_uid) as contested_at
    from (
        select
            passing.* exclude (resource_uids, passed_roles),
            roles.role_arn,
            first_value(passing.actor_uid) over (
                partition by passing.service, roles.role_arn, passing.account_uid order by passing.event_at, passing.event_id
            ) as first_actor
        from passing
        cross join unnest(passing.passed_roles) as roles(role_arn)
        where not passing.is_reported
    )
),

passed as (
    select * from passed_by_name
    union all
    select
        services.child_id,
        'credential:' || roles_passed.credential_uid as from_id,
        roles_passed.act_id,
        roles_passed.event_id,
        [roles_passed.event_id, services.event_id] as event_ids,
        roles_passed.event_at as hop_at,
        'pass_role' as hop_kind,
        true as is_derived,
        roles_passed.actor_uid as from_uid,
        services.issued_role_arn as to_uid,
        case when services.is_reported then 0.3 else link_weights.weight end as confidence,
        services.is_reported
    from services
    anti join passed_by_name on passed_by_name.child_id = services.child_id
    asof join roles_passed
        on roles_passed.service = services.service and roles_passed.role_arn = services.issued_role_arn
        and roles_passed.account_uid = services.account_uid and roles_passed.event_at <= services.hop_at
    join link_weights on link_weights.method = 'caller_chosen'
    where roles_passed.contested_at is null or roles_passed.contested_at > services.hop_at
),

-- What lies in a secret is used by others as well: that a reader is who used it then is possible and no more.
of_secrets as (
    select
        coalesce(by_day.node_id, 'credential:' || read.credential_uid) as child_id,
        'credential:' || reading.credential_uid as from_id,
        reading.activity_id as act_id,
        reading.event_id,
        [reading.event_id, read.event_id] as event_ids,
        read.read_at as hop_at,
        'secret_read' as hop_kind,
        true as is_derived,
        read.actor_uid as from_uid,
        coalesce(used.role_arn, used.actor_uid) as to_uid,
        link_weights.weight as confidence,
        false as is_reported
    from int_lifecycle__secrets as read
    join stg_activities as reading on reading.event_id = read.event_ids[1]
    join stg_activities as used on used.event_id = read.event_id
    left join int_credentials__by_day as by_day
        on by_day.credential_uid = read.credential_uid and by_day.day = date_trunc('day', used.event_at)
    join link_weights on link_weights.method = 'attribute_window'
    where reading.credential_uid is distinct from read.credential_uid
    qualify row_number() over (
        partition by coalesce(by_day.node_id, 'credential:' || read.credential_uid)
        order by read.first_at, read.read_at desc, reading.event_id
    ) = 1
),

asked as (
    select distinct callee_id, caller_id
    from delegations
),

delegated as (
    select
        asked.callee_id as child_id,
        outer_call.callee_id as from_id,
        asked.callee_id as act_id,
        calls.event_id,
        [calls.event_id] as event_ids,
        calls.called_at as hop_at,
        'agent_to_agent' as hop_kind,
        false as is_derived,
        caller.agent_uid as from_uid,
        calls.agent_uid as to_uid,
        -- The telemetry of agents is their own account; it leads as surely as the links that it makes.
        case when steps.voice is not distinct from 'reported' then 0.3 else 1.0 end as confidence,
        coalesce(steps.voice is not distinct from 'reported', false) as is_reported
    from asked
    join stg_tool_calls as calls on calls.tool_call_id = asked.callee_id
    join stg_tool_calls as caller on caller.tool_call_id = asked.caller_id
    left join delegations as outer_call on outer_call.step_id = asked.caller_id
    left join chain_steps as steps on steps.step_id = asked.callee_id
),

-- What an id proves goes before what may be.
every_hop as (
    select * from passed
    union all
    select * from issued
    union all
    select * from of_secrets
    union all
    select * from delegated
),

chosen as (
    select *
    from every_hop
    qualify row_number() over (
        partition by child_id order by confidence >= 0.5 desc, hop_kind = 'pass_role' desc, is_derived, confidence desc, act_id
    ) = 1
),

known as (
    select
        chosen.*,
        -- A pair of names is one, whatever the names of its sides are declared to be.
        coalesce(giver.identity_id, chosen.from_uid) as from_identity,
        coalesce(taker.identity_id, chosen.to_uid) as to_identity,
        date_trunc('day', chosen.hop_at) as day
    from chosen
    left join int_identities__resolved as giver
        on giver.alias_uid = chosen.from_uid and holds_at(chosen.hop_at, giver.valid_from, giver.valid_until)
    left join int_identities__resolved as taker
        on taker.alias_uid = chosen.to_uid and holds_at(chosen.hop_at, taker.valid_from, taker.valid_until)
),

firsts as (
    select to_uid, hop_kind, from_identity, min(hop_at) as first_at
    from known
    where not is_reported
    group by to_uid, hop_kind, from_identity
),

ordered_firsts as (
    select *, count(*) over (partition by to_uid, hop_kind order by first_at range between unbounded preceding and interval 1 microsecond preceding) as n_before
    from firsts
)

select
    known.* exclude (day),
    coalesce(taker_step.chain_id, giver_step.chain_id) as own_chain_id,
    case when known.is_derived then giver_step.chain_id else coalesce(taker_step.chain_id, giver_step.chain_id) end as chain_id,
    case when known.is_derived then giver_step.approval_id else coalesce(taker_step.approval_id, giver_step.approval_id) end as approval_id,
    coalesce(case when known.is_derived then giver_step.is_accounted else coalesce(taker_step.is_accounted, giver_step.is_accounted) end, false) as is_accounted,
    coalesce(giver_facts.is_outside_roles or giver_facts.is_outside_actions or giver_facts.is_outside_resources, false) as is_outside_approval,
    -- What an unrecorded word claims makes nothing usual.
    dense_rank() over (
        partition by known.from_identity, known.to_uid, known.hop_kind, known.is_reported order by known.day
    ) - 1 as n_days_before,
    coalesce(ordered_firsts.n_before, 0) as n_others_before
from known
left join chain_steps as taker_step on taker_step.step_id = known.child_id
left join chain_steps as giver_step on giver_step.step_id = known.act_id
left join step_facts as giver_facts on giver_facts.step_id = known.act_id
left join ordered_firsts
    on ordered_firsts.to_uid = known.to_uid and ordered_firsts.hop_kind = known.hop_kind and ordered_firsts.from_identity = known.from_identity
