"""Situations in which nothing is wrong, and in which nothing may be found; beside each its twin, with a finding."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import ultravires
from small_logs import RUNNER, WORKER, approval, assume, at, call, session, write_lines
from source_samples import SAMPLES
from ultravires.runs.run import run_once
from ultravires.simulator.truth import OF_EFFECTS

UNAPPROVED = "ultravires_unapproved_privileged_activity"
UNREAD = "ultravires_unread_approvals"
MONTH = 30 * 24 * 60
OTHER = "arn:aws:iam::111122223333:role/third"
POLICY = {"roleName": "other", "policyName": "p"}
OF_OTHERS = {"subject": OTHER, "roles": [OTHER]}
"""An approval that names AWS, and not who acts here."""
SUBSCRIPTION = "/subscriptions/3b9e7f52-1c84-4d06-a5f9-7e2d8c604b10"


def act(event_id: str, minutes: float, role: str = WORKER, **changes: Any) -> dict[str, Any]:
    """A role in AWS changes another role's policy."""
    key = f"ASIA{role.rsplit('/', 1)[-1].upper()}"
    return call(event_id, minutes, "iam:PutRolePolicy", session(role, key), requestParameters=POLICY, **changes)


def found(folder: Path, *, config: str | None = None) -> dict[str, list[str]]:
    """Detector -> subjects of the open findings of one run over `folder`/logs."""
    path = None
    if config is not None:
        path = folder / "ultravires.yaml"
        path.write_text(config, encoding="utf-8")
    run_once(folder / "logs", folder / "home", config=path, as_of="")
    rows = [
        (detector, subject)
        for detector, subject in ask(
            folder, "select detector_id, subject_uid from findings where state = 'open' order by all"
        )
        if detector not in OF_EFFECTS  # what an act does is told whether or not an approval is missed
    ]
    return {detector: [uid for name, uid in rows if name == detector] for detector, _ in rows}


def ask(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with ultravires.open(folder / "home") as con:
        return con.execute(query).fetchall()


def gaps(folder: Path, event_id: str) -> list[str]:
    query = f"select gaps from chain_steps join events using (event_id) where native_id = '{event_id}'"
    return [gap for (of_step,) in ask(folder, query) for gap in of_step]


def azure_assignments(*minutes: float) -> list[dict[str, Any]]:
    """A service principal gives a role in Azure, each time to a thing of its own."""
    (sample,) = [json.loads(SAMPLES["azure_activity"])]
    whole = next(one for one in sample["records"] if one["resultType"] == "Success")
    records = []
    for number, minute in enumerate(minutes):
        scope = f"{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Authorization/roleAssignments/{number}"
        name = "MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE"
        claims = {
            "appid": "c4f8a1b2-6d93-4e57-8a0b-1f2e3d4c5b66",
            "appidacr": "1",
            "http://schemas.microsoft.com/identity/claims/objectidentifier": "91d3e6a4-2b78-4c05-9f1e-6a8b7c5d3e44",
            "idtyp": "app",
        }
        evidence = {"principalId": "91d3e6a42b784c059f1e6a8b7c5d3e44", "principalType": "ServicePrincipal"}
        records.append(
            {
                **whole,
                "time": at(minute),
                "resourceId": scope,
                "operationName": name,
                "correlationId": f"c0a1d4a7-5d02-4c8e-9b31-6f7e8d9c{number:04d}",
                "identity": {
                    "authorization": {"scope": scope, "action": name, "evidence": evidence},
                    "claims": claims,
                },
                "properties": {"eventCategory": "Administrative", "entity": scope, "message": name},
            }
        )
    return records


def no_approvals_of_entra() -> list[dict[str, Any]]:
    """Two records of the directory's audit that are no approvals."""
    (first, *_) = json.loads(SAMPLES["entra_audit"])["records"]
    return [
        {**first, "time": at(minute), "properties": {**first["properties"], "id": f"Directory_{minute}"}}
        for minute in (-30, 90)
    ]


def pim_requests(*minutes: float) -> list[dict[str, Any]]:
    """Requests that Privileged Identity Management granted to somebody else, a line each."""
    first = json.loads(SAMPLES["entra_pim"].splitlines()[0])
    granted = next(one for one in first["value"] if one["status"] == "Provisioned")
    return [
        {**granted, "id": f"cd8e3f15-6a90-4b72-8c4d-{n:012d}", "createdDateTime": at(m), "completedDateTime": at(m)}
        for n, m in enumerate(minutes)
    ]


def write_broken(path: Path, records: Sequence[dict[str, Any]], *, broken: int) -> None:
    """The records, of which one ends in its middle."""
    lines = [json.dumps(record) for record in records]
    lines[broken] = lines[broken][: len(lines[broken]) // 2]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def test_the_approvals_begin_after_the_act(tmp_path: Path) -> None:
    """An approvals log that was switched on five months later says nothing about today."""
    later = call("e2", 60, "s3:ListBuckets", session(OTHER, "ASIATHIRD"))
    write_lines(tmp_path / "logs" / "trail.json", [act("e1", 60 - 5 * MONTH), later])
    write_lines(tmp_path / "logs" / "approvals.jsonl", [approval("APR-1", 0, **OF_OTHERS)])
    assert UNAPPROVED not in found(tmp_path)
    assert gaps(tmp_path, "e1") == ["no approval: before the log begins"]


def test_the_approvals_had_begun(tmp_path: Path) -> None:
    """The twin: the same act a month after the log began, and another of the same identity: one finding."""
    write_lines(tmp_path / "logs" / "trail.json", [act("e1", 60), act("e2", 24 * 60)])
    around = [
        approval("APR-1", -MONTH, **OF_OTHERS),
        *(approval(f"APR-{n}", n * 24 * 60, **OF_OTHERS) for n in range(2, -4, -1)),
    ]
    write_lines(tmp_path / "logs" / "approvals.jsonl", around)
    assert found(tmp_path)[UNAPPROVED] == [WORKER]


def test_a_directory_audit_that_holds_no_approval(tmp_path: Path) -> None:
    """It is no log of approvals of AWS, and until it holds one no log of approvals at all."""
    write_lines(tmp_path / "logs" / "trail.json", [act("e1", 60)])
    write_lines(tmp_path / "logs" / "entra.jsonl", no_approvals_of_entra())
    write_lines(tmp_path / "logs" / "azure.jsonl", azure_assignments(60))
    assert found(tmp_path) == {}
    assert gaps(tmp_path, "e1") == ["no approval: source absent"]
    assert ask(tmp_path, "select evidence_seen from sources where log = 'entra_audit'") == [(["activity"],)]


def test_approvals_of_azure_accuse_in_azure(tmp_path: Path) -> None:
    """The twin: PIM's approvals are complete, so what nobody approved in Azure is found, and in AWS still nothing."""
    write_lines(tmp_path / "logs" / "trail.json", [act("e1", 60)])
    write_lines(tmp_path / "logs" / "pim.jsonl", pim_requests(-60, 120))
    write_lines(tmp_path / "logs" / "azure.jsonl", azure_assignments(60))
    (accused,) = found(tmp_path)[UNAPPROVED]
    assert accused != WORKER
    assert gaps(tmp_path, "e1") == ["no approval: source absent"]


NEEDED = [approval(f"APR-{n}", -60 + 30 * n, **OF_OTHERS) for n in range(5)]
"""Each half hour one, from an hour before to an hour after; the third is cut at the time of the act."""


def test_an_approval_that_cannot_be_read(tmp_path: Path) -> None:
    """What the act needed may have stood in the broken line; that the line is broken is told, once."""
    write_lines(tmp_path / "logs" / "trail.json", [act("e1", 1)])
    write_broken(tmp_path / "logs" / "approvals.jsonl", NEEDED, broken=2)
    assert found(tmp_path) == {UNREAD: [str(tmp_path / "logs" / "approvals.jsonl")]}
    assert gaps(tmp_path, "e1") == ["no approval: record unreadable"]


def test_an_approval_that_lasts_cannot_be_read(tmp_path: Path) -> None:
    """What it allowed was done hours after the next record, but while such approvals hold."""
    write_lines(tmp_path / "logs" / "trail.json", [act("e1", 200), act("e2", 1000)])
    later = approval("APR-9", 1020, **OF_OTHERS)
    write_broken(tmp_path / "logs" / "approvals.jsonl", [*NEEDED, later], broken=2)
    assert found(tmp_path)[UNAPPROVED] == [WORKER]
    assert gaps(tmp_path, "e1") == ["no approval: record unreadable"]
    assert gaps(tmp_path, "e2") == ["no approval"]


@pytest.mark.parametrize("log", ["pim.jsonl", "far.jsonl"], ids=["another log", "days away"])
def test_what_cannot_be_read_would_have_said_nothing_of_it(tmp_path: Path, log: str) -> None:
    """The twin: a line of a log of another system is broken, or one between records of two days before."""
    logs = tmp_path / "logs"
    write_lines(logs / "trail.json", [act("e1", 1)])
    write_lines(logs / "approvals.jsonl", NEEDED)
    if log == "pim.jsonl":
        write_broken(logs / log, pim_requests(-60, 0, 60), broken=1)
    else:
        days_ago = [approval(f"OLD-{n}", -3 * 24 * 60 + n, **OF_OTHERS) for n in range(3)]
        write_broken(logs / log, days_ago, broken=1)
    assert found(tmp_path) == {UNAPPROVED: [WORKER], UNREAD: [str(logs / log)]}


def test_a_broken_line_where_the_log_does_not_lie(tmp_path: Path) -> None:
    """Who can write to another folder casts no doubt on the approvals that are bound to theirs."""
    logs = tmp_path / "logs"
    write_lines(logs / "trail.json", [act("e1", 1)])
    write_lines(logs / "approvals" / "a.jsonl", NEEDED)
    write_broken(logs / "agent" / "b.jsonl", [approval(f"X-{n}", n, **OF_OTHERS) for n in range(3)], broken=1)
    accused = found(tmp_path, config="origins: {approvals: approvals/**, aws_cloudtrail: trail.json}\n")
    assert accused[UNAPPROVED] == [WORKER] and UNREAD not in accused


def test_a_whole_file_that_cannot_be_read(tmp_path: Path) -> None:
    """Its hours are those between the files beside it, by their names; without `origins:` and neighbours it is none."""
    logs = tmp_path / "logs"
    write_lines(logs / "trail.json", [act("e1", 1)])
    write_lines(logs / "approvals" / "2.jsonl", [approval("A-1", -60, **OF_OTHERS), approval("A-2", -30, **OF_OTHERS)])
    write_broken(logs / "approvals" / "3.jsonl", [approval("A-3", 0, **OF_OTHERS)] * 2, broken=0)
    (logs / "approvals" / "3.jsonl").write_text((logs / "approvals" / "3.jsonl").read_text().splitlines()[0] + '"}\n')
    write_lines(logs / "approvals" / "4.jsonl", [approval("A-4", 30, **OF_OTHERS)])
    accused = found(tmp_path, config="origins: {approvals: approvals/**, aws_cloudtrail: trail.json}\n")
    assert UNAPPROVED not in accused and accused[UNREAD] == [str(logs / "approvals" / "3.jsonl")]
    assert gaps(tmp_path, "e1") == ["no approval: record unreadable"]


QUIET, BUSY = "arn:aws:iam::111122223333:role/quiet", "arn:aws:iam::111122223333:role/busy"


def test_one_of_two_approval_systems_falls_quiet(tmp_path: Path) -> None:
    """Only its own subjects are in doubt: those of the other and those of whom none ever spoke are not."""
    logs, now = tmp_path / "logs", 20 * 24 * 60
    acts = [act("e-quiet", now, QUIET), act("e-busy", now, BUSY), act("e-new", now, WORKER)]
    write_lines(logs / "trail.json", [*acts, call("e-last", now + 60, "s3:ListBuckets", session(OTHER, "ASIATHIRD"))])
    daily = [approval(f"APR-{n}", n * 24 * 60, subject=BUSY, roles=[BUSY]) for n in range(18)]
    write_lines(logs / "approvals.jsonl", daily)
    jira = [json.loads(line) for line in SAMPLES["jira_approvals"].splitlines() if line.strip()]
    write_lines(logs / "jira.jsonl", jira)
    config = "governs: {jira_approvals: {identities: ['*role/quiet']}}\n"
    accused = found(tmp_path, config=config)
    assert ask(tmp_path, "select state from sources where log = 'jira_approvals'") == [("silent",)]
    assert accused[UNAPPROVED] == [BUSY, WORKER]
    assert gaps(tmp_path, "e-quiet") == ["no approval: source silent"]


@pytest.mark.parametrize("content", ["", "[]\n"], ids=["an empty file", "an empty list"])
def test_exports_of_days_on_which_nothing_was_approved(tmp_path: Path, content: str) -> None:
    """The log is quiet because nothing happened, as its exports show; without them it is silent."""
    logs = tmp_path / "logs"
    write_lines(logs / "trail.json", [act("e1", 20 * 24 * 60), act("e2", 20 * 24 * 60 + 60)])
    write_lines(logs / "approvals" / "approvals-2026-10-05.jsonl", [approval("APR-1", 0, **OF_OTHERS)])
    assert UNAPPROVED not in found(tmp_path)
    assert gaps(tmp_path, "e1") == ["no approval: source silent"]
    for day in range(6, 26):
        (logs / "approvals" / f"approvals-2026-10-{day:02d}.jsonl").write_text(content)
    accused = found(tmp_path)
    assert accused[UNAPPROVED] == [WORKER]
    assert "ultravires_unread_evidence" not in accused


def told_by_name(folder: Path) -> list[str]:
    """Of each alert in the file the detector whose finding it is; who else tells of its acts is named in it, too."""
    lines = (folder / "home" / "alerts.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["finding_info"]["analytic"]["uid"] for line in lines]


def test_a_thousand_acts_without_an_approval_are_one_finding(tmp_path: Path) -> None:
    """It says how many and since when; another day of the same tells nobody anything, and another action does."""
    logs, day = tmp_path / "logs", 24 * 60
    write_lines(logs / "approvals.jsonl", [approval(f"APR-{n}", (n - 1) * day, **OF_OTHERS) for n in range(6)])
    for number in range(4):
        write_lines(logs / f"trail_{number}.json", [act(f"e{number}-{n}", number * day + n) for n in range(1, 31)])
        accused = found(tmp_path)
        assert accused[UNAPPROVED] == [WORKER]
    ((message, severity, n_evidence),) = ask(
        tmp_path, f"select message, severity, n_evidence from findings where detector_id = '{UNAPPROVED}'"
    )
    assert f"120 privileged acts since {at(1)}, the worst iam:PutRolePolicy on " in message
    assert (severity, n_evidence) == ("high", 100)
    assert told_by_name(tmp_path).count(UNAPPROVED) == 1
    attach = call(
        "attach", 3 * day + 50, "iam:AttachRolePolicy", session(WORKER, "ASIAWORKER"), requestParameters=POLICY
    )
    write_lines(logs / "trail_9.json", [attach])
    found(tmp_path)
    assert told_by_name(tmp_path).count(UNAPPROVED) == 2


def test_attempts_that_were_refused_are_less_and_a_success_raises_them(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    write_lines(logs / "approvals.jsonl", [approval(f"APR-{n}", -60 + 60 * n, **OF_OTHERS) for n in range(4)])
    write_lines(logs / "trail_1.json", [act("e1", 10, errorCode="AccessDenied")])
    found(tmp_path)
    severity = f"select severity from findings where detector_id = '{UNAPPROVED}' and state = 'open'"
    assert ask(tmp_path, severity) == [("medium",)]
    write_lines(logs / "trail_2.json", [act("e2", 20)])
    found(tmp_path)
    assert ask(tmp_path, severity) == [("high",)]


def test_what_a_workflow_takes_is_governed_by_its_reviews(tmp_path: Path) -> None:
    """A role that no ticket names, taken by a runner whose approvals are complete."""
    write_lines(
        tmp_path / "logs" / "trail.json",
        [assume("e0", 30, session(RUNNER, "ASIARUNNER"), "ASIAWORKER"), act("e1", 31)],
    )
    write_lines(
        tmp_path / "logs" / "approvals.jsonl",
        [
            approval(f"APR-{n}", m, subject=RUNNER, roles=[], actions=[], valid_until=at(m + 10))
            for n, m in enumerate((-60, 0, 60, 120))
        ],
    )
    assert found(tmp_path)[UNAPPROVED] == [RUNNER, WORKER]
