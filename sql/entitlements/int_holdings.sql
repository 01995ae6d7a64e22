-- grain: one row per holder, path to what it has, and stretch of time in which the whole path holds
-- build: by_key holder_uid
-- why: power comes through groups in groups and roles in groups; who holds it is who stands at the beginning of the path
-- units: select holder_uid from int_grants
-- dirty: select holder_uid from delta_int_grants
-- rows: with each_group as (select holder_uid, count(*) as n_ways from int_grants group by holder_uid),
--   in_groups as (select held.holder_uid, sum(1 + coalesce(on_from.n_ways, 0)) as n_ways from int_grants as held left join each_group as on_from on on_from.holder_uid = held.held_uid group by held.holder_uid),
--   of_holders as (select held.holder_uid, sum(1 + coalesce(on_from.n_ways, 0)) as n_ways from int_grants as held left join in_groups as on_from on on_from.holder_uid = held.held_uid where held.holder_uid in (select id from touched_ids) group by held.holder_uid)
--   select coalesce(sum(least(n_ways, 3000)), 0) from of_holders
-- down: select holder_uid, held_uid from int_grants where relation <> 'boundary'

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

-- Through a group leads what it has; from an account through the units around it what bounds them, and nothing else.
ways_on as (
    select holder_uid, if(relation in ('member', 'attached'), 'attached', 'guardrail') as leads_to, count(*) as n_ways
    from steps
    where relation <> 'boundary'
    group by holder_uid, if(relation in ('member', 'attached'), 'attached', 'guardrail')
),

steps_on as (
    select
        steps.*,
        case when steps.relation in ('member', 'attached') then 'attached' when steps.relation = 'within' then 'guardrail' end as leads_to,
        coalesce(ways_on.n_ways, 0) as n_ways
    from steps
    left join ways_on
        on ways_on.holder_uid = steps.held_uid
        and ways_on.leads_to = case when steps.relation in ('member', 'attached') then 'attached' when steps.relation = 'within' then 'guardrail' end
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
        is_certain,
        leads_to,
        n_ways,
        0::bigint as n_tried_before
    from steps_on
    where holder_uid in (select id from touched_ids)
    union all
    select
        followed.holder_uid,
        steps_on.held_uid,
        steps_on.relation,
        list_append(followed.path, steps_on.held_uid),
        list_append(followed.grant_ids, steps_on.grant_id),
        list_append(followed.relations, steps_on.relation),
        list_append(followed.binding_uids, steps_on.binding_uid),
        coalesce(steps_on.scope_uid, followed.scope_uid),
        if(steps_on.condition is null, followed.conditions, list_append(followed.conditions, steps_on.condition)),
        followed.is_reported or steps_on.is_reported,
        greatest(followed.from_at, steps_on.from_at),
        least(followed.until_at, steps_on.until_at),
        if(steps_on.from_at > followed.from_at, steps_on.start_by, followed.start_by),
        if(steps_on.from_at > followed.from_at, steps_on.start_event_id, followed.start_event_id),
        if(steps_on.from_at > followed.from_at, steps_on.start_actor_uid, followed.start_actor_uid),
        if(steps_on.until_at < followed.until_at, steps_on.end_event_id, followed.end_event_id),
        followed.is_certain and steps_on.is_certain,
        steps_on.leads_to,
        steps_on.n_ways,
        followed.n_tried_after
    from (
        select *, max(n_tried) over (partition by holder_uid) as n_tried_after
        from (
            select
                *,
                n_tried_before + (sum(n_ways) over (partition by holder_uid order by n_ways, until_at desc, from_at desc, grant_ids))::bigint as n_tried
            from paths
            where n_ways > 0
        ) as ranked
        where n_tried <= 3000 and array_length(path) < 12
    ) as followed
    join steps_on
        on steps_on.holder_uid = followed.held_uid
        and followed.leads_to = if(steps_on.relation in ('member', 'attached'), 'attached', 'guardrail')
    where steps_on.relation <> 'boundary'
        and steps_on.held_uid <> followed.holder_uid and not list_contains(followed.path, steps_on.held_uid)
        and greatest(followed.from_at, steps_on.from_at) < least(followed.until_at, steps_on.until_at)
),

-- Groups in groups are followed 12 deep, and no vendor nests deeper where it counts; and of one holder 3,000 ways on are
-- tried, those of shorter paths first, of one length what has the fewest. What leads on and is not followed is cut.
all_paths as (
    select *, false as is_cut
    from paths
    where n_ways = 0
    union all
    select
        *,
        array_length(path) = 12
        or n_tried_before + sum(n_ways) over (partition by holder_uid, array_length(path) order by n_ways, until_at desc, from_at desc, grant_ids) > 3000
    from paths
    where n_ways > 0
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
    is_cut
from all_paths
