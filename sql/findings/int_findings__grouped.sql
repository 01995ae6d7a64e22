-- grain: one row per finding that the hits of today give
-- build: full
-- why: a finding is what a detector says about one subject; its name must outlive evidence, severity, chain and rule version

-- Records that share an id and disagree are one subject: the finding stands while any of them supports it, and which
-- of them bears the id, what comes later may decide otherwise, does not rename it.
with shared_subjects as (
    select 'event' as subject_kind, event_id as subject_uid, shared_id from shared_ids
    union
    select 'approval', approval_id, shared_id from stg_contested_approvals
),

native_hits as (
    select hits.* exclude (subject_uid), coalesce(shared_subjects.shared_id, hits.subject_uid) as subject_uid
    from hits
    left join shared_subjects on shared_subjects.subject_uid = hits.subject_uid and shared_subjects.subject_kind = hits.subject_kind
),

named_hits as (
    select
        'fi_' || substr(
            sha256(hits.detector_id || chr(31) || hits.subject_kind || chr(31) || hits.subject_uid || chr(31) || hits.slot), 1, 24
        ) as finding_id,
        hits.detector_id,
        hits.subject_kind,
        hits.subject_uid,
        hits.slot,
        -- A rule over a raw log knows only the name that the log uses.
        coalesce(resolved.identity_id, hits.identity_id) as identity_id,
        hits.actor_uid,
        hits.chain_id,
        hits.hit_at,
        hits.evidence_event_ids,
        hits.message,
        hits.gaps,
        hits.score,
        coalesce(hits.act_event_ids, []) as act_event_ids,
        coalesce(lower_severities.severity, severities.severity) as severity
    from native_hits as hits
    join detectors on detectors.detector_id = hits.detector_id
    join severities on severities.severity = coalesce(hits.severity, detectors.severity)
    -- What was tried and did not succeed is one grade lower, in every rule.
    left join severities as lower_severities
        on hits.outcome in ('denied', 'failure') and lower_severities.severity_rank = severities.severity_rank - 1
    left join int_identities__resolved as resolved
        on resolved.alias_uid = hits.identity_id
        and holds_at(hits.hit_at, resolved.valid_from, resolved.valid_until)
),

ranked_hits as (
    select
        *,
        row_number() over (partition by finding_id order by hit_at, message, identity_id, actor_uid, chain_id) as nth
    from named_hits
),

worst_severities as (
    select ranked_hits.finding_id, max_by(severities.severity, severities.severity_rank) as severity
    from ranked_hits
    join severities on severities.severity = ranked_hits.severity
    group by ranked_hits.finding_id
),

first_hits as (
    select finding_id, detector_id, subject_kind, subject_uid, slot, message
    from ranked_hits
    where nth = 1
),

first_identities as (
    select finding_id, min({'t': hit_at, 'identity': identity_id, 'actor': actor_uid}) as first
    from ranked_hits
    where identity_id is not null
    group by finding_id
),

hit_chains as (
    select finding_id, min({'t': hit_at, 'chain': chain_id}) as first
    from ranked_hits
    where chain_id is not null
    group by finding_id
),

hit_facts as (
    select
        ranked_hits.finding_id,
        min(ranked_hits.hit_at) as first_at,
        max(ranked_hits.hit_at) as last_at,
        max(ranked_hits.hit_at) filter (where not is_from_future(ranked_hits.hit_at, run_context.future_from)) as last_known_at,
        max(ranked_hits.score) as score
    from ranked_hits
    cross join run_context
    group by ranked_hits.finding_id
),

gaps_of_hits as (
    select finding_id, unnest(gaps) as gap
    from ranked_hits
),

-- How many candidates were left out is a number of each step; the largest is said once.
gaps_told as (
    select finding_id, gap
    from gaps_of_hits
    where not starts_with(gap, 'candidates left out: ')
    union all
    select finding_id, 'candidates left out: ' || max(split_part(gap, ': ', 2)::bigint)::varchar
    from gaps_of_hits
    where starts_with(gap, 'candidates left out: ')
    group by finding_id
),

hit_gaps as (
    select finding_id, list_sort(list(distinct gap)) as gaps
    from gaps_told
    group by finding_id
),

evidence as (
    select distinct finding_id, unnest(evidence_event_ids) as event_id
    from ranked_hits
),

located as (
    select
        evidence.finding_id,
        evidence.event_id,
        events.event_at,
        events.log || '/' || events.kind as evidence_class,
        case when events.kind in ('activity', 'tool_call') then events.outcome end as outcome,
        events.action,
        events.resource_uids
    from evidence
    left join events on events.event_id = evidence.event_id
),

evidence_facts as (
    select
        finding_id,
        list_sort(list({'t': coalesce(event_at, '9999-12-31 00:00:00+00'::timestamptz), 'id': event_id})) as in_order,
        sha256(array_to_string(list_sort(list(event_id)), chr(31))) as evidence_hash,
        count(*) as n_evidence,
        coalesce(list_sort(list(distinct evidence_class) filter (where evidence_class is not null)), []) as evidence_classes,
        max(event_at) as last_at,
        max(event_at) filter (where not is_from_future(event_at, run_context.future_from)) as last_known_at,
        count(*) filter (where outcome = 'denied') as n_denied,
        count(*) filter (where outcome = 'success') as n_succeeded
    from located
    cross join run_context
    group by finding_id
),

steps as (
    select
        located.finding_id,
        chain_steps.chain_id,
        chain_steps.is_privileged,
        located.action,
        row_number() over (
            partition by located.finding_id
            -- An issuing event stands in the chains twice, as what was done and as what it made.
            order by located.event_at, chain_steps.node_kind = 'credential', located.event_id, chain_steps.chain_id
        ) as nth
    from located
    join chain_steps on chain_steps.event_id = located.event_id
),

step_chains as (
    select
        finding_id,
        max(case when nth = 1 then chain_id end) as chain_id,
        bool_or(is_privileged) as is_privileged
    from steps
    group by finding_id
),

resources_of_evidence as (
    select finding_id, event_at, unnest(resource_uids) as resource_uid
    from located
),

touched_resources as (
    select finding_id, resource_uid, min(event_at) as first_at
    from resources_of_evidence
    group by finding_id, resource_uid
),

touched_jewels as (
    select distinct touched_resources.finding_id, touched_resources.resource_uid
    from touched_resources
    join crown_jewels on touched_resources.resource_uid ilike crown_jewels.resource_like escape '\'
),

jewels as (
    select distinct finding_id
    from touched_jewels
),

-- What makes the same finding worse, the worst first; who was told of the one has not heard of the other. Of resources
-- the first few hundred, so that the outbox stays small; beyond them whoever doubles their number is heard.
facts as (
    select finding_id, 1 as place, null::timestamptz as first_at, 'crown jewel ' || resource_uid as fact
    from touched_jewels
    union all
    select finding_id, 2, null, 'success'
    from evidence_facts
    where n_succeeded > 0
    union all
    select distinct finding_id, 3, null::timestamptz, 'privileged action ' || action
    from steps
    where is_privileged and action is not null
    union all
    select finding_id, 4, null, 'more than ' || (2 ** floor(log2(count(*) - 1)))::bigint || ' resources'
    from touched_resources
    group by finding_id
    having count(*) > 300
    union all
    select finding_id, 5, first_at, 'resource ' || resource_uid
    from touched_resources
),

ranked_facts as (
    select
        finding_id,
        -- A text of a log as far as it is told, distinct all the same.
        case when length(fact) <= 300 then fact else left(fact, 250) || '… ' || md5(fact) end as fact,
        row_number() over (partition by finding_id order by place, first_at, fact) as nth,
        row_number() over (partition by finding_id, place order by first_at, fact) as nth_of_place
    from facts
),

told_facts as (
    select finding_id, list(fact order by nth) as facts
    from ranked_facts
    where nth_of_place <= 300
    group by finding_id
),

-- A finding speaks for itself if one of its hits says something that is no single act.
acts_of_findings as (
    select finding_id, list_sort(list_distinct(flatten(list(act_event_ids)))) as act_event_ids
    from ranked_hits
    group by finding_id
    having bool_and(array_length(act_event_ids) > 0)
),

acts as (
    select finding_id, unnest(act_event_ids) as event_id
    from acts_of_findings
),

-- By the identity that the configuration declares, never by a name in a log: its writer could choose one that is quiet.
-- Whoever stands in one of the hits has to be meant, so that a quiet identity does not take another one with it.
suppressed as (
    select ranked_hits.finding_id
    from ranked_hits
    cross join run_context
    left join declared_identities as declared on declared.identity_id = ranked_hits.identity_id
    left join suppressions
        on suppressions.detector_id = ranked_hits.detector_id
        and (suppressions.subject_like = '%' or declared.identity_id ilike suppressions.subject_like escape '\')
        and (suppressions.expires_at is null or suppressions.expires_at > run_context.as_of)
    group by ranked_hits.finding_id
    having bool_and(suppressions.detector_id is not null)
),

-- Where no log of approvals was ever seen, nobody can be called unaccounted for.
shares as (
    select accounted.identity_id, sum(accounted.n_accounted) / sum(accounted.n_activities) as accounted_share
    from accounted
    where exists (select 1 from sources where list_contains(sources.evidence_seen, 'approval'))
    group by accounted.identity_id
),

gathered as (
    select
        first_hits.finding_id,
        first_hits.detector_id,
        detectors.detector_kind,
        detectors.title,
        first_hits.message,
        first_hits.subject_kind,
        first_hits.subject_uid,
        first_hits.slot,
        first_identities.first.identity as identity_id,
        first_identities.first.actor as actor_uid,
        coalesce(hit_chains.first.chain, step_chains.chain_id) as chain_id,
        -- What a detector thinks not worth telling is told where a crown jewel was touched.
        case
            when worst_severities.severity = 'informational' and jewels.finding_id is not null then detectors.severity
            else worst_severities.severity
        end as severity,
        coalesce(list_transform(first_hundred(evidence_facts.in_order), lambda item: item.id), []) as evidence_event_ids,
        coalesce(evidence_facts.n_evidence, 0) as n_evidence,
        coalesce(evidence_facts.evidence_classes, []) as evidence_classes,
        coalesce(evidence_facts.evidence_hash, '') as evidence_hash,
        hit_facts.first_at,
        greatest(hit_facts.last_at, evidence_facts.last_at) as last_at,
        -- What is dated in the future makes nothing recent.
        coalesce(greatest(hit_facts.last_known_at, evidence_facts.last_known_at), hit_facts.last_at) as last_known_at,
        coalesce(hit_gaps.gaps, []) as gaps,
        coalesce(told_facts.facts, []) as facts,
        coalesce(detectors.frameworks, []) as frameworks,
        detectors.remediation,
        detectors.version as rule_version,
        detectors.class_uid,
        hit_facts.score,
        coalesce(step_chains.is_privileged, false) as is_privileged,
        jewels.finding_id is not null as is_crown_jewel,
        coalesce(evidence_facts.n_denied, 0) as n_denied,
        coalesce(evidence_facts.n_succeeded, 0) as n_succeeded,
        suppressed.finding_id is not null as is_suppressed,
        coalesce(acts_of_findings.act_event_ids, []) as act_event_ids
    from first_hits
    join detectors on detectors.detector_id = first_hits.detector_id
    join hit_facts on hit_facts.finding_id = first_hits.finding_id
    left join worst_severities on worst_severities.finding_id = first_hits.finding_id
    left join first_identities on first_identities.finding_id = first_hits.finding_id
    left join hit_chains on hit_chains.finding_id = first_hits.finding_id
    left join hit_gaps on hit_gaps.finding_id = first_hits.finding_id
    left join evidence_facts on evidence_facts.finding_id = first_hits.finding_id
    left join step_chains on step_chains.finding_id = first_hits.finding_id
    left join jewels on jewels.finding_id = first_hits.finding_id
    left join told_facts on told_facts.finding_id = first_hits.finding_id
    left join suppressed on suppressed.finding_id = first_hits.finding_id
    left join acts_of_findings on acts_of_findings.finding_id = first_hits.finding_id
),

-- Of all that speak of an act one is told: the most severe, else who shows how it stood to an approval, else who speaks
-- of the action all day. Nothing here grows with what comes later, so that the next act changes no choice.
tellings as (
    select
        acts.event_id,
        gathered.finding_id,
        gathered.severity,
        row_number() over (
            partition by acts.event_id
            order by
                severities.severity_rank desc,
                gathered.n_evidence > array_length(gathered.act_event_ids) desc,
                case when gathered.subject_kind in ('actor and action', 'actor_action') then 1
                    when gathered.subject_kind in ('event', 'tool_call') then 2 else 3 end,
                gathered.detector_kind = 'rule' desc,
                gathered.detector_id,
                gathered.finding_id
        ) as nth
    from acts
    join gathered on gathered.finding_id = acts.finding_id
    join severities on severities.severity = gathered.severity
    where not gathered.is_suppressed
),

tellers as (
    select acts.finding_id, list_sort(list(distinct {'by': tellings.finding_id, 'severity': tellings.severity})) as told
    from acts
    join tellings on tellings.event_id = acts.event_id and tellings.nth = 1
    group by acts.finding_id
),

own_acts as (
    select finding_id, list(event_id order by event_id) as own_act_event_ids
    from tellings
    where nth = 1
    group by finding_id
),

told as (
    select
        tellers.finding_id,
        list_transform(tellers.told, lambda one: one.by) as tellers,
        -- Who else speaks of its acts, and how badly, is a fact of the finding.
        array_to_string(
            list_transform(list_filter(tellers.told, lambda one: one.by <> tellers.finding_id), lambda one: one.by || ' ' || one.severity), chr(30)
        ) as others
    from tellers
)

select
    gathered.* exclude (evidence_hash, last_known_at),
    case when gathered.is_suppressed or list_contains(told.tellers, gathered.finding_id) then []
        else coalesce(told.tellers, []) end as told_by,
    coalesce(own_acts.own_act_event_ids, []) as own_act_event_ids,
    coalesce(gathered.last_known_at < run_context.first_as_of - interval 24 hour, false) as is_historic,
    chains.confidence as chain_confidence,
    shares.accounted_share,
    identities.risk_tier,
    sha256(
        gathered.evidence_hash || chr(31) || gathered.severity || chr(31) || 'open' || chr(31) || coalesce(gathered.chain_id, '')
        || chr(31) || array_to_string(gathered.gaps, chr(30)) || chr(31) || gathered.rule_version
        || case when array_length(gathered.facts) > 0 then chr(31) || array_to_string(gathered.facts, chr(30)) else '' end
        || case when told.others <> '' then chr(31) || told.others else '' end
    ) as facts_hash
from gathered
cross join run_context
left join chains on chains.chain_id = gathered.chain_id
left join identities on identities.identity_id = gathered.identity_id
left join shares on shares.identity_id = gathered.identity_id
left join told on told.finding_id = gathered.finding_id
left join own_acts on own_acts.finding_id = gathered.finding_id
