"""What requests to Vault do by their path and data, beyond engine and operation, and what became of second factors.

Entries: https://developer.hashicorp.com/vault/docs/audit/schema, paths: https://developer.hashicorp.com/vault/api-docs
"""

from typing import Any

import pytest
from source_samples import OPTIONS
from ultravires.reading.events import Event
from ultravires.sources.vault.audit import events


def of(path: str, operation: str = "update", stage: str = "response", **members: Any) -> Event:
    request = {"id": "r-1", "path": path, "operation": operation, "data": members.pop("data", None)}
    request |= {name: members.pop(name) for name in ("mount_type", "mount_point") if name in members}
    record = {"time": "2026-10-05T09:00:00Z", "type": stage, "request": request, "response": {}}
    return events({**record, **members}, OPTIONS)[0]


def effects(event: Event) -> list[tuple[str, str, str | None]]:
    said = event.detail.get("effects", [])
    return [(one["effect"], one["target"], one.get("power")) for one in said if not one.get("absent")]


def absent(event: Event) -> list[str]:
    return [one["effect"] for one in event.detail.get("effects", []) if one.get("absent")]


def test_a_secret_id_is_a_credential_and_no_trust() -> None:
    made = of("auth/ci/role/deploy/secret-id", mount_type="approle", mount_point="auth/ci/")
    assert effects(made) == [("issues_credential", "identity", None)] and absent(made) == ["opens_trust"]
    role = of("auth/ci/role/deploy", mount_type="approle", mount_point="auth/ci/")
    assert effects(role) == [("opens_trust", "identity", None)] and absent(role) == []
    config = of("auth/ci/config", mount_type="jwt", mount_point="auth/ci/")
    assert effects(config) == [("opens_trust", "resource", None)]
    gone = of("auth/ci/role/deploy/secret-id/destroy", mount_type="approle", mount_point="auth/ci/")
    assert effects(gone) == [("takes_power", "identity", None)]


@pytest.mark.parametrize(
    ("path", "operation", "expected"),
    [
        ("sys/policies/egp/office-hours", "delete", ("weakens_guard", "resource", None)),
        ("sys/leases/revoke-prefix/database/creds", "update", ("destroys", "resource", None)),
        ("sys/leases/revoke/database/creds/app/1", "update", ("takes_power", "identity", None)),
        ("sys/wrapping/unwrap", "update", ("reads_secret", "resource", None)),
        ("sys/storage/raft/snapshot", "read", ("reads_secret", "resource", "admin")),
        ("sys/config/auditing/request-headers/x-id", "delete", ("weakens_evidence", "resource", None)),
        ("identity/entity-alias", "update", ("opens_trust", "identity", None)),
        ("identity/mfa/login-enforcement/all", "delete", ("weakens_guard", "resource", None)),
        ("identity/mfa/method/totp/admin-destroy", "update", ("weakens_guard", "identity", None)),
        ("identity/oidc/token/app", "read", ("issues_credential", "self", None)),
    ],
)
def test_paths_of_the_system_and_of_identities(path: str, operation: str, expected: tuple[Any, ...]) -> None:
    assert effects(of(path, operation)) == [expected]


@pytest.mark.parametrize(
    ("path", "operation", "mount_type", "expected"),
    [
        ("team/db/creds/reader", "read", "database", ("issues_credential", "self", None)),
        ("team/db/static-creds/app", "read", "database", ("reads_secret", "resource", None)),
        ("team/db/roles/reader", "update", "database", ("grants_power", "identity", None)),
        ("team/db/config/main", "update", "aws", ("changes_workload", "resource", None)),
        ("team/db/issue/web", "update", "pki", ("issues_credential", "self", None)),
        ("team/db/sign/admin", "update", "ssh", ("issues_credential", "self", None)),
        ("team/db/export/encryption-key/a", "read", "transit", ("reads_secret", "resource", None)),
        ("team/db/destroy/app", "update", "kv", ("destroys", "resource", None)),
    ],
)
def test_paths_of_engines_wherever_they_are_mounted(
    path: str, operation: str, mount_type: str, expected: tuple[Any, ...]
) -> None:
    assert effects(of(path, operation, mount_type=mount_type, mount_point="team/db/")) == [expected]
    assert effects(of(path, operation, mount_type="cubbyhole", mount_point="team/db/")) == []


def test_where_the_mount_is_not_told_it_is_the_first_part() -> None:
    assert effects(of("database/creds/reader", "read", mount_type="database"))[0][0] == "issues_credential"
    assert effects(of("auth/ldap/groups/dev", mount_type="ldap"))[0][0] == "grants_power"


def test_metadata_is_no_secret() -> None:
    assert absent(of("secret/metadata/app", "read", mount_type="kv", mount_point="secret/")) == ["reads_secret"]
    assert "effects" not in of("secret/data/app", "read", mount_type="kv", mount_point="secret/").detail


def test_how_a_method_is_tuned_is_no_trust() -> None:
    assert absent(of("sys/auth/github/tune")) == ["opens_trust"]
    assert "effects" not in of("sys/auth/github").detail


@pytest.mark.parametrize(
    ("policy", "power"),
    [
        ('path "*" { capabilities = ["create", "read", "sudo"] }', "admin"),
        ('path "sys/policies/acl/*" {\n  capabilities = ["update"]\n}', "permissions"),
        ('path "secret/*" { capabilities = ["read"] }', None),
        ('path "*" { capabilities = ["list"] }', None),
        ("hmac-sha256:70617468", None),
    ],
)
def test_what_the_text_of_a_policy_gives(policy: str, power: str | None) -> None:
    written = effects(of("sys/policies/acl/ops", data={"policy": policy}))
    assert written == ([("grants_power", "identity", power)] if power else [])


@pytest.mark.parametrize(
    ("path", "data", "auth", "expected"),
    [
        ("auth/token/create", {"policies": ["root"]}, {}, ("self", "admin")),
        ("auth/token/create", {}, {"policies": ["root"]}, ("self", "admin")),
        ("auth/token/create", {"no_parent": True}, {}, ("identity", None)),
        ("auth/token/create-orphan", {}, {}, ("identity", None)),
        ("auth/token/create/ops", {"entity_alias": "tom"}, {}, ("identity", None)),
        ("auth/token/create", {"policies": ["default"]}, {"policies": ["default"]}, None),
    ],
)
def test_whose_a_token_is_and_what_it_may(path: str, data: Any, auth: Any, expected: tuple[Any, ...] | None) -> None:
    made = effects(of(path, data=data, response={"auth": auth}))
    assert made == ([("issues_credential", *expected)] if expected else [])


def test_an_audit_device_and_a_mount_that_write_secrets_plainly() -> None:
    assert effects(of("sys/audit/file", data={"options": {"log_raw": "true"}})) == [("weakens_guard", "resource", None)]
    assert "effects" not in of("sys/audit/file", data={"options": {"file_path": "/var/log/a"}}).detail
    plain = of("sys/mounts/secret/tune", data={"audit_non_hmac_response_keys": ["password"]})
    assert effects(plain) == [("weakens_guard", "resource", None)]


def test_what_was_asked_counts_before_it_is_answered_and_when_it_is_refused() -> None:
    asked = of("auth/token/create", stage="request", data={"policies": ["root"]})
    refused = of("auth/token/create", data={"policies": ["root"]}, error="permission denied")
    assert refused.outcome == "denied"
    assert effects(asked) == effects(refused) == [("issues_credential", "self", "admin")]


def test_second_factors() -> None:
    asked = of("auth/userpass/login/mira", response={"auth": {"mfa_requirement": {"mfa_request_id": "m-1"}}})
    assert asked.detail["second_factor"] == "asked"
    assert of("sys/mfa/validate").detail["second_factor"] == "passed"
    assert of("sys/mfa/validate", error="permission denied").detail["second_factor"] == "failed"
    assert "second_factor" not in of("sys/mfa/validate", stage="request").detail
    assert "second_factor" not in of("auth/userpass/login/mira").detail


ODD: list[Any] = [None, 7, "text", [], [[]], {}, {"a": 3}, [None, 1, {"x": [None]}], True]


@pytest.mark.parametrize("odd", ODD)
def test_odd_content_costs_no_event(odd: Any) -> None:
    for path in ("sys/policies/acl/a", "auth/token/create", "sys/audit/file", "sys/mounts/a", "secret/data/a"):
        for data in (odd, {"policy": odd, "policies": odd, "options": odd, "audit_non_hmac_request_keys": odd}):
            found = of(path, data=data, response=odd, mount_type=odd, mount_point=odd, auth=odd)
            assert found.native_id == "r-1/response"


def test_a_policy_without_end_is_read_in_time() -> None:
    assert effects(of("sys/policies/acl/a", data={"policy": 'path "*" {' * 50_000})) == []
