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

-- A key was issued with a session or is one that nobody saw issued; only the latter can be of a console.
of_same_session as (
    select orphans.credential_id as child_id, sessions.*, orphans.appears_as || coalesce('/' || orphans.session_name, '') as key_value, orphans.created_at as child_created_at
    from orphans
    join sessions
        on sessions.appears_as = orphans.appears_as
        and coalesce(sessions.session_name, '') = coalesce(orphans.session_name, '')
    where sessions.credential_kind = 'session' and sessions.role_pattern is null
        and (orphans.issued_at is null or (orphans.sign_in = 'console' and sessions.sign_in is distinct from 'console'))
),

portals as (
    select *, as_like(role_pattern) as role_like from sessions where role_pattern is not null
),

of_portal as (
    select orphans.credential_id as child_id, portals.* exclude (role_like), orphans.appears_as || coalesce('/' || orphans.session_name, '') as key_value, orphans.created_at as child_created_at
    from orphans
    join portals on orphans.role_arn ilike portals.role_like escape '\'
    where coalesce(portals.session_name = orphans.session_name, true)
),

fitting as (
    select together.child_id, together.credential_id, together.key_value, together.distance
    from (select * from of_same_session union all select * from of_portal) as together
    cross join run_context
    where together.issued_at is not null
        and 'credential:' || coalesce(together.issuer_credential_uid, '') <> together.child_id
        and together.credential_id <> together.child_id
        and (
            is_within(together.child_created_at, together.issued_at, together.issued_at, run_context.clock_tolerance)
            or is_within(together.child_created_at, together.created_at, together.created_at, run_context.clock_tolerance)
        )
),

-- Who signed in at the console with a session acts through the console, so the session behind it is no second candidate.
nearest as (select child_id, min(distance) as distance from fitting group by child_id),

found as (
    select distinct fitting.child_id, fitting.credential_id, fitting.key_value
    from fitting
    join nearest on nearest.child_id = fitting.child_id and nearest.distance = fitting.distance
)

select child_id as node_id, credential_id, 'session_name' as key_kind, key_value
from found
union all
-- The sign-in itself is an act of that session too.
select 'activity:' || sessions.issued_event_id, found.credential_id, 'session_name', found.key_value
from found
join sessions on sessions.credential_id = found.child_id
where sessions.sign_in is not null
