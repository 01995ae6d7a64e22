"""A run killed at any moment, and then a run again, ends as a run that nobody disturbed."""

import random
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import SAMPLES
from killing import UPGRADED, Command, Moment, Progress, differences, read_alerts, run, run_and_kill, run_to_end

FIRST_DAY, LAST_DAY_OF_FIRST, LAST_DAY = "20261009", "20261010", "20261012"
PRUNED_BEFORE = "2026-10-10T12:30:00Z"
CONFIG = SAMPLES / "ultravires.yaml"


@dataclass(frozen=True)
class Scenario:
    """A command to disturb, on a copy of the home `before` (none: a new home).

    `undisturbed` is the home as it ends when nobody disturbs it, `progress` how far it then comes.
    """

    command: Command
    before: Path | None
    undisturbed: Path
    progress: Progress


@dataclass(frozen=True)
class Scenarios:
    first: Scenario
    second: Scenario
    prune: Scenario
    upgrade: Scenario


@pytest.fixture(scope="module")
def scenarios(tmp_path_factory: pytest.TempPathFactory) -> Scenarios:
    """Four days of the samples in two deliveries, each loaded by a run that nobody disturbs; then half of them are
    pruned, or all read again by newer readers.
    """
    folder = tmp_path_factory.mktemp("kills")
    inbox = folder / "inbox"
    _deliver(inbox)
    first = _undisturbed(run(inbox / "first"), None, folder / "first")
    second = _undisturbed(run(inbox), first.undisturbed, folder / "second")
    prune = _undisturbed(Command(("prune", "--before", PRUNED_BEFORE)), second.undisturbed, folder / "prune")
    again = Command(("run", "--input", str(inbox)), UPGRADED)
    return Scenarios(first, second, prune, _undisturbed(again, second.undisturbed, folder / "upgrade"))


def _undisturbed(command: Command, before: Path | None, after: Path) -> Scenario:
    if before is not None:
        shutil.copytree(before, after)
    return Scenario(command, before, after, run_to_end(command, after, CONFIG))


def _deliver(inbox: Path) -> None:
    for source in ("approvals", "aws_cloudtrail", "opa_decisions", "otel_genai"):
        for path in sorted(SAMPLES.joinpath(source).rglob("*.*")):
            if not path.is_file() or not FIRST_DAY <= (day := _day(path)) <= LAST_DAY:
                continue
            target = inbox / ("first" if day <= LAST_DAY_OF_FIRST else "second") / path.relative_to(SAMPLES)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


def _day(path: Path) -> str:
    found = re.search(r"2026-?\d\d-?\d\d", path.name)
    assert found is not None, path
    return found[0].replace("-", "")


def _home(scenario: Scenario, folder: Path) -> Path:
    home = folder / "home"
    folder.mkdir(exist_ok=True)
    if scenario.before is not None:
        shutil.copytree(scenario.before, home)
    return home


def _assert_as_undisturbed(scenario: Scenario, home: Path) -> None:
    assert differences(scenario.undisturbed, home) == []
    ids = [alert["metadata"]["uid"] for alert in read_alerts(home)]
    assert len(ids) == len(set(ids)), "an alert stands twice in alerts.jsonl"


def test_the_scenarios_have_something_to_lose(scenarios: Scenarios) -> None:
    """Both runs write, tell and publish; else no kill below would prove anything."""
    for scenario in (scenarios.first, scenarios.second):
        assert scenario.progress.written > 1_000_000
        assert scenario.progress.told > 0
        assert scenario.progress.published > 20


def test_a_lost_delivery_would_be_seen(scenarios: Scenarios) -> None:
    """The comparison tells the home before the second delivery from the one after it."""
    found = differences(scenarios.first.undisturbed, scenarios.second.undisturbed)
    lines = {line.partition(":")[0] for line in found}
    assert lines >= {"events", "links", "chains", "usage", "findings", "alerts", "alerts.jsonl"}


@pytest.mark.parametrize(
    ("which", "number", "share"),
    [
        ("first", "written", 0.25),
        pytest.param("second", "written", 0.7, marks=pytest.mark.stress),
        ("second", "told", 0.0),
        ("first", "published", 0.5),
        ("prune", "written", 0.2),
        pytest.param("prune", "written", 0.6, marks=pytest.mark.stress),
        pytest.param("prune", "published", 0.5, marks=pytest.mark.stress),
        ("upgrade", "written", 0.15),
        pytest.param("upgrade", "written", 0.4, marks=pytest.mark.stress),
    ],
    ids=["load", "rewrite", "delivery", "publish", "prune", "settle", "publish_pruned", "read_again", "rebuild"],
)
def test_a_run_after_a_killed_one_ends_as_if_undisturbed(
    which: str, number: str, share: float, scenarios: Scenarios, tmp_path: Path
) -> None:
    """Killed while it loads, rewrites, delivers, publishes, prunes or reads again: the same tables and alerts after the
    same command again.
    """
    scenario: Scenario = getattr(scenarios, which)
    home = _home(scenario, tmp_path)
    moment = Moment(number, max(1, share * getattr(scenario.progress, number)))
    assert run_and_kill(scenario.command, home, CONFIG, moment), "the run ended before it could be killed"
    run_to_end(scenario.command, home, CONFIG)
    _assert_as_undisturbed(scenario, home)


@pytest.mark.stress
def test_several_kills_in_a_row_end_as_if_undisturbed(scenarios: Scenarios, tmp_path: Path) -> None:
    """Three runs killed one after another on one home, then one that is left alone."""
    scenario = scenarios.second
    home = _home(scenario, tmp_path)
    for moment in (Moment("written", scenario.progress.written * 0.4), Moment("told", 1), Moment("published", 5)):
        assert run_and_kill(scenario.command, home, CONFIG, moment), "the run ended before it could be killed"
    run_to_end(scenario.command, home, CONFIG)
    _assert_as_undisturbed(scenario, home)


@pytest.mark.stress
@pytest.mark.parametrize("seed", range(20))
def test_kills_at_random_moments_end_as_if_undisturbed(seed: int, scenarios: Scenarios, tmp_path: Path) -> None:
    """One to three kills anywhere in a first or a later run, a prune or an upgrade, from its start to the closing of
    the warehouse.
    """
    rng = random.Random(seed)
    scenario = rng.choice((scenarios.first, scenarios.second, scenarios.prune, scenarios.upgrade))
    # A moment can come too late for a run that was faster than the observed one: then from anew.
    for attempt in range(5):
        home = _home(scenario, tmp_path / str(attempt))
        moments = [_any_moment(rng, scenario.progress) for _ in range(rng.choice((1, 1, 2, 3)))]
        killed = [run_and_kill(scenario.command, home, CONFIG, moment) for moment in moments]
        if any(killed):
            break
    else:
        pytest.fail("no run could be killed")
    run_to_end(scenario.command, home, CONFIG)
    _assert_as_undisturbed(scenario, home)


def _any_moment(rng: random.Random, progress: Progress) -> Moment:
    number = rng.choice(("seconds", "written", "written", "told", "published", "announced"))
    return Moment(number, max(1e-9, rng.random() * getattr(progress, number)))
