"""The command line as a person meets it: right input, wrong input, two runs at once, a stop in the middle."""

import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import run as ultravires
from command_line import start, text_of
from conftest import SAMPLES
from small_logs import approval, write_lines
from ultravires import __version__

COMMAND = [sys.executable, "-m", "ultravires"]
TRAIL = next((SAMPLES / "aws_cloudtrail").rglob("*.json.gz"))


def run_json(*arguments: str | Path) -> dict[str, float]:
    result = ultravires("run", "--json", *arguments)
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout.splitlines()[-1]))


def assert_one_line(result: subprocess.CompletedProcess[str], words: str, *, code: int) -> None:
    """One line on stderr that says what is wrong; no traceback."""
    assert result.returncode == code, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("ultravires: ")]
    assert len(lines) == 1, result.stderr
    assert words in lines[0]
    assert "Traceback" not in result.stderr + result.stdout


def test_a_first_run_loads_everything_and_a_second_run_nothing(third_party: Path, tmp_path: Path) -> None:
    """142 real events, none refused, findings with evidence and no accusation from a log that is absent."""
    attacks = third_party / "stratus_cloudtrail"
    first = run_json("--input", attacks, "--home", tmp_path)
    assert (first["files"], first["events"], first["quarantined"]) == (18, 142, 0)
    assert first["findings"] > 0
    second = run_json("--input", attacks, "--home", tmp_path)
    assert (second["events"], second["alerts_sent"], second["findings"]) == (0, 0, first["findings"])
    query = "select detector_id, n_evidence from findings"
    found = json.loads(ultravires("query", query, "--home", tmp_path, "--json").stdout)
    assert all(row["n_evidence"] > 0 for row in found)
    accusing = {"ultravires_unapproved_privileged_activity", "ultravires_privileged_tool_without_decision"}
    assert accusing.isdisjoint(row["detector_id"] for row in found)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--input", "{tmp}/none"], "there is no such file or folder"),
        (["run", "--input", "{tmp}", "--home", "{tmp}/a_file"], "the home must be a folder"),
        (["run", "--input", "{tmp}", "--as-of", "yesterday"], "not an ISO 8601 time"),
        (["run", "--input", "{tmp}", "--as-of", "2026-01-01T00:00:00"], "say the time zone"),
        (["run", "--input", "{tmp}", "--config", "{tmp}/none.yaml"], "cannot read the configuration"),
        (["trace", "APR-1", "--home", "{tmp}/h"], "nothing is published"),
        (["query", "select 1", "--home", "{tmp}/h"], "nothing is published"),
        (["prune", "--before", "2026-10-06", "--home", "{tmp}/h"], "nothing is published"),
        (["prune", "--before", "next week", "--home", "{tmp}/h"], "not a date"),
        (["quarantine", "--retry", "--home", "{tmp}/h"], "nothing is published"),
        (["run", "--input", ""], "--input is empty"),
        (["simulate", "--out", "{tmp}"], "not an empty folder"),
        (["simulate", "--out", "{tmp}/a_file/world"], "cannot be written to (Not a directory)"),
        (["simulate", "--out", "{tmp}/world", "--identities", "3"], "the smallest company has"),
        (["simulate", "--out", "{tmp}/world", "--days", "3"], "--days is 3; it must be at least 10"),
        (["simulate", "--out", "{tmp}/world", "--start", "yesterday"], "not a date"),
        (["backtest", "--input", "{tmp}/none", "--labels", "{tmp}/none"], "cannot read the labels"),
        (["watch", "--input", "{tmp}/none"], "there is no such file or folder"),
        (["watch", "--input", "{tmp}", "--every", "often"], "--every often: not a length of time, such as 30s"),
        (["watch", "--input", "{tmp}", "--every", "0s"], "--every 0s: not a length of time, such as 30s"),
        (["dev", "--input", "{tmp}/none"], "there is no such file or folder"),
        (["dev", "--input", "{tmp}", "--home", "{tmp}/a_file"], "the home must be a folder"),
        (["dev", "--input", "{tmp}", "--home", "{tmp}"], "holds 'a_file' and no warehouse"),
        (["run", "--input", "{tmp}", "--home", "/"], "a home needs a folder of its own"),
        (["run", "--input", "{tmp}/a_pipe"], "neither a file nor a folder"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(arguments: list[str], words: str, tmp_path: Path) -> None:
    """What is wrong and what to do, for every command."""
    (tmp_path / "a_file").write_text("x")
    os.mkfifo(tmp_path / "a_pipe")
    result = ultravires(*(argument.format(tmp=tmp_path) for argument in arguments), cwd=tmp_path)
    assert_one_line(result, words, code=2)


def test_the_version_is_told() -> None:
    """As other commands tell theirs; by a process that starts as a person starts it."""
    told = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, check=False, timeout=120)
    assert told.stdout == f"ultravires {__version__}\n"


@pytest.mark.parametrize("command", [("trace", "APR-1"), ("query", "select 1"), ("quarantine", "--retry")])
def test_a_damaged_publication_is_one_line_and_exit_code_1(command: tuple[str, ...], tmp_path: Path) -> None:
    """Each command that reads it says what to do."""
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "CURRENT").write_text("{")
    assert_one_line(ultravires(*command, "--home", tmp_path), "delete it and publish anew", code=1)


def test_a_query_prints_a_table(sample_home: Path) -> None:
    """Without --json the answer is drawn for people."""
    result = ultravires("query", "select count(*) as n_chains from chains", "--home", sample_home)
    assert result.returncode == 0, result.stderr
    assert "n_chains" in result.stdout


@pytest.mark.parametrize("statement", ["selec 1", "select * from nothing", "drop view chains"])
def test_a_wrong_query_is_one_line(statement: str, sample_home: Path) -> None:
    """A typing error in SQL is no traceback."""
    assert_one_line(ultravires("query", statement, "--home", sample_home), "query: ", code=2)


ROLE = "arn:aws:iam::692740183355:role/iam-delegate"


@pytest.mark.parametrize(
    "arguments",
    [
        ("trace", "APR-0000016"),
        ("lineage", ROLE),
        ("lineage", ROLE, "iam:PutRolePolicy"),
        ("lineage", "APR-0000031"),
        ("paths", ROLE),
        ("paths", ROLE, "--to", "admin"),
        ("paths", ROLE, "--at", "2026-10-10"),
    ],
    ids=" ".join,
)
def test_every_answer_about_a_home_is_json_too(arguments: tuple[str, ...], sample_home: Path) -> None:
    """One object on stdout, and nothing beside it."""
    result = ultravires(*arguments, "--json", "--home", sample_home)
    assert (result.returncode, result.stderr) == (0, "")
    assert isinstance(json.loads(result.stdout), dict)


def test_an_unknown_id_says_which_ids_there_are(sample_home: Path) -> None:
    """trace and explain name what can be asked."""
    assert_one_line(ultravires("trace", "no-such-id", "--home", sample_home), "no-such-id", code=2)
    assert_one_line(ultravires("explain", "fi_nothing", "--home", sample_home), "fi_nothing", code=2)


def test_bad_files_are_named_and_the_good_ones_loaded(tmp_path: Path) -> None:
    """Junk, a cut gzip, a copy, a hidden file, a loop of links, a link to nothing and a pipe, in one folder."""
    logs = tmp_path / "logs"
    logs.mkdir()
    whole = TRAIL.read_bytes()
    (logs / "good.json.gz").write_bytes(whole)
    (logs / "same_again.json.gz").write_bytes(whole)
    (logs / "cut.json.gz").write_bytes(whole[: len(whole) // 2])
    (logs / "junk.bin").write_bytes(os.urandom(50_000))
    (logs / "empty.json").write_bytes(b"")
    (logs / "loop").symlink_to(logs)
    (logs / "nowhere.json").symlink_to(logs / "gone.json")
    (logs / ".hidden.json").write_bytes(whole)
    os.mkfifo(logs / "pipe")
    records = len(json.loads(gzip.decompress(whole))["Records"])
    result = ultravires("run", "--json", "--input", logs, "--home", tmp_path / "home")
    counts = json.loads(result.stdout)
    assert counts["events"] == records
    assert counts["duplicates"] >= records
    reasons = ultravires("query", "select reason from quarantine", "--home", tmp_path / "home", "--json").stdout
    assert counts["quarantined"] == len(json.loads(reasons))
    assert "gzip ends early" in reasons
    assert "no source recognises 2 files in " in result.stderr
    reasons = {Path(skipped["path"]).name: skipped["reason"] for skipped in counts["not_read"]}
    assert reasons == {
        "junk.bin": "no source recognises it",
        "empty.json": "no source recognises it",
        ".hidden.json": "hidden",
        "loop": "leads to a folder that is read already",
        "nowhere.json": "a link that leads nowhere",
        "pipe": "a pipe",
    }
    assert counts["n_not_read"] == len(reasons)
    assert "Traceback" not in result.stderr


def test_a_file_that_grew_after_it_was_loaded_is_read_on(tmp_path: Path) -> None:
    """What was read is not read again, and what follows is."""
    logs = tmp_path / "logs"
    logs.mkdir()
    lines = sorted((SAMPLES / "approvals").glob("*.jsonl"))[0].read_bytes().splitlines(keepends=True)
    (logs / "approvals.jsonl").write_bytes(b"".join(lines[:-1]))
    first = run_json("--input", logs, "--home", tmp_path / "home")
    with (logs / "approvals.jsonl").open("ab") as handle:
        handle.write(lines[-1])
    second = run_json("--input", logs, "--home", tmp_path / "home")
    assert first["events"] == len(lines) - 1
    assert (second["files"], second["events"], second["duplicates"]) == (1, 1, 0)


def test_a_clock_a_year_ahead_does_not_move_time_for_all_others(tmp_path: Path) -> None:
    """as_of ignores a record that is dated later than the machine's clock."""
    logs = tmp_path / "logs"
    logs.mkdir()
    record = {"eventID": "1", "eventTime": "2098-01-01T00:00:00Z", "eventName": "X", "eventSource": "a.amazonaws.com"}
    ordinary = {**record, "eventID": "2", "eventTime": "2026-01-01T00:00:00Z"}
    (logs / "a.json").write_text(json.dumps({"Records": [record, ordinary]}))
    run_json("--input", logs, "--home", tmp_path / "home")
    answer = ultravires("query", "select as_of from runs", "--home", tmp_path / "home", "--json").stdout
    assert json.loads(answer)[0]["as_of"].startswith("2026-01-01")


def test_a_second_run_beside_the_first_waits_for_it(tmp_path: Path) -> None:
    """Two runs on one home end one after the other, and the second says that it waits."""
    arguments = ["run", "--json", "--input", SAMPLES / "approvals", "--home", tmp_path / "home"]
    with (tmp_path / "said").open("w+b") as said:
        first = start(*arguments, output=said, errors=said)
        lock = tmp_path / "home" / "lock"
        while first.poll() is None and not (lock.exists() and lock.read_text()):
            time.sleep(0.02)
        second = ultravires(*arguments)
        assert first.wait() == 0
        assert json.loads(text_of(said).splitlines()[-1])["events"] > 0
    assert json.loads(second.stdout)["events"] == 0
    assert "another run" in second.stderr


def test_a_prune_beside_a_run_waits_for_it(tmp_path: Path) -> None:
    """It prunes what that run loaded, says that it waits, and leaves one line."""
    home, arguments = tmp_path / "home", ["--home", str(tmp_path / "home")]
    write_lines(tmp_path / "logs" / "approvals.jsonl", [approval("APR-1", 0), approval("APR-2", 2 * 24 * 60)])
    run_json("--input", tmp_path / "logs", *arguments)
    with (tmp_path / "said").open("w+b") as said:
        first = start("run", "--json", "--input", SAMPLES / "approvals", *arguments, output=said, errors=said)
        while first.poll() is None and (home / "lock").read_text() != str(first.pid):
            time.sleep(0.02)
        pruned = ultravires("prune", "--before", "2026-10-06", *arguments)
        assert first.wait() == 0
        assert json.loads(text_of(said).splitlines()[-1])["events"] > 0
    assert "another run" in pruned.stderr
    assert pruned.stdout.startswith("pruned what is older than 2026-10-06") and pruned.stdout.count("\n") == 1
    oldest = ultravires("query", "select min(event_at) >= '2026-10-06' as is_pruned from events", *arguments, "--json")
    assert json.loads(oldest.stdout) == [{"is_pruned": True}]
    again = ultravires("prune", "--before", "2026-10-06", *arguments, "--json")
    assert json.loads(again.stdout)["pruned"]["n_events"] == 0


UPGRADE = """
from dataclasses import replace
import ultravires.registry as registry
known = registry.sources()
old = known["approvals"]
def events(record, options):
    return old.events({**record, "status": "approved"} if record.get("status") == "escalated" else record, options)
registry.sources = lambda: {**known, "approvals": replace(old, events=events)}
from ultravires.__main__ import main
main()
"""
"""The command of a later version, whose reader of approvals knows the status `escalated`."""


def test_quarantine_is_read_again_by_a_later_version(tmp_path: Path) -> None:
    """Two processes with one home: the first refuses a record and shows it, the second makes an event of it."""
    arguments = ["--home", str(tmp_path / "home")]
    write_lines(tmp_path / "logs" / "a.jsonl", [approval("APR-1", 0), approval("APR-2", 1, status="escalated")])
    assert run_json("--input", tmp_path / "logs", *arguments)["quarantined"] == 1
    shown = ultravires("quarantine", *arguments)
    assert "approvals: 1 x " in shown.stdout and "record 2 at byte" in shown.stdout
    command = ["quarantine", "--retry", *arguments]
    retried = ultravires(*command, "--json", program=UPGRADE)
    assert retried.returncode == 0, retried.stderr
    counts = json.loads(retried.stdout)
    assert (counts["retried"]["n_events"], counts["retried"]["n_staying"]) == (1, 0)
    assert (counts["run"]["files"], counts["run"]["events"]) == (0, 0)
    again = ultravires(*command, program=UPGRADE)
    assert "quarantine: 0 new events" in again.stdout.splitlines()[-1]
    assert ultravires("quarantine", *arguments).stdout == "quarantine is empty: every record was read\n"
    known = ultravires("query", "select approval_uid from approvals order by 1", *arguments, "--json")
    assert [row["approval_uid"] for row in json.loads(known.stdout)] == ["APR-1", "APR-2"]


def test_ctrl_c_stops_with_one_line_and_the_next_run_goes_on(tmp_path: Path) -> None:
    """Stopping loses nothing, wherever the run is: opening, reading, in a query, in Dagster's own code."""
    for seconds in (0.2, 0.9, 1.6):
        stop_a_run(tmp_path / "home", seconds)
    result = run_json("--input", SAMPLES, "--home", tmp_path / "home")
    assert result["findings"] > 0


@contextlib.contextmanager
def that_hears_ctrl_c(arguments: list[str], cwd: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process that is gone after the block; also where a shell made everything it runs in the background deaf."""
    process = subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no other thread runs here
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def stop_a_run(home: Path, after: float) -> None:
    """A run over the samples, and Ctrl-C so many seconds after it has taken the home's lock."""
    lock = home / "lock"
    lock.unlink(missing_ok=True)
    arguments = [*COMMAND, "run", "--json", "--input", str(SAMPLES), "--home", str(home)]
    with that_hears_ctrl_c(arguments) as process:
        while process.poll() is None and not (lock.exists() and lock.read_text()):
            time.sleep(0.02)
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        _, errors = process.communicate(timeout=60)
    assert time.monotonic() - asked < 5
    assert process.returncode == 130, errors
    assert errors.count("stopped; run the same command again") == 1
    assert "Traceback" not in errors and "failed" not in errors


@pytest.mark.parametrize(
    ("waits", "loses"),
    [
        ("time.sleep(60)", "pass"),
        ("time.sleep(60)", "raise ValueError"),
        ("time.sleep(60)", "raise"),
        ("exec('time.sleep(60)')", "raise"),
    ],
)
def test_a_ctrl_c_that_somebody_loses_stops_all_the_same(waits: str, loses: str, tmp_path: Path) -> None:
    """Dagster and DuckDB can lose it, or make another error of it; libraries make classes by `exec`."""
    script = f"""if True:
        import sys, time
        from ultravires import cli
        from ultravires.__main__ import main
        def command():
            while True:
                try:
                    print("at work", flush=True)
                    {waits}
                except BaseException:
                    {loses}
        cli.app = command
        main()
    """
    (tmp_path / "command.py").write_text(script)
    with that_hears_ctrl_c([sys.executable, "-m", "command"], cwd=tmp_path) as process:
        assert process.stdout is not None and process.stdout.readline() == "at work\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "ultravires: stopped; run the same command again to go on\n")


IMPORTS_SLOWLY = """if True:
    import sys, time
    class Slow:
        def find_spec(self, name, path=None, target=None):
            if name == {module!r}:
                sys.meta_path.remove(self)
                print("importing", flush=True)
                time.sleep(60)
    sys.meta_path.insert(0, Slow())
    from ultravires.__main__ import main
    main()
"""
"""The command on a machine that takes a minute to import one module."""


@pytest.mark.parametrize(
    ("module", "command"),
    [("typer", ["sources"]), ("duckdb", ["trace", "APR-1"]), ("pyarrow", ["run", "--input", str(TRAIL.parent)])],
)
def test_ctrl_c_while_a_command_is_imported_is_one_line(module: str, command: list[str], tmp_path: Path) -> None:
    """In the first second a command only imports."""
    program = IMPORTS_SLOWLY.format(module=module)
    with that_hears_ctrl_c([sys.executable, "-c", program, *command], cwd=tmp_path) as process:
        assert process.stdout is not None and process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "")
    assert errors == "ultravires: stopped; run the same command again to go on\n"
