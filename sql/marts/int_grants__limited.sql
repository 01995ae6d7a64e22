-- grain: one row per right of a holder with a boundary, pattern of it that the boundary lets through, and moment since which it does
-- build: by_key holder_uid
-- why: who takes a boundary away, or widens it, gives what was granted long before
-- units: select holder_uid from entitlements where layer = 'limit'
-- dirty: select holder_uid from delta_entitlements where layer = 'limit'
-- dirty: select told.holder_uid from (select distinct holder_uid from delta_entitlements) as told semi join entitlements as limits on limits.holder_uid = told.holder_uid and limits.layer = 'limit'
-- dirty: select limits.holder_uid from delta_stg_grants as told join entitlements as limits on limits.event_id = told.event_id where limits.layer = 'limit'
-- dirty: select limits.holder_uid from delta_stg_grants as told join entitlements as limits on limits.end_event_id = told.event_id where limits.layer = 'limit'
-- dirty: select made.holder_uid from delta_int_steps__in_scope as judged join int_grants__limited as made on made.event_id = substr(judged.step_id, 10)
-- dirty: select made.holder_uid from delta_int_powers as judged join int_grants__limited as made on made.action_pattern = judged.action_pattern
-- only: stg_grants(event_id, actor_uid, is_snapshot)
-- only: int_steps__in_scope(step_id, approval_id, is_outside_actions, is_outside_resources)

-- A boundary that could not be read lets through nobody knows what.
with limits as (
    select
        holder_uid,
        effect = 'unknown' as is_unread,
        coalesce(action_pattern, '*') as action_pattern,
        coalesce(resource_pattern, '*') as resource_pattern,
        as_like(coalesce(action_pattern, '*')) as action_like,
        as_like(coalesce(resource_pattern, '*')) as resource_like,
        except_actions,
        coalesce(valid_from, first_moment()) as from_at,
        coalesce(valid_until, last_moment()) as until_at,
        event_id,
        end_event_id
    from entitlements
    where layer = 'limit' and effect in ('allow', 'unknown') and not is_reported and holder_uid in (select id from touched_ids)
),

given as (
    select
        *,
        as_like(action_pattern) as action_like,
        as_like(resource_pattern) as resource_like,
        coalesce(valid_from, first_moment()) as from_at,
        coalesce(valid_until, last_moment()) as until_at
    from entitlements
    where layer = 'granted' and effect = 'allow' and not is_reported
        and holder_uid in (select id from touched_ids) and holder_uid in (select holder_uid from limits)
),

turns as (
    select holder_uid, until_at as turns_at, max(end_event_id) as event_id
    from limits
    where end_event_id is not null
    group by holder_uid, until_at
    union all
    select holder_uid, from_at, max(event_id)
    from limits
    where event_id is not null
    group by holder_uid, from_at
),

-- A right begins when it is given, and may begin once more when the boundary changes while it is held.
moments as (
    select entitlement_id, holder_uid, from_at as began_at, null as turn_event_id
    from given
    union all
    select given.entitlement_id, given.holder_uid, turns.turns_at, max(turns.event_id)
    from given
    join turns on turns.holder_uid = given.holder_uid and turns.turns_at > given.from_at and turns.turns_at < given.until_at
    group by given.entitlement_id, given.holder_uid, turns.turns_at
),

let_through as (
    select
        moments.entitlement_id,
        moments.holder_uid,
        moments.began_at,
        moments.turn_event_id,
        narrower(given.action_pattern, limits.action_pattern, limits.action_like) as action_pattern,
        narrower(given.resource_pattern, limits.resource_pattern, limits.resource_like) as resource_pattern,
        coalesce(limits.is_unread, false) as is_unread
    from moments
    join given on given.entitlement_id = moments.entitlement_id
    left join limits on limits.holder_uid = moments.holder_uid and limits.from_at <= moments.began_at and limits.until_at > moments.began_at
    where limits.holder_uid is null
        or (
            is_one_within(given.action_pattern, given.action_like, limits.action_pattern, limits.action_like)
            and is_one_within(given.resource_pattern, given.resource_like, limits.resource_pattern, limits.resource_like)
            and not list_contains(limits.except_actions, given.action_pattern)
        )
),

before_turns as (
    select
        moments.entitlement_id,
        moments.began_at,
        limits.is_unread,
        limits.action_like,
        limits.resource_like,
        limits.except_actions
    from moments
    join limits on limits.holder_uid = moments.holder_uid and limits.from_at < moments.began_at and limits.until_at >= moments.began_at
    where moments.turn_event_id is not null
),

-- Where nothing limited it, nothing was gained.
limited_before as (select entitlement_id, began_at, bool_or(is_unread) as is_unread from before_turns group by entitlement_id, began_at),

had_before as (
    select distinct let_through.entitlement_id, let_through.began_at, let_through.action_pattern, let_through.resource_pattern
    from let_through
    join before_turns on before_turns.entitlement_id = let_through.entitlement_id and before_turns.began_at = let_through.began_at
    where not before_turns.is_unread
        and let_through.action_pattern ilike before_turns.action_like escape '\'
        and let_through.resource_pattern ilike before_turns.resource_like escape '\'
        and array_length(before_turns.except_actions) = 0
),

begun as (
    select distinct
        let_through.* exclude (is_unread),
        let_through.is_unread or coalesce(limited_before.is_unread, false) as is_unread
    from let_through
    left join limited_before on limited_before.entitlement_id = let_through.entitlement_id and limited_before.began_at = let_through.began_at
    anti join had_before
        on had_before.entitlement_id = let_through.entitlement_id and had_before.began_at = let_through.began_at
        and had_before.action_pattern = let_through.action_pattern and had_before.resource_pattern = let_through.resource_pattern
    where let_through.turn_event_id is null or limited_before.entitlement_id is not null
),

-- What an export shows is no change that anybody made then.
changes as (
    select event_id, min(actor_uid) as actor_uid
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
),

-- A boundary that is put back ends what its absence gave.
ends as (
    select begun.entitlement_id, begun.began_at, min(limits.from_at) as limited_again_at
    from begun
    join limits on limits.holder_uid = begun.holder_uid and limits.from_at > begun.began_at
    where begun.turn_event_id is not null
    group by begun.entitlement_id, begun.began_at
)

select
    'en_' || substr(sha256(concat_ws(
        chr(31), begun.entitlement_id, moment_text(begun.began_at), begun.action_pattern, begun.resource_pattern
    )), 1, 20) as entitlement_id,
    given.identity_id,
    given.holder_uid,
    begun.action_pattern,
    begun.resource_pattern,
    given.scope_uid,
    given.path,
    -- What a change of the boundary lets through nobody gave with that document.
    if(begun.turn_event_id is null, given.document_uid, null) as document_uid,
    nullif(begun.began_at, first_moment()) as valid_from,
    nullif(least(given.until_at, coalesce(ends.limited_again_at, last_moment())), last_moment()) as valid_until,
    if(begun.turn_event_id is null, given.start_by, 'event') as start_by,
    coalesce(begun.turn_event_id, given.event_id) as event_id,
    if(begun.turn_event_id is null, given.cause_actor_uid, changes.actor_uid) as cause_actor_uid,
    if(begun.turn_event_id is null, given.approval_uid, approved_changes.approval_uid) as approval_uid,
    given.is_conditional,
    bool_and(given.is_certain and not begun.is_unread) as is_certain,
    case when int_powers.power = 'admin' and begun.resource_pattern <> '*' then 'permissions' else int_powers.power end as power
from begun
join given on given.entitlement_id = begun.entitlement_id
left join changes on changes.event_id = begun.turn_event_id
left join approved_changes on approved_changes.event_id = begun.turn_event_id
left join ends on ends.entitlement_id = begun.entitlement_id and ends.began_at = begun.began_at
left join int_powers on int_powers.action_pattern = begun.action_pattern
where begun.turn_event_id is null or changes.event_id is not null
group by all
