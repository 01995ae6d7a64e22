-- grain: one row per approval
-- build: full
-- why: the approvals as published, with the identity they speak of

select chain_steps.identity_id, stg_approvals.*
from stg_approvals
join chain_steps on chain_steps.step_id = stg_approvals.approval_id
