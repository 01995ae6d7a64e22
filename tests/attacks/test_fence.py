"""A record that breaks one table: the run goes on, what stood stands, and what does not depend on it is told."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ultravires
from restoring import restored
from small_logs import RUNNER, WORKER, approval, assume, call, session, write_lines
from tables_compared import differences
from ultravires.build.duckdb_engine import Built, DuckDBEngine
from ultravires.build.sql_tables import SqlTable
from ultravires.errors import RunError
from ultravires.runs import steps
from ultravires.runs.run import run_once

LOGGING = "aws_cloudtrail_audit_logging_weakened"
WEAKENED = "ultravires_evidence_weakened"
UNAPPROVED = "ultravires_unapproved_privileged_activity"
Break = Callable[[str], None]


def write_story(folder: Path) -> None:
    """A worker changes a policy under nobody's approval, with approvals around it."""
    runner, worker = session(RUNNER, "ASIARUNNER"), session(WORKER, "ASIAWORKER")
    write_lines(
        folder / "trail.json",
        [
            assume("e1", 60, runner, "ASIAWORKER"),
            call("e2", 61, "iam:PutRolePolicy", worker, requestParameters={"roleName": "other", "policyName": "p"}),
        ],
    )
    other = {"subject": "arn:aws:iam::111122223333:role/third", "roles": [], "actions": ["s3:GetObject"]}
    write_lines(folder / "approvals.jsonl", [approval("APR-A", 0, **other), approval("APR-C", 120, **other)])


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    write_story(tmp_path / "logs")
    return tmp_path / "logs"


def load_story(place: Path) -> None:
    write_story(place / "logs")
    run_once(place / "logs", place / "home", config=None, as_of="")


@pytest.fixture
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the logs and of a home that has read them."""
    return restored(tmp_path_factory.getbasetemp() / "fence", load_story)


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Break:
    """A function that lets one table fail from now on, as a record that nobody thought of would."""

    def break_table(name: str) -> None:
        build = DuckDBEngine.build

        def failing(engine: DuckDBEngine, table: SqlTable) -> Built:
            if table.name == name:
                raise RunError(f"table {name}: Conversion Error: a record that nobody thought of")
            return build(engine, table)

        monkeypatch.setattr(DuckDBEngine, "build", failing)

    return break_table


def stop_logging(folder: Path) -> None:
    """What the attacker does next, which a rule over CloudTrail alone sees."""
    worker = session(WORKER, "ASIAWORKER")
    write_lines(folder / "later.json", [call("e3", 63, "cloudtrail:StopLogging", worker)])


def open_findings(home: Path) -> set[str]:
    with ultravires.open(home) as con:
        rows = con.execute("select detector_id from findings where state = 'open'").fetchall()
    return {row[0] for row in rows}


def alerts(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (home / "alerts.jsonl").read_text(encoding="utf-8").splitlines()]


def test_what_was_told_without_the_broken_table_is_not_told_again(
    loaded: Path, breaks: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules that could speak tell it, once; when the others can, they stand beside them in `findings`."""
    logs, home = loaded / "logs", loaded / "home"
    stop_logging(logs)
    with monkeypatch.context():
        breaks("activity_effects")
        with pytest.raises(RunError):
            run_once(logs, home, config=None, as_of="")
    told = [alert for alert in alerts(home) if "cloudtrail:StopLogging" in alert["unmapped"]["actions"]]
    assert len(told) == 1
    assert LOGGING in open_findings(home)
    monkeypatch.undo()
    run_once(logs, home, config=None, as_of="")
    assert WEAKENED in open_findings(home)
    assert [alert for alert in alerts(home) if "cloudtrail:StopLogging" in alert["unmapped"]["actions"]] == told


@pytest.mark.parametrize("table", ["int_links__by_key", "links", "chain_steps", "step_facts"])
def test_a_table_that_breaks_stops_no_alert(table: str, loaded: Path, breaks: Break) -> None:
    """What was found stands, what the attacker did next is told, and the run says what failed."""
    logs, home = loaded / "logs", loaded / "home"
    before = open_findings(home)
    assert UNAPPROVED in before
    stop_logging(logs)
    breaks(table)
    with pytest.raises(RunError, match=rf"^not built: {table}: .*nobody thought of.*the next run tries again$"):
        run_once(logs, home, config=None, as_of="")
    assert open_findings(home) == before | {LOGGING}
    assert any("StopLogging" in json.dumps(alert) for alert in alerts(home))


def test_a_table_whose_query_never_ends_stops_no_alert(loaded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended, alone and among those that are made together, and then as one that broke."""
    build = DuckDBEngine.build
    endless = "select count(*) as n from range(1000000000000) as a, range(1000000000000) as b"

    def standing_still(engine: DuckDBEngine, table: SqlTable) -> Built:
        is_it = table.name == "step_facts"
        seconds = 0.2 if is_it else 600.0
        with monkeypatch.context() as patched:
            patched.setattr("ultravires.build.duckdb_engine.most_seconds", lambda _: seconds)
            return build(engine, replace(table, sql=endless) if is_it else table)

    monkeypatch.setattr(DuckDBEngine, "build", standing_still)
    logs, home = loaded / "logs", loaded / "home"
    before = open_findings(home)
    stop_logging(logs)
    with pytest.raises(RunError, match=r"^not built: step_facts: table step_facts: ended after 0 seconds; "):
        run_once(logs, home, config=None, as_of="")
    assert open_findings(home) == before | {LOGGING}
    assert any("StopLogging" in json.dumps(alert) for alert in alerts(home))


def test_a_table_that_breaks_in_the_first_run_leaves_the_others(logs: Path, tmp_path: Path, breaks: Break) -> None:
    """What reads it is empty, and what rules over the log alone say is told."""
    stop_logging(logs)
    breaks("stg_keys")
    with pytest.raises(RunError, match="stg_keys"):
        run_once(logs, tmp_path / "home", config=None, as_of="")
    assert LOGGING in open_findings(tmp_path / "home")
    assert UNAPPROVED not in open_findings(tmp_path / "home")


def test_the_run_after_a_broken_table_ends_as_if_nothing_had_been(
    loaded: Path, tmp_path: Path, breaks: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hours that were not built stay in the queue."""
    logs, home, undisturbed = loaded / "logs", loaded / "home", tmp_path / "undisturbed"
    stop_logging(logs)
    with monkeypatch.context():
        breaks("stg_activities")
        with pytest.raises(RunError):
            run_once(logs, home, config=None, as_of="")
    monkeypatch.undo()
    run_once(logs, home, config=None, as_of="")
    run_once(logs, undisturbed, config=None, as_of="")
    assert differences(undisturbed, home) == []


def test_a_model_that_breaks_stops_no_alert(logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hits stand as they stood."""

    def failing(*_: Any) -> None:
        raise MemoryError("a history that nobody thought of")

    monkeypatch.setattr(steps, "run_detector", failing)
    stop_logging(logs)
    with pytest.raises(RunError, match="hits_rare_action: a history"):
        run_once(logs, tmp_path / "home", config=None, as_of="")
    assert {LOGGING, UNAPPROVED} <= open_findings(tmp_path / "home")
