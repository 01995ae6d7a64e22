"""Compressed files: told by their bytes, read as far as they are whole, stopped where they expand without end."""

import bz2
import gzip
import io
import lzma
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from source_samples import SAMPLES
from ultravires.formats.decompressing import FileBytes
from ultravires.reading.input_file import read_file
from ultravires.reading.locations import local_file
from ultravires.reading.options import Options
from ultravires.registry import sources

OPTIONS = Options(hash_key=b"key")
LINES = b"".join(b'{"n":%d,"x":"%s"}\n' % (n, random.Random(n).randbytes(20).hex().encode()) for n in range(30_000))
SKIPPABLE = b"\x50\x2a\x4d\x18\x05\x00\x00\x00hello"


def zstd(data: bytes) -> bytes:
    compressed: bytes = pa.Codec("zstd").compress(data, asbytes=True)
    return compressed


FORMATS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstd,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


class InMemory:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def open(self) -> io.BytesIO:
        return io.BytesIO(self.data)


def unpacked(data: bytes, options: Options = OPTIONS) -> tuple[bytes, str | None]:
    file = FileBytes(InMemory(data), options)
    return b"".join(file.chunks()), file.damage


@pytest.mark.parametrize("name", FORMATS)
def test_several_streams_in_one_file_are_read_one_after_another(name: str) -> None:
    """As log shippers append them."""
    compress = FORMATS[name]
    assert unpacked(compress(LINES[:1000]) + compress(LINES[1000:])) == (LINES, None)


def test_skippable_frames_of_zstd_are_passed_over() -> None:
    """At the beginning too, where they hide what the file is."""
    assert unpacked(SKIPPABLE + zstd(LINES) + SKIPPABLE + zstd(LINES)) == (LINES * 2, None)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("cut", [0.3, 0.7, 0.999])
def test_what_is_whole_before_an_early_end_is_given(name: str, cut: float) -> None:
    """In order, without a byte that was not in the file."""
    compressed = FORMATS[name](LINES)
    data, damage = unpacked(compressed[: int(len(compressed) * cut)])
    assert LINES.startswith(data)
    assert damage == f"{name} ends early"
    if name in ("gzip", "xz"):
        assert len(data) > len(LINES) * (cut - 0.1)


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_all_before_a_damage_is_given(name: str) -> None:
    """What the fast reader withholds of the block that fails is read again."""
    data, damage = unpacked(FORMATS[name](LINES) + b"\x28\xb5junk")
    assert data == LINES
    assert damage == {"gzip": "bytes after the gzip data", "zstd": "zstd is damaged"}[name]


@pytest.mark.parametrize("name", FORMATS)
def test_a_bomb_is_stopped_by_its_ratio(name: str) -> None:
    """Soon after the 64 MB from which the ratio counts."""
    bomb = FORMATS[name](bytes(64 << 20)) * 20
    data, damage = unpacked(bomb)
    assert damage == f"{name} expands more than 1000 times"
    assert len(data) < 66 << 20


@pytest.mark.parametrize("name", FORMATS)
def test_what_was_packed_twice_is_read(name: str) -> None:
    """As where a web server packs what is gzip already; what is cut or damaged inside is said."""
    twice = FORMATS[name](gzip.compress(LINES))
    assert unpacked(twice) == (LINES, None)
    data, damage = unpacked(FORMATS[name](gzip.compress(LINES)[:-5000]))
    assert LINES.startswith(data) and data and damage == "gzip ends early"


def test_a_bomb_behind_what_was_packed_twice_is_stopped() -> None:
    """Also where it unpacks to nothing that is given on: zeros behind gzip are passed over."""
    packed = gzip.compress(gzip.compress(LINES[:1000])) + gzip.compress(bytes(64 << 20)) * 20
    assert unpacked(packed) == (LINES[:1000], "gzip expands more than 1000 times")


def test_a_window_beyond_all_measure_is_refused() -> None:
    """A zstd header may ask for gigabytes of memory."""
    window = (24 << 3).to_bytes(1, "little")  # 2 to the power of 34
    assert unpacked(b"\x28\xb5\x2f\xfd\x00" + window + b"\x00" * 20) == (b"", "zstd is damaged")


def test_an_error_of_the_file_system_is_no_damage() -> None:
    """A disk that fails is told as such, not as a broken file."""

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 1 << 16:
                raise OSError(5, "Input/output error")
            return super().read(size)

    class Broken:
        def open(self) -> io.BytesIO:
            return Failing(zstd(LINES))

    with pytest.raises(OSError, match="Input/output error"):
        list(FileBytes(Broken(), OPTIONS).chunks())


def test_the_head_is_read_once() -> None:
    """Looking at the beginning takes nothing away from what follows."""
    file = FileBytes(InMemory(gzip.compress(LINES)), OPTIONS)
    assert file.head(10) == LINES[:10]
    assert file.head(100_000) == LINES[:100_000]
    assert b"".join(file.chunks()) == LINES


@pytest.mark.parametrize("name", FORMATS)
def test_the_name_of_a_file_says_nothing(name: str, tmp_path: Path) -> None:
    """A compressed log under any name is read."""
    path = tmp_path / "x.txt"
    path.write_bytes(FORMATS[name](SAMPLES["opa_decisions"]))
    *_, file = read_file(local_file(path), tuple(sources().values()), OPTIONS)
    assert (file.source, file.emitted) == ("opa_decisions", 3)
