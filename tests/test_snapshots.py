"""Exports of who holds what: when they were taken, which records are of one, and how large ones are read."""

import json
import tarfile
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_samples import OPTIONS, SAMPLES, source
from ultravires import registry
from ultravires.errors import ConfigError
from ultravires.reading.captures import Capture, stated_outside
from ultravires.reading.documents import Closed, Element, Member, Rest, documents
from ultravires.reading.input_file import read_file
from ultravires.reading.locations import LocalFile, LocalPlace, Location, Skipped, local_file
from ultravires.reading.options import Options
from ultravires.reading.origins import BoundPlace, Origins
from ultravires.reading.values import iso
from ultravires.runs.run import run_once
from ultravires.store.snapshot import open_published

NAME = "aws_iam_snapshot"
UNDATED = {name: value for name, value in json.loads(SAMPLES[NAME]).items() if name != "captured_at"}
SIX = "2026-10-06T06:00:00.000000Z"
Said = tuple[str, str, str | None]


def said(capture: Capture | None) -> Said | None:
    if capture is None:
        return None
    return iso(capture.at), capture.by, None if capture.until is None else iso(capture.until)


@pytest.mark.parametrize(
    ("path", "at"),
    [
        ("/logs/gaad-2026-10-06T0600Z.json", SIX),
        ("/logs/gaad-2026-10-06T06:00:00Z.json", SIX),
        ("/logs/2026-10-06_06-00_gaad.json.gz", SIX),
        ("/logs/gaad_20261006T060000Z.json", SIX),
        ("/logs/gaad-2026-10-06T0800+0200.json", SIX),
        ("s3://exports/2020-01-01/gaad-2026-10-06T0600Z.json", SIX),
        ("/logs/exports-2026-10-06T0600Z.tar.gz!iam/gaad.json", SIX),
        ("/logs/exports-2020-01-01.tar!gaad-2026-10-06T0600Z.json", SIX),
        ("/logs/gaad-2026-13-40T0600Z.json", None),
        ("/logs/2026-10-06/gaad.json", None),
        ("/logs/from-2026-10-01-to-2026-10-06.json", None),
        ("/logs/gaad-111122223333.json", None),
        ("/logs/gaad-120261006.json", None),
        ("", None),
    ],
)
def test_the_name_of_a_file_says_when_it_was_taken(path: str, at: str | None) -> None:
    """One time in the last name of the path, or of the archive; two are none."""
    found = said(stated_outside(replace(OPTIONS, path=path), NAME))
    assert found == (None if at is None else (at, "name", None))


def test_a_day_in_a_name_says_from_when_until_when() -> None:
    found = said(stated_outside(replace(OPTIONS, path="/logs/gaad-2026-10-06.json"), NAME))
    assert found == ("2026-10-06T00:00:00.000000Z", "name", "2026-10-07T00:00:00.000000Z")


def test_a_time_comes_before_a_day_and_the_name_before_what_lies_beside() -> None:
    origins = Origins((BoundPlace(NAME, "**", captured_at="2026-10-08T08:00:00+00:00"),))
    day = replace(OPTIONS, path="/logs/gaad-2026-10-06.json")
    beside = replace(day, captured=" 2026-10-06T07:00Z\n")
    assert said(stated_outside(replace(beside, origins=origins), NAME)) == (
        "2026-10-06T07:00:00.000000Z",
        "sidecar",
        None,
    )
    assert said(stated_outside(replace(day, captured="soon", origins=origins), NAME)) == (
        "2026-10-08T08:00:00.000000Z",
        "origins",
        None,
    )
    timed = replace(beside, path="/logs/gaad-2026-10-06T0600Z.json")
    assert said(stated_outside(timed, NAME)) == (SIX, "name", None)
    assert stated_outside(replace(OPTIONS, path="/x", captured="soon"), NAME) is None


def test_origins_date_the_files_of_their_path_and_source() -> None:
    origins = Origins((BoundPlace(NAME, "exports/**", captured_at="2026-10-08T08:00:00+00:00"),), "/logs")
    assert origins.captured_at("/logs/exports/a.json", NAME) == "2026-10-08T08:00:00+00:00"
    assert origins.captured_at("/logs/other/a.json", NAME) is None
    assert origins.captured_at("/logs/exports/a.json", "kubernetes_rbac_snapshot") is None


def captures_in(location: Location, options: Options = OPTIONS) -> set[tuple[str, str, str | None]]:
    found = set()
    for file in read_file(location, list(registry.sources().values()), options):
        for batch in file.pending:
            for at, detail in zip(batch["event_at"].to_pylist(), batch["detail"].to_pylist(), strict=True):
                told = json.loads(detail)
                found.add((at.isoformat(), told["captured_by"], told.get("captured_until")))
        file.pending = []
    return found


def test_a_file_beside_it_says_when_it_was_taken_and_is_no_input(tmp_path: Path) -> None:
    (tmp_path / "gaad.json").write_text(json.dumps(UNDATED, indent=1))
    (tmp_path / "gaad.json.captured").write_text("2026-10-06T06:00:00Z\n")
    (tmp_path / "alone.captured").write_text("2026-10-06T06:00:00Z\n")
    files = list(LocalPlace(tmp_path).files())
    assert [Path(str(file)).name for file in files] == ["alone.captured", "gaad.json"]
    dated = files[1]
    assert not isinstance(dated, Skipped)
    assert captures_in(dated) == {("2026-10-06T06:00:00+00:00", "sidecar", None)}
    assert captures_in(local_file(tmp_path / "gaad.json")) == captures_in(dated)


def test_when_a_file_was_written_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "gaad.json").write_text(json.dumps(UNDATED))
    assert captures_in(local_file(tmp_path / "gaad.json")) == {("2026-10-05T05:58:12+00:00", "lower_bound", None)}


def test_within_a_day_it_was_not_taken_before_what_it_holds(tmp_path: Path) -> None:
    """Of a day that is over before anything in it was made, only the day is said."""
    until = "2026-10-06T00:00:00.000000Z"
    for day, at in (("2026-10-05", "2026-10-05T05:58:12+00:00"), ("2026-10-09", "2026-10-09T00:00:00+00:00")):
        path = tmp_path / f"gaad-{day}.json"
        path.write_text(json.dumps(UNDATED))
        ((found, by, end),) = captures_in(local_file(path))
        assert (found, by) == (at, "name")
        assert end == (until if day == "2026-10-05" else "2026-10-10T00:00:00.000000Z")


def test_a_member_of_an_archive_is_dated_by_its_name_or_that_of_the_archive(tmp_path: Path) -> None:
    (tmp_path / "gaad.json").write_text(json.dumps(UNDATED))
    with tarfile.open(tmp_path / "exports-2026-10-06T0600Z.tar", "w") as archive:
        archive.add(tmp_path / "gaad.json", "iam/gaad.json")
    found = captures_in(local_file(tmp_path / "exports-2026-10-06T0600Z.tar"))
    assert found == {("2026-10-06T06:00:00+00:00", "name", None)}


_STORED = """
select strftime(event_at at time zone 'UTC', '%d'), detail ->> 'captured_by', voice, count(*)
from events group by all order by all
"""


def stored(folder: Path, config: str) -> list[tuple[Any, ...]]:
    """Day of the capture, what says so, voice and number of the events that a run stores."""
    (folder / "ultravires.yaml").write_text(config)
    run_once(folder / "logs", folder / "home", config=folder / "ultravires.yaml", as_of="")
    with open_published(folder / "home") as con:
        return con.execute(_STORED).fetchall()


def test_a_run_stores_snapshots_as_their_name_and_origins_say(tmp_path: Path) -> None:
    """Small files and large ones alike, the same export twice once; and `origins` decides who is believed."""
    logs = tmp_path / "logs"
    (logs / "exports").mkdir(parents=True)
    (logs / "exports" / "gaad.json").write_text(json.dumps(UNDATED))
    (logs / "gaad-2026-10-06T0600Z.json").write_text(json.dumps(UNDATED, indent=2))
    (logs / "again-2026-10-06T0600Z.json").write_text(json.dumps(UNDATED))
    config = f"origins: {{{NAME}: [{{path: exports/**, captured_at: 2026-10-07T06:00:00Z}}]}}\n"
    found = stored(tmp_path, config)
    assert found == [("06", "name", "reported", 8), ("07", "origins", "recorded", 8)]


def test_only_snapshots_are_dated_by_origins(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    with pytest.raises(
        ConfigError, match="captured_at is for snapshots; the records of approvals have their own times"
    ):
        stored(tmp_path, "origins: {approvals: [{path: a/**, captured_at: 2026-10-07T06:00:00Z}]}\n")
    with pytest.raises(ConfigError, match="captured_at is of the files at a path"):
        stored(tmp_path, f"origins: {{{NAME}: [{{log_group: x, captured_at: 2026-10-07T06:00:00Z}}]}}\n")


def _users(n: int) -> Iterator[bytes]:
    user = json.dumps(json.loads(SAMPLES[NAME])["UserDetailList"][0])
    yield b'{"UserDetailList": ['
    for number in range(n):
        yield (", " if number else "").encode() + user.replace("mira", f"mira-{number}").encode()
    yield b'], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}'


@pytest.mark.parametrize("path", ["gaad-2026-10-06T0600Z.json", "gaad.json"])
def test_many_users_are_read_one_after_the_other(path: str) -> None:
    """Twenty thousand in little memory where the name says the time; else they wait, but not decoded."""
    n = 20_000
    tracemalloc.start()
    read = sum(1 for _ in source(NAME).records(_users(n), replace(OPTIONS, path=path)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    size = sum(map(len, _users(n)))
    assert read == n
    assert peak < (24 << 20 if "T0600" in path else 3 * size)


OPENS = frozenset({"l", "m"})


def pieces(data: bytes, size: int, limit: int = 10_000) -> list[Any]:
    chunks = (data[at : at + size] for at in range(0, len(data), size))
    return [
        (found.offset, b"".join(found.chunks)) if isinstance(found, Rest) else found
        for found in documents(chunks, OPENS, limit)
    ]


@given(st.binary(max_size=3), st.integers(0, 60), st.integers(1, 40))
def test_documents_are_read_alike_however_their_bytes_come(noise: bytes, at: int, size: int) -> None:
    """Also where they break: what follows is given back whole, and nothing comes twice."""
    data = b'[{"a": 12, "l": [{"x": "]}"}, 7], "m": []},\n {"n": [1]}] {"m": [{}]}'
    broken = data[:at] + noise + data[at:]
    assert pieces(broken, size) == pieces(broken, len(broken) or 1)


def test_lists_of_records_stand_anywhere_among_plain_members() -> None:
    data = b'{"a": 1, "l": [{"x": 1}], "b": {"l": [2]}, "m": [{"y": 2}]}'
    assert pieces(data, 7) == [
        Member(1, "a", b"1"),
        Element(15, "l", b'{"x": 1}'),
        Member(26, "b", b'{"l": [2]}'),
        Element(49, "m", b'{"y": 2}'),
        Closed(0, len(data), b"", OPENS),
    ]


@pytest.mark.parametrize("data", [b'{"a": 1, "c": [2', b"7", b'{"a" 1}', b'{"a": 1}}', b"[{}"])
def test_what_is_no_document_is_given_back(data: bytes) -> None:
    *_, (offset, rest) = pieces(data, 4)
    assert data.endswith(rest) and offset == len(data) - len(rest)


def test_a_document_beyond_the_limit_is_given_back() -> None:
    data = b'{"n": "' + b"x" * 5_000_000 + b'", "z": 1}'
    assert pieces(data, 1 << 16)[-1] == (0, data)


def test_a_location_without_such_a_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    (found,) = islice(LocalPlace(tmp_path).files(), 2)
    assert isinstance(found, LocalFile) and found.captured is None
