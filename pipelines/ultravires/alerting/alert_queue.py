"""The outbox's way in: which findings become alerts for which sink.

What a sink was told last is compared with what holds now, so one rule serves first opening, growth, closing,
reopening, a suppression that ends and a sink that was added today:

- open, and the sink knows nothing of it: create (1)
- open, and the sink was told that it is closed: update (2)
- open, and more severe than the sink was told, or with a fact that it was not told of: a class of evidence (log and
  kind), a crown jewel, a success after failures, a privileged action, a resource: update (2), which says first what
  is new
- withdrawn, and the sink was told that it is open: close (3)
- pruned: nothing, because that its evidence was deleted refutes nothing; and what others told of whose evidence is gone
  stays told

One act is one alert (decision 97): a finding is not sent beside others that tell of all its acts. Where a sink has been
told of all acts of a new finding already, under another one's name, that name stays: it hears an update if the new one
is more severe, and else nothing.

Historic findings go to the alerts file alone, suppressed ones to nobody until the suppression ends, and informational
ones to nobody until they are more than that.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
from ultravires_models.frameworks import load_frameworks
from ultravires_models.hits import SEVERITIES

from ultravires.alerting.news import news_of
from ultravires.alerting.ocsf import Evidence, Finding, Other, finding_as_ocsf
from ultravires.alerting.sink import ALERTS_FILE
from ultravires.build.table_schemas import table_schemas
from ultravires.store.queries import fetch_row

PENDING, COVERED = "pending", "covered"
_DUE = """
with told as (
    select
        finding_id, sink, max(revision) as revision, max_by(activity_id, revision) as activity_id,
        max_by(severity, revision) as severity, max_by(evidence_classes, revision) as evidence_classes,
        max_by(facts, revision) as facts, flatten(list(coalesce(act_event_ids, []))) as acts
    from alerts
    where finding_id is not null
    group by finding_id, sink
),
placed as (
    select
        -- Who speaks for another may have news without a revision of its own; they are heard in order all the same.
        next.finding_id, greatest(next.revision, coalesce(told.revision + 1, 0)) as revision,
        next.facts_hash, next.state, next.severity, next.evidence_classes, next.facts,
        next.title, next.slot, sinks.sink, coalesce(grouped.act_event_ids, []) as acts,
        coalesce(grouped.own_act_event_ids, []) as own_acts,
        -- What it told of and does not say any more is told by nobody.
        coalesce(list_intersect(told.acts, grouped.act_event_ids), []) as told_acts,
        coalesce(len(told.acts), 0) as n_told,
        list_position($severities, next.severity) as rank, list_position($severities, told.severity) as told_rank,
        told.activity_id as told_activity_id, told.evidence_classes as told_classes, told.facts as told_facts,
        coalesce(told.activity_id, 3) <> 3 as is_known,
        next.state = 'open' and not next.is_suppressed and (not next.is_historic or sinks.sink = $local) as is_heard,
        coalesce(
            list_position($severities, next.severity) > list_position($severities, told.severity)
            or not list_has_all(told.evidence_classes, next.evidence_classes)
            or not list_has_all(told.facts, next.facts),
            false) as has_news
    from next_findings as next
    cross join (select unnest($sinks) as sink) as sinks
    left join told on told.finding_id = next.finding_id and told.sink = sinks.sink
    left join int_findings__grouped as grouped on grouped.finding_id = next.finding_id
),
acts as (
    select finding_id, sink, unnest(acts) as act from placed where is_heard
),
-- Who tells of a day has told of the act when it is known, and who told of more than an alert names; another, when it
-- names it or has news now.
telling as (
    select
        finding_id, sink, unnest(own_acts) as act, is_heard, is_known,
        is_heard and (not is_known or slot <> '' or has_news or n_told >= $most_acts) as tells_all, told_acts
    from placed
    where state = 'open'
),
of_others as (
    select
        acts.finding_id, acts.sink, acts.act, telling.is_known as by_known,
        coalesce(
            telling.finding_id <> acts.finding_id
            and (telling.tells_all or telling.is_heard and list_contains(telling.told_acts, acts.act)),
            false) as is_told
    from acts
    left join telling on telling.act = acts.act and telling.sink = acts.sink
),
mute as (
    select finding_id, sink, bool_and(by_known) as are_known
    from of_others
    group by finding_id, sink
    having bool_and(is_told)
),
-- A finding that the sink knows, with acts of which it does not know by it: others tell of them.
old_news as (
    select of_others.finding_id, of_others.sink
    from of_others
    join placed on placed.finding_id = of_others.finding_id and placed.sink = of_others.sink
    where placed.is_known and not list_contains(placed.told_acts, of_others.act)
    group by of_others.finding_id, of_others.sink
    having bool_and(of_others.is_told)
),
known_acts as (
    select finding_id, sink, told_rank, unnest(told_acts) as act
    from placed
    where is_heard and is_known
),
-- Whom the sink knows and who told it of acts that a finding new to it tells of.
heard_acts as (
    select
        acts.finding_id, acts.sink, placed.rank, placed.title, len(placed.acts) as n_acts, acts.act,
        known_acts.finding_id as speaker, known_acts.told_rank
    from acts
    join known_acts on known_acts.act = acts.act and known_acts.sink = acts.sink
    join placed on placed.finding_id = acts.finding_id and placed.sink = acts.sink
    left join mute on mute.finding_id = acts.finding_id and mute.sink = acts.sink
    where not placed.is_known and mute.finding_id is null
),
voices as (
    select finding_id, sink, rank, title, speaker, told_rank
    from heard_acts
    group by all
    having count(*) = any_value(n_acts)
),
spoken_for as (
    select finding_id, sink, rank, title, min({'order': -told_rank, 'id': speaker}).id as speaker
    from voices
    group by finding_id, sink, rank, title
),
-- Each act by another that the sink knows, and none of them less badly than the new one would.
heard as (
    select finding_id, sink
    from (select finding_id, sink, rank, n_acts, act, max(told_rank) as told_rank from heard_acts group by all)
    group by finding_id, sink, n_acts, rank
    having count(*) = n_acts and min(told_rank) >= rank
),
raised as (
    select speaker as finding_id, sink, max(rank) as rank, min({'order': -rank, 'title': title}).title as title
    from spoken_for
    group by speaker, sink
),
weighed as (
    select
        placed.*, greatest(placed.rank, coalesce(raised.rank, 0)) as full_rank,
        case when raised.rank > placed.rank then raised.title end as raised_by,
        case
            when placed.is_known then coalesce(mute.are_known, false)
            else mute.finding_id is not null or spoken_for.finding_id is not null or heard.finding_id is not null
        end as is_told_by_others,
        old_news.finding_id is not null as has_old_news
    from placed
    left join raised on raised.finding_id = placed.finding_id and raised.sink = placed.sink
    left join mute on mute.finding_id = placed.finding_id and mute.sink = placed.sink
    left join spoken_for on spoken_for.finding_id = placed.finding_id and spoken_for.sink = placed.sink
    left join heard on heard.finding_id = placed.finding_id and heard.sink = placed.sink
    left join old_news on old_news.finding_id = placed.finding_id and old_news.sink = placed.sink
),
compared as (
    select
        *,
        case
            when state = 'withdrawn' then case when told_activity_id <> 3 then 3 end
            when not is_heard or is_told_by_others then null
            when full_rank = 1 and not is_known then null
            when told_activity_id is null then 1
            when told_activity_id = 3 then 2
            when full_rank > told_rank then 2
            when has_news and not has_old_news then 2
        end as activity_id,
        full_rank > told_rank as is_raised,
        list_filter(evidence_classes, lambda one: not list_contains(told_classes, one)) as new_classes,
        list_filter(facts, lambda one: not list_contains(told_facts, one)) as new_facts
    from weighed
)
select finding_id, revision, facts_hash, sink, activity_id, $severities[full_rank],
    case when is_known and is_raised then $severities[full_rank] end, case when is_known then new_classes end,
    case when is_known then new_facts end, case when is_known and is_raised then raised_by end,
    list_slice(own_acts || list_filter(acts, lambda one: not list_contains(own_acts, one)), 1, $most_acts)
from compared
where activity_id is not null
order by finding_id, sink
"""

_FINDINGS = """
select
    next.finding_id, next.detector_id, next.detector_kind, next.title, next.message, next.subject_kind,
    next.subject_uid, next.identity_id, next.actor_uid, next.chain_id, next.severity, next.risk_score,
    next.risk_parts, next.confidence, next.n_evidence, next.evidence_classes, next.first_at, next.last_at,
    next.is_historic, next.gaps, next.frameworks, next.remediation, next.rule_version, next.class_uid,
    next.revision, detectors.description, next.facts
from next_findings as next
left join detectors on detectors.detector_id = next.detector_id
where next.finding_id in (select unnest($ids))
"""

_EVIDENCE = """
with named as (
    select finding_id, unnest(evidence_event_ids) as event_id
    from next_findings
    where finding_id in (select unnest($ids))
)
select
    named.finding_id, events.event_id, events.event_at, events.log, events.kind, events.actor_uid,
    events.actor_kind, events.action, coalesce(events.resource_uids, []), events.outcome, events.src_ip
from named
join events on events.event_id = named.event_id
order by named.finding_id, events.event_at, events.event_id
"""

# Who else speaks of one of their acts.
_OTHERS = """
with acts as (
    select finding_id, unnest(act_event_ids) as act
    from int_findings__grouped
    where not is_suppressed
),
of_page as (
    select * from acts where finding_id in (select unnest($ids))
)
select distinct of_page.finding_id, next.finding_id, next.detector_id, next.detector_kind, next.title, next.severity,
    next.rule_version
from of_page
join acts on acts.act = of_page.act and acts.finding_id <> of_page.finding_id
join next_findings as next on next.finding_id = acts.finding_id
order by of_page.finding_id, list_position($severities, next.severity) desc, next.detector_id, next.finding_id
"""

# So many acts of one alert are known to have been told; of others somebody else may tell.
_MOST_ACTS = 300

# Bodies are made a page at a time, so that a first run over a year of logs does not hold them all.
_PAGE = 500


class Due(NamedTuple):
    """What a sink is to be told, and what of it is new to it where it knows the finding as open.

    `severity` may be that of another finding of the same acts, which is not told beside it; `raised_by` is its title.
    """

    finding_id: str
    revision: int
    facts_hash: str
    sink: str
    activity_id: int
    severity: str
    raised_to: str | None
    new_classes: list[str] | None
    new_facts: list[str] | None
    raised_by: str | None
    acts: list[str]


class Told(NamedTuple):
    """What the alerts of a page are made of, by finding."""

    findings: dict[str, Finding]
    evidence: dict[str, list[Evidence]]
    others: dict[str, list[Other]]


def create_alerts_table(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(table_schemas()["alerts"].create_sql())


def alert_id_of(finding_id: str, revision: int, facts_hash: str) -> str:
    """The sinks' idempotency key: one revision of the same facts has one id, whenever it is sent."""
    return hashlib.sha256(f"{finding_id}\x1f{revision}\x1f{facts_hash}".encode()).hexdigest()


def queue_alerts(con: duckdb.DuckDBPyConnection, run_id: str, sinks: Collection[str]) -> int:
    """Add the due alerts to `alerts`, in the caller's transaction; reads the temp table `next_findings`.

    Returns how many rows were added (an alert for two sinks is two rows).
    """
    return _add(con, run_id, _due(con, sinks), PENDING)


def note_covered(
    con: duckdb.DuckDBPyConnection, run_id: str, sinks: Collection[str], findings: Collection[str]
) -> None:
    """Note of these findings that sinks know what they tell, from others that are gone: it is not sent again."""
    _add(con, run_id, [due for due in _due(con, sinks) if due.finding_id in findings], COVERED)


def _due(con: duckdb.DuckDBPyConnection, sinks: Collection[str]) -> list[Due]:
    parameters: dict[str, Any] = {"local": ALERTS_FILE, "severities": list(SEVERITIES), "sinks": sorted(sinks)}
    parameters["most_acts"] = _MOST_ACTS
    return [Due(*row) for row in con.execute(_DUE, parameters).fetchall()]


def _add(con: duckdb.DuckDBPyConnection, run_id: str, due: Sequence[Due], state: str) -> int:
    row = fetch_row(con, "select coalesce(as_of, now()) from run_context")
    if row is None:
        return 0
    titles = {name: entry.title for name, entry in load_frameworks().items()}
    for page in _pages(due):
        ids = sorted({item.finding_id for item in page})
        told = Told(_read_findings(con, ids), _read_evidence(con, ids), _read_others(con, ids))
        _insert(con, [_alert_row(item, told, row[0], titles) for item in page], run_id, state)
    return len(due)


def _pages(due: Sequence[Due]) -> Iterator[Sequence[Due]]:
    for start in range(0, len(due), _PAGE):
        yield due[start : start + _PAGE]


def _read_findings(con: duckdb.DuckDBPyConnection, ids: list[str]) -> dict[str, Finding]:
    rows = con.execute(_FINDINGS, {"ids": ids})
    names = [column[0] for column in rows.description]
    found = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    return {row["finding_id"]: Finding(**row | {"risk_parts": json.loads(row["risk_parts"])}) for row in found}


def _read_evidence(con: duckdb.DuckDBPyConnection, ids: list[str]) -> dict[str, list[Evidence]]:
    found: dict[str, list[Evidence]] = {}
    for finding_id, *columns in con.execute(_EVIDENCE, {"ids": ids}).fetchall():
        found.setdefault(finding_id, []).append(Evidence(*columns))
    return found


def _read_others(con: duckdb.DuckDBPyConnection, ids: list[str]) -> dict[str, list[Other]]:
    found: dict[str, list[Other]] = {}
    for finding_id, *columns in con.execute(_OTHERS, {"ids": ids, "severities": list(SEVERITIES)}).fetchall():
        found.setdefault(finding_id, []).append(Other(*columns))
    return found


def _alert_row(due: Due, told: Told, as_of: datetime, titles: dict[str, str]) -> dict[str, Any]:
    finding = replace(told.findings[due.finding_id], severity=due.severity, revision=due.revision)
    alert_id = alert_id_of(due.finding_id, due.revision, due.facts_hash)
    body = finding_as_ocsf(
        finding,
        told.evidence.get(due.finding_id, []),
        others=told.others.get(due.finding_id, []),
        alert_id=alert_id,
        activity_id=due.activity_id,
        news=news_of(due.raised_to, due.new_classes or (), due.new_facts or (), raised_by=due.raised_by),
        at=as_of,
        titles=titles,
    )
    return {
        "alert_id": alert_id,
        "finding_id": due.finding_id,
        "revision": due.revision,
        "sink": due.sink,
        "activity_id": due.activity_id,
        "chain_id": finding.chain_id,
        "severity": finding.severity,
        "evidence_classes": list(finding.evidence_classes),
        "facts": list(finding.facts),
        "act_event_ids": due.acts,
        "body": json.dumps(body, ensure_ascii=False, separators=(",", ":")),
    }


_ROW = pa.schema(
    [
        pa.field("alert_id", pa.string()),
        pa.field("finding_id", pa.string()),
        pa.field("revision", pa.int32()),
        pa.field("sink", pa.string()),
        pa.field("activity_id", pa.int32()),
        pa.field("chain_id", pa.string()),
        pa.field("severity", pa.string()),
        pa.field("evidence_classes", pa.list_(pa.string())),
        pa.field("facts", pa.list_(pa.string())),
        pa.field("act_event_ids", pa.list_(pa.string())),
        pa.field("body", pa.string()),
    ]
)


def _insert(con: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]], run_id: str, state: str) -> None:
    con.register("incoming_alerts", pa.Table.from_pylist(rows, schema=_ROW))
    try:
        con.execute(
            "insert into alerts by name select *, ? as state, 0 as n_attempts, now() as created_at, "
            "? as run_id from incoming_alerts",
            [state, run_id],
        )
    finally:
        con.unregister("incoming_alerts")
