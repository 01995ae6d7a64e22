"""Which folder may be a home: one of ours, an empty one, or one that is still to be made."""

import os
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


def prepare_home(home: Path) -> None:
    """Make the folder `home`, or find that it may be one; raises UsageError otherwise."""
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
    if names & MARKS:
        return
    if home.resolve() in SYSTEM_FOLDERS | {_folder_of_user()}:
        raise UsageError(f"{home}: a home needs a folder of its own; choose another, such as {home / 'ultravires'}")
    if strange := sorted(names - BEFORE_A_WAREHOUSE):
        raise UsageError(
            f"{home}: holds '{strange[0]}' and no warehouse, so it is no home of ours; choose an empty or new --home"
        )


def _folder_of_user() -> Path | None:
    try:
        return Path.home().resolve()
    except RuntimeError:  # a user without one, as in some containers
        return None
