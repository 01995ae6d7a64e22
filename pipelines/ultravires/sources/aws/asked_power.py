"""What power a call asks for, and for whom. What it changed is said as grants where it succeeded; that somebody tried
in vain to make themself an administrator stands in the request alone.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachUserPolicy.html and its sisters
"""

from functools import partial
from typing import Any

from ultravires.reading.effects import Json, Power, effect
from ultravires.reading.values import mapping, sequence, text
from ultravires.sources.aws.asked import MOST_ITEMS, Effects
from ultravires.sources.aws.changes import Change, iam_arn, identifier, member
from ultravires.sources.aws.policies import statements_of

_MANAGED: dict[str, Power] = {"AdministratorAccess": "admin", "IAMFullAccess": "permissions"}
"""https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html"""
_NAMES = {"user": "userName", "role": "roleName", "group": "groupName"}


def _given(kind: str, change: Change, power: Power | None) -> list[Json]:
    holder = iam_arn(change, kind, identifier(change.request, _NAMES[kind]))
    return [effect("grants_power", target="identity", uids=[holder], power=power)] if holder else []


def _attached(kind: str, change: Change) -> list[Json]:
    prefix, _, name = (text(member(change.request, "policyArn")) or "").rpartition("/")
    return _given(kind, change, _MANAGED.get(name) if prefix.endswith("::aws:policy") else None)


def _put(kind: str, change: Change) -> list[Json]:
    is_admin = any(map(_is_of_everything, _statements(change)[:MOST_ITEMS]))
    return _given(kind, change, "admin" if is_admin else None)


def _statements(change: Change) -> list[Any]:
    return sequence(statements_of(member(change.request, "policyDocument")))


def _is_of_everything(statement: Any) -> bool:
    said = mapping(statement)
    is_all = all("*" in sequence(said.get(name)) for name in ("actions", "resources"))
    return is_all and said.get("effect") == "allow" and not said.get("condition")


ASKED_POWER: dict[str, Effects] = {
    **{f"iam:Attach{kind.title()}Policy": partial(_attached, kind) for kind in _NAMES},
    **{f"iam:Put{kind.title()}Policy": partial(_put, kind) for kind in _NAMES},
}
"""Action -> the power that its call asks for."""
