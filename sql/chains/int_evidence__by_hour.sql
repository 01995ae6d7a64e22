-- grain: one row per kind of evidence, hour that holds a node, and set of logs that speak of the same subjects
-- build: full
-- why: says why a missing approval, decision or tool call may be missing: the log is absent, silent, pruned, or not yet here

with kinds as (
    select distinct evidence_kind
    from source_expectations
    where evidence_kind is not null
),

hours as (select distinct event_hour from int_nodes),

seen as (
    select source_expectations.evidence_kind, source_expectations.voice, sources.log, sources.complete_until
    from source_expectations
    join sources on sources.log = source_expectations.log
    where sources.state <> 'absent' and source_expectations.evidence_kind is not null
),

sets as (
    select 'approval' as evidence_kind, approval_speakers as speakers from int_evidence__speakers
    union
    select 'decision', decision_speakers from int_evidence__speakers
    union
    select 'tool_call', tool_call_speakers from int_evidence__speakers
    union
    select evidence_kind, '' from kinds
),

-- A subject that no log has named yet may be named by each of them; its own word is waited for only where no other is.
speaking as (
    select evidence_kind, '' as speakers, log, complete_until
    from seen
    qualify is_waited_for(evidence_kind, voice, bool_or(voice = 'recorded') over (partition by evidence_kind))
    union all
    select sets.evidence_kind, sets.speakers, seen.log, seen.complete_until
    from sets
    join seen
        on seen.evidence_kind = sets.evidence_kind
        and list_contains(string_split(sets.speakers, ','), seen.log)
),

reach as (
    select evidence_kind, speakers, min(complete_until) as complete_until
    from speaking
    group by evidence_kind, speakers
),

silent as (
    select distinct speaking.evidence_kind, speaking.speakers, hours.event_hour
    from speaking
    join int_silences on int_silences.log = speaking.log
    join hours on hours.event_hour > int_silences.silent_from and hours.event_hour < int_silences.silent_until
),

-- What a prune took would still explain what came after it, up to this time.
pruned as (
    select evidence_kind, max(until_at) as until_at
    from pruned_reach
    group by evidence_kind
)

select
    sets.evidence_kind,
    hours.event_hour,
    sets.speakers,
    case
        when reach.evidence_kind is null then 'source absent'
        when silent.evidence_kind is not null then 'source silent'
        when hours.event_hour <= pruned.until_at then 'pruned'
    end as doubt,
    reach.complete_until
from sets
cross join hours
left join reach on reach.evidence_kind = sets.evidence_kind and reach.speakers = sets.speakers
left join silent
    on silent.evidence_kind = sets.evidence_kind and silent.speakers = sets.speakers and silent.event_hour = hours.event_hour
left join pruned on pruned.evidence_kind = sets.evidence_kind
where sets.speakers is not null
