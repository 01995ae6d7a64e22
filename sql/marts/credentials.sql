-- grain: one row per credential
-- build: full
-- why: the credentials as published, with the identity that holds each

select chain_steps.identity_id, chain_steps.chain_id, stg_credentials.*
from stg_credentials
join chain_steps on chain_steps.step_id = stg_credentials.credential_id
