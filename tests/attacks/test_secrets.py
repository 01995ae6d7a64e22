"""Attacks by secrets: whoever gets a home, an alert or a screen of ours to read wants what the logs held by mistake.
And whoever writes logs wants the hiding itself to take a record out of sight.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1]))
from secret_shapes import everything_in
from small_logs import RUNNER, WORKER, approval, assume, call, session, write_lines
from typer.testing import CliRunner
from ultravires.cli import app
from ultravires.runs.run import run_once
from ultravires.runs.run_result import RunResult
from ultravires.store.snapshot import open_published

SECRET = "Tr0ub4dor-and-3-more"
OF_SECRETS = "-----BEGIN PRIVATE" + " KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\n"


def load(place: Path, files: dict[str, bytes]) -> tuple[RunResult, Path]:
    """What a run says of these files, and its home."""
    (place / "logs").mkdir()
    for name, data in files.items():
        (place / "logs" / name).write_bytes(data)
    write_lines(place / "logs" / "approvals.jsonl", [approval("APR-1", 0), approval("APR-2", 120)])
    return run_once(place / "logs", place / "home", config=None, as_of=""), place / "home"


def trail(*events: dict[str, Any]) -> dict[str, bytes]:
    return {"trail.json": "\n".join(map(json.dumps, events)).encode()}


def ask(home: Path, sql: str) -> list[tuple[Any, ...]]:
    with open_published(home) as con:
        return [tuple(row) for row in con.execute(sql).fetchall()]


def act(number: int, **members: Any) -> dict[str, Any]:
    return call(f"e{number}", 60 + number, "iam:PutRolePolicy", session(RUNNER, "ASIARUNNER"), **members)


def test_a_secret_in_a_line_that_broke(tmp_path: Path) -> None:
    """The line was cut inside of a later field, so nothing of it decodes; its bytes are kept."""
    line = f'{{"approval_id": "APR-9", "dbPassword": "{SECRET}", "task": "read'.encode()
    result, home = load(tmp_path, {"cut.jsonl": json.dumps(approval("APR-7", 1)).encode() + b"\n" + line + b"\n"})
    assert result.quarantined == 1 and ask(home, "select count(*) from quarantine") == [(1,)]
    assert SECRET not in everything_in(home)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-le"])
def test_a_secret_among_bytes_that_are_no_text(encoding: str, tmp_path: Path) -> None:
    """Bytes that no decoder takes are looked through nevertheless."""
    broken = f'{{"who": "jos\xe9", "password": "{SECRET}", '.encode(encoding)
    result, home = load(tmp_path, {"cut.jsonl": json.dumps(approval("APR-7", 1)).encode() + b"\n" + broken + b"\n"})
    assert result.quarantined >= 1
    found = everything_in(home)
    assert SECRET not in found and SECRET not in found.replace("\\x00", "").replace("\0", "")


def test_a_secret_where_a_record_was_cut_off(tmp_path: Path) -> None:
    """Of a long record the first 64 KB are kept; a key that begins there has no end by which it would be known."""
    text = "x" * (64 * 1024 - 200) + OF_SECRETS + "y" * 5_000
    line = json.dumps(approval("APR-9", 2, status="escalated", task=text)).encode()
    _, home = load(tmp_path, {"long.jsonl": json.dumps(approval("APR-7", 1)).encode() + b"\n" + line[:-9] + b"\n"})
    assert "MIIEvQIBADANBgk" not in everything_in(home)


def test_a_secret_in_a_record_that_was_refused_for_its_depth(tmp_path: Path) -> None:
    deep: Any = {"DB_PASSWORD": SECRET}
    for _ in range(300):
        deep = {"a": deep}
    result, home = load(tmp_path, trail(act(1, requestParameters={"roleName": "other", "more": deep}), act(2)))
    assert result.quarantined == 1
    assert SECRET not in everything_in(home)


def test_a_secret_in_base64(tmp_path: Path) -> None:
    packed = base64.b64encode(f"#!/bin/sh\nexport DB_PASSWORD={SECRET}\n".encode()).decode()
    _, home = load(tmp_path, trail(act(1, requestParameters={"roleName": "other", "userData": packed})))
    assert packed not in everything_in(home)


def test_a_secret_deep_inside_of_strings(tmp_path: Path) -> None:
    """Text in text in text; and one too deep to be taken apart does not take its record out of the events."""
    text: Any = {"dbPassword": SECRET}
    for _ in range(5):
        text = {"message": json.dumps(text)}
    deep = '{"a":' * 400 + json.dumps({"password": SECRET}) + "}" * 400
    result, home = load(tmp_path, trail(act(1, requestParameters={"roleName": "other", "x": text, "y": deep})))
    assert result.quarantined == 0
    assert ask(home, "select count(*) from events where native_id = 'e1'") == [(1,)]
    assert SECRET not in everything_in(home)


def test_a_secret_in_a_user_agent(tmp_path: Path) -> None:
    """A column of its own, with nothing around it that would tell."""
    _, home = load(tmp_path, trail(act(1, userAgent=f"deploy/1.0 (https://ci:{SECRET}@git.example.org)")))
    ((agent,),) = ask(home, "select user_agent from events where native_id = 'e1'")
    assert agent.startswith("deploy/1.0 (https://ci:redacted:")
    assert SECRET not in everything_in(home)


def test_a_secret_in_the_text_of_an_alert(tmp_path: Path) -> None:
    """Alerts leave the house: names of roles, sessions and resources stand in them."""
    name = f"token={SECRET}"
    worker = session(WORKER, "ASIAWORKER")
    events = [
        assume("e1", 60, session(RUNNER, "ASIARUNNER"), "ASIAWORKER"),
        call("e2", 61, "iam:PutRolePolicy", worker, requestParameters={"roleName": name, "policyName": "p"}),
    ]
    result, home = load(tmp_path, trail(*events))
    assert result.findings >= 1 and (home / "alerts.jsonl").read_text()
    assert SECRET not in everything_in(home)


def test_a_secret_in_a_task(tmp_path: Path) -> None:
    """What somebody wrote into a request is shown beside every step it accounts for."""
    task = f"rotate it: export GH_TOKEN={SECRET}1 && ./rotate"
    _, home = load(tmp_path, {"more.jsonl": json.dumps(approval("APR-7", 1, task=task)).encode()})
    assert "rotate it" in everything_in(home) and SECRET not in everything_in(home)


def test_a_secret_in_what_a_command_prints(tmp_path: Path) -> None:
    """Of records in quarantine the beginning is printed, and every message of a failure may end in a ticket."""
    line = f'{{"approval_id": "APR-9", "apiKey": "{SECRET}1", "task": "read'.encode()
    _, home = load(tmp_path, {"cut.jsonl": json.dumps(approval("APR-7", 1)).encode() + b"\n" + line + b"\n"})
    shown = CliRunner().invoke(app, ["quarantine", "--home", str(home)])
    assert shown.exit_code == 0 and "APR-9" in shown.output and "redacted:" in shown.output
    assert SECRET not in shown.output


def test_a_name_that_hides_the_own_key(tmp_path: Path) -> None:
    """Who writes `password=` before the id of the own credential does not take the id out of the columns that join."""
    runner = session(RUNNER, "ASIARUNNER")
    events = [
        assume("e1", 60, runner, "ASIAWORKER"),
        call(
            "e2", 61, "iam:PutRolePolicy", runner, userAgent="password=ASIARUNNER", requestParameters={"roleName": "o"}
        ),
    ]
    _, home = load(tmp_path, trail(*events))
    assert ask(home, "select credential_uid from events where native_id = 'e2'") == [("ASIARUNNER",)]


def test_a_flood_that_makes_every_record_a_suspect(tmp_path: Path) -> None:
    """It costs what it weighs: the run ends, and all is read."""
    noise = "token secret password " * 400
    events = [act(number, requestParameters={"roleName": "other", "note": f"{noise}{number}"}) for number in range(200)]
    result, _ = load(tmp_path, trail(*events))
    assert result.quarantined == 0 and result.events >= 200
