"""docs/tables.md says what the sources emit: key kinds and their roles, members of `detail`, words, actions."""

import re
from typing import Any

import pytest
from conftest import REPO
from source_samples import SAMPLES, expected_events, source
from ultravires.schema import KEY_ROLES

TABLES = (REPO / "docs" / "tables.md").read_text(encoding="utf-8")
EMITTED: list[tuple[str, dict[str, Any]]] = [(name, event) for name in SAMPLES for event in expected_events(name)]


def documented_keys() -> dict[str, set[str]]:
    """Key kind -> the roles for which its row says something."""
    found: dict[str, set[str]] = {}
    for line in TABLES[TABLES.index("| key kind | value |") :].split("\n\n")[0].splitlines()[2:]:
        kind, _, *roles = (cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|"))
        assert kind not in found, f"{kind} has two rows"
        found[kind] = {role for role, said in zip(("names", "uses", "carries"), roles, strict=True) if said}
    return found


def documented_members(kind: str) -> set[str]:
    """The members of `detail` of this kind of event."""
    found = re.search(rf"^- {kind}\b[^{{]*`\{{([^}}]*)\}}`", TABLES, re.MULTILINE)
    assert found is not None
    return set(found[1].split(", "))


def test_every_key_a_source_emits_is_documented_in_its_role() -> None:
    """A key that no row describes joins nothing, or something nobody thought of."""
    known = documented_keys()
    assert set().union(*known.values()) == set(KEY_ROLES)
    emitted = {(key[0], key[2]) for _, event in EMITTED for key in event.get("keys", [])}
    assert sorted((kind, role) for kind, role in emitted if role not in known.get(kind, set())) == []


def test_every_key_kind_that_a_source_announces_is_documented() -> None:
    """`join_keys` names only kinds of the table."""
    announced = {kind for name in SAMPLES for kind in source(name).join_keys}
    assert sorted(announced - set(documented_keys())) == []


@pytest.mark.parametrize("kind", ["approval", "decision", "tool_call", "activity", "inventory"])
def test_every_member_of_detail_is_documented(kind: str) -> None:
    """What SQL may read of `detail` stands on the page."""
    emitted = {member for _, event in EMITTED if event["kind"] == kind for member in event.get("detail", {})}
    assert emitted and sorted(emitted - documented_members(kind)) == []


@pytest.mark.parametrize(
    ("kind", "member"),
    [
        ("tool_call", "operation"),
        ("tool_call", "result_status"),
        ("decision", "result"),
        ("approval", "status"),
        ("approval", "origin"),
        ("activity", "issued_kind"),
        ("activity", "credential_kind"),
        ("inventory", "captured_by"),
    ],
)
def test_every_word_of_a_closed_list_is_documented(kind: str, member: str) -> None:
    """Members with few values have them on the line of their kind."""
    (line,) = (line for line in TABLES.splitlines() if re.match(rf"- {kind}\b", line))
    said = set(re.findall(r"[a-z_]+", line.partition("}`")[2]))
    emitted = {event.get("detail", {}).get(member) for _, event in EMITTED if event["kind"] == kind} - {None}
    assert emitted and emitted <= said


def test_every_log_with_activities_says_how_its_actions_read() -> None:
    """An approval's patterns and the configuration are written in these words."""
    lines = TABLES[TABLES.index("| log | action |") :].split("\n\n")[0].splitlines()[2:]
    forms = {log: re.findall(r"`([^`]*)`", said) for log, said in (line.strip("| ").split(" | ", 1) for line in lines)}
    acting = {name for name, event in EMITTED if event["kind"] == "activity"}
    assert set(forms) == acting
    strange = [
        (name, event["action"])
        for name, event in EMITTED
        if event["kind"] == "activity" and not any(_reads_as(form, event["action"]) for form in forms[name])
    ]
    assert strange == []


def _reads_as(form: str, action: str) -> bool:
    """Whether an action has this form, in which `<...>` stands for words and `[...]` may be missing."""
    pattern = re.sub(r"<[^>]*>", "\0", form)
    pattern = re.escape(pattern).replace(r"\[", "(?:").replace(r"\]", ")?").replace("\0", ".+")
    return re.fullmatch(pattern.replace(re.escape("\0"), ".+"), action) is not None
