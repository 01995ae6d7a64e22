"""Audited actions on GitHub that change who may do what.

The page of the audit log's events names the actions; permissions of teams, apps and tokens as written here are assumed
from the fields of the actions beside them and were not seen in a real record:

https://docs.github.com/en/enterprise-cloud@latest/admin/monitoring-activity-in-your-enterprise/reviewing-audit-logs-for-your-enterprise/audit-log-events-for-your-enterprise
"""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import rows
from ultravires.reading.grants import given, gone, made, statement, taken, unwritten, whole, written

ORG, REPO, TEAM = "example-org", "example-org/invoices", "team/example-org/finance"
READS = ("github:git.clone", "github:git.fetch", "github:repo.download_zip")
OF_USER = {"user": "nora-sand"}
OF_TEAM = {"team": "example-org/finance"}
IN_REPO = {"repo": REPO}
APP = {"name": "Invoicer", "integration": "Invoicer"}
INSTALLED = "org/example-org/app/Invoicer"
TOKEN = {**OF_USER, "user_programmatic_access_id": 771001, "user_programmatic_access_name": "invoice export"}


def record(action: str, **members: Any) -> dict[str, Any]:
    own = {
        "@timestamp": 1_791_187_200_000,
        "_document_id": "doc-1",
        "action": action,
        "actor": "mira-holm",
        "org": ORG,
        "org_id": 5550001,
        "operation_type": "modify",
    }
    return {name: value for name, value in {**own, **members}.items() if value is not None}


def grants(folder: Path, action: str, **members: Any) -> Any:
    """Of the activity: what is approved is an approval besides."""
    activity, *approvals = rows("github_audit", json.dumps(record(action, **members)).encode(), folder)
    assert all("grants" not in approval["detail"] for approval in approvals)
    return activity["detail"].get("grants")


FIRING: list[tuple[str, dict[str, Any], list[Any]]] = [
    (
        "org.add_member",
        {**OF_USER, "permission": "read"},
        [
            given("member", "nora-sand", "org/example-org", scope=ORG),
            given("attached", "nora-sand", "github_role/member", scope=ORG),
        ],
    ),
    ("org.add_member", OF_USER, [given("member", "nora-sand", "org/example-org", scope=ORG)]),
    (
        "org.remove_member",
        OF_USER,
        [taken("member", "nora-sand", scope=ORG), taken("attached", "nora-sand", scope=ORG)],
    ),
    (
        "org.update_member",
        {**OF_USER, "permission": "admin", "old_permission": "read"},
        [
            whole("attached", holder="nora-sand", scope=ORG),
            given("attached", "nora-sand", "github_role/owner", scope=ORG),
        ],
    ),
    (
        "org.update_default_repository_permission",
        {"permission": "write"},
        [
            whole("attached", holder="org/example-org", scope=ORG),
            given("attached", "org/example-org", "github_role/write", scope=ORG),
        ],
    ),
    (
        "org.update_default_repository_permission",
        {"permission": "none"},
        [whole("attached", holder="org/example-org", scope=ORG)],
    ),
    ("team.create", OF_TEAM, [made(TEAM)]),
    ("team.destroy", {"data": OF_TEAM}, [gone(TEAM)]),
    ("team.add_member", {**OF_USER, "team": "finance"}, [given("member", "nora-sand", TEAM, scope=ORG)]),
    ("team.remove_member", {**OF_USER, **OF_TEAM}, [taken("member", "nora-sand", TEAM)]),
    (
        "team.add_repository",
        {**OF_TEAM, **IN_REPO, "permission": "push"},
        [given("attached", TEAM, "github_role/write", scope=REPO)],
    ),
    (
        "team.update_repository_permission",
        {**OF_TEAM, **IN_REPO, "new_repo_permission": "admin", "old_repo_permission": "read"},
        [whole("attached", holder=TEAM, scope=REPO), given("attached", TEAM, "github_role/admin", scope=REPO)],
    ),
    ("team.remove_repository", {**OF_TEAM, **IN_REPO}, [taken("attached", TEAM, scope=REPO)]),
    (
        "repo.add_member",
        {**OF_USER, **IN_REPO, "permission": "maintain"},
        [given("attached", "nora-sand", "github_role/maintain", scope=REPO)],
    ),
    (
        "repo.update_member",
        {**OF_USER, **IN_REPO, "new_repo_permission": "admin", "old_repo_permission": "write"},
        [
            whole("attached", holder="nora-sand", scope=REPO),
            given("attached", "nora-sand", "github_role/admin", scope=REPO),
        ],
    ),
    ("repo.remove_member", {**OF_USER, **IN_REPO}, [taken("attached", "nora-sand", scope=REPO)]),
    (
        "repo.create",
        {**IN_REPO, "visibility": "public"},
        [
            made(REPO),
            given("within", REPO, "org/example-org"),
            written(REPO, [statement("allow", READS, principals=["*"])], kind="resource"),
        ],
    ),
    ("repo.create", {**IN_REPO, "org": None}, [made(REPO)]),
    ("repo.destroy", IN_REPO, [gone(REPO)]),
    (
        "repo.access",
        {**IN_REPO, "visibility": "public", "previous_visibility": "private"},
        [written(REPO, [statement("allow", READS, principals=["*"])], kind="resource")],
    ),
    (
        "repo.access",
        {**IN_REPO, "visibility": "internal", "business": "example"},
        [written(REPO, [statement("allow", READS, principals=["business/example"])], kind="resource")],
    ),
    ("repo.access", {**IN_REPO, "visibility": "internal"}, [written(REPO, None, kind="resource")]),
    ("repo.access", {**IN_REPO, "visibility": "private"}, [unwritten(REPO, kind="resource")]),
    (
        "integration_installation.create",
        {**APP, "repository_selection": "all"},
        [given("attached", "github_app/Invoicer", "github_role/app", scope=ORG, binding=INSTALLED)],
    ),
    (
        "integration_installation.create",
        {**APP, "repository_selection": "all", "permissions": {"contents": "write", "metadata": "read", "odd": 7}},
        [
            given("attached", "github_app/Invoicer", f"github:{each}", scope=ORG, binding=INSTALLED)
            for each in ("contents:write", "metadata:read")
        ],
    ),
    (
        "integration_installation.repositories_added",
        {**APP, "repository_selection": "selected", "repositories_added_names": [REPO]},
        [given("attached", "github_app/Invoicer", "github_role/app", scope=REPO, binding=INSTALLED)],
    ),
    (
        "integration_installation.repositories_removed",
        {**APP, "repository_selection": "selected", "repositories_removed_names": [REPO]},
        [taken("attached", binding=INSTALLED, scope=REPO)],
    ),
    (
        "integration_installation.version_updated",
        {**APP, "repository_selection": "all", "permissions": {"repository": {"administration": "write"}}},
        [
            whole("attached", binding=INSTALLED),
            given("attached", "github_app/Invoicer", "github:administration:write", scope=ORG, binding=INSTALLED),
        ],
    ),
    ("integration_installation.suspend", APP, [taken("attached", binding=INSTALLED)]),
    ("integration_installation.destroy", APP, [taken("attached", binding=INSTALLED)]),
    (
        "personal_access_token.access_granted",
        {**TOKEN, "repository_selection": "subset", "repositories": [REPO]},
        [given("attached", "nora-sand", "github_token/771001", scope=REPO, binding="github:771001")],
    ),
    (
        "personal_access_token.access_granted",
        {**TOKEN, "repository_selection": "all", "permissions": {"contents": "read"}},
        [given("attached", "nora-sand", "github:contents:read", scope=ORG, binding="github:771001")],
    ),
    ("personal_access_token.access_revoked", TOKEN, [taken("attached", binding="github:771001")]),
]


@pytest.mark.parametrize(("action", "members", "said"), FIRING)
def test_an_action_says_what_it_changes(tmp_path: Path, action: str, members: dict[str, Any], said: list[Any]) -> None:
    assert grants(tmp_path, action, **members) == said


@pytest.mark.parametrize("action", sorted({action for action, _, _ in FIRING}))
def test_what_failed_or_names_nobody_says_nothing(tmp_path: Path, action: str) -> None:
    """Without its members, with members of other types, and refused."""
    members = next(members for name, members, _ in FIRING if name == action)
    names = {"user", "team", "repo", "name", "integration", "data", "permission", "user_programmatic_access_id"} | set(
        members
    )
    for odd in (None, [], {"a": {}}, 1.5, ""):
        assert grants(tmp_path, action, **dict.fromkeys(names, odd)) is None
    assert grants(tmp_path, action, **members, status_code=403) is None


SILENT: list[tuple[str, dict[str, Any]]] = [
    ("org.update_member", OF_USER),
    ("repo.add_member", {**OF_USER, **IN_REPO}),
    ("repo.update_member", {**OF_USER, **IN_REPO, "old_repo_permission": "read"}),
    ("team.add_repository", {**OF_TEAM, **IN_REPO}),
    ("team.add_member", {**OF_USER, "team": "finance", "org": None}),
    ("repo.access", {**IN_REPO, "visibility": "hidden"}),
    ("integration_installation.create", {**APP, "repository_selection": "selected"}),
    ("integration_installation.version_updated", {**APP, "repository_selection": "all"}),
    ("integration_installation.unsuspend", APP),
    ("personal_access_token.access_granted", {**TOKEN, "repository_selection": "subset"}),
    ("personal_access_token.request_created", {**TOKEN, "repository_selection": "all"}),
    ("org.invite_member", OF_USER),
    ("git.push", IN_REPO),
]


@pytest.mark.parametrize(("action", "members"), SILENT)
def test_what_a_record_does_not_say_is_left_out(tmp_path: Path, action: str, members: dict[str, Any]) -> None:
    assert grants(tmp_path, action, **members) is None


def test_real_events_are_read(third_party: Path, tmp_path: Path) -> None:
    """None was lost for what it might have changed, and those that say it say it."""
    with gzip.open(third_party / "panther_tests.jsonl.gz") as file:
        lines = [line["event"] for line in map(json.loads, file) if line["log_type"] == "GitHub.Audit"]
    data = "\n".join(json.dumps({**each, "@timestamp": 1_791_187_200_000}) for each in lines).encode()
    found = rows("github_audit", data, tmp_path)
    assert len([row for row in found if row["kind"] == "activity"]) == len(lines)
    said = {row["action"] for row in found if "grants" in row["detail"]}
    assert said >= {"github:org.add_member", "github:org.remove_member", "github:team.destroy", "github:repo.create"}
