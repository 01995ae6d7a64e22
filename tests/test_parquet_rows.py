"""Parquet as Security Lake writes it: row after row as in JSON, and no harm from a file that lies."""

import io
import json
import struct
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ocsf_copies import LAKE, as_parquet, cloudtrail_as_ocsf
from source_samples import OPTIONS, batches, claimed_by, cloudtrail, quarantined, rows
from ultravires.formats.parquet_rows import parquet_frames
from ultravires.reading.events import Frame
from ultravires.reading.options import Options

COPIES = [cloudtrail_as_ocsf(cloudtrail(eventID=f"e-{number}", requestID=f"R-{number}")) for number in range(7)]
hostile = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def frames(data: bytes, options: Options = OPTIONS) -> list[Frame]:
    return list(parquet_frames(data, options, ("class_uid",), "something else"))


def written(table: pa.Table, **writing: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **writing)
    return file.getvalue()


def values(column: pa.Array, **writing: Any) -> list[Any]:
    """What becomes of a column; None where a row is without it."""
    numbers = pa.array([6003] * len(column), pa.int32())
    found = frames(written(pa.table({"class_uid": numbers, "x": column}), **writing))
    assert all(frame.reason is None for frame in found)
    assert [json.loads(frame.data) for frame in found] == [frame.value for frame in found]
    return [frame.value.get("x") for frame in found]


@pytest.mark.parametrize("compression", ["zstd", "gzip", "snappy", "none"])
@pytest.mark.parametrize("group", [1, 3, 100])
def test_a_row_is_the_event_of_its_json(compression: str, group: int, tmp_path: Path) -> None:
    """Whatever the codec and the row groups; recognised by content."""
    data = as_parquet(COPIES, compression=compression, row_group_size=group)
    expected = rows("ocsf", "\n".join(map(json.dumps, COPIES)).encode(), tmp_path)
    found = rows("ocsf", data, tmp_path)
    left_out = ("raw", "raw_hash")
    assert [{k: v for k, v in row.items() if k not in left_out} for row in found] == [
        {k: v for k, v in row.items() if k not in left_out} for row in expected
    ]
    assert {row["log"] for row in found} == {"aws_cloudtrail"}
    assert claimed_by(data) == ["ocsf"]
    (again,) = rows("ocsf", found[3]["raw"].encode(), tmp_path)
    assert again["event_id"] == found[3]["event_id"]


def test_every_column_of_the_lake_is_read_back() -> None:
    """Structs, lists and maps hold what was written, without what is null."""
    (frame,) = frames(as_parquet(COPIES[:1]))
    assert {name: value for name, value in frame.value.items() if name != "time_dt"} == {
        name: value for name, value in COPIES[0].items() if name != "time_dt"
    }
    assert frame.value["time_dt"] == "2026-10-05T10:00:00.000000Z"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1.5, float("nan"), float("inf"), None]), [1.5, None, None, None]),
        (pa.array([True, None]), [True, None]),
        (pa.array([2**63], pa.uint64()), [2**63]),
        (pa.array(["é", "", None]), ["é", "", None]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([b"text", None]), ["text", None]),
        (pa.array([Decimal("1.50")]), ["1.50"]),
        (pa.array([date(2026, 10, 5)]), ["2026-10-05"]),
        (pa.array([datetime(2026, 10, 5, 10, tzinfo=UTC)], pa.timestamp("us", "UTC")), ["2026-10-05T10:00:00.000000Z"]),
        (pa.array([1_791_194_400_123_456_789], pa.timestamp("ns")), ["2026-10-05T10:00:00.123456Z"]),
        (pa.array([1 << 62, -5], pa.timestamp("us")), [1 << 62, -5]),
        (pa.array([1 << 30], pa.date32()), [1 << 30]),
        (pa.array([7], pa.time64("us")), [7]),
        (pa.array([[], ["a", None], None]), [[], ["a", None], None]),
        (pa.array([[[1], []], [[2, 3]]]), [[[1], []], [[2, 3]]]),
        (pa.array([{"a": None}, {"a": {"b": 1}}, None]), [None, {"a": {"b": 1}}, None]),
        (pa.array([[("k", "v"), ("n", None)], [], None], pa.map_(pa.string(), pa.string())), [{"k": "v"}, {}, None]),
        (pa.array([[(1, 2)]], pa.map_(pa.int32(), pa.int32())), [{"1": 2}]),
        (pa.nulls(2), [None, None]),
    ],
)
def test_each_type_becomes_json(column: pa.Array, expected: list[Any]) -> None:
    """Times that no calendar has stay numbers; JSON has no infinity."""
    assert values(column) == expected


def test_old_times_of_96_bits_are_times() -> None:
    """As Spark writes them."""
    column = pa.array([1_791_194_400_123_456], pa.timestamp("us"))
    assert values(column, use_deprecated_int96_timestamps=True) == ["2026-10-05T10:00:00.123456Z"]


def test_text_that_is_no_utf8_puts_its_row_aside() -> None:
    """The rows beside it are read."""
    column = pa.array([b"a", b"\xff", b"c"]).view(pa.string())
    data = written(pa.table({"class_uid": pa.array([1, 2, 3]), "x": pa.StructArray.from_arrays([column], ["y"])}))
    assert [frame.reason for frame in frames(data)] == [None, "invalid UTF-8", None]


def test_other_parquet_is_one_row_in_quarantine(tmp_path: Path) -> None:
    """The magic alone does not make it OCSF."""
    data = written(pa.table({"a": [1, 2, 3]}))
    (row,) = quarantined("ocsf", data, tmp_path)
    assert row.reason.endswith("not OCSF")
    assert rows("ocsf", written(LAKE.empty_table()), tmp_path) == []
    assert quarantined("ocsf", written(LAKE.empty_table()), tmp_path) == []


def test_a_file_that_is_cut_off_is_one_row_in_quarantine(tmp_path: Path) -> None:
    """Without its end nothing of it can be found."""
    data = as_parquet(COPIES)
    for cut in range(4, len(data) - 1, 97):
        assert [row.reason for row in quarantined("ocsf", data[:cut], tmp_path)] == ["Parquet is damaged"]


def test_a_damaged_row_group_costs_only_its_rows(tmp_path: Path) -> None:
    """The groups before and behind it are read."""
    data = bytearray(as_parquet(COPIES, row_group_size=3, compression="zstd"))
    described = pq.ParquetFile(pa.BufferReader(bytes(data))).metadata.row_group(1).column(0)
    data[described.data_page_offset : described.data_page_offset + 8] = b"\xff" * 8
    ids = [row["native_id"] for row in rows("ocsf", bytes(data), tmp_path)]
    assert ids == ["e-0", "e-1", "e-2", "e-6"]
    assert [row.reason for row in quarantined("ocsf", bytes(data), tmp_path)] == ["Parquet is damaged"]


def small() -> Iterator[bytes]:
    """Files in which most bytes mean something."""
    yield as_parquet(COPIES[:2], compression="none", write_statistics=False)
    plain = pa.table({"class_uid": [6003, 6003], "metadata": [{"uid": "a"}, {"uid": "b"}], "time": [1, 2]})
    yield written(plain, compression="none")
    yield written(plain, compression="zstd", data_page_version="2.0", use_dictionary=False)


SMALL = list(small())


@hostile
@given(data=st.data())
def test_any_bytes_end_as_rows_or_in_quarantine(tmp_path: Path, data: st.DataObject) -> None:
    """Flipped, inserted and repeated bytes: no exception, no row lost, the same result again."""
    mutated = bytearray(data.draw(st.sampled_from(SMALL)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(4, len(mutated) - 1))
        width = data.draw(st.sampled_from([0, 1, 1, 4, 40]))
        mutated[at : at + width] = data.draw(st.binary(max_size=4))
    found = []
    for _ in range(2):
        read = batches("ocsf", bytes(mutated), tmp_path)
        for batch in read:
            evented = len(set(batch.events.column("record_no").to_pylist()))
            assert batch.n_records == evented + batch.n_ignored + len(batch.quarantined)
            assert not [row.reason for row in batch.quarantined if row.reason.startswith("reader failed")]
        found.append([(batch.events.to_pylist(), batch.quarantined) for batch in read])
    assert found[0] == found[1]


def test_a_billion_rows_of_nothing_are_stopped() -> None:
    """A run of equal values takes a few bytes, however long it is."""
    column = pa.nulls(4_000_000, pa.int32())
    data = written(pa.table({"class_uid": column}), row_group_size=4_000_000)
    n_rows, last = 0, None
    for frame in parquet_frames(data, Options(hash_key=b"k", max_ratio=100), ("class_uid",), ""):
        n_rows, last = n_rows + 1, frame
    assert last is not None and last.reason == "Parquet expands more than 100 times"
    assert n_rows < 2_000_000


def test_a_long_text_in_every_row_is_stopped_before_memory_is_full() -> None:
    """It lies once in the dictionary, and is not multiplied before the limit is looked at."""
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 3000, pa.int32()), pa.array(["x" * (5 << 20)]))
    data = written(pa.table({"class_uid": pa.array([1] * 3000), "x": text}))
    before, last = pa.total_allocated_bytes(), None
    for frame in parquet_frames(data, Options(hash_key=b"k", max_ratio=100), ("class_uid",), ""):
        last = frame
        assert pa.total_allocated_bytes() - before < 100 << 20
    assert last is not None and last.reason == "Parquet expands more than 100 times"


def test_limits_of_a_file_and_of_a_record_hold() -> None:
    """Sizes count as JSON, as they would lie in a file of lines."""
    data = as_parquet(COPIES)
    (alone,) = frames(data, Options(hash_key=b"k", max_file_bytes=100))
    assert alone.reason == "file is larger than 100 bytes"
    found = frames(data, Options(hash_key=b"k", max_record_bytes=100))
    assert {frame.reason for frame in found} == {"record is longer than 100 bytes"}
    assert len(found) == len(COPIES)


def test_a_schema_that_is_nested_without_end_is_damage() -> None:
    """Deeper than any log, in a footer written by hand."""

    def name(value: bytes) -> bytes:
        return bytes([0x18, len(value)]) + value

    group = bytes([0x35, 0x02]) + name(b"a") + bytes([0x15, 0x02, 0x00])
    leaf = bytes([0x15, 0x0C, 0x25, 0x02]) + name(b"x") + b"\x00"
    depth = 20_000
    count, size = b"", depth + 1
    while size:
        count, size = count + bytes([size & 127 | (128 if size > 127 else 0)]), size >> 7
    footer = b"\x15\x02\x19\xfc" + count + group * depth + leaf + b"\x16\x00\x19\x0c\x00"
    data = b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1"
    assert [frame.reason for frame in frames(data)] == ["Parquet is damaged"]
