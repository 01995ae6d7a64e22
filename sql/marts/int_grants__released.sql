-- grain: one row per right of a holder, pattern of it from which a deny or a guardrail went, and moment since which it is free of it
-- build: by_key holder_uid
-- why: who takes a deny or a guardrail away, or makes it less, gives what was granted long before
-- units: select holder_uid from entitlements where effect = 'deny'
--   union select held.holder_uid from entitlements as limits join int_holders as held on held.place_uid = limits.holder_uid where limits.layer = 'limit'
-- dirty: select holder_uid from delta_entitlements where effect = 'deny'
-- dirty: select told.holder_uid from (select distinct holder_uid from delta_entitlements) as told semi join entitlements as denies on denies.holder_uid = told.holder_uid and denies.effect = 'deny'
-- dirty: select held.holder_uid from (select distinct holder_uid from delta_entitlements) as told join int_holders as held on held.holder_uid = told.holder_uid
--   semi join entitlements as limits on limits.holder_uid = held.place_uid and limits.layer = 'limit'
-- dirty: select held.holder_uid from (select distinct holder_uid from delta_entitlements where layer = 'limit') as told join int_holders as held on held.place_uid = told.holder_uid
-- dirty: select told.holder_uid from delta_int_holders as told semi join entitlements as limits on limits.holder_uid = told.place_uid and limits.layer = 'limit'
-- dirty: select unnest([limits.holder_uid, held.holder_uid]) from delta_stg_grants as told
--   join entitlements as limits on limits.event_id = told.event_id and (limits.layer = 'limit' or limits.effect = 'deny') left join int_holders as held on held.place_uid = limits.holder_uid
-- dirty: select unnest([limits.holder_uid, held.holder_uid]) from delta_stg_grants as told
--   join entitlements as limits on limits.end_event_id = told.event_id and (limits.layer = 'limit' or limits.effect = 'deny') left join int_holders as held on held.place_uid = limits.holder_uid
-- dirty: select made.holder_uid from delta_int_steps__in_scope as judged join int_grants__released as made on made.event_id = substr(judged.step_id, 10)
-- dirty: select made.holder_uid from delta_int_powers as judged join int_grants__released as made on made.action_pattern = judged.action_pattern
-- only: stg_grants(event_id, actor_uid, account_uid, is_snapshot)
-- only: int_steps__in_scope(step_id, approval_id, is_outside_actions, is_outside_resources)

with rights as (
    select *
    from entitlements
    where holder_uid in (select id from touched_ids) and not is_reported
),

given as (
    select
        *,
        as_like(action_pattern) as action_like,
        as_like(resource_pattern) as resource_like,
        coalesce(valid_from, first_moment()) as from_at,
        coalesce(valid_until, last_moment()) as until_at
    from rights
    where layer = 'granted' and effect = 'allow'
),

-- What a holder's boundary lets through; one that could not be read nobody knows what.
boundaries as (
    select
        holder_uid,
        effect = 'unknown' as is_unread,
        coalesce(action_pattern, '*') as action_pattern,
        coalesce(resource_pattern, '*') as resource_pattern,
        as_like(coalesce(action_pattern, '*')) as action_like,
        as_like(coalesce(resource_pattern, '*')) as resource_like,
        except_actions,
        coalesce(valid_from, first_moment()) as from_at,
        coalesce(valid_until, last_moment()) as until_at
    from rights
    where layer = 'limit' and effect in ('allow', 'unknown')
),

-- The guardrails of the places in which a holder lies, each level of them for itself.
around as (
    select
        int_holders.holder_uid as bound_uid,
        int_holders.place_uid,
        int_holders.is_whole,
        if(array_length(limits_around.path) > 1, limits_around.path[-2], limits_around.holder_uid) as level_uid,
        limits_around.* exclude (path)
    from int_holders
    join (
        select
            *,
            substr(entitlements.principal, 1 + length(coalesce(vendor_prefixes.prefix, ''))) as who
        from entitlements
        left join vendor_prefixes on vendor_prefixes.names = 'principal' and starts_with(entitlements.principal, vendor_prefixes.prefix)
        where entitlements.layer = 'limit' and entitlements.effect in ('allow', 'deny') and entitlements.relations[-1] = 'guardrail'
            and not entitlements.is_reported
            and entitlements.holder_uid in (select place_uid from int_holders where holder_uid in (select id from touched_ids))
    ) as limits_around on limits_around.holder_uid = int_holders.place_uid
    where int_holders.holder_uid in (select id from touched_ids)
        and (limits_around.who is null or limits_around.who in ('*', int_holders.holder_uid))
        and not coalesce(list_contains(limits_around.except_principals, int_holders.holder_uid), false)
),

-- A deny of his own, of a group or role that he has, or of a guardrail around him.
denied as (
    select
        holder_uid, null as place_uid, true as is_whole, action_pattern, resource_pattern, except_actions, except_resources, is_conditional, is_certain,
        coalesce(valid_from, first_moment()) as from_at, coalesce(valid_until, last_moment()) as until_at, end_event_id
    from rights
    where effect = 'deny' and action_pattern is not null and (principal is null or layer = 'granted')
    union all
    select
        bound_uid, place_uid, is_whole, action_pattern, resource_pattern, except_actions, except_resources, is_conditional, is_certain,
        coalesce(valid_from, first_moment()), coalesce(valid_until, last_moment()), end_event_id
    from around
    where effect = 'deny' and action_pattern is not null
),

denies as (
    select *, as_like(action_pattern) as action_like, as_like(resource_pattern) as resource_like
    from denied
),

-- What a deny kept away while it stood, from its end on.
denied_before as (
    select
        given.entitlement_id,
        given.holder_uid,
        given.scope_uid,
        given.until_at,
        denies.until_at as began_at,
        denies.end_event_id as turn_event_id,
        denies.place_uid,
        narrower(given.action_pattern, denies.action_pattern, denies.action_like) as action_pattern,
        narrower(given.resource_pattern, denies.resource_pattern, denies.resource_like) as resource_pattern,
        denies.is_conditional or not denies.is_certain as is_doubtful
    from denies
    join given
        on given.holder_uid = denies.holder_uid and given.from_at < denies.until_at and given.until_at > denies.until_at
        and is_one_within(given.action_pattern, given.action_like, denies.action_pattern, denies.action_like)
        and is_one_within(given.resource_pattern, given.resource_like, denies.resource_pattern, denies.resource_like)
    where denies.end_event_id is not null
        and (denies.is_whole or given.scope_uid = denies.place_uid or starts_with(given.scope_uid, denies.place_uid || '/'))
        and array_length(list_filter(denies.except_actions, lambda each: given.action_pattern ilike as_like(each) escape '\')) = 0
        and array_length(list_filter(denies.except_resources, lambda each: given.resource_pattern ilike as_like(each) escape '\')) = 0
),

-- Which levels of guardrails allow what. A level that is not shown whole has the policy that allows everything, which no record shows.
levels as (
    select
        bound_uid, place_uid, is_whole, level_uid, action_pattern, resource_pattern, except_actions, as_like(action_pattern) as action_like,
        as_like(resource_pattern) as resource_like, coalesce(valid_from, first_moment()) as from_at, coalesce(valid_until, last_moment()) as until_at,
        event_id, end_event_id, start_by,
        action_pattern = '*' and resource_pattern = '*' and not is_conditional and array_length(except_actions) = 0 as is_everything
    from around
    where effect = 'allow' and action_pattern is not null and who is null
),

level_turns as (
    select bound_uid, place_uid, is_whole, level_uid, turns_at, max(event_id) as event_id
    from (
        select bound_uid, place_uid, is_whole, level_uid, until_at as turns_at, end_event_id as event_id from levels
        union all
        select bound_uid, place_uid, is_whole, level_uid, from_at, event_id from levels
    ) as told
    where event_id is not null
    group by bound_uid, place_uid, is_whole, level_uid, turns_at
),

-- Those at which less than everything was allowed before: they are listed by an export, or what allowed everything ended or came later.
narrow_before as (
    select level_turns.*
    from level_turns
    join levels
        on levels.bound_uid = level_turns.bound_uid and levels.place_uid = level_turns.place_uid and levels.level_uid = level_turns.level_uid
    group by all
    having bool_or(levels.from_at < level_turns.turns_at and levels.until_at >= level_turns.turns_at)
        and not bool_or(levels.is_everything and levels.from_at < level_turns.turns_at and levels.until_at >= level_turns.turns_at)
        and (bool_or(levels.is_everything) or bool_or(levels.start_by <> 'event'))
),

allowed_after as (
    select
        given.entitlement_id,
        given.holder_uid,
        given.scope_uid,
        given.until_at,
        narrow_before.turns_at as began_at,
        narrow_before.event_id as turn_event_id,
        narrow_before.place_uid,
        narrow_before.level_uid,
        narrower(given.action_pattern, levels.action_pattern, levels.action_like) as action_pattern,
        narrower(given.resource_pattern, levels.resource_pattern, levels.resource_like) as resource_pattern,
        false as is_doubtful
    from narrow_before
    join given
        on given.holder_uid = narrow_before.bound_uid and given.from_at < narrow_before.turns_at and given.until_at > narrow_before.turns_at
        and (narrow_before.is_whole or given.scope_uid = narrow_before.place_uid or starts_with(given.scope_uid, narrow_before.place_uid || '/'))
    left join levels
        on levels.bound_uid = narrow_before.bound_uid and levels.place_uid = narrow_before.place_uid and levels.level_uid = narrow_before.level_uid
        and levels.from_at <= narrow_before.turns_at and levels.until_at > narrow_before.turns_at
    where levels.bound_uid is null
        or (
            is_one_within(given.action_pattern, given.action_like, levels.action_pattern, levels.action_like)
            and is_one_within(given.resource_pattern, given.resource_like, levels.resource_pattern, levels.resource_like)
            and not list_contains(levels.except_actions, given.action_pattern)
        )
),

-- What the level allowed before, in the same or wider words, is not gained; nor what another level does not allow then.
gained_at_levels as (
    select gained.*
    from allowed_after as gained
    anti join levels as before_it
        on before_it.bound_uid = gained.holder_uid and before_it.place_uid = gained.place_uid and before_it.level_uid = gained.level_uid
        and before_it.from_at < gained.began_at and before_it.until_at >= gained.began_at
        and gained.action_pattern ilike before_it.action_like escape '\' and gained.resource_pattern ilike before_it.resource_like escape '\'
        and array_length(before_it.except_actions) = 0
),

kept_by_others as (
    select gained.entitlement_id, gained.began_at, gained.action_pattern, gained.resource_pattern, others.level_uid
    from gained_at_levels as gained
    join levels as others
        on others.bound_uid = gained.holder_uid and others.place_uid = gained.place_uid and others.level_uid <> gained.level_uid
        and others.from_at <= gained.began_at and others.until_at > gained.began_at
    group by all
    having not bool_or(
        is_one_within(gained.action_pattern, as_like(gained.action_pattern), others.action_pattern, others.action_like)
        and is_one_within(gained.resource_pattern, as_like(gained.resource_pattern), others.resource_pattern, others.resource_like)
    )
),

let_go as (
    select entitlement_id, holder_uid, scope_uid, until_at, began_at, turn_event_id, place_uid, action_pattern, resource_pattern, is_doubtful
    from denied_before
    union all
    select entitlement_id, holder_uid, scope_uid, until_at, began_at, turn_event_id, place_uid, action_pattern, resource_pattern, is_doubtful
    from gained_at_levels as gained
    anti join kept_by_others as kept
        on kept.entitlement_id = gained.entitlement_id and kept.began_at = gained.began_at
        and kept.action_pattern = gained.action_pattern and kept.resource_pattern = gained.resource_pattern
),

-- Of what is let go a boundary still keeps what it keeps.
let_through as (
    select
        let_go.entitlement_id,
        let_go.holder_uid,
        let_go.scope_uid,
        let_go.until_at,
        let_go.began_at,
        let_go.turn_event_id,
        let_go.place_uid,
        narrower(let_go.action_pattern, boundaries.action_pattern, boundaries.action_like) as action_pattern,
        narrower(let_go.resource_pattern, boundaries.resource_pattern, boundaries.resource_like) as resource_pattern,
        let_go.is_doubtful or coalesce(boundaries.is_unread, false) as is_doubtful
    from let_go
    left join boundaries on boundaries.holder_uid = let_go.holder_uid and boundaries.from_at <= let_go.began_at and boundaries.until_at > let_go.began_at
    where boundaries.holder_uid is null
        or (
            is_one_within(let_go.action_pattern, as_like(let_go.action_pattern), boundaries.action_pattern, boundaries.action_like)
            and is_one_within(let_go.resource_pattern, as_like(let_go.resource_pattern), boundaries.resource_pattern, boundaries.resource_like)
            and not list_contains(boundaries.except_actions, let_go.action_pattern)
        )
),

-- While another deny stands nothing is let go; one that comes later ends what was.
begun as (
    select
        let_through.entitlement_id,
        let_through.holder_uid,
        let_through.began_at,
        let_through.action_pattern,
        let_through.resource_pattern,
        max(let_through.turn_event_id) as turn_event_id,
        max(let_through.place_uid) as place_uid,
        least(
            min(let_through.until_at), coalesce(min(denies.from_at) filter (where denies.from_at > let_through.began_at), last_moment())
        ) as until_at,
        bool_or(let_through.is_doubtful) as is_doubtful
    from let_through
    left join denies
        on denies.holder_uid = let_through.holder_uid and denies.until_at > let_through.began_at
        and let_through.action_pattern ilike denies.action_like escape '\' and let_through.resource_pattern ilike denies.resource_like escape '\'
        and not denies.is_conditional and array_length(denies.except_actions) = 0 and array_length(denies.except_resources) = 0
        and (denies.is_whole or let_through.scope_uid = denies.place_uid or starts_with(let_through.scope_uid, denies.place_uid || '/'))
    group by let_through.entitlement_id, let_through.holder_uid, let_through.began_at, let_through.action_pattern, let_through.resource_pattern
    having not coalesce(bool_or(denies.from_at <= let_through.began_at), false)
),

-- What an export shows is no change that anybody made then.
changes as (
    select event_id, min(actor_uid) as actor_uid, min(account_uid) as account_uid
    from stg_grants
    where not is_snapshot and event_id in (select turn_event_id from begun)
    group by event_id
),

approved_changes as (
    select substr(step_id, 10) as event_id, min(substr(approval_id, 10)) as approval_uid
    from int_steps__in_scope
    where step_id in (select 'activity:' || turn_event_id from begun)
        and is_outside_actions is distinct from true and is_outside_resources is distinct from true
    group by step_id
)

select
    'en_' || substr(sha256(concat_ws(
        chr(31), begun.entitlement_id, 'released', moment_text(begun.began_at), begun.action_pattern, begun.resource_pattern
    )), 1, 20) as entitlement_id,
    given.identity_id,
    given.holder_uid,
    begun.action_pattern,
    begun.resource_pattern,
    given.path,
    begun.began_at as valid_from,
    nullif(begun.until_at, last_moment()) as valid_until,
    'event' as start_by,
    begun.turn_event_id as event_id,
    changes.actor_uid as cause_actor_uid,
    approved_changes.approval_uid,
    given.is_conditional,
    -- Who changes it from the account itself may be the one account that a guardrail does not bind.
    given.is_certain and not begun.is_doubtful and coalesce(changes.account_uid <> begun.place_uid, true) as is_certain,
    case when int_powers.power = 'admin' and begun.resource_pattern <> '*' then 'permissions' else int_powers.power end as power
from begun
join given on given.holder_uid = begun.holder_uid and given.entitlement_id = begun.entitlement_id
join changes on changes.event_id = begun.turn_event_id
left join approved_changes on approved_changes.event_id = begun.turn_event_id
left join int_powers on int_powers.action_pattern = begun.action_pattern
