"""What acts do: the packaged tables are in the shared words, and no act that changes something is forgotten."""

import fnmatch
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from source_samples import SAMPLES, rows
from third_party import third_party_events
from ultravires.build.action_effects import ActionEffect, action_effects, actions_without_effect
from ultravires.build.reference import reference_tables
from ultravires.reading.effects import EFFECTS, POWERS, TARGET_KINDS, Effect, Power, TargetKind, effect, no_effect
from ultravires.settings import Settings
from ultravires.sources.action_words import iam_services, main_permissions

SYSTEMS = sorted({row.system for row in action_effects()})
READING = 2
"""OCSF's activity of the classes 6001 and 6003."""


@pytest.mark.parametrize("system", SYSTEMS)
def test_rows_are_in_the_shared_words(system: str) -> None:
    for row in of_system(system):
        assert row.effect in EFFECTS and row.target in TARGET_KINDS, row
        assert row.power is None or row.power in POWERS, row
        assert row.action == row.action.strip() and row.action not in ("", "*"), row


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_row_has_the_page_that_says_so(system: str) -> None:
    assert [row for row in of_system(system) if not re.fullmatch(r"https://[\w.-]+/\S*", row.page)] == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_action_has_each_effect_once(system: str) -> None:
    counted = Counter((row.action.lower(), row.effect, row.target) for row in of_system(system))
    assert [key for key, n in counted.items() if n > 1] == []
    privileged = {row.action for row in of_system(system) if row.is_privileged}
    # one row says it for the action: two that differ would hide which
    assert all(row.is_privileged for row in of_system(system) if row.action in privileged)


def test_the_words_of_types_and_tables_are_the_same() -> None:
    assert set(get_args(Effect)) == set(EFFECTS)
    assert set(get_args(TargetKind)) == set(TARGET_KINDS)
    assert set(get_args(Power)) == set(POWERS)


def test_the_table_for_sql_has_every_row() -> None:
    table = reference_tables(Settings(), [])["action_effects"]
    assert len(table) == len({(row.action, row.effect, row.target) for row in action_effects()})  # type: ignore[arg-type]


def test_what_a_record_says_of_an_effect() -> None:
    assert effect("exposes", target="public") == {"effect": "exposes", "target": "public"}
    assert effect("grants_power", target="identity", uids=["a", "a", "b"], power="admin") == {
        "effect": "grants_power",
        "target": "identity",
        "uids": ["a", "b"],
        "power": "admin",
    }
    assert no_effect("exposes") == {"effect": "exposes", "absent": True}


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_change_in_a_sample_has_an_effect_or_a_reason_why_not(name: str, tmp_path: Path) -> None:
    events = [event for event in rows(name, SAMPLES[name], tmp_path) if changes_something(event)]
    assert sorted({event["action"] for event in events if not is_explained(event)}) == []


@pytest.fixture(scope="module")
def of_third_parties(third_party: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, dict[str, Any]]]:
    return third_party_events(third_party, tmp_path_factory.mktemp("third_party"))


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_change_in_third_party_logs_has_an_effect_or_a_reason_why_not(
    name: str, of_third_parties: list[tuple[str, dict[str, Any]]]
) -> None:
    events = [event for source, event in of_third_parties if source == name and changes_something(event)]
    assert sorted({event["action"] for event in events if not is_explained(event)}) == []


def test_reasons_are_said_and_needed() -> None:
    """A pattern that is in a table of effects has an effect, and no reason to have none."""
    assert all(because and because[0].islower() for because in actions_without_effect().values())
    assert [action for action in actions_without_effect() if of_action(action)] == []


def of_system(system: str) -> list[ActionEffect]:
    return [row for row in action_effects() if row.system == system]


def changes_something(event: dict[str, Any]) -> bool:
    if event["kind"] not in ("activity", "credential") or not event["action"]:
        return False
    return not (event["class_uid"] in (6001, 6003) and event["activity_id"] == READING)


def is_explained(event: dict[str, Any]) -> bool:
    said = event["detail"].get("effects") or event["detail"].get("grants") or event["issued_credential_uid"]
    return bool(said) or any(of_action(name) or has_reason(name) for name in names_of(event))


def names_of(event: dict[str, Any]) -> set[str]:
    """What the act is called in its log, and where it is granted: without the version of an API, by IAM's services."""
    logged = event["action"]
    plain = re.sub(r"([0-9]{8}(v[0-9]+)?|[0-9]{4}_[0-9]{2}_[0-9]{2})$", "", logged)
    service, _, name = plain.partition(":")
    granted = f"{iam_services().get(service, service)}:{name}"
    words = {logged, granted, event["detail"].get("permission"), main_permissions().get(plain.lower())}
    return {word for word in words if word}


@cache
def of_action(action: str) -> tuple[ActionEffect, ...]:
    return tuple(row for row in action_effects() if fits(action, row.action))


@cache
def has_reason(action: str) -> bool:
    return any(fits(action, pattern) for pattern in actions_without_effect())


def fits(action: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(action.lower(), pattern.lower().replace("[", "[[]"))
