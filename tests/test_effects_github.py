"""What audited actions on GitHub do by themselves, beyond their name, and what became of second factors.

Shapes of records: https://docs.github.com/en/enterprise-cloud@latest/admin/monitoring-activity-in-your-enterprise/reviewing-audit-logs-for-your-enterprise/audit-log-events-for-your-enterprise
"""

from typing import Any

import pytest
from source_samples import OPTIONS
from ultravires.reading.events import Event
from ultravires.sources.github.audit import events

GUARD = ("weakens_guard", "resource", None, None)


def of(action: str, **members: Any) -> Event:
    own = {"@timestamp": 1791187200000, "action": action, "actor": "mira-holm", "org": "example-org"}
    return events({**own, **members}, OPTIONS)[0]


def effects(event: Event) -> list[tuple[str, str | None, Any, str | None]]:
    said = event.detail.get("effects", [])
    return [
        (one["effect"], one.get("target"), one.get("uids"), one.get("power")) for one in said if not one.get("absent")
    ]


def absent(event: Event) -> list[str]:
    return [one["effect"] for one in event.detail.get("effects", []) if one.get("absent")]


def test_who_becomes_an_owner_may_do_everything() -> None:
    made = of("org.update_member", user="nora-sand", permission="admin")
    assert effects(made) == [("grants_power", "identity", ["nora-sand"], "admin")]
    own = of("org.update_member", user="mira-holm", permission="admin")
    assert effects(own) == [("grants_power", "self", ["mira-holm"], "admin")]
    assert effects(of("org.update_member", user="nora-sand", permission="read")) == []
    assert effects(of("org.invite_member", user="nora-sand", data={"role": "Owner"}))[0][3] == "admin"


def test_who_administrates_a_repository_manages_its_rights() -> None:
    given = of("repo.add_member", user="nora-sand", repo="example-org/a", new_repo_permission="admin")
    assert effects(given) == [("grants_power", "identity", ["nora-sand"], "permissions")]
    assert effects(of("repo.add_member", user="nora-sand", new_repo_permission="write")) == []


def test_a_base_permission_of_none_gives_nothing() -> None:
    assert absent(of("org.update_default_repository_permission", permission="none")) == ["grants_power"]
    assert "effects" not in of("org.update_default_repository_permission", permission="write").detail


@pytest.mark.parametrize("action", ["repo.access", "repo.create"])
def test_a_repository_for_everybody(action: str) -> None:
    shown = of(action, repo="example-org/a", visibility="public")
    assert effects(shown) == [("exposes", "public", ["example-org/a"], "data")]
    assert absent(of(action, repo="example-org/a", visibility="private")) == ["exposes"]
    assert "effects" not in of(action, repo="example-org/a").detail


@pytest.mark.parametrize(
    ("setting", "members", "expected"),
    [
        ("update_admin_enforced", {"admin_enforced": False}, True),
        ("update_admin_enforced", {"admin_enforced": "true"}, False),
        (
            "update_pull_request_reviews_enforcement_level",
            {"pull_request_reviews_enforcement_level": "off"},
            True,
        ),
        ("update_pull_request_reviews_enforcement_level", {"pull_request_reviews_enforcement_level": 2}, False),
        ("update_allow_force_pushes_enforcement_level", {"allow_force_pushes_enforcement_level": 1}, True),
        ("update_allow_force_pushes_enforcement_level", {"allow_force_pushes_enforcement_level": 0}, False),
        ("update_ignore_approvals_from_contributors", {"ignore_approvals_from_contributors": True}, True),
        ("update_required_approving_review_count", {"required_approving_review_count": 0}, True),
        (
            "update_required_approving_review_count",
            {"required_approving_review_count": 1, "required_approving_review_count_was": 2},
            True,
        ),
        ("update_required_approving_review_count", {"required_approving_review_count": 2}, False),
        ("dismiss_stale_reviews", {"dismiss_stale_reviews_on_push": False}, True),
        ("dismiss_stale_reviews", {"dismiss_stale_reviews_on_push": True}, False),
    ],
)
def test_a_protected_branch_that_asks_for_less_or_more(setting: str, members: dict[str, Any], expected: bool) -> None:
    changed = of(f"protected_branch.{setting}", **members)
    assert (effects(changed), absent(changed)) == (([GUARD], []) if expected else ([], ["weakens_guard"]))


def test_a_protected_branch_of_which_nothing_is_said() -> None:
    assert "effects" not in of("protected_branch.update_admin_enforced").detail
    assert "effects" not in of("protected_branch.update_name", name="main").detail


def updated(**members: Any) -> Event:
    return of("repository_ruleset.update", **{"ruleset_enforcement": "enabled", **members})


def changed_rule(old: dict[str, Any], new: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"id": 1, "type": "pull_request", "old_parameters": old, "parameters": new}]


@pytest.mark.parametrize(
    "members",
    [
        {"ruleset_enforcement": "disabled", "ruleset_old_enforcement": "enabled"},
        {"ruleset_rules_deleted": [{"type": "deletion"}]},
        {"ruleset_bypass_actors_added": [{"actor_type": "Team"}]},
        {
            "ruleset_rules_updated": changed_rule(
                {"required_approving_review_count": 2}, {"required_approving_review_count": 1}
            )
        },
        {
            "ruleset_rules_updated": changed_rule(
                {"require_code_owner_review": True}, {"require_code_owner_review": False}
            )
        },
        {"ruleset_rules_updated": changed_rule({"required_reviewers": ["a", "b"]}, {"required_reviewers": ["a"]})},
        {"ruleset_rules_updated": changed_rule({"ignore_approvals": False}, {"ignore_approvals": True})},
    ],
)
def test_a_ruleset_that_asks_for_less(members: dict[str, Any]) -> None:
    assert effects(updated(**members)) == [GUARD]


@pytest.mark.parametrize(
    "members",
    [
        {"ruleset_rules_added": [{"type": "deletion"}]},
        {"ruleset_old_enforcement": "disabled"},
        {
            "ruleset_rules_updated": changed_rule(
                {"required_approving_review_count": 1}, {"required_approving_review_count": 2}
            )
        },
    ],
)
def test_a_ruleset_that_asks_for_more(members: dict[str, Any]) -> None:
    assert absent(updated(**members)) == ["weakens_guard"]


def test_a_ruleset_of_which_nothing_is_known_or_for_other_branches() -> None:
    assert "effects" not in updated().detail
    elsewhere = updated(ruleset_rules_added=[{}], ruleset_conditions_updated=[{"id": 1}])
    assert "effects" not in elsewhere.detail


@pytest.mark.parametrize("address", ["0.0.0.0/0", "0.0.0.0", "::/0", "0.0.0.0/1"])
def test_an_address_that_lets_everybody_in(address: str) -> None:
    added = of("ip_allow_list_entry.create", allow_list_value=address)
    assert effects(added) == [("weakens_guard", "public", [address], None)]


@pytest.mark.parametrize("address", ["192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32", "no address", ""])
def test_an_address_that_lets_some_in(address: str) -> None:
    assert "effects" not in of("ip_allow_list_entry.create", allow_list_value=address).detail


def test_a_stream_of_the_log_that_ends_or_goes_on() -> None:
    off = of("audit_log_streaming.update", audit_log_stream_enabled=False)
    assert effects(off) == [("weakens_evidence", "resource", None, None)]
    assert absent(of("audit_log_streaming.update", audit_log_stream_enabled=True)) == ["weakens_evidence"]
    moved = of("audit_log_streaming.update", audit_log_stream_enabled=True, new_s3_bucket="b")
    assert "effects" not in moved.detail


def test_a_webhook_tells_a_host() -> None:
    made = of("hook.create", config={"url": "https://ci.example.net/hook", "insecure_ssl": "1"})
    assert effects(made) == [("exposes", "resource", ["ci.example.net"], "data"), GUARD]
    assert "effects" not in of("hook.create", config={"url": "https://[", "insecure_ssl": "0"}).detail


def test_keys_of_users_and_of_repositories() -> None:
    assert effects(of("public_key.create")) == [("issues_credential", "self", None, None)]
    writing = of("public_key.create", repo="example-org/a", read_only="false")
    assert effects(writing) == [("issues_credential", "identity", ["example-org/a"], "data")]
    reading = of("public_key.create", repo="example-org/a", read_only="true")
    assert effects(reading) == [("issues_credential", "resource", ["example-org/a"], "data")]


def test_permissions_of_apps_and_tokens() -> None:
    managing = of("integration_installation.create", name="Deployer", permissions={"administration": "write"})
    assert effects(managing) == [("grants_power", "identity", ["github_app/Deployer"], "permissions")]
    nested = of("personal_access_token.access_granted", permissions={"organization": {"members": "write"}})
    assert effects(nested)[0][3] == "permissions" and absent(nested) == ["issues_credential"]
    reading = of("integration_installation.create", permissions={"contents": "read", "members": "read"})
    assert effects(reading)[0][3] == "data"
    assert "effects" not in of("integration_installation.create").detail


def test_what_the_tokens_of_jobs_may() -> None:
    assert absent(of("org.set_default_workflow_permissions", default_workflow_permissions="read")) == ["grants_power"]
    written = of("repo.set_default_workflow_permissions", default_workflow_permissions="write")
    assert effects(written) == [("grants_power", "identity", None, "data")]
    assert effects(of("org.set_workflow_permission_can_approve_pr", enabled=True)) == [GUARD]
    assert absent(of("org.set_workflow_permission_can_approve_pr", enabled=False)) == ["weakens_guard"]


def test_second_factors() -> None:
    assert of("user.two_factor_challenge_success").detail["second_factor"] == "passed"
    assert of("user.two_factor_challenge_failure").detail["second_factor"] == "failed"
    assert of("user.two_factor_requested").detail["second_factor"] == "asked"
    assert "second_factor" not in of("user.login").detail


ODD: list[Any] = [None, 7, "text", [], [[]], {}, {"a": 3}, [None, 1, {"x": [None]}], True]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "action",
    [
        "org.update_member",
        "repo.access",
        "protected_branch.update_admin_enforced",
        "protected_branch.update_required_approving_review_count",
        "repository_ruleset.update",
        "ip_allow_list_entry.create",
        "audit_log_streaming.update",
        "hook.create",
        "public_key.create",
        "integration_installation.create",
        "org.set_default_workflow_permissions",
    ],
)
def test_odd_content_costs_no_event(action: str, odd: Any) -> None:
    names = ("permission", "user", "visibility", "repo", "admin_enforced", "required_approving_review_count", "config")
    names += ("ruleset_enforcement", "ruleset_rules_updated", "ruleset_rules_deleted", "allow_list_value", "data")
    names += ("audit_log_stream_enabled", "permissions", "read_only", "default_workflow_permissions", "name")
    assert of(action, **dict.fromkeys(names, odd)).action == f"github:{action}"
    assert of(action, config={"url": odd, "insecure_ssl": odd}, ruleset_rules_updated=[odd]).kind == "activity"
