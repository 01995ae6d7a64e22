-- grain: one row per credential or activity, and credential that its holder may have shown
-- build: full
-- why: some logs say whom a caller appeared as and not with which token; the tokens alive then that let one appear so are candidates, never proof

with bearers as (
    select distinct
        stg_keys.key_value,
        stg_credentials.credential_id,
        stg_credentials.issued_at,
        least(stg_credentials.expires_at, stg_credentials.revoked_at) as ends_at
    from stg_keys
    join stg_activities on stg_activities.event_id = stg_keys.event_id
    join stg_credentials on stg_credentials.credential_uid = stg_activities.issued_credential_uid
    where stg_keys.key_kind in ('bearer', 'run') and stg_keys.role = 'names' and stg_activities.outcome = 'success'
    union
    -- A session of a role appears in another cloud by its role and its name.
    select
        role_arn || '/' || session_name,
        credential_id,
        issued_at,
        least(expires_at, revoked_at)
    from stg_credentials
    where issued_at is not null and role_arn is not null and session_name is not null and sign_in is null
),

-- The subject of a web identity was shown in a token of its own, whose id the cloud that took it does not log.
shown as (
    select
        stg_activities.activity_id, stg_activities.issued_credential_uid, stg_activities.event_at,
        stg_keys.key_kind, stg_keys.key_value
    from stg_keys
    join stg_activities on stg_activities.event_id = stg_keys.event_id
    where (stg_activities.credential_uid is null and stg_keys.key_kind in ('bearer', 'run') and stg_keys.role = 'uses')
        -- Who fetches a credential for somebody else, as a node does for a pod, shows both its own and the other's.
        or (
            (stg_activities.credential_uid is null or stg_activities.issued_credential_uid is not null)
            and stg_keys.key_kind = 'federated_subject' and stg_keys.role = 'carries'
        )
),

bearers_compared as (
    select bearers.* exclude (key_value), coalesce(spelled.compared_as, bearers.key_value) as compared_as
    from bearers
    left join int_names__compared as spelled on spelled.name = bearers.key_value
),

nodes as (
    select activity_id as node_id, event_at, key_kind, key_value from shown
    union
    select 'credential:' || issued_credential_uid, event_at, key_kind, key_value
    from shown
    where issued_credential_uid is not null
),

stretches as (
    select
        bearers_compared.*,
        bearers_compared.issued_at - run_context.clock_tolerance as from_at,
        bearers_compared.ends_at + run_context.clock_tolerance as until_at
    from bearers_compared
    cross join run_context
),

-- Whatever the length of a token's life, it lies in two slots of time at most; a moment is looked for in one of each length.
sized as (select *, slot_seconds(from_at, until_at) as seconds from stretches),

slots as (
    select compared_as, credential_id, issued_at, from_at, until_at, seconds, case when seconds > 16777216 then 0 else slot_of(from_at, seconds) end as slot
    from sized
    union
    select compared_as, credential_id, issued_at, from_at, until_at, seconds, case when seconds > 16777216 then -1 else slot_of(until_at, seconds) end
    from sized
),

ranked_slots as (
    select
        *,
        row_number() over (partition by compared_as, seconds, slot order by issued_at, credential_id) as nth,
        count(*) over (partition by compared_as, seconds, slot) as n_in_slot
    from slots
),

first_in_slots as (select * from ranked_slots where nth <= most_in_slot()),

lengths as (select distinct compared_as, seconds from slots),

looked_for as (
    select nodes.*, lengths.compared_as, lengths.seconds, slot_of(nodes.event_at, lengths.seconds) as slot
    from nodes
    left join int_names__compared as spelled on spelled.name = nodes.key_value
    join lengths on lengths.compared_as = coalesce(spelled.compared_as, nodes.key_value)
),

fitting as (
    select
        looked_for.node_id, looked_for.key_kind, looked_for.key_value, first_in_slots.credential_id, first_in_slots.issued_at,
        max(greatest(first_in_slots.n_in_slot - most_in_slot(), 0)) as n_passed_over
    from looked_for
    join first_in_slots
        on first_in_slots.compared_as = looked_for.compared_as and first_in_slots.seconds = looked_for.seconds
        and first_in_slots.slot = looked_for.slot
    where looked_for.node_id <> first_in_slots.credential_id
        and looked_for.event_at >= first_in_slots.from_at
        and (first_in_slots.until_at is null or looked_for.event_at <= first_in_slots.until_at)
    group by looked_for.node_id, looked_for.key_kind, looked_for.key_value, first_in_slots.credential_id, first_in_slots.issued_at
),

-- Of many tokens that were alive those that were issued last count.
ranked as (
    select
        *,
        row_number() over (partition by node_id, key_kind order by issued_at desc, credential_id, key_value) as nth,
        count(*) over (partition by node_id, key_kind) as n_fitting,
        max(n_passed_over) over (partition by node_id, key_kind) as most_passed_over
    from fitting
),

by_bearer as (select distinct node_id from fitting where key_kind = 'bearer'),

-- A session names the run that it is of, and its token vouches for the subject of one of that run's jobs: where both lead
-- to one credential, its name was chosen inside of what was vouched for.
of_run as (
    select
        fitting.node_id, fitting.credential_id, min(fitting.key_value) as key_value,
        row_number() over (partition by fitting.node_id order by max(fitting.issued_at) desc, fitting.credential_id) as nth,
        count(*) over (partition by fitting.node_id) as n_fitting
    from fitting
    join fitting as vouched
        on vouched.node_id = fitting.node_id and vouched.credential_id = fitting.credential_id and vouched.key_kind = 'federated_subject'
    where fitting.key_kind = 'run'
    group by fitting.node_id, fitting.credential_id
),

by_run as (select distinct node_id from fitting where key_kind = 'run')

-- Whom a caller appeared as says more than whom somebody vouched for at the beginning: a token that was exchanged for another is behind it.
select
    ranked.node_id,
    ranked.credential_id,
    ranked.key_kind,
    ranked.key_value,
    'attribute_window' as method,
    ranked.most_passed_over + greatest(ranked.n_fitting - most_candidates(), 0) as n_left_out
from ranked
left join by_bearer on by_bearer.node_id = ranked.node_id
left join by_run on by_run.node_id = ranked.node_id
anti join of_run on of_run.node_id = ranked.node_id
where ranked.nth <= most_candidates()
    and (ranked.key_kind = 'bearer' or by_bearer.node_id is null)
    and (ranked.key_kind <> 'federated_subject' or by_run.node_id is null)
union all
select node_id, credential_id, 'run', key_value, 'caller_chosen', greatest(n_fitting - most_candidates(), 0)
from of_run
where nth <= most_candidates()
