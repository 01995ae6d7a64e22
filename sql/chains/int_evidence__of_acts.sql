-- grain: one row per activity or tool call
-- build: by_key node_id
-- why: whether an approval, decision or tool call that is missing above an act would have been seen, by the logs that could have told of it
-- units: select node_id from int_nodes
-- dirty: select node_id from delta_int_nodes
-- dirty: select activity_id from delta_stg_activities
-- dirty: select node_id from delta_int_evidence__by_hour join int_nodes using (event_hour)
-- dirty: select node_id from delta_int_evidence__governed as governed join int_nodes as node on governed.actor_uid = coalesce(node.actor_uid, '')
-- dirty: select node_id from delta_int_evidence__governed as governed cross join int_nodes where governed.actor_uid is null
-- dirty: select node_id from delta_int_identities__resolved join int_nodes on actor_uid = alias_uid
-- only: int_nodes(node_id, node_kind, node_at, event_hour, log, actor_uid)
-- only: stg_activities(activity_id, account_uid)
-- only: int_evidence__governed(log, actor_uid, evidence_kind, system)

with systems as (
    select log, max(system) as system
    from source_expectations
    group by log
),

acts as (
    select
        node.node_id,
        node.node_kind,
        node.node_at,
        node.event_hour,
        node.log,
        coalesce(node.actor_uid, '') as actor_uid,
        coalesce(stg_activities.account_uid, '') as account_uid
    from int_nodes as node
    left join stg_activities on stg_activities.activity_id = node.node_id
    where node.node_kind in ('activity', 'tool_call') and node.node_id in (select id from touched_ids)
),

contexts as (select distinct node_kind, log, actor_uid, account_uid from acts),

questions as (
    select contexts.*, 'approval' as evidence_kind, systems.system
    from contexts
    left join systems on systems.log = contexts.log
    where contexts.node_kind = 'activity'
    union all
    select contexts.*, 'tool_call', systems.system
    from contexts
    left join systems on systems.log = contexts.log
    where contexts.node_kind = 'activity'
    union all
    select contexts.*, 'decision', systems.system
    from contexts
    left join systems on systems.log = contexts.log
    where contexts.node_kind = 'tool_call'
),

names as (
    select actor_uid, actor_uid as name from contexts
    union
    select contexts.actor_uid, resolved.identity_id
    from contexts
    join int_identities__resolved as resolved on resolved.alias_uid = contexts.actor_uid
),

scoped as (
    select governed_scopes.*, source_expectations.evidence_kind
    from governed_scopes
    join source_expectations on source_expectations.log = governed_scopes.log
    where source_expectations.evidence_kind in ('approval', 'decision', 'tool_call')
),

scoped_actors as (
    select distinct names.actor_uid, scoped.log, scoped.evidence_kind
    from names
    join scoped on scoped.scope = 'identity' and names.name ilike scoped.value_like escape '\'
),

scoped_places as (
    select distinct places.log as act_log, places.account_uid, scoped.log, scoped.evidence_kind
    from (select distinct log, account_uid from contexts) as places
    join scoped
        on (scoped.scope = 'account' and places.account_uid ilike scoped.value_like escape '\')
        or (scoped.scope = 'log' and places.log ilike scoped.value_like escape '\')
),

-- Who is known to speak of this subject is waited for; else who is said to govern the place, else who speaks of the system.
could_tell as (
    select questions.*, governed.log as told_by, 1 as nearness
    from questions
    join int_evidence__governed as governed
        on governed.actor_uid = questions.actor_uid and governed.evidence_kind = questions.evidence_kind
    where governed.system is null or governed.system = questions.system
    union
    select questions.*, scoped_actors.log, 1
    from questions
    join scoped_actors on scoped_actors.actor_uid = questions.actor_uid and scoped_actors.evidence_kind = questions.evidence_kind
    union
    select questions.*, scoped_places.log, 2
    from questions
    join scoped_places
        on scoped_places.act_log = questions.log and scoped_places.account_uid = questions.account_uid
        and scoped_places.evidence_kind = questions.evidence_kind
    union
    select questions.*, governed.log, 3
    from questions
    join int_evidence__governed as governed
        on governed.system = questions.system and governed.evidence_kind = questions.evidence_kind
    where governed.actor_uid is null
),

ranked as (
    select
        could_tell.*,
        source_expectations.voice,
        min(could_tell.nearness) over (
            partition by could_tell.node_kind, could_tell.log, could_tell.actor_uid, could_tell.account_uid, could_tell.evidence_kind
        ) as nearest
    from could_tell
    join source_expectations
        on source_expectations.log = could_tell.told_by and source_expectations.evidence_kind = could_tell.evidence_kind
),

-- Who speaks for itself and stops must not be excused by that, where a log that it cannot write to speaks of it too. Of tool
-- calls mostly the caller tells.
waited_for as (
    select *
    from ranked
    where nearness = nearest
    qualify evidence_kind = 'tool_call'
        or voice is distinct from 'reported'
        or not bool_or(voice = 'recorded') over (partition by node_kind, log, actor_uid, account_uid, evidence_kind)
),

answers as (
    select
        node_kind, log, actor_uid, account_uid, evidence_kind, nearest,
        string_agg(distinct told_by, ',' order by told_by) as told_by
    from waited_for
    group by node_kind, log, actor_uid, account_uid, evidence_kind, nearest
),

asked as (
    select
        acts.node_id,
        acts.node_at,
        acts.event_hour,
        answers.evidence_kind,
        answers.told_by,
        answers.nearest = 1 as needs_all
    from acts
    join answers
        on answers.node_kind = acts.node_kind and answers.log = acts.log
        and answers.actor_uid = acts.actor_uid and answers.account_uid = acts.account_uid
),

asked_hours as (
    select distinct evidence_kind, told_by, needs_all, event_hour
    from asked
),

asked_logs as (
    select evidence_kind, told_by, needs_all, event_hour, unnest(string_split(told_by, ',')) as log
    from asked_hours
),

of_logs as (
    select
        asked_logs.*,
        case when by_hour.log is null then 'source absent' else by_hour.doubt end as doubt,
        by_hour.complete_from,
        by_hour.complete_until
    from asked_logs
    left join int_evidence__by_hour as by_hour
        on by_hour.log = asked_logs.log and by_hour.evidence_kind = asked_logs.evidence_kind
        and by_hour.event_hour = asked_logs.event_hour
),

-- Of those that speak of the subject each may hold what is missing. Of those that only could have, one that is complete
-- suffices: else one quiet system would excuse everybody of whom it never spoke.
of_hours as (
    select
        evidence_kind,
        told_by,
        needs_all,
        event_hour,
        case when needs_all or count(doubt) = count(*) then min(doubt) end as doubt,
        case when needs_all then max(complete_from) else min(complete_from) filter (where doubt is null) end as complete_from,
        min(complete_until) filter (where doubt is null) as complete_until
    from of_logs
    group by evidence_kind, told_by, needs_all, event_hour
),

judged as (
    select
        asked.node_id,
        asked.evidence_kind,
        case
            when of_hours.doubt is not null then of_hours.doubt
            when asked.node_at < of_hours.complete_from then 'before the log begins'
            when asked.node_at > of_hours.complete_until then 'evidence late'
            else 'none'
        end as doubt
    from asked
    join of_hours
        on of_hours.evidence_kind = asked.evidence_kind and of_hours.told_by = asked.told_by
        and of_hours.needs_all = asked.needs_all and of_hours.event_hour = asked.event_hour
)

select
    acts.node_id,
    case
        when acts.node_kind = 'activity' then coalesce(nullif(of_approvals.doubt, 'none'), case when of_approvals.node_id is null then 'source absent' end)
    end as approval_doubt,
    case
        when acts.node_kind = 'tool_call' then coalesce(nullif(of_decisions.doubt, 'none'), case when of_decisions.node_id is null then 'source absent' end)
    end as decision_doubt,
    case
        when acts.node_kind = 'activity' then coalesce(nullif(of_tool_calls.doubt, 'none'), case when of_tool_calls.node_id is null then 'source absent' end)
    end as tool_call_doubt
from acts
left join judged as of_approvals on of_approvals.node_id = acts.node_id and of_approvals.evidence_kind = 'approval'
left join judged as of_decisions on of_decisions.node_id = acts.node_id and of_decisions.evidence_kind = 'decision'
left join judged as of_tool_calls on of_tool_calls.node_id = acts.node_id and of_tool_calls.evidence_kind = 'tool_call'
