-- grain: one row per decision
-- build: by_key decision_id
-- why: the decisions as published, with the identity that asked
-- units: select decision_id from stg_decisions
-- dirty: select decision_id from delta_stg_decisions
-- dirty: select step_id from delta_chain_steps
-- only: chain_steps(step_id, identity_id, chain_id)

select chain_steps.identity_id, chain_steps.chain_id, stg_decisions.*
from stg_decisions
join chain_steps on chain_steps.step_id = stg_decisions.decision_id
where stg_decisions.decision_id in (select id from touched_ids)
