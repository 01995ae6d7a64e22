"""Commands that live and die together: what is to be made first is whole before they start."""

import json
import subprocess
import sys
import time
from pathlib import Path

SLOWLY = "import pathlib, sys, time; time.sleep(1); pathlib.Path(sys.argv[1]).write_text('whole')"
NOTES = "import pathlib, sys; made, note, *_ = map(pathlib.Path, sys.argv[1:]); note.write_text(str(made.exists()))"


def run_together(*steps: list[list[str]]) -> None:
    """The steps, until they end by themselves."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ultravires.runs.together"], stdin=subprocess.PIPE, start_new_session=True
    )
    assert process.stdin is not None
    with process.stdin as told:
        told.write(json.dumps(steps).encode() + b"\n")
        told.flush()
        process.wait(30)


def python(code: str, *words: Path) -> list[str]:
    return [sys.executable, "-c", code, *map(str, words)]


def test_a_step_starts_when_the_one_before_has_ended(tmp_path: Path) -> None:
    """Dagster's databases, made by two processes at once, were found half made."""
    made, noted = tmp_path / "made", [tmp_path / "one", tmp_path / "other"]
    run_together([python(SLOWLY, made)], [python(NOTES, made, note) for note in noted])
    assert any(note.exists() and note.read_text() == "True" for note in noted)
    assert not any(note.exists() and note.read_text() == "False" for note in noted)


def test_nothing_starts_after_a_step_that_fails(tmp_path: Path) -> None:
    made, noted = tmp_path / "made", tmp_path / "noted"
    began = time.monotonic()
    run_together([python("raise SystemExit(3)")], [python(NOTES, made, noted)])
    assert not noted.exists()
    assert time.monotonic() - began < 20
