"""Arrival order must not matter: any split and any order of the same files ends in the same tables."""

import random
import re
import shutil
from pathlib import Path

import pytest
from conftest import SAMPLES
from tables_compared import differences
from ultravires.runs.run import run_once

CONFIG = SAMPLES / "ultravires.yaml"
AS_OF = "2026-10-16T00:00:00+00:00"


FIRST_DAY = "20261012"
"""Four days of the samples, and the approvals of all: what an act of these days rests on is there."""


def log_files() -> list[Path]:
    names = ("aws_cloudtrail", "otel_genai", "opa_decisions", "approvals")
    files = sorted(path for name in names for path in (SAMPLES / name).rglob("*") if path.is_file())
    return [path for path in files if "approvals" in path.parts or _day(path) >= FIRST_DAY]


def _day(path: Path) -> str:
    found = re.search(r"2026-?\d\d-?\d\d", path.name)
    assert found is not None, path
    return found[0].replace("-", "")


def deliver(files: list[Path], inbox: Path) -> None:
    for path in files:
        target = inbox / path.relative_to(SAMPLES)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after one load of all files, with chains that rest on several logs."""
    folder = tmp_path_factory.mktemp("whole")
    deliver(log_files(), folder / "inbox")
    result = run_once(folder / "inbox", folder / "home", config=CONFIG, as_of=AS_OF)
    assert result.links > 1000 and result.findings > 10
    return folder / "home"


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.stress)])
def test_shuffled_and_split_arrival_ends_in_the_tables_of_one_load(seed: int, whole: Path, tmp_path: Path) -> None:
    """The sample world in three random batches gives what one load gives."""
    rng = random.Random(seed)
    files = log_files()
    rng.shuffle(files)
    cuts = sorted(rng.sample(range(1, len(files)), 2))
    inbox, home = tmp_path / "inbox", tmp_path / "home"
    for batch in (files[: cuts[0]], files[cuts[0] : cuts[1]], files[cuts[1] :]):
        deliver(batch, inbox)
        run_once(inbox, home, config=CONFIG, as_of=AS_OF)
    assert differences(whole, home) == []


def test_issuing_events_and_approvals_that_come_last_change_nothing(whole: Path, tmp_path: Path) -> None:
    """Effects first, then decisions and calls, then approvals: every chain is rebuilt when its root arrives."""
    inbox, home = tmp_path / "inbox", tmp_path / "home"
    files = log_files()
    for batch in ([f for f in files if "cloudtrail" in str(f)], [f for f in files if "approvals" not in str(f)], files):
        deliver(batch, inbox)
        run_once(inbox, home, config=CONFIG, as_of=AS_OF)
    assert differences(whole, home) == []
