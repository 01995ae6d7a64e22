"""The word by which a vendor grants what its log tells of: the packaged tables, and what records say."""

import csv
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ultravires
from small_logs import RUNNER, call, session, write_lines
from source_samples import SAMPLES, cloudtrail, expected_events, only, sample_file
from ultravires.build.reference import reference_tables
from ultravires.runs.run import run_once
from ultravires.settings import Settings
from ultravires.sources import action_words as words
from ultravires.sources.aws.cloudtrail_records import Call, call_of
from ultravires.sources.aws.role_passing import ROLE_PASSING, further_permissions, passed_roles

ROLE = "arn:aws:iam::111122223333:role/app"
GRANTED = {
    "lambda:UpdateFunctionCode20150331v2": "lambda:UpdateFunctionCode",
    "cloudfront:CreateDistribution2020_05_31": "cloudfront:CreateDistribution",
    "lambda:Invoke": "lambda:InvokeFunction",
    "monitoring:PutMetricAlarm": "cloudwatch:PutMetricAlarm",
    "email:SendEmail": "ses:SendEmail",
    "tagging:GetResources": "tag:GetResources",
    "s3:ListObjects": "s3:ListBucket",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:HeadObject": "s3:GetObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:DeleteBucketCors": "s3:PutBucketCORS",
    "s3:GetObject": "s3:GetObject",
    "apigateway:CreateRestApi": "apigateway:POST",
    "kms:ReEncrypt": "kms:ReEncryptFrom",
    "signin:ConsoleLogin": "signin:ConsoleLogin",
    "noservice:Anything": "noservice:Anything",
}
"""CloudTrail's word -> IAM's; what IAM does not know keeps its own."""
NOT_IN_IAM = {"discovery-marketplace:GetListingView", "signin:GetSigninToken"}
"""Of the calls that others recorded: a sign-in and a page of the console, which no policy grants."""


def known_to_iam() -> set[str]:
    return set(reference_tables(Settings(), [])["iam_actions"].column("permission").to_pylist())


def call_named(action: str) -> Call:
    service, name = action.split(":")
    return call_of(f"{service}.amazonaws.com", name, False)


def ask(home: Path, query: str) -> list[tuple[Any, ...]]:
    with ultravires.open(home) as con:
        return con.execute(query).fetchall()


@pytest.fixture(scope="module")
def granted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Action -> its word of a grant, after a run over a call of each."""
    folder = tmp_path_factory.mktemp("words")
    caller = session(RUNNER, "ASIARUNNER")
    write_lines(folder / "logs" / "trail.json", [call(f"e{n}", n, action, caller) for n, action in enumerate(GRANTED)])
    for name in ("azure_activity", "azure_key_vault", "azure_storage", "entra_audit", "gcp_audit", "kubernetes_audit"):
        (folder / "logs" / sample_file(name).name.replace("sample", name)).write_bytes(SAMPLES[name])
    run_once(folder / "logs", folder / "home", config=None, as_of="")
    return dict(
        ask(
            folder / "home",
            "select action, max(canonical_action) from chain_steps where node_kind = 'activity' group by action",
        )
    )


@pytest.mark.parametrize("action", GRANTED)
def test_how_iam_calls_it(granted: dict[str, str], action: str) -> None:
    """The service, the operation and the version of the API are IAM's, whatever CloudTrail writes."""
    assert granted[action] == GRANTED[action]


@pytest.mark.parametrize(
    ("action", "word"),
    [
        ("azure:microsoft.authorization/roleassignments/write", "microsoft.authorization/roleassignments/write"),
        ("azure-keyvault:SecretGet", "Microsoft.KeyVault/vaults/secrets/getSecret/action"),
        ("azure-storage:GetBlob", "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"),
        (
            "entra:Update application \N{EN DASH} Certificates and secrets management",
            "microsoft.directory/applications/credentials/update",
        ),
        ("iam.googleapis.com:google.iam.admin.v1.CreateServiceAccountKey", "iam.serviceAccountKeys.create"),
        ("compute.googleapis.com:v1.compute.instances.insert", "compute.instances.create"),
        ("iamcredentials.googleapis.com:GenerateAccessToken", "iam.serviceAccounts.getAccessToken"),
        ("k8s:pods/exec:create", "create pods/exec"),
        ("k8s:clusterrolebindings:create", "create clusterrolebindings"),
    ],
)
def test_how_other_systems_call_it(granted: dict[str, str], action: str, word: str) -> None:
    """Azure's roles, Google's permissions and Kubernetes' verbs are words of a grant, too."""
    assert granted[action] == word


def test_the_tables_are_whole() -> None:
    """Each word once, with a page of its vendor; of AWS every permission is one that IAM knows, and no word is one."""
    known = {permission.lower() for permission in known_to_iam()}
    services = {permission.partition(":")[0] for permission in known}
    with (Path(words.__file__).parent / "action_words.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["log_word"].lower() for row in rows}) == len(rows) > 400
    assert all(row["source"].startswith("https://") for row in rows)
    assert set(words.iam_services().values()) <= services
    of_aws = [word for word in words.action_words() if "aws.amazon.com" in word.source]
    assert [p for word in of_aws for p in word.permissions if p.lower() not in known] == []
    assert [word.log_word for word in of_aws if word.log_word.lower() in known] == []


def test_no_action_of_iam_ends_like_a_version() -> None:
    """What is cut off as the version of an API is part of no name in IAM."""
    version = re.compile(r"([0-9]{8}(v[0-9]+)?|[0-9]{4}_[0-9]{2}_[0-9]{2})$")
    assert [action for action in known_to_iam() if version.search(action)] == []


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_shapes_fit_actions_of_their_own_log(name: str) -> None:
    """The shapes of one log's actions are those of no other log."""
    for event in expected_events(name):
        fitting = [shape for shape in words.action_shapes() if re.search(shape.shape, event.get("action") or "")]
        assert not fitting or name in ("azure_activity", "gcp_audit", "kubernetes_audit", "ocsf"), event["action"]


@pytest.mark.parametrize(
    ("action", "request_parameters"),
    [
        ("lambda:CreateFunction20150331", {"functionName": "f", "role": ROLE}),
        ("ec2:RunInstances", {"iamInstanceProfile": {"name": "web"}}),
        ("ec2:RunInstances", {"iamInstanceProfile": {"arn": "arn:aws:iam::111122223333:instance-profile/web"}}),
        ("ecs:RegisterTaskDefinition", {"family": "f", "taskRoleArn": ROLE}),
        ("ecs:RunTask", {"overrides": {"executionRoleArn": ROLE}}),
        ("cloudformation:CreateStack", {"roleARN": ROLE}),
        ("codebuild:CreateProject", {"serviceRole": ROLE}),
        ("events:PutTargets", {"targets": [{"id": "1", "roleArn": ROLE}]}),
        ("glue:CreateJob", {"role": "app"}),
        ("iam:AddRoleToInstanceProfile", {"roleName": "app", "instanceProfileName": "web"}),
        ("rolesanywhere:CreateProfile", {"roleArns": [ROLE]}),
        ("ssm:StartAutomationExecution", {"parameters": {"AutomationAssumeRole": [ROLE]}}),
        ("bedrock-agentcore:CreateCodeInterpreter", {"executionRoleArn": ROLE}),
    ],
)
def test_calls_that_pass_a_role(action: str, request_parameters: Any) -> None:
    """The role is found wherever the call names it."""
    assert further_permissions(call_named(action), request_parameters, False) == [ROLE_PASSING]
    assert further_permissions(call_named(action), request_parameters, True) == []


@pytest.mark.parametrize(
    ("action", "request_parameters"),
    [
        ("sts:AssumeRole", {"roleArn": ROLE, "roleSessionName": "s"}),
        ("cognito-identity:GetCredentialsForIdentity", {"customRoleArn": ROLE}),
        ("iam:AttachRolePolicy", {"roleName": "app", "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
        ("iam:UpdateAssumeRolePolicy", {"roleName": "app", "policyDocument": json.dumps({"Principal": ROLE})}),
        ("eks:CreateAccessEntry", {"principalArn": ROLE}),
        ("lambda:AddPermission20150331v2", {"principal": ROLE}),
        ("lambda:UpdateFunctionCode20150331v2", {"functionName": "f"}),
        ("ec2:RunInstances", {"instanceType": "t3.micro", "iamInstanceProfile": {}}),
        ("ec2:RunInstances", {"tags": {"role": "web"}}),
        ("ec2:RunInstances", "iamInstanceProfile"),
    ],
)
def test_calls_that_pass_no_role(action: str, request_parameters: Any) -> None:
    """Taking a role, speaking of one and naming something after one pass none."""
    assert further_permissions(call_named(action), request_parameters, False) == []


def test_a_deep_request_ends() -> None:
    """Whoever writes a request cannot make the search for a role endless."""
    request: Any = {"roleArn": ROLE}
    for _ in range(500):
        request = {"a": [request]}
    assert further_permissions(call_named("ec2:RunInstances"), request, False) == []


def test_the_record_of_a_passed_role_says_so(tmp_path: Path) -> None:
    """A refused call passes it as well as one that succeeded."""
    record = cloudtrail(
        eventSource="lambda.amazonaws.com",
        eventName="CreateFunction20150331",
        readOnly=False,
        errorCode="AccessDenied",
        requestParameters={"functionName": "f", "role": ROLE},
    )
    detail = only("aws_cloudtrail", record, tmp_path)["detail"]
    assert (detail["further_permissions"], detail["passed_roles"]) == ([ROLE_PASSING], [ROLE])


@pytest.mark.parametrize(
    ("request_parameters", "roles"),
    [
        ({"functionName": "f", "role": ROLE}, [ROLE]),
        ({"overrides": {"taskRoleArn": ROLE, "executionRoleArn": f"{ROLE}2"}}, [ROLE, f"{ROLE}2"]),
        ({"roles": [ROLE, {"name": ROLE}], "description": f"{ROLE}9"}, [ROLE]),
        ({"iamInstanceProfile": {"arn": "arn:aws:iam::1:instance-profile/p"}, "role": "by-name"}, []),
        ({"role": {"arn": None}, "roleArn": 7, "x": [[["deep"]]]}, []),
        ({f"role{n}": f"{ROLE}{n:03}" for n in range(300)}, [f"{ROLE}{n:03}" for n in range(1, 11)]),
        ("no request", []),
    ],
)
def test_the_roles_that_a_call_hands_over(request_parameters: Any, roles: list[str]) -> None:
    """Where the request names them by their ARN, a few of many."""
    assert passed_roles(request_parameters) == roles


def test_what_google_checked_is_the_word(tmp_path: Path) -> None:
    """What was checked on the resource itself comes first, and the rest is what the call needed beside."""
    record = json.loads(SAMPLES["gcp_audit"].splitlines()[5])
    name = record["protoPayload"]["resourceName"]
    record["protoPayload"]["authorizationInfo"] = [
        {"resource": "projects/p", "permission": "iam.serviceAccounts.actAs"},
        {"resource": name, "permission": "compute.instances.create"},
        {"resource": name, "permission": "compute.instances.create"},
        "no check",
    ]
    detail = only("gcp_audit", record, tmp_path)["detail"]
    assert detail["permission"] == "compute.instances.create"
    assert detail["further_permissions"] == ["iam.serviceAccounts.actAs"]


def recorded_calls(folder: Path) -> Iterator[dict[str, Any]]:
    """The single calls and attacks that others recorded, and which are CloudTrail's own records."""
    with gzip.open(folder / "traildiscover_cloudtrail.jsonl.gz", "rt", encoding="utf-8") as file:
        yield from (json.loads(line)["event"] for line in file)
    for path in sorted((folder / "stratus_cloudtrail").glob("*.json")):
        yield from json.loads(path.read_text(encoding="utf-8"))


def test_nearly_every_recorded_call_has_a_word_of_iam(third_party: Path, tmp_path: Path) -> None:
    """Of what others recorded only what no policy grants keeps its own word."""
    write_lines(tmp_path / "logs" / "trail.json", [e for e in recorded_calls(third_party) if "eventTime" in e])
    run_once(tmp_path / "logs", tmp_path / "home", config=None, as_of="")
    found = ask(
        tmp_path / "home",
        "select distinct action, canonical_action from chain_steps"
        " where node_kind = 'activity' and log = 'aws_cloudtrail'",
    )
    known = known_to_iam()
    assert len(found) > 250
    assert {action for action, word in found if word not in known} == NOT_IN_IAM
