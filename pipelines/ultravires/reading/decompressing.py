"""A file's bytes in bounded chunks, gzip or plain, under limits, with what was whole before a damage.

`FileBytes.damage` says after the last chunk why there was no more; the chunks before it are good.
"""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from isal import igzip_lib, isal_zlib

from ultravires.reading.source import Options

GZIP = b"\x1f\x8b"
_IsalError = cast(type[Exception], igzip_lib.IsalError)  # its type stub calls the class an instance
_WITH_GZIP_HEADER = 31
_PLAIN_BLOCK = 1 << 20
_GZIP_BLOCK = 1 << 16
_MAX_OUTPUT = 1 << 20
_RATIO_FROM = 64 << 20


class _Damage(Exception):
    """Ends a gzip stream; the message is the reason given in quarantine."""


class FileBytes:
    """The decompressed bytes of the file at `path`. Raises OSError where the file cannot be read."""

    def __init__(self, path: Path, options: Options) -> None:
        self.path = path
        self.options = options
        self.size = 0
        self.damage: str | None = None

    def chunks(self) -> Iterator[bytes]:
        """Yields chunks of at most about 1 MB; sets `damage` where they end too early."""
        with self.path.open("rb") as file:
            is_gzip = file.read(2) == GZIP
            file.seek(0)
            try:
                for chunk in gunzip(file) if is_gzip else iter(lambda: file.read(_PLAIN_BLOCK), b""):
                    yield self._checked(chunk, file)
            except _Damage as damage:
                self.damage = str(damage)

    def _checked(self, chunk: bytes, file: BinaryIO) -> bytes:
        self.size += len(chunk)
        if self.size > self.options.max_file_bytes:
            raise _Damage(f"file is larger than {self.options.max_file_bytes} bytes")
        if self.size > _RATIO_FROM and self.size > self.options.max_ratio * file.tell():
            raise _Damage(f"gzip expands more than {self.options.max_ratio} times")
        return chunk


def gunzip(file: BinaryIO) -> Iterator[bytes]:
    """Decompresses all gzip members of `file`. Raises _Damage behind the last good byte."""
    inflater, member_at, given = isal_zlib.decompressobj(_WITH_GZIP_HEADER), 0, 0
    block = file.read(_GZIP_BLOCK)
    while block:
        try:
            data = inflater.decompress(block, _MAX_OUTPUT)
        except _IsalError as error:
            yield from _salvage(file, member_at, given)
            raise _Damage("gzip is damaged") from error
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
        raise _Damage("gzip ends early")


def _last_bytes(inflater: "isal_zlib.Decompress") -> Iterator[bytes]:
    try:
        if data := inflater.flush():
            yield data
    except _IsalError:
        return


def _next_member(file: BinaryIO, block: bytes) -> bytes:
    """The first bytes of the next gzip member, behind any zero padding; empty at the end of the file."""
    block = block.lstrip(b"\x00")
    while len(block) < len(GZIP):
        more = file.read(_GZIP_BLOCK)
        if not more:
            break
        block = (block + more).lstrip(b"\x00")
    if block and not block.startswith(GZIP):
        raise _Damage("bytes after the gzip data")
    return block


def _salvage(file: BinaryIO, member_at: int, skip: int) -> Iterator[bytes]:
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
