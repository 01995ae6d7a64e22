"""`ultravires rules`: list, lint, test and coverage, as a person calls them."""

import json
from pathlib import Path

import pytest
import yaml
from command_line import run as ultravires

RULE = {
    "title": "Console login",
    "name": "console_login",
    "level": "low",
    "tags": ["attack.t1078.004", "attack.t9999", "owasp-nhi.nhi10"],
    "logsource": {"product": "aws", "service": "cloudtrail"},
    "detection": {"selection": {"eventName": "ConsoleLogin"}, "condition": "selection"},
}
MANY = {
    "title": "Many logins",
    "name": "many_logins",
    "tags": ["attack.t1110"],
    "correlation": {
        "type": "event_count",
        "rules": ["console_login"],
        "group-by": ["sourceIPAddress"],
        "timespan": "5m",
        "condition": {"gte": 5},
    },
}
FIRES = {"name": "a login", "fires": True, "event": {"eventName": "ConsoleLogin"}}
SILENT = {"name": "a read", "fires": False, "event": {"eventName": "GetObject"}}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "login.yml").write_text(yaml.safe_dump(RULE), encoding="utf-8")
    (folder / "login.cases.jsonl").write_text(f"{json.dumps(FIRES)}\n{json.dumps(SILENT)}\n", encoding="utf-8")
    (folder / "many.yml").write_text(yaml.safe_dump(MANY), encoding="utf-8")
    return folder


def test_list_shows_ours_and_the_users(pack: Path, tmp_path: Path) -> None:
    done = ultravires("rules", "list", "--rules", pack, "--json", cwd=tmp_path)
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["console_login"]["status"] == rows["ultravires_self_approval"]["status"] == "ok"
    assert rows["console_login"]["log_source"] == "aws/cloudtrail"
    assert "many.yml: many_logins" in ultravires("rules", "list", "--rules", pack, cwd=tmp_path).stdout


def test_lint_says_a_line_for_each_that_is_wrong(pack: Path, tmp_path: Path) -> None:
    right = ultravires("rules", "lint", pack, cwd=tmp_path)
    assert (right.returncode, right.stdout) == (0, "2 rules, correlations and filters, all of which work\n")
    (pack / "bad.yml").write_text(yaml.safe_dump({**RULE, "name": "bad", "titel": "x"}), encoding="utf-8")
    (pack / "worse.yml").write_text("a: [", encoding="utf-8")
    wrong = ultravires("rules", "lint", pack, cwd=tmp_path)
    assert wrong.returncode == 1
    bad, worse = wrong.stdout.splitlines()
    assert "bad.yml: unknown key titel" in bad
    assert "worse.yml: " in worse
    one = ultravires("rules", "lint", pack / "login.yml", cwd=tmp_path)
    assert (one.returncode, one.stdout) == (0, "1 rules, correlations and filters, all of which work\n")


def test_lint_of_no_rules_does_not_say_that_they_work(tmp_path: Path) -> None:
    """Who names the wrong folder must not believe that his rules were looked at."""
    (tmp_path / "empty").mkdir()
    none = ultravires("rules", "lint", tmp_path / "empty", cwd=tmp_path)
    assert (none.returncode, none.stdout) == (2, "")
    assert "holds no Sigma rules" in none.stderr and len(none.stderr.splitlines()) == 1


def test_test_runs_the_cases(pack: Path, tmp_path: Path) -> None:
    right = ultravires("rules", "test", pack, cwd=tmp_path)
    assert (right.returncode, right.stdout) == (0, "2 cases of 2 rules, 1 of which have none\n")
    wrong = {**FIRES, "fires": False}
    (pack / "login.cases.jsonl").write_text(f"{json.dumps(wrong)}\n", encoding="utf-8")
    done = ultravires("rules", "test", pack, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[:2] == [
        "console_login: a login: does not do what the case says",
        "console_login: no case that fires",
    ]
    (pack / "login.cases.jsonl").write_text("{}\n", encoding="utf-8")
    assert "login.cases.jsonl:1: not a case" in ultravires("rules", "test", pack, cwd=tmp_path).stdout


def test_cases_of_other_logs_are_records_and_what_their_reader_made_of_them(tmp_path: Path) -> None:
    """`event` is the vendor's record, `row` what stands beside it in `events`."""
    folder = tmp_path / "okta"
    folder.mkdir()
    selection = {"eventType": "user.session.start", "ultravires.actor_uid|endswith": "@example.org"}
    rule = {**RULE, "logsource": {"product": "okta", "service": "okta"}}
    rule["detection"] = {"selection": selection, "condition": "selection"}
    event = {"eventType": "user.session.start"}
    cases = [
        {"name": "ours", "fires": True, "event": event, "row": {"actor_uid": "ann@example.org"}},
        {"name": "theirs", "fires": False, "event": event, "row": {"actor_uid": "ann@example.com"}},
        {"name": "another act", "fires": False, "event": {"eventType": "x"}, "row": {"actor_uid": "a@example.org"}},
    ]
    (folder / "login.yml").write_text(yaml.safe_dump(rule), encoding="utf-8")
    (folder / "login.cases.jsonl").write_text("\n".join(map(json.dumps, cases)), encoding="utf-8")
    done = ultravires("rules", "test", folder, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "3 cases of 1 rules, 0 of which have none\n")


def test_coverage_is_a_table_and_a_layer(pack: Path, tmp_path: Path) -> None:
    """A correlation covers the logs of its rules, and the rules that it silences cover nothing."""
    layer = tmp_path / "layer.json"
    done = ultravires("rules", "coverage", "--rules", pack, "--navigator", layer, "--json", cwd=tmp_path)
    rows = [row for row in json.loads(done.stdout) if row["rule"] in ("many_logins", "console_login")]
    assert [(row["rule"], row["log_source"], row["reference"]) for row in rows] == [
        ("many_logins", "aws/cloudtrail", "attack.t1110")
    ]
    drawn = json.loads(layer.read_text(encoding="utf-8"))
    assert (drawn["domain"], drawn["versions"]["layer"]) == ("enterprise-attack", "4.5")
    scores = {technique["techniqueID"]: technique["score"] for technique in drawn["techniques"]}
    citing = {row["rule"] for row in json.loads(done.stdout) if row["reference"] == "attack.t1110"}
    assert scores["T1110"] == len(citing) and "many_logins" in citing
    assert all(score >= 1 for score in scores.values())
    shown = ultravires("rules", "coverage", cwd=tmp_path).stdout
    assert all(f"owasp-{name}{n:02}" in shown for name in ("asi.asi", "nhi.nhi") for n in range(1, 11))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("lint", "nowhere"), "there is no such pack"),
        (("test", "pack.zip"), "unpack it first"),
        (("coverage", "--navigator", "no/such/folder.json"), "cannot be written"),
    ],
)
def test_a_wrong_call_is_one_line(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    (tmp_path / "pack.zip").write_bytes(b"")
    done = ultravires("rules", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
