"""A review from a run to the file and back: what it proposes, how it is written, what its answers change."""

import csv
import json
import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from command_line import run as command
from review_home import FORMULA, ROBOT, build, given, minute, taken, write_logs
from review_home import read as read_object
from ultravires.errors import UsageError
from ultravires.review.applying import WrongRows, apply_and_run
from ultravires.review.columns import Sheet, sheets
from ultravires.review.facts import read_facts
from ultravires.runs import clock
from ultravires.runs.pruning import prune_and_run
from ultravires.runs.run import run_once
from ultravires.sources.aws.policies import statements_of
from ultravires.store.snapshot import open_published
from ultravires.tracing.rows import fetch_rows


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home, logs and configuration of the small company, after a first run; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("review")
    build(folder)
    return folder


@pytest.fixture
def company(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built, tmp_path / "company")
    return tmp_path / "company"


def tables(folder: Path, owner: str | None = None) -> dict[str, Sheet]:
    with open_published(folder / "home") as con:
        return {sheet.name: sheet for sheet in sheets(read_facts(con, owner))}


def as_dicts(sheet: Sheet) -> list[dict[str, str]]:
    return [dict(zip(sheet.columns, row, strict=True)) for row in sheet.rows]


def decisions(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """By identity and action."""
    return {(row["identity"], row["action"]): row for row in as_dicts(tables(folder)["Decisions"])}


def asked(folder: Path, sql: str) -> list[dict[str, Any]]:
    with open_published(folder / "home") as con:
        return fetch_rows(con, sql)


def answered(folder: Path, *rows: Sequence[str], name: str = "decisions.csv") -> Path:
    """A file of decisions: identity, action or nothing, decision, until, reviewer, reason."""
    known = decisions(folder)
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["identity", "entitlement_id", "decision", "until", "reviewer", "reason"])
        for identity, action, *rest in rows:
            writer.writerow([identity, known[identity, action]["entitlement_id"] if action else "", *rest])
    return path


def apply(folder: Path, *rows: Sequence[str], name: str = "decisions.csv") -> Any:
    return apply_and_run(answered(folder, *rows, name=name), folder / "home", config=folder / "ultravires.yaml")[0]


def in_days(days: int) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"


def test_what_is_proposed_and_why(built: Path) -> None:
    """Approved is kept, wider than its use narrowed, unused for 90 days of complete logs revoked."""
    found = decisions(built)
    assert {key: row["proposed"] for key, row in found.items()} == {
        ("robot", "sqs:ListQueues"): "keep",
        ("robot", "s3:*"): "narrow",
        ("robot", "lambda:*"): "narrow",
        ("robot", "iam:Pass*"): "narrow",
        ("sleeper", "iam:PutUserPolicy"): "revoke",
        ("sleeper", "s3:GetObject"): "revoke",
        (FORMULA, "s3:GetObject"): "revoke",
    }
    assert found["robot", "sqs:ListQueues"]["proposed_because"] == "approved by bo@example.org (APR-9), not used"
    assert found["robot", "s3:*"]["proposed_because"].startswith("wider than its use: used 148 times by 1 action, last")
    assert "not used in 90 days of complete logs" in found["sleeper", "s3:GetObject"]["proposed_because"]


def test_a_narrower_policy_names_what_was_used(built: Path) -> None:
    """By exact ARN, as a policy that reads as one."""
    policy = decisions(built)["robot", "s3:*"]["least_privilege"]
    statements = statements_of(policy)
    assert statements == [
        {
            "effect": "allow",
            "actions": ["s3:GetObject"],
            "resources": [f"arn:aws:s3:::data/in/{each}.csv" for each in range(3)],
            "sid": "Used1",
        }
    ]


def test_what_a_call_needs_beside_was_used_too(built: Path) -> None:
    """To pass a role is no call of its own, and no log records it; nor does one show who invokes functions."""
    found = decisions(built)
    passing = statements_of(found["robot", "iam:Pass*"]["least_privilege"])
    assert passing == [{"effect": "allow", "actions": ["iam:PassRole"], "resources": ["*"], "sid": "Used1"}]
    functions = statements_of(found["robot", "lambda:*"]["least_privilege"])
    assert functions is not None
    assert {each["sid"]: each["actions"] for each in functions} == {
        "NotShownByLogs1": ["lambda:InvokeFunction", "lambda:InvokeFunctionUrl"],
        "Used1": ["lambda:CreateFunction"],
    }


def test_each_owner_is_told_of_theirs_and_nobodys_come_last(built: Path) -> None:
    """Owners stand together; --owner leaves out all others."""
    owners = [row["owner"] for row in as_dicts(tables(built)["Identities"])]
    assert owners == ["team-blue", "team-red", "no owner"]
    only = tables(built, "team-red")
    assert {row["identity"] for name in ("Identities", "Decisions") for row in as_dicts(only[name])} == {"sleeper"}


def test_logs_that_are_too_short_propose_nothing_away(company: Path) -> None:
    """A right that was given lately stays, and the reason says how much of it the logs show."""
    write_logs(
        company / "logs" / "more",
        [given("g9", 140, ROBOT, {"Action": "s3:ListBucket", "Resource": "*"}, policy="late")],
    )
    run_once(company / "logs", company / "home", config=company / "ultravires.yaml", as_of="")
    row = decisions(company)["robot", "s3:ListBucket"]
    assert row["proposed"] == "keep"
    assert re.fullmatch(
        r"unknown: the logs show \d+ of the 90 days in which it would have to be used", row["proposed_because"]
    )


def test_the_file_of_a_review_comes_back_filled_in(company: Path) -> None:
    """Written by the command, filled in by hand, taken by the command; a second time nothing changes."""
    out = company / "review.csv"
    wrote = command("review", "--home", company / "home", "--out", out)
    assert (wrote.returncode, wrote.stderr) == (0, "")
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["identity"] == "sleeper":
            row.update(decision="revoke", reviewer="zoe@example.org", reason="=nobody knows it")
    filled = company / "filled.csv"
    with filled.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=";")  # as spreadsheets of many countries save it
        writer.writeheader()
        writer.writerows(rows)
    first = command("review", "--home", company / "home", "--config", company / "ultravires.yaml", "--apply", filled)
    assert first.stdout == "2 decisions taken, 0 stood already, 5 rows without one; see the table review_decisions\n"
    second = command("review", "--home", company / "home", "--config", company / "ultravires.yaml", "--apply", filled)
    assert second.stdout == "0 decisions taken, 2 stood already, 5 rows without one; see the table review_decisions\n"
    stored = asked(company, "select identity_id, decision, state, reviewer, reason from review_decisions")
    said = {"identity_id": "sleeper", "decision": "revoke", "state": "open"}
    assert stored == [{**said, "reviewer": "zoe@example.org", "reason": "=nobody knows it"}] * 2


def test_an_exception_silences_until_it_ends(company: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drift of what is excepted is informational, with who and until when; when the logs reach its end it is told."""
    before = {row["kind"]: row["severity"] for row in asked(company, "from drift where identity_id = 'robot'")}
    assert (before["over_grant"], before["overreach"]) == ("medium", "medium")
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 10, 4, 12, tzinfo=UTC))
    apply(company, ("robot", "s3:*", "exception", "2026-10-20", "zoe", "until the new role stands"))
    silenced = asked(
        company, "select kind, severity, reviewed_by, reviewed_until from drift where reviewed_by is not null"
    )
    ends = datetime(2026, 10, 20, tzinfo=UTC)
    assert {row["kind"] for row in silenced} == {"over_grant", "overreach"}
    assert {(row["severity"], row["reviewed_by"], row["reviewed_until"]) for row in silenced} == {
        ("informational", "zoe", ends)
    }
    assert "Silenced by review" in (company / "home" / "report.html").read_text(encoding="utf-8")
    approved = asked(company, "select cause_actor_uid, valid_until from entitlements where start_by = 'review'")
    assert approved == [{"cause_actor_uid": "zoe", "valid_until": ends}]
    monkeypatch.undo()
    write_logs(company / "logs" / "later", [read_object("late", 170, ROBOT, "in/1.csv")])
    run_once(company / "logs", company / "home", config=company / "ultravires.yaml", as_of="")
    after = {row["kind"]: row["severity"] for row in asked(company, "from drift where identity_id = 'robot'")}
    assert (after["over_grant"], after["overreach"]) == ("medium", "medium")
    assert [row["state"] for row in asked(company, "from review_decisions")] == ["ended"]
    assert decisions(company)["robot", "s3:*"]["proposed"] == "narrow"


def test_what_is_kept_is_approved_and_no_longer_asked_for(company: Path) -> None:
    """The next review proposes to keep it, and says who did."""
    apply(company, ("robot", "s3:*", "keep", "", "zoe", ""))
    row = decisions(company)["robot", "s3:*"]
    assert row["proposed"] == "keep"
    assert row["proposed_because"].startswith("approved by zoe (ra_")


def test_a_revoke_is_done_when_the_right_ended(company: Path) -> None:
    """Open work until a log shows that it was taken."""
    apply(company, ("sleeper", "", "revoke", in_days(30), "zoe", "nobody knows it"))
    assert {row["state"] for row in asked(company, "from review_decisions")} == {"open"}
    write_logs(company / "logs" / "later", [taken("t1", 149.5, "x/sleeper")])
    run_once(company / "logs", company / "home", config=company / "ultravires.yaml", as_of="")
    found = asked(company, "select state, is_held, done_at is not null as is_dated from review_decisions")
    assert found == [{"state": "done", "is_held": False, "is_dated": True}] * 2


def test_a_row_speaks_for_all_that_no_other_row_names(company: Path) -> None:
    """And a later answer replaces an earlier one."""
    apply(company, ("sleeper", "", "revoke", "", "zoe", ""), ("sleeper", "s3:GetObject", "keep", "", "zoe", ""))
    apply(company, ("sleeper", "s3:GetObject", "narrow", "", "ada", ""), name="second.csv")
    found = asked(company, "select action_pattern, decision, state from review_decisions order by decided_at, 1")
    assert [tuple(row.values()) for row in found] == [
        ("iam:PutUserPolicy", "revoke", "open"),
        ("s3:GetObject", "keep", "replaced"),
        ("s3:GetObject", "narrow", "open"),
    ]


def test_names_that_look_like_formulas_are_answered_too(company: Path) -> None:
    """By the name as it is and as the file writes it."""
    applied = apply(company, (FORMULA, "", "revoke", "", "@zoe", ""))
    assert applied.n_new == 1
    assert [row["reviewer"] for row in asked(company, "from review_decisions")] == ["@zoe"]


def test_wrong_rows_are_each_told_and_nothing_is_applied(company: Path) -> None:
    """By the command: a line each with its number, exit 2, and the home as it was."""
    known = {action: row["entitlement_id"] for (_, action), row in decisions(company).items()}
    rows = [
        "identity,entitlement_id,decision,until,reviewer,reason,note",
        f"robot,{known['s3:*']},keep,,zoe,,fine",
        f"robot,{known['s3:*']},keep,,zoe,,",
        "robot,,burn,,zoe,,",
        "robot,,keep,,,,",
        "nobody,,keep,,zoe,,",
        "robot,en_0,keep,,zoe,,",
        f"sleeper,{known['s3:*']},keep,,zoe,,",
        "robot,,exception,,zoe,why,",
        f"robot,,exception,{in_days(400)},zoe,why,",
        f"robot,,exception,{in_days(40)},zoe,,",
        "robot,,keep,2020-01-01,zoe,,",
        "robot,,keep,31/12/2026,zoe,,",
        ",,keep,,zoe,,",
        "robot,,,,,,not answered",
        'robot,,keep,,zoe,"two\nlines",',
        "robot,,revoke,,zoe,,all of it twice",
    ]
    path = company / "wrong.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    ended = command("review", "--home", company / "home", "--apply", path)
    told = ended.stderr.splitlines()
    assert ended.returncode == 2
    assert [line.partition(":")[0] for line in told[:-1]] == [f"line {n}" for n in (*range(3, 15), 18)]
    assert told[-1] == f"ultravires: {path}: 13 rows are wrong, and nothing was applied"
    with pytest.raises(WrongRows):
        apply_and_run(path, company / "home", config=None)
    assert asked(company, "from review_decisions") == []


@pytest.mark.parametrize(
    "content", [b"", b"identity,decision\nrobot,keep\n", b"\xff\xfe", b'identity,"\x00', b"a;b\n1;2\n"]
)
def test_what_is_no_file_of_decisions_is_one_line(company: Path, content: bytes) -> None:
    path = company / "odd.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError) as refused:
        apply_and_run(path, company / "home", config=None)
    assert "\n" not in str(refused.value)


def test_no_decision_is_taken_from_the_logs(company: Path) -> None:
    """Who can write a log must not approve; a link that leads there is in them too."""
    run_once(company / "logs", company / "home", config=company / "ultravires.yaml", as_of="")
    inside = answered(company, ("robot", "", "keep", "", "eve", ""), name="logs/decisions.csv")
    (company / "link.csv").symlink_to(inside)
    (company / "logs" / "out.csv").symlink_to(answered(company, ("robot", "", "keep", "", "eve", "")))
    for path in (inside, company / "link.csv", company / "logs" / "out.csv"):
        with pytest.raises(UsageError, match="lies in the logs"):
            apply_and_run(path, company / "home", config=None)


def test_decisions_outlive_a_prune(company: Path) -> None:
    """They are in the home, not in the logs."""
    apply(company, ("robot", "s3:*", "keep", "", "zoe", "stays"))
    prune_and_run(
        company / "home", datetime(2026, 10, 1, tzinfo=UTC), config=company / "ultravires.yaml", keep_in_force=False
    )
    assert [(row["decision"], row["state"]) for row in asked(company, "from review_decisions")] == [
        ("keep", "in force")
    ]


def test_a_run_notices_new_decisions(company: Path) -> None:
    """A run that had nothing to do is not the answer any more."""
    arguments = (
        "run",
        "--input",
        company / "logs",
        "--home",
        company / "home",
        "--config",
        company / "ultravires.yaml",
    )
    for _ in range(2):
        assert command(*arguments).returncode == 0
    kept = company / "home" / "unchanged.json"
    assert kept.exists()
    before = kept.read_bytes()
    apply(company, ("robot", "s3:*", "keep", "", "zoe", ""))
    assert not kept.exists() or kept.read_bytes() != before
    assert "silenced by review" in command(*arguments).stdout


@pytest.mark.parametrize("arguments", [(), ("--out", "a.csv", "--apply", "b.csv"), ("--apply", "b.csv", "--force")])
def test_a_call_that_says_nothing_or_both_is_refused(arguments: tuple[str, ...], tmp_path: Path) -> None:
    ended = command("review", "--home", tmp_path / "home", *arguments)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1 and "review" in ended.stderr


def test_an_owner_of_nothing_is_told_so(built: Path, tmp_path: Path) -> None:
    ended = command("review", "--home", built / "home", "--owner", "nobody", "--out", tmp_path / "x.html")
    assert (ended.returncode, (tmp_path / "x.html").exists()) == (2, False)
    assert "answers for no identity" in ended.stderr


def test_a_home_of_an_older_version_is_told_to_run() -> None:
    """Its tables lack what a review reads."""
    with duckdb.connect() as con, pytest.raises(UsageError, match="an older version published this home"):
        read_facts(con)


def test_the_story_is_of_the_past() -> None:
    """Else its records would be from the future, which move no time."""
    assert minute(0) < 0
    assert json.dumps(given("g", 1, ROBOT, {"Action": "s3:*", "Resource": "*"}))
