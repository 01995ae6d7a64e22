"""The outbox's way in: which findings become alerts for which sink.

What a sink was told last is compared with what holds now, so one rule serves first opening, growth, closing,
reopening, a suppression that ends and a sink that was added today:

- open, and the sink knows nothing of it: create (1)
- open, and the sink was told that it is closed: update (2)
- open, and more severe than the sink was told, or with a fact that it was not told of: a class of evidence (log and
  kind), a crown jewel, a success after failures, a privileged action, a resource: update (2), which says first what
  is new
- withdrawn, and the sink was told that it is open: close (3)
- pruned: nothing, because that its evidence was deleted refutes nothing

Historic findings go to the alerts file alone, suppressed ones to nobody until the suppression ends, and informational
ones to nobody until they are more than that.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
from ultravires_models.frameworks import load_frameworks
from ultravires_models.hits import SEVERITIES

from ultravires.alerting.news import news_of
from ultravires.alerting.ocsf import Evidence, Finding, finding_as_ocsf
from ultravires.alerting.sink import ALERTS_FILE
from ultravires.build.table_schemas import table_schemas
from ultravires.store.queries import fetch_row

_DUE = """
with told as (
    select
        finding_id, sink, max_by(activity_id, revision) as activity_id,
        max_by(severity, revision) as severity, max_by(evidence_classes, revision) as evidence_classes,
        max_by(facts, revision) as facts
    from alerts
    where finding_id is not null
    group by finding_id, sink
),
compared as (
    select
        next.finding_id, next.revision, next.facts_hash, sinks.sink,
        case
            when next.state = 'withdrawn' then case when told.activity_id <> 3 then 3 end
            when next.state = 'pruned' or next.is_suppressed or (next.is_historic and sinks.sink <> $local) then null
            when next.severity = $least and coalesce(told.activity_id, 3) = 3 then null
            when told.activity_id is null then 1
            when told.activity_id = 3 then 2
            when list_position($severities, next.severity) > list_position($severities, told.severity) then 2
            when not list_has_all(told.evidence_classes, next.evidence_classes) then 2
            when not list_has_all(told.facts, next.facts) then 2
        end as activity_id,
        told.activity_id is not null and told.activity_id <> 3 as is_known,
        case when list_position($severities, next.severity) > list_position($severities, told.severity)
            then next.severity end as raised_to,
        list_filter(next.evidence_classes, lambda one: not list_contains(told.evidence_classes, one)) as new_classes,
        list_filter(next.facts, lambda one: not list_contains(told.facts, one)) as new_facts
    from next_findings as next
    cross join (select unnest($sinks) as sink) as sinks
    left join told on told.finding_id = next.finding_id and told.sink = sinks.sink
)
select finding_id, revision, facts_hash, sink, activity_id,
    case when is_known then raised_to end, case when is_known then new_classes end,
    case when is_known then new_facts end
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

# Bodies are made a page at a time, so that a first run over a year of logs does not hold them all.
_PAGE = 500


class Due(NamedTuple):
    """What a sink is to be told, and what of it is new to it where it knows the finding as open."""

    finding_id: str
    revision: int
    facts_hash: str
    sink: str
    activity_id: int
    raised_to: str | None
    new_classes: list[str] | None
    new_facts: list[str] | None


def create_alerts_table(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(table_schemas()["alerts"].create_sql())


def alert_id_of(finding_id: str, revision: int, facts_hash: str) -> str:
    """The sinks' idempotency key: one revision of the same facts has one id, whenever it is sent."""
    return hashlib.sha256(f"{finding_id}\x1f{revision}\x1f{facts_hash}".encode()).hexdigest()


def queue_alerts(con: duckdb.DuckDBPyConnection, run_id: str, sinks: Collection[str]) -> int:
    """Add the due alerts to `alerts`, in the caller's transaction; reads the temp table `next_findings`.

    Returns how many rows were added (an alert for two sinks is two rows).
    """
    parameters = {"local": ALERTS_FILE, "severities": list(SEVERITIES), "least": SEVERITIES[0], "sinks": sorted(sinks)}
    due = [Due(*row) for row in con.execute(_DUE, parameters).fetchall()]
    row = fetch_row(con, "select coalesce(as_of, now()) from run_context")
    if row is None:
        return 0
    titles = {name: entry.title for name, entry in load_frameworks().items()}
    for page in _pages(due):
        ids = sorted({item.finding_id for item in page})
        findings, evidence = _read_findings(con, ids), _read_evidence(con, ids)
        _insert(con, [_alert_row(item, findings, evidence, row[0], titles) for item in page], run_id)
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


def _alert_row(
    due: Due,
    findings: dict[str, Finding],
    evidence: dict[str, list[Evidence]],
    as_of: datetime,
    titles: dict[str, str],
) -> dict[str, Any]:
    finding = findings[due.finding_id]
    alert_id = alert_id_of(due.finding_id, due.revision, due.facts_hash)
    body = finding_as_ocsf(
        finding,
        evidence.get(due.finding_id, []),
        alert_id=alert_id,
        activity_id=due.activity_id,
        news=news_of(due.raised_to, due.new_classes or (), due.new_facts or ()),
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
        pa.field("body", pa.string()),
    ]
)


def _insert(con: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]], run_id: str) -> None:
    con.register("incoming_alerts", pa.Table.from_pylist(rows, schema=_ROW))
    try:
        con.execute(
            "insert into alerts by name select *, 'pending' as state, 0 as n_attempts, now() as created_at, "
            "? as run_id from incoming_alerts",
            [run_id],
        )
    finally:
        con.unregister("incoming_alerts")
