-- grain: one row per activity event (what a cloud or SaaS API recorded), of the stages of one request the last
-- build: by_hour
-- why: says once what an act is called where it is granted, what is privileged and which network a call came from: permissions management, what else gives power or takes evidence away, issuing what gives more power or lasts, or what the configuration names

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
        e.workload_uid,
        e.voice,
        json_extract_string(e.detail, '$.role_arn') as role_arn,
        json_extract_string(e.detail, '$.session_name') as session_name,
        json_extract_string(e.detail, '$.credential_kind') as credential_kind,
        json_extract_string(e.detail, '$.credential_holder') as credential_holder,
        json_extract_string(e.detail, '$.issued_role_arn') as issued_role_arn,
        json_extract_string(e.detail, '$.issued_session_name') as issued_session_name,
        json_extract_string(e.detail, '$.issued_kind') as issued_kind,
        json_extract_string(e.detail, '$.issued_holder') as issued_holder,
        json_extract_string(e.detail, '$.issued_role_pattern') as issued_role_pattern,
        try_cast(json_extract(e.detail, '$.passed_roles') as varchar[]) as passed_roles,
        json_extract_string(e.detail, '$.permission') as permission,
        try_cast(json_extract(e.detail, '$.further_permissions') as varchar[]) as further_permissions,
        json_extract_string(e.detail, '$.request') as request,
        try_cast(json_extract_string(e.detail, '$.stage_number') as integer) as stage_number,
        try_cast(json_extract_string(e.detail, '$.session_created_at') as timestamptz) as session_created_at,
        try_cast(json_extract_string(e.detail, '$.mfa') as boolean) as has_mfa,
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
        ) as is_for_itself,
        coalesce(e.class_uid in (6001, 6003) and e.activity_id = 2, false) as is_read_by_verb
    from events as e
    join hours on hours.event_hour = e.event_hour
    anti join stg_superseded_stages as superseded on superseded.event_id = e.event_id and superseded.event_hour = e.event_hour
    where e.kind in ('activity', 'credential')
),

-- What follows is worked out once for each action and what its records say was asked of it, and not for each act.
said as (
    select distinct
        action,
        coalesce(permission, '') as permission,
        coalesce(array_to_string(further_permissions, chr(31)), '') as further,
        -- Some services write the version of their API after an operation.
        lower(regexp_replace(action, '([0-9]{8}(v[0-9]+)?|[0-9]{4}_[0-9]{2}_[0-9]{2})$', '')) as action_key
    from recent
    where action is not null
),

fitting_shapes as (
    select
        said.action,
        action_shapes.nth,
        replace(
            replace(action_shapes.word, '\1', regexp_extract(said.action, action_shapes.shape, 1)),
            '\2',
            case when contains(action_shapes.word, '\2') then regexp_extract(said.action, action_shapes.shape, 2) else '' end
        ) as word
    from (select distinct action from said) as said
    join action_shapes on said.action like action_shapes.action_like
    where regexp_matches(said.action, action_shapes.shape)
),

shaped as (
    select action, min_by(word, nth) as word
    from fitting_shapes
    group by action
),

-- What the record itself says was checked is the best witness.
named as (
    select
        said.action,
        said.permission,
        said.further,
        said.action_key,
        coalesce(nullif(said.permission, ''), action_words.permission, iam_actions.permission, shaped.word, said.action) as canonical_action
    from said
    left join action_words on action_words.action_key = said.action_key and action_words.nth = 1
    left join iam_actions on iam_actions.action_lower = said.action_key
    left join shaped on shaped.action = said.action
),

told_further as (
    select action, permission, further, canonical_action, unnest(string_split(further, chr(31))) as needed
    from named
    where further <> ''
),

further_needed as (
    select action, permission, further, needed
    from told_further
    where needed <> canonical_action
    union
    select named.action, named.permission, named.further, action_words.permission
    from named
    join action_words on action_words.action_key = named.action_key and action_words.nth > 1
    where named.permission = ''
),

needed_lists as (
    select action, permission, further, list_sort(list(distinct needed)) as further_permissions
    from further_needed
    group by action, permission, further
),

every_name as (
    select action, permission, further, action as name from named
    union
    select action, permission, further, canonical_action from named
    union
    select action, permission, further, needed from further_needed
),

privileged_names as (
    select distinct every_name.action, every_name.permission, every_name.further
    from every_name
    join privileged_actions
        on privileged_actions.action_lower is null and every_name.name ilike privileged_actions.action_like escape '\'
    union
    select every_name.action, every_name.permission, every_name.further
    from every_name
    join privileged_actions on privileged_actions.action_lower = lower(every_name.name)
    union
    select every_name.action, every_name.permission, every_name.further
    from every_name
    join iam_actions on iam_actions.action_lower = lower(every_name.name)
    where iam_actions.access_level = 'Permissions management'
),

worded as (
    select
        named.action,
        named.permission,
        named.further,
        named.canonical_action,
        needed_lists.further_permissions,
        privileged_names.action is not null as is_privileged
    from named
    left join needed_lists
        on needed_lists.action = named.action and needed_lists.permission = named.permission and needed_lists.further = named.further
    left join privileged_names
        on privileged_names.action = named.action and privileged_names.permission = named.permission
        and privileged_names.further = named.further
),

secret_names as (
    select distinct recent.action
    from recent
    join secret_reads on recent.action ilike secret_reads.action_like escape '\'
),

actors as (select distinct log, actor_uid from recent where actor_uid is not null and voice is distinct from 'reported'),

-- In its log nobody else can bear such a name.
providers as (
    select distinct actors.log, actors.actor_uid
    from actors
    join identity_names
        on identity_names.says = 'provider' and identity_names.log = actors.log
        and actors.actor_uid like identity_names.name_like escape '\' and regexp_matches(actors.actor_uid, identity_names.name_pattern)
)

select
    'activity:' || recent.event_id as activity_id,
    recent.* exclude (is_for_itself, is_read_by_verb, permission, further_permissions),
    worded.canonical_action,
    worded.further_permissions,
    address_networks.network,
    nullif(lower(regexp_extract(recent.user_agent, '^\W*(\w[\w.-]*)', 1)), '') as program,
    coalesce(
        (recent.issued_credential_uid is not null and not (recent.issues_session and recent.is_for_itself))
        or worded.is_privileged,
        false
    ) as is_privileged,
    -- Signing in, taking a role and a token that soon ends are how work is done; a new long-lived credential is a way to stay.
    recent.issued_credential_uid is not null and not recent.issues_session as mints_credential,
    -- AWS says it of its actions; of the others the log's reader does, by their verb.
    case
        when recent.issued_credential_uid is not null or secret_names.action is not null then 'secret'
        when not coalesce(iam_actions.access_level in ('List', 'Read'), recent.is_read_by_verb) then 'write'
        when iam_actions.access_level = 'List'
            -- Of the others the verb says whether it asks which things there are, or what is in them.
            or regexp_matches(recent.action, '([:./ ]|[a-z])(List|Describe|Head)|[:.](list|describe|head)') then 'list'
        else 'read'
    end as access,
    providers.actor_uid is not null and recent.voice is distinct from 'reported' as is_providers_own
from recent
left join worded
    on worded.action = recent.action and worded.permission = coalesce(recent.permission, '')
    and worded.further = coalesce(array_to_string(recent.further_permissions, chr(31)), '')
left join iam_actions on iam_actions.action_lower = lower(worded.canonical_action)
left join secret_names on secret_names.action = recent.action
left join address_networks on address_networks.src_ip = recent.src_ip
left join providers on providers.log = recent.log and providers.actor_uid = recent.actor_uid
