-- grain: one row per decision
-- build: full
-- why: a policy engine and a permission prompt both answer one request; everything after sees one vocabulary

with answers as (
    select
        decision_uid,
        event_at as decided_at,
        event_hour,
        event_id,
        log,
        voice,
        actor_uid as subject_uid,
        action,
        json_extract_string(detail, '$.tool') as tool,
        resource_uids,
        json_extract_string(detail, '$.result') as result,
        json_extract_string(detail, '$.approver') as approver,
        coalesce(json_extract_string(detail, '$.is_human') = 'true', false) as is_human,
        args_hash,
        -- Two answers under one id: that of an engine before that of its caller, and a denial before all.
        row_number() over (
            partition by decision_uid
            order by
                voice is not distinct from 'reported',
                json_extract_string(detail, '$.result') is distinct from 'deny',
                event_at,
                event_id
        ) as nth,
        min(json_extract_string(detail, '$.result')) over (partition by decision_uid)
        <> max(json_extract_string(detail, '$.result')) over (partition by decision_uid) as is_contradicted
    from events
    where kind = 'decision' and decision_uid is not null
)

select 'decision:' || decision_uid as decision_id, * exclude (nth)
from answers
where nth = 1
