"""Hostile files through `ultravires run`: a clear line or a count each, and the good file beside them is loaded."""

import gzip
import json
import os
import re
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Any

import command_line
import pyarrow as pa
import pytest
from source_samples import SAMPLES, approval, decision

COMMAND = [sys.executable, "-m", "ultravires"]
LONGEST_SECONDS = 120
MEMORY = 6 << 30
"""Bytes of address space, far above what is resident: threads reserve much that they never use."""
UNSEEN = ("\x1b", "\x07", "\u202e", "\x9b")


def ultravires(*arguments: str | Path, seconds: float = LONGEST_SECONDS) -> subprocess.CompletedProcess[str]:
    """The command as a process of limited memory and time, which never shows a traceback."""
    result = command_line.run(*arguments, seconds=seconds, memory=MEMORY)
    assert "Traceback" not in result.stdout + result.stderr, result.stderr
    return result


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder with one good file of three decisions."""
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "good.jsonl").write_bytes(SAMPLES["opa_decisions"])
    return folder


def load(logs: Path, seconds: float = LONGEST_SECONDS) -> tuple[dict[str, Any], list[str]]:
    """Runs over the folder; returns the counts and the lines on stderr."""
    result = ultravires("run", "--json", "--input", logs, "--home", logs.parent / "home", seconds=seconds)
    assert result.returncode == 0, result.stderr
    assert not [mark for mark in UNSEEN if mark in result.stderr], result.stderr
    return json.loads(result.stdout.splitlines()[-1]), result.stderr.splitlines()


def reasons(logs: Path) -> list[str]:
    answer = ultravires("query", "select reason from quarantine", "--home", logs.parent / "home", "--json")
    return [row["reason"] for row in json.loads(answer.stdout)]


def test_a_gzip_bomb_is_stopped_with_one_line_and_the_good_file_loaded(logs: Path) -> None:
    """10 MB that would unpack to 10 GB: given up early, told once."""
    head = gzip.compress(SAMPLES["opa_decisions"] + b"\n")
    zeros = gzip.compress(bytes(64 << 20), 9, mtime=0)
    (logs / "bomb.jsonl.gz").write_bytes(head + zeros * 160)
    started = time.monotonic()
    counts, lines = load(logs)
    assert time.monotonic() - started < LONGEST_SECONDS
    assert counts["events"] == 3
    assert counts["duplicates"] == 3
    assert told(lines) == [f"read up to its damage: {logs / 'bomb.jsonl.gz'}: gzip expands more than 1000 times"]
    assert "gzip expands more than 1000 times" in reasons(logs)


def told(lines: list[str]) -> list[str]:
    """Lines without the progress that a slow machine is told."""
    return [line for line in lines if not re.search(r": \d+ of \d+$", line)]


def _sparse_line(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.write(SAMPLES["opa_decisions"] + b'\n{"decision_id": "')
        file.truncate(size)
        file.seek(size)
        file.write(b"\n" + json.dumps(decision(decision_id="behind")).encode())


@pytest.mark.parametrize("size", [200 << 20, pytest.param(2 << 30, marks=pytest.mark.stress)])
def test_one_line_beyond_the_limit_is_one_row_and_what_follows_is_read(logs: Path, size: int) -> None:
    """A line of 200 MB, and of 2 GB, is put aside without being held in memory whole, and told once."""
    _sparse_line(logs / "long.jsonl", size)
    counts, lines = load(logs, seconds=300)
    assert (counts["events"], counts["duplicates"], counts["quarantined"]) == (4, 3, 1)
    reason = f"record is longer than {128 << 20} bytes"
    assert told(lines) == [f"put aside, of {logs / 'long.jsonl'}: {reason}"]
    assert reasons(logs) == [reason]


def _bomb(folder: Path, form: str) -> None:
    """10 GB of nothing behind three good records."""
    compress = {"gz": gzip.compress, "zst": lambda data: pa.Codec("zstd").compress(data, asbytes=True)}[
        form[-3:].strip(".")
    ]
    good = SAMPLES["opa_decisions"].rstrip() + b"\n"
    zeros = compress(bytes(64 << 20))
    if not form.startswith("tar"):
        (folder / f"bomb.{form}").write_bytes(compress(good) + zeros * 160)
        return
    info = tarfile.TarInfo("bomb.jsonl")
    info.size = len(good) + 160 * (64 << 20)
    header = info.tobuf(tarfile.GNU_FORMAT)
    (folder / f"bomb.{form}").write_bytes(
        compress(header + good) + zeros * 160 + compress(bytes(-info.size % 512 + 1024))
    )


@pytest.mark.stress
@pytest.mark.parametrize("form", ["gz", "zst", "tar.gz", "tar.zst"])
@pytest.mark.parametrize("limits", ["{}", "{max_ratio: 1000000, max_file_bytes: 16GB}"], ids=["default", "unlimited"])
def test_bombs_stay_in_bounded_memory_and_time(logs: Path, form: str, limits: str) -> None:
    """10 GB in a few MB, stopped by the ratio, or read through to the end where the configuration wants that."""
    _bomb(logs, form)
    config = logs.parent / "ultravires.yaml"
    config.write_text(f"limits: {limits}\n")
    command = [*COMMAND, "run", "--json", "--input", logs, "--home", logs.parent / "home", "--config", config]
    started = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    counts, lines = json.loads(process.stdout.read()), process.stderr.read().splitlines()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    process.stderr.close()
    seconds, megabytes = time.monotonic() - started, usage.ru_maxrss >> 10
    print(f"{form} {limits}: {seconds:.0f} s, at most {megabytes} MB")
    assert (counts["events"], counts["duplicates"]) == (3, 3)
    assert counts["quarantined"] == (2 if limits == "{}" else 1)
    assert len(told(lines)) == 1, lines
    assert seconds < 300
    assert megabytes < 1500


def test_what_is_no_log_is_named_or_skipped(logs: Path) -> None:
    """Loops of links, links to nothing, a folder named as a log, pictures, archives, nothing and NUL bytes."""
    (logs / "loop").symlink_to(logs)
    (logs / "deeper").mkdir()
    (logs / "deeper" / "up").symlink_to(logs, target_is_directory=True)
    (logs / "dangling.json").symlink_to(logs / "nowhere.json")
    (logs / "itself.json").symlink_to(logs / "itself.json")
    (logs / "folder.json").mkdir()
    (logs / "empty.json").touch()
    (logs / "nul.json").write_bytes(bytes(5000))
    (logs / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    with zipfile.ZipFile(logs / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("opa.jsonl", SAMPLES["opa_decisions"])
    counts, lines = load(logs)
    assert counts["events"] == 3
    assert counts["unrecognised"] == 4
    assert f"no source recognises 4 files in {logs}/ (archive.zip, empty.json, nul.json, ...)" in lines
    reasons = {Path(skipped["path"]).name: skipped["reason"] for skipped in counts["not_read"]}
    assert counts["n_not_read"] == len(counts["not_read"]) == len(reasons) == 8
    assert reasons["picture.png"] == "no source recognises it"
    assert reasons["dangling.json"] == reasons["itself.json"] == "a link that leads nowhere"
    assert reasons["loop"] == reasons["up"] == "leads to a folder that is read already"


def test_other_line_ends_and_encodings_are_read(logs: Path) -> None:
    """Lines that end in CRLF are read, and so is UTF-16."""
    crlf = b"\r\n".join(json.dumps(approval(approval_id=f"A-{n}")).encode() for n in range(3)) + b"\r\n"
    (logs / "crlf.jsonl").write_bytes(crlf)
    (logs / "wide.jsonl").write_bytes(SAMPLES["approvals"].decode().encode("utf-16"))
    counts, _ = load(logs)
    assert (counts["events"], counts["unrecognised"]) == (9, 0)


NAMES = {
    "newline": b"a\nultravires: all is well.json",
    "escape": b"\x1b[2J\x1b]0;owned\x07.json",
    "bidi": "\u202enosj.exe".encode(),
    "quotes": b"a'b\"c`$(id).json",
    "sql": b"x'); drop table events; --.json",
    "glob": b"*[a-z]?{x}.json",
    "not_utf8": b"\xff\xfe\x80.json",
    "long": b"n" * 250 + b".json",
}


def test_names_that_mean_something_to_a_shell_a_terminal_or_sql_are_only_names(logs: Path) -> None:
    """Each is loaded as any other, and junk is one line for the folder; a second run reads none of them again."""
    (logs / "junk").mkdir()
    for number, name in enumerate(NAMES.values()):
        line = json.dumps(decision(decision_id=f"d-{number}")).encode()
        Path(os.fsdecode(os.fsencode(logs) + b"/" + name)).write_bytes(line)
        Path(os.fsdecode(os.fsencode(logs / "junk") + b"/" + name)).write_bytes(b"junk")
    counts, lines = load(logs)
    assert (counts["files"], counts["events"]) == (2 * len(NAMES) + 1, len(NAMES) + 3)
    assert len(told(lines)) == 1, lines
    junk = [skipped["path"] for skipped in counts["not_read"]]
    assert len(junk) == len(NAMES) and str(logs / "junk" / "a\nultravires: all is well.json") in junk
    again, _ = load(logs)
    assert (again["files"], again["events"]) == (0, 0)


@pytest.mark.parametrize("n_files", [2_000, pytest.param(10_000, marks=pytest.mark.stress)])
def test_thousands_of_tiny_files_are_loaded(logs: Path, n_files: int) -> None:
    """Each with one record; a second run finds nothing new."""
    for number in range(n_files):
        line = json.dumps(decision(decision_id=f"d-{number}"))
        (logs / f"{number:05}.jsonl").write_text(line)
    counts, _ = load(logs, seconds=300)
    assert (counts["files"], counts["events"]) == (n_files + 1, n_files + 3)
    again, _ = load(logs)
    assert (again["files"], again["events"]) == (0, 0)


def test_values_of_a_log_reach_the_terminal_made_visible(logs: Path) -> None:
    """Escape codes in ids, tasks and names are not sent to a terminal by run, trace or explain."""
    evil = "\x1b[2J\x1b]0;owned\x07\u202e[red]x[/red]"
    (logs / "a.jsonl").write_text(json.dumps(approval(task=evil, subject=evil, requested_by=evil, ticket=evil)))
    (logs / "o.jsonl").write_text(json.dumps(decision(decision_id="d", input={"agent": evil, "tool": evil})))
    home = logs.parent / "home"
    shown = [ultravires("run", "--input", logs, "--home", home)]
    shown += [ultravires("trace", an_id, "--home", home) for an_id in ("APR-1", "d")]
    found = ultravires("query", "select finding_id from findings", "--home", home, "--json")
    shown += [ultravires("explain", row["finding_id"], "--home", home) for row in json.loads(found.stdout)[:5]]
    for result in shown:
        assert result.returncode == 0, result.stderr
        assert not [mark for mark in UNSEEN if mark in result.stdout + result.stderr], result.args
