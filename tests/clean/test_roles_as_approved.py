"""Administrators made as an approval lists it, in several logs, tell nobody; beside them the twins that are accused."""

from typing import Any

import pytest
import ultravires
from small_logs import DAY, approval, at, write_lines
from ultravires.runs.run import run_once

ORG = "example-org"


def owner_of_github(user: str) -> dict[str, Any]:
    return {
        "@timestamp": int(DAY.timestamp() * 1000) + 3_600_000,
        "_document_id": f"doc-{user}",
        "action": "org.add_member",
        "actor": "mira-holm",
        "org": ORG,
        "org_id": 5550001,
        "operation_type": "create",
        "user": user,
        "permission": "admin",
    }


def administrator_of_okta(user: str) -> dict[str, Any]:
    person = {"id": f"00u{user}", "type": "User", "alternateId": f"{user}@example.org", "displayName": user}
    return {
        "uuid": f"okta-{user}",
        "published": at(60),
        "eventType": "user.account.privilege.grant",
        "version": "0",
        "severity": "INFO",
        "displayMessage": "",
        "actor": {"id": "00u1", "type": "User", "alternateId": "mira@example.org", "displayName": "Mira Holm"},
        "client": {"ipAddress": "192.0.2.41", "id": None},
        "outcome": {"result": "SUCCESS", "reason": None},
        "target": [person],
        "transaction": {"id": "tx1", "type": "WEB", "detail": {}},
        "debugContext": {"debugData": {"privilegeGranted": "Super administrator"}},
    }


def binding_of_kubernetes(user: str) -> dict[str, Any]:
    subjects = [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": f"k8s-{user}",
        "stage": "ResponseComplete",
        "requestURI": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        "verb": "create",
        "user": {"username": "mira", "groups": ["system:authenticated"]},
        "sourceIPs": ["192.0.2.41"],
        "objectRef": {
            "resource": "clusterrolebindings",
            "name": f"of-{user}",
            "apiGroup": "rbac.authorization.k8s.io",
            "apiVersion": "v1",
        },
        "responseStatus": {"code": 201},
        "requestObject": {"metadata": {"name": f"of-{user}"}, "subjects": subjects, "roleRef": role},
        "requestReceivedTimestamp": at(60),
        "stageTimestamp": at(60),
    }


MADE = {
    "github": (owner_of_github, "github_role/owner", "{}"),
    "okta": (administrator_of_okta, "okta_role/super administrator", "{}@example.org"),
    "kubernetes": (binding_of_kubernetes, "clusterrole/cluster-admin", "{}"),
}
"""How each log tells of it, and how it names the role and its holder."""


def of_roles(number: int, minutes: float, subject: str, role: str) -> dict[str, Any]:
    return approval(f"APR-{number}", minutes, subject=subject, roles=[role], actions=[])


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """All that is told of administrators, in all logs: one approved, one of another role, one approved afterwards."""
    folder = tmp_path_factory.mktemp("roles")
    approvals = []
    for number, (log, (made, role, name)) in enumerate(MADE.items()):
        write_lines(folder / "logs" / f"{log}.jsonl", [made(f"{who}-{log}") for who in ("good", "other", "late")])
        names = {who: name.format(f"{who}-{log}") for who in ("good", "other", "late")}
        approvals += [
            of_roles(10 * number + 1, 10, names["good"], role),
            of_roles(10 * number + 2, 10, names["other"], f"{role}-of-something"),
            of_roles(10 * number + 3, 90, names["late"], role),
        ]
    write_lines(folder / "logs" / "approvals.jsonl", approvals)
    run_once(folder / "logs", folder / "home", config=None, as_of=at(300))
    con = ultravires.open(folder / "home")
    of_power = (
        "select target_uids, severity, is_approved, approval_id from activity_effects where effect = 'grants_power'"
    )
    return "\n".join(str(row) for row in con.execute(of_power).fetchall())


@pytest.mark.parametrize("log", MADE)
def test_what_an_approval_of_the_role_lists_is_for_the_record(told: str, log: str) -> None:
    rows = {who: [row for row in told.splitlines() if f"{who}-{log}" in row] for who in ("good", "other", "late")}
    assert rows["good"] and all("'informational', True, 'approval:APR-" in row for row in rows["good"]), rows
    for who in ("other", "late"):
        assert rows[who] and all(", False, None" in row and "informational" not in row for row in rows[who]), rows
