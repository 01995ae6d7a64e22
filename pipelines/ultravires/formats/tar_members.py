"""The members of a tar archive, one after another from a stream of bytes; nothing is ever written to disk.

Names are only names: `..`, absolute paths, links and devices lead nowhere. Read here and not by the standard library,
which takes the size of a header's extension on trust and would hold all of it in memory.
(POSIX pax and ustar: IEEE Std 1003.1, pax; GNU's long names and base-256 numbers: the GNU tar manual.)
"""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field

from ultravires.formats.decompressing import Damage, FileBytes, Stream

BLOCK = 512
HELD_BYTES = 8 << 20
"""A member up to this size is held in memory, where a damage inside of it can be read around."""
MOST_MEMBERS = 100_000
EARLY_END = "tar ends early"
_MOST_HEADER_BYTES = 1 << 20
_REGULAR = (b"0", b"\x00", b"7")
_WITHOUT_DATA = (b"1", b"2", b"3", b"4", b"5", b"6")
_REWINDABLE = 64


def is_tar(head: bytes) -> bool:
    """Whether decompressed bytes that begin so are a tar archive."""
    return head[257:262] == b"ustar" and len(head) >= BLOCK and _has_right_sum(head[:BLOCK])


@dataclass
class Member:
    """One regular file of an archive. `reason` says why it cannot be read; else `stream` gives its bytes, once."""

    name: str
    size: int
    modified_ns: int
    stream: Stream
    digest: "hashlib._Hash"
    reason: str | None = None

    def open(self) -> Stream:
        return self.stream

    def sha256(self) -> str:
        """Of the whole member; takes what was not read of it yet. Raises Damage."""
        if isinstance(self.stream, _Forward):
            self.stream.drain()
        return self.digest.hexdigest()


@dataclass
class Archive:
    """An archive while its members are read; then `n_members` and what was wrong with it.

    What stands behind the end of the tar is looked at for `most_behind` bytes.
    """

    file: FileBytes
    most_behind: int
    n_members: int = 0
    damage: str | None = None
    _names: set[str] = field(default_factory=set)

    def members(self) -> Iterator[Member]:
        """Regular files in their order, hidden ones left out; each must be read before the next is asked for.

        A name that stands twice is told apart by `#2`. Raises nothing for damage, but notes it.
        """
        blocks = _Blocks(self.file, self.most_behind)
        try:
            for member in _members(blocks):
                if _is_hidden(member.name):
                    continue
                if self.n_members >= MOST_MEMBERS:
                    raise Damage(f"holds more than {MOST_MEMBERS:,} files; the others were not read")
                self.n_members += 1
                member.name = self._own_name(member.name)
                yield member
        except Damage as damage:
            self.damage = str(damage)

    def _own_name(self, name: str) -> str:
        own, number = name, 1
        while own in self._names:
            number += 1
            own = f"{name}#{number}"
        self._names.add(own)
        return own


class _Blocks:
    """Reads an archive's decompressed chunks forward."""

    def __init__(self, file: FileBytes, most_behind: int) -> None:
        self.file = file
        self.most_behind = most_behind
        self._chunks = file.chunks()
        self._chunk = b""
        self._at = 0

    def some(self, most: int) -> bytes:
        """At least one byte and at most `most`; none at the end."""
        if self._at >= len(self._chunk):
            self._chunk, self._at = next(self._chunks, b""), 0
        data = self._chunk[self._at : self._at + most]
        self._at += len(data)
        return data

    def exactly(self, size: int) -> bytes:
        """`size` bytes, fewer only where the archive ends."""
        parts = []
        while size and (data := self.some(size)):
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def skip(self, size: int) -> None:
        while size:
            data = self.some(size)
            if not data:
                raise self.end()
            size -= len(data)

    def end(self) -> Damage:
        return Damage(self.file.damage or EARLY_END)


@dataclass
class _Header:
    name: bytes
    size: int
    modified_ns: int
    kind: bytes
    block: bytes


def _members(blocks: _Blocks) -> Iterator[Member]:
    extension: dict[bytes, bytes] = {}
    while (header := _next_header(blocks)) is not None:
        if header.kind in (b"x", b"L"):
            if header.size > _MOST_HEADER_BYTES:
                raise Damage("a header of the tar is too large")
            data = blocks.exactly(header.size)
            if len(data) < header.size:
                raise blocks.end()
            extension |= _pax(data) if header.kind == b"x" else {b"path": data.rstrip(b"\x00")}
            blocks.skip(-header.size % BLOCK)
            continue
        if header.kind in (b"g", b"K"):
            blocks.skip(header.size + -header.size % BLOCK)
            continue
        yield from _member(blocks, header, extension)
        extension = {}


def _member(blocks: _Blocks, header: _Header, extension: dict[bytes, bytes]) -> Iterator[Member]:
    size = _decimal(extension[b"size"]) if b"size" in extension else header.size
    name = extension.get(b"path", header.name)
    is_sparse = header.kind == b"S" or any(key.startswith(b"GNU.sparse") for key in extension)
    if header.kind in _WITHOUT_DATA or (name.endswith(b"/") and not is_sparse):
        return
    if header.kind == b"S":
        _skip_sparse_maps(blocks, header)
    if header.kind in _REGULAR or is_sparse:
        digest = hashlib.sha256()
        stream = _stream(blocks, size, digest)
        reason = "sparse members are not read" if is_sparse else None
        yield Member(name.decode("utf-8", "backslashreplace"), size, header.modified_ns, stream, digest, reason)
        if isinstance(stream, _Forward):
            stream.drain()
        blocks.skip(-size % BLOCK)
    else:
        blocks.skip(size + -size % BLOCK)


def _stream(blocks: _Blocks, size: int, digest: "hashlib._Hash") -> Stream:
    if size > HELD_BYTES:
        return _Forward(blocks, size, digest)
    data = blocks.exactly(size)
    digest.update(data)
    return io.BytesIO(data) if len(data) == size else _CutOff(data, blocks.end())


class _CutOff(io.BytesIO):
    """What there is of a member whose archive ends in the midst of it."""

    def __init__(self, data: bytes, damage: Damage) -> None:
        super().__init__(data)
        self._damage = damage

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if not data and size:
            raise self._damage
        return data


class _Forward(io.RawIOBase):
    """A large member, straight from its archive; goes back to its beginning only from its first few bytes."""

    def __init__(self, blocks: _Blocks, size: int, digest: "hashlib._Hash") -> None:
        self._blocks = blocks
        self._size = size
        self._digest = digest
        self._begin = blocks.exactly(_REWINDABLE)
        digest.update(self._begin)
        self._taken = len(self._begin)
        self._at = 0

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if offset or whence or self._at > len(self._begin):
            raise io.UnsupportedOperation("a member of an archive is read forward only")
        self._at = 0
        return 0

    def read(self, size: int = -1, /) -> bytes:
        """Some bytes, at most `size`; none at the end. Raises Damage where the archive ends before the member."""
        most = self._size if size < 0 else size
        if self._at < len(self._begin):
            data = self._begin[self._at : self._at + most]
        else:
            data = self._take(min(most, self._size - self._taken))
            self._taken += len(data)
        self._at += len(data)
        return data

    def drain(self) -> None:
        """Take what is left of the member."""
        self._at = max(self._at, len(self._begin))
        while self.read(BLOCK << 8):
            pass

    def _take(self, most: int) -> bytes:
        data = self._blocks.some(most) if most else b""
        if most and not data:
            raise self._blocks.end()
        self._digest.update(data)
        return data


def _next_header(blocks: _Blocks) -> _Header | None:
    """The next header; None at the mark that ends the archive."""
    block = blocks.exactly(BLOCK)
    if len(block) < BLOCK:
        raise blocks.end()
    if not any(block):
        _refuse_what_follows(blocks)
        return None
    if not _has_right_sum(block):
        raise Damage("tar is damaged")
    name = block[:100].split(b"\x00", 1)[0]
    if block[257:263] == b"ustar\x00" and (prefix := block[345:500].split(b"\x00", 1)[0]):
        name = prefix + b"/" + name
    return _Header(name, _number(block[124:136]), _number(block[136:148]) * 1_000_000_000, block[156:157], block)


def _refuse_what_follows(blocks: _Blocks) -> None:
    """The rest is read so that a checksum at the end of the compressed bytes is looked at."""
    n_behind = 0
    while data := blocks.some(1 << 20):
        if data.count(0) != len(data):
            raise Damage("bytes after the end of the tar")
        n_behind += len(data)
        if n_behind > blocks.most_behind:
            raise Damage(f"more than {blocks.most_behind} empty bytes after the end of the tar")
    if blocks.file.damage:
        raise Damage(blocks.file.damage)


def _skip_sparse_maps(blocks: _Blocks, header: _Header) -> None:
    """GNU's old format says where the holes are in further blocks behind the header."""
    goes_on = header.block[482]
    while goes_on:
        block = blocks.exactly(BLOCK)
        if len(block) < BLOCK:
            raise blocks.end()
        goes_on = block[504]


def _has_right_sum(block: bytes) -> bool:
    try:
        wanted = _number(block[148:156])
    except Damage:
        return False
    return wanted == sum(block) - sum(block[148:156]) + 8 * ord(" ")


def _number(text: bytes) -> int:
    """An octal number, or GNU's base 256."""
    if text[:1] == b"\x80":
        return int.from_bytes(text[1:], "big")
    digits = text.replace(b"\x00", b" ").strip()
    try:
        number = int(digits or b"0", 8)
    except ValueError as error:
        raise Damage("tar is damaged") from error
    if number < 0:
        raise Damage("tar is damaged")
    return number


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise Damage("tar is damaged")
    return int(text)


def _pax(data: bytes) -> dict[bytes, bytes]:
    """Records `length key=value newline` of an extended header."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 20)
        length = _decimal(data[at:space]) if space > 0 else 0
        record = data[space + 1 : at + length]
        if length <= space - at or not record.endswith(b"\n") or b"=" not in record:
            raise Damage("tar is damaged")
        key, _, value = record[:-1].partition(b"=")
        found[key] = value
        at += length
    return found


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") and part not in (".", "..") for part in name.split("/"))
