-- grain: one row per decision
-- build: full
-- why: the decisions as published, with the identity that asked

select chain_steps.identity_id, chain_steps.chain_id, stg_decisions.*
from stg_decisions
join chain_steps on chain_steps.step_id = stg_decisions.decision_id
