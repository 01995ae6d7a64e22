-- grain: one row per edge of power and stretch of time in which it holds
-- build: by_key holder_uid
-- why: who had which group, role or policy from when to when, and which event gave it and took it, however the records arrive
-- units: select holder_uid from int_grants__named
-- dirty: select holder_uid from delta_int_grants__named where relation <> 'document'
-- dirty: select given.holder_uid from (select distinct holder_uid from delta_int_grants__named where relation = 'exists') as told
--   join int_grants__named as given on given.held_uid = told.holder_uid and given.op = 'add'
-- dirty: select given.holder_uid from (select distinct relation, held_uid from delta_int_grants__named where holder_uid is null and op <> 'add' and relation <> 'document') as told
--   join int_grants__named as given on given.held_uid = told.held_uid and given.relation = told.relation and given.op = 'add'
-- dirty: select given.holder_uid from (select distinct relation, binding_uid from delta_int_grants__named where holder_uid is null and held_uid is null and op <> 'add' and relation <> 'document') as told
--   join int_grants__named as given on given.binding_uid = told.binding_uid and given.relation = told.relation and given.op = 'add'
-- dirty: select given.holder_uid from (
--     select distinct relation, scope_uid, of_account_uid from delta_int_grants__named
--     where holder_uid is null and held_uid is null and binding_uid is null and op <> 'add' and relation <> 'document'
--   ) as told
--   join int_grants__named as given on given.relation = told.relation and given.op = 'add'
--     and (told.scope_uid is null or given.scope_uid = told.scope_uid) and (told.of_account_uid is null or given.account_uid = told.of_account_uid)
-- only: int_grants__named(event_id, event_at, voice, actor_uid, account_uid, is_snapshot, batch_id, is_lower_bound, op, relation, holder_uid, held_uid, scope_uid, binding_uid, of_account_uid, among, condition, expires_at)

with edges_told as (
    select
        *,
        -- What the subject's own logs say of edges closes none that a system recorded.
        voice = 'reported' as is_reported,
        substr(sha256(concat_ws(
            chr(31), relation, holder_uid, held_uid, coalesce(scope_uid, ''), coalesce(binding_uid, ''), coalesce(condition, ''),
            (voice = 'reported')::varchar
        )), 1, 20) as edge_id
    from int_grants__named
    where relation in ('member', 'attached', 'boundary', 'guardrail', 'within') and holder_uid is not null and held_uid is not null
        and holder_uid in (select id from touched_ids)
),

adds as (select * from edges_told where op = 'add'),

edges as (
    select edge_id, is_reported, relation, holder_uid, held_uid, scope_uid, binding_uid, condition, min(account_uid) as account_uid
    from adds
    group by edge_id, is_reported, relation, holder_uid, held_uid, scope_uid, binding_uid, condition
),

-- What ends edges: those that have each name it gives, and of a deleted or new thing all from it and to it.
closers as (
    select
        event_at,
        event_id,
        actor_uid,
        batch_id,
        op,
        is_snapshot,
        is_lower_bound,
        voice = 'reported' as is_reported,
        -- Who takes an edge by its two ends shows that it was there.
        op = 'remove' and relation <> 'exists' and holder_uid is not null and held_uid is not null as shows_it,
        if(
            relation = 'exists', null,
            [holder_uid is not null, held_uid is not null, scope_uid is not null, binding_uid is not null, of_account_uid is not null]
        ) as named,
        among,
        md5(to_json(
            if(
                relation = 'exists', [relation, holder_uid, null, null, null, null, null],
                [relation, holder_uid, held_uid, scope_uid, binding_uid, of_account_uid, among]
            )
        )::varchar) as name
    from int_grants__named
    where ((op in ('remove', 'whole') and relation <> 'document' and not (op = 'whole' and is_lower_bound)) or (op = 'add' and relation = 'exists'))
        and (holder_uid is null or relation = 'exists' or holder_uid in (select id from touched_ids))
),

moments as (
    select name, is_reported, event_at
    from closers
    group by name, is_reported, event_at
),

edge_names as (
    select
        edges.edge_id,
        edges.is_reported,
        md5(to_json([
            edges.relation,
            if(ways.named[1], edges.holder_uid, null),
            if(ways.named[2], edges.held_uid, null),
            if(ways.named[3], edges.scope_uid, null),
            if(ways.named[4], edges.binding_uid, null),
            if(ways.named[5], edges.account_uid, null),
            ways.among
        ])::varchar) as name
    from edges
    cross join (select distinct named, among from closers) as ways
    where list_contains(ways.named, true)
        and (ways.among is null or (starts_with(edges.holder_uid, ways.among) and starts_with(edges.held_uid, ways.among)))
    union all
    select edge_id, is_reported, md5(to_json(['exists', end_uid, null, null, null, null, null])::varchar)
    from (select edge_id, is_reported, unnest([holder_uid, held_uid]) as end_uid from edges) as ends
),

closed_by as (
    select distinct edge_names.edge_id, edge_names.is_reported, edge_names.name
    from edge_names
    semi join moments on moments.name = edge_names.name and moments.is_reported = edge_names.is_reported
),

-- Of all that may end an edge only what stands next to a word that it holds can end or begin a stretch.
words as (
    select closed_by.edge_id, closed_by.is_reported, closed_by.name, adds.event_at
    from closed_by
    join adds on adds.edge_id = closed_by.edge_id
    union
    select closed_by.edge_id, closed_by.is_reported, closed_by.name, closers.event_at
    from adds
    join closed_by on closed_by.edge_id = adds.edge_id
    join closers
        on closers.name = closed_by.name and closers.is_reported = closed_by.is_reported and closers.op = 'whole' and closers.batch_id = adds.batch_id
        and closers.event_at <> adds.event_at
),

looked_at as (
    select words.edge_id, words.is_reported, words.name, moments.event_at
    from words
    asof join moments
        on moments.name = words.name and moments.is_reported = words.is_reported and moments.event_at > words.event_at
    union
    select words.edge_id, words.is_reported, words.name, moments.event_at
    from words
    asof join moments
        on moments.name = words.name and moments.is_reported = words.is_reported and moments.event_at < words.event_at
    union
    select edge_id, is_reported, name, event_at
    from words
    union
    select closed_by.edge_id, closed_by.is_reported, closed_by.name, first.event_at
    from closed_by
    join (select name, is_reported, min(event_at) as event_at from moments group by name, is_reported) as first
        on first.name = closed_by.name and first.is_reported = closed_by.is_reported
),

-- So many words of one moment on one thing are looked at; of more the first.
first_closers as (
    select *
    from closers
    qualify row_number() over (partition by name, is_reported, event_at order by event_id, batch_id, op) <= most_in_slot()
),

closed as (
    select
        looked_at.edge_id, closers.event_at, closers.event_id, closers.actor_uid, closers.op, closers.is_snapshot, closers.is_lower_bound,
        closers.shows_it
    from looked_at
    join first_closers as closers
        on closers.name = looked_at.name and closers.is_reported = looked_at.is_reported and closers.event_at = looked_at.event_at
    anti join adds on closers.op = 'whole' and adds.edge_id = looked_at.edge_id and adds.batch_id = closers.batch_id
),

-- An edge that was only ever taken was held before the logs begin.
taken_only as (
    select told.*
    from edges_told as told
    anti join edges
        on edges.is_reported = told.is_reported and edges.relation = told.relation
        and edges.holder_uid = told.holder_uid and edges.held_uid = told.held_uid
        and (told.scope_uid is null or edges.scope_uid = told.scope_uid)
        and (told.binding_uid is null or edges.binding_uid = told.binding_uid)
    where told.op = 'remove'
),

-- An assignment that is given again before it ends has the end that it was given last.
expiring as (
    select
        edge_id,
        event_at,
        expires_at,
        event_id,
        lead(event_at) over (partition by edge_id order by event_at, event_id) as given_again_at
    from adds
),

-- At one moment what takes comes before what gives: held in doubt. What is given with an end that is over is not given.
points as (
    select edge_id, event_at as said_at, 2 as place, true as is_held, if(is_snapshot, 'snapshot', 'event') as said_by, event_id, actor_uid, is_lower_bound, false as shows_it
    from adds
    where expires_at is null or expires_at > event_at
    union all
    select edge_id, event_at, 1, false, case when op = 'add' then 'made' when is_snapshot then 'snapshot' else 'event' end, event_id, actor_uid, is_lower_bound, shows_it
    from closed
    union all
    select edge_id, expires_at, 0, false, 'expiry', event_id, null, false, false
    from expiring
    where expires_at > event_at and (given_again_at is null or given_again_at > expires_at)
    union all
    select edge_id, event_at, 1, false, if(is_snapshot, 'snapshot', 'event'), event_id, actor_uid, is_lower_bound, true
    from taken_only
),

-- One word for each moment, the same however they arrive.
settled as (
    select
        *,
        lag(is_held) over sequence as was_held,
        lag(event_id) over sequence as word_before
    from points
    window sequence as (partition by edge_id order by said_at, place, event_id, shows_it desc, said_by)
),

turns as (
    select
        *,
        lead(said_at) over sequence as turns_at,
        lead(said_by) over sequence as turned_by,
        lead(event_id) over sequence as turned_event_id,
        lead(actor_uid) over sequence as turned_actor_uid
    from settled
    where was_held is distinct from is_held
    window sequence as (partition by edge_id order by said_at, place, event_id, shows_it desc, said_by)
),

all_edges as (
    select edge_id, is_reported, relation, holder_uid, held_uid, scope_uid, binding_uid, condition, account_uid from edges
    union all
    select edge_id, is_reported, relation, holder_uid, held_uid, scope_uid, binding_uid, condition, min(account_uid)
    from taken_only
    group by edge_id, is_reported, relation, holder_uid, held_uid, scope_uid, binding_uid, condition
),

stretches as (
    -- Given: since then. An export that is the first word on it shows what held before.
    select
        edge_id,
        if(said_by = 'snapshot' and was_held is null, null, said_at) as valid_from,
        said_at as known_from,
        turns_at as valid_until,
        if(said_by = 'snapshot' and was_held is null, 'before', said_by) as start_by,
        if(said_by = 'snapshot' and was_held is null, null, event_id) as start_event_id,
        if(said_by = 'event', actor_uid, null) as start_actor_uid,
        word_before as not_held_event_id,
        event_id as first_event_id,
        turned_by as end_by,
        turned_event_id as end_event_id,
        if(turned_by = 'event', turned_actor_uid, null) as end_actor_uid,
        not is_lower_bound as is_certain
    from turns
    where is_held
    union all
    select
        edge_id, null, null, said_at, 'before', null, null, null, event_id, said_by, event_id, if(said_by = 'event', actor_uid, null), true
    from turns
    where not is_held and was_held is null and shows_it
)

select
    substr(sha256(stretches.edge_id || chr(31) || coalesce(moment_text(stretches.valid_from), '')), 1, 20) as grant_id,
    all_edges.relation,
    all_edges.holder_uid,
    all_edges.held_uid,
    all_edges.scope_uid,
    all_edges.binding_uid,
    all_edges.condition,
    all_edges.account_uid,
    all_edges.is_reported,
    stretches.valid_from,
    stretches.known_from,
    stretches.valid_until,
    stretches.start_by,
    stretches.start_event_id,
    stretches.start_actor_uid,
    stretches.not_held_event_id,
    stretches.first_event_id,
    stretches.end_by,
    stretches.end_event_id,
    stretches.end_actor_uid,
    stretches.is_certain
from stretches
join all_edges on all_edges.edge_id = stretches.edge_id
