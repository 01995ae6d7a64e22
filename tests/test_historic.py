"""What is historic: by when the home's first run was, and not by what its logs reach."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import small_logs
import ultravires
from small_logs import RUNNER, WORKER, approval, assume, call, session, write_lines
from ultravires.build.reference import first_run_at, store_run_context
from ultravires.runs.run import run_once
from ultravires.store.warehouse import open_warehouse

UNAPPROVED = "ultravires_unapproved_privileged_activity"
NOW = datetime.now(UTC).replace(microsecond=0)
LAST_YEAR = NOW - timedelta(days=365)


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime, str], Path]:
    """Writes a story that ends an hour before a moment: a role is taken, and a policy changed under no approval."""

    def write(until: datetime, name: str) -> Path:
        monkeypatch.setattr(small_logs, "DAY", until - timedelta(hours=3))
        logs = tmp_path / "logs"
        runner, worker = session(RUNNER, f"ASIARUN{name}"), session(WORKER, f"ASIAWRK{name}", source_identity="APR-B")
        change = {"roleName": "other", "policyName": "p"}
        write_lines(
            logs / f"{name}.json",
            [
                assume(f"{name}1", 60, runner, f"ASIAWRK{name}", sourceIdentity="APR-B"),
                call(f"{name}2", 61, "iam:PutRolePolicy", worker, requestParameters=change),
            ],
        )
        write_lines(logs / f"{name}-approvals.jsonl", [approval(f"APR-{name}A", 0), approval(f"APR-{name}C", 120)])
        return logs

    return write


def historic(home: Path) -> list[tuple[Any, ...]]:
    with ultravires.open(home) as con:
        return con.execute(
            "select distinct is_historic from findings where state = 'open' and detector_id = ? order by all desc",
            [UNAPPROVED],
        ).fetchall()


def test_an_archive_of_last_year_is_historic_to_its_last_hour(
    tmp_path: Path, story: Callable[[datetime, str], Path]
) -> None:
    """Also what happened on the last day of it; and when the identity acts again after the first run, it is not."""
    run_once(story(LAST_YEAR, "OLD"), tmp_path / "home", config=None, as_of="")
    assert historic(tmp_path / "home") == [(True,)]
    run_once(story(NOW, "NEW"), tmp_path / "home", config=None, as_of="")
    assert historic(tmp_path / "home") == [(False,)]


def test_what_happened_this_hour_is_not_historic(tmp_path: Path, story: Callable[[datetime, str], Path]) -> None:
    """A first run over logs of now tells of the last day."""
    run_once(story(NOW, "NEW"), tmp_path / "home", config=None, as_of="")
    assert historic(tmp_path / "home") == [(False,)]


def test_an_archive_that_is_judged_as_of_then_is_told_as_then(
    tmp_path: Path, story: Callable[[datetime, str], Path]
) -> None:
    """`--as-of` says when the run is to be thought of."""
    run_once(story(LAST_YEAR, "OLD"), tmp_path / "home", config=None, as_of=LAST_YEAR.isoformat())
    assert historic(tmp_path / "home") == [(False,)]


@pytest.mark.parametrize(
    ("stored", "clock", "said", "expected"),
    [
        pytest.param(None, NOW, None, NOW, id="by the clock"),
        pytest.param(None, NOW, LAST_YEAR, LAST_YEAR, id="as asked"),
        pytest.param(None, NOW, NOW + timedelta(days=9), NOW, id="never after the clock"),
        pytest.param(LAST_YEAR, NOW, None, LAST_YEAR, id="once and for all"),
        pytest.param(
            LAST_YEAR, NOW, LAST_YEAR - timedelta(days=9), LAST_YEAR, id="a later run asks for an earlier time"
        ),
        pytest.param(NOW + timedelta(days=900), NOW, None, NOW, id="a clock that was ahead is put right"),
    ],
)
def test_the_moment_of_the_first_run(
    tmp_path: Path, stored: datetime | None, clock: datetime, said: datetime | None, expected: datetime
) -> None:
    """It stands from the first run on, and a clock that shows less later on proves it wrong."""
    with open_warehouse(tmp_path / "home") as warehouse:
        if stored is not None:
            store_run_context(warehouse, stored, timedelta(minutes=2), first_run_at=stored)
        assert first_run_at(warehouse, clock=clock, said=said) == expected
