-- grain: one row per activity event (what a cloud or SaaS API recorded), of the stages of one request the last
-- build: by_hour
-- why: says once what is privileged and which network a call came from: permissions management, issuing what gives more power or lasts, or what the configuration names

with hours as (select event_hour from touched_hours),

recent as (
    select
        e.event_id,
        e.event_at,
        e.event_hour,
        e.log,
        e.native_id,
        e.actor_uid,
        e.actor_kind,
        e.account_uid,
        e.action,
        e.resource_uids,
        e.outcome,
        e.error_code,
        e.credential_uid,
        e.issued_credential_uid,
        e.issued_expires_at,
        e.revoked_credential_uid,
        e.src_ip,
        e.user_agent,
        e.via_service,
        json_extract_string(e.detail, '$.role_arn') as role_arn,
        json_extract_string(e.detail, '$.session_name') as session_name,
        json_extract_string(e.detail, '$.credential_kind') as credential_kind,
        json_extract_string(e.detail, '$.credential_holder') as credential_holder,
        json_extract_string(e.detail, '$.issued_role_arn') as issued_role_arn,
        json_extract_string(e.detail, '$.issued_session_name') as issued_session_name,
        json_extract_string(e.detail, '$.issued_kind') as issued_kind,
        json_extract_string(e.detail, '$.issued_holder') as issued_holder,
        json_extract_string(e.detail, '$.issued_role_pattern') as issued_role_pattern,
        try_cast(json_extract_string(e.detail, '$.stage_number') as integer) as stage_number,
        try_cast(json_extract_string(e.detail, '$.session_created_at') as timestamptz) as session_created_at,
        e.issued_credential_uid is not null
        and (
            coalesce(e.class_uid = 3002, false)
            or json_extract_string(e.detail, '$.issued_role_arn') is not null
            or json_extract_string(e.detail, '$.issued_kind') is not null
            or coalesce(seconds_between(e.event_at, e.issued_expires_at) <= 7 * 86400, false)
        ) as issues_session,
        -- A session in one's own name gives no power that its subject had not; one as another subject does. A web identity
        -- exchanged for a federated principal keeps its name at the end.
        coalesce(
            json_extract_string(e.detail, '$.issued_role_arn') = e.actor_uid
            or ends_with(json_extract_string(e.detail, '$.issued_role_arn'), '/subject/' || e.actor_uid),
            json_extract_string(e.detail, '$.issued_role_arn') is null
        ) as is_for_itself
    from events as e
    join hours on hours.event_hour = e.event_hour
    anti join stg_superseded_stages as superseded on superseded.event_id = e.event_id and superseded.event_hour = e.event_hour
    where e.kind in ('activity', 'credential')
),

privileged_names as (
    select distinct recent.action
    from recent
    join privileged_actions on recent.action ilike privileged_actions.action_like escape '\'
)

select
    'activity:' || recent.event_id as activity_id,
    recent.* exclude (is_for_itself),
    address_networks.network,
    coalesce(
        iam_actions.access_level = 'Permissions management'
        or (recent.issued_credential_uid is not null and not (recent.issues_session and recent.is_for_itself))
        or privileged_names.action is not null,
        false
    ) as is_privileged,
    -- Signing in, taking a role and a token that soon ends are how work is done; a new long-lived credential is a way to stay.
    recent.issued_credential_uid is not null and not recent.issues_session as mints_credential
from recent
left join iam_actions on iam_actions.action_lower = lower(recent.action)
left join privileged_names on privileged_names.action = recent.action
left join address_networks on address_networks.src_ip = recent.src_ip
