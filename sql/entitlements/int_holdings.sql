-- grain: one row per holder, path to what it has, and stretch of time in which the whole path holds
-- build: full
-- why: power comes through groups in groups and roles in groups; who holds it is who stands at the beginning of the path

with recursive steps as (
    select
        grant_id,
        relation,
        holder_uid,
        held_uid,
        binding_uid,
        scope_uid,
        condition,
        is_reported,
        coalesce(valid_from, first_moment()) as from_at,
        coalesce(valid_until, last_moment()) as until_at,
        start_by,
        start_event_id,
        start_actor_uid,
        end_event_id,
        is_certain
    from int_grants
),

-- Of a path the part that began last brought it about, and the part that ends first ends it.
paths as (
    select
        holder_uid,
        held_uid,
        relation,
        [held_uid] as path,
        [grant_id] as grant_ids,
        [relation] as relations,
        [binding_uid] as binding_uids,
        scope_uid,
        if(condition is null, [], [condition]) as conditions,
        is_reported,
        from_at,
        until_at,
        start_by,
        start_event_id,
        start_actor_uid,
        end_event_id,
        is_certain
    from steps
    union all
    select
        paths.holder_uid,
        steps.held_uid,
        steps.relation,
        list_append(paths.path, steps.held_uid),
        list_append(paths.grant_ids, steps.grant_id),
        list_append(paths.relations, steps.relation),
        list_append(paths.binding_uids, steps.binding_uid),
        coalesce(steps.scope_uid, paths.scope_uid),
        if(steps.condition is null, paths.conditions, list_append(paths.conditions, steps.condition)),
        paths.is_reported or steps.is_reported,
        greatest(paths.from_at, steps.from_at),
        least(paths.until_at, steps.until_at),
        if(steps.from_at > paths.from_at, steps.start_by, paths.start_by),
        if(steps.from_at > paths.from_at, steps.start_event_id, paths.start_event_id),
        if(steps.from_at > paths.from_at, steps.start_actor_uid, paths.start_actor_uid),
        if(steps.until_at < paths.until_at, steps.end_event_id, paths.end_event_id),
        paths.is_certain and steps.is_certain
    from paths
    join steps on steps.holder_uid = paths.held_uid
    -- Through a group leads what it has; from an account through the units around it what bounds them, and nothing else.
    where (
            (paths.relation in ('member', 'attached') and steps.relation in ('member', 'attached'))
            or (paths.relation = 'within' and steps.relation in ('within', 'guardrail'))
        )
        -- Groups in groups are followed so far; no vendor nests deeper where it counts.
        and len(paths.path) < 12
        and steps.held_uid <> paths.holder_uid and not list_contains(paths.path, steps.held_uid)
        and greatest(paths.from_at, steps.from_at) < least(paths.until_at, steps.until_at)
)

select
    substr(sha256(array_to_string(grant_ids, chr(31))), 1, 20) as holding_id,
    holder_uid,
    held_uid,
    relation,
    path,
    grant_ids,
    relations,
    binding_uids,
    scope_uid,
    list_sort(conditions) as conditions,
    is_reported,
    from_at,
    until_at,
    start_by,
    start_event_id,
    start_actor_uid,
    end_event_id,
    is_certain,
    len(path) = 12 as is_cut
from paths
