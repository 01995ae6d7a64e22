"""Files that are written while they are read: wherever a file is cut, its parts give what it gives whole."""

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from export_wrapping import WRAPPINGS
from source_samples import SAMPLES, SOURCE_SAMPLES
from ultravires import registry
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.pipeline import hourly_tables
from ultravires.reading.growing import Before, ReadOn
from ultravires.reading.input_file import InputFile, LostFile, is_recognised_as
from ultravires.reading.locations import LocalPlace, Location, local_file
from ultravires.reading.options import Options
from ultravires.reading.parts import read_alone, read_together
from ultravires.reading.pool import file_reader
from ultravires.reading.rows import Quarantined
from ultravires.settings import Settings
from ultravires.store.conservation import broken_law, count_conserved
from ultravires.store.load import Loader
from ultravires.store.warehouse import open_warehouse

OPTIONS = Options(hash_key=b"a key for the tests")
SOURCES = tuple(registry.sources().values())
LONG_AGO = 1_700_000_000
WHOLE = {name: path.read_bytes() for name in SAMPLES for path in (SOURCE_SAMPLES / name).glob("sample.*")}
IN_LINES = sorted(name for name, data in WHOLE.items() if data.strip().count(b"\n") > 1)
"""Sources whose sample has several lines."""


@dataclass
class Outcome:
    """What came of a file, over all readings of it."""

    events: list[dict[str, Any]] = field(default_factory=list)
    refused: list[Quarantined] = field(default_factory=list)
    n_records: int = 0

    def told(self) -> tuple[object, ...]:
        """What must not depend on where the file was cut."""
        events = sorted(({**row, "record_no": 0} for row in self.events), key=lambda row: (row["event_id"], row["raw"]))
        refused = sorted((record.byte_offset, record.reason, record.raw) for record in self.refused)
        return events, refused, self.n_records

    def leave_out_repeated(self) -> None:
        """Keep the first event of each id, as a home does."""
        self.events = list({row["event_id"]: row for row in reversed(self.events)}.values())


def read_in_cuts(data: bytes, ends: Sequence[int], path: Path, *, is_alone: bool) -> tuple[Outcome, int]:
    """What comes of a file that has grown to each of `ends` when it is read, and then to all of `data`; and how often
    it was read on.
    """
    outcome, before, n_on = Outcome(), None, 0
    for end in (*ends, len(data), None):
        path.write_bytes(data[:end])
        if end is None:
            os.utime(path, (LONG_AGO, LONG_AGO))
        location: Location = local_file(path)
        if before is not None and not is_recognised_as(data[: end or len(data)], before, SOURCES):
            outcome, before = Outcome(), None
        if before is not None:
            location, n_on = ReadOn(location, before), n_on + 1
            outcome.refused = [one for one in outcome.refused if one.byte_offset < before.lines.n_bytes]
            outcome.n_records = before.n_records - before.lines.n_behind
        file = _read(location, outcome, is_alone=is_alone)
        if file is None:
            continue
        if file.lines is None:
            outcome, before = Outcome(), None  # read anew, whole
            if end is None:
                _read(local_file(path), outcome, is_alone=is_alone)
            continue
        source = str(file.source)
        wrapper = before.wrapper if before else file.wrapper
        before = Before(file.file_id, source, wrapper, outcome.n_records, file.lines)
    return outcome, n_on


def _read(location: Location, outcome: Outcome, *, is_alone: bool) -> InputFile | None:
    parts = (
        read_alone(location, SOURCES, OPTIONS) if is_alone else [read_together([location], SOURCES, OPTIONS, 1 << 30)]
    )
    file = None
    for part in parts:
        assert all(isinstance(lost, LostFile) and lost.is_growing for lost in part.lost)
        outcome.events += [row for batch in part.events for row in batch.drop_columns(["file_id"]).to_pylist()]
        outcome.refused += [refused for _, refused in part.refused]
        for file in part.files:
            outcome.n_records += file.records
    return file


def cuts(data: bytes, seed: int) -> list[list[int]]:
    """Places to cut: behind a line, inside of one, in three."""
    dice = random.Random(seed)
    ends = [at + 1 for at, byte in enumerate(data[:-1]) if byte == ord("\n")]
    behind = dice.sample(ends, min(2, len(ends)))
    inside = [dice.randrange(1, len(data)) for _ in range(3)]
    return [[at] for at in (*behind, *inside)] + [sorted(dice.randrange(1, len(data)) for _ in range(3))]


@pytest.mark.cross
@pytest.mark.parametrize("is_alone", [True, False])
@pytest.mark.parametrize("name", IN_LINES)
def test_every_cut_of_a_sample_gives_what_it_gives_whole(name: str, is_alone: bool, tmp_path: Path) -> None:
    """Also with equal records, and where some differ under one id; the records are numbered as in the whole file."""
    data = WHOLE[name].rstrip(b"\n") + b"\n"
    lines = data.splitlines(keepends=True)
    other = b'{"another": 1, ' + lines[0].lstrip()[1:]
    texts = (data, data + lines[0] + lines[-1] + data, data[:-1], other + data + other)
    for number, (text, seed) in enumerate((text, seed) for seed, text in enumerate(texts)):
        whole, _ = read_in_cuts(text, [], tmp_path / "whole", is_alone=is_alone)
        for ends in cuts(text, seed):
            cut, n_on = read_in_cuts(text, ends, tmp_path / f"cut-{number}", is_alone=is_alone)
            assert cut.told() == whole.told(), (ends, len(text))
            assert [row["record_no"] for row in cut.events] == [row["record_no"] for row in whole.events]
            assert n_on >= 1


READ_AGAIN = frozenset({"arrays put together", "pages put together", "elastic search, page after page"})
"""Documents of which records are read before they are whole, and then again: duplicates by their ids."""


@pytest.mark.cross
@pytest.mark.parametrize("source", ["opa_decisions", "vault_audit", "mcp_gateway"])
@pytest.mark.parametrize("name", sorted(WRAPPINGS))
def test_every_cut_of_a_wrapped_log_gives_what_it_gives_whole(name: str, source: str, tmp_path: Path) -> None:
    """Headers, parts of lines and objects of other systems; what does not fall into lines is read anew."""
    records = [line for line in WHOLE[source].splitlines() if line.strip()]
    data = WRAPPINGS[name](records)
    whole, _ = read_in_cuts(data, [], tmp_path / "whole", is_alone=True)
    if name in READ_AGAIN:
        whole.leave_out_repeated()
    for ends in cuts(data, 4):
        cut, _ = read_in_cuts(data, ends, tmp_path / "cut", is_alone=True)
        if name in READ_AGAIN:
            cut.leave_out_repeated()
        assert cut.told() == whole.told(), (source, ends, len(data))


def load_as_they_grow(
    folder: Path, texts: dict[str, bytes], shares: Sequence[float]
) -> dict[str, list[tuple[Any, ...]]]:
    """The tables of a home that was loaded whenever all files had grown to one of these shares of their length."""
    logs = folder / "logs"
    logs.mkdir(parents=True)
    with open_warehouse(folder / "home") as warehouse:
        engine = DuckDBEngine(warehouse, hourly_tables())
        with file_reader(OPTIONS, folder / "reading") as read:
            for share in (*shares, 1.0, None):
                for name, text in texts.items():
                    (logs / name).write_bytes(text[: int(len(text) * (share or 1.0))])
                    if share is None:
                        os.utime(logs / name, (LONG_AGO, LONG_AGO))
                Loader(engine, Settings(), read, lambda what, done, total: None).load(LocalPlace(logs))
                assert broken_law(count_conserved(warehouse.con)) is None
        return {name: warehouse.con.execute(query).fetchall() for name, query in _TABLES.items()}


_TABLES = {
    "events": "select * exclude (file_id, ingested_at, record_no) from events order by event_id, raw_hash",
    "files": "select parse_filename(path), size, source, state, n_records, n_events + n_duplicates, n_quarantined, "
    "n_ignored, n_bytes, sha256 from files where state <> 'replaced' order by all",
    "refused": "select log, record_no, byte_offset, reason, raw from quarantine order by all",
    "unread": "select parse_filename(path), state, reason from unread_files order by all",
}


@pytest.mark.parametrize("shares", [(0.5,), (0.2, 0.43, 0.77)])
def test_a_home_does_not_tell_how_often_its_files_were_read(shares: Sequence[float], tmp_path: Path) -> None:
    """All samples in one folder, with records that disagree, broken ones, and a last line that is cut off."""
    texts = {f"{name}.log": WHOLE[name] for name in IN_LINES}
    for name in ("kubernetes_audit", "vault_audit", "mcp_gateway"):
        data = WHOLE[name].rstrip(b"\n") + b"\n"
        other = b'{"another": 1, ' + data.splitlines(keepends=True)[1][1:]
        texts[f"{name}-2.log"] = other + data + b'{"broken": oops}\n' + data[: len(data) // 3]
    whole = load_as_they_grow(tmp_path / "whole", texts, ())
    cut = load_as_they_grow(tmp_path / "cut", texts, shares)
    for name, rows in whole.items():
        assert cut[name] == rows, name
