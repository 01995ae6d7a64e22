"""`ultravires watch`: what is new is told soon, what is not costs nothing, and what goes wrong does not end it."""

import json
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from small_logs import RUNNER, approval, call, session, write_lines
from test_cli import that_hears_ctrl_c
from ultravires.errors import UltraviresError
from ultravires.runs import run, watching
from ultravires.runs.run_result import RunResult
from ultravires.runs.watching import watch


class Over(Exception):
    """The test has seen enough."""


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    write_lines(folder / "approvals.jsonl", [approval("APR-1", 0)])
    return folder


def act(uid: str, minutes: float) -> dict[str, object]:
    return call(uid, minutes, "s3:GetObject", session(RUNNER, "ASIARUNNER"))


def watched(
    logs: Path, monkeypatch: pytest.MonkeyPatch, between: list[Callable[[], object]], config: Path | None = None
) -> list[RunResult]:
    """What is told, where `between` happens after one run each instead of waiting."""
    told: list[RunResult] = []
    happens = iter(between)

    def sleep(seconds: float) -> None:
        assert 0 <= seconds <= 60
        next(happens, over)()

    monkeypatch.setattr(watching.time, "sleep", sleep)
    with pytest.raises(Over):
        watch(str(logs), logs.parent / "home", config=config, every=timedelta(seconds=60), tell=told.append)
    return told


def over() -> None:
    raise Over


def nothing() -> None:
    """Time goes by."""


def test_only_news_is_told(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run, a file more, and a file that grew; not the looks between, of which the later ones run nothing."""
    runs: list[str] = []
    once = run.run_once

    def counted(*arguments: object, **named: object) -> RunResult:
        runs.append("run")
        return once(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "run_once", counted)
    trail = logs / "trail.jsonl"
    told = watched(
        logs,
        monkeypatch,
        [
            nothing,
            nothing,
            lambda: write_lines(trail, [act("e-1", 1)]),
            lambda: write_lines(trail, [act("e-1", 1), act("e-2", 2)]),
            nothing,
            nothing,
            nothing,
        ],
    )
    assert [(result.files, result.events) for result in told] == [(1, 1), (1, 1), (1, 1)]
    assert len(runs) == 5, "a run after each that loaded something finds nothing, and then nothing runs"


def test_what_goes_wrong_is_said_once_and_tried_again(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A configuration that somebody is editing; when it is whole again, what came meanwhile is read."""
    config = logs.parent / "ultravires.yaml"
    config.write_text("{}")

    def broken() -> None:
        config.write_text("identities: 7")
        write_lines(logs / "trail.jsonl", [act("e-1", 1)])

    told = watched(logs, monkeypatch, [broken, nothing, lambda: config.write_text("{}")], config)
    assert [result.events for result in told] == [1, 1]
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ultravires: ")]
    assert len(lines) == 1 and "identities" in lines[0] and lines[0].endswith("tried again every 60 s")


def test_what_is_wrong_from_the_first_ends_it(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody should watch a command that never worked."""
    config = logs.parent / "ultravires.yaml"
    config.write_text("identities: 7")
    with pytest.raises(UltraviresError, match="identities"):
        watch(str(logs), logs.parent / "home", config=config, every=timedelta(seconds=60), tell=lambda _: None)


def test_a_process_tells_each_run_as_a_line_until_ctrl_c(logs: Path, tmp_path: Path) -> None:
    """As a service keeps it: JSON on stdout, one line when it is asked to stop."""
    command = [sys.executable, "-m", "ultravires", "watch", "--every", "1s", "--json"]
    with that_hears_ctrl_c([*command, "--input", str(logs), "--home", str(tmp_path / "home")]) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["events"] == 1
        write_lines(logs / "trail.jsonl", [act("e-1", 1)])
        assert json.loads(process.stdout.readline())["events"] == 1
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.count("stopped; run the same command again to go on") == 1 and "Traceback" not in errors
