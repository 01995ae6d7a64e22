"""What is proposed for a right, by principles that are stated here and not by a score.

revoke  not used in 90 days of complete logs, and nothing of it is approved
narrow  wider than its use, and not approved as it is
keep    approved; or as narrow as its use; or the logs cannot show whether it is used

What the logs cannot show is never proposed away.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

from ultravires_models.policies.patterns import action_matches

from ultravires.review.aws_actions import unseen_data_actions
from ultravires.review.facts import Facts, Reviewed, Right, Use, Window
from ultravires.review.least_privilege import LeastPrivilege, least_privilege
from ultravires.review.matching import has_variable, is_wide, is_within, is_within_any, uses_of

Decision = Literal["keep", "narrow", "revoke"]
WAIT = timedelta(days=90)
"""As long as the clouds' own analyzers wait before they call a right unused."""
_NOT_COVERED = "no approval that was read covers it"


@dataclass(frozen=True)
class Proposed:
    """A decision for one right, with its reason, by what it was used, and for narrow what would do instead."""

    right: Right
    decision: Decision
    reason: str
    uses: list[Use]
    least: LeastPrivilege | None = None
    approved_by: str | None = None


def propose(reviewed: Reviewed, facts: Facts) -> list[Proposed]:
    """For each right that the identity holds."""
    unseen = unseen_data_actions(facts.shown) if any(map(is_of_aws, reviewed.granted)) else []
    return [_propose(right, reviewed, facts, unseen) for right in reviewed.granted]


def of_identity(proposed: list[Proposed]) -> Decision | None:
    """What is proposed for all of it together; None of one that holds nothing."""
    decisions = {each.decision for each in proposed}
    if not decisions:
        return None
    return "narrow" if len(decisions) > 1 else decisions.pop()


def least_of_identity(reviewed: Reviewed, proposed: list[Proposed], facts: Facts) -> LeastPrivilege | None:
    """One policy in place of all rights that are to be narrowed; None where there is none of AWS."""
    narrowed = [each.right for each in proposed if each.decision == "narrow" and is_of_aws(each.right)]
    return _least(narrowed, reviewed, reviewed.uses, unseen_data_actions(facts.shown)) if narrowed else None


def is_of_aws(right: Right) -> bool:
    """Whether its holder is a principal of AWS, so that a policy can be written for it."""
    return right.holder_uid.startswith("arn:aws")


def _propose(right: Right, reviewed: Reviewed, facts: Facts, unseen: list[str]) -> Proposed:
    uses = uses_of(right, reviewed)
    approval = _approval_of(right, reviewed)
    if approval is not None:
        approval_uid, approver = approval
        told = f"approved by {approver or 'somebody'} ({approval_uid}), {_used_words(uses)}"
        return Proposed(right, "keep", told, uses, approved_by=approval_uid)
    return _propose_unapproved(right, uses, reviewed, facts, unseen)


def _approval_of(right: Right, reviewed: Reviewed) -> tuple[str, str | None] | None:
    """The approval that covers all of it, and who gave it: by what it lists, or by a role that it names."""
    listed = is_within_any(right, reviewed.approved)
    if listed is not None:
        return listed.approval_uid or "no id", listed.cause_actor_uid
    named = next((each for each in reviewed.approved_roles if each.approves(right)), None)
    return (named.approval_id.removeprefix("approval:"), named.approved_by) if named is not None else None


def _propose_unapproved(right: Right, uses: list[Use], reviewed: Reviewed, facts: Facts, unseen: list[str]) -> Proposed:
    unknown, used = _unknown(right, facts), _used_words(uses)
    partly = [each for each in reviewed.approved if is_within(each, right)]
    if not partly and not any(_is_recent(use, facts.window) for use in uses):
        if unknown := unknown or _unseen_of(right, unseen):
            return Proposed(right, "keep", f"unknown: {unknown}", uses)
        return Proposed(right, "revoke", f"{used} in {_days(facts.window)}, and {_NOT_COVERED}", uses)
    if not is_wide(right):
        return Proposed(right, "keep", f"{used}, and no wider than its use; {_NOT_COVERED}", uses)
    least = _least([right], reviewed, uses, unseen) if is_of_aws(right) else None
    if least is not None and least.policy is None:
        unknown = unknown or "no narrower policy can be made of its use"
    if unknown:
        return Proposed(right, "keep", f"unknown: {unknown}; {used}", uses)
    covered = f"{len(partly):,} approved pattern{_s(len(partly))} covered by it" if partly else _NOT_COVERED
    unread = "" if least is not None else "; of acts that its logs do not record nothing is known"
    return Proposed(right, "narrow", f"wider than its use: {used}; {covered}{unread}", uses, least)


def _least(rights: list[Right], reviewed: Reviewed, uses: list[Use], unseen: list[str]) -> LeastPrivilege:
    return least_privilege(
        rights,
        denies=[right for right in reviewed.rights if right.effect == "deny"],
        uses=uses,
        approved=reviewed.approved,
        unseen=unseen,
    )


def _unknown(right: Right, facts: Facts) -> str | None:
    """Why the logs cannot show whether it is used; None where they can."""
    window = facts.window
    if window.seen_from is None or window.complete_until is None:
        return _unread(right) or "no log of activity was read"
    reach = window.complete_until - max(filter(None, (right.valid_from, window.seen_from)))
    if reach < WAIT:
        short = f"the logs show {max(0, reach.days)} of the {WAIT.days} days in which it would have to be used"
        return _unread(right) or short
    is_seen = _is_shown(facts.shown, right.action_pattern or "", tuple(right.except_actions))
    return _unread(right) or (None if is_seen else "no log shows such an action of anybody, and may not record it")


@lru_cache(maxsize=10_000)
def _is_shown(shown: frozenset[str], pattern: str, excepted: tuple[str, ...]) -> bool:
    """Whether the logs show such an action of anybody; many hold the same policy."""
    return any(
        action_matches(pattern, action) and not any(action_matches(each, action) for each in excepted)
        for action in shown
    )


def _unread(right: Right) -> str | None:
    """What is not known of the right itself."""
    if right.effect != "allow" or right.action_pattern is None:
        return "what it allows could not be read"
    if right.is_reported or not right.is_certain:
        return "it is not certain that it is held"
    return "on what it is held depends on who asks" if has_variable(right.resource_pattern or "") else None


def _unseen_of(right: Right, unseen: list[str]) -> str | None:
    """A log of management events shows nothing of the data that a right gives beside."""
    if right.action_pattern is None or not is_of_aws(right):
        return None
    hidden = [action for action in unseen if action_matches(right.action_pattern, action)]
    return f"it gives {hidden[0]} too, and no log shows data events of that service" if hidden else None


def _is_recent(use: Use, window: Window) -> bool:
    return window.complete_until is None or use.last_at >= window.complete_until - WAIT


def _used_words(uses: list[Use]) -> str:
    if not uses:
        return "not used"
    actions = len({use.permission for use in uses})
    times = sum(use.n for use in uses)
    words = f"{times:,} time{_s(times)} by {actions:,} action{_s(actions)}"
    return f"used {words}, last {_day(max(use.last_at for use in uses))}"


def _s(n: int) -> str:
    return "" if n == 1 else "s"


def _days(window: Window) -> str:
    return f"{WAIT.days} days of complete logs until {_day(window.complete_until)}"


def _day(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}" if moment else "unknown"
