-- grain: one row per kind of evidence and hour that holds a node
-- build: full
-- why: says why a missing approval, decision or tool call may be missing: the log is absent, silent, pruned, or not yet here

with kinds as (
    select distinct evidence_kind
    from source_expectations
    where evidence_kind is not null
),

hours as (select distinct event_hour from int_nodes),

seen as (
    select source_expectations.evidence_kind, sources.log, sources.complete_until, sources.oldest_event_at
    from source_expectations
    join sources on sources.log = source_expectations.log
    where sources.state <> 'absent' and source_expectations.evidence_kind is not null
),

reach as (
    select evidence_kind, min(complete_until) as complete_until
    from seen
    group by evidence_kind
),

silent as (
    select distinct seen.evidence_kind, hours.event_hour
    from seen
    join int_silences on int_silences.log = seen.log
    join hours on hours.event_hour > int_silences.silent_from and hours.event_hour < int_silences.silent_until
),

-- What a prune took would still explain what came after it, up to this time.
pruned as (
    select evidence_kind, max(until_at) as until_at
    from pruned_reach
    group by evidence_kind
)

select
    kinds.evidence_kind,
    hours.event_hour,
    case
        when reach.evidence_kind is null then 'source absent'
        when silent.evidence_kind is not null then 'source silent'
        when hours.event_hour <= pruned.until_at then 'pruned'
    end as doubt,
    reach.complete_until
from kinds
cross join hours
left join reach on reach.evidence_kind = kinds.evidence_kind
left join silent on silent.evidence_kind = kinds.evidence_kind and silent.event_hour = hours.event_hour
left join pruned on pruned.evidence_kind = kinds.evidence_kind
