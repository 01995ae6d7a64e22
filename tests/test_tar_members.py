"""Archives: each member is a file of its own, and nothing that an archive says makes us do anything else."""

import gzip
import hashlib
import io
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from source_samples import SAMPLES
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.pipeline import hourly_tables
from ultravires.formats import tar_members
from ultravires.formats.decompressing import FileBytes
from ultravires.formats.tar_members import Archive, is_tar
from ultravires.reading.input_file import InputFile, read_file
from ultravires.reading.locations import LocalPlace, local_file
from ultravires.reading.options import Options
from ultravires.reading.pool import file_reader
from ultravires.registry import sources
from ultravires.settings import Settings
from ultravires.store.load import LoadCounts, Loader
from ultravires.store.warehouse import open_warehouse

OPTIONS = Options(hash_key=b"key")
DECISIONS, APPROVALS = SAMPLES["opa_decisions"], SAMPLES["approvals"]


def tar(*members: tuple[str, bytes] | tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size, info.mtime = len(member[1]), 1_700_000_000
                archive.addfile(info, io.BytesIO(member[1]))
    return out.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zstd(data: bytes) -> bytes:
    compressed: bytes = pa.Codec("zstd").compress(data, asbytes=True)
    return compressed


class InMemory:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def open(self) -> io.BytesIO:
        return io.BytesIO(self.data)


def members(data: bytes) -> tuple[list[tuple[str, bytes | str]], str | None]:
    """(name, content or why it is not read) of each member, and the archive's damage."""
    file = FileBytes(InMemory(data), OPTIONS)
    assert is_tar(file.head(1000))
    archive = Archive(file, file.options.max_file_bytes)
    found: list[tuple[str, bytes | str]] = []
    for member in archive.members():
        content = FileBytes(member, OPTIONS)
        found.append((member.name, member.reason or b"".join(content.chunks())))
    return found, archive.damage


def files_of(path: Path) -> dict[str, InputFile]:
    """Everything that reading the file at `path` gives, by name behind it."""
    files = {id(file): file for file in read_file(local_file(path), tuple(sources().values()), OPTIONS)}
    return {file.path.removeprefix(str(path)): file for file in files.values()}


def load(folder: Path, home: Path) -> tuple[LoadCounts, list[tuple[str, str, int]]]:
    with open_warehouse(home) as warehouse, file_reader(OPTIONS, home / "reading") as read:
        loader = Loader(DuckDBEngine(warehouse, hourly_tables()), Settings(), read, lambda what, done, total: None)
        counts = loader.load(LocalPlace(folder))
        rows = loader.con.execute("select path, state, n_events from files order by path").fetchall()
        (stored,) = loader.con.execute(
            "select (select count(*) from events) = (select coalesce(sum(n_events), 0) from files)"
        ).fetchall()
    assert stored[0], "events are not conserved"
    return counts, [(str(Path(path).relative_to(folder)), state, n) for path, state, n in rows]


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstd], ids=["plain", "gzip", "zstd"])
def test_each_member_is_recognised_and_stored_as_a_file_of_its_own(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    """With a line in the manifest; a second run reads nothing again."""
    logs = tmp_path / "logs"
    logs.mkdir()
    archive = tar(("a/opa.jsonl", DECISIONS), ("a/approvals.jsonl.gz", gzip.compress(APPROVALS)), ("note", b"hello"))
    (logs / "export").write_bytes(compress(archive))
    counts, rows = load(logs, tmp_path / "home")
    assert counts.events == 6
    assert counts.unrecognised == [f"{logs / 'export'}!note"]
    assert rows == [
        ("export", "archive", 0),
        ("export!a/approvals.jsonl.gz", "loaded", 3),
        ("export!a/opa.jsonl", "loaded", 3),
        ("export!note", "unrecognised", 0),
    ]
    again, _ = load(logs, tmp_path / "home")
    assert (again.files, again.events, again.changed) == (0, 0, [])


def test_names_are_only_names(tmp_path: Path) -> None:
    """Absolute, upwards, twice the same, not UTF-8: nothing is written anywhere, and none hides another."""
    path = tmp_path / "x.tar"
    names = ["/etc/passwd", "../../up.json", "same", "same", "same#2", "./dot.json"]
    path.write_bytes(tar(*((name, DECISIONS) for name in names), form=tarfile.USTAR_FORMAT))
    before = sorted(tmp_path.rglob("*"))
    found = files_of(path)
    assert list(found) == ["!/etc/passwd", "!../../up.json", "!same", "!same#2", "!same#2#2", "!./dot.json", ""]
    assert len({file.file_id for file in found.values()}) == 7
    assert sorted(tmp_path.rglob("*")) == before
    raw = tar(("xx.json", DECISIONS)).replace(b"xx.json", b"\xff\xfe.json")
    (name, _), *_ = members(_with_right_sums(raw))[0]
    assert name == "\\xff\\xfe.json"


def _with_right_sums(archive: bytes) -> bytes:
    header = archive[:148] + b" " * 8 + archive[156:512]
    return archive[:148] + b"%06o\x00 " % sum(header) + archive[156:]


def test_links_devices_and_folders_are_passed_over() -> None:
    """They hold no log; what follows them is read."""
    archive = tar(
        special("link", tarfile.SYMTYPE, "/etc/shadow"),
        special("hard", tarfile.LNKTYPE, "../../x"),
        special("disk", tarfile.BLKTYPE),
        special("terminal", tarfile.CHRTYPE),
        special("pipe", tarfile.FIFOTYPE),
        special("folder", tarfile.DIRTYPE),
        (".hidden/x.json", DECISIONS),
        ("._opa.jsonl", DECISIONS),
        ("opa.jsonl", DECISIONS),
    )
    assert members(archive) == ([("opa.jsonl", DECISIONS)], None)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_are_read_in_both_formats(form: int) -> None:
    """pax and GNU write them in front of the member."""
    name = "deep/" * 60 + "ü.json"
    assert members(tar((name, b"x"), ("b", b"y"), form=form)) == ([(name, b"x"), ("b", b"y")], None)


def test_a_member_larger_than_memory_for_it_is_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its content and its hash are those of the whole."""
    whole = files_of(_written(tmp_path, tar(("opa.jsonl", DECISIONS), ("b.jsonl.gz", gzip.compress(APPROVALS)))))
    monkeypatch.setattr(tar_members, "HELD_BYTES", 0)
    streamed = files_of(_written(tmp_path, tar(("opa.jsonl", DECISIONS), ("b.jsonl.gz", gzip.compress(APPROVALS)))))
    for name in ("!opa.jsonl", "!b.jsonl.gz"):
        assert streamed[name].sha256 == whole[name].sha256
        assert (streamed[name].source, streamed[name].emitted) == (whole[name].source, 3)


def _written(folder: Path, archive: bytes) -> Path:
    path = folder / "x.tar"
    path.write_bytes(archive)
    return path


def test_memory_stays_that_of_a_chunk_whatever_a_member_holds() -> None:
    """An archive of a gigabyte of zeros, in a gzip of a megabyte."""
    zeros = tar(("zeros", bytes(64 << 20)))[: 512 + (64 << 20)]
    header = bytearray(zeros[:512])
    header[124:136] = b"%011o\x00" % (1 << 30)
    packed = (
        gzip.compress(_with_right_sums(bytes(header)))
        + gzip.compress(bytes(64 << 20)) * 16
        + gzip.compress(bytes(1024))
    )
    tracemalloc.start()
    archive = Archive(FileBytes(InMemory(packed), Options(hash_key=b"key", max_ratio=100_000)), 4 << 30)
    assert [member.size for member in archive.members()] == [1 << 30]
    assert archive.damage is None
    assert tracemalloc.get_traced_memory()[1] < 40 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("held", [0, tar_members.HELD_BYTES])
def test_an_archive_that_ends_early_gives_what_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    """The member in which it ends is read up to there and has a row in quarantine; the archive is named."""
    monkeypatch.setattr(tar_members, "HELD_BYTES", held)
    logs = tmp_path / "logs"
    logs.mkdir()
    archive = tar(("a.jsonl", APPROVALS), ("b.jsonl", DECISIONS))
    start = archive.index(DECISIONS[:100])
    (logs / "cut.tar").write_bytes(archive[: start + DECISIONS.index(b"\n") + 20])
    counts, rows = load(logs, tmp_path / "home")
    assert rows == [("cut.tar", "archive", 0), ("cut.tar!a.jsonl", "loaded", 3), ("cut.tar!b.jsonl", "loaded", 1)]
    assert counts.quarantined >= 1
    assert counts.damaged == [f"{logs / 'cut.tar'}: tar ends early"]


def _header_with(**fields: bytes) -> bytes:
    places = {"size": 124, "kind": 156, "sum": 148}
    header = bytearray(tar(("x", b""))[:512])
    for name, value in fields.items():
        header[places[name] : places[name] + len(value)] = value
    return _with_right_sums(bytes(header))


@pytest.mark.parametrize(
    ("archive", "damage"),
    [
        (_header_with(size=b"\x80" + b"\x00" * 2 + b"\x7f" * 9) + b"data", "tar ends early"),
        (_header_with(size=b"\xff" * 12), "tar is damaged"),
        (_header_with(size=b"-0000000001\x00"), "tar is damaged"),
        (_header_with(size=b"notanumber\x00\x00"), "tar is damaged"),
        (_header_with(size=b"77777777777\x00", kind=b"x") + b"9", "a header of the tar is too large"),
        (_header_with(size=b"77777777777\x00", kind=b"L") + b"9", "a header of the tar is too large"),
        (_header_with(size=b"77777777777\x00", kind=b"g") + b"9", "tar ends early"),
        (_header_with(size=b"00000000012\x00", kind=b"x") + b"99999999 a".ljust(512, b"\x00"), "tar is damaged"),
        (_header_with(size=b"00000000010\x00", kind=b"x") + b"0 a=b\n\n\n".ljust(512, b"\x00"), "tar is damaged"),
        (tar(("a", b"x"))[:1024] + b"not a header".ljust(512, b"x"), "tar is damaged"),
        (tar(("a", b"x")) + b"appended", "bytes after the end of the tar"),
    ],
)
def test_headers_that_lie_end_the_archive_with_a_reason(archive: bytes, damage: str) -> None:
    """No size is believed before its bytes are there."""
    tracemalloc.start()
    assert members(archive)[1] == damage
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


def test_sparse_members_are_named_and_not_read(tmp_path: Path) -> None:
    """In GNU's old format and in pax; what follows is read."""
    old = bytearray(_header_with(kind=b"S", size=b"00000000003\x00"))
    old[257:265] = b"ustar  \x00"
    archive = _with_right_sums(bytes(old)) + b"abc".ljust(512, b"\x00") + tar(("after", b"y"))
    assert members(archive) == ([("x", "sparse members are not read"), ("after", b"y")], None)
    info = tarfile.TarInfo("sparse")
    info.pax_headers = {"GNU.sparse.major": "1"}
    assert members(tar(info, ("after", b"y"))) == ([("sparse", "sparse members are not read"), ("after", b"y")], None)


def test_an_archive_inside_of_an_archive_is_named_and_not_opened(tmp_path: Path) -> None:
    """Also when it is compressed once more."""
    inner = tar(("opa.jsonl", DECISIONS))
    found = files_of(_written(tmp_path, tar(("a.tar", inner), ("b.tgz", gzip.compress(inner)), ("c.jsonl", DECISIONS))))
    assert [(file.state, file.emitted) for file in found.values()] == [
        ("unrecognised", 0),
        ("unrecognised", 0),
        ("loaded", 3),
        ("archive", 0),
    ]
    assert found["!b.tgz"].message == "an archive inside of an archive is not opened"


def test_more_members_than_anybody_packs_are_not_read_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line in the manifest for each of millions would fill the memory."""
    monkeypatch.setattr(tar_members, "MOST_MEMBERS", 3)
    found, damage = members(tar(*((str(n), b"") for n in range(5))))
    assert len(found) == 3
    assert damage == "holds more than 3 files; the others were not read"


def test_a_member_that_nobody_reads_to_its_end_does_not_shift_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unrecognised large member is passed over whole, and hashed whole."""
    monkeypatch.setattr(tar_members, "HELD_BYTES", 1000)
    junk = b"junk" * 500_000
    found = files_of(_written(tmp_path, tar(("junk", junk), ("opa.jsonl", DECISIONS))))
    assert (found["!junk"].state, found["!opa.jsonl"].emitted) == ("unrecognised", 3)
    assert found["!junk"].sha256 == hashlib.sha256(junk).hexdigest()
