"""A small world of hits for the tests of findings and alerts: real tables and the real SQL file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from ultravires.alerting.findings import update_findings
from ultravires.alerting.sink import ALERTS_FILE
from ultravires.build.select_reads import reads_of
from ultravires.build.sql_tables import load_macros
from ultravires.build.table_schemas import table_schemas
from ultravires.registry import sql_root
from ultravires.store.queries import transaction
from ultravires.store.warehouse import open_warehouse
from ultravires_models.hits import SEVERITIES

AS_OF = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOON = AS_OF - timedelta(hours=3)
LONG_AGO = AS_OF - timedelta(days=30)
BOTH = (ALERTS_FILE, "splunk_hec")

_TABLES = """
create table hits(
    detector_id varchar, subject_kind varchar, subject_uid varchar, slot varchar, identity_id varchar,
    actor_uid varchar, chain_id varchar, hit_at timestamptz, event_hour timestamptz,
    evidence_event_ids varchar[],
    message varchar, gaps varchar[], score double, severity varchar,
    outcome varchar, act_event_ids varchar[]);
create table detectors(
    detector_id varchar, detector_kind varchar, title varchar, description varchar, severity varchar,
    class_uid integer, frameworks varchar[], remediation varchar, version varchar, base_score double,
    false_positives varchar[]);
create table chain_steps(
    chain_id varchar, step_id varchar, node_kind varchar, event_id varchar, is_privileged boolean);
create table chains(chain_id varchar, confidence double);
create table identities(identity_id varchar, risk_tier varchar);
create table declared_identities(identity_id varchar, kind varchar, name varchar, owner varchar, risk_tier varchar);
create table accounted(identity_id varchar, day date, n_activities bigint, n_accounted bigint, share double);
create table sources(log varchar, evidence_seen varchar[]);
create table int_identities__resolved(
    alias_uid varchar, identity_id varchar, valid_from timestamptz, valid_until timestamptz);
create table severities(severity varchar, severity_rank integer);
create table crown_jewels(resource_like varchar);
create table suppressions(
    detector_id varchar, subject_like varchar, owner varchar, reason varchar, expires_at timestamptz);
create table run_context(as_of timestamptz, first_as_of timestamptz, clock_tolerance interval, future_from timestamptz);
"""

_EVENT = """
insert into events by name select
    ? as event_id, ? as log, ? as source, ? as native_id, 1 as source_version, 'recorded' as voice,
    ?::timestamptz as event_at,
    date_trunc('hour', ?::timestamptz) as event_hour, now() as ingested_at, 'f' as file_id, 1 as record_no,
    ? as kind, 6003 as class_uid, 1 as activity_id, ? as actor_uid, 'role' as actor_kind, ? as action,
    ?::varchar[] as resource_uids, ? as outcome, '198.51.100.7' as src_ip, '{"secret": "raw record"}' as raw,
    'h' as raw_hash
"""


@dataclass
class World:
    con: duckdb.DuckDBPyConnection
    home: Path
    runs: int = field(default=0)

    def event(self, event_id: str, at: datetime = NOON, **columns: Any) -> str:
        c = {
            "log": "aws_cloudtrail",
            "kind": "activity",
            "actor": "arn:role/bot",
            "action": "iam:CreateAccessKey",
            "resources": ["arn:aws:iam::1:user/ops"],
            "outcome": "success",
        } | columns
        values = [event_id, c["log"], c["log"], event_id, at, at, c["kind"], c["actor"], c["action"]]
        self.con.execute(_EVENT, [*values, c["resources"], c["outcome"]])
        return event_id

    def detector(self, detector_id: str, **columns: Any) -> str:
        c = {
            "kind": "rule",
            "severity": "medium",
            "class_uid": 2004,
            "frameworks": ["attack.t1098.001", "owasp-nhi.nhi05"],
            "version": "v1",
        } | columns
        self.con.execute("delete from detectors where detector_id = ?", [detector_id])
        self.con.execute(
            "insert into detectors values (?, ?, ?, 'Its purpose.', ?, ?, ?, 'Revoke it.', ?, 1.0, [])",
            [
                detector_id,
                c["kind"],
                f"Title of {detector_id}",
                c["severity"],
                c["class_uid"],
                c["frameworks"],
                c["version"],
            ],
        )
        return detector_id

    def hit(self, detector_id: str, subject: str, evidence: Sequence[str], **columns: Any) -> None:
        c = {
            "at": NOON,
            "chain": None,
            "identity": "arn:role/bot",
            "score": 1.0,
            "severity": None,
            "gaps": [],
            "slot": "",
            "message": "It did it.",
            "kind": "credential",
            "acts": [],
        } | columns
        self.con.execute(
            "insert into hits values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, null, ?)",
            [
                detector_id,
                c["kind"],
                subject,
                c["slot"],
                c["identity"],
                c["identity"],
                c["chain"],
                c["at"],
                c["at"],
                list(evidence),
                c["message"],
                c["gaps"],
                c["score"],
                c["severity"],
                c["acts"],
            ],
        )

    def group(self) -> None:
        sql = (sql_root() / "findings" / "int_findings__grouped.sql").read_text(encoding="utf-8")
        for name in sorted(reads_of("int_findings__grouped", sql).tables - {"hits", "events"}):
            self.con.execute(table_schemas()[name].create_sql())  # those that hold nothing in this world
        self.con.execute(f"create or replace table int_findings__grouped as {sql}")

    def update(self, sinks: Sequence[str] = BOTH) -> dict[str, int]:
        self.group()
        self.runs += 1
        with transaction(self.con):
            return update_findings(self.con, f"run {self.runs}", sinks=sinks)

    def rows(self, sql: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
        found = self.con.execute(sql, parameters or [])
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def one(self, sql: str) -> dict[str, Any]:
        (row,) = self.rows(sql)
        return row

    def told(self, sink: str) -> list[int]:
        """The activities (1 create, 2 update, 3 close) that were queued for a sink, in order."""
        rows = self.rows("select activity_id from alerts where sink = ? order by revision", [sink])
        return [row["activity_id"] for row in rows]


@contextmanager
def new_world(home: Path, *, first_as_of: datetime = AS_OF) -> Iterator[World]:
    with open_warehouse(home) as warehouse:
        warehouse.con.execute(_TABLES)
        warehouse.con.execute(load_macros(sql_root()))
        warehouse.con.executemany("insert into severities values (?, ?)", [(s, i) for i, s in enumerate(SEVERITIES)])
        warehouse.con.execute("create temp table events as from events")  # in the view's place, for single rows
        warehouse.con.execute("insert into run_context values (?, ?, interval 2 minute, null)", [AS_OF, first_as_of])
        yield World(warehouse.con, home)
