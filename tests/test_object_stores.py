"""Logs in S3, read from a server that speaks its protocol: the same as from a folder, and one line for each trouble."""

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SAMPLES
from pyarrow import fs
from source_samples import SAMPLES as RECORDS
from source_samples import decision
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.pipeline import hourly_tables
from ultravires.errors import RunError, UltraviresError, UsageError
from ultravires.reading import object_stores
from ultravires.reading.input_place import input_place
from ultravires.reading.locations import InputPlace, LocalPlace, Skipped
from ultravires.reading.object_stores import StoredObject, object_prefix
from ultravires.reading.options import Options
from ultravires.reading.pool import file_reader
from ultravires.settings import Settings
from ultravires.store.load import LoadCounts, Loader
from ultravires.store.warehouse import open_warehouse

APPROVALS = sorted((SAMPLES / "approvals").glob("*.jsonl"))[:3]
KEY = "AKIAIOSFODNN7EXAMPLE"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server of S3's protocol, which the environment names as people would name it."""
    server = pytest.importorskip("moto.server", reason="moto is not installed: pip install 'ultravires[test]'")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    _, port = running.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    running.stop()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[fs.FileSystem]:
    """A bucket `logs` with three files of approvals below `a/`."""
    use(monkeypatch, endpoint)
    s3 = fs.S3FileSystem(endpoint_override=endpoint, allow_bucket_creation=True, allow_bucket_deletion=True)
    s3.create_dir("logs")
    for path in APPROVALS:
        put(s3, f"logs/a/{path.name}", path.read_bytes())
    yield s3
    s3.delete_dir("logs")


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """Each test has a server of its own, perhaps on the port of another."""
    object_stores._file_system.cache_clear()


def use(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    for name, value in environment(endpoint).items():
        monkeypatch.setenv(name, value)


def environment(endpoint: str) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/not-a-real-one",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def put(s3: fs.FileSystem, path: str, data: bytes) -> None:
    with s3.open_output_stream(path) as stream:
        stream.write(data)


def run(input: str, home: Path, *, seconds: float = 60, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ultravires", "run", "--json", "--input", input, "--home", str(home)]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=seconds, env={**os.environ, **variables}
    )
    assert "Traceback" not in result.stderr, result.stderr
    assert KEY not in result.stderr
    return result


def load(where: InputPlace, home: Path) -> LoadCounts:
    with open_warehouse(home) as warehouse, file_reader(Options(hash_key=b"key"), home / "reading") as read:
        engine = DuckDBEngine(warehouse, hourly_tables())
        return Loader(engine, Settings(), read, lambda what, done, total: None).load(where)


def test_a_prefix_is_read_as_the_folder_it_is_a_copy_of(bucket: fs.FileSystem, tmp_path: Path) -> None:
    """The same counts as from disk, and a second run only what is new."""
    (tmp_path / "a").mkdir()
    for path in APPROVALS:
        (tmp_path / "a" / path.name).write_bytes(path.read_bytes())
    local = load(LocalPlace(tmp_path / "a"), tmp_path / "local")
    assert local.events > 3
    assert load(input_place("s3://logs/a"), tmp_path / "home") == local
    put(bucket, "logs/a/later.jsonl", RECORDS["opa_decisions"])
    again = load(input_place("s3://logs/a/"), tmp_path / "home")
    assert (again.files, again.events, again.changed) == (1, 3, [])


def test_an_object_that_got_longer_is_read_on_and_another_content_is_read_anew(
    bucket: fs.FileSystem, tmp_path: Path
) -> None:
    """As files are: nothing is read twice, and what was there before is noted."""
    whole, name = APPROVALS[0].read_bytes(), f"logs/a/{APPROVALS[0].name}"
    lines = whole.splitlines(keepends=True)
    put(bucket, name, b"".join(lines[:-1]))
    first = load(input_place("s3://logs/a"), tmp_path / "home")
    put(bucket, name, whole)
    longer = load(input_place("s3://logs/a"), tmp_path / "home")
    assert (longer.files, longer.records, longer.duplicates) == (1, 1, 0)
    put(bucket, name, RECORDS["opa_decisions"])
    other = load(input_place("s3://logs/a"), tmp_path / "home")
    assert (other.files, other.events, other.changed) == (1, 3, [])
    with open_warehouse(tmp_path / "home") as warehouse:
        assert warehouse.con.execute("select path, what from replaced_files").fetchall() == [
            (f"s3://{name}", "emptied")
        ]
    assert first.files == 3


def test_a_run_reads_objects_in_several_processes(bucket: fs.FileSystem, tmp_path: Path) -> None:
    """Each process finds the store and the credentials by itself."""
    lines = [json.dumps(decision(decision_id=f"d-{n}")).encode() for n in range(100)]
    for part in range(50):
        put(bucket, f"logs/many/{part}.jsonl", b"\n".join(lines[part * 2 : part * 2 + 2]))
    result = run("s3://logs/many", tmp_path / "home")
    assert json.loads(result.stdout)["events"] == 100
    assert "cannot be read" not in result.stderr


def test_objects_are_listed_in_order_without_folders_and_hidden_ones(bucket: fs.FileSystem) -> None:
    """Names may hold what a URL could not."""
    put(bucket, "logs/a/b c?%20ü#.json", b"x")
    put(bucket, "logs/a/.hidden/x.json", b"x")
    put(bucket, "logs/ab/other.json", b"x")
    bucket.create_dir("logs/a/empty")
    found = [str(location) for location in object_prefix("s3://logs/a").files()]
    assert found == sorted([f"s3://logs/a/{path.name}" for path in APPROVALS] + ["s3://logs/a/b c?%20ü#.json"])


def test_one_object_can_be_named(bucket: fs.FileSystem) -> None:
    """As one file can."""
    url = f"s3://logs/a/{APPROVALS[0].name}"
    (location,) = object_prefix(url).files()
    assert not isinstance(location, Skipped)
    with location.open() as stream:
        assert stream.read() == APPROVALS[0].read_bytes()
    assert location.stat() == location.listed
    assert location.stored_path == url


def test_a_large_object_is_read_in_few_requests(bucket: fs.FileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small reads are served from what one request brought."""
    data = os.urandom(300_000)
    put(bucket, "logs/large", data)
    monkeypatch.setattr(object_stores, "READ_AT_ONCE", 100_000)
    requests: list[int] = []
    readinto = object_stores._ObjectStream.readinto

    def counted(self: object_stores._ObjectStream, buffer: memoryview) -> int:
        requests.append(len(buffer))
        return readinto(self, buffer)

    monkeypatch.setattr(object_stores._ObjectStream, "readinto", counted)
    (location,) = object_prefix("s3://logs/large").files()
    assert isinstance(location, StoredObject)
    with location.open() as stream:
        assert b"".join(iter(lambda: stream.read(10_000), b"")) == data
        stream.seek(5)
        assert stream.read(10) == data[5:15]
    assert len(requests) <= 6


def test_an_object_that_vanishes_or_is_replaced_is_named(bucket: fs.FileSystem) -> None:
    """Its stat is asked for again after it was read."""
    first, second, _ = object_prefix("s3://logs/a").files()
    assert isinstance(first, StoredObject) and isinstance(second, StoredObject)
    bucket.delete_file(first.path)
    with pytest.raises(FileNotFoundError) as gone:
        first.open()
    assert gone.value.strerror == "there is no such prefix or object"
    with pytest.raises(FileNotFoundError):
        first.stat()
    put(bucket, second.path, b"another")
    assert second.stat() != second.listed


@pytest.mark.parametrize(
    ("url", "error", "line"),
    [
        ("s3://nobucket/x", UsageError, "s3://nobucket/x: there is no such bucket; check --input"),
        ("s3://logs/none", UsageError, "s3://logs/none: there is no such prefix or object; check --input"),
        ("ftp://logs/x", UsageError, "--input ftp://: not a place that can be read; give a path, or one of s3://"),
        (f"s3://{KEY}:secret@logs/x", UsageError, "--input s3://: credentials do not belong into the URL; set them"),
        ("s3://", UsageError, "--input s3://: it must be s3://bucket or s3://bucket/prefix"),
        ("az://logs/x", RunError, "az://logs/x: set AZURE_STORAGE_ACCOUNT to the storage account"),
    ],
)
def test_what_cannot_be_listed_is_one_line(
    bucket: fs.FileSystem, url: str, error: type[UltraviresError], line: str
) -> None:
    """Which place, what is wrong, what to do; never what may be a secret."""
    with pytest.raises(error) as raised:
        list(input_place(url).files())
    assert str(raised.value).startswith(line)
    assert KEY not in str(raised.value)


def test_a_missing_bucket_is_bad_usage_on_the_command_line(endpoint: str, tmp_path: Path) -> None:
    """One line on stderr and exit code 2."""
    result = run("s3://nobucket", tmp_path / "home", **environment(endpoint))
    assert result.returncode == 2
    assert result.stderr.splitlines() == ["ultravires: s3://nobucket: there is no such bucket; check --input"]


def test_denied_access_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's words about the request stay out."""

    class Denies(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tests are silent."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Denies) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        use(monkeypatch, f"http://127.0.0.1:{server.server_address[1]}")
        with pytest.raises(RunError, match=r"^s3://logs/x: access denied; check the credentials and that [a-z ]+$"):
            list(input_place("s3://logs/x").files())
        server.shutdown()


def test_a_store_out_of_reach_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        use(monkeypatch, f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(RunError, match=r"^s3://logs/x: the store cannot be reached; check the network and [a-z ]+$"):
        list(input_place("s3://logs/x").files())


def test_ctrl_c_does_not_wait_for_a_store_that_does_not_answer(tmp_path: Path) -> None:
    """A server that takes the connection and says nothing: the run ends within two seconds."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-m", "ultravires", "run", "--input", "s3://logs/x", "--home", str(tmp_path / "h")]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, **environment(address)})
        connection, _ = silent.accept()
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, errors = process.communicate(timeout=30)
        assert time.monotonic() - started < 2
        assert process.returncode == 130
        assert errors == b"ultravires: stopped; run the same command again to go on\n"
        connection.close()


def test_a_path_is_a_path_whatever_it_looks_like() -> None:
    """Only `://` makes a URL."""
    assert input_place("s3:/logs") == LocalPlace(Path("s3:/logs"))
    assert input_place(Path("logs")) == LocalPlace(Path("logs"))
    with pytest.raises(UsageError, match="not a place that can be read"):
        input_place("S3://logs")
