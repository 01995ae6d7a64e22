-- grain: one row per log, kind of evidence, and subject or system of which it speaks
-- build: full
-- why: what is missing in a log means something for those whom it could have approved or decided about, and for nobody else

with learning as (
    select source_expectations.*
    from source_expectations
    join sources on sources.log = source_expectations.log
    where list_contains(sources.evidence_seen, source_expectations.evidence_kind) and not source_expectations.is_scoped
),

systems as (
    select log, max(system) as system
    from source_expectations
    group by log
),

-- A request that nobody granted, or what another place only states, would let a subject choose the log that is waited for.
granted as (
    select stg_approvals.*
    from stg_approvals
    join learning on learning.log = stg_approvals.log and learning.evidence_kind = 'approval'
    where stg_approvals.is_granted and speaks_for_log(stg_approvals.voice, learning.voice)
),

decided as (
    select stg_decisions.*
    from stg_decisions
    join learning on learning.log = stg_decisions.log and learning.evidence_kind = 'decision'
    where speaks_for_log(stg_decisions.voice, learning.voice)
),

parents as (
    select approval_id as node_id, 'approval' as evidence_kind, log from granted
    union all
    select decision_id, 'decision', log from decided
    union all
    select tool_call_id, 'tool_call', log from stg_tool_calls
),

linked as (
    select distinct parents.evidence_kind, parents.log, child.actor_uid, child.node_kind, systems.system
    from links
    join parents on parents.node_id = links.parent_id
    join int_nodes as child on child.node_id = links.child_id
    left join systems on systems.log = child.log
    where links.is_primary and coalesce(links.method not in ('borrowed', 'ended'), true)
        and (parents.evidence_kind = 'tool_call' or links.stated_by is distinct from 'reported')
),

named as (
    select 'approval' as evidence_kind, log, subject_uid as actor_uid from granted where subject_uid is not null
    union
    select 'approval', log, unnest(roles) from granted
    union
    select 'decision', log, subject_uid from decided where subject_uid is not null
    union
    select 'tool_call', log, agent_uid from stg_tool_calls where agent_uid is not null
),

-- Whom a log of one vendor's approvals names, it governs in that vendor's systems; a ticket may be about any.
named_where as (
    select
        named.evidence_kind,
        named.log,
        named.actor_uid,
        unnest(case when array_length(learning.governs) > 0 then learning.governs else [null::varchar] end) as system
    from named
    join learning on learning.log = named.log and learning.evidence_kind = named.evidence_kind
    union
    select
        linked.evidence_kind,
        linked.log,
        linked.actor_uid,
        case when array_length(learning.governs) > 0 then linked.system end
    from linked
    join learning on learning.log = linked.log and learning.evidence_kind = linked.evidence_kind
    where linked.actor_uid is not null
),

identities_named as (
    select distinct
        named_where.evidence_kind,
        named_where.log,
        coalesce(resolved.identity_id, named_where.actor_uid) as identity_id,
        named_where.system
    from named_where
    left join int_identities__resolved as resolved on resolved.alias_uid = named_where.actor_uid
),

names_of_identities as (
    select identity_id, alias_uid as actor_uid from int_identities__resolved
    union
    select identity_id, identity_id from identities_named
),

subjects as (
    select distinct identities_named.evidence_kind, identities_named.log, names_of_identities.actor_uid, identities_named.system
    from identities_named
    join names_of_identities on names_of_identities.identity_id = identities_named.identity_id
),

-- A role that no approval names is taken under the approvals of who takes it, as a workflow does.
taken as (
    select distinct subjects.log, stg_activities.issued_role_arn as actor_uid, systems.system
    from subjects
    join stg_activities on stg_activities.actor_uid = subjects.actor_uid
    join systems on systems.log = stg_activities.log
    where subjects.evidence_kind = 'approval' and stg_activities.issued_role_arn is not null and stg_activities.outcome = 'success'
),

taken_unnamed as (
    select taken.*
    from taken
    anti join (select actor_uid from subjects where evidence_kind = 'approval') as known on known.actor_uid = taken.actor_uid
),

things_named as (
    select log, unnest(resources) as thing from granted
    union
    select log, unnest(actions) from granted
    union
    select log, actor_uid from named where evidence_kind = 'approval'
),

words_of_actions as (
    select distinct log, lower(split_part(action, ':', 1)) as word
    from (select log, unnest(actions) as action from granted) as listed
    where contains(action, ':') and not contains(split_part(action, ':', 1), '*')
),

words_of_systems as (
    select distinct lower(split_part(stg_activities.action, ':', 1)) as word, systems.system
    from stg_activities
    join systems on systems.log = stg_activities.log
    where contains(stg_activities.action, ':') and stg_activities.voice is distinct from 'reported'
),

learned_systems as (
    select 'approval' as evidence_kind, things_named.log, vendor_prefixes.says as system
    from things_named
    join vendor_prefixes on vendor_prefixes.names = 'named_system' and starts_with(things_named.thing, vendor_prefixes.prefix)
    union
    select 'approval', words_of_actions.log, words_of_systems.system
    from words_of_actions
    join words_of_systems on words_of_systems.word = words_of_actions.word
    union
    select evidence_kind, log, system
    from linked
    where (evidence_kind = 'decision') = (node_kind = 'tool_call')
    union
    -- What decides about tools could have decided about any call of one.
    select 'decision', decided.log, source_expectations.system
    from (select distinct log from decided where tool is not null) as decided
    join source_expectations on source_expectations.evidence_kind = 'tool_call'
),

-- What a prune took of a log is still waited for there.
remembered as (
    select pruned_subjects.*
    from pruned_subjects
    anti join source_expectations as told
        on told.log = pruned_subjects.log and told.evidence_kind = pruned_subjects.evidence_kind and told.is_scoped
),

governed_systems as (
    select evidence_kind, log, unnest(governs) as system
    from learning
    where array_length(governs) > 0
    union
    select learned_systems.evidence_kind, learned_systems.log, learned_systems.system
    from learned_systems
    join learning on learning.log = learned_systems.log and learning.evidence_kind = learned_systems.evidence_kind
    where array_length(learning.governs) = 0 and learned_systems.system is not null
)

select evidence_kind, log, actor_uid, system from subjects
union
select 'approval', log, actor_uid, system from taken_unnamed
union
select evidence_kind, log, null, system from governed_systems
union
select evidence_kind, log, actor_uid, system from remembered
