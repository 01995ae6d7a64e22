"""Where log files lie: a local folder or file, or a prefix of an object store.

An InputPlace is what `--input` names; it lists Locations, one a file, each with its size and time as they were listed.
All that reads files sees Locations only, so local and remote logs are read alike. Both can be sent to another process.
"""

import os
import stat
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol, cast

from ultravires.errors import UsageError

if TYPE_CHECKING:
    from ultravires.formats.decompressing import Stream


SIDECAR = ".captured"
"""How the name of a file goes on that says when another one was taken, in one line."""
SIDECAR_BYTES = 200


class FileStat(NamedTuple):
    """How a file stands: when one of these changes, the file has changed."""

    size: int
    modified_ns: int


class Location(Protocol):
    """One file as it was listed."""

    @property
    def listed(self) -> FileStat: ...

    @property
    def is_remote(self) -> bool:
        """Whether most of the time to read it is spent waiting."""

    @property
    def stored_path(self) -> str:
        """The file as the manifest knows it."""

    @property
    def captured(self) -> str | None:
        """What the file beside it says of when it was taken (`ultravires.reading.captures`)."""

    def open(self) -> "Stream":
        """Raises OSError with a short reason where that fails."""

    def stat(self) -> FileStat:
        """How the file stands now; raises OSError."""

    def __str__(self) -> str:
        """The file as it is named to people."""


class Skipped(NamedTuple):
    """A file or folder that was passed over, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class InputPlace(Protocol):
    """What `--input` names."""

    def refuse_missing(self) -> None:
        """Raises UsageError where that can be told without a network."""

    def files(self) -> Iterator[Location | Skipped]:
        """Every file in a fixed order; UsageError or RunError when the place is missing, closed or out of reach."""

    def absolute(self) -> str:
        """The place as another process finds it."""

    def __str__(self) -> str: ...


@dataclass(frozen=True, slots=True)
class LocalFile:
    path: str
    listed: FileStat
    captured: str | None = None

    @property
    def is_remote(self) -> bool:
        return False

    @property
    def stored_path(self) -> str:
        """The absolute path. A name that is not UTF-8 cannot be stored as it is: its bytes are escaped behind
        `bytes:`, with which no absolute path begins, so that two files never share a line.
        """
        path = self.path if self.path.startswith("/") else str(Path(self.path).absolute())
        if path.isascii():
            return path
        try:
            path.encode()
        except UnicodeEncodeError:
            return "bytes:" + os.fsencode(path).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
        return path

    def open(self) -> BinaryIO:
        return cast(BinaryIO, open(self.path, "rb", buffering=0))  # noqa: PTH123 - no Path per small file

    def stat(self) -> FileStat:
        return _stat_of(os.stat(self.path))  # noqa: PTH116 - no Path per small file

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class KnownLocation:
    """A location of which more is known than where it is."""

    location: Location

    @property
    def listed(self) -> FileStat:
        return self.location.listed

    @property
    def is_remote(self) -> bool:
        return self.location.is_remote

    @property
    def stored_path(self) -> str:
        return self.location.stored_path

    @property
    def captured(self) -> str | None:
        return self.location.captured

    def open(self) -> "Stream":
        return self.location.open()

    def stat(self) -> FileStat:
        return self.location.stat()

    def __str__(self) -> str:
        return str(self.location)


@dataclass(frozen=True, slots=True)
class SomeMembers(KnownLocation):
    """An archive that was read before, of which only the `members` of these stored paths are to be read."""

    members: frozenset[str]


def local_file(path: Path) -> LocalFile:
    """The file at `path` as it stands now; one that is missing has size 0 and is told of when it is opened."""
    try:
        return LocalFile(str(path), _stat_of(path.stat()), _said_beside(str(path)))
    except OSError:
        return LocalFile(str(path), FileStat(0, 0))


def _stat_of(status: os.stat_result) -> FileStat:
    return FileStat(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class LocalPlace:
    """A folder with all below it, or one file."""

    path: Path

    def refuse_missing(self) -> None:
        try:
            mode = self.path.stat().st_mode
        except FileNotFoundError as error:
            raise UsageError(f"{self.path}: there is no such file or folder; check --input") from error
        except OSError as error:
            raise UsageError(f"{self.path}: cannot be read ({error.strerror}); check --input") from error
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            raise UsageError(f"{self.path}: neither a file nor a folder; check --input")
        if not os.access(self.path, os.R_OK):
            raise UsageError(f"{self.path}: may not be read by this user; check --input and its rights")

    def files(self) -> Iterator[Location | Skipped]:
        """Regular files in a fixed order; hidden ones are passed over, and a folder that is reached twice, too."""
        self.refuse_missing()
        if self.path.is_file():
            yield local_file(self.path)
        else:
            yield from _below(str(self.path), set())

    def absolute(self) -> str:
        return str(self.path.absolute())

    def __str__(self) -> str:
        return str(self.path)


def is_beside(name: str, names: Container[str]) -> bool:
    """Whether a file only says of another one of these when that was taken, and is no input itself."""
    return name.endswith(SIDECAR) and name.removesuffix(SIDECAR) in names


def _said_beside(path: str) -> str | None:
    """The beginning of the file that says when `path` was taken; None where there is none or it cannot be read."""
    try:
        with open(f"{path}{SIDECAR}", "rb") as stream:  # noqa: PTH123 - no Path per small file
            return stream.read(SIDECAR_BYTES).decode("utf-8", "replace")
    except OSError:
        return None


_WAREHOUSE = "warehouse.duckdb"
"""By which a home is known. What a run wrote would be read by the next as logs."""


def _below(root: str, entered: set[tuple[int, int]]) -> Iterator[Location | Skipped]:
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            status = os.stat(folder)  # noqa: PTH116 - no Path per entry, here and below
            identity = (status.st_dev, status.st_ino)
            if identity in entered:
                yield Skipped(folder, "leads to a folder that is read already")
                continue
            entered.add(identity)
            with os.scandir(folder) as entries:
                found = sorted(entries, key=_name)
        except OSError as error:
            yield Skipped(folder, error.strerror or str(error))
            continue
        if any(entry.name == _WAREHOUSE for entry in found):
            yield Skipped(folder, "a home of Ultravires")
            continue
        names = {entry.name for entry in found}
        folders = []
        for entry in found:
            try:
                if entry.name.startswith("."):
                    yield Skipped(entry.path, "hidden")
                elif entry.is_dir():
                    folders.append(entry.path)
                elif is_beside(entry.name, names):
                    continue
                elif entry.is_file():
                    captured = _said_beside(entry.path) if f"{entry.name}{SIDECAR}" in names else None
                    yield LocalFile(entry.path, _stat_of(entry.stat()), captured)
                else:
                    is_pipe = stat.S_ISFIFO(entry.stat().st_mode)
                    yield Skipped(entry.path, "a pipe" if is_pipe else "neither a file nor a folder")
            except OSError as error:  # it vanished between the two looks, or is a link
                is_link = entry.is_symlink()
                yield Skipped(entry.path, "a link that leads nowhere" if is_link else error.strerror or str(error))
        waiting += reversed(folders)


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name
