"""The published files as DuckDB sees them: those that the manifest names, as it names them, for reading alone.

DuckDB's own permissions (`allowed_directories`) do not tell reading from writing: `explain analyze copy ... to` a
published file would replace it. So its connection has no file of the machine at all; what it reads comes through here.
"""

import hashlib
import io
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import msgspec
from fsspec import AbstractFileSystem

SCHEME = "published"
READ_ONLY = "the published tables are for reading"


class Seal(msgspec.Struct, frozen=True):
    """What a published file was when it was published. `mark` changes with every write, and no user can set it back."""

    size: int
    sha256: str
    mark: tuple[int, int]


def seal(path: Path, known: Seal | None = None) -> Seal:
    """The seal of a file that stands under its name; the one known, where nobody wrote the file since."""
    with path.open("rb") as handle:
        found = os.fstat(handle.fileno())
        if known is not None and known.mark == _mark(found):
            return known
        return Seal(found.st_size, hashlib.file_digest(handle, "sha256").hexdigest(), _mark(found))


def holds(path: Path, sealed: Seal | None) -> bool:
    """Whether the file is there as it was sealed; its content is only read where it was written or copied since."""
    if sealed is None:
        return False
    try:
        with path.open("rb") as handle:
            found = os.fstat(handle.fileno())
            if found.st_size != sealed.size:
                return False
            return _mark(found) == sealed.mark or hashlib.file_digest(handle, "sha256").hexdigest() == sealed.sha256
    except OSError:
        return False


def _mark(found: os.stat_result) -> tuple[int, int]:
    return found.st_ino, found.st_ctime_ns


class PublishedFiles(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """`published://table/file.parquet`, for the files it was made with; nothing can be written, listed or added."""

    protocol = SCHEME
    cachable = False

    def __init__(self, folder: Path, names: frozenset[str]) -> None:
        super().__init__()
        self._folder = folder
        self._marks = {name: _mark((folder / name).stat()) for name in names}

    def open(self, path: str, mode: str = "rb", **_: Any) -> "OpenFile":
        """A file of this snapshot; PermissionError for anything but reading, and where it was changed meanwhile."""
        name = self._strip_protocol(path)
        if mode != "rb" or name not in self._marks:
            raise PermissionError(READ_ONLY)
        opened = OpenFile(os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC))
        if _mark(os.fstat(opened.fileno())) != self._marks[name]:
            opened.close()
            raise PermissionError(f"{name} was changed while it was read; open the home again")
        return opened

    def info(self, path: str, **_: Any) -> Mapping[str, Any]:
        name = self._strip_protocol(path)
        if name not in self._marks:
            raise FileNotFoundError(name)
        return {"name": name, "size": (self._folder / name).stat().st_size, "type": "file"}

    def modified(self, path: str) -> datetime:
        return datetime.fromtimestamp((self._folder / self._strip_protocol(path)).stat().st_mtime, UTC)

    def exists(self, path: str, **_: Any) -> bool:
        return self._strip_protocol(path) in self._marks

    def isfile(self, path: str) -> bool:
        return self.exists(path)

    def isdir(self, _: str) -> bool:
        return False

    def glob(self, path: str, **_: Any) -> list[str]:
        return [path] if self.exists(path) else []

    def ls(self, _: str, **__: Any) -> list[str]:
        return []


class OpenFile(io.RawIOBase):
    """A file that several threads may read at once: DuckDB says where and reads in two steps."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number
        self._place = threading.local()

    def fileno(self) -> int:
        return self._number

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        at: int = getattr(self._place, "at", 0)
        return at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell()}.get(whence, os.fstat(self._number).st_size)
        self._place.at = start + offset
        return start + offset

    def read(self, size: int = -1) -> bytes:
        n_bytes = size if size >= 0 else os.fstat(self._number).st_size
        content = os.pread(self._number, n_bytes, self.tell())
        self._place.at = self.tell() + len(content)
        return content

    def close(self) -> None:
        if not self.closed:
            os.close(self._number)
        super().close()

    def __enter__(self) -> Self:
        return self
