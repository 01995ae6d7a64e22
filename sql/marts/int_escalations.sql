-- grain: one row per holder, way to more power and whom it reaches
-- build: full
-- why: what somebody holds may give more than it says, and that is known before anybody does it
-- only: entitlements(identity_id, holder_uid, layer, effect, action_pattern, resource_pattern, except_actions, except_resources, scope_uid, is_conditional, valid_from, valid_until, path, relations, document_uid, document_kind, principal, event_id, cause_actor_uid, approval_uid, is_certain, power)
--     where layer <> 'approved'
-- only: run_context(as_of) where as_of is null or exists (
--         select 1 from entitlements cross join (select min(as_of) as since, max(as_of) as until from delta_run_context) as moved
--         where layer <> 'approved' and (valid_from > since and valid_from <= until or valid_until > since and valid_until <= until)
--     )

with standing as (
    select entitlements.*, as_like(action_pattern) as action_like, as_like(resource_pattern) as resource_like
    from entitlements
    cross join run_context
    where layer <> 'approved'
        and coalesce(valid_from, first_moment()) <= coalesce(run_context.as_of, last_moment())
        and coalesce(valid_until, last_moment()) > coalesce(run_context.as_of, first_moment())
),

-- Patterns are compared with permissions once, whoever holds them. A role can be named in place of what it gives.
asked as (
    select distinct permission from escalation_permissions
),

patterns as (
    select said.action_pattern, asked.permission
    from (select distinct action_pattern, action_like from standing where action_pattern is not null) as said
    join asked on asked.permission ilike said.action_like escape '\'
),

role_names as (
    select said.document_uid, asked.permission
    from (select distinct document_uid from standing where document_kind = 'permissions') as said
    join asked on lower(asked.permission) in (lower(said.document_uid), split_part(lower(said.document_uid), '/', -1))
),

speaking as (
    select standing.*, patterns.permission
    from standing
    join patterns on patterns.action_pattern = standing.action_pattern
    where effect in ('allow', 'deny') and document_kind = 'permissions'
        and array_length(list_filter(except_actions, lambda each: patterns.permission ilike as_like(each) escape '\')) = 0
    union all
    select standing.*, role_names.permission
    from standing
    join role_names on role_names.document_uid = standing.document_uid
    where effect in ('allow', 'unknown') and document_kind = 'permissions' and layer = 'granted'
),

allowed as (
    select
        holder_uid,
        permission,
        coalesce(resource_pattern, '*') as resource_pattern,
        coalesce(resource_like, '%') as resource_like,
        action_pattern = '*' as is_everything,
        min({
            'is_uncertain': is_conditional or not is_certain or array_length(except_resources) > 0,
            'since': coalesce(valid_from, first_moment()),
            'event_id': event_id,
            'actor_uid': cause_actor_uid,
            'approval_uid': approval_uid,
            'identity_id': identity_id,
            'scope_uid': scope_uid
        }) as best
    from speaking
    where layer = 'granted' and effect <> 'deny'
    group by all
),

-- Of most ways most holders lack a permission: those fall out before anything is compared with anything. In one step, with
-- count(distinct), DuckDB 2.0 waits for itself without end where some hundred holders have one.
needed_and_held as (
    select distinct allowed.holder_uid, needed.path_id, needed.nth, array_length(kinds.permissions) as n_needed
    from allowed
    join escalation_permissions as needed on needed.permission = allowed.permission
    join escalation_kinds as kinds on kinds.path_id = needed.path_id
    where (kinds.holder_pattern is not null or is_everything is distinct from true)
),

holding as (
    select holder_uid, path_id
    from needed_and_held
    group by holder_uid, path_id, n_needed
    having count(*) = n_needed
),

limits as (
    select holder_uid, bool_or(relations[-1] = 'boundary') as has_boundary,
        bool_or(relations[-1] = 'boundary' and effect = 'unknown') as is_unread,
        bool_or(relations[-1] = 'guardrail' and effect = 'allow' and action_pattern <> '*') as is_listed
    from standing
    where layer = 'limit'
    group by holder_uid
),

-- It may deny. What came after the way had opened, such as what somebody attached by going it, does not make it doubtful.
unread as (
    select holder_uid, min(coalesce(valid_from, first_moment())) as since
    from standing
    where layer = 'granted' and effect = 'unknown' and document_kind = 'permissions'
    group by holder_uid
),

powers as (
    select
        standing.holder_uid as uid,
        max(power_rank(power)) filter (where not is_conditional and is_certain) as power_rank,
        bool_or(limits.has_boundary) is true as is_limited
    from standing
    left join limits on limits.holder_uid = standing.holder_uid
    where layer = 'granted' and effect = 'allow' and document_kind = 'permissions'
    group by standing.holder_uid
),

-- Who holds everything, and is not limited, has no way to more.
walkers as (
    select holding.*, kinds.* exclude (path_id)
    from holding
    join escalation_kinds as kinds on kinds.path_id = holding.path_id
    left join powers on powers.uid = holding.holder_uid
    where (kinds.holder_pattern is null or regexp_matches(holding.holder_uid, kinds.holder_pattern))
        and not (coalesce(powers.power_rank, 0) = 4 and not powers.is_limited)
),

trusts as (
    select
        split_part(document_uid, '#', 1) as uid,
        coalesce(principal, '*') as principal,
        substr(principal, 1 + length(coalesce(vendor_prefixes.prefix, ''))) as named,
        min({'is_uncertain': is_conditional or not is_certain, 'since': coalesce(valid_from, first_moment()), 'event_id': event_id,
            'actor_uid': cause_actor_uid, 'approval_uid': standing.approval_uid}) as trust
    from standing
    left join vendor_prefixes on vendor_prefixes.names = 'principal' and starts_with(standing.principal, vendor_prefixes.prefix)
    where document_kind = 'trust' and effect = 'allow' and layer = 'granted'
    group by all
),

things as (
    select holder_uid as uid from standing where document_kind = 'permissions' and layer = 'granted'
    union
    select uid from trusts
    union
    select path[1] from standing where relations[1] = 'member'
),

ranked as (
    select things.uid, coalesce(powers.power_rank, 0) as power_rank, split_part(things.uid, ':', 5) as place
    from things
    left join powers on powers.uid = things.uid
    where things.uid is not null
),

-- Whom a pattern may reach is asked once for each pattern, and of many the most powerful are looked at.
driving as (
    select walkers.holder_uid, walkers.path_id, walkers.target_pattern, walkers.trusts, allowed.resource_pattern, allowed.resource_like,
        split_part(walkers.holder_uid, ':', 5) as place
    from walkers
    join escalation_permissions as needed on needed.path_id = walkers.path_id and needed.on_what = 'target'
    join allowed on allowed.holder_uid = walkers.holder_uid and allowed.permission = needed.permission
    where walkers.target in ('role', 'user', 'group')
        and needed.nth = (select min(nth) from escalation_permissions as other where other.path_id = walkers.path_id and other.on_what = 'target')
),

wanted as (
    select distinct target_pattern, trusts, place, resource_pattern, resource_like
    from driving
    where trusts is distinct from 'holder'
),

meant as (
    select wanted.target_pattern, wanted.trusts, wanted.place, wanted.resource_pattern, ranked.uid, ranked.power_rank
    from wanted
    join ranked on ranked.uid = wanted.resource_pattern and ranked.place = wanted.place
    where not regexp_matches(wanted.resource_pattern, '[*?]')
    union all
    select wanted.target_pattern, wanted.trusts, wanted.place, wanted.resource_pattern, ranked.uid, ranked.power_rank
    from wanted
    join ranked on ranked.place = wanted.place and ranked.uid ilike wanted.resource_like escape '\'
    where regexp_matches(wanted.resource_pattern, '[*?]')
),

numbered as (
    select *,
        row_number() over (partition by target_pattern, trusts, place, resource_pattern order by power_rank desc, uid) as nth,
        count(*) over (partition by target_pattern, trusts, place, resource_pattern) as n_in_all
    from meant
    where regexp_matches(uid, target_pattern)
        and (trusts is null or uid in (select uid from trusts where principal = meant.trusts))
),

shared as (
    select
        uid, named, split_part(named, ':', 5) as place, trust,
        row_number() over (partition by named order by coalesce(power_rank, 0) desc, uid) as nth,
        count(*) over (partition by named) as n_in_all
    from trusts
    left join (select uid, power_rank from ranked) using (uid)
),

-- Of those whom one way reaches five are named, the most powerful first; the way says how many are not.
reached as (
    select driving.holder_uid, driving.path_id, numbered.uid as target_uid, max(numbered.n_in_all - 5) as n_more
    from driving
    join numbered
        on numbered.target_pattern = driving.target_pattern and numbered.trusts is not distinct from driving.trusts
        and numbered.place = driving.place and numbered.resource_pattern = driving.resource_pattern and numbered.nth <= 5
    where numbered.uid <> driving.holder_uid
    group by all
    union all
    select driving.holder_uid, driving.path_id, shared.uid, max(shared.n_in_all - 5)
    from (select distinct holder_uid, path_id, place from driving where trusts = 'holder') as driving
    join shared on (shared.named = driving.holder_uid or shared.named = '*' or shared.named = driving.place
            or (ends_with(shared.named, ':root') and shared.place = driving.place))
        and shared.nth <= 5
    where shared.uid <> driving.holder_uid
    group by all
    union all
    select holder_uid, path_id, holder_uid, 0 from walkers where target = 'self'
    union all
    select distinct walkers.holder_uid, walkers.path_id, standing.path[1], 0
    from walkers
    join standing on standing.holder_uid = walkers.holder_uid and standing.relations[1] = 'member' and standing.layer = 'granted'
    where walkers.target = 'own group' and regexp_matches(standing.path[1], walkers.target_pattern)
    union all
    select holder_uid, path_id, null, 0 from walkers where target = 'none'
),

attached as (
    select distinct holder_uid as uid, document_uid
    from standing
    where document_kind = 'permissions' and layer = 'granted' and list_contains(relations, 'attached') and document_uid is not null
),

tried as (
    select
        reached.*,
        needed.nth,
        needed.permission,
        needed.on_what,
        allowed.resource_pattern,
        allowed.best,
        case needed.on_what when 'target' then reached.target_uid when 'policy' then attached.document_uid else allowed.resource_pattern end as thing
    from reached
    join escalation_permissions as needed on needed.path_id = reached.path_id
    join allowed on allowed.holder_uid = reached.holder_uid and allowed.permission = needed.permission
    left join attached on needed.on_what = 'policy' and attached.uid = reached.target_uid
    where case needed.on_what
            when 'any' then regexp_matches(allowed.resource_pattern, needed.resource_pattern)
            when 'target' then reached.target_uid ilike allowed.resource_like escape '\'
            -- A policy without a name of its own stands in its holder, and the vendor's own cannot be written.
            else attached.document_uid ilike allowed.resource_like escape '\' and not contains(attached.document_uid, '#')
                and split_part(attached.document_uid, ':', 5) = split_part(reached.holder_uid, ':', 5)
        end
),

-- A deny of the holder, or of what it lies in; one that certainly covers ends the way.
denials as (
    select holder_uid, permission, resource_like, is_conditional or array_length(except_resources) > 0 or not is_certain as is_uncertain
    from speaking
    where effect = 'deny'
),

lifted as (
    select holder_uid, permission, resource_like, is_conditional or array_length(except_resources) > 0 or not is_certain as is_uncertain
    from speaking
    where layer = 'limit' and effect = 'allow' and relations[-1] = 'boundary'
),

things_tried as (
    select distinct holder_uid, permission, thing from tried
),

denied as (
    select things_tried.*, bool_and(denials.is_uncertain) as is_uncertain
    from things_tried
    join denials on denials.permission = things_tried.permission
        and denials.holder_uid in (things_tried.holder_uid, split_part(things_tried.holder_uid, ':', 5))
        and things_tried.thing ilike denials.resource_like escape '\'
    group by all
),

let_through as (
    select things_tried.*, bool_and(lifted.is_uncertain or not (things_tried.thing ilike lifted.resource_like escape '\')) as is_uncertain
    from things_tried
    join lifted on lifted.permission = things_tried.permission and lifted.holder_uid = things_tried.holder_uid
        and (things_tried.thing ilike lifted.resource_like escape '\' or regexp_matches(things_tried.thing, '[*?]'))
    group by all
),

had as (
    select
        tried.holder_uid, tried.path_id, tried.target_uid, tried.n_more, tried.nth,
        min({
            'is_uncertain': tried.best.is_uncertain or denied.is_uncertain is true or coalesce(let_through.is_uncertain, limits.is_unread, false)
                or limits.is_unread is true or guards.is_listed is true,
            'since': tried.best.since,
            'event_id': tried.best.event_id,
            'actor_uid': tried.best.actor_uid,
            'approval_uid': tried.best.approval_uid,
            'identity_id': tried.best.identity_id,
            'scope_uid': tried.best.scope_uid
        }) as best,
        list(distinct tried.thing order by tried.thing) filter (where tried.on_what <> 'any') as things
    from tried
    left join denied on denied.holder_uid = tried.holder_uid and denied.permission = tried.permission and denied.thing = tried.thing
    left join let_through
        on let_through.holder_uid = tried.holder_uid and let_through.permission = tried.permission and let_through.thing = tried.thing
    left join limits on limits.holder_uid = tried.holder_uid
    left join limits as guards on guards.holder_uid = split_part(tried.holder_uid, ':', 5)
    where denied.is_uncertain is distinct from false
        and (limits.has_boundary is not true or limits.is_unread or let_through.permission is not null)
    group by all
),

-- What came last opened the way.
opened as (
    select
        holder_uid, path_id, target_uid,
        max(n_more) as n_more,
        count(*) as n_had,
        bool_or(best.is_uncertain) as is_uncertain,
        flatten(list(things)) as things,
        arg_max(best, {'since': best.since, 'event_id': coalesce(best.event_id, '')}) as last
    from had
    group by holder_uid, path_id, target_uid
),

trusting as (
    select opened.holder_uid, opened.path_id, opened.target_uid, min(trusts.trust) as trust
    from opened
    join escalation_kinds as kinds on kinds.path_id = opened.path_id
    join trusts on trusts.uid = opened.target_uid
        and (trusts.principal = kinds.trusts
            or (kinds.trusts = 'holder' and (trusts.named in (opened.holder_uid, '*', split_part(opened.holder_uid, ':', 5))
                or (ends_with(trusts.named, ':root') and split_part(trusts.named, ':', 5) = split_part(opened.holder_uid, ':', 5)))))
    group by all
)

select
    'ep_' || substr(sha256(opened.holder_uid || chr(31) || opened.path_id || chr(31) || coalesce(opened.target_uid, '')), 1, 20) as escalation_id,
    coalesce(opened.last.identity_id, opened.holder_uid) as identity_id,
    opened.holder_uid,
    opened.path_id,
    kinds.system,
    kinds.kind,
    kinds.name,
    kinds.permissions,
    kinds.first_step,
    kinds.needs,
    opened.target_uid,
    opened.last.scope_uid as scope_uid,
    first_hundred(list_sort(list_distinct(coalesce(opened.things, [])))) as things,
    case
        when kinds.gives = 'unknown' then null
        when kinds.gives <> 'target' then kinds.gives
        when reaching.is_limited then null
        else case reaching.power_rank when 4 then 'admin' when 3 then 'permissions' when 2 then 'data' end
    end as gives,
    nullif(greatest(opened.last.since, coalesce(trusting.trust.since, first_moment())), first_moment()) as valid_from,
    if(trusting.trust.since > opened.last.since, trusting.trust.event_id, opened.last.event_id) as cause_event_id,
    if(trusting.trust.since > opened.last.since, trusting.trust.actor_uid, opened.last.actor_uid) as cause_actor_uid,
    if(trusting.trust.since > opened.last.since, trusting.trust.approval_uid, opened.last.approval_uid) as approval_uid,
    not (
        opened.is_uncertain
        or trusting.trust.is_uncertain is true
        or unread.holder_uid is not null
        or kinds.gives = 'unknown'
        or (kinds.gives = 'target' and (reaching.power_rank is null or reaching.is_limited))
        or (kinds.gives not in ('unknown', 'target') and (reaching.is_limited is true or own.has_boundary is true and kinds.target = 'self'))
        or (kinds.target = 'none' and not kinds.is_within_scope and opened.last.scope_uid is not null)
    ) as is_certain,
    greatest(opened.n_more, 0)::bigint as n_more
from opened
join escalation_kinds as kinds on kinds.path_id = opened.path_id and opened.n_had = array_length(kinds.permissions)
left join trusting on trusting.holder_uid = opened.holder_uid and trusting.path_id = opened.path_id and trusting.target_uid is not distinct from opened.target_uid
left join powers as reaching on reaching.uid = opened.target_uid
left join limits as own on own.holder_uid = opened.holder_uid
left join unread
    on unread.holder_uid = opened.holder_uid and unread.since <= greatest(opened.last.since, coalesce(trusting.trust.since, first_moment()))
where kinds.trusts is null or trusting.trust is not null
