"""Records that are written plainly: which they are, and what is remembered of them."""

import gc
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from both_forms import n_plain, reading
from conftest import REPO
from msgspec import UNSET, UnsetType
from source_samples import OPTIONS, decision, source
from ultravires.reading import plain_records
from ultravires.reading.plain_records import (
    Part,
    Record,
    Repeated,
    RepeatedItems,
    Text,
    Whole,
    part_of,
    plain_reader,
    plainly,
    remembered,
)

sys.path.append(str(REPO / "bench"))
import cloudtrail_files
import telemetry_files

Reader = Callable[[bytes], Record | None]


class Sighting(Record):
    """A record with a field of each kind."""

    name: Text = UNSET
    who: Repeated = UNSET
    tags: RepeatedItems = UNSET
    what: Whole = UNSET
    is_read: bool | UnsetType = UNSET


@pytest.fixture
def read() -> Reader:
    """A reader that remembers nothing yet."""
    reader: Reader = plain_reader.__wrapped__(Sighting)
    return reader


def generated(name: str) -> tuple[bytes, int]:
    """Records of the benchmark as one file, and how many there are."""
    rng = Random(7)
    if name == "aws_cloudtrail":
        records = list(cloudtrail_files.records(rng, cloudtrail_files.START, 2_000))
        return msgspec.json.encode({"Records": records}), len(records)
    write = telemetry_files._span_line if name == "otel_genai" else telemetry_files._decision_line
    lines = [write(rng, telemetry_files.START + timedelta(milliseconds=997 * number)) for number in range(60)]
    n_spans = sum(len(line["resourceSpans"][0]["scopeSpans"][0]["spans"]) for line in lines if "resourceSpans" in line)
    return b"\n".join(map(msgspec.json.encode, lines)), n_spans or len(lines)


@pytest.mark.parametrize("name", ["aws_cloudtrail", "otel_genai", "opa_decisions"])
def test_all_records_of_the_benchmark_are_plain(name: str) -> None:
    data, n_records = generated(name)
    assert n_plain(data, source(name)) == n_records >= 60


def test_a_plain_record_holds_its_parts_decoded(read: Reader) -> None:
    record = read(b'{"name":"a","who":{"id":1},"tags":[{"k":2},"t",3],"what":[null],"is_read":true}')
    assert type(record) is Sighting
    assert (record.name, dict(record.who), record.what, record.is_read) == ("a", {"id": 1}, [None], True)
    assert [type(tag) for tag in record.tags] == [Part, str, int]
    assert [dict(record.tags[0]), *record.tags[1:]] == [{"k": 2}, "t", 3]


def test_what_a_record_does_not_have_is_unset(read: Reader) -> None:
    record = read(b"{}")
    assert type(record) is Sighting
    assert msgspec.structs.astuple(record) == (UNSET,) * 5


def test_parts_with_equal_bytes_are_one_object(read: Reader) -> None:
    """Also where one is a field and the other stands in an array."""
    first, second = read(b'{"name":"a","who":{"id":1}}'), read(b'{"name":"b","tags":[{"id":1},{"id":2},{"id":1}]}')
    assert first.who is second.tags[0] is second.tags[2]
    assert first.who is not second.tags[1]


def test_equal_parts_with_other_bytes_are_told_apart() -> None:
    one, other = part_of(b'{"a":1,"b":2}'), part_of(b'{"b":2,"a":1}')
    assert one != other and dict(one) == dict(other)
    assert len({one, other, one}) == 2


ODD = {
    "a repeated name": b'{"name":"a","name":"a"}',
    "a repeated name in a part": b'{"who":{"id":1,"id":2}}',
    "a repeated name in an item": b'{"tags":[{"id":1,"id":2}]}',
    "a repeated name in another value": b'{"what":{"id":1,"id":1}}',
    "a blank": b'{"name": "a"}',
    "a blank behind": b'{"name":"a"} ',
    "a blank in a part": b'{"who":{"id": 1}}',
    "a blank between items": b'{"tags":[1, 2]}',
    "a field unknown": b'{"name":"a","more":1}',
    "another order": b'{"who":1,"name":"a"}',
    "a number in another form": b'{"what":1.0e5}',
    "a number in another form in a part": b'{"who":{"n":1.50}}',
    "a number too large": b'{"what":1e400}',
    "minus zero": b'{"what":-0}',
    "an escaped letter": b'{"name":"\\u00e9"}',
    "an escaped letter in a part": b'{"who":{"id":"\\u00e9"}}',
    "an escaped slash": b'{"name":"\\/"}',
    "an escaped name": b'{"\\u006eame":"a"}',
    "half of a pair": b'{"what":"\\ud800"}',
    "null for a text": b'{"name":null}',
    "null for a part": b'{"who":null}',
    "null for an item": b'{"tags":[null]}',
    "null for items": b'{"tags":null}',
    "an array for a text": b'{"name":["a"]}',
    "a number for a text": b'{"name":7}',
    "a text for a truth": b'{"is_read":"true"}',
    "an object for items": b'{"tags":{}}',
    "no object": b"[]",
    "an end too early": b'{"name":"a"',
    "nothing": b"",
    "invalid UTF-8": b'{"name":"\xff"}',
    "invalid UTF-8 in a part": b'{"who":{"id":"\xff"}}',
    "invalid UTF-8 in an item": b'{"tags":["\xed\xa0\x80"]}',
    "invalid UTF-8 in another value": b'{"what":["\xc3"]}',
    "too deep": b'{"what":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "too deep in a part": b'{"who":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_a_record_is_odd_by(data: bytes, read: Reader) -> None:
    """Asked twice, since of a part that is not plain too is remembered what it is."""
    assert [read(data), read(data)] == [None, None]


PLAIN = {
    "no escape needed": '{"name":"é\u2028\x7f😀"}'.encode(),
    "escapes that are needed": b'{"name":"\\"\\\\\\n\\t\\u0000"}',
    "null for any value": b'{"what":null}',
    "an empty part": b'{"who":{}}',
    "no items": b'{"tags":[]}',
    "false for a part": b'{"who":false}',
    "numbers": b'{"what":[0,-1,1.5,18446744073709551615,1e300]}',
}


@pytest.mark.parametrize("data", PLAIN.values(), ids=PLAIN)
def test_a_record_is_plain_with(data: bytes, read: Reader) -> None:
    assert read(data) is not None


@pytest.mark.parametrize(
    "line",
    [
        b'{"decision_id":"a","decision_id":"b",%s',
        b'{"decision_id": "b",%s',
        b'{"unknown":[1, 2],"decision_id":"b",%s',
        b'{"decision_id":"\\u0062","metrics":1.0e5,%s',
        b'{"decision_id":"b","query":"\\/",%s',
        b'{"decision_id":"b","trace_id":null,%s',
        b'{"decision_id":"b","trace_id":[],%s',
    ],
)
def test_an_odd_record_is_kept_as_it_is_written_back(line: bytes, tmp_path: Path) -> None:
    """So that `raw` holds what its columns say, and nothing that was dropped or would be read otherwise."""
    line %= b'"result":true,"timestamp":"2026-10-05T10:00:00Z"}'
    (tmp_path / "log").write_bytes(line)
    (row,) = reading(tmp_path / "log", source("opa_decisions")).rows
    assert n_plain(line, source("opa_decisions")) == 0
    assert row["raw"].encode() == msgspec.json.encode(msgspec.json.decode(line))
    assert (row["native_id"], row["outcome"]) == ("b", "success")


def test_a_plain_record_is_kept_as_it_was_written(tmp_path: Path) -> None:
    data, _ = generated("opa_decisions")
    (tmp_path / "log").write_bytes(data)
    rows = reading(tmp_path / "log", source("opa_decisions")).rows
    assert [row["raw"].encode() for row in rows] == data.splitlines()


def test_where_fields_are_hidden_nothing_is_plain() -> None:
    decode = plainly(Sighting, "a_log", OPTIONS, msgspec.json.decode)
    assert type(decode(b'{"name":"a"}')) is Sighting
    assert decode(b'{"name": "a"}') == {"name": "a"}
    for hidden in ("a_log", "*"):
        decode = plainly(Sighting, "a_log", replace(OPTIONS, fields={hidden: ("x",)}), msgspec.json.decode)
        assert decode(b'{"name":"a"}') == {"name": "a"}


def test_a_dictionary_fills_a_record_without_texts_that_are_none() -> None:
    record = Sighting.of({"name": 7, "who": None, "tags": "t", "what": {}, "is_read": "yes", "more": 1})
    assert msgspec.structs.astuple(record) == (UNSET, None, "t", {}, "yes")


def test_what_a_part_means_is_asked_once() -> None:
    asked: list[Any] = []

    @remembered
    def meaning(value: Any, more: int) -> int:
        asked.append(value)
        return len(value) + more

    part, equal = part_of(b'{"a":1}'), part_of(b'{"a":1}')
    assert [meaning(part, 1), meaning(part, 1), meaning(part, 2), meaning(equal, 1)] == [2, 2, 3, 2]
    assert len(asked) == 3
    assert [meaning({"a": 1}, 1), meaning({"a": 1}, 1), meaning([], 1)] == [2, 2, 1]
    assert len(asked) == 6


def n_parts() -> int:
    """How many parts are in memory."""
    gc.collect()
    return sum(type(each) is Part for each in gc.get_objects())


def test_a_log_of_ever_new_parts_is_not_remembered_whole(monkeypatch: pytest.MonkeyPatch, read: Reader) -> None:
    monkeypatch.setattr(plain_records, "_MOST_PARTS", 50)
    meaning = remembered(len)
    before = n_parts()
    for number in range(1_000):
        record = read(b'{"who":{"id":%d},"tags":[{"id":-%d}]}' % (number, number + 1))
        assert meaning(record.who) == 1
        assert meaning(record.tags[0]) == 1
    del record
    assert 50 <= n_parts() - before <= 100


def test_a_long_part_is_not_remembered(read: Reader) -> None:
    """Neither it nor what it means, however often it comes; the longest that is, is."""
    asked: list[int] = []
    meaning = remembered(lambda value: asked.append(len(value["x"])))
    before = n_parts()
    n_bytes = plain_records._LONGEST_PART - len('{"x":""}')
    for size in (n_bytes, n_bytes + 1):
        for _ in range(3):
            record = read(b'{"who":{"x":"%s"},"tags":[{"x":"%s"}]}' % (b"x" * size, b"y" * size))
            meaning(record.who)
            meaning(record.tags[0])
    del record
    assert asked == [n_bytes] * 2 + [n_bytes + 1] * 6
    assert n_parts() - before == 2


def test_a_decision_with_a_member_of_any_name_is_read(tmp_path: Path) -> None:
    """Also where ours are named so."""
    names = {*dir(Record), *dir(source("opa_decisions").record), "member", "__dict__"}
    fields = set(source("opa_decisions").record.__struct_fields__)
    records = [decision(**{name: 1}) for name in sorted(names - fields)]
    (tmp_path / "log").write_bytes(b"\n".join(map(msgspec.json.encode, records)))
    read = reading(tmp_path / "log", source("opa_decisions"))
    assert (len(read.rows), read.quarantined) == (len(records), [])
