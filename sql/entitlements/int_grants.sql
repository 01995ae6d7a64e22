-- grain: one row per edge of power and stretch of time in which it holds
-- build: full
-- why: who had which group, role or policy from when to when, and which event gave it and took it, however the records arrive

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
),

adds as (select * from edges_told where op = 'add'),

edges as (
    select edge_id, is_reported, relation, holder_uid, held_uid, scope_uid, binding_uid, condition, min(account_uid) as account_uid
    from adds
    group by edge_id, is_reported, relation, holder_uid, held_uid, scope_uid, binding_uid, condition
),

-- What ends edges, each looked for by its most telling name.
closers as (
    select
        *,
        voice = 'reported' as is_reported,
        case
            when relation = 'exists' then 'exists'
            when binding_uid is not null then 'binding'
            when holder_uid is not null then 'holder'
            when held_uid is not null then 'held'
            when scope_uid is not null then 'scope'
            else 'account'
        end as name_kind,
        coalesce(binding_uid, holder_uid, held_uid, scope_uid, of_account_uid) as name
    from int_grants__named
    where (op in ('remove', 'whole') and relation <> 'document' and not (op = 'whole' and is_lower_bound))
        or (op = 'add' and relation = 'exists')
),

edge_names as (
    select
        edge_id,
        unnest([
            {'name_kind': 'exists', 'name': holder_uid}, {'name_kind': 'exists', 'name': held_uid}, {'name_kind': 'binding', 'name': binding_uid},
            {'name_kind': 'holder', 'name': holder_uid}, {'name_kind': 'held', 'name': held_uid}, {'name_kind': 'scope', 'name': scope_uid},
            {'name_kind': 'account', 'name': account_uid}
        ], recursive := true)
    from edges
),

found as (
    select
        edges.edge_id, closers.event_at, closers.event_id, closers.actor_uid, closers.batch_id, closers.op, closers.is_snapshot, closers.is_lower_bound,
        -- Who takes an edge by its two ends shows that it was there.
        closers.op = 'remove' and closers.relation <> 'exists' and closers.holder_uid is not null and closers.held_uid is not null as shows_it
    from closers
    join edge_names on edge_names.name_kind = closers.name_kind and edge_names.name = closers.name
    join edges on edges.edge_id = edge_names.edge_id and edges.is_reported = closers.is_reported
    where closers.relation = 'exists'
        or (
            edges.relation = closers.relation
            and (closers.holder_uid is null or edges.holder_uid = closers.holder_uid)
            and (closers.held_uid is null or edges.held_uid = closers.held_uid)
            and (closers.scope_uid is null or edges.scope_uid = closers.scope_uid)
            and (closers.of_account_uid is null or edges.account_uid = closers.of_account_uid)
            and (closers.among is null or (starts_with(edges.holder_uid, closers.among) and starts_with(edges.held_uid, closers.among)))
        )
),

closed as (
    select found.*
    from found
    anti join adds on found.op = 'whole' and adds.edge_id = found.edge_id and adds.batch_id = found.batch_id
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
        expires_at,
        event_id,
        batch_id,
        lead(event_at) over (partition by edge_id order by event_at, event_id) as given_again_at
    from adds
),

-- At one moment what takes comes before what gives: held in doubt.
points as (
    select edge_id, event_at as said_at, 2 as place, true as is_held, if(is_snapshot, 'snapshot', 'event') as said_by, event_id, actor_uid, is_lower_bound, false as shows_it
    from adds
    union all
    select edge_id, event_at, 1, false, case when op = 'add' then 'made' when is_snapshot then 'snapshot' else 'event' end, event_id, actor_uid, is_lower_bound, shows_it
    from closed
    union all
    select edge_id, expires_at, 0, false, 'expiry', event_id, null, false, false
    from expiring
    where expires_at is not null and (given_again_at is null or given_again_at > expires_at)
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
    window sequence as (partition by edge_id order by said_at, place, event_id)
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
    window sequence as (partition by edge_id order by said_at, place, event_id)
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
    substr(sha256(stretches.edge_id || chr(31) || coalesce(stretches.valid_from::varchar, '')), 1, 20) as grant_id,
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
