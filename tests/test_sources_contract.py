"""What must hold for every source that exists: hostile bytes, conservation, determinism, recognition."""

import gzip
import json
import pickle
import random
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from crosses import counted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_samples import (
    OPTIONS,
    SAMPLES,
    batches,
    claimed_by,
    expected_events,
    quarantined,
    replaced_at,
    rows,
    source,
    values_in,
    written,
)
from ultravires import registry
from ultravires.reading.events import SOURCE_COLUMNS
from ultravires.reading.files import read, recognise
from ultravires.reading.options import Options
from ultravires.schema import EVENTS, KEY_ROLES, KINDS, OUTCOMES

NAMES = sorted(registry.sources())
each_source = pytest.mark.parametrize("name", NAMES)
hostile = settings(
    max_examples=6,  # `make stress` has a hundred thousand (test_fuzz.py)
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1 << 70,
    1.5,
    "",
    "x",
    [],
    ["x"],
    [[]],
    {},
    {"x": "y"},
    [{"key": 1}],
    "\x00",
    "{",
]


def test_every_source_has_a_sample() -> None:
    """A new source needs a small valid file in data/sources, or nothing of the contract is tested on it."""
    assert set(SAMPLES) == set(NAMES)


REPORTED = {"bedrock_agentcore", "mcp_gateway", "otel_genai"}
"""Logs into which an agent, or the gateway and the framework that it runs in, writes of itself."""


@each_source
def test_a_source_says_who_speaks_in_its_log(name: str) -> None:
    """Time, silence and proof lean on it: whoever adds a log that its subject can write to adds it to REPORTED."""
    assert registry.sources()[name].voice == ("reported" if name in REPORTED else "recorded")


def n_events(name: str) -> int:
    return len(expected_events(name))


def is_lines(name: str) -> bool:
    """Whether the sample is one JSON document a line, so that it can be taken apart and put together here."""
    return SAMPLES[name][:1] in (b"{", b"[") and all(_is_json(line) for line in SAMPLES[name].splitlines())


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


READ_IN_ORDER = {"mcp_gateway": "a response is read with the request before it"}
"""Sources whose lines have to come in the order of the log, each with the reason."""
each_of_lines = pytest.mark.parametrize("name", [name for name in NAMES if is_lines(name)])


@each_source
def test_the_sample_says_what_it_is_expected_to_say(name: str, tmp_path: Path) -> None:
    """Every column of every event of the sample stands in expected.jsonl; a hand wrote or checked it."""
    assert [written(row) for row in rows(name, SAMPLES[name], tmp_path)] == expected_events(name)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def check(name: str, data: bytes, folder: Path) -> list[Any]:
    """Reads the bytes; asserts that no record vanished and that no reader stumbled. Returns what was read."""
    found = []
    for batch in batches(name, data, folder):
        evented = len(set(batch.events.column("record_no").to_pylist()))
        assert batch.n_records == evented + batch.n_ignored + len(batch.quarantined)
        assert batch.events.schema == SOURCE_COLUMNS
        batch.events.validate(full=True)
        assert not [row.reason for row in batch.quarantined if row.reason.startswith("reader failed")]
        found.append((batch.events.to_pylist(), batch.quarantined, batch.n_records, batch.n_ignored))
    return found


@each_source
def test_the_sample_is_read_whole_and_recognised_by_its_source_alone(name: str, tmp_path: Path) -> None:
    """A valid file has no quarantine, and its content tells whose it is."""
    read = check(name, SAMPLES[name], tmp_path)
    assert sum(len(events) for events, *_ in read) == n_events(name) >= 3
    assert quarantined(name, SAMPLES[name], tmp_path) == []
    assert claimed_by(SAMPLES[name]) == [name]
    found = recognise(tmp_path / "a-file", list(registry.sources().values()))
    assert found is not None and found.name == name


@each_source
def test_a_record_of_the_sample_is_claimed_by_its_own_source_at_most(name: str) -> None:
    """In a file that mixes logs nobody else reads it, also when it comes back from `raw`; claiming is done once."""
    frames = source(name).records(iter([SAMPLES[name]]), OPTIONS)
    records = [json.loads(frame.written) if frame.written else frame.value for frame in frames]
    for record in (*records, *(json.loads(json.dumps(record)) for record in records)):
        claims = {other: found for other in NAMES if (found := claimed(other, record)) is not None}
        assert set(claims) == ({name} if source(name).claim else set())
        assert all(claimed(name, found) == found for found in claims.values())


def claimed(name: str, record: Any) -> Any:
    claim = source(name).claim
    return claim(record) if claim else None


@pytest.mark.cross
@pytest.mark.parametrize("name", [name for name in NAMES if source(name).claim])
@pytest.mark.parametrize("other", [name for name in NAMES if source(name).claim])
def test_a_file_of_another_log_is_read_by_the_source_of_that_log(name: str, other: str, tmp_path: Path) -> None:
    """Whichever source of a shared export recognised the file: the same events under the same names."""
    of_other = source(other)
    records = [frame.data for frame in of_other.records(iter([SAMPLES[other]]), OPTIONS)]
    data = b"\n".join(record for record in records if claimed(other, json.loads(record)))
    assert rows(name, data, tmp_path) == rows(other, data, tmp_path)
    assert {(row["log"], row["source"], row["source_version"]) for row in rows(name, data, tmp_path)} == {
        (of_other.log, other, of_other.version)
    }


@each_source
def test_values_come_from_the_contract(name: str, tmp_path: Path) -> None:
    """Kinds, outcomes and key roles are the known words; required columns are filled; hours are hours."""
    for row in rows(name, SAMPLES[name], tmp_path):
        assert row["kind"] in KINDS and row["outcome"] in OUTCOMES
        assert {key["role"] for key in row["keys"]} <= set(KEY_ROLES)
        assert {key["kind"] for key in row["keys"]} <= set(source(name).join_keys)
        assert row["event_hour"] == row["event_at"].replace(minute=0, second=0, microsecond=0)
        assert row["event_at"].utcoffset() == timedelta(0)
        required = [column.name for column in SOURCE_COLUMNS if not column.nullable]
        assert all(row[column] is not None for column in required)


def test_source_columns_are_the_events_without_what_the_loader_adds() -> None:
    """The loader adds exactly two columns."""
    assert set(EVENTS.names) - set(SOURCE_COLUMNS.names) == {"ingested_at", "file_id"}


@each_source
@hostile
@given(data=st.data())
def test_mutated_bytes_end_as_events_or_in_quarantine(name: str, folder: Path, data: st.DataObject) -> None:
    """Flipped, inserted, deleted and repeated bytes: no exception, no record lost, the same result again."""
    mutated = bytearray(SAMPLES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(mutated) - 1)))
        piece = data.draw(st.one_of(st.binary(max_size=3), st.sampled_from([b'"', b"{", b"}", b"[", b"\n", b"\x00"])))
        width = data.draw(st.sampled_from([0, 1, 1, 5, 40]))
        mutated[at : at + width] = piece
    assert check(name, bytes(mutated), folder) == check(name, bytes(mutated), folder)


def lines_of_each_shape(name: str) -> list[bytes]:
    """The lines of a sample, of those with values in the same places only the first."""
    shapes: dict[object, bytes] = {}
    for line in SAMPLES[name].splitlines():
        shapes.setdefault(tuple(str(path) for path, _ in values_in(json.loads(line))), line)
    return list(shapes.values())


@counted(1, 8)
@each_of_lines
def test_a_value_of_any_other_type_anywhere_is_no_exception(name: str, count: int, tmp_path: Path) -> None:
    """Each value of the sample in turn becomes odd values, of neighbours different ones: an event without it, or
    quarantine.
    """
    for line in lines_of_each_shape(name):
        whole, odd = json.loads(line), cycle(ODD)
        changed = [
            json.dumps(replaced_at(whole, path, next(odd))) for path, _ in values_in(whole) for _ in range(count)
        ]
        check(name, "\n".join(changed).encode(), tmp_path)


@pytest.mark.cross
@each_of_lines
@pytest.mark.parametrize("secret", ['{"password": "hunter2"}', 'said \\"password\\": "hunter2'])
def test_no_secret_inside_of_a_string_reaches_a_column(name: str, secret: str, tmp_path: Path) -> None:
    """Each string of the sample in turn becomes JSON with a password in it, whole or cut off."""
    for line in lines_of_each_shape(name):
        whole = json.loads(line)
        changed = [json.dumps(replaced_at(whole, path, secret), separators=(",", ":")) for path, _ in values_in(whole)]
        found = rows(name, "\n".join(changed).encode(), tmp_path)
        assert not [row for row in found if '"hunter2' in str(row)]


@counted(25, 250)
@each_of_lines
def test_gzip_cut_anywhere_gives_what_was_whole(name: str, count: int, tmp_path: Path) -> None:
    """A truncated gzip ends in one row that says so; the events before it are those of the whole file."""
    noise = random.Random(1)
    more = b"\n" + json.dumps({"filler": noise.randbytes(2000).hex()}).encode()
    whole = SAMPLES[name].replace(b"\n", more + b"\n") + more
    expected = [row["event_id"] for row in rows(name, whole, tmp_path)]
    packed = gzip.compress(whole, mtime=0)
    for cut in range(20, len(packed) - 1, max(len(packed) // count, 1)):
        read = check(name, packed[:cut], tmp_path)
        ids = [row["event_id"] for events, *_ in read for row in events]
        assert ids == expected[: len(ids)]
        assert [row.reason for _, rows_, *_ in read for row in rows_].count("gzip ends early") == 1
    assert [row["event_id"] for row in rows(name, packed, tmp_path)] == expected


@pytest.mark.parametrize("name", [name for name in NAMES if is_lines(name) and name not in READ_IN_ORDER])
def test_lines_in_any_order_and_in_files_of_their_own_are_the_same_events(name: str, tmp_path: Path) -> None:
    """What a record means does not depend on the records around it, so arrival order cannot matter."""
    lines = SAMPLES[name].splitlines()
    expected = {row["event_id"] for row in rows(name, SAMPLES[name], tmp_path)}
    assert {row["event_id"] for row in rows(name, b"\n".join(reversed(lines)), tmp_path)} == expected
    assert {row["event_id"] for line in lines for row in rows(name, line, tmp_path)} == expected


@each_source
def test_a_damaged_gzip_keeps_what_comes_before_the_damage(name: str, tmp_path: Path) -> None:
    """A wrong checksum at the end costs no event."""
    packed = bytearray(gzip.compress(SAMPLES[name], mtime=0))
    packed[-6] ^= 0xFF
    assert len(rows(name, bytes(packed), tmp_path)) == n_events(name)
    assert [row.reason for row in quarantined(name, bytes(packed), tmp_path)] == ["gzip is damaged"]


@each_of_lines
def test_concatenated_gzip_members_are_one_file(name: str, tmp_path: Path) -> None:
    """Log shippers append members; zero padding behind them is no data."""
    packed = gzip.compress(SAMPLES[name] + b"\n", mtime=0)
    assert len(rows(name, packed + packed + bytes(512), tmp_path)) == 2 * n_events(name)
    assert quarantined(name, packed + packed + bytes(512), tmp_path) == []


@each_of_lines
def test_limits_stop_a_file_with_a_reason(name: str, tmp_path: Path) -> None:
    """A file beyond the size limit is read up to it."""
    options = Options(hash_key=b"k", max_file_bytes=500)
    padded = SAMPLES[name] + b"\n" + b" " * (1 << 21)
    assert [row.reason for row in quarantined(name, padded, tmp_path, options)] == ["file is larger than 500 bytes"]


def test_a_gzip_bomb_is_stopped(tmp_path: Path) -> None:
    """A file that expands more than a thousand times is not decompressed to its end."""
    bomb = gzip.compress(gzip_filler := b" " * (80 << 20), mtime=0)
    options = Options(hash_key=b"k", max_ratio=500)
    assert len(gzip_filler) / len(bomb) > 500
    found = quarantined("approvals", bomb, tmp_path, options)
    assert [row.reason for row in found] == ["gzip expands more than 500 times"]


@pytest.mark.cross
@each_of_lines
@pytest.mark.parametrize("depth", [250, 100_000])
def test_deep_nesting_is_put_aside(name: str, depth: int, tmp_path: Path) -> None:
    """Nesting beyond the limit never reaches the columns, whether the parser minds it or not."""
    of = source(name)
    first = next(frame for frame in of.records(iter([SAMPLES[name]]), OPTIONS) if [*of.read(frame.value, OPTIONS)]).data
    deep = b'{"deep": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"," + first[1:]
    nested = SAMPLES[name].replace(first, deep, 1)
    if nested == SAMPLES[name]:
        pytest.skip("this log writes its records inside strings")
    found = quarantined(name, nested, tmp_path)
    assert [row.reason for row in found] == ["nested too deeply"]
    check(name, nested, tmp_path)


@each_source
def test_the_same_bytes_give_the_same_event_ids_whatever_the_container(name: str, tmp_path: Path) -> None:
    """Compressed or not, the ids are the same: a second delivery is recognised."""
    plain = [row["event_id"] for row in rows(name, SAMPLES[name], tmp_path)]
    assert [row["event_id"] for row in rows(name, gzip.compress(SAMPLES[name]), tmp_path)] == plain
    assert len(set(plain)) == n_events(name)


@each_source
def test_raw_read_again_gives_the_same_event(name: str, tmp_path: Path) -> None:
    """An older row can be read again from its `raw`, by a newer version of the source."""
    for row in rows(name, SAMPLES[name], tmp_path):
        again = {found["event_id"]: found for found in rows(name, row["raw"].encode(), tmp_path)}
        assert {**again[row["event_id"]], "record_no": 0, "raw_hash": ""} == {**row, "record_no": 0, "raw_hash": ""}


@pytest.mark.parametrize(
    ("name", "member", "column"),
    [
        ("aws_cloudtrail", "eventName", "action"),
        ("aws_cloudtrail", "eventID", "native_id"),
        ("opa_decisions", "decision_id", "decision_uid"),
        ("approvals", "approval_id", "approval_uid"),
    ],
)
def test_a_repeated_key_is_the_same_value_in_raw_and_columns(
    name: str, member: str, column: str, tmp_path: Path
) -> None:
    """Two parsers that disagree would hide an event from a rule; raw holds what the columns hold."""
    line = SAMPLES[name].splitlines()[0]
    line = json.dumps(json.loads(line)["Records"][0]).encode() if name == "aws_cloudtrail" else line
    doubled = line[:-1] + f', "{member}": "Second"}}'.encode()
    (row,) = rows(name, doubled, tmp_path)
    (extracted,) = duckdb.execute("SELECT ?::JSON ->> ?", [row["raw"], f"$.{member}"]).fetchone() or ()
    assert extracted == "Second"
    assert row[column].endswith("Second")


def test_a_record_without_an_id_is_told_apart_by_its_occurrence(tmp_path: Path) -> None:
    """Where the vendor gives no id, equal records of one file are different events."""
    record = json.loads(SAMPLES["aws_cloudtrail"])["Records"][0]
    del record["eventID"]
    twice = rows("aws_cloudtrail", json.dumps({"Records": [record, record]}).encode(), tmp_path)
    assert [row["native_id"].partition(":")[2] for row in twice] == ["1", "2"]
    assert len({row["event_id"] for row in twice}) == 2


@each_source
def test_junk_is_recognised_by_no_source(name: str, tmp_path: Path) -> None:
    """Pictures, archives, text, other JSON and empty files are nobody's log."""
    for junk in (
        b"",
        b"\x89PNG\r\n",
        b"PK\x03\x04",
        b"hello",
        b'{"a": 1}',
        b"[1, 2]",
        b"\x1f\x8b",
        b"\x1f\x8bxx",
        b"{",
    ):
        (tmp_path / "junk").write_bytes(junk)
        assert recognise(tmp_path / "junk", [source(name)]) is None
    assert recognise(tmp_path / "absent", [source(name)]) is None


def test_batches_are_bounded(tmp_path: Path) -> None:
    """20,000 records a batch at most, and none is lost at the seams."""
    line = SAMPLES["approvals"].splitlines()[0] + b"\n"
    found = batches("approvals", line * 45_000, tmp_path)
    assert [batch.n_records for batch in found] == [20_000, 20_000, 5_000]
    assert sum(batch.events.num_rows for batch in found) == 45_000
    numbers = pa.concat_tables([pa.table(batch.events) for batch in found]).column("record_no").to_pylist()
    assert numbers == list(range(1, 45_001))


def test_a_record_of_50_mb_is_one_event(tmp_path: Path) -> None:
    """One huge record is parsed like any other, whether it is alone on a line or in a wrapper."""
    record = {
        **json.loads(SAMPLES["aws_cloudtrail"])["Records"][0],
        "additionalEventData": {"x": "y" * (50 << 20)},
    }
    for whole in (record, {"Records": [record]}):
        (batch,) = batches("aws_cloudtrail", json.dumps(whole).encode(), tmp_path)
        assert (batch.events.num_rows, batch.quarantined) == (1, [])


@each_source
def test_a_source_and_its_options_work_in_another_process(name: str, tmp_path: Path) -> None:
    """A process pool pickles both; what comes back reads the same."""
    (tmp_path / "a-file").write_bytes(SAMPLES[name])
    copied, options = pickle.loads(pickle.dumps((source(name), OPTIONS)))
    (batch,) = read(tmp_path / "a-file", copied, options)
    assert batch == batches(name, SAMPLES[name], tmp_path)[0]
