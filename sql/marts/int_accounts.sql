-- grain: one row per account
-- build: full
-- why: an account is of the organisation where its logs are delivered to us, and nobody else can have that done

select distinct account_uid
from stg_activities
where account_uid is not null and voice is distinct from 'reported'
