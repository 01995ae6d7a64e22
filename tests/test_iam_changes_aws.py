"""What a call of AWS changes of who may do what, as CloudTrail's events say it."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from iam_change_cases import ACCOUNT, AWS_ADMIN, IAM, OF_IAM_AND_RESOURCES, REGION, TEXT, Case
from iam_change_cases_of_companies import OF_COMPANIES
from iam_change_cases_of_services import OF_SERVICES
from iam_change_cases_of_shares import OF_SHARES
from ocsf_copies import cloudtrail_as_ocsf
from source_samples import OPTIONS, as_lines, cloudtrail, only, replaced_at, rows, source, values_in
from ultravires.reading.events import Event, NotParsed
from ultravires.reading.grants import Relation, given
from ultravires.sources.aws import cloudtrail as cloudtrail_source
from ultravires.sources.aws.changes import plain_arn
from ultravires.sources.aws.iam_changes import CHANGES

Json = dict[str, Any]
SOURCE = source("aws_cloudtrail")
CASES = [*OF_IAM_AND_RESOURCES, *OF_SERVICES, *OF_COMPANIES, *OF_SHARES]
ODD: tuple[Any, ...] = (
    None,
    "",
    "*",
    "x",
    7,
    True,
    [],
    {},
    [None, 7, {}],
    {"items": 7},
    {"": {"": []}},
    ["arn:"],
    "\ud800",
)


def record_of(case: Case, **members: Any) -> Json:
    service, name = case.action.split(":")
    asked = {"requestParameters": case.request, "responseElements": case.response}
    called = {"eventSource": f"{service}.amazonaws.com", "eventName": name, "readOnly": False, "awsRegion": REGION}
    return cloudtrail(**{**called, **asked, **(case.members or {}), **members})


def event_of(record: Json) -> Event:
    (event,) = SOURCE.read(record, OPTIONS)
    return event


def grants_of(record: Json) -> list[Json]:
    found: list[Json] = event_of(record).detail.get("grants", [])
    return found


def named(case: Case) -> str:
    return f"{case.action}-{CASES.index(case)}"


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_call_says_what_it_changes(case: Case) -> None:
    """These grants, in this order, and no member where there are none."""
    event = event_of(record_of(case))
    assert event.action == case.action
    assert event.detail.get("grants", []) == case.grants
    assert ("grants" in event.detail) == bool(case.grants)


@pytest.mark.parametrize("error", ["AccessDenied", "NoSuchEntityException"])
def test_a_call_that_failed_changes_nothing(error: str) -> None:
    """Whatever its answer is."""
    for case in CASES:
        assert "grants" not in event_of(record_of(case, errorCode=error)).detail


def test_what_a_call_says_is_gathered_once_and_of_no_call_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly all records are of other calls: they cost one question of one set."""
    gathered: list[str] = []
    gather = cloudtrail_source._change

    def watched(record: Any, *place: Any) -> Any:
        gathered.append(record.eventName)
        return gather(record, *place)

    monkeypatch.setattr(cloudtrail_source, "_change", watched)
    event_of(cloudtrail())
    assert gathered == []
    event_of(cloudtrail(eventSource="iam.amazonaws.com", eventName="PutRolePolicy"))
    assert gathered == ["PutRolePolicy"]


def test_what_is_stored_is_what_was_said(tmp_path: Path) -> None:
    """The search for secrets leaves names, ids and policies as they are."""
    records = [record_of(case, eventID=f"event-{number}") for number, case in enumerate(CASES)]
    stored = rows("aws_cloudtrail", as_lines(records), tmp_path)
    assert [row["detail"].get("grants", []) for row in stored] == [case.grants for case in CASES]


def test_a_secret_in_a_condition_is_redacted(tmp_path: Path) -> None:
    """The token by which a skill of Alexa calls a function is asked for by the statement that lets it."""
    request = {"functionName": "f", "statementId": "s", "action": "lambda:InvokeFunction", "principal": "*"}
    case = Case("lambda:AddPermission", request | {"eventSourceToken": "amzn1.ask.skill.very-secret"}, None, [])
    row = only("aws_cloudtrail", record_of(case), tmp_path)
    (said,) = row["detail"]["grants"][0]["statements"]
    assert said["condition"]["StringEquals"]["lambda:EventSourceToken"].startswith("redacted:")
    assert "very-secret" not in json.dumps(row["detail"])


def test_each_operation_has_a_case_that_fires() -> None:
    """And none is of a call that the table does not have."""
    assert {case.action for case in CASES if case.grants} == set(CHANGES)


def test_another_call_has_no_grants() -> None:
    """Reading, and calls of the same service that give nobody anything."""
    for name in ("GetRolePolicy", "ListUsers", "CreateAccessKey", "UpdateUser", "DeletePolicyVersion", "TagRole"):
        request = {"userName": "alice", "roleName": "Reader", "newUserName": "bob", "versionId": "v1"}
        assert grants_of(record_of(Case(f"iam:{name}", request, None, []))) == []


def test_without_a_request_nothing_is_said_that_only_it_could_say() -> None:
    """It may be absent, null, text that is no object, or left out for its size."""
    by_answer = {case.action for case in CASES if case.response or case.members} | {
        "organizations:LeaveOrganization",
        "glue:PutResourcePolicy",
        "glue:DeleteResourcePolicy",
    }
    for case in CASES:
        for request in (None, "no object", {"omitted": True, "originalSize": 120_000}):
            grants = grants_of(record_of(case, requestParameters=request, responseElements=None))
            assert grants == [] or case.action in by_answer


def test_odd_content_never_costs_an_event_and_names_stay_names() -> None:
    """Each value of request and answer replaced by others."""
    for case in CASES:
        record = record_of(case)
        for part in (
            "requestParameters",
            "responseElements",
            "additionalEventData",
            "serviceEventDetails",
            "resources",
        ):
            for path, _ in list(values_in(record.get(part), ())):
                for odd in ODD:
                    grants = grants_of(replaced_at(record, (part, *path), odd))
                    assert all(is_sound(grant) for grant in grants), (case.action, path, odd)


def is_sound(grant: Json) -> bool:
    """Of the shared words, with names that are texts."""
    names = ("holder", "held", "scope", "binding", "version", "account")
    return (
        grant["op"] in {"add", "remove", "whole", "write", "choose"}
        and grant["relation"] in {*get_args(Relation), "document", "exists"}
        and all(type(grant[name]) is str and grant[name] for name in names if name in grant)
        and any(name in grant for name in names)
        and type(grant.get("statements")) in (list, type(None))
    )


def test_a_huge_request_is_read_within_bounds() -> None:
    """Thousands of accounts and parameters: what is looked at has an end."""
    accounts = [str(number).zfill(12) for number in range(50_000)]
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:news"
    request = {"topicArn": topic, "label": "x", "aWSAccountIds": accounts, "actionNames": ["Publish"]}
    (grant,) = grants_of(record_of(Case("sns:AddPermission", request, None, [])))
    assert len(grant["statements"][0]["principals"]) == 1_000
    many = {f"member{number}": number for number in range(50_000)}
    assert grants_of(record_of(Case("iam:AttachUserPolicy", many, None, []))) == []


def test_what_another_product_wrote_into_cloudtrail_lake_gives_nobody_anything() -> None:
    """Its event may name any service, and is of whoever may write to the channel."""
    case = Case("iam:AttachUserPolicy", {"userName": "alice", "policyArn": AWS_ADMIN}, None, [])
    wrapped = {"eventTime": "2026-10-05T10:00:00Z", "eventID": "1", "eventData": record_of(case)}
    wrapped |= {"eventVersion": "1.0", "eventCategory": "ActivityAuditLog", "recipientAccountId": ACCOUNT}
    event = event_of(wrapped)
    assert (event.action, event.outcome) == ("iam:AttachUserPolicy", "success")
    assert "grants" not in event.detail


def test_holders_are_named_as_the_actors_of_their_own_calls() -> None:
    """A user by its ARN; a role without a path as its session's ARN shows it, whoever issued the session."""
    attached = Case("iam:AttachRolePolicy", {"roleName": "Reader", "policyArn": AWS_ADMIN}, None, [])
    (grant,) = grants_of(record_of(attached))
    session = {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Reader/run-7", "accountId": ACCOUNT}
    assert grant["holder"] == event_of(cloudtrail(userIdentity=session)).actor_uid
    user = {"type": "IAMUser", "arn": f"{IAM}user/alice", "accountId": ACCOUNT, "userName": "alice"}
    (grant,) = grants_of(record_of(Case("iam:DeleteUser", {"userName": "alice"}, None, [])))
    assert grant["holder"] == event_of(cloudtrail(userIdentity=user)).actor_uid


def test_a_role_with_a_path_has_what_its_name_has() -> None:
    """Its sessions act by the ARN with the path: that one is a member of the other, which all later calls name."""
    full = f"{IAM}role/team/Reader"
    made = Case("iam:CreateRole", {"roleName": "Reader", "path": "/team/"}, {"role": {"arn": full}}, [])
    assert event_of(cloudtrail()).actor_uid == full
    assert given("member", full, f"{IAM}role/Reader") in grants_of(record_of(made))
    assert plain_arn(full) == f"{IAM}role/Reader"


@pytest.mark.parametrize(
    ("arn", "plain"),
    [
        (f"{IAM}role/Reader", f"{IAM}role/Reader"),
        (f"{IAM}user/a/b/c/alice", f"{IAM}user/alice"),
        ("arn:aws:s3:::data/in/a.csv", "arn:aws:s3:::data/in/a.csv"),
        (f"{IAM}policy/team/own", f"{IAM}policy/team/own"),
        ("nothing", "nothing"),
    ],
)
def test_only_users_roles_and_groups_lose_their_path(arn: str, plain: str) -> None:
    """A managed policy is always named with its own."""
    assert plain_arn(arn) == plain


@pytest.mark.parametrize(
    ("region", "partition"), [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_names_are_of_the_partition_of_the_call(region: str, partition: str) -> None:
    """IAM is one for all regions of a partition."""
    case = Case("iam:AttachUserPolicy", {"userName": "alice", "policyArn": AWS_ADMIN}, None, [])
    (grant,) = grants_of(record_of(case, awsRegion=region))
    assert grant["holder"] == f"arn:{partition}:iam::{ACCOUNT}:user/alice"


def test_without_an_account_nobody_is_named() -> None:
    """A name alone is of any account."""
    case = Case("iam:AttachUserPolicy", {"userName": "alice", "policyArn": AWS_ADMIN}, None, [])
    assert grants_of(record_of(case, recipientAccountId=None, userIdentity={"type": "IAMUser"})) == []


def test_an_ocsf_copy_says_the_same(tmp_path: Path) -> None:
    """Security Lake keeps request and answer as text in `api`."""
    request = {"roleName": "Reader", "policyName": "more", "policyDocument": TEXT}
    record = record_of(Case("iam:PutRolePolicy", request, None, []))
    copied = only("ocsf", cloudtrail_as_ocsf(record), tmp_path)
    assert copied["detail"]["grants"] == grants_of(record) != []


WITHOUT_GRANTS = {
    "ec2:CreateNetworkAclEntry": (3, "opens a network, and gives no identity anything"),
    "iam:PutPolicy": (1, "no operation of IAM: a made-up name in the test of a rule"),
    "iam:PutUserPolicy": (1, "the test of a rule without a request, so that no user is named"),
    "iam:CreateServiceLinkedRole": (2, "tests of rules without request and answer, so that no role is named"),
    "s3:PutBucketPolicy": (3, "tests of rules that name no bucket"),
    "kms:PutKeyPolicy": (1, "the test of a rule that names no key"),
    "secretsmanager:PutResourcePolicy": (1, "the test of a rule that names no secret"),
    "sso:CreateAccountAssignment": (1, "whoever published it masked the principal"),
}
"""Successful calls of others that write permissions and say no grants -> how many, and why."""
_WRITING = (
    "Polic",
    "Permission",
    "Boundary",
    "Grant",
    "Acl",
    "Assignment",
    "ToGroup",
    "FromGroup",
    "InstanceProfile",
    "LinkedRole",
)
_OF_HOLDERS = ("CreateUser", "CreateRole", "CreateGroup", "DeleteUser", "DeleteRole", "DeleteGroup")
_READING = ("Get", "List", "Describe", "Simulate")


def events_of_others(folder: Path) -> Iterator[Event]:
    """Those of the records that say their time."""
    for record in records_of_others(folder):
        try:
            yield from SOURCE.read(record, OPTIONS)
        except NotParsed as error:
            assert str(error) == "no time"


def records_of_others(folder: Path) -> Iterator[Json]:
    for path in sorted((folder / "stratus_cloudtrail").glob("*.json")):
        yield from json.loads(path.read_bytes())
    for name in ("traildiscover_cloudtrail.jsonl.gz", "panther_tests.jsonl.gz"):
        with gzip.open(folder / name) as lines:
            for line in map(json.loads, lines):
                if line.get("log_type", "AWS.CloudTrail") == "AWS.CloudTrail":
                    yield line["event"]


def test_of_real_calls_that_write_permissions_all_but_these_say_grants(third_party: Path) -> None:
    """Those that say none have a reason each, and all reasons are needed."""
    without, n_with = Counter[str](), 0
    for event in events_of_others(third_party):
        service, _, name = (event.action or "").partition(":")
        is_writing = any(word in name for word in _WRITING) or (service == "iam" and name in _OF_HOLDERS)
        n_with += "grants" in event.detail
        assert all(is_sound(grant) for grant in event.detail.get("grants", ()))
        if is_writing and not name.startswith(_READING) and event.outcome == "success":
            without[f"{service}:{name}"] += "grants" not in event.detail
    assert +without == {action: n for action, (n, _) in WITHOUT_GRANTS.items()}
    assert n_with >= 20
