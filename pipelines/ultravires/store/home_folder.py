"""Which folder may be a home: one of ours, an empty one, or one that is still to be made."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ultravires.errors import UsageError

_LINUX = (
    "/ /bin /boot /dev /etc /home /lib /lib64 /media /mnt /opt /proc /root /run /sbin /srv /sys /tmp /usr /usr/bin "
    "/usr/lib /usr/local /var /var/lib /var/log /var/tmp"
)
_MACOS = "/Applications /Library /System /Users /Volumes /private /private/etc /private/tmp /private/var"
SYSTEM_FOLDERS = frozenset(map(Path, f"{_LINUX} {_MACOS}".split()))
"""Named one by one, because a home may lie inside one of them (`/srv/ultravires`)."""
MARKS = frozenset({"warehouse.duckdb", "hash.key"})
"""A folder with one of these is a home."""
BEFORE_A_WAREHOUSE = frozenset({"lock", "dagster", "hash.new", "ultravires.yaml", "lost+found", ".DS_Store"})
"""What may lie in a home before its first run: a configuration, what a killed run or `dev` left, a volume's own."""

INPUTS = "inputs"
"""Names the folders whose logs were read, one a line."""
_ROOT = 0
"""Who is root can do everything anyway: a volume's `lost+found`, a configuration that was put there."""


def prepare_home(home: Path) -> None:
    """Make the folder `home`, or find that it may be one, and close it to others; raises UsageError otherwise."""
    if "?" in str(home.absolute()):
        raise UsageError(f"{home}: DuckDB opens no file behind a question mark; choose another --home")
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = set(os.listdir(home))  # noqa: PTH208 - only the names
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{home}: the home must be a folder, this is a file; choose another --home") from error
    except OSError as error:
        raise UsageError(f"{home}: cannot be the home ({error.strerror}); choose another --home") from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise UsageError(f"{home}: the home is not writable; choose another --home")
    if not names & MARKS:
        if home.resolve() in SYSTEM_FOLDERS | {_folder_of_user()}:
            raise UsageError(f"{home}: a home needs a folder of its own; choose another, such as {home / 'ultravires'}")
        if strange := sorted(names - BEFORE_A_WAREHOUSE):
            raise UsageError(
                f"{home}: holds '{strange[0]}' and no warehouse, so it is no home of ours; "
                "choose an empty or new --home"
            )
    _close(home)


def _close(home: Path) -> None:
    """Leave nothing of the home to anybody but its owner.

    What others could write while it stood open may be theirs: such a home is only taken where all in it is ours.
    """
    found = home.stat()
    ours = {os.geteuid(), _ROOT}
    if _is_open(found):
        if found.st_uid != os.geteuid():
            raise UsageError(
                f"{home}: belongs to another user and is open to others; choose one of your own, "
                f"such as {home / 'ultravires'}"
            )
        home.chmod(0o700)
    else:
        ours.add(found.st_uid)
    for folder, folders, files in os.walk(home):
        for path in (Path(folder, name) for name in (*folders, *files)):
            with suppress(FileNotFoundError):  # a run that holds the home removed it meanwhile
                _close_entry(path, path.lstat(), ours)


def _close_entry(path: Path, found: os.stat_result, ours: set[int]) -> None:
    if found.st_uid not in ours:
        raise UsageError(f"{path}: belongs to another user; remove it, or choose another --home")
    if stat.S_ISLNK(found.st_mode):
        return
    if found.st_uid == os.geteuid() and _is_open(found):
        path.chmod(0o700 if stat.S_ISDIR(found.st_mode) else 0o600)


def _is_open(found: os.stat_result) -> bool:
    return bool(found.st_mode & (stat.S_IRWXG | stat.S_IRWXO))


@contextmanager
def private_files() -> Iterator[None]:
    """What this process and those it starts make within is for its owner only, whichever library makes it."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def remember_input(home: Path, place: Path) -> None:
    """Keep where logs were read from: later commands take no configuration from there."""
    if place.is_dir() and not any(place.iterdir()):
        return  # as a prune runs over
    known = known_inputs(home)
    if (resolved := place.resolve()) not in known:
        lines = [*map(str, known), str(resolved)]
        fresh = home / f"{INPUTS}.new"
        fresh.write_bytes(b"".join(os.fsencode(line.replace("\n", "")) + b"\n" for line in lines))
        fresh.chmod(0o600)
        fresh.replace(home / INPUTS)


def known_inputs(home: Path) -> list[Path]:
    """Where this home's logs were read from; nothing where no home can be read."""
    try:
        return [Path(os.fsdecode(line)) for line in (home / INPUTS).read_bytes().splitlines() if line]
    except OSError:
        return []


def _folder_of_user() -> Path | None:
    try:
        return Path.home().resolve()
    except RuntimeError:  # a user without one, as in some containers
        return None
