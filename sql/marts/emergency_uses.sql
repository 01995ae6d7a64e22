-- grain: one row per identity that is kept for emergencies and UTC day on which it acted
-- build: full
-- why: root accounts and what the configuration keeps for emergencies are used by nobody on a common day

with kept as (
    select distinct uses.actor_uid
    from (select distinct actor_uid from int_uses__by_hour) as uses
    left join identity_names as names on names.says = 'root' and uses.actor_uid like names.name_like escape '\' and regexp_matches(uses.actor_uid, names.name_pattern)
    left join emergency_identities as declared on uses.actor_uid ilike declared.pattern_like escape '\'
    where names.says is not null or declared.pattern_like is not null
)

select
    uses.actor_uid,
    coalesce(resolved.identity_id, uses.actor_uid) as identity_id,
    date_trunc('day', uses.event_hour)::date as day,
    sum(uses.n_acts)::bigint as n_acts,
    min(uses.first_at) as first_at,
    max(uses.last_at) as last_at,
    list_sort(list(distinct uses.service)) as services,
    first_hundred(list_sort(list(distinct uses.first_event_id))) as evidence_event_ids
from int_uses__by_hour as uses
join kept on kept.actor_uid = uses.actor_uid
left join int_identities__resolved as resolved
    on resolved.alias_uid = uses.actor_uid and holds_at(uses.first_at, resolved.valid_from, resolved.valid_until)
group by uses.actor_uid, coalesce(resolved.identity_id, uses.actor_uid), date_trunc('day', uses.event_hour)::date
