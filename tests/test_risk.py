"""The risk score is a sum that a reader can check."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from ultravires.alerting.risk import SEVERITY_POINTS, RiskFacts, risk_parts, risk_score

QUIET = RiskFacts("informational", False, False, 1, 0, None, None, "low", None)
LOUD = RiskFacts("critical", True, True, 0, 1, 1.0, 0.0, "critical", 1.0)

shares = st.none() | st.floats(0, 1)
facts = st.builds(
    RiskFacts,
    severity=st.sampled_from(sorted(SEVERITY_POINTS)),
    is_privileged=st.booleans(),
    is_crown_jewel=st.booleans(),
    n_denied=st.integers(0, 3),
    n_succeeded=st.integers(0, 3),
    chain_confidence=shares,
    accounted_share=shares,
    risk_tier=st.sampled_from([None, "low", "medium", "high", "critical", "of our own"]),
    anomaly_score=shares,
)


@given(facts)
def test_score_is_the_sum_of_its_parts_and_stays_in_range(case: RiskFacts) -> None:
    """Whatever the facts, the parts give the score and the score needs no cutting."""
    parts = risk_parts(case)
    assert all(isinstance(points, int) for points in parts.values())
    assert 0 <= risk_score(parts) <= 100


def test_the_ends_of_the_scale_are_reached() -> None:
    """The quietest finding is 0 and the loudest is 100."""
    assert risk_score(risk_parts(QUIET)) == 0
    assert risk_score(risk_parts(LOUD)) == 100


def test_success_weighs_more_than_denial() -> None:
    """A refused attempt is less urgent than one that worked, and one success among refusals counts."""
    refused = risk_score(risk_parts(replace(LOUD, n_denied=5, n_succeeded=0)))
    mixed = risk_score(risk_parts(replace(LOUD, n_denied=5, n_succeeded=1)))
    assert mixed - refused == 15


def test_what_is_not_known_adds_nothing() -> None:
    """Without a chain, a share or a tier, those parts are zero."""
    parts = risk_parts(replace(LOUD, chain_confidence=None, accounted_share=None, risk_tier=None, anomaly_score=None))
    assert (parts["chain"], parts["unaccounted"], parts["tier"], parts["anomaly"]) == (0, 0, 0, 0)


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_unaccounted_activity_never_lowers_the_score(a: float, b: float) -> None:
    """The part of unaccounted activity falls as the accounted share grows."""
    low, high = sorted((a, b))
    points = [risk_parts(replace(LOUD, accounted_share=share))["unaccounted"] for share in (low, high)]
    assert points[0] >= points[1]
