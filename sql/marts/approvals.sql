-- grain: one row per approval
-- build: by_key approval_id
-- why: the approvals as published, with the identity they speak of
-- units: select approval_id from stg_approvals
-- dirty: select approval_id from delta_stg_approvals
-- dirty: select step_id from delta_chain_steps
-- only: chain_steps(step_id, identity_id)

select chain_steps.identity_id, stg_approvals.*
from stg_approvals
join chain_steps on chain_steps.step_id = stg_approvals.approval_id
where stg_approvals.approval_id in (select id from touched_ids)
