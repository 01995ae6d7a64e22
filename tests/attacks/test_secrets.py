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


LINE = json.dumps(approval("APR-7", 1)).encode() + b"\n"
ENCODINGS = ("latin-1", "utf-16-le")
PACKED = base64.b64encode(f"#!/bin/sh\nexport DB_PASSWORD={SECRET}-base64\n".encode()).decode()


def broken_line() -> bytes:
    """It was cut inside of a later field, so nothing of it decodes; its bytes are kept."""
    return f'{{"approval_id": "APR-9", "dbPassword": "{SECRET}-broken", "task": "read'.encode() + b"\n"


def no_text(encoding: str) -> bytes:
    return f'{{"who": "jos\xe9", "password": "{SECRET}-{encoding}", '.encode(encoding) + b"\n"


def cut_off() -> bytes:
    """Of a long record the first 64 KB are kept; a key begins there that has no end by which it would be known."""
    text = "x" * (64 * 1024 - 200) + OF_SECRETS + "y" * 5_000
    return json.dumps(approval("APR-9", 2, status="escalated", task=text)).encode()[:-9] + b"\n"


def refused_for_its_depth() -> dict[str, Any]:
    deep: Any = {"DB_PASSWORD": f"{SECRET}-deep"}
    for _ in range(300):
        deep = {"a": deep}
    return act(1, requestParameters={"roleName": "other", "more": deep})


def deep_inside_of_strings() -> dict[str, Any]:
    """Text in text in text; and one too deep to be taken apart."""
    text: Any = {"dbPassword": f"{SECRET}-strings"}
    for _ in range(5):
        text = {"message": json.dumps(text)}
    too_deep = '{"a":' * 400 + json.dumps({"password": f"{SECRET}-strings"}) + "}" * 400
    return act(4, requestParameters={"roleName": "other", "x": text, "y": too_deep})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """After one run over logs with a secret in each place; each has an end of its own, which says which one it is."""
    runner, rotate = session(RUNNER, "ASIARUNNER"), f"rotate it: export GH_TOKEN={SECRET}-task && ./rotate"
    _, home = load(
        tmp_path_factory.mktemp("secrets"),
        {
            "broken.jsonl": LINE + broken_line(),
            **{f"{encoding}.jsonl": LINE + no_text(encoding) for encoding in ENCODINGS},
            "long.jsonl": LINE + cut_off(),
            "task.jsonl": json.dumps(approval("APR-8", 1, task=rotate)).encode(),
            "deep.json": trail(refused_for_its_depth(), act(2))["trail.json"],
            **trail(
                act(3, requestParameters={"roleName": "other", "userData": PACKED}),
                deep_inside_of_strings(),
                act(5, userAgent=f"deploy/1.0 (https://ci:{SECRET}-agent@git.example.org)"),
                act(6, userAgent="password=ASIARUNNER", requestParameters={"roleName": "o"}),
                assume("e7", 60, runner, "ASIAWORKER"),
            ),
        },
    )
    return home


@pytest.fixture(scope="module")
def everything(home: Path) -> str:
    return everything_in(home)


def n_quarantined(home: Path, file: str) -> int:
    ((n,),) = ask(home, f"select n_quarantined from files where parse_filename(path) = '{file}'")
    return int(n)


def test_a_secret_in_a_line_that_broke(home: Path, everything: str) -> None:
    assert n_quarantined(home, "broken.jsonl") == 1
    assert f"{SECRET}-broken" not in everything


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_secret_among_bytes_that_are_no_text(encoding: str, home: Path, everything: str) -> None:
    """Bytes that no decoder takes are looked through nevertheless."""
    assert n_quarantined(home, f"{encoding}.jsonl") >= 1
    secret = f"{SECRET}-{encoding}"
    assert secret not in everything and secret not in everything.replace("\\x00", "").replace("\0", "")


def test_a_secret_where_a_record_was_cut_off(home: Path, everything: str) -> None:
    assert n_quarantined(home, "long.jsonl") == 1
    assert "MIIEvQIBADANBgk" not in everything


def test_a_secret_in_a_record_that_was_refused_for_its_depth(home: Path, everything: str) -> None:
    assert n_quarantined(home, "deep.json") == 1
    assert f"{SECRET}-deep" not in everything


def test_a_secret_in_base64(everything: str) -> None:
    assert PACKED not in everything


def test_a_secret_deep_inside_of_strings(home: Path, everything: str) -> None:
    """What is too deep to be taken apart does not take its record out of the events."""
    assert n_quarantined(home, "trail.json") == 0
    assert ask(home, "select count(*) from events where native_id = 'e4'") == [(1,)]
    assert f"{SECRET}-strings" not in everything


def test_a_secret_in_a_user_agent(home: Path, everything: str) -> None:
    """A column of its own, with nothing around it that would tell."""
    ((agent,),) = ask(home, "select user_agent from events where native_id = 'e5'")
    assert agent.startswith("deploy/1.0 (https://ci:redacted:")
    assert f"{SECRET}-agent" not in everything


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


def test_a_secret_in_a_task(everything: str) -> None:
    """What somebody wrote into a request is shown beside every step it accounts for."""
    assert "rotate it" in everything and f"{SECRET}-task" not in everything


def test_no_secret_at_all(everything: str) -> None:
    """Whatever its end is, also in bytes of two for each character."""
    assert SECRET not in everything.replace("\\x00", "").replace("\0", "")


def test_a_secret_in_what_a_command_prints(home: Path) -> None:
    """Of records in quarantine the beginning is printed, and every message of a failure may end in a ticket."""
    shown = CliRunner().invoke(app, ["quarantine", "--home", str(home)])
    assert shown.exit_code == 0 and "APR-9" in shown.output and "redacted:" in shown.output
    assert SECRET not in shown.output


def test_a_name_that_hides_the_own_key(home: Path) -> None:
    """Who writes `password=` before the id of the own credential does not take the id out of the columns that join."""
    assert ask(home, "select credential_uid from events where native_id = 'e6'") == [("ASIARUNNER",)]


def test_a_flood_that_makes_every_record_a_suspect(tmp_path: Path) -> None:
    """It costs what it weighs: the run ends, and all is read."""
    noise = "token secret password " * 400
    events = [act(number, requestParameters={"roleName": "other", "note": f"{noise}{number}"}) for number in range(200)]
    result, _ = load(tmp_path, trail(*events))
    assert result.quarantined == 0 and result.events >= 200
