"""A file's bytes in bounded chunks, plain or compressed, under limits, with what was whole before a damage.

gzip, zstd, bzip2 and xz are told by their first bytes, never by the file's name. `FileBytes.damage` says after the
last chunk why there was no more; the chunks before it are good. gzip is read by isal, which is several times faster
than zlib; zstd by Arrow, which is here anyway, reads frame after frame, passes over skippable ones and refuses windows
above 128 MB; bzip2 and xz by the standard library.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, cast

import pyarrow as pa
from isal import igzip_lib, isal_zlib

from ultravires.reading.options import Options

GZIP = b"\x1f\x8b"
_IsalError = cast(type[Exception], igzip_lib.IsalError)  # its type stub calls the class an instance
_WITH_GZIP_HEADER = 31
_PLAIN_BLOCK = 1 << 20
_GZIP_BLOCK = 1 << 16
_MAX_OUTPUT = 1 << 20
_RATIO_FROM = 64 << 20
_XZ_MEMORY = 128 << 20
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"
_MAGIC_BYTES = 8


class Stream(Protocol):
    """An open file, as far as decompressing needs one. Only a damaged gzip or zstd file is read from an earlier place
    again, and only where `seekable` says that it can be.
    """

    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, /) -> int: ...
    def tell(self) -> int: ...
    def seekable(self) -> bool: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> object: ...


class Openable(Protocol):
    """Bytes that can be opened, from their beginning each time."""

    def open(self) -> Stream: ...


class Damage(Exception):
    """Ends a file's bytes early; the message is the reason given in quarantine."""


class FileBytes:
    """The decompressed bytes of a file. Raises OSError where it cannot be read."""

    def __init__(self, content: Path | Openable, options: Options) -> None:
        self.content = content
        self.options = options
        self.size = 0
        self.damage: str | None = None
        self.is_packed = False
        """Whether it is compressed, which is known when some of it was read."""
        self._looked_at: list[bytes] = []
        self._rest: Iterator[bytes] | None = None

    def head(self, size: int) -> bytes:
        """The first bytes, at most `size`; `chunks` gives them once more without reading them again."""
        if self._rest is None:
            self._rest = self._read()
        held = sum(map(len, self._looked_at))
        while held < size and (chunk := next(self._rest, None)) is not None:
            self._looked_at.append(chunk)
            held += len(chunk)
        if held and len(self._looked_at[0]) >= size:
            return self._looked_at[0][:size]
        return b"".join(self._looked_at)[:size]

    def chunks(self) -> Iterator[bytes]:
        """Gives chunks of at most about 1 MB; sets `damage` where they end too early."""
        looked_at, rest = self._looked_at, self._rest
        if rest is None:
            return self._read()
        self._looked_at, self._rest = [], None
        return chain(looked_at, rest)

    def _read(self) -> Iterator[bytes]:
        self.size, self.damage = 0, None
        with self._open() as file:
            try:
                begin = file.read(_MAGIC_BYTES)
                file.seek(0)
                name, decompress = _format(begin)
                self.is_packed = decompress is not _plain
                chunks = self._checked(decompress(file), file, name)
                yield from self._unpacked_again(chunks, file) if self.is_packed else chunks
            except Damage as damage:
                self.damage = str(damage)

    def _open(self) -> Stream:
        if isinstance(self.content, Path):
            return cast(Stream, self.content.open("rb"))
        return self.content.open()

    def _unpacked_again(self, chunks: Iterator[bytes], file: Stream) -> Iterator[bytes]:
        """What was packed twice, as where a web server or a script packed what was gzip already."""
        first = next(chunks, b"")
        chunks = chain([first], chunks)
        return self._checked(gunzip(_Inner(chunks)), file, "gzip in it") if first.startswith(GZIP) else chunks

    def _checked(self, chunks: Iterator[bytes], file: Stream, name: str) -> Iterator[bytes]:
        """The same chunks, up to what a file may unpack to; `size` becomes what they are together."""
        size = 0
        for chunk in chunks:
            size += len(chunk)
            if size > self.options.max_file_bytes:
                raise Damage(f"file is larger than {self.options.max_file_bytes} bytes")
            if size > _RATIO_FROM and size > self.options.max_ratio * file.tell():
                raise Damage(f"{name} expands more than {self.options.max_ratio} times")
            self.size = size
            yield chunk


class _Inner:
    """Chunks as a file that is read once, from its beginning to its end."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""
        self._at = 0

    def read(self, size: int = -1, /) -> bytes:
        while (size < 0 or len(self._held) < size) and (chunk := next(self._chunks, None)) is not None:
            self._held += chunk
        given = self._held if size < 0 else self._held[:size]
        self._held = self._held[len(given) :]
        self._at += len(given)
        return given

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return False

    def seek(self, _offset: int, /) -> int:
        raise OSError("what is packed in something packed is read once")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def _format(begin: bytes) -> tuple[str, Callable[[Stream], Iterator[bytes]]]:
    if begin.startswith(GZIP):
        return "gzip", gunzip
    if begin.startswith(b"\x28\xb5\x2f\xfd") or (begin[1:4] == _ZSTD_SKIPPABLE and 0x50 <= begin[0] <= 0x5F):
        return "zstd", unzstd
    if begin.startswith(b"BZh"):
        return "bzip2", partial(_in_turn, bz2.BZ2Decompressor, "bzip2")
    if begin.startswith(b"\xfd7zXZ\x00"):
        return "xz", partial(_in_turn, _unxz, "xz")
    return "the file", _plain


def _plain(file: Stream) -> Iterator[bytes]:
    return iter(lambda: file.read(_PLAIN_BLOCK), b"")


def gunzip(file: Stream) -> Iterator[bytes]:
    """Decompresses all gzip members of `file`. Raises Damage behind the last good byte."""
    inflater, member_at, given = isal_zlib.decompressobj(_WITH_GZIP_HEADER), 0, 0
    block = file.read(_GZIP_BLOCK)
    while block:
        try:
            data = inflater.decompress(block, _MAX_OUTPUT)
        except _IsalError as error:
            if file.seekable():
                yield from _salvage(file, member_at, given)
            raise Damage("gzip is damaged") from error
        given += len(data)
        if data:
            yield data
        if not inflater.eof:
            block = inflater.unconsumed_tail or file.read(_GZIP_BLOCK)
            continue
        block = _next_member(file, inflater.unused_data)
        inflater, member_at, given = isal_zlib.decompressobj(_WITH_GZIP_HEADER), file.tell() - len(block), 0
        if not block:
            return
    yield from _last_bytes(inflater)
    if not inflater.eof:
        raise Damage("gzip ends early")


def _last_bytes(inflater: "isal_zlib.Decompress") -> Iterator[bytes]:
    try:
        if data := inflater.flush():
            yield data
    except _IsalError:
        return


def _next_member(file: Stream, block: bytes) -> bytes:
    """The first bytes of the next gzip member, behind any zero padding; empty at the end of the file."""
    block = block.lstrip(b"\x00")
    while len(block) < len(GZIP):
        more = file.read(_GZIP_BLOCK)
        if not more:
            break
        block = (block + more).lstrip(b"\x00")
    if block and not block.startswith(GZIP):
        raise Damage("bytes after the gzip data")
    return block


def _salvage(file: Stream, member_at: int, skip: int) -> Iterator[bytes]:
    """What a damaged member gives before the damage, without the first `skip` bytes.

    isal gives nothing of the block that fails; zlib can be copied before each block, and then fed byte by
    byte.
    """
    file.seek(member_at)
    inflater = zlib.decompressobj(_WITH_GZIP_HEADER)
    while (block := file.read(_GZIP_BLOCK)) and not inflater.eof:
        before = inflater.copy()
        try:
            data = inflater.decompress(block)
        except zlib.error:
            yield b"".join(_bytewise(before, block))[skip:]
            return
        if data[skip:]:
            yield data[skip:]
        skip = max(0, skip - len(data))


def _bytewise(inflater: "zlib._Decompress", block: bytes) -> Iterator[bytes]:
    try:
        for at in range(len(block)):
            yield inflater.decompress(block[at : at + 1])
    except zlib.error:
        return


def unzstd(file: Stream) -> Iterator[bytes]:
    """Decompresses all zstd frames of `file`. Raises Damage behind the last good byte."""
    given = 0
    try:
        for data in _zstd_steps(file, lambda _: _MAX_OUTPUT):
            given += len(data)
            yield data
    except OSError as error:
        if not isinstance(error, _ZstdError):
            raise
        if file.seekable():
            yield from _salvage_zstd(file, given)
        raise Damage(str(error)) from error


class _ZstdError(OSError):
    """What Arrow says of the compressed bytes, told from what the file system says of the file."""


def _zstd_steps(file: Stream, step: Callable[[int], int]) -> Iterator[bytes]:
    """Reads `step(given)` bytes at a time behind the first `given`."""
    held, given = _Held(file), 0
    stream = pa.CompressedInputStream(pa.PythonFile(held, mode="r"), "zstd")
    while True:
        try:
            data = stream.read(step(given))
        except OSError as error:
            if held.error is not None:
                raise held.error from error
            raise _ZstdError("zstd ends early" if "runcated" in str(error) else "zstd is damaged") from error
        if not data:
            return
        given += len(data)
        yield data


class _Held:
    """A stream as Arrow wants one; keeps what was raised by it, which Arrow would turn into another error."""

    closed = False

    def __init__(self, file: Stream) -> None:
        self._file = file
        self.error: Exception | None = None

    def read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except Exception as error:
            self.error = error
            raise

    def close(self) -> None:
        """Who opened the stream closes it."""


def _salvage_zstd(file: Stream, skip: int) -> Iterator[bytes]:
    """What Arrow withheld of the read that failed: all is read once more, and byte by byte behind the first `skip`."""
    file.seek(0)
    withheld, given = [], 0
    try:
        for data in _zstd_steps(file, lambda given: min(skip - given, _MAX_OUTPUT) if given < skip else 1):
            if given >= skip:
                withheld.append(data)
            given += len(data)
    except _ZstdError:
        yield b"".join(withheld)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes: ...


def _unxz() -> _Decompressor:
    return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)


def _in_turn(start: Callable[[], _Decompressor], name: str, file: Stream) -> Iterator[bytes]:
    """Decompresses all streams of `file` one after another, zero padding between them. Raises Damage."""
    decompressor, block = start(), b""
    while True:
        if decompressor.eof:
            block = decompressor.unused_data.lstrip(b"\x00") or file.read(_GZIP_BLOCK).lstrip(b"\x00")
            if not block:
                return
            decompressor = start()
        elif decompressor.needs_input and not (block := file.read(_GZIP_BLOCK)):
            raise Damage(f"{name} ends early")
        try:
            data = decompressor.decompress(block, _MAX_OUTPUT)
        except (OSError, EOFError, ValueError, lzma.LZMAError) as error:
            raise Damage(f"{name} is damaged") from error
        block = b""
        if data:
            yield data
