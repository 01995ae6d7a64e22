"""A later fact changes the judgement, openly: what was alerted is closed, old chain ids lead to the new chain."""

import json
from pathlib import Path
from typing import Any

import pytest
import ultravires
from small_logs import RUNNER, approval, assume, at, call, session, write_lines
from ultravires.runs.run import run_once
from ultravires.sinks.splunk_hec_double import HecDouble, Token
from ultravires.tracing.trace import trace

UNAPPROVED = "ultravires_unapproved_privileged_activity"


def write_effects(logs: Path) -> None:
    """A runner takes a role for approval APR-B and changes a policy; the approvals log speaks before and after."""
    runner, worker = session(RUNNER, "ASIARUNNER"), session("arn:aws:iam::111122223333:role/worker", "ASIAWORKER")
    worker["sessionContext"]["sourceIdentity"] = "APR-B"
    write_lines(
        logs / "trail.json",
        [
            assume("e1", 60, runner, "ASIAWORKER", sourceIdentity="APR-B"),
            call("e2", 61, "iam:PutRolePolicy", worker, requestParameters={"roleName": "other", "policyName": "p"}),
        ],
    )
    write_lines(logs / "approvals_1.jsonl", [approval("APR-A", 0), approval("APR-C", 120)])


def findings(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    with ultravires.open(home) as con:
        rows = con.execute("select detector_id, state, revision, subject_uid from findings order by all").fetchall()
    return {name: [row[1:] for row in rows if row[0] == name] for name, *_ in rows}


def alerts(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (home / "alerts.jsonl").read_text(encoding="utf-8").splitlines()]


def test_an_approval_that_comes_late_withdraws_the_accusation(tmp_path: Path) -> None:
    """First an alert, then the approval arrives: the finding is withdrawn and the alert closed by its finding's id."""
    logs, home = tmp_path / "logs", tmp_path / "home"
    write_effects(logs)
    run_once(logs, home, config=None, as_of="")
    assert {row[0] for row in findings(home)[UNAPPROVED]} == {"open"}
    spoken = (UNAPPROVED, "ultravires_borrowed_approval", "ultravires_machine_gives_power")
    opened = {a["finding_info"]["uid"] for a in alerts(home) if any(name in json.dumps(a) for name in spoken)}
    with ultravires.open(home) as con:
        ((before,),) = con.execute("select chain_id from chain_steps where action = 'iam:PutRolePolicy'").fetchall()

    write_lines(logs / "approvals_2.jsonl", [approval("APR-B", 30)])
    run_once(logs, home, config=None, as_of="")
    assert {row[0] for row in findings(home)[UNAPPROVED]} == {"withdrawn"}
    closed = {a["finding_info"]["uid"] for a in alerts(home) if a["activity_id"] == 3}
    assert opened and opened == closed
    with ultravires.open(home) as con:
        ((after, root),) = con.execute(
            "select chain_id, root_id from chain_steps where action = 'iam:PutRolePolicy'"
        ).fetchall()
        assert (root, before == after) == ("approval:APR-B", False)
        assert "approval:APR-B" in trace(con, before).nodes


def test_a_revocation_that_comes_late_raises_what_was_fine(tmp_path: Path) -> None:
    """The approval was revoked before the act: nobody knew at first, and then there is a finding."""
    logs, home = tmp_path / "logs", tmp_path / "home"
    write_effects(logs)
    write_lines(logs / "approvals_2.jsonl", [approval("APR-B", 30)])
    run_once(logs, home, config=None, as_of="")
    assert "ultravires_activity_after_approval_end" not in findings(home)
    write_lines(
        logs / "approvals_3.jsonl",
        [approval("APR-B", 30, status="revoked", revoked_at=at(45), updated_at=at(45))],
    )
    run_once(logs, home, config=None, as_of="")
    assert {row[0] for row in findings(home)["ultravires_activity_after_approval_end"]} == {"open"}


def test_a_run_delivers_to_splunk_once_and_closes_there_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configured sink gets create, then close, and nothing on a run without news."""
    logs, home, config = tmp_path / "logs", tmp_path / "home", tmp_path / "ultravires.yaml"
    write_effects(logs)
    monkeypatch.setenv("HEC_TOKEN_OF_THE_TEST", "t0ken")
    with HecDouble({"t0ken": Token(use_ack=True)}) as splunk:
        config.write_text(f"sinks: {{splunk_hec: {{url: '{splunk.url}', token_env: HEC_TOKEN_OF_THE_TEST}}}}\n")
        run_once(logs, home, config=config, as_of=at(180))
        created = [event["event"]["activity_id"] for event in splunk.events]
        assert created and set(created) == {1}
        run_once(logs, home, config=config, as_of=at(180))
        assert len(splunk.events) == len(created)
        write_lines(logs / "approvals_2.jsonl", [approval("APR-B", 30)])
        run_once(logs, home, config=config, as_of=at(180))
        later = [event["event"]["activity_id"] for event in splunk.events[len(created) :]]
    assert 3 in later


def test_a_first_run_over_old_logs_pages_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Findings older than a day at the first run are in the table and the file, and go to no network sink."""
    logs, home, config = tmp_path / "logs", tmp_path / "home", tmp_path / "ultravires.yaml"
    write_effects(logs)
    write_lines(logs / "approvals_9.jsonl", [approval("APR-Z", 3 * 24 * 60)])
    monkeypatch.setenv("HEC_TOKEN_OF_THE_TEST", "t0ken")
    with HecDouble({"t0ken": Token(use_ack=True)}) as splunk:
        config.write_text(f"sinks: {{splunk_hec: {{url: '{splunk.url}', token_env: HEC_TOKEN_OF_THE_TEST}}}}\n")
        run_once(logs, home, config=config, as_of="")
        assert len(splunk.events) == 0
    assert len(alerts(home)) > 0
