-- grain: one row per subject of which a log of approvals, decisions or tool calls has spoken
-- build: full
-- why: a log that fell silent casts doubt only on the subjects of which it speaks, not on all

with linked as (
    select distinct child.actor_uid, parent.node_kind as evidence_kind, parent.log
    from links
    join int_nodes as child on child.node_id = links.child_id
    join int_nodes as parent on parent.node_id = links.parent_id
    where links.is_primary and parent.node_kind in ('approval', 'decision', 'tool_call') and child.actor_uid is not null
),

named as (
    select 'approval' as evidence_kind, subject_uid as actor_uid, log from stg_approvals where subject_uid is not null
    union
    select 'approval', unnest(roles), log from stg_approvals
    union
    select 'decision', subject_uid, log from stg_decisions where subject_uid is not null
    union
    select 'tool_call', agent_uid, log from stg_tool_calls where agent_uid is not null
    union
    select evidence_kind, actor_uid, log from linked
),

identities_named as (
    select distinct
        coalesce(resolved.identity_id, named.actor_uid) as identity_id,
        named.evidence_kind,
        named.log,
        source_expectations.voice
    from named
    join source_expectations
        on source_expectations.log = named.log and source_expectations.evidence_kind = named.evidence_kind
    left join int_identities__resolved as resolved on resolved.alias_uid = named.actor_uid
),

-- Who speaks for itself and stops must not be excused by that, where a log that it cannot write to speaks of it too.
waited_for as (
    select identity_id, evidence_kind, log
    from identities_named
    qualify is_waited_for(evidence_kind, voice, bool_or(voice = 'recorded') over (partition by identity_id, evidence_kind))
),

aliases as (
    select alias_uid as actor_uid, identity_id from int_identities__resolved
    union
    select identity_id, identity_id from waited_for
)

select
    aliases.actor_uid,
    string_agg(distinct waited_for.log, ',' order by waited_for.log) filter (where waited_for.evidence_kind = 'approval') as approval_speakers,
    string_agg(distinct waited_for.log, ',' order by waited_for.log) filter (where waited_for.evidence_kind = 'decision') as decision_speakers,
    string_agg(distinct waited_for.log, ',' order by waited_for.log) filter (where waited_for.evidence_kind = 'tool_call') as tool_call_speakers
from waited_for
join aliases on aliases.identity_id = waited_for.identity_id
group by aliases.actor_uid
