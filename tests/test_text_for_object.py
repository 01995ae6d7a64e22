"""An object that a shipper wrote as JSON text costs nothing; what cannot be taken out of the text is no default."""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import as_lines, claimed_by, quarantined, replaced_at, rows, sample_records, source, values_in
from ultravires import registry

each_source = pytest.mark.parametrize("name", sorted(registry.sources()))
NO_OBJECTS = {
    "otel_genai": "the protocol's own libraries write the envelope; attributes that hold JSON as text are usual",
    **{
        name: "an export is a file that a command wrote, and no shipper takes it apart"
        for name, found in registry.sources().items()
        if found.dated_by_file
    },
}
"""Sources without a field in which an object could be written as text, each with the reason."""
ANY = "*"
NOT_DECLARED = {
    "anthropic_audit": {"scopes": "not looked at"},
    "aws_team": {ANY: "in DynamoDB's JSON every member is an object of its own"},
    "bedrock_agentcore": {"scope": "not looked at"},
    "cedar_decisions": {
        "User": "named after a type",
        "Workload": "named after a type",
        "tokens": "not looked at",
        "errors": "not looked at",
    },
    "github_audit": {"secrets_passed": "not looked at"},
    "jira_approvals": {ANY: "fields have names of their own in every installation"},
    "kubernetes_audit": {"subscriptionFilters": "not looked at", "logEvents": "the array of a delivery"},
    "mcp_gateway": {"answers": "what the reader adds"},
    "ocsf": {"database": "not looked at", "privileges": "not looked at"},
    "openai_audit": {ANY: "what happened stands in a member named after the type"},
    "otel_genai": {ANY: NO_OBJECTS["otel_genai"]},
    "servicenow_approvals": {ANY: "every field may come with its display value"},
    **{name: {ANY: reason} for name, reason in NO_OBJECTS.items() if name.endswith("_snapshot")},
}
"""Objects of the samples that their source does not declare, each with the reason."""


def objects_in(name: str, record: dict[str, Any]) -> list[tuple[tuple[Any, ...], Any]]:
    """Where the record has one of the objects that its source declares, and the object."""
    declared = {tuple(path.split(".")) for path in source(name).objects}
    return [(path, value) for path, value in values_in(record) if path in declared and isinstance(value, (dict, list))]


def without_hash(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "raw_hash": None}


@each_source
def test_an_object_written_as_text_means_the_same(name: str, tmp_path: Path) -> None:
    """Each one that the source declares in turn, and all of them: the same events, and the same `raw`."""
    n_objects = 0
    for record in sample_records(name):
        expected = [without_hash(row) for row in rows(name, as_lines([record]), tmp_path)]
        every = record
        for path, value in reversed(objects_in(name, record)):
            n_objects += 1
            changed = replaced_at(record, path, json.dumps(value))
            found = [without_hash(row) for row in rows(name, as_lines([changed]), tmp_path)]
            assert found == expected, path
            every = replaced_at(every, path, json.dumps(value))
        found = rows(name, as_lines([every]), tmp_path)
        assert [without_hash(row) for row in found] == expected
    assert n_objects or name in NO_OBJECTS


@each_source
def test_a_file_of_objects_written_as_text_is_recognised(name: str) -> None:
    """Of each field in turn: also where all records have it so."""
    records = sample_records(name)
    for path in {path for record in records for path, _ in objects_in(name, record)}:
        changed = []
        for record in records:
            known = dict(objects_in(name, record))
            changed.append(replaced_at(record, path, json.dumps(known[path])) if path in known else record)
        assert claimed_by(as_lines(changed)) == [name], path


@pytest.mark.cross
@each_source
@pytest.mark.parametrize("text", ["{broken", '["cut o', "{type=AssumedRole, arn=arn:aws}"])
def test_text_that_begins_as_json_and_is_none_is_quarantine(name: str, text: str, tmp_path: Path) -> None:
    """With a reason that names the field; no event that assumes something."""
    for record in sample_records(name):
        if not rows(name, as_lines([record]), tmp_path):
            continue
        for path, _ in objects_in(name, record):
            data = as_lines([replaced_at(record, path, text)])
            assert rows(name, data, tmp_path) == [], path
            (refused,) = quarantined(name, data, tmp_path)
            assert refused.reason == f"{'.'.join(path)} is text that is no JSON"


@each_source
def test_any_other_text_is_quarantine_where_nobody_would_be_left(name: str, tmp_path: Path) -> None:
    """Where an object says who acted or how it ended."""
    never_text = source(name).never_text
    assert never_text <= set(source(name).objects)
    for record in sample_records(name):
        if not rows(name, as_lines([record]), tmp_path):
            continue
        for path, _ in objects_in(name, record):
            if ".".join(path) in never_text:
                data = as_lines([replaced_at(record, path, "somebody")])
                assert rows(name, data, tmp_path) == [], path
                assert [row.reason for row in quarantined(name, data, tmp_path)] == [
                    f"{'.'.join(path)} is text where an object belongs"
                ]


@each_source
def test_every_object_of_the_sample_is_declared(name: str) -> None:
    """Or there is a reason why it cannot come as text, or means nothing."""
    declared = {path.partition(".")[0] for path in source(name).objects}
    found = {
        member for record in sample_records(name) for member, value in record.items() if type(value) in (dict, list)
    }
    left_out = NOT_DECLARED.get(name, {})
    assert ANY in left_out or found - declared == set(left_out)
