"""Risk of a finding: 0 to 100, a plain sum of parts that a reader can check by hand.

The bounds of the parts add up to 0 and 100, so the sum is never cut off and the parts always give the score:

| part | points | because |
|---|---|---|
| severity | 15 to 50 | what the detector says of the behaviour |
| privilege | 0, 10 | the action grants power or issues credentials |
| crown_jewel | 0, 10 | a resource that the configuration names as one was touched |
| outcome | -10, 0, 5 | everything was denied; nothing known; something succeeded |
| chain | 0 to 5 | how sure the links are that tell whose action it was |
| unaccounted | 0 to 5 | share of the identity's activity that no approval accounts for |
| tier | -5 to 5 | the identity's declared risk tier |
| anomaly | 0 to 10 | how far from usual, where a model says it |
"""

from collections.abc import Mapping
from dataclasses import dataclass

SEVERITY_POINTS = {"informational": 15, "low": 20, "medium": 30, "high": 40, "critical": 50}
TIER_POINTS = {"low": -5, "medium": 0, "high": 3, "critical": 5}


@dataclass(frozen=True)
class RiskFacts:
    """What the score is made of; None means not known and counts for nothing."""

    severity: str
    is_privileged: bool
    is_crown_jewel: bool
    n_denied: int
    n_succeeded: int
    chain_confidence: float | None
    accounted_share: float | None
    risk_tier: str | None
    anomaly_score: float | None


def risk_parts(facts: RiskFacts) -> dict[str, int]:
    """Points by part, in a fixed order; a tier of the configuration's own making counts as medium."""
    return {
        "severity": SEVERITY_POINTS[facts.severity],
        "privilege": 10 if facts.is_privileged else 0,
        "crown_jewel": 10 if facts.is_crown_jewel else 0,
        "outcome": _outcome_points(facts.n_denied, facts.n_succeeded),
        "chain": _share_of(5, facts.chain_confidence),
        "unaccounted": 5 - _share_of(5, facts.accounted_share) if facts.accounted_share is not None else 0,
        "tier": TIER_POINTS.get(facts.risk_tier or "medium", 0),
        "anomaly": _share_of(10, facts.anomaly_score),
    }


def risk_score(parts: Mapping[str, int]) -> int:
    """The sum of the parts, 0 to 100."""
    return sum(parts.values())


def _outcome_points(n_denied: int, n_succeeded: int) -> int:
    if n_succeeded:
        return 5
    return -10 if n_denied else 0


def _share_of(points: int, share: float | None) -> int:
    return round(points * min(max(share or 0.0, 0.0), 1.0))
