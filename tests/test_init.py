"""`ultravires init`: a configuration out of a first look, with which a run works."""

import json
import os
import tarfile
from pathlib import Path

import pytest
import ultravires
from command_line import run as command
from conftest import SAMPLES
from small_logs import RUNNER, approval, call, session, write_lines
from test_arrival_order import deliver, log_files
from test_cli import assert_one_line
from ultravires.config_file import load_settings
from ultravires.errors import UsageError
from ultravires.reading.locations import LocalPlace
from ultravires.runs.first_look import as_yaml, look, write_configuration
from ultravires.runs.run import run_once
from ultravires.settings import OriginPlace


def findings(home: Path) -> set[tuple[str, str]]:
    with ultravires.open(home) as con:
        return set(con.execute("select finding_id, severity from findings where state = 'open'").fetchall())


def test_the_samples(tmp_path: Path) -> None:
    """All logs are bound, non-human identities declared, and a run finds what it finds without a configuration, some of
    it worse: who is declared is known to be a machine.
    """
    path = tmp_path / "ultravires.yaml"
    write_configuration(LocalPlace(SAMPLES), path)
    settings = load_settings(path)
    folders = {folder.name for folder in SAMPLES.iterdir() if folder.is_dir()} - {"labels"}
    places = {log: f"{log}/**" for log in folders} | {"aws_cloudtrail": "aws_cloudtrail/AWSLogs/**"}
    assert settings.origins == {log: (OriginPlace(path=path),) for log, path in places.items()}
    assert {identity.id: identity.kind for identity in settings.identities}["agent-invoice-triage"] == "agent"
    written = path.read_text(encoding="utf-8")
    assert "aws_cloudtrail: 418273645901" in written
    assert "labels/links.json: no source recognises it" in written
    deliver(log_files(), tmp_path / "inbox")
    result = run_once(tmp_path / "inbox", tmp_path / "home", config=path, as_of="")
    run_once(tmp_path / "inbox", tmp_path / "plain", config=None, as_of="")
    assert result.origins is None
    assert result.quarantined == 0
    declared, plain = dict(findings(tmp_path / "home")), dict(findings(tmp_path / "plain"))
    assert len(declared) > 10 and declared.keys() == plain.keys()
    assert {(plain[name], declared[name]) for name in plain if plain[name] != declared[name]} == {("medium", "high")}


def test_an_empty_folder(tmp_path: Path) -> None:
    """What is written is valid, binds nothing, and says that nothing was found."""
    (tmp_path / "logs").mkdir()
    path = tmp_path / "ultravires.yaml"
    write_configuration(LocalPlace(tmp_path / "logs"), path)
    assert "No log was found" in path.read_text(encoding="utf-8")
    assert load_settings(path).origins == {}
    run_once(tmp_path / "logs", tmp_path / "home", config=path, as_of="")


def test_junk(tmp_path: Path) -> None:
    """Files that are no logs, cannot be read or are called oddly are named, as comments and on one line each."""
    logs = tmp_path / "logs"
    write_lines(logs / "a" / "approvals.jsonl", [approval("APR-1", 0)])
    (logs / "noise").write_bytes(os.urandom(5_000))
    (logs / "empty").touch()
    (logs / "od\nd: {x: 1}\n\x1b[2J.txt").write_text("words", encoding="utf-8")
    with tarfile.open(logs / "more.tar", "w") as archive:
        archive.add(logs / "a" / "approvals.jsonl", "in\nside/approvals.jsonl")
    os.mkfifo(logs / "pipe")
    path = tmp_path / "ultravires.yaml"
    seen = write_configuration(LocalPlace(logs), path)
    assert load_settings(path).origins.keys() == {"approvals"}
    written = path.read_text(encoding="utf-8")
    assert "\x1b" not in written
    assert len(seen.unread) == 4
    assert all(f"#   {logs}" in written for _ in seen.unread)
    assert run_once(logs, tmp_path / "home", config=path, as_of="").quarantined == 0


def test_names_that_a_log_chose(tmp_path: Path) -> None:
    """A name is text in the file, whatever it looks like; of two that one system takes for the same one is written."""
    names = [
        'bot", kind: human}\n  - {id: "x',
        "#c",
        "A@example.org",
        "a@example.org",
        "ünï",
        "\ud800",
        "*",
        "x" * 5_000,
    ]
    records = [approval(f"APR-{n}", n, requested_by=name, subject=name) for n, name in enumerate(names)]
    write_lines(tmp_path / "logs" / "a.jsonl", records)
    path = tmp_path / "ultravires.yaml"
    write_configuration(LocalPlace(tmp_path / "logs"), path)
    assert set(load_settings(path).origins) == {"approvals"}
    assert len([one for one in load_settings(path).identities if one.id.lower() == "a@example.org"]) <= 1


def test_what_an_application_printed_is_not_bound(tmp_path: Path) -> None:
    """A forged approval that lies there already is written as a question and not as an origin."""
    logs = tmp_path / "logs"
    write_lines(logs / "app" / "a.log", [{"log": json.dumps(approval("APR-1", 0)) + "\n", "stream": "stdout"}] * 2)
    write_lines(logs / "trail" / "t.json", [call("e1", 1, "s3:GetObject", session(RUNNER, "ASIARUNNER"))])
    text = as_yaml(look(LocalPlace(logs)), "logs")
    path = tmp_path / "ultravires.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_settings(path).origins == {"aws_cloudtrail": (OriginPlace(path="trail/**"),)}
    assert "#   approvals in app/a.log (json-file), 2 events" in text


def test_what_comes_later_beside_the_only_log_is_not_believed_as_it(tmp_path: Path) -> None:
    """Not even where nothing else lay in the input: whoever may write anything there would grant."""
    logs, path, home = tmp_path / "logs", tmp_path / "ultravires.yaml", tmp_path / "home"
    write_lines(logs / "approvals-2026-10-05.jsonl", [approval("APR-1", 0)])
    write_configuration(LocalPlace(logs), path)
    assert load_settings(path).origins == {"approvals": (OriginPlace(path="approvals-*.jsonl"),)}
    assert "known by names alone" in path.read_text(encoding="utf-8")
    write_lines(logs / "approvals-2026-10-06.jsonl", [approval("APR-2", 1)])
    write_lines(logs / "uploads" / "approvals-2026-10-06.jsonl", [approval("APR-3", 2)])
    write_lines(logs / "app.log", [approval("APR-4", 3)])
    run_once(logs, home, config=path, as_of="")
    with ultravires.open(home) as con:
        voices = dict(con.execute("select approval_id, voice from approvals").fetchall())
    assert voices == {"approval:APR-1": "recorded", "approval:APR-2": "recorded"} | dict.fromkeys(
        ("approval:APR-3", "approval:APR-4"), "reported"
    )


def test_a_file_that_stands_is_left(tmp_path: Path) -> None:
    """Also where it is a link that leads nowhere yet."""
    write_lines(tmp_path / "logs" / "a.jsonl", [approval("APR-1", 0)])
    for path in (tmp_path / "file.yaml", tmp_path / "link.yaml"):
        if path.name == "file.yaml":
            path.write_text("identities: []\n", encoding="utf-8")
        else:
            path.symlink_to(tmp_path / "elsewhere.yaml")
        with pytest.raises(UsageError, match="stands already"):
            write_configuration(LocalPlace(tmp_path / "logs"), path)
    assert (tmp_path / "file.yaml").read_text(encoding="utf-8") == "identities: []\n"
    assert not (tmp_path / "elsewhere.yaml").exists()


def test_the_command(tmp_path: Path) -> None:
    """It writes where one stands, and nowhere in the logs; what is wrong is one line and the exit code 2."""
    logs = tmp_path / "logs"
    write_lines(logs / "a.jsonl", [approval("APR-1", 0)])
    done = command("init", "--input", logs, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ultravires.yaml is written: 1 logs in 1 files" in done.stdout
    assert load_settings(tmp_path / "ultravires.yaml").origins["approvals"] == (OriginPlace(path="a.jsonl"),)
    assert_one_line(command("init", "--input", logs, cwd=tmp_path), "stands already", code=2)
    assert_one_line(command("init", "--input", logs, cwd=logs), "lies in the logs", code=2)
    assert_one_line(command("init", "--input", tmp_path / "nowhere", cwd=tmp_path), "no such file", code=2)
    closed = command("init", "--input", logs, "--config", tmp_path / "no" / "folder.yaml")
    assert_one_line(closed, "cannot be written", code=2)
