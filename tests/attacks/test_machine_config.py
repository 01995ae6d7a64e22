"""What somebody wants who may write into the folder of the logs: to configure the product, or to run code in it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import run as ultravires
from small_logs import approval, write_lines
from ultravires.config_file import find_config
from ultravires.reading.pool import WORTH_PROCESSES

SUPPRESSION = """\
suppressions:
- {detector: "*", subject: "*", owner: nobody, reason: none, expires: 2999-01-01T00:00:00Z}
not_a_key: 1
"""
"""A run that read this would end with an error, because of its last line."""
COMMAND = [str(Path(sys.executable).with_name("ultravires"))]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    (folder / "inner").mkdir(parents=True)
    write_lines(folder / "approvals.jsonl", [approval("APR-1", 0)])
    for place in (folder, folder / "inner"):
        (place / "ultravires.yaml").write_text(SUPPRESSION)
    return folder


@pytest.mark.parametrize("inner", [".", "inner"])
def test_a_configuration_in_the_logs_where_somebody_stands(inner: str, logs: Path, tmp_path: Path) -> None:
    """Who looks at logs stands in their folder, or below it."""
    done = ultravires("run", "--input", logs, "--home", tmp_path / "home", "--json", cwd=logs / inner)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["events"] == 1
    assert "ultravires.yaml lies in the folder of the logs and is not used" in done.stderr


def test_a_configuration_in_a_home_in_the_logs(logs: Path, tmp_path: Path) -> None:
    """The usual home of somebody who stands in the logs; its configuration was there before."""
    (logs / ".ultravires").mkdir()
    (logs / ".ultravires" / "ultravires.yaml").write_text(SUPPRESSION)
    done = ultravires("run", "--input", ".", "--json", cwd=logs)
    assert done.returncode == 0, done.stderr


def test_a_configuration_that_is_a_link_into_the_logs(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it leads is what is read."""
    (tmp_path / "ultravires.yaml").symlink_to(logs / "ultravires.yaml")
    monkeypatch.chdir(tmp_path)
    assert find_config(None, tmp_path / "home", [logs]) is None


def test_an_input_that_is_a_link(logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same folder by another name."""
    (tmp_path / "link").symlink_to(logs)
    monkeypatch.chdir(logs / "inner")
    assert find_config(None, tmp_path / "home", [tmp_path / "link"]) is None


@pytest.mark.parametrize("command", [["prune", "--before", "2020-01-01"], ["quarantine", "--retry"]])
def test_a_configuration_in_the_logs_for_a_command_without_an_input(
    command: list[str], logs: Path, tmp_path: Path
) -> None:
    """The home knows where its logs were."""
    home = tmp_path / "home"
    assert ultravires("run", "--input", logs, "--home", home, cwd=tmp_path).returncode == 0
    done = ultravires(*command, "--home", home, cwd=logs)
    assert done.returncode == 0, done.stderr


def test_a_configuration_above_the_logs_is_still_found(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of a project holds its logs in a folder below."""
    (tmp_path / "ultravires.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    assert find_config(None, tmp_path / "home", [logs]) == Path("ultravires.yaml")


MODULES = ("multiprocessing", "msgspec", "signal", "ultravires", "dagster", "sitecustomize", "re")


def test_code_in_the_logs_where_somebody_stands(logs: Path, tmp_path: Path) -> None:
    """Python would take modules from there for the processes that read files."""
    parts = [logs / f"many-{part}.jsonl" for part in range(6)]
    for part in parts:
        write_lines(part, [approval(f"APR-{n}", n, task="tidy up " * 1_000) for n in range(600)])
    assert sum(part.stat().st_size for part in parts) > WORTH_PROCESSES
    for name in MODULES:
        (logs / f"{name}.py").write_text(f"open({str(tmp_path / name)!r}, 'w').close()\nraise ImportError\n")
    command = [*COMMAND, "run", "--input", ".", "--home", str(tmp_path / "home"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=logs)
    assert [name for name in MODULES if (tmp_path / name).exists()] == []
    assert done.returncode == 0, done.stderr
