"""Every source that reads by the column gives, of any file, what it gives by the record."""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from unittest.mock import patch

import pyarrow as pa
import pytest
from both_ways import reading, same_both_ways
from fuzzing import hostile_file, hostile_lines
from hypothesis import given, settings
from hypothesis import strategies as st
from source_samples import OPTIONS, cloudtrail, decision, sample_file, source
from ultravires import registry
from ultravires.reading import files, native
from ultravires.reading.by_column import reads_by_column
from ultravires.reading.framing import whole_lines
from ultravires.reading.input_file import InputFile
from ultravires.reading.locations import FileStat
from ultravires.reading.small_files import SmallFiles
from ultravires.reading.source import Options
from ultravires.reading.values import canonical

pytestmark = pytest.mark.skipif(not native.is_available(), reason="the native scanner was not built: no Rust here")

NAMES = sorted(name for name, each in registry.sources().items() if each.columnar)
each_source = pytest.mark.parametrize("name", NAMES)
RECORDS = {"aws_cloudtrail": cloudtrail, "opa_decisions": decision}


def line(name: str, number: int) -> bytes:
    return canonical(
        RECORDS[name](
            **{"aws_cloudtrail": {"eventID": f"e{number}"}, "opa_decisions": {"decision_id": f"d{number}"}}[name]
        )
    )


def agree_on_hostile_files(name: str, seeds: Iterable[int], tmp_path: Path) -> None:
    """Whether what is not usual is read alone, or as soon as there is much of it with all the rest."""
    for seed in seeds:
        data = hostile_file(name, seed)
        same_both_ways(data, source(name), tmp_path)
        same_both_ways(data, source(name), tmp_path, most_left=0.2)


@each_source
def test_a_hostile_file_is_the_same_both_ways(name: str, tmp_path: Path) -> None:
    agree_on_hostile_files(name, range(120), tmp_path)


@pytest.mark.stress
@each_source
def test_ten_thousand_hostile_files_are_the_same_both_ways(name: str, tmp_path: Path) -> None:
    agree_on_hostile_files(name, range(1_000, 11_000), tmp_path)


@each_source
def test_the_sample_is_the_same_both_ways(name: str, tmp_path: Path) -> None:
    data = sample_file(name).read_bytes()
    assert same_both_ways(data, source(name), tmp_path).n_records


def test_what_is_said_by_records_that_are_left_is_not_asked_of_columns(tmp_path: Path) -> None:
    """Of different calls those without a name are left to `events`; the columns are of the others alone."""
    usual = [cloudtrail(eventID=f"u{number}") for number in range(4)]
    records = [
        *usual,
        cloudtrail(eventID="e2", eventName=None, readOnly=False),
        cloudtrail(eventID="e3", eventSource=7),
    ]
    data = b"\n".join(map(canonical, records))
    read = same_both_ways(data, source("aws_cloudtrail"), tmp_path)
    assert (len(read.rows), len(read.quarantined)) == (4, 2)


@each_source
@pytest.mark.parametrize("seed", range(3))
def test_a_file_in_pieces_is_the_same_as_whole(name: str, seed: int, tmp_path: Path) -> None:
    """Lines of all kinds, some larger than a piece, the last one cut off."""
    random = Random(seed)
    lines = b"".join(hostile_lines(name, random) + b"\n" for _ in range(4)) + b'{"cut'
    file = tmp_path / "whole.log"
    file.write_bytes(lines)
    with patch.object(native, "is_available", lambda: False):
        whole = reading(file, source(name))
    for size in (500, 3_000, 20_000):
        with patch.object(files, "PIECE_BYTES", size):
            in_pieces = reading(file, source(name))
        assert (in_pieces.rows, in_pieces.n_records, in_pieces.n_ignored) == (
            whole.rows,
            whole.n_records,
            whole.n_ignored,
        )
        assert in_pieces.quarantined == whole.quarantined


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_records_without_an_id_are_counted_over_all_pieces(name: str, tmp_path: Path) -> None:
    """Equal ones in one file are as many events, in whichever piece they lie."""
    record = cloudtrail(eventID=None) if name == "aws_cloudtrail" else decision()
    file = tmp_path / "equal.log"
    file.write_bytes((canonical(record) + b"\n" + line(name, 1) + b"\n") * 20)
    with patch.object(files, "PIECE_BYTES", 4_000):
        in_pieces = reading(file, source(name))
    with patch.object(native, "is_available", lambda: False):
        assert in_pieces == reading(file, source(name))


@given(st.lists(st.binary(max_size=9).map(lambda text: text.replace(b"x", b"\n"))), st.integers(1, 12))
def test_pieces_are_the_file(chunks: Sequence[bytes], size: int) -> None:
    """Cut where lines end; where a line is too long for that, what is left of the file stands in the last piece."""
    rest: Iterator[bytes] = iter(chunks)
    pieces = list(whole_lines(rest, size))
    data = b"".join(chunks)
    assert b"".join(piece.data for piece in pieces) + b"".join(rest) == data
    assert all(data[piece.offset :].startswith(piece.data) for piece in pieces)
    assert all(piece.data.endswith(b"\n") for piece in pieces[:-1])
    assert [piece.is_last or piece.rest is not None for piece in pieces] == [False] * (len(pieces) - 1) + [True]


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_a_file_that_ends_early_is_the_same_both_ways(name: str, tmp_path: Path) -> None:
    packed = gzip.compress(b"\n".join(line(name, number) for number in range(400)))
    read = same_both_ways(packed[: len(packed) * 2 // 3], source(name), tmp_path)
    assert read.rows and read.quarantined


def input_file(number: int) -> InputFile:
    return InputFile(f"f{number}", f"f{number}", FileStat(1, 1), f"id{number}")


def gathered(name: str, texts: Sequence[tuple[bytes, str | None]]) -> object:
    """Rows, refusals and counts of small files that are read together."""
    small = SmallFiles(source(name), OPTIONS)
    for number, (data, damage) in enumerate(texts):
        small.add(input_file(number), data, damage)
    batches, refused = small.finish()
    rows = [row for batch in batches for row in batch.to_pylist()]
    rows.sort(key=lambda row: (row["file_id"], row["record_no"]))
    refusals = sorted((file.file_id, each.record_no, each.byte_offset, each.reason, each.raw) for file, each in refused)
    counts = [(file.records, file.emitted, file.quarantined, file.ignored) for file in small.files]
    return rows, refusals, counts


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(sorted(RECORDS)), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 99)), max_size=8))
def test_small_files_together_are_the_same_both_ways(name: str, kinds: list[tuple[int, int]]) -> None:
    """Plain, wrapped, empty, hostile and damaged ones beside each other."""
    texts: list[tuple[bytes, str | None]] = []
    for kind, seed in kinds:
        plain = b"\n".join(line(name, number) for number in range(seed % 7))
        wrapped = (
            b'{"Records":[' + plain.replace(b"\n", b",") + b"]}"
            if name == "aws_cloudtrail"
            else b"[" + plain.replace(b"\n", b",") + b"]"
        )
        hostile = hostile_lines(name, Random(seed))
        damage = "gzip ends early" if kind == 4 else None
        texts.append((((plain, wrapped, b"", hostile, plain, b"no log\n"))[kind], damage))
    by_the_column = gathered(name, texts)
    with patch.object(native, "is_available", lambda: False):
        assert gathered(name, texts) == by_the_column


@pytest.mark.parametrize(
    "options",
    [
        replace(OPTIONS, fields={"*": ("userAgent",)}),
        replace(OPTIONS, redact=frozenset({"mot de passe", "contrase\u00f1a"})),
    ],
)
def test_what_the_scanner_cannot_redact_is_read_by_the_record(options: Options, tmp_path: Path) -> None:
    assert reads_by_column(source("aws_cloudtrail"), OPTIONS)
    assert not reads_by_column(source("aws_cloudtrail"), options)
    file = tmp_path / "log.json"
    file.write_bytes(line("aws_cloudtrail", 1))
    assert len(reading(file, source("aws_cloudtrail"), options).rows) == 1


def test_a_source_without_columns_is_read_by_the_record() -> None:
    assert not reads_by_column(source("approvals"), OPTIONS)


def test_a_mistake_in_columns_costs_time_and_no_record(tmp_path: Path) -> None:
    """The file is read by the record then, and a warning says so."""

    def columns(*_: object) -> dict[str, pa.Array]:
        raise KeyError("a mistake")

    by_record = source("opa_decisions")
    assert by_record.columnar is not None
    mistaken = replace(by_record, columnar=replace(by_record.columnar, columns=columns))
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(b"\n".join(line("opa_decisions", number) for number in range(9)))
    with pytest.warns(RuntimeWarning, match="opa_decisions is read by the record: KeyError"):
        found = reading(file, mistaken)
    assert found == reading(file, by_record)
