"""Rights that change in a simulated company: each label names a change, its maker, its moment and its holder."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from simulated_worlds import Json, labels, lines, trail
from ultravires.simulator import write_world
from ultravires.simulator.aws_calls import resource_patterns
from ultravires.simulator.aws_rights import (
    RIGHTS,
    Change,
    attach,
    bound,
    join,
    new_policy,
    new_role,
    new_version,
    unbound,
)
from ultravires.simulator.cast import PROD, Role

TWINS = {
    "role_widened_in_three_steps": "role_widened_under_tickets",
    "user_joins_powerful_group": "user_joins_group_under_ticket",
    "boundary_removed": "boundary_narrowed",
    "role_widened_after_approval": "role_made_with_its_rights",
    "role_changed_on_the_day_of_its_approval": "role_changed_under_ticket_on_the_day",
    "rights_kept_after_approval": "rights_given_back",
}
"""What is wrong, and what looks like it and is right."""


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One company in twenty days."""
    out = tmp_path_factory.mktemp("company")
    write_world(out, days=20, seed=5)
    return out


def records(world: Path) -> dict[str, Json]:
    return {f"activity:{record['eventID']}": record for record in trail(world)}


def situation(world: Path, name: str) -> Json:
    return next(row for row in labels(world, "situations") if row["situation"] == name)


def acts(world: Path, name: str) -> list[Json]:
    """The records of IAM that a situation is about, in their order."""
    known = records(world)
    found = [known[node] for node in situation(world, name)["nodes"] if node in known]
    return sorted((r for r in found if r["eventSource"] == "iam.amazonaws.com"), key=lambda r: r["eventTime"])


@pytest.mark.parametrize(("wrong", "right"), TWINS.items())
def test_what_is_wrong_has_its_twin(company: Path, wrong: str, right: str) -> None:
    """The one is labelled with the rights that came of it, the other with none."""
    assert situation(company, wrong)["drift"] and not situation(company, wrong).get("is_benign")
    assert "drift" not in situation(company, right) and situation(company, right)["is_benign"]


@pytest.mark.parametrize("name", [name for name in TWINS if name != "rights_kept_after_approval"])
def test_a_label_has_maker_and_moment_of_its_change(company: Path, name: str) -> None:
    """As the record of the change has them; the change is among the nodes."""
    for drift in situation(company, name)["drift"]:
        record = records(company)[drift["cause"]]
        assert (record["userIdentity"]["arn"], record["eventTime"]) == (drift["actor"], drift["onset"])
        assert drift["cause"] in situation(company, name)["nodes"]
        asked = record["requestParameters"]
        assert drift["holder"].rpartition("/")[2] in (asked.get("roleName"), asked.get("userName"), "k8s-catalog")


def test_three_people_widen_one_role_over_weeks(company: Path) -> None:
    """By a version of a policy that it has, by an inline policy and by an attached one."""
    drift = situation(company, "role_widened_in_three_steps")["drift"]
    names = [records(company)[each["cause"]]["eventName"] for each in drift]
    assert names == ["CreatePolicyVersion", "PutRolePolicy", "AttachRolePolicy"]
    assert len({each["actor"] for each in drift}) == 3 and len({each["holder"] for each in drift}) == 1
    first, *_, last = [datetime.fromisoformat(each["onset"]) for each in drift]
    assert (last - first).days == 8
    attached = next(r for r in acts(company, "role_widened_in_three_steps") if r["eventName"] == "AttachRolePolicy")
    assert (
        attached["requestParameters"]["policyArn"]
        == records(company)[drift[0]["cause"]]["requestParameters"]["policyArn"]
    )


def test_the_role_of_a_widening_stands_in_an_approval_before_it(company: Path) -> None:
    """Which is given before and ends after."""
    for name in ("role_widened_in_three_steps", "boundary_removed", "role_changed_on_the_day_of_its_approval"):
        for drift in situation(company, name)["drift"]:
            naming = [line for line in lines(company, "approvals") if drift["holder"] in line["roles"]]
            held = [line for line in naming if (line["approved_at"] or "9") < drift["onset"] < line["valid_until"]]
            assert held, name


@pytest.mark.parametrize(
    "name", [name for name in TWINS.values() if name not in ("boundary_narrowed", "rights_given_back")]
)
def test_what_is_right_is_done_under_a_ticket_that_lists_it(company: Path, name: str) -> None:
    """The pipeline's approval, in force then, has each action and the things that it acts on."""
    done = [
        record
        for record in acts(company, name)
        if "access-deploy" in json.dumps(record) or "ci-access" in json.dumps(record)
    ]
    assert done
    named = {node.removeprefix("approval:") for node in situation(company, name)["nodes"]}
    given = [
        line for line in lines(company, "approvals") if line["approval_id"] in named and line["status"] == "approved"
    ]
    for record in done:
        action = f"iam:{record['eventName']}"
        assert any(
            action in line["actions"] and line["valid_from"] <= record["eventTime"] <= line["valid_until"]
            for line in given
        )


def test_a_boundary_is_taken_away_or_exchanged_for_a_narrower_one(company: Path) -> None:
    """The one role had more than its boundary let through; of the other the new boundary lies within the old."""
    *setup, taken = acts(company, "boundary_removed")
    assert taken["eventName"] == "DeleteRolePermissionsBoundary"
    assert [record["eventName"] for record in setup[:2]] == ["CreatePolicy", "PutRolePermissionsBoundary"]
    *_, exchanged = acts(company, "boundary_narrowed")
    assert exchanged["eventName"] == "PutRolePermissionsBoundary" and "narrow" in json.dumps(exchanged)


def test_a_right_is_given_back_before_its_approval_ends_or_after(company: Path) -> None:
    """The same agent, which gives back at once but for the one time; then it does so on the next day."""
    taken, given_back = acts(company, "rights_given_back")
    assert (taken["eventName"], given_back["eventName"]) == ("PutRolePolicy", "DeleteRolePolicy")
    (kept,) = situation(company, "rights_kept_after_approval")["drift"]
    (made,) = acts(company, "rights_kept_after_approval")
    ended = [r["eventTime"] for r in records(company).values() if r["eventName"] == "DeleteRolePolicy"]
    assert made["eventTime"] < kept["onset"] < min(at for at in ended if at > made["eventTime"])


@pytest.mark.parametrize(("name", "n_days"), [("forgotten_role_wakes", 97), ("role_of_the_month_acts", 31)])
def test_a_role_acts_so_long_after_its_last_use(company: Path, name: str, n_days: int) -> None:
    """As an export says that was taken days before; in no log does it act in between."""
    role = situation(company, name)["identity"]
    (exported,) = {
        (export["captured_at"], detail["RoleLastUsed"]["LastUsedDate"])
        for export in lines(company, "aws_iam_snapshot")
        for detail in export["RoleDetailList"]
        if detail["Arn"] == role
    }
    (acted,) = {r["eventTime"] for r in records(company).values() if role in json.dumps(r["userIdentity"])}
    exported_at, used_at, acted_at = map(datetime.fromisoformat, (*exported, acted))
    assert used_at < exported_at < acted_at and (acted_at - used_at).days == n_days


def test_a_lease_is_never_half_a_lease(company: Path) -> None:
    """Outside the one situation each right that the agent takes it gives back, refused or left out nothing of it."""
    own = [r for r in records(company).values() if "role/lease-reader" in json.dumps(r["userIdentity"])]
    names = [r["eventName"] for r in own if "errorCode" not in r]
    assert names.count("PutRolePolicy") == names.count("DeleteRolePolicy") + 1
    assert {r.get("errorCode") for r in own} <= {None, "ThrottlingException"}


def test_a_copy_of_the_agent_acts_on_its_own_role(tmp_path: Path) -> None:
    """In a larger world no agent gives back what another took."""
    write_world(tmp_path / "w", identities=110, seed=5)
    for record in records(tmp_path / "w").values():
        identity = json.dumps(record["userIdentity"])
        if record["eventName"] in ("PutRolePolicy", "DeleteRolePolicy") and "role/lease-reader" in identity:
            assert f'role/{record["requestParameters"]["roleName"]}"' in identity


ROLE = Role(PROD, "loader")
POLICY = f"arn:aws:iam::{PROD}:policy/base"


@pytest.mark.parametrize(
    ("change", "action", "asked", "patterns"),
    [
        (
            attach(ROLE, "policy/base"),
            "AttachRolePolicy",
            {"roleName": "loader", "policyArn": POLICY},
            [ROLE.arn, POLICY],
        ),
        (
            attach(ROLE, "aws:policy/SecurityAudit"),
            "AttachRolePolicy",
            {"roleName": "loader", "policyArn": "arn:aws:iam::aws:policy/SecurityAudit"},
            [ROLE.arn, "arn:aws:iam::aws:policy/SecurityAudit"],
        ),
        (
            bound(ROLE, "policy/base"),
            "PutRolePermissionsBoundary",
            {"roleName": "loader", "permissionsBoundary": POLICY},
            [ROLE.arn, POLICY],
        ),
        (unbound(ROLE), "DeleteRolePermissionsBoundary", {"roleName": "loader"}, [ROLE.arn]),
        (
            join("group/ops", "user/svc"),
            "AddUserToGroup",
            {"groupName": "ops", "userName": "svc"},
            [f"arn:aws:iam::{PROD}:group/ops", f"arn:aws:iam::{PROD}:user/svc"],
        ),
    ],
)
def test_a_change_asks_as_iam_is_asked(change: Change, action: str, asked: Json, patterns: list[str]) -> None:
    """With names and ARNs where IAM takes them, and approved by ARN."""
    assert change.call.action == f"iam:{action}"
    assert RIGHTS[change.call.action](PROD, change.call.target) | change.parameters == asked
    assert resource_patterns(PROD, change.call) == patterns


def test_what_is_made_is_answered(tmp_path: Path) -> None:
    """A policy with its ARN and version, a version that is in force, a role."""
    made = new_policy(PROD, "policy/base", ("s3:*",))
    assert made.answer and made.answer["policy"]["arn"] == POLICY and made.answer["policy"]["defaultVersionId"] == "v1"
    version = new_version("policy/base", "v2", ("s3:*",), ("sqs:*",))
    assert version.answer == {"policyVersion": {"versionId": "v2", "isDefaultVersion": True}}
    document = json.loads(version.parameters["policyDocument"])
    assert [statement["Action"] for statement in document["Statement"]] == [["s3:*"], ["sqs:*"]]
    assert new_role(ROLE).answer == {"role": {"arn": ROLE.arn, "roleName": "loader"}}
