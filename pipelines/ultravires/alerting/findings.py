"""Findings over time: what the detectors say today against what the table said before.

`int_findings__grouped` holds the candidates of today. A candidate that the table does not know opens at
revision 1; one whose facts changed gets the next revision; a finding without a candidate is withdrawn,
and reopens when the candidate returns. The rows of the outbox are queued in the same transaction, so no
revision is ever without them.

After a prune one run compares without anything new: what is missing then was pruned, not refuted. Such a
finding goes with its alerts if all of it is older, else it keeps its last facts in the state `pruned`; nobody
is told. What appears only then, because the habit that it is measured against went, is historic.
"""

import json
from collections.abc import Collection

import duckdb
import pyarrow as pa

from ultravires.alerting.alert_queue import create_alerts_table, note_covered, queue_alerts
from ultravires.alerting.risk import RiskFacts, risk_parts, risk_score
from ultravires.alerting.sink import ALERTS_FILE
from ultravires.build.table_schemas import table_schemas
from ultravires.store.queries import fetch_row

_RISK_FACTS = """
select
    finding_id, severity, is_privileged, is_crown_jewel, n_denied, n_succeeded, chain_confidence,
    accounted_share, risk_tier, case when detector_kind = 'model' then score end as anomaly_score
from int_findings__grouped
"""

# A withdrawn finding keeps its last facts: they are what its closing alert has to name.
_NEXT = """
insert into next_findings by name
with today as (
    select
        candidate.finding_id, candidate.detector_id, candidate.detector_kind, candidate.title,
        candidate.message, candidate.subject_kind, candidate.subject_uid, candidate.slot,
        candidate.identity_id, candidate.actor_uid, candidate.chain_id, 'open' as state, candidate.severity,
        finding_risks.risk_score, finding_risks.risk_parts, candidate.chain_confidence as confidence,
        candidate.evidence_event_ids, candidate.n_evidence, candidate.evidence_classes, candidate.first_at,
        candidate.last_at,
        candidate.is_historic or coalesce(candidate.last_at <= appeared.last_at, false) as is_historic,
        candidate.is_suppressed, candidate.gaps,
        candidate.facts, candidate.frameworks, candidate.remediation, candidate.rule_version, candidate.class_uid,
        candidate.facts_hash, candidate.told_by,
        coalesce(findings.revision, 0)
            + case when findings.facts_hash is distinct from candidate.facts_hash then 1 else 0 end
            as revision
    from int_findings__grouped as candidate
    join finding_risks on finding_risks.finding_id = candidate.finding_id
    left join findings on findings.finding_id = candidate.finding_id
    left join (select finding_id, max(last_at) as last_at from findings_of_prunes group by finding_id) as appeared
        on appeared.finding_id = candidate.finding_id
),
gone as (
    select findings.* replace (
        case
            when findings.state = 'pruned' or (findings.state = 'open' and $is_settling) then 'pruned'
            else 'withdrawn'
        end as state,
        case
            when findings.state = 'open' and not $is_settling
                then sha256(findings.facts_hash || chr(31) || 'withdrawn')
            else findings.facts_hash
        end as facts_hash,
        []::varchar[] as told_by,
        findings.revision + case when findings.state = 'open' and not $is_settling then 1 else 0 end as revision)
    from findings
    left join int_findings__grouped as candidate on candidate.finding_id = findings.finding_id
    where candidate.finding_id is null
)
select * from today
union all by name
select * from gone
"""

_APPEARED = """
insert into findings_of_prunes
select candidate.finding_id, candidate.last_at
from int_findings__grouped as candidate
left join findings on findings.finding_id = candidate.finding_id
where findings.state is distinct from 'open'
"""

# Of whom no sink heard by their own name, since others told of their acts.
_TOLD_BY_OTHERS = "select finding_id from findings where state = 'open' and array_length(told_by) > 0"

_PRUNED = """
create or replace temp table pruned_findings as
select finding_id
from next_findings
where state <> 'open' and last_at < (select max(before_at) from tombstones)
"""

# What a sink has not taken yet is still owed to it, and what it took within the hour counts against its bound.
_FORGET_ALERTS = """
delete from alerts
where finding_id in (select finding_id from pruned_findings)
    and (
        state = 'covered' or (state = 'sent' and sent_at < now() - interval 1 hour)
        or (state = 'failed' and next_attempt_at is null)
    )
"""

_COUNT = """
select
    count(*) filter (where next.state = 'open') as n_open,
    count(*) filter (where findings.finding_id is null) as n_opened,
    count(*) filter (
        where findings.state = 'open' and next.state = 'open' and findings.revision <> next.revision
    ) as n_updated,
    count(*) filter (where findings.state = 'open' and next.state = 'withdrawn') as n_withdrawn,
    count(*) filter (where findings.state in ('withdrawn', 'pruned') and next.state = 'open') as n_reopened
from next_findings as next
left join findings on findings.finding_id = next.finding_id
"""


def create_findings_tables(con: duckdb.DuckDBPyConnection) -> None:
    """The tables `findings` and `alerts`, where they do not stand yet."""
    con.execute(table_schemas()["findings"].create_sql())
    create_alerts_table(con)


def update_findings(
    con: duckdb.DuckDBPyConnection,
    run_id: str,
    *,
    sinks: Collection[str] = (ALERTS_FILE,),
    is_settling: bool = False,
) -> dict[str, int]:
    """Bring `findings` up to the candidates of today and queue the alerts of what changed, for `sinks`.

    Runs inside the caller's transaction. `is_settling` says that nothing but a prune has changed since the last time;
    nothing is queued then. Returns the counts: open (findings open now), opened, updated, withdrawn, reopened, and
    alerts (queued).
    """
    create_findings_tables(con)
    _score(con)
    con.execute("create or replace temp table next_findings as from findings where false")
    if is_settling:
        con.execute(_APPEARED)
    con.execute(_NEXT, {"is_settling": is_settling})
    counts = fetch_row(con, _COUNT)
    assert counts is not None
    told_by_others = {name for (name,) in con.execute(_TOLD_BY_OTHERS).fetchall()} if is_settling else set()
    _store_changes(con)
    n_alerts = 0 if is_settling else queue_alerts(con, run_id, sinks)
    if is_settling:
        note_covered(con, run_id, sinks, told_by_others)
        _settle(con)
    con.execute("drop table next_findings")
    names = ("open", "opened", "updated", "withdrawn", "reopened", "alerts")
    return dict(zip(names, (*counts, n_alerts), strict=True))


def _settle(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(_PRUNED)
    con.execute(_FORGET_ALERTS)
    con.execute("delete from findings where finding_id in (select finding_id from pruned_findings)")
    con.execute(
        "update tombstones set settled_at = now(), n_findings = (select count(*) from pruned_findings) "
        "where settled_at is null"
    )
    con.execute("drop table pruned_findings")


def _score(con: duckdb.DuckDBPyConnection) -> None:
    rows = con.execute(_RISK_FACTS).fetchall()
    parts = [risk_parts(RiskFacts(*row[1:])) for row in rows]
    risks = pa.table(
        {
            "finding_id": pa.array([row[0] for row in rows], pa.string()),
            "risk_score": pa.array([risk_score(part) for part in parts], pa.int32()),
            "risk_parts": pa.array([json.dumps(part) for part in parts], pa.string()),
        }
    )
    con.register("incoming_risks", risks)
    try:
        con.execute("create or replace temp table finding_risks as from incoming_risks")
    finally:
        con.unregister("incoming_risks")


def _store_changes(con: duckdb.DuckDBPyConnection) -> None:
    # Only rows that differ are written, so that a run without news leaves the file as it was.
    con.execute("create or replace temp table changed_findings as from next_findings except from findings")
    con.execute("delete from findings where finding_id in (select finding_id from changed_findings)")
    con.execute("insert into findings from changed_findings")
    con.execute("drop table changed_findings")
    con.execute("drop table finding_risks")
