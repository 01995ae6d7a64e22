"""What somebody wants from `ultravires dev`: to ask it from another site, to run code in it, to outlive it."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_logs import approval, write_lines
from ultravires.runs.page import is_own

MODULES = ("dagster", "dagster_webserver", "ultravires", "yaml", "sqlite3", "multiprocessing", "dotenv")
VARIABLE = "ULTRAVIRES_TEST_OF_DEV"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int, Path]]:
    """(port, process, folder) of a `dev` that was started in a folder of logs full of code and settings."""
    folder = tmp_path_factory.mktemp("dev")
    logs = folder / "logs"
    logs.mkdir()
    write_lines(logs / "approvals.jsonl", [approval("APR-1", 0)])
    for name in MODULES:
        (logs / f"{name}.py").write_text(f"open({str(folder / f'ran-{name}')!r}, 'w').close()\nraise ImportError\n")
    (logs / ".env").write_text(f"ULTRAVIRES_CONFIG={logs / 'evil.yaml'}\nPYTHONSTARTUP=x\n")
    (logs / "dagster.yaml").write_text("not_a_key: 1\n")
    (logs / "workspace.yaml").write_text("not_a_key: 1\n")
    (logs / "ultravires.yaml").write_text("not_a_key: 1\n")
    port = free_port()
    command = [Path(sys.executable).with_name("ultravires"), "dev", "--input", ".", "--home", folder / "home"]
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [*map(str, command), "--port", str(port)],
            cwd=logs,
            stdout=said,
            stderr=said,
            env={**os.environ, VARIABLE: str(folder)},
        )
    try:
        deadline = time.monotonic() + 120
        while ask(port) != 200:
            assert process.poll() is None, (folder / "said").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.5)
        yield port, process.pid, folder
    finally:
        process.kill()
        process.wait(20)


def ask(port: int, path: str = "/server_info", **headers: str) -> int:
    """The status of an answer; 0 where there is none."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=named), timeout=30
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


Dev = tuple[int, int, Path]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "localhost"])
def test_a_name_that_was_led_to_this_machine(host: str, dev: Dev) -> None:
    """DNS rebinding: the browser takes our page for one of the site."""
    assert ask(dev[0], Host=host.format(port=dev[0])) == 403


def test_a_page_of_another_site(dev: Dev) -> None:
    """It asks by our address, as an image or a form does."""
    question = "/graphql?query=%7Bversion%7D"
    assert ask(dev[0], question, Origin="https://evil.example") == 403
    assert ask(dev[0], question, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors") == 403
    assert ask(dev[0], question, Sec_Fetch_Site="same-site", Sec_Fetch_Mode="navigate") == 403
    assert ask(dev[0], "/runs", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate") == 200
    assert ask(dev[0], question, Origin=f"http://127.0.0.1:{dev[0]}", Sec_Fetch_Site="same-origin") == 200


def test_no_or_two_names() -> None:
    """A request that names nobody, or two."""
    own = (b"host", b"127.0.0.1:3000")
    assert is_own([own], "/", 3000)
    assert not is_own([], "/", 3000)
    assert not is_own([own, (b"host", b"evil.example")], "/", 3000)


def test_another_machine(dev: Dev) -> None:
    """Only loopback is listened to: another address of this machine, 127.0.0.2, has no answer."""
    with socket.socket() as asking, pytest.raises(OSError):
        asking.settimeout(5)
        asking.connect(("127.0.0.2", dev[0]))


def test_code_and_settings_where_it_was_started(dev: Dev) -> None:
    """Python's modules, Dagster's `.env` and settings: nothing of it is taken, and the graph is ours."""
    body = b'{"query": "{repositoriesOrError{__typename}}"}'
    headers = {"content-type": "application/json"}
    asked = urllib.request.Request(f"http://127.0.0.1:{dev[0]}/graphql", body, headers)
    with urllib.request.urlopen(asked, timeout=60) as answer:
        assert b"RepositoryConnection" in answer.read()
    assert [path.name for path in dev[2].glob("ran-*")] == []
    assert all("evil.yaml" not in variables for variables in environments(dev[2]).values())


def test_everything_that_dagster_keeps_is_private(dev: Dev) -> None:
    """Its databases hold what runs have said."""
    for path in (dev[2] / "home").rglob("*"):
        assert path.lstat().st_mode & 0o077 == 0, path


def test_nothing_outlives_it(dev: Dev) -> None:
    """Killed in the way that leaves no time for anything; it comes last, for it ends what the others ask."""
    assert len(environments(dev[2])) > 3
    os.kill(dev[1], signal.SIGKILL)
    deadline = time.monotonic() + 60
    while (left := environments(dev[2]).keys() - {dev[1]}) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert left == set()


def environments(folder: Path) -> dict[int, str]:
    """The environment of every process that was started from that `dev`; a dead one has none."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = entry.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"{VARIABLE}={folder}" in variables:
            found[int(entry.parent.name)] = variables
    return found
