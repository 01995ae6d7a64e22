"""What another user of the machine wants: to read a home, or to put something into it."""

import os
from pathlib import Path

import pytest
from small_logs import approval, write_lines
from ultravires.errors import UsageError
from ultravires.runs.run import run_once
from ultravires.store.warehouse import open_warehouse

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files to another user")


def open_to_others(home: Path) -> list[str]:
    return [str(path) for path in (home, *home.rglob("*")) if path.lstat().st_mode & 0o077]


def test_a_home_under_a_generous_umask(tmp_path: Path) -> None:
    """Whichever library makes a file, also one that asks for no mode."""
    logs = tmp_path / "logs"
    logs.mkdir()
    write_lines(logs / "approvals.jsonl", [approval("APR-1", 0)])
    before = os.umask(0)
    try:
        run_once(logs, tmp_path / "home", config=None, as_of="")
        assert os.umask(0) == 0
    finally:
        os.umask(before)
    assert open_to_others(tmp_path / "home") == []


def test_a_home_that_was_open(tmp_path: Path) -> None:
    """It and all in it is closed, with what an earlier version or a copy left open."""
    home = tmp_path / "home"
    with open_warehouse(home):
        (home / "events").mkdir(exist_ok=True)
        (home / "notes").touch()
    for path in (home, *home.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    with open_warehouse(home):
        assert open_to_others(home) == []


def test_an_open_home_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs there would let them read, and read what they put there."""
    tmp_path.chmod(0o777)
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    with pytest.raises(UsageError, match="belongs to another user and is open"), open_warehouse(tmp_path):
        pass


@needs_root
@pytest.mark.parametrize("name", ["ultravires.yaml", "events/x.parquet", "alerts.jsonl"])
def test_a_file_of_another_user_in_a_home_that_was_open(name: str, tmp_path: Path) -> None:
    """A configuration, rows, or a link to be written through."""
    home = tmp_path / "home"
    with open_warehouse(home):
        pass
    (home / name).parent.mkdir(exist_ok=True)
    if name == "alerts.jsonl":
        (home / name).symlink_to("/etc/hostname")
    else:
        (home / name).touch()
    os.lchown(home / name, NOBODY, NOBODY)
    home.chmod(0o777)
    with (
        pytest.raises(UsageError, match=r"belongs to another user; remove it, or choose another --home"),
        open_warehouse(home),
    ):
        pass
