"""Ways to more power that what somebody holds leaves open, one row of a `.csv` per way.

`permissions` are needed all, each with what it has to be allowed on: `target` (whom the way reaches), `policy` (one
that is attached to the target), or `any` (something of the service, old or new). `who` can go it; `target` is whom it
reaches: a role, another user, a group, the holder itself, a group of its own, or none that a log names. `trusts` is
who has to stand in the trust of the target, a service or the holder. `gives` is the power at its end: everything
(`admin there`: within the scope of the right), that of the target, or nobody knows. `page` says what it rests on.

The ids and permissions of AWS are those of pathfinding.cloud (https://pathfinding.cloud, Apache-2.0).
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

On = Literal["target", "policy", "any"]

_ON: dict[str, On] = {"target": "target", "policy": "policy", "any": "any"}
_FOLDER = Path(__file__).parent
_HOLDERS = {
    "user": "^arn:aws[^:]*:iam::[0-9]*:user/",
    "role": "^arn:aws[^:]*:iam::[0-9]*:role/",
    "user or role": "^arn:aws[^:]*:iam::[0-9]*:(user|role)/",
    "group": "^arn:aws[^:]*:iam::[0-9]*:group/",
    "own group": "^arn:aws[^:]*:iam::[0-9]*:group/",
}
"""How the names of those begin who can go a way of AWS, or whom it reaches."""
_RESOURCES_OF = {"ssm": "(ssm|ec2)", "ec2-instance-connect": "(ec2-instance-connect|ec2)"}
"""Services whose actions are on things of another one."""
_MUTE = ("iam:PassRole", "ec2:DescribeInstances")
"""No first step: passing a role is no event of its own, and looking around is none that tells."""


@dataclass(frozen=True)
class Needed:
    """One permission of a way, what it has to be allowed on, and what the pattern of its resources has to look like."""

    permission: str
    on: On
    resource_pattern: str


@dataclass(frozen=True)
class EscalationPath:
    """A way to more power. Patterns are regular expressions; `holder_pattern` is None where names say nothing."""

    path_id: str
    system: str
    kind: str
    name: str
    needed: tuple[Needed, ...]
    holder_pattern: str | None
    target: str
    target_pattern: str | None
    trusts: str | None
    gives: str
    is_within_scope: bool
    needs: str | None
    page: str

    @property
    def first_step(self) -> str:
        """The first of its permissions whose use a log shows."""
        return next(each.permission for each in self.needed if each.permission not in _MUTE)


@cache
def escalation_paths() -> tuple[EscalationPath, ...]:
    """All packaged ways, in the order of their files."""
    return tuple(path for file in sorted(_FOLDER.glob("*.csv")) for path in _read(file))


def _read(file: Path) -> list[EscalationPath]:
    with file.open(encoding="utf-8", newline="") as opened:
        return [_path(row) for row in csv.DictReader(opened)]


def _path(row: dict[str, str]) -> EscalationPath:
    return EscalationPath(
        path_id=row["path_id"],
        system=row["system"],
        kind=row["kind"],
        name=row["name"],
        needed=tuple(_needed(each, row["system"]) for each in row["permissions"].split("; ")),
        holder_pattern=_HOLDERS.get(row["who"]),
        target=row["target"],
        target_pattern=_HOLDERS.get(row["target"]),
        trusts=row["trusts"] or None,
        gives=row["gives"].removesuffix(" there"),
        is_within_scope=row["gives"].endswith(" there"),
        needs=row["needs"] or None,
        page=row["page"],
    )


def _needed(text: str, system: str) -> Needed:
    permission, _, on = text.rpartition(" on ")
    service = permission.partition(":")[0]
    pattern = f"^(\\*|arn:[^:]*:({_RESOURCES_OF.get(service, service)}|\\*):.*)$" if system == "aws" else "^.*$"
    return Needed(permission, _ON[on], pattern)
