-- grain: one row per approval
-- build: full
-- why: the approvals as published, with the identity they speak of

select approval_facts.identity_id, stg_approvals.*
from stg_approvals
join approval_facts on approval_facts.approval_id = stg_approvals.approval_id
