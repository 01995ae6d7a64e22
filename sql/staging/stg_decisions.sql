-- grain: one row per decision
-- build: by_key decision_id
-- why: a policy engine and a permission prompt both answer one request; everything after sees one vocabulary
-- units: select 'decision:' || decision_uid from stg_answers
-- dirty: select 'decision:' || decision_uid from delta_stg_answers

with answers as (
    select
        *,
        -- Two answers under one id: that of an engine before that of its caller, and a denial before all.
        row_number() over (
            partition by decision_uid
            order by voice is not distinct from 'reported', result is distinct from 'deny', decided_at, event_id
        ) as nth,
        min(result) over (partition by decision_uid) <> max(result) over (partition by decision_uid) as is_contradicted
    from stg_answers
    where 'decision:' || decision_uid in (select id from touched_ids)
)

select
    'decision:' || decision_uid as decision_id,
    decision_uid, decided_at, event_hour, event_id, log, voice, subject_uid, action, tool, resource_uids, result, approver, is_human,
    args_hash, is_contradicted
from answers
where nth = 1
