"""Why a finding exists: what was seen, the rule that judged it, the evidence and its files, what to do."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from ultravires.errors import UsageError
from ultravires.lineage.needed_grants import NeededGrant, needed_by_finding
from ultravires.registry import rules_root
from ultravires.tracing.rows import Row, fetch_rows, has_table
from ultravires.tracing.visible import visible

_SHORTEST_PREFIX = 6


@dataclass(frozen=True)
class Evidence:
    """One event as the log recorded it, and the record of the file it was read from."""

    event_id: str
    event_at: datetime
    log: str
    kind: str
    native_id: str
    actor_uid: str | None
    action: str | None
    resource_uids: list[str]
    outcome: str | None
    error_code: str | None
    account_uid: str | None
    src_ip: str | None
    credential_uid: str | None
    path: str | None
    record_no: int | None


@dataclass(frozen=True)
class Explanation:
    """A finding with everything that stands behind it.

    `finding` holds the columns of the published table, `risk_parts` the points that add up to its score,
    `rule_text` the rule as it stands in this installation (None for a model) and `is_rule_unchanged` whether
    that is the version which judged. Of `n_evidence` events those that the finding lists are in `evidence`.
    `needed` are the grants that its drift came from, `told_by` the findings that tell of its acts in its place,
    `also_told_by` those in whose place it does.
    """

    finding: dict[str, Any]
    risk_parts: dict[str, Any]
    description: str | None
    false_positives: list[str]
    rule_text: str | None
    is_rule_unchanged: bool | None
    evidence: list[Evidence]
    missing_event_ids: list[str]
    chain: dict[str, Any] | None
    frameworks: list[dict[str, Any]]
    alerts: list[dict[str, Any]]
    told_by: list[dict[str, Any]]
    also_told_by: list[dict[str, Any]]
    needed: list[NeededGrant] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain JSON values; times are ISO 8601 in UTC."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), default=_json_value))
        return plain


_TELLERS = """
select finding_id, detector_id, title, severity from findings
where finding_id in (select unnest(?::varchar[])) order by finding_id
"""
_TOLD = """
select finding_id, detector_id, title, severity from findings
where state = 'open' and list_contains(told_by, ?) order by risk_score desc, finding_id
"""


def explain(con: duckdb.DuckDBPyConnection, finding_id: str) -> Explanation:
    """The explanation of one finding, by its id or an unambiguous beginning of it (6 characters or more).

    Raises UsageError when no finding, or more than one, has this id.
    """
    finding = _read_finding(con, finding_id)
    evidence = _read_evidence(con, finding["evidence_event_ids"] or [])
    found = {event.event_id for event in evidence}
    rule_text, is_unchanged = _read_rule(finding)
    detector = _read_detector(con, finding["detector_id"])
    return Explanation(
        finding=finding,
        risk_parts=json.loads(finding["risk_parts"] or "{}"),
        description=detector.get("description"),
        false_positives=_as_list(detector.get("false_positives")),
        rule_text=rule_text,
        is_rule_unchanged=is_unchanged,
        evidence=evidence,
        missing_event_ids=[event for event in finding["evidence_event_ids"] or [] if event not in found],
        chain=_read_chain(con, finding["chain_id"]),
        frameworks=_read_frameworks(con, finding["frameworks"] or []),
        alerts=_read_alerts(con, finding["finding_id"]),
        told_by=fetch_rows(con, _TELLERS, [finding["told_by"] or []]),
        also_told_by=fetch_rows(con, _TOLD, [finding["finding_id"]]),
        needed=needed_by_finding(con, finding),
    )


def _read_finding(con: duckdb.DuckDBPyConnection, finding_id: str) -> Row:
    exact = fetch_rows(con, "select * from findings where finding_id = ?", [finding_id])
    if exact:
        return exact[0]
    beginning = "select * from findings where starts_with(finding_id, ?) order by finding_id limit 6"
    near = fetch_rows(con, beginning, [finding_id]) if len(finding_id) >= _SHORTEST_PREFIX else []
    if len(near) == 1:
        return near[0]
    if near:
        raise UsageError(
            f"'{visible(finding_id, 60)}' begins several findings: {', '.join(f['finding_id'] for f in near)}"
        )
    raise UsageError(
        f"there is no finding '{visible(finding_id, 60)}'; "
        "the report lists those there are, and `ultravires trace` takes ids of other things"
    )


_EVIDENCE = """
select event_id, event_at, log, kind, native_id, actor_uid, action,
    coalesce(resource_uids, []) as resource_uids,
    outcome, error_code, account_uid, src_ip, credential_uid, {path} as path, record_no
from events {join}
where event_id in (select unnest($ids::varchar[]))
order by event_at, event_id
"""


def _read_evidence(con: duckdb.DuckDBPyConnection, event_ids: list[str]) -> list[Evidence]:
    with_files = has_table(con, "files")
    sql = _EVIDENCE.format(
        path="files.path" if with_files else "null",
        join="left join files using (file_id)" if with_files else "",
    )
    return [Evidence(**row) for row in fetch_rows(con, sql, {"ids": event_ids})]


def _read_rule(finding: Row) -> tuple[str | None, bool | None]:
    """(text of the rule, whether it is the version that judged); the file is found by comparing names."""
    if finding["detector_kind"] != "rule":
        return None, None
    path = _rule_files().get(finding["detector_id"])
    if path is None:
        return None, None
    content = path.read_bytes()
    version = hashlib.sha256(content).hexdigest()
    return content.decode("utf-8", "replace"), version.startswith(finding["rule_version"] or "-")


def _rule_files() -> dict[str, Path]:
    return {path.stem: path for path in sorted(rules_root().rglob("*.yml"))}


def _read_detector(con: duckdb.DuckDBPyConnection, detector_id: str) -> Row:
    if not has_table(con, "detectors"):
        return {}
    found = fetch_rows(con, "select * from detectors where detector_id = ?", [detector_id])
    return found[0] if found else {}


def _read_chain(con: duckdb.DuckDBPyConnection, chain_id: str | None) -> Row | None:
    present = """
        with recursive ids(chain_id) as (
            select ?::varchar
            union
            select new_id from chain_aliases join ids on chain_aliases.old_id = ids.chain_id
        )
        select chains.* from chains join ids using (chain_id)"""
    found = fetch_rows(con, present, [chain_id]) if chain_id else []
    return found[0] if found else None


_FRAMEWORKS = """
select reference, framework, version, title from frameworks where reference in (select unnest(?::varchar[]))
"""


def _read_frameworks(con: duckdb.DuckDBPyConnection, references: list[str]) -> list[Row]:
    known: dict[str, Row] = {}
    if has_table(con, "frameworks"):
        rows = fetch_rows(con, _FRAMEWORKS, [references])
        known = {row["reference"]: row for row in rows}
    return [known.get(reference, {"reference": reference}) for reference in references]


def _read_alerts(con: duckdb.DuckDBPyConnection, finding_id: str) -> list[Row]:
    sql = """select sink, revision, activity_id, state, created_at, sent_at, alert_id from alerts
        where finding_id = ? order by revision, sink"""
    return fetch_rows(con, sql, [finding_id])


def _as_list(value: object) -> list[str]:
    if not value:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _json_value(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
