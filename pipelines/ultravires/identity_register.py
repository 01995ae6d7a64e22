"""The register of identities: a CSV that the configuration names, in which a company keeps who answers for what.

Its columns are identity, owner, purpose, reviewed_at and expires_at, in any order; only identity is needed. It is read
when the configuration is, so that a wrong line stops a run before it reads a log, and it never lies in the logs.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ultravires.errors import ConfigError
from ultravires.reading.lifecycle import last_moment_of, moment_of

COLUMNS = ("identity", "owner", "purpose", "reviewed_at", "expires_at")
_MOST_BYTES = 64 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class RegisterEntry:
    """One line: whom it speaks of, and what it says."""

    identity: str
    owner: str | None = None
    purpose: str | None = None
    reviewed_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class IdentityRegister:
    """What stands in the file at `path`."""

    path: Path
    entries: tuple[RegisterEntry, ...]


def read_register(path: Path) -> IdentityRegister:
    """The register at `path`. ConfigError, in one line, for the first thing that is wrong."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigError(
                f"{path}: a register of identities of more than {_MOST_BYTES >> 20} MB; leave out columns"
            )
        with path.open(encoding="utf-8-sig", newline="") as file:
            return IdentityRegister(path, tuple(_entries(csv.reader(file, strict=True), path)))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the register of identities ({error.strerror})") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a CSV in UTF-8: {' '.join(str(error).split())}") from error


def _entries(rows: Iterator[list[str]], path: Path) -> Iterator[RegisterEntry]:
    header = _header(next(rows, []), path)
    lines: dict[str, int] = {}
    for number, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise ConfigError(f"{path}: row {number}: {len(row)} cells, and the header names {len(header)} columns")
        entry = _entry(dict(zip(header, (cell.strip() for cell in row), strict=True)), f"{path}: row {number}")
        first = lines.setdefault(entry.identity, number)
        if first != number:
            raise ConfigError(
                f"{path}: row {number}: '{entry.identity}' stands in row {first} already; give it one row"
            )
        yield entry


def _header(cells: list[str], path: Path) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    known = ", ".join(COLUMNS)
    if unknown := [name for name in names if name not in COLUMNS]:
        raise ConfigError(f"{path}: row 1: unknown column '{unknown[0]}'; the columns are {known}")
    if "identity" not in names:
        raise ConfigError(f"{path}: row 1: no column 'identity'; the columns are {known}")
    if len(set(names)) < len(names):
        raise ConfigError(f"{path}: row 1: a column stands there twice; the columns are {known}")
    return names


def _entry(cells: Mapping[str, str], where: str) -> RegisterEntry:
    if not cells["identity"]:
        raise ConfigError(f"{where}: no identity; say of whom it speaks, or remove it")
    return RegisterEntry(
        identity=cells["identity"],
        owner=cells.get("owner") or None,
        purpose=cells.get("purpose") or None,
        reviewed_at=_time(cells.get("reviewed_at"), moment_of, f"{where}: reviewed_at"),
        expires_at=_time(cells.get("expires_at"), last_moment_of, f"{where}: expires_at"),
    )


def _time(written: str | None, read: Callable[[str], int | None], where: str) -> datetime | None:
    if not written:
        return None
    moment = read(written)
    if moment is None:
        raise ConfigError(f"{where}: '{written}' is no time; write it as 2026-12-31 or 2026-12-31T18:00:00Z")
    return _EPOCH + timedelta(microseconds=moment)
