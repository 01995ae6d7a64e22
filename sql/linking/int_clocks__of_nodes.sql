-- grain: one row per tool call, decision and approval whose time may be corrected
-- build: full
-- why: each agent tells its times by its own clock, and an engine all of its answers by one

with told as (
    select tool_call_id as node_id, log, voice, workload_uid, agent_uid as alias_uid, called_at as told_at
    from stg_tool_calls
    where voice = 'reported'
    union all
    select decision_id, log, voice, null::varchar, case when voice = 'reported' then subject_uid end, decided_at
    from stg_decisions
    union all
    select approval_id, log, voice, null::varchar, subject_uid, event_at
    from stg_approvals
    where voice = 'reported'
)

select
    told.node_id,
    told.log,
    -- The service that an agent runs in bears the agent's name, and the same clock.
    coalesce(told.workload_uid, regexp_replace(coalesce(resolved.identity_id, told.alias_uid), '^(agent|service):', ''), '') as clock_uid
from told
left join int_identities__resolved as resolved
    on resolved.alias_uid = told.alias_uid and holds_at(told.told_at, resolved.valid_from, resolved.valid_until)
