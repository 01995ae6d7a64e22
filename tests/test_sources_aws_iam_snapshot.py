"""IAM as `aws iam get-account-authorization-details` exports it: what each record states, and what the whole does.

Shapes follow https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html and what the
command prints in https://docs.aws.amazon.com/cli/latest/reference/iam/get-account-authorization-details.html.
"""

import json
from pathlib import Path
from typing import Any

from source_samples import SAMPLES, quarantined, rows
from ultravires.sources.aws.changes import plain_arn

NAME = "aws_iam_snapshot"
ACCOUNT = "111122223333"
SAMPLE: dict[str, Any] = json.loads(SAMPLES[NAME])
USER, GROUP, ROLE = (SAMPLE[name][0] for name in ("UserDetailList", "GroupDetailList", "RoleDetailList"))
NOBODY = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}
READER = f"arn:aws:iam::{ACCOUNT}:role/Reader"
MIRA = f"arn:aws:iam::{ACCOUNT}:user/mira"
OF_IAM = "arn:aws:iam::"
Grant = dict[str, Any]


def read(folder: Path, *pages: dict[str, Any], indent: int | None = None) -> list[dict[str, Any]]:
    return rows(NAME, "\n".join(json.dumps(page, indent=indent) for page in pages).encode(), folder)


def grants(folder: Path, **lists: Any) -> list[Grant]:
    """What an export of one record states of it."""
    (row,) = [row for row in read(folder, {**NOBODY, **lists}) if row["action"] != "inventory:extent"]
    return list(row["detail"].get("grants", []))


def of(found: list[Grant], relation: str) -> list[tuple[str, str | None]]:
    return [(each["op"], each.get("held")) for each in found if each["relation"] == relation]


def extents(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in found if row["action"] == "inventory:extent"]


def test_nobody_acts_in_it(tmp_path: Path) -> None:
    """An export has no actor: who is listed has done nothing."""
    for row in rows(NAME, SAMPLES[NAME], tmp_path):
        assert (row["kind"], row["class_uid"], row["activity_id"]) == ("inventory", 5003, 2)
        assert (row["actor_uid"], row["credential_uid"], row["keys"]) == (None, None, [])
        assert row["account_uid"] == ACCOUNT


def test_one_record_states_everything_of_a_user(tmp_path: Path) -> None:
    found = grants(tmp_path, UserDetailList=[USER])
    assert of(found, "attached") == [("whole", None), ("add", f"{MIRA}#own-keys")]
    assert of(found, "member") == [
        ("whole", None),
        ("add", f"arn:aws:iam::{ACCOUNT}:group/admins"),
        ("add", MIRA),
    ]
    assert of(found, "boundary") == [("whole", None), ("add", f"arn:aws:iam::{ACCOUNT}:policy/limits")]
    assert {each.get("holder", MIRA) for each in found} == {MIRA, USER["Arn"]}
    assert {each["among"] for each in found if each["op"] == "whole"} == {OF_IAM}


def test_an_actor_has_what_its_name_without_a_path_has(tmp_path: Path) -> None:
    """CloudTrail's calls name users and roles without their path, and its actors with it."""
    for lists in ({"UserDetailList": [USER]}, {"RoleDetailList": [ROLE]}, {"GroupDetailList": [GROUP]}):
        (record,) = next(iter(lists.values()))
        found = [each for each in grants(tmp_path, **lists) if each.get("holder") == record["Arn"]]
        assert [(each["relation"], each["held"]) for each in found] == [("member", plain_arn(record["Arn"]))]
    plain = SAMPLE["UserDetailList"][1]
    assert of(grants(tmp_path, UserDetailList=[plain]), "member") == [("whole", None)]


def test_a_role_is_that_of_its_instance_profiles(tmp_path: Path) -> None:
    profile = {"InstanceProfileName": "web", "Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/team/web"}
    found = grants(tmp_path, RoleDetailList=[{**ROLE, "InstanceProfileList": [profile]}])
    members = [(each.get("holder"), each["held"]) for each in found if each["relation"] == "member"]
    assert members == [
        (ROLE["Arn"], READER),
        (None, READER),
        (f"arn:aws:iam::{ACCOUNT}:instance-profile/web", READER),
        (profile["Arn"], f"arn:aws:iam::{ACCOUNT}:instance-profile/web"),
    ]
    broken = grants(tmp_path, RoleDetailList=[{**ROLE, "InstanceProfileList": [7]}])
    assert [each["op"] for each in broken if each["relation"] == "member"] == ["add"]


def test_without_a_boundary_none_is_held(tmp_path: Path) -> None:
    user = {name: value for name, value in USER.items() if name != "PermissionsBoundary"}
    assert of(grants(tmp_path, UserDetailList=[user]), "boundary") == [("whole", None)]


def test_a_boundary_that_cannot_be_read_ends_none(tmp_path: Path) -> None:
    assert of(grants(tmp_path, UserDetailList=[{**USER, "PermissionsBoundary": {"x": 1}}]), "boundary") == []


def test_a_list_that_is_left_out_is_empty_and_one_that_is_broken_ends_nothing(tmp_path: Path) -> None:
    bare = {name: value for name, value in USER.items() if name not in ("UserPolicyList", "GroupList")}
    found = grants(tmp_path, UserDetailList=[bare])
    assert (of(found, "attached"), of(found, "member")) == ([("whole", None)], [("whole", None), ("add", MIRA)])
    for broken in ("x", [7], [{"PolicyName": 1}]):
        found = grants(tmp_path, UserDetailList=[{**USER, "UserPolicyList": broken, "GroupList": [7, "admins"]}])
        assert of(found, "attached") == []
        assert of(found, "member") == [("add", f"arn:aws:iam::{ACCOUNT}:group/admins"), ("add", MIRA)]


def test_a_group_is_named_as_its_members_name_it(tmp_path: Path) -> None:
    """A user lists names without paths, and so does CloudTrail."""
    found = grants(tmp_path, GroupDetailList=[GROUP])
    assert GROUP["Arn"] == f"arn:aws:iam::{ACCOUNT}:group/staff/admins"
    attached = [each for each in found if each["relation"] == "attached"]
    assert {each["holder"] for each in attached} == {f"arn:aws:iam::{ACCOUNT}:group/admins"}
    assert of(found, "attached") == [("whole", None), ("add", "arn:aws:iam::aws:policy/AdministratorAccess")]


def test_a_role_says_who_may_become_it(tmp_path: Path) -> None:
    found = grants(tmp_path, RoleDetailList=[ROLE])
    (trust,) = [each for each in found if each.get("kind") == "trust"]
    assert trust["held"] == READER
    assert trust["statements"][0]["principals"] == [f"AWS:arn:aws:iam::{ACCOUNT}:role/runner"]


def test_a_document_that_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    found = grants(
        tmp_path, RoleDetailList=[{**ROLE, "AssumeRolePolicyDocument": "%7Bx", "RolePolicyList": [{"PolicyName": "p"}]}]
    )
    assert [(each["held"], each["statements"]) for each in found if each["op"] == "write"] == [
        (f"{READER}#p", None),
        (READER, None),
    ]


def test_of_the_versions_of_a_policy_one_is_in_force(tmp_path: Path) -> None:
    policy = SAMPLE["Policies"][0]
    found = grants(tmp_path, UserDetailList=[], Policies=[policy])
    assert [(each["version"], each.get("in_force", True)) for each in found] == [("v2", True), ("v1", False)]
    unflagged = [
        {name: value for name, value in each.items() if name != "IsDefaultVersion"}
        for each in policy["PolicyVersionList"]
    ]
    found = grants(tmp_path, Policies=[{**policy, "PolicyVersionList": unflagged}])
    assert [(each["version"], each.get("in_force", True)) for each in found] == [("v2", True), ("v1", False)]
    found = grants(tmp_path, Policies=[{**policy, "DefaultVersionId": None, "PolicyVersionList": unflagged}])
    assert found == []


def test_a_role_inside_of_an_instance_profile_is_no_record(tmp_path: Path) -> None:
    inner = {
        name: ROLE[name] for name in ("RoleName", "RoleId", "Arn", "Path", "AssumeRolePolicyDocument", "CreateDate")
    }
    profile = {"InstanceProfileName": "p", "Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/p", "Roles": [inner]}
    found = read(tmp_path, {**NOBODY, "RoleDetailList": [{**ROLE, "InstanceProfileList": [profile]}]})
    assert [row["action"] for row in found] == ["inventory:role"]


def test_the_whole_account_is_stated_once_and_only_of_a_whole_export(tmp_path: Path) -> None:
    """What a filter left out must not end, and an export that breaks off holds not everything."""
    (extent,) = extents(read(tmp_path, SAMPLE))
    assert [(each["relation"], each["account"], each["among"]) for each in extent["detail"]["grants"]] == [
        ("attached", ACCOUNT, OF_IAM),
        ("member", ACCOUNT, OF_IAM),
        ("boundary", ACCOUNT, OF_IAM),
    ]
    for left_out in ("UserDetailList", "RoleDetailList", "GroupDetailList"):
        assert extents(read(tmp_path, {**SAMPLE, left_out: []})) == []
    other = {**USER, "Arn": "arn:aws:iam::444455556666:user/x"}
    assert extents(read(tmp_path, {**SAMPLE, "UserDetailList": [USER, other]})) == []
    assert extents(read(tmp_path, {**SAMPLE, "GroupDetailList": [GROUP, {"x": 1}]})) == []
    text = json.dumps(SAMPLE).encode()
    assert extents(rows(NAME, text[:-200], tmp_path)) == []


def test_without_groups_nobody_is_in_one(tmp_path: Path) -> None:
    users = [{**user, "GroupList": []} for user in SAMPLE["UserDetailList"]]
    assert len(extents(read(tmp_path, {**SAMPLE, "UserDetailList": users, "GroupDetailList": []}))) == 1


def test_pages_are_one_export(tmp_path: Path) -> None:
    """The pages of the API, one after the other; the account is whole when the last one is there."""
    first = {**NOBODY, "captured_at": SAMPLE["captured_at"], "UserDetailList": SAMPLE["UserDetailList"]}
    first |= {"IsTruncated": True, "Marker": "AAA"}
    last = {**SAMPLE, "UserDetailList": [], "IsTruncated": False}
    whole = read(tmp_path, SAMPLE)
    for indent in (None, 2):
        found = read(tmp_path, first, last, indent=indent)
        assert [row["event_id"] for row in found] == [row["event_id"] for row in whole]
    assert extents(read(tmp_path, first)) == []
    assert {row["detail"]["snapshot"] for row in whole} == {whole[0]["detail"]["snapshot"]}


def test_the_answer_of_the_sdk_has_an_http_date(tmp_path: Path) -> None:
    """It stands behind the records that it dates."""
    said = {name: value for name, value in SAMPLE.items() if name != "captured_at"}
    answer = {"HTTPStatusCode": 200, "HTTPHeaders": {"date": "Thu, 15 Oct 2026 06:00:01 GMT"}}
    found = read(tmp_path, {**said, "ResponseMetadata": answer})
    assert {(row["event_at"].isoformat(), row["detail"]["captured_by"]) for row in found} == {
        ("2026-10-15T06:00:01+00:00", "field")
    }


def test_without_a_time_the_newest_date_of_use_is_a_lower_bound(tmp_path: Path) -> None:
    said = {name: value for name, value in SAMPLE.items() if name != "captured_at"}
    found = read(tmp_path, said)
    assert {(row["event_at"].isoformat(), row["detail"]["captured_by"]) for row in found} == {
        ("2026-10-05T05:58:12+00:00", "lower_bound")
    }
    tagged = [{**user, "Tags": [{"Key": "until", "Value": "2030-01-01T00:00:00Z"}]} for user in said["UserDetailList"]]
    assert read(tmp_path, {**said, "UserDetailList": tagged})[0]["event_at"] == found[0]["event_at"]


def test_without_any_date_it_is_not_read_and_says_what_to_do(tmp_path: Path) -> None:
    group = {name: value for name, value in GROUP.items() if name != "CreateDate"}
    (refused,) = quarantined(NAME, json.dumps({**NOBODY, "GroupDetailList": [group]}).encode(), tmp_path)
    assert refused.reason.startswith("no time: ") and ".captured" in refused.reason
