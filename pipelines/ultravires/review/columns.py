"""The tables of a review: Summary, Identities, Entitlements and Decisions, as plain text in rows."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from ultravires.review.facts import Facts, Reviewed, Right, Use
from ultravires.review.least_privilege import LeastPrivilege
from ultravires.review.proposals import Proposed, is_of_aws, least_of_identity, of_identity, propose

Thing = TypeVar("Thing")
NO_OWNER = "no owner"
MOST_LISTED = 50
"""So many names stand in one cell; how many more there are stands behind them."""
IDENTITIES = (
    "owner", "identity", "name", "kind", "risk_tier", "last_seen", "n_approved", "n_granted", "n_used_actions",
    "n_drift", "approved", "granted", "used", "drift", "proposed", "proposed_because", "least_privilege", "left_out",
)  # fmt: skip
ENTITLEMENTS = (
    "owner", "identity", "layer", "entitlement_id", "effect", "action", "resource", "except_actions",
    "except_resources", "scope", "condition", "path", "since", "until", "brought_by", "by_event", "approval", "power",
)  # fmt: skip
DECISIONS = (
    "owner", "identity", "entitlement_id", "action", "resource", "scope", "condition", "path", "since", "brought_by",
    "approval", "power", "used", "last_used", "proposed", "proposed_because", "least_privilege", "left_out",
    "decision", "reason", "until", "reviewer",
)  # fmt: skip
ANSWERED_IN = ("decision", "reason", "until", "reviewer")
"""Empty columns, for the reviewer."""


@dataclass(frozen=True)
class Sheet:
    """A table of text under its name."""

    name: str
    columns: Sequence[str]
    rows: list[tuple[str, ...]]


def sheets(facts: Facts) -> list[Sheet]:
    """All of a review, each owner's identities together and those of nobody last."""
    proposals = [(reviewed, propose(reviewed, facts)) for reviewed in facts.identities]
    identities = [_identity(reviewed, proposed, facts) for reviewed, proposed in proposals]
    rights = [_right(reviewed, right) for reviewed, _ in proposals for right in reviewed.rights]
    decisions = [_decision(reviewed, each) for reviewed, proposed in proposals for each in proposed]
    return [
        Sheet("Summary", ("what", "value"), _summary(facts, proposals)),
        Sheet("Identities", IDENTITIES, identities),
        Sheet("Entitlements", ENTITLEMENTS, rights),
        Sheet("Decisions", DECISIONS, decisions),
    ]


def _summary(facts: Facts, proposals: list[tuple[Reviewed, list[Proposed]]]) -> list[tuple[str, ...]]:
    counts = Counter(each.decision for _, proposed in proposals for each in proposed)
    owners = Counter(_owner(reviewed) for reviewed, _ in proposals)
    drift = Counter(str(row["kind"]) for reviewed, _ in proposals for row in reviewed.drift)
    rows: list[tuple[str, ...]] = [
        ("judged as of", _when(facts.as_of)),
        ("logs of activity complete from", _when(facts.window.seen_from)),
        ("logs of activity complete until", _when(facts.window.complete_until)),
        ("identities", f"{len(proposals):,}"),
        *((f"identities of {owner}", f"{n:,}") for owner, n in owners.items()),
        *((f"rights proposed to {decision}", f"{counts[decision]:,}") for decision in ("keep", "narrow", "revoke")),
        *((f"drift: {kind}", f"{n:,}") for kind, n in sorted(drift.items())),
        ("revoke", "not used in 90 days of complete logs, and nothing of it is approved"),
        ("narrow", "wider than its use, and not approved as it is"),
        ("keep", "approved; or as narrow as its use; or the logs cannot show whether it is used"),
        ("to answer", "fill in decision (keep, narrow, revoke, exception), reason, until and reviewer in Decisions, "
         "save that table as CSV, then: ultravires review --apply decisions.csv"),
    ]  # fmt: skip
    if not any(counts.values()):
        rows.append(("nothing to decide", "no log here shows what these identities were granted"))
    return rows


def _identity(reviewed: Reviewed, proposed: list[Proposed], facts: Facts) -> tuple[str, ...]:
    least = least_of_identity(reviewed, proposed, facts)
    decision = of_identity(proposed)
    counts = Counter(each.decision for each in proposed)
    because = ", ".join(f"{n:,} to {name}" for name, n in sorted(counts.items()))
    used = dict.fromkeys(use.permission for use in reviewed.uses)
    return (
        _owner(reviewed),
        reviewed.identity_id,
        reviewed.name or "",
        reviewed.identity_kind or "unknown",
        reviewed.risk_tier or "",
        _when(reviewed.last_seen_at),
        f"{len(reviewed.approved) + len(reviewed.approved_roles)}",
        f"{len(reviewed.granted)}",
        f"{len(used)}",
        f"{len(reviewed.drift)}",
        _listed(
            [*map(_right_words, reviewed.approved), *(f"what {each.role} gave" for each in reviewed.approved_roles)],
            str,
        ),
        _listed(reviewed.granted, _right_words),
        _listed(used, str),
        _listed(reviewed.drift, lambda row: str(row["sentence"])),
        decision or "",
        because or "nothing that it holds is known",
        _policy(least),
        _left_out(least),
    )


def _right(reviewed: Reviewed, right: Right) -> tuple[str, ...]:
    return (
        _owner(reviewed),
        reviewed.identity_id,
        right.layer,
        right.entitlement_id,
        right.effect,
        right.action_pattern or "",
        right.resource_pattern or "",
        ", ".join(right.except_actions),
        ", ".join(right.except_resources),
        right.scope_uid or "",
        right.condition or "",
        " > ".join(right.path),
        _when(right.valid_from) if right.valid_from else "before the logs",
        _when(right.valid_until) if right.valid_until else "",
        right.cause_actor_uid or "",
        right.event_id or "",
        right.approval_uid or "",
        right.power or "",
    )


def _decision(reviewed: Reviewed, proposed: Proposed) -> tuple[str, ...]:
    right = proposed.right
    used = dict.fromkeys(use.permission for use in proposed.uses)
    return (
        _owner(reviewed),
        reviewed.identity_id,
        right.entitlement_id,
        right.action_pattern or "",
        right.resource_pattern or "",
        right.scope_uid or "",
        right.condition or "",
        " > ".join(right.path),
        _when(right.valid_from) if right.valid_from else "before the logs",
        right.cause_actor_uid or "",
        proposed.approved_by or right.approval_uid or "",
        right.power or "",
        _listed(used, str),
        _last(proposed.uses),
        proposed.decision,
        proposed.reason,
        _instead(proposed),
        _left_out(proposed.least),
        *("" for _ in ANSWERED_IN),
    )


def _instead(proposed: Proposed) -> str:
    """What would do: a policy for AWS, elsewhere the actions that were used."""
    if proposed.decision != "narrow":
        return ""
    if is_of_aws(proposed.right):
        return _policy(proposed.least)
    return "used: " + _listed(dict.fromkeys(use.permission for use in proposed.uses), str)


def _policy(least: LeastPrivilege | None) -> str:
    return json.dumps(least.policy, indent=1) if least is not None and least.policy is not None else ""


def _left_out(least: LeastPrivilege | None) -> str:
    return _listed(least.left_out, str) if least is not None else ""


def _owner(reviewed: Reviewed) -> str:
    return reviewed.owner or NO_OWNER


def _right_words(right: Right) -> str:
    what = right.action_pattern if right.effect == "allow" else f"{right.effect} {right.action_pattern or ''}".strip()
    return f"{what} on {right.resource_pattern or right.scope_uid or 'unknown'}"


def _listed(items: Iterable[Thing], words: Callable[[Thing], str]) -> str:
    told = list(dict.fromkeys(map(words, items)))
    more = f"\nand {len(told) - MOST_LISTED:,} more" if len(told) > MOST_LISTED else ""
    return "\n".join(told[:MOST_LISTED]) + more


def _last(uses: list[Use]) -> str:
    return _when(max(use.last_at for use in uses)) if uses else ""


def _when(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment else ""
