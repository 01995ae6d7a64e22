"""Thousands of hostile inputs against every source: no crash, no lost record, no hang, no second opinion."""

import os
import time
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from crosses import counted
from fuzzing import NAMES as ODD_NAMES
from fuzzing import STRINGS, hostile_file, hostile_record, records, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source_samples import OPTIONS, source
from ultravires import registry
from ultravires.reading.events import SOURCE_COLUMNS
from ultravires.reading.files import read
from ultravires.runs.run import run_once
from ultravires.store.snapshot import open_published

NAMES = sorted(registry.sources())
each_source = pytest.mark.parametrize("name", NAMES)
SEED = int(os.environ.get("ULTRAVIRES_FUZZ_SEED", "0"))
"""Where the seeds start: a failure names its seed, and the run goes on from there."""
N_QUICK = 800 // len(NAMES)
N_STRESS = 100_000 // len(NAMES) + 1
LONGEST_SECONDS = 5.0

SAME = {
    "aws_cloudtrail": {"native_id": "eventID", "error_code": "errorCode", "user_agent": "userAgent"},
    "opa_decisions": {"decision_uid": "decision_id", "native_id": "decision_id"},
    "approvals": {"approval_uid": "approval_id", "task": "task"},
    "okta_system": {"native_id": "uuid"},
}
"""Columns that hold what a top-level member of the record holds, where the vendor gave one."""

JOINS_LINES = {"mcp_gateway": "a response is read with the request before it, so a spoilt request changes another line"}
"""Sources whose records are not read line by line, each with the reason."""


def look(name: str, data: bytes, path: Path) -> list[dict[str, Any]]:
    """Reads the bytes twice and asserts what holds for any; returns the events."""
    path.write_bytes(data)
    started = time.monotonic()
    found = list(read(path, source(name), OPTIONS))
    assert time.monotonic() - started < LONGEST_SECONDS
    for batch in found:
        numbers = batch.events.column("record_no").to_pylist()
        assert batch.n_records == len(set(numbers)) + batch.n_ignored + len(batch.quarantined)
        assert batch.events.schema == SOURCE_COLUMNS
        batch.events.validate(full=True)
        assert not [row for row in batch.quarantined if row.reason.startswith("reader failed")]
    assert list(read(path, source(name), OPTIONS)) == found
    return [row for batch in found for row in batch.events.to_pylist()]


def agree(name: str, rows: list[dict[str, Any]]) -> None:
    """Asserts that DuckDB reads out of `raw` what the columns hold, and that raw and detail are JSON to it."""
    if not rows:
        return
    con = duckdb.connect()
    con.register("rows", pa.Table.from_pylist(rows, SOURCE_COLUMNS))
    valid = con.execute("select count(*) from rows where json_valid(raw) and json_valid(detail)").fetchone()
    assert valid == (len(rows),)
    for column, member in SAME.get(name, {}).items():
        others = con.execute(
            f"select {column}, raw ->> '$.{member}', raw from rows "
            f"where {column} is distinct from raw ->> '$.{member}' "
            f"and ({column} is not null or json_type(raw, '$.{member}') = 'VARCHAR' and raw ->> '$.{member}' <> '')"
        ).fetchall()
        if column == "native_id":  # of records without an id of the vendor's it is made from their content
            others = [row for row in others if row[1] and len(row[0].partition(":")[0]) != 32]
        assert others == []


def run_seeds(name: str, seeds: range, path: Path) -> None:
    rows: list[dict[str, Any]] = []
    for seed in seeds:
        try:
            rows += look(name, hostile_file(name, seed), path)
        except BaseException:
            print(f"failing input: hostile_file({name!r}, {seed}); go on with ULTRAVIRES_FUZZ_SEED={seed}")
            raise
        if len(rows) > 5_000:
            agree(name, rows)
            rows = []
    agree(name, rows)


@each_source
def test_hostile_files_are_read_without_a_crash_or_a_lost_record(name: str, tmp_path: Path) -> None:
    """Spoilt records and wrong bytes, plain and gzip: every record is an event, ignored or in quarantine."""
    run_seeds(name, range(SEED, SEED + N_QUICK), tmp_path / "a-file")


@pytest.mark.stress
@each_source
def test_a_hundred_thousand_hostile_files(name: str, tmp_path: Path) -> None:
    """The same for as many seeds a source as make a hundred thousand."""
    run_seeds(name, range(SEED, SEED + N_STRESS), tmp_path / "a-file")


def test_the_same_seed_gives_the_same_file() -> None:
    """A failure can be repeated."""
    assert [hostile_file(name, 3) for name in NAMES] == [hostile_file(name, 3) for name in NAMES]
    assert len({hostile_file("approvals", seed) for seed in range(50)}) == 50


@counted(8, 80)
@pytest.mark.parametrize("name", [name for name in NAMES if name not in JOINS_LINES])
def test_a_spoilt_line_costs_no_other_line(name: str, count: int, tmp_path: Path) -> None:
    """The whole records before and behind a spoilt one are all there."""
    random = Random(f"lines {name}")
    good = [write(record, Random(1)).encode() for record in records(name)]
    expected = {row["event_id"] for row in look(name, b"\n".join(good), tmp_path / "a-file")}
    assert expected
    for _ in range(count):
        bad = [hostile_record(name, random) for _ in range(2)]
        lines = b"\n".join((good[0], bad[0], *good[1:-1], bad[1], good[-1]))
        found = {row["event_id"] for row in look(name, lines, tmp_path / "a-file")}
        assert expected <= found, bad


odd_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**30), 10**30),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from(STRINGS),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(ODD_NAMES), st.text(max_size=8)), inner, max_size=4),
    ),
    max_leaves=12,
)


def read_with_an_odd_member(name: str, path: Path, data: st.DataObject) -> None:
    record = data.draw(st.sampled_from(records(name)))
    holder: Any = record
    while isinstance(holder, dict | list) and holder and data.draw(st.booleans()):
        inner = [item for item in (holder.values() if isinstance(holder, dict) else holder) if item]
        inner = [item for item in inner if isinstance(item, dict | list)]
        holder = data.draw(st.sampled_from(inner)) if inner else holder
    place = data.draw(st.sampled_from(sorted(holder))) if isinstance(holder, dict) else len(holder) - 1
    holder[place] = data.draw(odd_values)
    written = write(record, Random(2)).encode("utf-8", "surrogatepass")
    agree(name, look(name, written, path))


hostile = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@each_source
@hostile
@given(data=st.data())
def test_any_json_in_place_of_any_member_is_read(name: str, tmp_path: Path, data: st.DataObject) -> None:
    """Whatever a member holds, the record becomes an event or is put aside."""
    read_with_an_odd_member(name, tmp_path / "a-file", data)


@pytest.mark.stress
@each_source
@settings(hostile, max_examples=100)
@given(data=st.data())
def test_any_json_in_place_of_any_member_many_times(name: str, tmp_path: Path, data: st.DataObject) -> None:
    """The same, a hundred members of each source."""
    read_with_an_odd_member(name, tmp_path / "a-file", data)


@counted(8, 40)
def test_everything_that_was_read_from_hostile_files_can_be_judged(count: int, tmp_path: Path) -> None:
    """The whole SQL runs over it without an error, and each file's records are all accounted for."""
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in NAMES:
        for seed in range(SEED, SEED + count):
            data = hostile_file(name, seed)
            for moment in (b"T10:00:0", b"17911944"):  # another time, so that they are not all the same events
                data = data.replace(moment, moment[:-1] + b"%d" % (seed % 10))
            (logs / f"{name}_{seed}").write_bytes(data)
    result = run_once(logs, tmp_path / "home", config=None, as_of="")
    assert result.events > 100
    assert result.quarantined > 100
    with open_published(tmp_path / "home") as con:
        lost = con.execute(
            "select path from files where n_records > n_events + n_duplicates + n_quarantined + n_ignored"
        ).fetchall()
        assert lost == []
        assert con.execute("select count(*), sum(n_events) from files").fetchone() == (
            count * len(NAMES),
            result.events,
        )
        assert con.execute("select count(*) from events").fetchone() == (result.events,)
