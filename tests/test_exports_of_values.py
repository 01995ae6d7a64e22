"""Exports that change how a record's values are written: every source's sample gives the same events so.

BigQuery and spreadsheets write numbers and truth as text; data frames, searches that print a table and
Elastic's Discover take objects apart, and the names of their members say with dots what was within what.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import OPTIONS, as_lines, sample_records, source
from test_exports import NAMES, comparable, events, read
from ultravires import registry
from ultravires.reading.dotted_names import DOTTED_NAMES, has_objects_apart, nested
from ultravires.reading.input_file import read_file
from ultravires.reading.locations import local_file

OF_ONE_DOCUMENT = {name for name, found in registry.sources().items() if found.dated_by_file}
"""An export is a file that a command wrote."""
NOT_APART = {
    **dict.fromkeys(OF_ONE_DOCUMENT, "an export is a file that a command wrote"),
    "aws_team": "DynamoDB's JSON has an object for each value",
    "bedrock_agentcore": "attributes are names with dots, also where they are within an object",
    "github_environment_approvals": "a webhook is delivered as it is",
    "jira_approvals": "a page of issues is objects in arrays",
    "kubernetes_audit": "names of annotations and of extra fields have dots",
    "mcp_gateway": "names of headers and of metadata have dots",
    "ocsf": "what a mapping left over has names with dots",
    "otel_genai": "OTLP has arrays of attributes",
    "servicenow_approvals": "names with dots are ServiceNow's own way to follow a reference",
}
"""Logs whose records mean something else when they are taken apart, or never are, each with the reason."""


def as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: as_text(member) for name, member in value.items()}
    if isinstance(value, list):
        return [as_text(member) for member in value]
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def taken_apart(record: dict[str, Any], outer: str = "") -> dict[str, Any]:
    apart: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict) and value:
            apart.update(taken_apart(value, f"{outer}{name}."))
        else:
            apart[f"{outer}{name}"] = value
    return apart


def said(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the events say. A log without ids of records has their digests for one, and arguments are what they are."""
    left_out = ("event_id", "native_id", "keys", "args_hash")
    kept = [{name: value for name, value in row.items() if name not in left_out} for row in found]
    for row in kept:
        row["detail"] = {name: value for name, value in row["detail"].items() if name not in ("arguments", "request")}
    return sorted(kept, key=lambda row: json.dumps(row, default=str, sort_keys=True))


def events_of(records: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    return said(events(read(as_lines(records), folder)[1]))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OF_ONE_DOCUMENT])
def test_numbers_and_truth_as_text_mean_the_same(name: str, tmp_path: Path) -> None:
    records = sample_records(name)
    assert events_of([as_text(record) for record in records], tmp_path) == events_of(records, tmp_path)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_APART])
def test_objects_that_were_taken_apart_are_put_together(name: str, tmp_path: Path) -> None:
    records = sample_records(name)
    apart = [taken_apart(record) for record in records]
    assert events_of(apart, tmp_path) == events_of(records, tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_no_record_is_taken_for_one_that_was_taken_apart(name: str) -> None:
    """Names with dots are a log's own, too: Teleport's `addr.remote`, OpenAI's `api_key.created`."""
    for record in sample_records(name):
        assert not has_objects_apart(frozenset(record), source(name).objects)


@pytest.mark.parametrize("written", ["target.{}.id", "target[{}].id"])
def test_lists_that_were_taken_apart_are_lists(written: str) -> None:
    flat = {written.format(number): name for number, name in enumerate("ab")} | {"n": 1}
    assert nested(flat) == {"target": [{"id": "a"}, {"id": "b"}], "n": 1}
    assert nested({"resources{}.ARN": "a", "resources{}.type": "b"}) == {"resources": [{"ARN": "a", "type": "b"}]}
    assert nested({"codes.1": "a", "codes.2": "b"}) == {"codes": {"1": "a", "2": "b"}}
    assert nested({"a.0.b.0": 1, "a.0.b.1": 2}) == {"a": [{"b": [1, 2]}]}


def test_a_name_of_a_million_dots_stays_a_name(tmp_path: Path) -> None:
    long = ".".join("a" * 1_000_000)
    assert nested({long: 1}) == {long: 1}
    path = tmp_path / "table.csv"
    path.write_text(f"{long[:100_000]},eventSource,eventName\n1,s3.amazonaws.com,GetObject\n", encoding="utf-8")
    assert [file.events for file in read_file(local_file(path), list(registry.sources().values()), OPTIONS)] == [0]


def test_what_cannot_be_within_something_keeps_its_name() -> None:
    assert nested({"a": 1, "a.b": 2, "c.d": {"e": 3}, "f.g": {}}) == {"a": 1, "a.b": 2, "c.d": {"e": 3}, "f": {"g": {}}}


def test_an_act_is_nobodys_in_no_search_that_prints_a_table(tmp_path: Path) -> None:
    """Three columns of a search are enough to say who acted, and a name with dots is nobody's own."""
    (record,) = sample_records("aws_cloudtrail")[:1]
    apart = taken_apart(record)
    assert "userIdentity.arn" in apart and "userIdentity" not in apart
    wrapper, found = read(as_lines([apart]), tmp_path)
    assert wrapper == DOTTED_NAMES
    assert [row["actor_uid"] for row in comparable(found[0].events.to_pylist())] == [
        "arn:aws:iam::111122223333:role/team/Reader"
    ]
