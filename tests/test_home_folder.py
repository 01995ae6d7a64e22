"""Which folders may be a home: in none that is somebody else's does a run leave anything."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import ultravires
from ultravires.config_file import find_config
from ultravires.errors import UsageError
from ultravires.reading.locations import LocalPlace
from ultravires.store import home_folder, snapshot
from ultravires.store.home_folder import prepare_home
from ultravires.store.warehouse import open_warehouse

NOBODY = 65534


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """In the block the files of this process are those of a user without rights; for root, who has all."""
    is_root = os.geteuid() == 0
    if is_root:
        os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        if is_root:
            os.setresuid(0, 0, 0)


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody but root can enter."""
    folder = tmp_path / "closed"
    (folder / "home").mkdir(parents=True)
    folder.chmod(0)
    yield folder
    folder.chmod(0o700)


@pytest.mark.parametrize("name", ["/", "/etc", "/usr/local", "/home", "/var/log", "~"])
def test_a_system_folder_is_no_home(name: str) -> None:
    """Nor is the folder of the user, which holds everything else of theirs."""
    with pytest.raises(UsageError, match=r"a home needs a folder of its own; choose another, such as /.*ultravires$"):
        prepare_home(Path(name).expanduser())


def test_a_link_to_a_system_folder_is_no_home(tmp_path: Path) -> None:
    """What counts is where it leads."""
    (tmp_path / "home").symlink_to("/etc")
    with pytest.raises(UsageError, match="a home needs a folder of its own"):
        prepare_home(tmp_path / "home")


def test_a_folder_with_something_else_in_it_is_no_home(tmp_path: Path) -> None:
    """It is named, and left as it was."""
    (tmp_path / "thesis.tex").touch()
    with (
        pytest.raises(UsageError, match=r"holds 'thesis.tex' and no warehouse, .*; choose an empty or new --home"),
        open_warehouse(tmp_path),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("name", sorted(home_folder.BEFORE_A_WAREHOUSE))
def test_a_home_before_its_first_run_is_one(name: str, tmp_path: Path) -> None:
    """Its configuration, a volume's own folder, or what a run left that was killed at once."""
    (tmp_path / name).touch()
    prepare_home(tmp_path)


def test_a_home_opens_whatever_else_lies_in_it(tmp_path: Path) -> None:
    """Homes of earlier versions were not asked."""
    with open_warehouse(tmp_path):
        (tmp_path / "notes.txt").touch()
    with open_warehouse(tmp_path) as warehouse:
        assert warehouse.home == tmp_path


def test_a_home_in_a_closed_folder_is_one_line(closed: Path) -> None:
    """For those who write it and those who read it."""
    home = closed / "home"
    with as_somebody_else():
        assert find_config(None, home) is None
        with pytest.raises(UsageError, match=r"home: cannot be the home \(Permission denied\); choose another --home"):
            prepare_home(home)
        with pytest.raises(UsageError, match=r"cannot be read \(Permission denied\); choose another --home"):
            ultravires.open(home)
    assert snapshot  # imported beforehand: somebody else may not be able to import from where we are installed


def test_a_home_of_somebody_else_is_one_line() -> None:
    """Where it can be seen; one that can be written to is an attack (`attacks/test_machine_home.py`)."""
    with TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with open_warehouse(home):
            pass
        (home / "lock").chmod(0o444)
        Path(folder).chmod(0o755)
        home.chmod(0o555)
        with as_somebody_else(), pytest.raises(UsageError, match="the home is not writable"), open_warehouse(home):
            pass


def test_logs_that_may_not_be_read_are_one_line(closed: Path) -> None:
    """Not a run that finds nothing."""
    for where in (closed, closed / "home"):
        with as_somebody_else(), pytest.raises(UsageError, match=r"check --input"):
            list(LocalPlace(where).files())
