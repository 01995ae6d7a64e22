"""The least policy of AWS that still gives what was used: made of use, and never more than what is held.

https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#grant-least-privilege
Each action on each thing is traced to a right that gives it; nothing else comes in, and so privileged and conditional
rights only where they were used, conditional ones under their conditions. Data is named by exact ARN; of more than
MOST_ARNS of one action those in one place are one pattern, and where these are still more, the pattern that is held.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ultravires_models.policies.patterns import action_covers, action_matches, covers, matches

from ultravires.review.aws_actions import Action, known_action, known_actions
from ultravires.review.facts import Right, Use
from ultravires.review.matching import gives_action, gives_resource, has_variable, is_comparable, is_wide, is_within

Json = dict[str, Any]
MOST_ARNS = 20
"""So many resources of one action a person can still read."""
_VERSION = "2012-10-17"
_USED, _APPROVED, _NOT_SHOWN = "Used", "Approved", "NotShownByLogs"


@dataclass(frozen=True)
class LeastPrivilege:
    """`policy` is None where there is nothing to allow; `left_out` says what was used and is not in it, and why."""

    policy: Json | None
    left_out: list[str]


@dataclass
class _Draft:
    """What is to be allowed: (why, condition, action) -> right -> resources, as a policy writes them."""

    denies: Sequence[Right]
    allowed: dict[tuple[str, str, str], dict[str, tuple[Right, set[str]]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    taken_back: dict[str, Json] = field(default_factory=dict)
    left_out: dict[str, None] = field(default_factory=dict)

    def allow(self, why: str, right: Right, action: str, resource: str, *, exact: str | None = None) -> bool:
        """Let the right give the action on `resource`; `exact` is its name where it is one thing. False where it may
        not: a deny may take it back, or its conditions cannot be written down.
        """
        condition = condition_of(right)
        if condition is None or not self._survives(action, exact):
            return False
        of_action = self.allowed[why, json.dumps(condition, sort_keys=True), action]
        of_action.setdefault(right.entitlement_id, (right, set()))[1].add(resource)
        return True

    def _survives(self, action: str, exact: str | None) -> bool:
        """Whether no deny takes it back for certain; one with conditions comes along."""
        reaching = [deny for deny in self.denies if _may_reach(deny, action, exact)]
        written = [_as_deny(deny) for deny in reaching]
        if None in written:
            return False
        self.taken_back |= {deny.entitlement_id: said for deny, said in zip(reaching, written, strict=True) if said}
        return True


def least_privilege(
    rights: Iterable[Right],
    *,
    denies: Sequence[Right] = (),
    uses: Iterable[Use] = (),
    approved: Iterable[Right] = (),
    unseen: Iterable[str] = (),
) -> LeastPrivilege:
    """What these rights have to go on giving: what was done by them, what is approved of it, and of actions that no log
    shows (`unseen`) what they give, since nobody knows whether it is used.
    """
    readable = [
        right for right in rights if right.effect == "allow" and right.action_pattern and right.resource_pattern
    ]
    held = sorted(readable, key=lambda right: (right.condition is not None, is_wide(right), right.entitlement_id))
    draft = _Draft(denies)
    giving: dict[str, list[Right]] = {}
    for use in uses:
        if use.n_done > 0:
            if use.permission not in giving:
                giving[use.permission] = [right for right in held if gives_action(right, use.permission)]
            _keep_use(draft, giving[use.permission], use)
    for each in approved:
        _keep_approved(draft, held, each)
    for name in unseen:
        for right in held:
            if gives_action(right, name):
                _keep_as_held(draft, _NOT_SHOWN, [right], name)
    statements = _statements(draft)
    return LeastPrivilege({"Version": _VERSION, "Statement": statements} if statements else None, list(draft.left_out))


def condition_of(right: Right) -> Json | None:
    """The conditions of a right as a policy has them, empty where it has none; None where they cannot be written so."""
    if right.condition is None:
        return {}
    try:
        listed = json.loads(right.condition)
    except ValueError:
        return None
    only = listed[0] if isinstance(listed, list) and len(listed) == 1 else None
    return only if isinstance(only, dict) and only and all(isinstance(each, dict) for each in only.values()) else None


def _keep_use(draft: _Draft, giving: list[Right], use: Use) -> None:
    if not giving:
        return  # another right gives it
    action = known_action(use.permission)
    if action is None:
        draft.left_out[f"{use.permission}: no action of AWS"] = None
        return
    resource = use.resource_uid
    if action.takes_resource and resource is not None and is_comparable(action.name, resource):
        exact = [right for right in giving if gives_resource(right, resource)]
        is_kept = any(
            draft.allow(_USED, right, action.name, _escaped(resource), exact=resource) for right in exact
        ) or _keep_as_held(
            draft, _USED, [right for right in giving if has_variable(right.resource_pattern or "")], action
        )
        is_ours = bool(exact)
    else:
        is_kept, is_ours = _keep_as_held(draft, _USED, giving, action), True
    if is_ours and not is_kept:
        draft.left_out[f"{action.name}: may be denied, or cannot be said in a policy of its own"] = None


def _keep_approved(draft: _Draft, held: list[Right], approved: Right) -> None:
    pattern, resource = approved.action_pattern or "", approved.resource_pattern or ""
    known = known_action(pattern)
    is_said_so = known is not None or (is_wide(approved) and known_actions(pattern))
    if approved.condition or approved.except_actions or approved.except_resources or not is_said_so:
        return
    if resource != "*" and not resource.startswith("arn:"):
        return
    for right in held:
        if right.condition is None and not right.except_actions and is_within(approved, right):
            draft.allow(_APPROVED, right, known.name if known else pattern, resource)
            return


def _keep_as_held(draft: _Draft, why: str, giving: list[Right], action: Action | str) -> bool:
    """On what the rights give it, where no single thing can be named."""
    known = known_action(action) if isinstance(action, str) else action
    kept = [
        draft.allow(why, right, known.name, right.resource_pattern)
        for right in giving
        if known is not None and right.resource_pattern is not None and not right.except_resources
        # What a policy cannot name the thing of is given by `*` alone.
        if (known.takes_resource and right.resource_pattern.startswith("arn:")) or right.resource_pattern == "*"
    ]
    return any(kept)


def _may_reach(deny: Right, action: str, exact: str | None) -> bool:
    """Whether a deny may speak of the action, which may be a pattern, on this thing, or on any where none is named."""
    if deny.effect != "deny":
        return False
    pattern = deny.action_pattern or "*"
    # Of two patterns it is not asked whether they meet.
    is_spoken_of = True if "*" in action or "?" in action else action_matches(pattern, action)
    is_left_out = any(action_covers(each, action) for each in deny.except_actions)
    if not is_spoken_of or is_left_out:
        return False
    of_resource = deny.resource_pattern or "*"
    if exact is None or has_variable(of_resource):
        return True
    if not matches(of_resource, exact, "resource"):
        return False
    return not any(matches(each, exact, "resource") and not has_variable(each) for each in deny.except_resources)


def _as_deny(deny: Right) -> Json | None:
    """A deny with conditions as a statement; None of one without, and of what cannot be written so."""
    condition = condition_of(deny)
    if not condition:
        return None
    action, resource = deny.action_pattern or "*", deny.resource_pattern or "*"
    if (deny.except_actions and action != "*") or (deny.except_resources and resource != "*"):
        return None
    actions = {"NotAction": sorted(deny.except_actions)} if deny.except_actions else {"Action": [action]}
    resources = {"NotResource": sorted(deny.except_resources)} if deny.except_resources else {"Resource": [resource]}
    return {"Effect": "Deny", **actions, **resources, "Condition": condition}


def _statements(draft: _Draft) -> list[Json]:
    """Actions on the same resources under the same conditions are one statement."""
    together: dict[tuple[str, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (why, condition, action), by_right in sorted(draft.allowed.items()):
        can_be_wider = not any(_may_reach(deny, action, None) for deny in draft.denies)
        resources: set[str] = set()
        for right, of_right in by_right.values():
            resources |= _grouped(of_right, right, can_be_wider=can_be_wider)
        together[why, condition, tuple(sorted(resources))].append(action)
    counted: defaultdict[str, int] = defaultdict(int)
    found = []
    for (why, condition, resources_of), actions in sorted(together.items()):
        counted[why] += 1
        said: Json = {"Sid": f"{why}{counted[why]}", "Effect": "Allow", "Action": actions}
        limits = json.loads(condition)
        found.append({**said, "Resource": list(resources_of), **({"Condition": limits} if limits else {})})
    if not found:
        return []
    denied = sorted(draft.taken_back.values(), key=lambda each: json.dumps(each, sort_keys=True))
    unique = [each for nth, each in enumerate(denied) if each not in denied[:nth]]
    return [*found, *unique]


def _grouped(resources: set[str], right: Right, *, can_be_wider: bool) -> set[str]:
    """The resources, or where they are many the places that they lie in, or what is held."""
    if len(resources) <= MOST_ARNS or not can_be_wider or right.except_resources or right.resource_pattern is None:
        return resources
    places = {
        place if covers(right.resource_pattern, place := _place(each), "resource") else each for each in resources
    }
    return places if len(places) <= MOST_ARNS else {right.resource_pattern}


def _place(resource: str) -> str:
    """Everything beside it: `arn:aws:s3:::bucket/in/a.csv` lies in `arn:aws:s3:::bucket/in/*`."""
    end = max(resource.rfind("/"), resource.rfind(":"))
    return f"{resource[: end + 1]}*"


def _escaped(resource: str) -> str:
    """A name as a policy writes it: one that has a star in it is no pattern.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
    """
    return "".join(f"${{{each}}}" if each in "*?$" else each for each in resource)
