"""Requests to Vault that change who may do what.

Entries: https://developer.hashicorp.com/vault/docs/audit/schema, which says what is hashed; paths and their parameters:
https://developer.hashicorp.com/vault/api-docs (system/policies, auth, secret/identity); policies:
https://developer.hashicorp.com/vault/docs/concepts/policies.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import only
from ultravires.reading.grants import given, gone, statement, taken, unwritten, whole, written
from ultravires.sources.vault.policies import statements_of

HASH = "hmac-sha256:" + "a" * 64
INVOICES = "vault_policy/invoices"
ROLE, USER = "auth/approle/role/export", "auth/userpass/users/mira"
GROUP, ALIAS = "identity/group/id/grp-1", "identity/entity-alias/id/al-1"


def entry(path: str, data: Any = None, operation: str = "update", answer: Any = None, **members: Any) -> dict[str, Any]:
    request = {"id": "r-1", "operation": operation, "path": path, "mount_type": "system", "data": data}
    auth = {"accessor": "acc-1", "client_token": HASH, "display_name": "oidc-otto", "entity_id": "ent-9"}
    own = {"time": "2026-10-05T09:00:00.1Z", "type": "response", "auth": auth, "request": request}
    return {**own, "response": {"data": answer}, **members}


def grants(folder: Path, *args: Any, **members: Any) -> Any:
    return only("vault_audit", entry(*args, **members), folder)["detail"].get("grants")


def all_of(holder: str, *policies: str) -> list[Any]:
    return [whole("attached", holder=holder), *(given("attached", holder, policy) for policy in policies)]


READS = {"path": {"secret/data/invoices/*": {"capabilities": ["read"]}}}
FIRING: list[tuple[str, Any, str, Any, list[Any]]] = [
    ("sys/policies/acl/Invoices", {"policy": HASH}, "update", None, [written(INVOICES, None)]),
    ("sys/policy/invoices", {"policy": HASH}, "create", None, [written(INVOICES, None)]),
    (
        "sys/policies/acl/invoices",
        {"policy": json.dumps(READS)},
        "update",
        None,
        [written(INVOICES, [statement("allow", ["vault:*.read"], ["secret/data/invoices/*"])])],
    ),
    ("sys/policies/acl/invoices", {"policy": 'path "secret/*" {}'}, "update", None, [written(INVOICES, None)]),
    ("sys/policies/acl/invoices", None, "delete", None, [unwritten(INVOICES)]),
    (ROLE, {"token_policies": ["invoices", "Default"]}, "create", None, all_of(ROLE, INVOICES, "vault_policy/default")),
    (ROLE, {"policies": "invoices, default"}, "update", None, all_of(ROLE, INVOICES, "vault_policy/default")),
    (ROLE, {"token_policies": []}, "update", None, all_of(ROLE)),
    (ROLE, None, "delete", None, [gone(ROLE)]),
    (f"{ROLE}/policies", {"token_policies": ["invoices"]}, "update", None, all_of(ROLE, INVOICES)),
    (f"{ROLE}/policies", None, "delete", None, all_of(ROLE)),
    (USER, {"token_policies": ["invoices"], "password": HASH}, "create", None, all_of(USER, INVOICES)),
    (f"{USER}/policies", {"policies": ["invoices"]}, "update", None, all_of(USER, INVOICES)),
    (
        "auth/team/jwt/role/ci",
        {"token_policies": ["invoices"]},
        "update",
        None,
        all_of("auth/team/jwt/role/ci", INVOICES),
    ),
    ("auth/ldap/groups/ops", {"policies": "invoices"}, "update", None, all_of("auth/ldap/groups/ops", INVOICES)),
    (
        "auth/token/roles/deployers",
        {"allowed_policies": ["invoices"]},
        "update",
        None,
        all_of("auth/token/roles/deployers", INVOICES),
    ),
    ("auth/token/roles/deployers", None, "delete", None, [gone("auth/token/roles/deployers")]),
    ("identity/entity/id/ent-1", {"policies": ["invoices"]}, "update", None, all_of("ent-1", INVOICES)),
    ("identity/entity", {"policies": ["invoices"]}, "update", {"id": "ent-1"}, all_of("ent-1", INVOICES)),
    ("identity/entity/name/mira", {"policies": ["invoices"]}, "update", {"id": "ent-1"}, all_of("ent-1", INVOICES)),
    ("identity/entity/id/ent-1", None, "delete", None, [gone("ent-1")]),
    (
        "identity/group/id/grp-1",
        {"policies": ["invoices"], "member_entity_ids": ["ent-1"], "member_group_ids": ["grp-2"]},
        "update",
        None,
        [
            *all_of(GROUP, INVOICES),
            whole("member", held=GROUP, binding=f"{GROUP}/member_entity_ids"),
            given("member", "ent-1", GROUP, binding=f"{GROUP}/member_entity_ids"),
            whole("member", held=GROUP, binding=f"{GROUP}/member_group_ids"),
            given("member", "identity/group/id/grp-2", GROUP, binding=f"{GROUP}/member_group_ids"),
        ],
    ),
    ("identity/group", {"policies": ["invoices"]}, "update", {"id": "grp-1"}, all_of(GROUP, INVOICES)),
    ("identity/group/name/ops", {"policies": ["invoices"]}, "update", {"id": "grp-1"}, all_of(GROUP, INVOICES)),
    ("identity/group/id/grp-1", None, "delete", None, [gone(GROUP)]),
    (
        "identity/entity-alias",
        {"name": "mira@example.org", "mount_accessor": "auth_oidc_1", "canonical_id": "ent-1"},
        "create",
        {"id": "al-1"},
        [whole("member", binding=ALIAS), given("member", "auth_oidc_1/mira@example.org", "ent-1", binding=ALIAS)],
    ),
    ("identity/entity-alias/id/al-1", None, "delete", None, [taken("member", binding=ALIAS)]),
]


@pytest.mark.parametrize("case", FIRING, ids=lambda case: f"{case[2]} {case[0]}")
def test_a_request_says_what_it_changes(tmp_path: Path, case: tuple[str, Any, str, Any, list[Any]]) -> None:
    *asked, said = case
    assert grants(tmp_path, *asked) == said


@pytest.mark.parametrize("case", FIRING, ids=lambda case: f"{case[2]} {case[0]}")
def test_what_was_refused_or_is_not_answered_says_nothing(
    tmp_path: Path, case: tuple[str, Any, str, Any, list[Any]]
) -> None:
    path, data, operation, answer, _ = case
    assert grants(tmp_path, path, data, operation, answer, error="1 error occurred:\n\t* permission denied\n") is None
    assert grants(tmp_path, path, data, operation, answer, type="request") is None
    assert grants(tmp_path, path, data, "read", answer) is None


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (ROLE, {"token_policies": [HASH, HASH]}),
        (ROLE, {"token_policies": ["invoices", HASH]}),
        (ROLE, {"token_policies": ["invoices", 7]}),
        (ROLE, {"token_policies": {"invoices": True}}),
        (ROLE, {"token_policies": ["a"] * 2_001}),
        (ROLE, {"secret_id_ttl": "1h"}),
        (f"{ROLE}/secret-id", {"metadata": HASH}),
        ("identity/entity", {"policies": ["invoices"]}),
        ("identity/entity/name/mira", {"policies": ["invoices"]}),
        ("identity/group/id/grp-1", {"member_entity_ids": [HASH]}),
        ("identity/entity-alias", {"name": HASH, "mount_accessor": HASH, "canonical_id": HASH, "id": "al-1"}),
        ("auth/userpass/login/mira", {"password": HASH}),
        ("secret/data/invoices", {"policy": "x"}),
        ("sys/policies/acl/", {"policy": "x"}),
        (ROLE, ["invoices"]),
        (ROLE, None),
    ],
)
def test_what_is_hashed_or_missing_is_not_said(tmp_path: Path, path: str, data: Any) -> None:
    assert grants(tmp_path, path, data) is None


def test_names_count_within_their_namespace(tmp_path: Path) -> None:
    record = entry(ROLE, {"token_policies": ["invoices"]})
    record["request"]["namespace"] = {"id": "n1", "path": "finance/"}
    found = only("vault_audit", record, tmp_path)["detail"]["grants"]
    assert found == all_of(f"finance/{ROLE}", "vault_policy/finance/invoices")
    record = entry("sys/policies/acl/invoices", {"policy": READS})
    record["request"]["namespace"] = {"id": "n1", "path": "finance/"}
    (document,) = only("vault_audit", record, tmp_path)["detail"]["grants"]
    assert document["held"] == "vault_policy/finance/invoices"
    assert document["statements"][0]["resources"] == ["finance/secret/data/invoices/*"]


POLICIES: list[tuple[dict[str, Any], list[Any]]] = [
    (
        {"secret/*": {"capabilities": ["read", "list"]}, "secret/pay/*": {"capabilities": ["deny"]}},
        [
            statement("allow", ["vault:*.read", "vault:*.list"], ["secret/*"], not_resources=["secret/pay/*"]),
            statement("deny", ["vault:*"], ["secret/pay/*"]),
        ],
    ),
    (
        {"sys/policies/acl/*": {"capabilities": ["update", "sudo"]}},
        [statement("allow", ["vault:sys/policies.update"], ["sys/policies/acl/*"])],
    ),
    (
        {"auth/token/create": {"capabilities": ["update"]}},
        [statement("allow", ["vault:token.create"], ["auth/token/create"])],
    ),
    (
        {"auth/*": {"capabilities": ["update", "read", "delete"]}},
        [
            statement(
                "allow",
                ["vault:*.update", "vault:token.*", "vault:*.read", "vault:token.lookup*", "vault:*.delete"],
                ["auth/*"],
            )
        ],
    ),
    (
        {"secret/+/{{identity.entity.id}}": {"capabilities": ["read"]}},
        [statement("allow", ["vault:*.read"], ["secret/*/*"], condition={"path": "secret/+/{{identity.entity.id}}"})],
    ),
    (
        {"secret/a": {"capabilities": ["create"], "allowed_parameters": {"ttl": []}}},
        [statement("allow", ["vault:*.create"], ["secret/a"], condition={"allowed_parameters": {"ttl": []}})],
    ),
    ({"secret/a": {"capabilities": ["sudo"]}}, []),
    ({}, []),
]


@pytest.mark.parametrize(("paths", "said"), POLICIES)
def test_a_policy_in_the_words_of_activities(paths: dict[str, Any], said: list[Any]) -> None:
    """The path that fits best decides, so that others leave it out."""
    assert statements_of({"path": paths}, "") == statements_of(json.dumps({"path": paths}), "") == said
    assert statements_of({"path": [{path: rule} for path, rule in paths.items()]}, "") == said


@pytest.mark.parametrize(
    "policy",
    [
        None,
        "not JSON",
        "[" * 100_000,
        {"paths": {}},
        {"path": "secret/*"},
        {"path": {"a": {"policy": "write"}}},
        {"path": {"a": {"capabilities": "read"}}},
        {"path": {"a": {"capabilities": ["own"]}}},
        {"path": {"a": {"capabilities": [["read"]]}}},
        {"path": [{"a": {"capabilities": ["read"]}}, {"a": {"capabilities": ["deny"]}}]},
        {"path": {f"a{n}": {"capabilities": ["read"]} for n in range(1_001)}},
    ],
)
def test_what_is_no_policy_is_not_known(policy: Any) -> None:
    assert statements_of(policy, "") is None
