"""Packs: the rule files of a folder or a zip, read within limits and never written anywhere.

What is beyond a limit is refused with its reason; nothing is raised, because one bad pack must not stop the others.
"""

import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ultravires_models.errors import one_line

LONGEST_FILE = 256 << 10
"""Bytes of one rule file. The longest that people share list thousands of hashes and are half of it."""
LONGEST_PACK = 64 << 20
"""Bytes of all rule files of a pack together."""
MOST_FILES = 20_000
_ENDINGS = (".yml", ".yaml")


@dataclass(frozen=True)
class PackFile:
    """One file of a pack by its path within it: its bytes, or why they are not read."""

    name: str
    content: bytes = b""
    refused: str | None = None


@dataclass(frozen=True)
class Pack:
    """`name` is how the user wrote its place; `refused` says why nothing of it is read."""

    name: str
    files: tuple[PackFile, ...] = ()
    refused: str | None = None


def read_pack(path: Path, name: str) -> Pack:
    """The rule files of a folder, at any depth, or of a zip, in the order of their names; or one that is named."""
    try:
        if path.is_dir():
            return Pack(name, tuple(_bounded(_in_folder(path))))
        if path.name.endswith(_ENDINGS):
            return Pack(name, (_read_plain(path, path.name, path.parent),))
        with zipfile.ZipFile(path) as archive:
            return Pack(name, tuple(_bounded(_in_zip(archive))))
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        return Pack(name, refused=f"neither a folder nor a zip that can be read ({reason})")


def _in_folder(folder: Path) -> Iterator[PackFile]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        for path in sorted(Path(place, name) for name in names if name.endswith(_ENDINGS)):
            within = path.relative_to(folder).as_posix()
            try:
                yield _read_plain(path, within, folder)
            except OSError as error:
                yield PackFile(within, refused=f"cannot be read ({error.strerror})")


def _read_plain(path: Path, within: str, folder: Path) -> PackFile:
    if not path.resolve().is_relative_to(folder.resolve()):
        return PackFile(within, refused="leads out of the pack; copy the file into it")
    if not path.is_file():
        return PackFile(within, refused="is no file")
    with path.open("rb") as file:
        return _of_bytes(within, file.read(LONGEST_FILE + 1))


def _in_zip(archive: zipfile.ZipFile) -> Iterator[PackFile]:
    members = {info.filename: info for info in archive.infolist()}  # of two with one name the last counts, as in unzip
    for _, entry in sorted(members.items()):
        if entry.is_dir() or not entry.filename.endswith(_ENDINGS):
            continue
        try:
            # Read as far as the limit, whatever size the directory of the archive states.
            with archive.open(entry) as member:
                yield _of_bytes(entry.filename, member.read(LONGEST_FILE + 1))
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
            yield PackFile(entry.filename, refused=f"cannot be read ({one_line(error)})")
        except Exception as error:  # each kind of compression has errors of its own
            yield PackFile(entry.filename, refused=f"cannot be unpacked ({one_line(error)})")


def _of_bytes(name: str, content: bytes) -> PackFile:
    if len(content) > LONGEST_FILE:
        return PackFile(name, refused=f"longer than {LONGEST_FILE >> 10} KB; split the rule")
    return PackFile(name, content)


def _bounded(files: Iterator[PackFile]) -> Iterator[PackFile]:
    """The files up to what a pack may hold; then one that says that there are more."""
    size = 0
    for number, file in enumerate(files):
        size += len(file.content)
        if number >= MOST_FILES or size > LONGEST_PACK:
            reason = f"a pack holds at most {MOST_FILES:,} files and {LONGEST_PACK >> 20} MB; split it from here on"
            yield PackFile(file.name, refused=reason)
            return
        yield file
