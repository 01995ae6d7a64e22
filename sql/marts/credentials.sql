-- grain: one row per credential
-- build: by_key credential_id
-- why: the credentials as published, with the identity that holds each
-- units: select credential_id from stg_credentials
-- dirty: select credential_id from delta_stg_credentials
-- dirty: select step_id from delta_chain_steps
-- only: chain_steps(step_id, identity_id, chain_id)

select chain_steps.identity_id, chain_steps.chain_id, stg_credentials.*
from stg_credentials
join chain_steps on chain_steps.step_id = stg_credentials.credential_id
where stg_credentials.credential_id in (select id from touched_ids)
