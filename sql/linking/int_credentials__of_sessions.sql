-- grain: one row per credential or sign-in, and credential of the same session
-- build: full
-- why: a console acts with keys that no log shows being issued, and a portal gives a session without naming its key; role, session name and time of creation say which session it was, and are never proof

with sessions as (
    select
        credential_id, credential_kind, sign_in, role_arn, role_pattern, session_name, issued_event_id, issuer_credential_uid, issued_at,
        coalesce(role_arn, holder_uid) as appears_as,
        coalesce(session_created_at, issued_at) as created_at,
        case sign_in when 'console' then 1 when 'portal' then 2 else 3 end as distance
    from stg_credentials
),

-- Nobody shows what these were issued for: neither an issue nor, where there is one, a credential that was shown for it.
orphans as (
    select * from sessions where created_at is not null and issuer_credential_uid is null and sign_in is distinct from 'portal'
),

-- A session was issued when its role was taken, or says itself when it was created.
beginnings as (
    select credential_id, issued_at as begun_at from sessions where issued_at is not null
    union
    select credential_id, created_at from sessions where issued_at is not null
),

stretches as (
    select
        sessions.*,
        beginnings.begun_at - run_context.clock_tolerance as from_at,
        beginnings.begun_at + run_context.clock_tolerance as until_at,
        -- A portal knows only the pattern of the role, so its sessions are found by time alone.
        case when sessions.role_pattern is null then sessions.appears_as || chr(31) || coalesce(sessions.session_name, '') end as found_by
    from beginnings
    join sessions on sessions.credential_id = beginnings.credential_id
    cross join run_context
    where sessions.role_pattern is not null or sessions.credential_kind = 'session'
),

sized as (select *, slot_seconds(from_at, until_at) as seconds from stretches),

slots as (
    select *, slot_of(from_at, seconds) as slot from sized
    union
    select *, slot_of(until_at, seconds) from sized
),

ranked_slots as (
    select
        *,
        row_number() over (partition by found_by, sign_in, seconds, slot order by from_at, credential_id) as nth,
        count(*) over (partition by found_by, sign_in, seconds, slot) as n_in_slot
    from slots
),

first_in_slots as (
    select *, greatest(n_in_slot - most_in_slot(), 0) as n_passed_over, as_like(role_pattern) as role_like
    from ranked_slots
    where nth <= most_in_slot()
),

lengths as (select distinct seconds from slots),

looked_for as (
    select
        orphans.*,
        orphans.appears_as || chr(31) || coalesce(orphans.session_name, '') as found_by,
        orphans.appears_as || coalesce('/' || orphans.session_name, '') as key_value,
        lengths.seconds,
        slot_of(orphans.created_at, lengths.seconds) as slot
    from orphans
    cross join lengths
),

-- A key was issued with a session or is one that nobody saw issued; only the latter can be of a console.
of_same_session as (
    select looked_for.credential_id as child_id, looked_for.key_value, looked_for.created_at as child_created_at, sessions.*
    from looked_for
    join first_in_slots as sessions
        on sessions.found_by = looked_for.found_by and sessions.seconds = looked_for.seconds and sessions.slot = looked_for.slot
    where looked_for.issued_at is null or (looked_for.sign_in = 'console' and sessions.sign_in is distinct from 'console')
),

of_portal as (
    select looked_for.credential_id as child_id, looked_for.key_value, looked_for.created_at as child_created_at, portals.*
    from looked_for
    join first_in_slots as portals on portals.seconds = looked_for.seconds and portals.slot = looked_for.slot
    where portals.role_pattern is not null and looked_for.role_arn ilike portals.role_like escape '\'
        and coalesce(portals.session_name = looked_for.session_name, true)
),

fitting as (
    select
        together.child_id, together.credential_id, together.key_value, together.distance, together.issued_at,
        max(together.n_passed_over) as n_passed_over
    from (select * from of_same_session union all select * from of_portal) as together
    where 'credential:' || coalesce(together.issuer_credential_uid, '') <> together.child_id
        and together.credential_id <> together.child_id
        and together.child_created_at between together.from_at and together.until_at
    group by together.child_id, together.credential_id, together.key_value, together.distance, together.issued_at
),

-- Who signed in at the console with a session acts through the console, so the session behind it is no second candidate.
nearest as (select child_id, min(distance) as distance from fitting group by child_id),

-- Of many sessions that began together those that were issued last count.
ranked as (
    select
        fitting.*,
        row_number() over (partition by fitting.child_id order by fitting.issued_at desc, fitting.credential_id, fitting.key_value) as nth,
        count(*) over (partition by fitting.child_id) as n_fitting,
        max(fitting.n_passed_over) over (partition by fitting.child_id) as most_passed_over
    from fitting
    join nearest on nearest.child_id = fitting.child_id and nearest.distance = fitting.distance
),

found as (
    select child_id, credential_id, key_value, most_passed_over + greatest(n_fitting - most_candidates(), 0) as n_left_out
    from ranked
    where nth <= most_candidates()
)

select child_id as node_id, credential_id, 'session_name' as key_kind, key_value, n_left_out
from found
union all
-- The sign-in itself is an act of that session too.
select 'activity:' || sessions.issued_event_id, found.credential_id, 'session_name', found.key_value, found.n_left_out
from found
join sessions on sessions.credential_id = found.child_id
where sessions.sign_in is not null
