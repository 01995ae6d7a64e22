"""The judgement of a whole simulated company: what is wrong is found, and who is right is left in peace."""

from pathlib import Path

import pytest
from conftest import Shared
from ultravires.backtest.scores import Scores, score
from ultravires.runs.run import run_once
from ultravires.simulator import write_world
from ultravires.store.snapshot import open_published

MOST_FALSE = 1.0
"""Delivered findings that no label explains, for each 1,000 identity-days: one a day in a company of 1,000."""


def judged(folder: Path, *, seed: int, identities: int | None = None, days: int = 10, is_clean: bool = False) -> None:
    """A world, and a home after one run over it."""
    write_world(folder / "world", identities=identities, days=days, seed=seed, is_clean=is_clean)
    run_once(folder / "world", folder / "home", config=folder / "world" / "ultravires.yaml", as_of="")


def scored(folder: Path) -> Scores:
    with open_published(folder / "home") as con:
        return score(con, folder / "world" / "labels")


@pytest.fixture(scope="module")
def company(shared: Shared) -> Scores:
    """One company in ten days."""
    return scored(shared("company", lambda folder: judged(folder, seed=31)))


@pytest.fixture(scope="module")
def clean_company(shared: Shared) -> Scores:
    """The same where nothing goes wrong."""
    return scored(shared("clean-company", lambda folder: judged(folder, seed=32, is_clean=True)))


def assert_target(scores: Scores) -> None:
    """Every situation found or left in peace, and few findings that no label explains."""
    amiss = [(s.situation, s.missing, s.accused_by) for s in scores.situations if not s.is_found]
    assert amiss == []
    false = [(f.detector, f.message) for f in scores.unexplained_delivered]
    assert 1000 * len(false) / scores.identity_days <= MOST_FALSE, false
    assert scores.wrong_drift == ()


def test_every_situation_of_a_company_is_judged_rightly(company: Scores) -> None:
    """What is wrong is found, and what only looks wrong accuses nobody."""
    assert_target(company)


def test_drift_of_a_company_has_its_cause_onset_and_actor(company: Scores) -> None:
    """Every right that is labelled is told so, and nothing else is."""
    kinds = {s.kind: (s.n_true, s.precision, s.recall, s.onset, s.actor) for s in company.drift}
    assert kinds == {
        "expired_but_held": (1, 1.0, 1.0, 1.0, 1.0),
        "over_grant": (8, 1.0, 1.0, 1.0, 1.0),
        "widened_after_approval": (9, 1.0, 1.0, 1.0, 1.0),
    }


def test_a_company_in_which_nothing_goes_wrong_hears_of_nothing(clean_company: Scores) -> None:
    """Nothing that is delivered accuses anybody."""
    assert_target(clean_company)
    assert [f.message for f in clean_company.unexplained_delivered] == []


@pytest.mark.parametrize("world", ["company", "clean_company"])
def test_links_of_a_company_that_are_proof_are_right(world: str, request: pytest.FixtureRequest) -> None:
    """Of exact and carried links none leads to a wrong parent."""
    scores: Scores = request.getfixturevalue(world)
    proofs = [s for s in scores.links if s.method in ("exact_key", "carried") and not s.is_ambiguous and s.n_found]
    assert len(proofs) > 5
    assert [(s.kind, s.method, s.precision) for s in proofs if s.precision != 1.0] == []


@pytest.mark.stress
@pytest.mark.parametrize(("seed", "is_clean"), [(41, False), (42, False), (43, False), (44, True)])
def test_long_worlds_are_judged_rightly(tmp_path: Path, seed: int, is_clean: bool) -> None:
    """A month of 120 identities, with three seeds and once with nothing wrong in it."""
    judged(tmp_path, seed=seed, identities=120, days=31, is_clean=is_clean)
    assert_target(scored(tmp_path))
