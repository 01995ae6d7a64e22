"""Logs that came through another system: every source's sample in every export gives the same events."""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from export_wrapping import SYSLOG_3164, WRAPPINGS, Wrap, columns
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_samples import OPTIONS, SAMPLES, approval, as_lines, cloudtrail, decision, rows
from ultravires import registry
from ultravires.formats.decompressing import FileBytes
from ultravires.reading.exports_tried import exports_of
from ultravires.reading.files import Batch, read_bytes, read_wrapped
from ultravires.reading.head import HEAD_BYTES
from ultravires.reading.input_file import recognise_log
from ultravires.reading.opening import OTHER_LINE, OTHER_LOG
from ultravires.reading.unwrapping import find_wrapping
from ultravires.runs.run import run_once
from ultravires.store.snapshot import open_published

NAMES = sorted(registry.sources())
SOURCES = list(registry.sources().values())
OF_THE_SOURCE = {
    ("kubernetes_audit", "cloudwatch"): "the source reads it, and knows the cluster by the log group",
    (
        "servicenow_approvals",
        "columns",
    ): "the source reads tables, which hold no objects",
}


hostile = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def read(data: bytes, folder: Path) -> tuple[str | None, list[Batch]]:
    """The wrapper of a file with these bytes, and what it holds; None where a source recognises it as it is."""
    path = folder / "a-file"
    path.write_bytes(data)
    file = FileBytes(path, OPTIONS)
    head = file.head(HEAD_BYTES)
    if source := recognise_log(head, SOURCES):
        return None, list(read_bytes(file, source, OPTIONS))
    wrapping = find_wrapping(head, SOURCES)
    assert wrapping is not None, "no source recognises anything in it"
    return wrapping.wrapper, list(read_wrapped(file, wrapping, SOURCES, OPTIONS))


def events(batches: list[Batch]) -> list[dict[str, Any]]:
    found = [{**row, "detail": json.loads(row["detail"])} for batch in batches for row in batch.events.to_pylist()]
    return comparable(found)


def comparable(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events without what says where and how their record was written."""
    left_out = ("record_no", "raw_hash", "raw", "voice", "place")
    kept = [{name: value for name, value in row.items() if name not in left_out} for row in found]
    return sorted(kept, key=lambda row: str(row["event_id"]))


def records(name: str, folder: Path) -> tuple[list[bytes], list[dict[str, Any]]]:
    """The records of a source's sample, each as it is kept, and their events."""
    found = rows(name, SAMPLES[name], folder)
    return list({row["record_no"]: row["raw"].encode() for row in found}.values()), comparable(found)


PAIRS = [(name, wrap) for name in NAMES for wrap in [*WRAPPINGS, "columns"] if (name, wrap) not in OF_THE_SOURCE]


@pytest.mark.cross
@pytest.mark.parametrize(("name", "wrap"), PAIRS)
def test_a_wrapped_record_is_the_same_event(name: str, wrap: str, tmp_path: Path) -> None:
    """Whatever the export: same ids, same columns, nothing refused."""
    inner, expected = records(name, tmp_path)
    wrapping: Wrap = columns if wrap == "columns" else WRAPPINGS[wrap]
    _, batches = read(wrapping(inner), tmp_path)
    assert events(batches) == expected
    assert [refused.reason for batch in batches for refused in batch.quarantined] == []


def test_every_export_that_is_named_is_tried(tmp_path: Path) -> None:
    """docs/sources.md promises them for every log: one that no test wraps would be a promise alone."""
    inner, _ = records("approvals", tmp_path)
    layers = {layer for wrap in WRAPPINGS.values() for layer in (read(wrap(inner), tmp_path)[0] or "").split(" > ")}
    assert set(exports_of("approvals")) - {"a table"} <= layers


def test_a_large_answer_is_recognised_by_its_head(tmp_path: Path) -> None:
    """A head may end anywhere in a document, also inside of a text."""
    call = cloudtrail(requestParameters={"bucketName": "data", "key": "k" * 3_000})
    inner = [json.dumps({**call, "eventID": f"event-{number}"}).encode() for number in range(100)]
    for wrap in ("elastic search", "elastic search, printed", "cloudwatch answer", "splunk results"):
        _, batches = read(WRAPPINGS[wrap](inner), tmp_path)
        assert len(events(batches)) == 100


def test_records_of_several_logs_go_to_their_sources(tmp_path: Path) -> None:
    """An export holds what was searched for; the logs are those of the records, in the order of the file."""
    inner = [json.dumps(one).encode() for one in (cloudtrail(), decision(), approval(), cloudtrail(eventID="2"))]
    _, batches = read(WRAPPINGS["elastic"](inner), tmp_path)
    (batch,) = batches
    read_by = [(row["record_no"], row["source"]) for row in batch.events.to_pylist()]
    logs = ["aws_cloudtrail", "opa_decisions", "approvals", "aws_cloudtrail"]
    assert read_by == [(number, log) for number, log in enumerate(logs, 1)]


def test_objects_without_end_are_not_all_looked_into(tmp_path: Path) -> None:
    """Half a million objects in objects of which nothing is known take no longer than any other file of their size."""
    many = {f"m{number}": {f"n{number}": {"p": {"q": number}}} for number in range(20_000)}
    data = as_lines([cloudtrail(), *({f"a{number}": many} for number in range(5))])
    started = time.process_time()
    wrapper, batches = read(WRAPPINGS["a member"](data.splitlines()), tmp_path)
    assert (wrapper, len(events(batches))) == ("a member", 1)
    assert time.process_time() - started < 10


def test_what_is_of_no_log_is_counted_by_reason(tmp_path: Path) -> None:
    """Lines of other programs are no doubt about a log; a record that was cut off is."""
    whole = json.dumps(decision()).encode()
    lines = (whole, b"session opened for user root", b'{"level":"notice","unit":"x"}', whole[: len(whole) // 2])
    data = b"".join(SYSLOG_3164.encode() + line + b"\n" for line in lines)
    wrapper, (batch,) = read(data, tmp_path)
    assert wrapper == "syslog"
    assert [row["record_no"] for row in batch.events.to_pylist()] == [1]
    assert sorted(reason for _, reason in batch.ignored) == [OTHER_LINE, OTHER_LOG]
    assert [refused.reason for refused in batch.quarantined] == ["record ends early"]
    assert batch.n_records == 4


def test_a_refused_record_is_kept_as_the_record_that_it_is(tmp_path: Path) -> None:
    """What stands in quarantine can be read again by the source, and its place is that of its line."""
    data = WRAPPINGS["cri"]([json.dumps(one).encode() for one in (decision(), decision(timestamp="never"))])
    _, (batch,) = read(data, tmp_path)
    (refused,) = batch.quarantined
    assert json.loads(refused.raw) == decision(timestamp="never")
    assert (refused.log, refused.byte_offset) == ("opa_decisions", data.index(b"\n") + 1)


def test_a_part_that_never_ends_is_put_aside(tmp_path: Path) -> None:
    whole = json.dumps(decision())
    cut = {"log": whole[:-20], "stream": "stdout", "time": "2026-10-05T07:01:00Z"}
    data = json.dumps({"log": whole + "\n", "stream": "stdout"}) + "\n" + json.dumps(cut) + "\n"
    _, (batch,) = read(data.encode(), tmp_path)
    assert (batch.events.num_rows, [refused.reason for refused in batch.quarantined]) == (1, ["record ends early"])


def test_a_record_in_the_middle_of_a_line_is_not_taken_for_one(tmp_path: Path) -> None:
    """What somebody sent to a server stands in that server's log, and is no record of anything."""
    inside = json.dumps(cloudtrail())
    for line in (f'192.0.2.1 - - "POST /{inside} HTTP/1.1" 200', f"INFO body was {inside} (1 KB)"):
        path = tmp_path / "a-file"
        path.write_text((line + "\n") * 3)
        assert find_wrapping(path.read_bytes(), SOURCES) is None


@pytest.mark.parametrize("member", ["message", "log", "data", "_source", "records", "event"])
def test_layers_are_bounded(member: str, tmp_path: Path) -> None:
    """What is wrapped again and again ends, and nothing is lost."""
    data = json.dumps(cloudtrail()).encode()
    for _ in range(40):
        data = b'{"%s":[%s],"rule":1,"agent":2,"sourcetype":"x"}' % (member.encode(), data)
    first = json.dumps({"message": json.dumps(cloudtrail())}).encode()
    _, (batch,) = read(first + b"\n" + data, tmp_path)
    assert batch.n_records == batch.events.num_rows + batch.n_ignored + len(batch.quarantined) == 2


@hostile
@given(data=st.binary(max_size=400), wrap=st.sampled_from(["cri", "elastic", "json-file", "splunk csv", "journald"]))
def test_hostile_bytes_in_a_wrapper_stop_nothing(data: bytes, wrap: str, folder: Path) -> None:
    """Whatever lies between two records of an export, both are read."""
    one, two = (json.dumps(cloudtrail(eventID=number)).encode() for number in ("1", "2"))
    first, second = WRAPPINGS[wrap]([one]), WRAPPINGS[wrap]([two])
    if wrap == "splunk csv":
        second, data = second.partition(b"\n")[2], data.replace(b'"', b"")
    _, batches = read(first + data.replace(b"\n", b" ") + b"\n" + second, folder)
    ids = {row["native_id"] for row in events(batches)}
    assert {"1"} <= ids <= {"1", "2"}
    for batch in batches:
        evented = len(set(batch.events.column("record_no").to_pylist()))
        assert batch.n_records == evented + batch.n_ignored + len(batch.quarantined)
        assert not [refused for refused in batch.quarantined if refused.reason.startswith("reader failed")]


def test_the_manifest_names_wrappers_and_why_records_were_ignored(tmp_path: Path) -> None:
    """A later judgement of trust needs to know that a record came out of something that applications write to."""
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "wrapped.log").write_bytes(WRAPPINGS["cri in parts"]([json.dumps(decision()).encode()]))
    (logs / "plain.json").write_text(json.dumps(cloudtrail()))
    run_once(logs, tmp_path / "home", config=None, as_of="")
    with open_published(tmp_path / "home") as con:
        found = con.execute("select source, wrapper, ignored_as from files order by source").fetchall()
    assert found == [
        ("aws_cloudtrail", None, None),
        ("opa_decisions", "cri", json.dumps({OTHER_LINE: 1}, separators=(",", ":"))),
    ]
