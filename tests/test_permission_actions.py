"""The packaged table of actions that manage permissions in other logs than AWS's (permission_actions.csv)."""

import csv
import fnmatch
import re
from functools import cache
from typing import Any

import ultravires.build.reference
from source_samples import SAMPLES, expected_events
from ultravires.build.reference import permission_actions, reference_tables
from ultravires.settings import Settings

MANAGES = {
    "anthropic_audit": {"admin_api_key_created", "platform_api_key_created"},
    "azure_activity": {
        "microsoft.authorization/roleassignments/write",
        "microsoft.authorization/roleassignmentschedulerequests/write",
    },
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
    "kubernetes_audit": {"clusterrolebindings:create", "serviceaccounts/token:create"},
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
    "vault_audit": {"approle.update", "sys/policies.update"},
}
"""Source -> what of its sample manages permissions; everything else there is work, reading or signing in."""


@cache
def manages_permissions(action: str) -> bool:
    return any(re.fullmatch(fnmatch.translate(pattern.lower()), action.lower()) for pattern in permission_actions())


def activities(name: str) -> list[dict[str, Any]]:
    return [event for event in expected_events(name) if event["kind"] == "activity" and event.get("action")]


def test_of_the_samples_these_actions_manage_permissions() -> None:
    """Roles, policies, trust and new credentials do; reading secrets, running code and signing in do not."""
    found = {
        name: {event["action"].partition(":")[2] for event in activities(name) if manages_permissions(event["action"])}
        for name in SAMPLES
    }
    assert {name: actions for name, actions in found.items() if actions} == MANAGES


def test_nothing_that_only_reads_manages_permissions() -> None:
    """What its log itself calls a read is never privileged by this table."""
    reads = [e["action"] for name in SAMPLES for e in activities(name) if (e.get("detail") or {}).get("read_only")]
    assert len(reads) > 10 and not [action for action in reads if manages_permissions(action) and "Token" not in action]


def test_every_pattern_is_in_the_words_of_a_log_we_read() -> None:
    """A pattern begins as a source's actions do, stands once, and says whose it is and what it changes."""
    path = ultravires.build.reference._PERMISSION_ACTIONS
    with path.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    words = {event["action"].partition(":")[0] for name in SAMPLES for event in activities(name)} | {"k8s.io", "sts"}
    services = re.compile(r"(\*|[a-z0-9]+)\.googleapis\.com")
    strange = [r for r in found if (w := r["action"].partition(":")[0]) not in words and not services.fullmatch(w)]
    assert strange == []
    assert len({row["action"].lower() for row in found}) == len(found) > 100
    assert all(row["system"] and row["changes"] for row in found)


def test_the_configuration_adds_to_the_table() -> None:
    """What the configuration names comes on top of what is packaged."""
    table = reference_tables(Settings(privileged_actions=("kms:Decrypt",)), [])["privileged_actions"]
    found = set(table.column("action_like").to_pylist())
    assert {"kms:Decrypt", "iam:PassRole", "k8s:rolebindings:create"} <= found
    assert r"okta:system.api\_token.create" in found
