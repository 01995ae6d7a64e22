"""What each action does, for every system one table beside this file: `reading/effects.py` has the words.

`action` is an action in the words of its log or those in which it is granted, or a pattern with `*` and `?`; the most
special of several patterns does not win, all count. `target` is a kind of target; `power` that of what it gives where
the action alone says it; `privileged` says whether who does it has or takes more power than a task needs, or takes
evidence away; `page` is the vendor's page that says so. An action with several effects has several rows.

The tables of `without_effect` list what changes something and has none of these effects, with the reason.
"""

import csv
from functools import cache
from pathlib import Path
from typing import NamedTuple

_FOLDER = Path(__file__).parent


class ActionEffect(NamedTuple):
    """One row of a table."""

    action: str
    effect: str
    target: str
    power: str | None
    is_privileged: bool
    page: str
    system: str


@cache
def action_effects() -> tuple[ActionEffect, ...]:
    """All rows of all systems."""
    return tuple(
        ActionEffect(
            action=row["action"],
            effect=row["effect"],
            target=row["target"],
            power=row["power"] or None,
            is_privileged=row["privileged"] == "yes",
            page=row["page"],
            system=path.stem,
        )
        for path in sorted(_FOLDER.glob("*.csv"))
        for row in _rows(path)
    )


def privileged_actions() -> list[str]:
    """Patterns of actions, tried or done, that give power (roles, policies, trust, credentials, code under the role of
    something that stands already, a secret that is read) or take evidence away. IAM's permissions management is not
    repeated.
    """
    return list(dict.fromkeys(row.action for row in action_effects() if row.is_privileged))


def power_of_privileged() -> dict[str, str]:
    """Privileged action -> the power of whoever may do it. A right to read is one over data, also where what is read is
    a secret: what that opens is seen where it is used. Otherwise its rows say so.
    """
    said: dict[str, list[str]] = {}
    for row in action_effects():
        if row.is_privileged:
            of_reading = "data" if row.effect == "reads_secret" else "permissions"
            said.setdefault(row.action, []).append(row.power or of_reading)
    return {action: "data" if set(powers) <= {"data", "none"} else "permissions" for action, powers in said.items()}


@cache
def actions_without_effect() -> dict[str, str]:
    """Patterns of actions that change something, and why that is none of the effects."""
    paths = sorted((_FOLDER / "without_effect").glob("*.csv"))
    return {row["action"]: row["because"] for path in paths for row in _rows(path)}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
