"""The bytes of one file: in memory, as far as it was listed, and hashed on the way."""

import hashlib
import io
from typing import Self

from ultravires.formats.decompressing import Openable, Stream


def read_whole(stream: Stream, most: int) -> bytes:
    """All that is there, and no more than `most`; a stream may give less at a time than it was asked for."""
    data = stream.read(most)
    while len(data) < most and (more := stream.read(most - len(data))):
        data += more
    return data


class HeldFile(Openable):
    """A whole file in memory."""

    def __init__(self, data: bytes, is_changed: bool = False) -> None:
        self._data = data
        self.is_changed = is_changed
        """Whether the file is another by now."""

    def open(self) -> io.BytesIO:
        return io.BytesIO(self._data)

    def sha256(self) -> str:
        return hashlib.sha256(self._data).hexdigest()


class CappedFile(Openable):
    """An open file as far as it was listed."""

    def __init__(self, stream: Stream, size: int) -> None:
        self._stream = stream
        self._size = size

    def open(self) -> Stream:
        return self

    def read(self, size: int = -1, /) -> bytes:
        left = max(0, self._size - self._stream.tell())
        return self._stream.read(left if size < 0 else min(size, left))

    def seek(self, offset: int, /) -> int:
        return self._stream.seek(offset)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Who opened the stream closes it."""


class HashedFile(CappedFile):
    """An open file that is hashed on the way; what is read again after a damage is not hashed again."""

    def __init__(self, stream: Stream, size: int) -> None:
        super().__init__(stream, size)
        self._digest = hashlib.sha256()
        self._hashed = 0

    def read(self, size: int = -1, /) -> bytes:
        at = self._stream.tell()
        data = super().read(size)
        if at + len(data) > self._hashed:
            self._digest.update(memoryview(data)[self._hashed - at :])
            self._hashed = at + len(data)
        return data

    def sha256(self, size: int, most_unread: int) -> str | None:
        """Of the whole file of `size` bytes, whose end nobody may have read; None where that end is too long to be read
        for this alone, as a hole of a terabyte is, which costs its writer nothing.
        """
        if size - self._hashed > most_unread:
            return None
        self.seek(self._hashed)
        while self.read(1 << 20):
            pass
        return self._digest.hexdigest()
