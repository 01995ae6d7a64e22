"""`ultravires lineage` over a small company: what somebody holds, since when, by whom, and what takes it back.

Calls follow the examples and references that tests/iam_change_cases.py names, the guardrail the page of
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import ultravires
from command_line import run
from conftest import Shared
from small_logs import RUNNER, approval, assume, at, call, session, write_lines
from test_iam_changes_entra import JON, MIRA, ON_CALL, OPS, ROLE, ROLE_HERE, ROLE_NOW, audit, changed, target
from ultravires.errors import NotKnown, UsageError
from ultravires.lineage.command import look_up
from ultravires.lineage.deciding import Decision
from ultravires.lineage.drawing import draw
from ultravires.lineage.lineage import Lineage
from ultravires.lineage.needed_grants import NeededGrant, needed_by_finding, needed_lines
from ultravires.lineage.of_approval import OfApproval
from ultravires.moments import parse_moment
from ultravires.runs.run import run_once
from ultravires.tracing.explain import explain
from ultravires.tracing.explain_drawing import drawn_lines as lines_of_finding
from ultravires.tracing.terminal import Terminal
from ultravires.tracing.trace import trace
from ultravires.tracing.trace_drawing import drawn_lines as lines_of_trace

ACCOUNT = "111122223333"
IAM = f"arn:aws:iam::{ACCOUNT}:"
BOSS, DEPLOY, BOUNDED, DENIED, READER, SENDER, HOSTILE, OPEN = (
    f"{IAM}role/{name}" for name in ("boss", "deploy", "bounded", "denied", "reader", "sender", "hostile", "open")
)
ALICE, BOB, TEAM, READ = f"{IAM}user/alice", f"{IAM}user/bob", f"{IAM}group/team", f"{IAM}policy/read"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
BUCKET = "arn:aws:s3:::acme-data"
SECOND = "2b3c4d5e-6f70-4182-93a4-b5c6d7e8f901"
HOSTILE_NAME = "x\x1b[2J\u202egone"
SCP = "p-denyec2x"


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allows(action: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def denies(action: str, resource: str = "*") -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource}


def changes() -> Iterator[dict[str, Any]]:
    """What the administrator does, a call a minute; of one role under a change that was approved."""
    boss, minute = session(BOSS, "ASIABOSS000000000001"), iter(range(1, 1000))

    def did(action: str, **parameters: Any) -> dict[str, Any]:
        n = next(minute)
        return call(f"e{n:02}", n, action, boss, requestParameters=parameters, responseElements=None)

    def inline(role: str, *statements: dict[str, Any], name: str = "own") -> dict[str, Any]:
        named = {"roleName": role.rpartition("/")[2], "policyName": name}
        return did("iam:PutRolePolicy", **named, policyDocument=policy(*statements))

    yield did("iam:CreatePolicy", policyName="read", policyDocument=policy(allows("s3:GetObject", f"{BUCKET}/*")))
    yield did("iam:CreateGroup", groupName="team")
    yield did("iam:AttachGroupPolicy", groupName="team", policyArn=READ)
    yield did("iam:AddUserToGroup", groupName="team", userName="alice")
    yield did("iam:AddUserToGroup", groupName="team", userName="bob")
    yield did("iam:AttachUserPolicy", userName="alice", policyArn=READ)
    yield inline(BOUNDED, allows("*"))
    yield did("iam:PutRolePermissionsBoundary", roleName="bounded", permissionsBoundary=READ)
    yield inline(DENIED, allows("s3:*"), denies("s3:DeleteBucket"))
    yield inline(SENDER, allows("sqs:SendMessage", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}))
    yield inline(HOSTILE, allows("s3:ListAllMyBuckets"), name=HOSTILE_NAME)
    statement = {"Effect": "Allow", "Principal": {"AWS": READER}, "Action": "s3:GetObject", "Resource": f"{BUCKET}/*"}
    yield did("s3:PutBucketPolicy", bucketName="acme-data", bucketPolicy={"Statement": [statement]})
    made = {"policy": {"policySummary": {"id": SCP, "type": "SERVICE_CONTROL_POLICY"}}}
    content = {"name": "no-ec2", "type": "SERVICE_CONTROL_POLICY", "content": policy(denies("ec2:*"))}
    yield did("organizations:CreatePolicy", **content) | {"responseElements": made}
    yield did("organizations:AttachPolicy", policyId=SCP, targetId=ACCOUNT)


def under_the_change() -> list[dict[str, Any]]:
    """A role is taken under CHG-7, given everything, used, and loses it again."""
    boss = session(BOSS, "ASIABOSS000000000001", source_identity="CHG-7")
    taken = session(DEPLOY, "ASIADEPLOY0000000001")
    attached = {"roleName": "deploy", "policyArn": ADMIN}
    return [
        call("give", 100, "iam:AttachRolePolicy", boss, requestParameters=attached),
        assume("take", 110, session(RUNNER, "ASIARUNNER0000000001"), "ASIADEPLOY0000000001", roleArn=DEPLOY),
        call("use", 120, "secretsmanager:GetSecretValue", taken, requestParameters={"secretId": "db"}),
        call("end", 300, "iam:DetachRolePolicy", boss, requestParameters=attached),
        call("again", 400, "iam:AttachRolePolicy", session(OPEN, "ASIAOPEN000000000001"), requestParameters=attached),
        call("last", 500, "sts:GetCallerIdentity", session(RUNNER, "ASIARUNNER0000000001")),
    ]


def in_groups_of_groups() -> Iterator[dict[str, Any]]:
    """Two people in two groups, both of them in a third, which has a role of the directory."""
    joins = [(MIRA, ON_CALL), (ON_CALL, OPS), (MIRA, SECOND), (SECOND, OPS), (JON, OPS)]
    for place, (member, group) in enumerate(joins):
        kind = "User" if member in (MIRA, JON) else "Group"
        yield audit(
            "Add member to group", target(kind, member, *changed(Group__ObjectID=group)), target("Group", group)
        ) | {
            "id": f"Directory_{place}",
            "activityDateTime": at(20 + place),
        }
    given = audit("Add member to role", target("Group", OPS, *ROLE_NOW), target("Role", ROLE_HERE))
    yield given | {"id": "Directory_role", "activityDateTime": at(30)}


def build(folder: Path) -> None:
    logs = folder / "logs"
    write_lines(logs / "cloudtrail" / "calls.jsonl", [*changes(), *under_the_change()])
    granted = [
        approval("CHG-7", 90, subject=BOSS, actions=["iam:AttachRolePolicy", "iam:DetachRolePolicy"], roles=[]),
        approval("APR-1", 0, subject=ALICE, actions=["s3:Get*"], roles=[], valid_until=at(5000)),
        approval("APR-2", 0, subject=BOB, actions=["sqs:*"], roles=[], ticket=SENDER),
    ]
    write_lines(logs / "entra" / "audit.jsonl", list(in_groups_of_groups()))
    write_lines(logs / "approvals" / "approvals.jsonl", granted)
    run_once(logs, folder / "home", config=None, as_of="")


@pytest.fixture(scope="module")
def home(shared: Shared) -> Path:
    return shared("lineage", build) / "home"


@pytest.fixture
def con(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with ultravires.open(home) as opened:
        yield opened


def held(con: duckdb.DuckDBPyConnection, asked: str, minutes: float | None = None) -> Lineage:
    moment = None if minutes is None else parse_moment(at(minutes), "--at")
    found = look_up(con, asked, action=None, resource=None, at=moment)
    assert isinstance(found, Lineage)
    return found


def decided(
    con: duckdb.DuckDBPyConnection, asked: str, action: str, resource: str | None = None, minutes: float | None = None
) -> Decision:
    moment = None if minutes is None else parse_moment(at(minutes), "--at")
    found = look_up(con, asked, action=action, resource=resource, at=moment)
    assert isinstance(found, Lineage) and found.decision is not None
    return found.decision


def drawn(found: Lineage | OfApproval) -> str:
    text = io.StringIO()
    draw(found, Terminal(file=text, width=200, force_terminal=True, color_system=None))
    return text.getvalue()


def proposed(found: Decision) -> list[tuple[str, int | None]]:
    return [(each.sentence, each.n_others) for each in found.proposed]


def test_each_path_says_since_when_and_by_whom(con: duckdb.DuckDBPyConnection) -> None:
    """Alice has the policy through her group and by herself; the last event that was needed brought each about."""
    paths = {tuple(each.path): each for each in held(con, ALICE).held}
    assert set(paths) == {(TEAM, READ), (READ,)}
    by_group = paths[TEAM, READ]
    assert by_group.cause is not None
    assert (by_group.cause.native_id, by_group.cause.action, by_group.cause_actor_uid) == (
        "e04", "iam:AddUserToGroup", BOSS,
    )  # fmt: skip
    assert (by_group.since, by_group.approval_uid) == (parse_moment(at(4), ""), None)
    assert by_group.cause.path is not None and by_group.cause.path.endswith("calls.jsonl")
    assert by_group.cause.record_no is not None


def test_the_first_line_says_how_much_and_how_much_is_approved(con: duckdb.DuckDBPyConnection) -> None:
    """Of Alice all, of the role that has everything nothing."""
    assert drawn(held(con, ALICE)).splitlines()[1] == (
        "2 statements by 2 paths; no power over permissions; approvals cover 2 of 2"
    )
    line = drawn(held(con, DEPLOY, 200)).splitlines()[1]
    assert line == "1 statement by 1 path; admin since 2026-10-05 09:40:00; approvals cover 0 of 1"


@pytest.mark.parametrize(("minutes", "n"), [(99, 0), (100, 1), (299, 1), (300, 0), (399, 0), (401, 1)])
def test_what_was_held_then(minutes: float, n: int, con: duckdb.DuckDBPyConnection) -> None:
    """Before it was given, while it was, after it was taken, and again."""
    assert held(con, DEPLOY, minutes).n_statements == n


@pytest.mark.parametrize("name", ["deploy", "DEPLOY", DEPLOY, DEPLOY.upper()])
def test_a_name_is_found_whole_or_by_its_end_in_any_case(name: str, con: duckdb.DuckDBPyConnection) -> None:
    assert held(con, name).who.identity_id == DEPLOY


def test_the_smallest_change_is_one_and_says_who_else_loses(con: duckdb.DuckDBPyConnection) -> None:
    """Alice's two ways meet in the document only; Bob reads by it too."""
    found = decided(con, ALICE, "s3:GetObject", f"{BUCKET}/x")
    assert (found.result, found.reason) == ("allow", "allowed by identity policy")
    assert proposed(found) == [(f"take s3:GetObject out of the document of {READ}", 1)]
    assert {tuple(each.entitlement.path) for each in found.decided_by} == {(TEAM, READ), (READ,)}
    assert found.revocation is not None and found.revocation.result == "deny"


def test_who_has_one_way_leaves_it(con: duckdb.DuckDBPyConnection) -> None:
    """Bob leaves the group, by which nobody else loses."""
    assert proposed(decided(con, BOB, "s3:GetObject")) == [(f"take {BOB} out of {TEAM}", 0)]


def test_what_is_asked_without_a_resource_is_answered_by_pattern(con: duckdb.DuckDBPyConnection) -> None:
    """And what nothing speaks of is denied."""
    found = decided(con, BOB, "s3:GetObject")
    assert (found.result, found.on_resources) == ("allow", [f"{BUCKET}/*"])
    found = decided(con, BOB, "s3:PutObject")
    assert (found.result, found.reason, found.proposed) == ("deny", "no statement allows", [])


@pytest.mark.parametrize(
    ("question", "result", "reason"),
    [
        ((BOUNDED, "iam:CreateUser", f"{IAM}user/x"), "deny", "boundary does not allow"),
        ((BOUNDED, "s3:GetObject", f"{BUCKET}/x"), "allow", "allowed by identity policy"),
        ((DEPLOY, "ec2:RunInstances", f"arn:aws:ec2:eu-central-1:{ACCOUNT}:instance/*"), "deny", "explicit deny"),
        ((DEPLOY, "sqs:SendMessage", f"arn:aws:sqs:eu-central-1:{ACCOUNT}:q"), "allow", "allowed by identity policy"),
        ((DENIED, "s3:DeleteBucket", BUCKET), "deny", "explicit deny"),
        ((DENIED, "s3:GetObject", f"{BUCKET}/x"), "allow", "allowed by identity policy"),
        ((READER, "s3:GetObject", f"{BUCKET}/x"), "allow", "allowed by resource policy"),
        ((READER, "s3:GetObject", "arn:aws:s3:::other/x"), "deny", "no statement allows"),
        ((SENDER, "sqs:SendMessage", f"arn:aws:sqs:eu-central-1:{ACCOUNT}:q"), "unknown", "not known to be allowed"),
    ],
)  # fmt: skip
def test_the_answer_has_its_reason(
    question: tuple[str, str, str], result: str, reason: str, con: duckdb.DuckDBPyConnection
) -> None:
    """A boundary, a guardrail of the account, a deny, a bucket's own policy, a condition that no log decides."""
    found = decided(con, *question)
    assert (found.result, found.reason) == (result, reason)
    assert bool(found.proposed) == (result != "deny")


def test_groups_in_groups_are_left_where_the_ways_meet(con: duckdb.DuckDBPyConnection) -> None:
    """What the role allows is not known: it may, by two ways, and one change ends both; what another loses is said."""
    found = decided(con, MIRA, "entra:Add user")
    assert found.result == "unknown"
    ways = {tuple(each.entitlement.path) for each in found.decided_by}
    assert ways == {(ON_CALL, OPS, ROLE), (SECOND, OPS, ROLE)}
    assert proposed(found) == [(f"detach {ROLE} from {OPS} at /", 1)]
    assert "1 of what it holds could not be read" not in drawn(held(con, MIRA))
    assert "nothing is known that it may do, 2 of what it holds could not be read" in drawn(held(con, MIRA))


def test_the_policy_of_a_bucket_is_what_is_changed(con: duckdb.DuckDBPyConnection) -> None:
    """Where it allows."""
    found = decided(con, READER, "s3:GetObject", f"{BUCKET}/x")
    assert proposed(found) == [(f"take {READER} out of what allows s3:GetObject in the policy of {BUCKET}", 0)]
    assert found.assumed_account is None


def test_where_a_bucket_lies_is_said_where_it_is_only_taken_to(con: duckdb.DuckDBPyConnection) -> None:
    found = look_up(con, DENIED, action="s3:GetObject", resource="arn:aws:s3:::elsewhere/x", at=None)
    assert isinstance(found, Lineage) and found.decision is not None
    assert found.decision.assumed_account == ACCOUNT
    assert f"taken to lie in account {ACCOUNT}" in drawn(found)


def test_limits_stand_apart(con: duckdb.DuckDBPyConnection) -> None:
    """The boundary of the role, and the guardrail of its account."""
    assert {tuple(each.path) for each in held(con, BOUNDED).limits} == {(READ,), (SCP,)}
    text = drawn(held(con, BOUNDED))
    assert "admin since 2026-10-05 08:07:00 within a boundary" in text
    assert text.index("Holds") < text.index("Limited by") < text.index(SCP)


def test_what_an_approval_led_to(con: duckdb.DuckDBPyConnection) -> None:
    """By its id: one right, for a time; what was given without it is not among them."""
    found = look_up(con, "CHG-7", action=None, resource=None, at=None)
    assert isinstance(found, OfApproval)
    assert [(each.entitlement.holder_uid, each.entitlement.path, each.is_held) for each in found.led] == [
        (DEPLOY, [ADMIN], False)
    ]
    led = found.led[0]
    assert led.cause is not None and led.end is not None
    assert (led.cause.native_id, led.end.native_id) == ("give", "end")
    assert "led to 1 statement for 1 holder by 1 event; 0 still held" in drawn(found)
    then = look_up(con, "CHG-7", action=None, resource=None, at=parse_moment(at(200), ""))
    assert isinstance(then, OfApproval) and then.n_held == 1


def test_an_approval_that_led_to_nothing_says_so(con: duckdb.DuckDBPyConnection) -> None:
    """And it is asked nothing that only somebody does."""
    found = look_up(con, "APR-1", action=None, resource=None, at=None)
    assert isinstance(found, OfApproval) and "no grant was made under it" in drawn(found)
    with pytest.raises(UsageError, match="ask for ACTION of an identity"):
        look_up(con, "APR-1", action="s3:GetObject", resource=None, at=None)


def test_a_name_that_an_approval_has_too_says_so(con: duckdb.DuckDBPyConnection) -> None:
    """A ticket that somebody called like an identity hides neither."""
    found = look_up(con, SENDER, action=None, resource=None, at=None)
    assert isinstance(found, Lineage) and found.namesake == "approval:APR-2"
    assert "an approval has this name too: ultravires lineage approval:APR-2" in drawn(found)
    assert isinstance(look_up(con, "approval:APR-2", action=None, resource=None, at=None), OfApproval)
    assert held(con, ALICE).namesake is None


def test_an_unknown_name_is_one_line_with_near_ones(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(NotKnown, match=f"'depoly'; near are: {DEPLOY}"):
        held(con, "depoly")
    with pytest.raises(UsageError, match="IDENTITY is empty"):
        held(con, " ")


def test_a_trace_says_which_grant_its_acts_needed(con: duckdb.DuckDBPyConnection) -> None:
    """The secret was read by what CHG-7 gave; what was not needed is not told."""
    lines = [line.plain for line in lines_of_trace(trace(con, "ASIADEPLOY0000000001"))]
    start = lines.index("\nNeeded the grant")
    assert f"by {BOSS}, iam:AttachRolePolicy" in lines[start + 1]
    assert lines[start + 1].endswith(f"* to {DEPLOY}, under CHG-7, for 1 act here")
    assert not trace(con, "APR-1").needed


def test_an_explanation_says_which_grant_its_drift_came_from(con: duckdb.DuckDBPyConnection) -> None:
    """Of a finding about what was given; the event that gave it, and under what."""
    drift = con.execute(
        "select drift_id, identity_id, cause_event_id from drift where cause_event_id is not null and identity_id = ?",
        [DEPLOY],
    ).fetchall()
    assert drift
    finding = {"subject_uid": drift[0][0], "identity_id": DEPLOY, "evidence_event_ids": []}
    (needed,) = needed_by_finding(con, finding)
    assert needed.event_id == drift[0][2]
    assert needed_lines([needed])[0].plain == "\nNeeded the grant"
    assert needed_by_finding(con, {"subject_uid": "x", "identity_id": "y", "evidence_event_ids": []}) == []


def test_of_many_grants_a_few_are_shown_and_names_are_written_out() -> None:
    """Five lines, how many more there are, and nothing that steers a terminal."""
    grant = NeededGrant("e", f"r{HOSTILE_NAME}", [HOSTILE_NAME, "b"], [], None, HOSTILE_NAME, None, 2, None)
    lines = [line.plain for line in needed_lines([grant] * 7)]
    assert (len(lines), lines[0]) == (7, "\nNeeded the grants")
    assert "and 2 more" in lines[-1] and not any("\x1b" in line or "\u202e" in line for line in lines)
    assert lines[1].endswith("under no approval that names the change, for 2 acts here")
    assert needed_lines([]) == []


def test_explanations_are_drawn_with_it(con: duckdb.DuckDBPyConnection) -> None:
    """Every finding of this home has one, and those that no drift is behind say nothing of grants."""
    for (finding_id,) in con.execute("select finding_id from findings").fetchall():
        found = explain(con, finding_id)
        has_block = any("Needed the grant" in line.plain for line in lines_of_finding(found))
        assert has_block == bool(found.needed)


def test_names_of_logs_steer_no_terminal(home: Path, con: duckdb.DuckDBPyConnection) -> None:
    """They are written out; JSON has them whole."""
    text = drawn(held(con, HOSTILE))
    assert "\x1b[2J" not in text and "\u202e" not in text and "x\\x1b[2J\\u202egone" in text
    printed = run("lineage", HOSTILE, "s3:ListAllMyBuckets", "--home", home).stdout
    assert "\x1b[2J" not in printed and "\u202e" not in printed


def test_json_is_whole_and_the_same_again(home: Path) -> None:
    """Every row with its file and record; twice the same."""
    arguments = ("lineage", "alice", "s3:GetObject", "--home", home, "--json")
    first, second = run(*arguments), run(*arguments)
    assert first.returncode == 0 and first.stdout == second.stdout
    found = json.loads(first.stdout)
    assert found["kind"] == "identity" and found["who"]["identity_id"] == ALICE
    assert found["held"][0]["cause"]["record_no"] is not None
    assert found["held"][0]["statements"][0]["entitlement"]["action_pattern"] == "s3:GetObject"
    assert found["decision"]["proposed"][0]["change"]["kind"] == "edit_document"
    assert found["approved"][0]["approval_uid"] == "APR-1"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["alice"], 0),
        (["CHG-7"], 0),
        (["deploy", "--at", "2026-10-05"], 0),
        (["nobody-at-all"], 1),
        (["alice", "--at", "yesterday"], 2),
        (["alice", "--at", "2026-10-05T09:00:00"], 2),
        (["alice", ""], 2),
        (["CHG-7", "s3:GetObject"], 2),
    ],
)
def test_exit_codes(arguments: list[str], code: int, home: Path) -> None:
    """An answer, nothing known, a wrong question; what is wrong is one line."""
    found = run("lineage", *arguments, "--home", home)
    assert found.returncode == code
    assert (len(found.stderr.splitlines()), bool(found.stdout)) == ((0, True) if code == 0 else (1, False))
