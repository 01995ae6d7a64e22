"""Fields that the configuration redacts are hidden before a source sees them: from raw, columns, keys and details."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_logs import assume, call, session, write_lines
from source_samples import OPTIONS, SAMPLES, batches, cloudtrail, export, rows, span, written
from ultravires import registry
from ultravires.config_file import load_settings
from ultravires.errors import ConfigError
from ultravires.reading.events import NotParsed
from ultravires.reading.named_fields import NamedFields
from ultravires.reading.redaction import Redactor
from ultravires.runs.run import run_once
from ultravires.schema import OUTCOMES
from ultravires.store.snapshot import open_published

REDACTED = Redactor(OPTIONS).hide


def hidden(record: Any, *fields: str) -> Any:
    found = NamedFields.of(replace(OPTIONS, fields={"*": fields}), "any")
    assert found is not None
    return found.hide(record)


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("ssn", "a.ssn"),
        ("SSN", "a.ssn"),
        ("a.ssn", "a.ssn"),
        ("*.ssn", "a.ssn"),
        ("a.*", "a.ssn"),
        ("A.S?N", "a.ssn"),
        ("people.ssn", "people.0.ssn"),
        ("tags.ssn", "tags.0.value"),
        ("attributes.person.ssn", "attributes.0.value"),
        ("text.ssn", "text"),
    ],
)
def test_a_field_is_found_by_name_or_path_wherever_it_hides(field: str, path: str) -> None:
    """Lists, pairs of key and value, OTLP attributes and JSON inside a string; the record itself stays as it was."""
    record = {
        "a": {"ssn": "123-45-6789"},
        "people": [{"ssn": "123-45-6789"}],
        "tags": [{"key": "ssn", "value": "123-45-6789"}],
        "attributes": [{"key": "person.ssn", "value": {"stringValue": "123-45-6789"}}],
        "text": '{"ssn": "123-45-6789"}',
    }
    before = json.dumps(record)
    changed = hidden(record, field)
    assert json.dumps(record) == before
    for part in path.split("."):
        changed = changed[int(part) if part.isdigit() else part]
    assert REDACTED("123-45-6789") in json.dumps(changed) and "123-45" not in json.dumps(changed)


@pytest.mark.parametrize("field", ["a", "ssn.a", "b.ssn", "*.ssn.x", "ss", "a.ssn.*"])
def test_other_fields_stay_what_they_are(field: str) -> None:
    """A record without a named field is handed on as it is, not as a copy."""
    record = {"z": {"ssn": "1"}, "ssn": ["x"], "text": '{"ssn": 1}', "tags": [{"key": "k", "value": "v"}]}
    assert hidden(record, field) is record


def test_an_object_goes_as_one_and_null_stays(tmp_path: Path) -> None:
    """Equal objects have equal hashes, and what was not there is not invented."""
    assert hidden({"who": {"a": 1, "b": 2}, "c": None}, "who", "c") == {"who": REDACTED({"b": 2, "a": 1}), "c": None}


def test_json_that_was_cut_off_goes_whole_when_it_names_a_field() -> None:
    """It cannot be taken apart; without such a name it stays."""
    assert hidden({"t": '{"ssn": "123'}, "ssn") == {"t": REDACTED('{"ssn": "123')}
    assert hidden(record := {"t": '{"other": "123'}, "ssn") is record


def test_deep_nesting_is_refused() -> None:
    """As redaction refuses it."""
    deep: Any = "x"
    for _ in range(OPTIONS.max_depth + 1):
        deep = {"a": deep}
    with pytest.raises(NotParsed, match="nested too deeply"):
        hidden(deep, "ssn")


def read(name: str, record: dict[str, Any], folder: Path, *fields: str) -> dict[str, Any]:
    (row,) = rows(name, json.dumps(record).encode(), folder, replace(OPTIONS, fields={name: fields}))
    return row


def test_a_column_holds_the_hash_of_what_it_may_not_hold(tmp_path: Path) -> None:
    """The user agent and address of a call, by the vendor's names; a hash is no address, so that column is empty."""
    row = read("aws_cloudtrail", cloudtrail(), tmp_path, "userAgent", "sourceIPAddress")
    assert (row["user_agent"], row["src_ip"]) == (REDACTED("aws-cli/2"), None)
    assert "aws-cli" not in json.dumps(written(row)) and "192.0.2.7" not in json.dumps(written(row))


def test_keys_hold_the_same_hash_on_both_sides_of_a_join(tmp_path: Path) -> None:
    """A source identity that is hidden where it is set and where it is carried still joins the two."""
    runner, worker = session("arn:aws:iam::1:role/r", "ASIAR"), session("arn:aws:iam::1:role/w", "ASIAW")
    worker["sessionContext"]["sourceIdentity"] = "ana@example.org"
    records = [
        assume("e1", 1, runner, "ASIAW", sourceIdentity="ana@example.org"),
        call("e2", 2, "s3:GetObject", worker),
    ]
    found = [read("aws_cloudtrail", record, tmp_path, "sourceIdentity") for record in records]
    values = [{key["value"] for key in row["keys"] if key["kind"] == "source_identity"} for row in found]
    assert values == [{REDACTED("ana@example.org")}] * 2
    assert all("ana@" not in json.dumps(written(row)) for row in found)


def test_the_hash_of_arguments_is_taken_before(tmp_path: Path) -> None:
    """A decision that shows the arguments and a call that must not still agree on them."""
    named = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "pay",
        "gen_ai.tool.call.arguments": json.dumps({"to": "ana", "iban": "DE02100"}),
    }
    record = export(span(1, named))
    plain = rows("otel_genai", json.dumps(record).encode(), tmp_path)[0]
    row = read("otel_genai", record, tmp_path, "*.iban")
    assert plain["args_hash"] is not None and row["args_hash"] == plain["args_hash"]
    assert "DE02100" in json.dumps(written(plain)) and "DE02100" not in json.dumps(written(row))


OUR_WORDS = {*OUTCOMES, "interactiveuser"}
"""What an event may say without being told: outcomes, and how users sign in as long as nothing says otherwise."""


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, text) of every string in a record."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for member in value:
            yield from leaves(member, path)
    elif isinstance(value, str):
        yield path, value


@pytest.mark.parametrize("name", sorted(registry.sources()))
def test_no_column_of_any_source_holds_what_is_redacted(name: str, tmp_path: Path) -> None:
    """Each string that stands once in a record is named in turn: it is in no column, key, detail or quarantine."""
    raws = {row["raw"] for row in rows(name, SAMPLES[name], tmp_path)}
    for raw in sorted(raws)[:2]:
        once = [(path, text) for path, text in leaves(json.loads(raw)) if len(text) >= 6 and raw.count(text) == 1]
        once = [(path, text) for path, text in once if text.lower() not in OUR_WORDS]
        for path, text in once[:40]:
            options = replace(OPTIONS, fields={name: (path.translate({ord("["): "?"}),)})
            for batch in batches(name, raw.encode(), tmp_path, options):
                shown = [json.dumps(written(row), ensure_ascii=False) for row in batch.events.to_pylist()]
                assert not [line for line in shown if text in line], path
                assert not [kept for kept in batch.quarantined if text.encode() in kept.raw], path


def test_the_setting_is_a_list_for_all_sources_or_lists_by_source(tmp_path: Path) -> None:
    """Both end in the home; a source that does not exist is refused, since it would redact nothing."""
    config = tmp_path / "ultravires.yaml"
    config.write_text("redact: [ssn]\n", encoding="utf-8")
    assert load_settings(config).redact == {"*": ("ssn",)}
    write_lines(
        tmp_path / "logs" / "trail.json", [call("e1", 1, "s3:GetObject", session("arn:aws:iam::1:role/r", "A"))]
    )
    config.write_text("redact: {aws_cloudtrail: [userAgent], '*': ['*.accessKeyId']}\n", encoding="utf-8")
    run_once(tmp_path / "logs", tmp_path / "home", config=config, as_of="")
    with open_published(tmp_path / "home") as con:
        found = con.execute("select user_agent, credential_uid from events").fetchall()
    assert all(value.startswith("redacted:") for value in found[0])
    config.write_text("redact: {aws_cloudtrial: [userAgent]}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="there is no source 'aws_cloudtrial'"):
        run_once(tmp_path / "logs", tmp_path / "home", config=config, as_of="")
