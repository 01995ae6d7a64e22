"""Logs that are written while they are read: which files grow line by line, and how far one was read.

Programs append to their logs all day. A file that falls into lines is read up to its last whole line, and in a later
run from there on, if what was read still stands (its SHA-256). The beginning of the file is given to its source once
more before the rest, because it tells how a file falls into records; where a source joins lines of a file, or something
is around them, all that was read is, and only new records are used. So a file that was cut anywhere gives what it gives
whole.
"""

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

import msgspec

from ultravires.formats.charsets import charset_of
from ultravires.formats.csv_rows import header_of
from ultravires.reading.events import Frame
from ultravires.reading.head import HEAD_BYTES
from ultravires.reading.line_prefixes import JSON, without_prefix
from ultravires.reading.locations import FileStat, KnownLocation
from ultravires.reading.mending import PYTHON_STARTS, object_end, python_as_json
from ultravires.reading.splitting import BLANK, BOM, is_spread_over_lines

SETTLED_SECONDS = 600
"""A last line that nobody has gone on with for so long is taken for its end."""
_NS = 1_000_000_000
_LEAST_COLUMNS = 2
_BINARY_BYTES = 256
_CONTROL = frozenset(range(32)) - frozenset(b"\t\n\r\x1b")
_ID_BYTES = 16
_WHOLE = msgspec.json.Decoder(msgspec.Raw)
_UNDECODABLE = (msgspec.DecodeError, UnicodeError, RecursionError)

Counts = Mapping[str, Mapping[str, int]]
"""Reader -> content of records without an id (32 hexadecimal characters) -> how often it occurred."""


class Unlike(Exception):
    """Raised while a file is read on, where its beginning is not the one that was read."""


@dataclass(frozen=True, slots=True)
class LinesRead:
    """How far a file that falls into lines was read: the end of its last whole line, and the hash of all before it.

    `n_behind` are records that were read behind it, of a last line that was taken for the end: they are read again if
    that was wrong. `is_unfinished` says that a line was left there. `is_document` says that all of it is one line with
    many records, such as exports are, which are written anew and not on.
    """

    n_bytes: int
    sha256: str
    is_wrapped: bool
    is_document: bool = False
    is_unfinished: bool = False
    n_behind: int = 0
    counts: bytes = b""


@dataclass(frozen=True, slots=True)
class Before:
    """What the manifest knows of a file that is read on."""

    file_id: str
    source: str
    wrapper: str | None
    n_records: int
    lines: LinesRead


@dataclass(frozen=True, slots=True)
class ReadOn(KnownLocation):
    """A file of which the beginning was read."""

    before: Before


@dataclass(frozen=True, slots=True)
class ReadAnew(KnownLocation):
    """A file whose path held another content of this size and time: the `generation`-th that is read under it."""

    generation: int


def falls_into_lines(head: bytes, *, is_wrapped: bool) -> bool:
    """Whether a file that begins so and was recognised is read line by line, so that more lines can follow."""
    start = head.removeprefix(BOM).lstrip(BLANK)
    is_binary = not _CONTROL.isdisjoint(head[:_BINARY_BYTES])
    if not start or is_binary or charset_of(head) is not None:
        return False
    if start[:1] == b"[" and JSON.match(start):
        return False
    if JSON.match(start):
        return not is_spread_over_lines(head)
    return len(header_of(start)) < _LEAST_COLUMNS or (not is_wrapped and b"\n{" in head)


def is_one_document(head: bytes) -> bool:
    """Whether a file that begins so may be one line that holds many records."""
    first, _, rest = head.partition(b"\n")
    return not rest.strip(BLANK) and b"[" in first


def is_settled(listed: FileStat) -> bool:
    """Whether nobody has written for a while; who dates a file ahead must not be waited for."""
    return abs(time.time_ns() - listed.modified_ns) >= SETTLED_SECONDS * _NS


def is_whole_line(line: bytes) -> bool:
    """Whether a last line without a line break is whole all the same: what follows its headers is JSON and ends."""
    data = line.removeprefix(BOM).strip(BLANK)
    data = data[without_prefix(data).start :]
    if data.startswith(PYTHON_STARTS) and data[-1:] in (b"}", b"]") and python_as_json(data) is not None:
        return True
    if data[:1] not in (b"{", b"[", b'"') or data[-1:] not in (b"}", b"]", b'"'):
        return False
    try:
        _WHOLE.decode(data)
    except _UNDECODABLE:
        return data[:1] == b"{" and object_end(data, 0) == len(data)
    return True


def end_of_lines(data: bytes) -> int:
    """Where the last whole line of a file ends."""
    end = data.rfind(b"\n") + 1
    rest = data[end:]
    return len(data) if not rest.strip(BLANK) or is_whole_line(rest) else end


class Lines:
    """The chunks of one file up to its last whole line, without what was read `before` but for what tells how to go on.

    `is_ended` says that a last line that is not whole is read, too. `reads_all_again` that all before is given again.
    What the attributes say of the file holds when `frames` is through.
    """

    def __init__(self, before: LinesRead | None, *, is_ended: bool, limit: int, reads_all_again: bool = False) -> None:
        self.n_bytes = before.n_bytes if before else 0
        self.is_unfinished = False
        self.n_behind = 0
        self._before = before
        self.is_ended = is_ended
        self._limit = limit
        self._reads_all_again = reads_all_again
        self._digest = hashlib.sha256()
        self._behind = hashlib.sha256()
        self._n_behind_bytes = 0
        self._shift = 0
        self._n_lines = 0

    def sha256(self) -> str:
        """Of the first `n_bytes` of the file."""
        return self._digest.hexdigest()

    def read(self, head: bytes, *, is_wrapped: bool, counts: bytes) -> LinesRead:
        """How far the file that begins so is read now."""
        if self._before is not None:
            is_document = self._before.is_document and not self._n_lines
        else:
            is_document = self._n_lines <= 1 and b"[" in head
        return LinesRead(
            n_bytes=self.n_bytes,
            sha256=self.sha256(),
            is_wrapped=is_wrapped,
            is_document=is_document,
            is_unfinished=self.is_unfinished,
            n_behind=self.n_behind,
            counts=counts,
        )

    def chunks(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """What is to be read of a file's chunks. Raises Unlike where they do not begin as they did before."""
        if self._before is not None and self._before.n_bytes:
            first, again = self._pass_over(chunks, self._before)
            self._shift = self._before.n_bytes - len(again)
            if again:
                yield again
            chunks = chain([first], chunks)
        yield from self._whole(chunks)

    def frames(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Those that are new, with their offsets in the file."""
        start = self._before.n_bytes if self._before else 0
        for frame in frames:
            offset = frame.offset + self._shift
            if offset < start:
                continue
            if offset >= self.n_bytes:
                self.n_behind += 1
            yield frame._replace(offset=offset) if self._shift else frame

    def _pass_over(self, chunks: Iterator[bytes], before: LinesRead) -> tuple[bytes, bytes]:
        """What is behind the bytes that were read, of the chunk in which they end; and what of them is given again."""
        again: list[bytes] = []
        n_passed = n_again = 0
        wanted = before.n_bytes if self._reads_all_again else min(HEAD_BYTES, before.n_bytes)
        for chunk in chunks:
            old, rest = chunk[: before.n_bytes - n_passed], chunk[before.n_bytes - n_passed :]
            self._digest.update(old)
            n_passed += len(old)
            if n_again < wanted or b"\n" not in again[-1]:
                again.append(old)
                n_again += len(old)
            if n_passed == before.n_bytes:
                if self._digest.hexdigest() != before.sha256:
                    raise Unlike
                return rest, self._begin(b"".join(again), wanted)
        raise Unlike

    def _begin(self, data: bytes, wanted: int) -> bytes:
        """Whole lines, about as many bytes as are wanted."""
        if self._reads_all_again or len(data) <= wanted:
            return data
        end = data.rfind(b"\n", 0, wanted) + 1 or data.find(b"\n") + 1
        return data[:end] if end else data

    def _whole(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        held: list[bytes] = []
        size = 0
        for chunk in chunks:
            end = chunk.rfind(b"\n") + 1
            if end:
                whole = b"".join((*held, chunk[:end]))
                held, size = [], 0
                self._take(whole)
                yield whole
            if end < len(chunk):
                held.append(chunk[end:])
                size += len(chunk) - end
            if size > self._limit:  # longer than any record: it is told of, however it goes on
                yield self._take_behind(b"".join(held))
                held, size = [], 0
        rest = b"".join(held)
        if self._n_behind_bytes:
            yield self._take_behind(rest)
        elif not rest.strip(BLANK) or is_whole_line(rest):
            self._take(rest)
            yield rest
        elif self.is_ended:
            yield self._take_behind(rest)
        else:
            self.is_unfinished = True

    def _take(self, data: bytes) -> None:
        if self._n_behind_bytes:
            self._digest, self.n_bytes = self._behind.copy(), self.n_bytes + self._n_behind_bytes
            self._n_behind_bytes = self.n_behind = 0
        self._digest.update(data)
        self.n_bytes += len(data)
        self._n_lines += data.count(b"\n") + (not data.endswith(b"\n"))

    def _take_behind(self, data: bytes) -> bytes:
        if not self._n_behind_bytes:
            self._behind = self._digest.copy()
        self._behind.update(data)
        self._n_behind_bytes += len(data)
        return data


def packed_counts(counts: Counts) -> bytes:
    """Counts as they are kept; nothing where there are none."""
    kept = {
        reader: (b"".join(map(bytes.fromhex, of_reader)), list(of_reader.values()))
        for reader, of_reader in counts.items()
        if of_reader
    }
    return msgspec.msgpack.encode(kept) if kept else b""


def unpacked_counts(data: bytes) -> Counts:
    """What `packed_counts` kept."""
    if not data:
        return {}
    kept = msgspec.msgpack.decode(data, type=dict[str, tuple[bytes, list[int]]])
    return {
        reader: {
            ids[at : at + _ID_BYTES].hex(): n for at, n in zip(range(0, len(ids), _ID_BYTES), numbers, strict=True)
        }
        for reader, (ids, numbers) in kept.items()
    }


def beginnings(chunks: Iterator[bytes], sizes: Iterable[int]) -> dict[int, str]:
    """The SHA-256 of as many first bytes of a file; of those sizes that it reaches."""
    wanted = sorted(set(sizes))
    found: dict[int, str] = {}
    digest, at = hashlib.sha256(), 0
    for chunk in chunks:
        start = 0
        while wanted and wanted[0] <= at + len(chunk):
            size = wanted.pop(0)
            digest.update(chunk[start : size - at])
            start = size - at
            found[size] = digest.hexdigest()
        if not wanted:
            break
        digest.update(chunk[start:])
        at += len(chunk)
    return found
