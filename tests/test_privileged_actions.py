"""What is privileged: IAM's access levels, and the packaged table of what else gives power or takes evidence away."""

import csv
import fnmatch
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import ultravires.build.reference
from source_samples import SAMPLES, expected_events
from ultravires.build.action_effects import ActionEffect, action_effects, power_of_privileged, privileged_actions
from ultravires.build.reference import reference_tables
from ultravires.settings import Settings
from ultravires.sources.action_words import action_words

PRIVILEGED = {
    "anthropic_audit": {"admin_api_key_created", "platform_api_key_created"},
    "azure_activity": {
        "microsoft.compute/virtualmachines/runcommand/action",
        "microsoft.storage/storageaccounts/listkeys/action",
        "microsoft.authorization/roleassignments/write",
        "microsoft.authorization/roleassignmentschedulerequests/write",
    },
    "azure_key_vault": {"SecretGet"},
    "entra_audit": {
        "Add app role assignment to service principal",
        "Add member to role completed (PIM activation)",
        "Add member to role request approved (PIM activation)",
        "Add member to role requested (PIM activation)",
        "Remove member from role (PIM activation expired)",
        "Update application \N{EN DASH} Certificates and secrets management",
    },
    "gcp_audit": {"GenerateAccessToken", "google.iam.admin.v1.CreateServiceAccountKey"},
    "github_audit": {"org.add_member", "personal_access_token.access_granted", "public_key.create"},
    "google_workspace_audit": {
        "admin.ASSIGN_ROLE",
        "admin.AUTHORIZE_API_CLIENT_ACCESS",
        "admin.REMOVE_API_CLIENT_ACCESS",
        "token.authorize",
    },
    "kubernetes_audit": {
        "clusterrolebindings:create",
        "pods/exec:create",
        "secrets:list",
        "serviceaccounts/token:create",
    },
    "m365_audit": {
        "Add member to role.",
        "Add-MailboxPermission",
        "Consent to application.",
        "Update application \N{EN DASH} Certificates and secrets management",
    },
    "msgraph_activity": {"POST /applications(appId='{id}')/addPassword"},
    "ocsf": {"system.api_token.create"},
    "okta_system": {"system.api_token.create"},
    "openai_audit": {"api_key.created", "role.assignment.created", "service_account.created"},
    "teleport_audit": {"join_token.create"},
    "vault_audit": {"approle.update", "kv.read", "sys/policies.update"},
}
"""Source -> what of its sample the table calls privileged; everything else there is work, reading or signing in."""


NOT_BY_ITSELF = {
    "bedrock-agentcore:InvokeCodeInterpreter": "runs code with the role that the interpreter was made with",
    "bedrock-agentcore:StartCodeInterpreterSession": "is how runs of agents begin",
    "cloudformation:CreateChangeSet": "prepares what ExecuteChangeSet does; a role that it hands over is passed",
    "cloudformation:CreateStack": "acts with its caller's own permissions; a role that it hands over is passed",
    "codebuild:CreateProject": "cannot be called without passing a role",
    "codebuild:StartBuild": "is how every build begins; the action does not tell of other commands",
    "codebuild:StartBuildBatch": "is how every build begins; the action does not tell of other commands",
    "datapipeline:ActivatePipeline": "starts what PutPipelineDefinition told the pipeline to do",
    "datapipeline:CreatePipeline": "makes a pipeline that does nothing yet",
    "apprunner:CreateService": "acts with the role that it passes, if any",
    "bedrock-agentcore:CreateCodeInterpreter": "acts with the role that it passes, if any",
    "ec2:DescribeInstances": "only reads",
    "ec2:RequestSpotInstances": "acts with the role that it passes, if any",
    "ec2:RunInstances": "acts with the role that it passes, if any",
    "ec2:StartInstances": "runs what ModifyInstanceAttribute left there",
    "ec2:StopInstances": "gives nothing",
    "ecs:CreateCluster": "is only the place of tasks",
    "ecs:CreateService": "runs a task definition, which was passed its role",
    "ecs:RegisterTaskDefinition": "acts with the role that it passes, if any",
    "ecs:RunTask": "runs a task definition; a role that it hands over is passed",
    "ecs:StartTask": "runs a task definition; a role that it hands over is passed",
    "glue:CreateDevEndpoint": "cannot be called without passing a role",
    "glue:CreateJob": "cannot be called without passing a role",
    "glue:CreateTrigger": "starts a job, which was passed its role",
    "glue:StartJobRun": "starts a job, which was passed its role",
    "iam:DeleteAccessKey": "takes power away; it makes room for a key, whose making is privileged",
    "lambda:CreateEventSourceMapping": "invokes a function, which was passed its role",
    "lambda:CreateFunction": "cannot be called without passing a role",
    "lambda:InvokeFunction": "is what functions are for; what runs was put there by another call",
    "sagemaker:CreateNotebookInstance": "cannot be called without passing a role",
    "sagemaker:CreateProcessingJob": "cannot be called without passing a role",
    "sagemaker:CreateTrainingJob": "cannot be called without passing a role",
    "sagemaker:StartNotebookInstance": "runs what the notebook's configuration says",
    "sagemaker:StopNotebookInstance": "gives nothing",
    "sagemaker:UpdateNotebookInstance": "runs what the lifecycle configuration says, whose making is privileged",
    "sts:AssumeRole": "is privileged where it issues the session of another subject, and not as an action",
}
"""Actions on known ways to more power that give none by themselves, and why."""


CALLS_WITHOUT_PERMISSION = {
    "apigateway:createapikey",
    "apigateway:createapi",
    "apigateway:createintegration",
    "apigateway:createroute",
    "apigateway:createstage",
    "sso:authenticate",
    "sso:createtoken",
    "signin:passwordupdated",
    "signin:passwordrecoverycompleted",
    "s3:deletebucketpublicaccessblock",
    "s3:putbucketlifecycle",
}
"""Calls that CloudTrail records and for which IAM has a permission of another name, or none."""


@cache
def patterns() -> tuple[tuple[re.Pattern[str], ActionEffect], ...]:
    """The privileged rows whose action is a pattern, with that as a regular expression."""
    rows = (row for row in action_effects() if row.is_privileged and "*" in row.action)
    return tuple((re.compile(fnmatch.translate(row.action.lower())), row) for row in rows)


@cache
def exact() -> dict[str, list[ActionEffect]]:
    """The other privileged rows, by their action in small letters."""
    found: dict[str, list[ActionEffect]] = {}
    for row in action_effects():
        if row.is_privileged and "*" not in row.action:
            found.setdefault(row.action.lower(), []).append(row)
    return found


@cache
def rows_for(action: str) -> tuple[ActionEffect, ...]:
    """Rows of the packaged tables whose action or pattern fits the action, where that is privileged."""
    fitting = (row for pattern, row in patterns() if pattern.fullmatch(action.lower()))
    return (*exact().get(action.lower(), ()), *fitting)


def gives_a_secret(action: str) -> bool:
    return any(row.effect in ("reads_secret", "issues_credential") for row in rows_for(action))


@cache
def access_levels() -> dict[str, str]:
    table = reference_tables(Settings(), [])["iam_actions"]
    return dict(zip(table.column("permission").to_pylist(), table.column("access_level").to_pylist(), strict=True))


def is_privileged(action: str) -> bool:
    return bool(rows_for(action)) or access_levels().get(action) == "Permissions management"


def activities(name: str) -> list[dict[str, Any]]:
    return [event for event in expected_events(name) if event["kind"] == "activity" and event.get("action")]


def test_of_the_samples_these_actions_are_privileged() -> None:
    """Roles, policies, trust, new credentials, commands and secrets are; other work, reading and signing in are not."""
    found = {
        name: {event["action"].partition(":")[2] for event in activities(name) if rows_for(event["action"])}
        for name in SAMPLES
    }
    assert {name: actions for name, actions in found.items() if actions} == PRIVILEGED


def test_what_only_reads_is_privileged_where_it_reads_a_secret() -> None:
    """What its log itself calls a read stands in the table only as a secret or a token that is handed out."""
    reads = [e["action"] for name in SAMPLES for e in activities(name) if (e.get("detail") or {}).get("read_only")]
    privileged = [action for action in reads if rows_for(action)]
    assert len(reads) > 10 and privileged
    assert [action for action in privileged if not gives_a_secret(action)] == []


def test_what_iam_calls_a_read_is_privileged_where_it_reads_a_secret() -> None:
    """Neither IAM's level nor the table makes a read of AWS privileged that hands out no secret."""
    reads = [action for action, level in access_levels().items() if level in ("Read", "List")]
    assert len(reads) > 5_000
    assert [action for action in reads if rows_for(action) and not gives_a_secret(action)] == []


def test_every_pattern_is_in_the_words_of_a_log_or_of_a_grant() -> None:
    """An action begins as a source's actions do or is a permission."""
    words = {event["action"].partition(":")[0] for name in SAMPLES for event in activities(name)}
    services = re.compile(r"(\*|[a-z0-9]+)\.googleapis\.com|k8s\.io")
    permissions = re.compile(r"(\*|[a-z]+)(\.[A-Za-z]+)+|impersonate \*")
    of_aws = [action.lower() for action in access_levels()]
    logged = {word.log_word.lower() for word in action_words()}

    def is_known(row: ActionEffect) -> bool:
        if row.system == "aws":
            name = row.action.lower()
            return name in logged or name in CALLS_WITHOUT_PERMISSION or bool(fnmatch.filter(of_aws, name))
        word = row.action.partition(":")[0]
        if row.system == "tools":
            return word in ("cli", "mcp", "sql")
        return word in words or bool(services.fullmatch(word) or permissions.fullmatch(row.action))

    assert [row.action for row in action_effects() if not is_known(row)] == []
    assert len(privileged_actions()) > 600


@pytest.mark.parametrize(
    "action",
    [
        "iam:AddUserToGroup",
        "iam:UpdateLoginProfile",
        "iam:CreateLoginProfile",
        "iam:CreateUser",
        "iam:PassRole",
        "iam:AttachUserPolicy",
        "cloudtrail:StopLogging",
        "ssm:SendCommand",
        "lambda:UpdateFunctionCode",
        "guardduty:DeleteDetector",
    ],
)
def test_classic_escalations_are_privileged(action: str) -> None:
    """Power over identities, commands on machines and the end of a trail are."""
    assert is_privileged(action)


def test_every_known_way_to_more_power_is_privileged(third_party: Path) -> None:
    """Of each path that others published every action is privileged or gives nothing by itself, and nearly all paths
    hold one that is; the rest run code where another call put it.
    """
    paths = json.loads((third_party / "aws_escalation_paths.json").read_text(encoding="utf-8"))
    needed = {path["id"]: {p["permission"] for p in path["permissions"]["required"]} for path in paths}
    every = set().union(*needed.values())
    assert len(paths) > 60
    assert {action for action in every if not is_privileged(action)} <= set(NOT_BY_ITSELF)
    assert [action for action in NOT_BY_ITSELF if is_privileged(action)] == []
    without = {name for name, actions in needed.items() if not any(map(is_privileged, actions))}
    assert {action for name in without for action in needed[name]} <= {
        "bedrock-agentcore:InvokeCodeInterpreter",
        "bedrock-agentcore:StartCodeInterpreterSession",
        "codebuild:StartBuild",
        "codebuild:StartBuildBatch",
        "ecs:RegisterTaskDefinition",
        "ecs:StartTask",
        "sts:AssumeRole",
    }


def test_every_read_of_a_secret_is_in_the_words_of_a_log_we_read() -> None:
    """A pattern of secret_reads.csv begins as a source's actions do, or is a method of any Google service."""
    with ultravires.build.reference._SECRET_READS.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    words = {event["action"].partition(":")[0] for name in SAMPLES for event in activities(name)}
    of_aws = {row["action"] for row in found if row["system"] == "AWS"}
    known = {row[0] for row in ultravires.build.reference._iam_actions()}
    assert [a for a in of_aws if not any(fnmatch.fnmatch(one, a.lower()) for one in known)] == []
    strange = [r["action"] for r in found if r["system"] not in ("AWS", "Google Cloud")]
    assert [action for action in strange if action.partition(":")[0] not in words] == []
    assert all(row["gives"] for row in found) and len({row["action"].lower() for row in found}) == len(found)


def test_what_only_reads_gives_no_power_over_permissions() -> None:
    """A right to what AWS calls reading is one over data, whatever has to be approved for using it; of other systems'
    secrets only those are more with which one acts as another identity of that system.
    """
    reading = {p for p, _, level in ultravires.build.reference._iam_actions() if level in ("List", "Read")}
    powers = power_of_privileged()
    assert "ec2:GetPasswordData" in {action for action in powers if action.lower() in reading}
    assert {action for action, power in powers.items() if power != "data" and action.lower() in reading} == set()
    # It gives a session that may do no more than its caller.
    assert powers["sts:GetFederationToken"] == "data"
    assert {powers[each] for each in ("azure:*/listkeys/action", "vault:kv.read", "secretmanager.versions.access")} == {
        "data"
    }
    assert powers["k8s:secrets:list"] == powers["azure:*/listclusteradmincredential/action"] == "permissions"


def test_the_configuration_adds_to_the_table() -> None:
    """What the configuration names comes on top of what is packaged."""
    table = reference_tables(Settings(privileged_actions=("kms:Decrypt",)), [])["privileged_actions"]
    found = set(table.column("action_like").to_pylist())
    assert {"kms:Decrypt", "iam:PassRole", "k8s:rolebindings:create"} <= found
    assert r"okta:system.api\_token.create" in found
    powers = dict(zip(table.column("action_like").to_pylist(), table.column("power").to_pylist(), strict=True))
    assert powers["kms:Decrypt"] == "permissions" and powers["secretsmanager:GetSecretValue"] == "data"
