"""Vault's audit devices: entries in, rows out."""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import claimed_by, expected_events, keys, only, quarantined, rows

HASH = "hmac-sha256:" + "a" * 64
AUTH = {"accessor": "acc-1", "client_token": HASH, "display_name": "approle", "entity_id": "ent-1"}
NEW = {"accessor": "acc-2", "client_token": HASH, "token_ttl": 900}


def entry(path: str, stage: str = "response", **members: Any) -> dict[str, Any]:
    request = {"id": "r-1", "operation": "update", "path": path, "mount_type": "kv", "remote_address": "192.0.2.7"}
    own = {"time": "2026-10-05T09:00:00.123456789Z", "type": stage, "auth": AUTH, "request": request}
    return {**own, **members, "request": {**request, **members.get("request", {})}}


def read(folder: Path, path: str, stage: str = "response", **members: Any) -> dict[str, Any]:
    return only("vault_audit", entry(path, stage, **members), folder)


def test_both_stages_name_one_request(tmp_path: Path) -> None:
    """They are two events of one activity; the first is not answered yet."""
    stages = [read(tmp_path, "secret/data/a", stage) for stage in ("request", "response")]
    assert [row["native_id"] for row in stages] == ["r-1/request", "r-1/response"]
    assert [row["detail"]["stage"] for row in stages] == ["request", "response"]
    assert [row["outcome"] for row in stages] == ["unknown", "success"]
    assert keys(stages[0]) == keys(stages[1])
    assert keys(stages[0]) == {("request", "r-1", "names")}


def test_a_sign_in_issues_a_token_and_uses_none(tmp_path: Path) -> None:
    """Vault writes the new token where the caller's stands elsewhere."""
    kubernetes = {"service_account_namespace": "agents", "service_account_name": "agent-invoices"}
    made = {**NEW, "display_name": "kubernetes-agents-agent-invoices", "metadata": kubernetes}
    response = {"auth": made}
    request = {"mount_type": "kubernetes"}
    row = read(tmp_path, "auth/kubernetes/login", auth={**made, "entity_id": "e"}, request=request, response=response)
    assert (row["credential_uid"], row["issued_credential_uid"]) == (None, "vault:acc-2")
    assert row["issued_expires_at"].isoformat() == "2026-10-05T09:15:00.123456+00:00"
    assert (row["action"], row["actor_uid"], row["actor_kind"]) == ("vault:kubernetes.login", "e", "workload")
    assert ("federated_subject", "system:serviceaccount:agents:agent-invoices", "carries") in keys(row)


def test_a_web_identity_is_known_by_the_display_name(tmp_path: Path) -> None:
    """A JWT sign-in writes `<mount>-<claim>`; the claim is the subject of a pipeline's token."""
    made = {**NEW, "display_name": "ci-jwt-repo:example-org/invoices:environment:production"}
    row = read(tmp_path, "auth/ci/jwt/login", auth=made, request={"mount_type": "jwt"}, response={"auth": made})
    assert ("federated_subject", "repo:example-org/invoices:environment:production", "carries") in keys(row)


def test_a_token_makes_another(tmp_path: Path) -> None:
    """The caller's token is used, the child is issued; a token that does not expire has no end."""
    row = read(tmp_path, "auth/token/create/deployers", response={"auth": {**NEW, "token_ttl": 0}})
    assert (row["credential_uid"], row["issued_credential_uid"]) == ("vault:acc-1", "vault:acc-2")
    assert (row["action"], row["resource_uids"]) == ("vault:token.create", ["auth/token/create/deployers"])
    assert row["issued_expires_at"] is None


def test_renewing_issues_nothing(tmp_path: Path) -> None:
    """The answer to a renewal repeats the token."""
    assert read(tmp_path, "auth/token/renew-self", response={"auth": NEW})["issued_credential_uid"] is None
    lease = {"secret": {"lease_id": "aws/creds/x/1"}}
    assert read(tmp_path, "sys/leases/renew", response=lease)["issued_credential_uid"] is None


def test_a_batch_token_is_known_by_its_hmac_and_never_by_itself(tmp_path: Path) -> None:
    """It has no accessor; a device with log_raw writes it plain."""
    batch = {"client_token": HASH, "display_name": "approle"}
    assert read(tmp_path, "secret/data/a", auth=batch)["credential_uid"] == f"vault:{HASH}"
    plain = {"client_token": "hvb.plain-secret", "display_name": "approle"}
    assert read(tmp_path, "secret/data/a", auth=plain)["credential_uid"] is None


@pytest.mark.parametrize(
    ("path", "request_", "revoked"),
    [
        ("auth/token/revoke-self", {}, "vault:acc-1"),
        ("auth/token/revoke-accessor", {"data": {"accessor": "acc-9"}}, "vault:acc-9"),
        ("auth/token/revoke", {"data": {"token": HASH}}, None),
        ("sys/leases/revoke/aws/creds/x/1", {}, "vault:aws/creds/x/1"),
        ("sys/leases/revoke", {"data": {"lease_id": HASH}}, None),
        ("auth/approle/role/a/secret-id-accessor/destroy", {"data": {"secret_id_accessor": "s-1"}}, "vault:s-1"),
    ],
)
def test_what_is_revoked(path: str, request_: Any, revoked: str | None, tmp_path: Path) -> None:
    """Only what is named as it was issued; only once it is done."""
    assert read(tmp_path, path, request=request_)["revoked_credential_uid"] == revoked
    for undone in (
        read(tmp_path, path, "request", request=request_),
        read(tmp_path, path, request=request_, error="permission denied"),
    ):
        assert undone["revoked_credential_uid"] is None


def test_dynamic_secrets_secret_ids_and_wrappings_are_issued(tmp_path: Path) -> None:
    """By lease, by accessor, and by the token inside a wrapping."""
    read_ = {"operation": "read", "mount_type": "database"}
    secret = read(
        tmp_path, "database/creds/ro", request=read_, response={"secret": {"lease_id": "database/creds/ro/1"}}
    )
    assert (secret["action"], secret["issued_credential_uid"]) == ("vault:database.read", "vault:database/creds/ro/1")
    assert "read_only" not in secret["detail"]
    path = "auth/approle/role/a/secret-id"
    made = read(tmp_path, path, request={"mount_type": "approle"}, response={"data": {"secret_id_accessor": "s-1"}})
    assert made["issued_credential_uid"] == "vault:s-1"
    wrap = {"accessor": "w-1", "ttl": 60, "creation_time": "2026-10-05T09:00:00Z"}
    wrapped = read(tmp_path, path, response={"wrap_info": wrap})
    assert wrapped["issued_credential_uid"] == "vault:w-1"
    assert wrapped["issued_expires_at"].isoformat() == "2026-10-05T09:01:00+00:00"


def test_a_token_inside_a_wrapping_is_two_tokens(tmp_path: Path) -> None:
    """Itself and the one that unwraps it, which was asked for with the same token; who shows that one unwraps."""
    wrap = {"accessor": "w-1", "ttl": 60, "creation_time": "2026-10-05T09:00:00Z", "wrapped_accessor": "acc-2"}
    made = json.dumps(entry("auth/token/create", response={"wrap_info": wrap})).encode()
    inner, around = rows("vault_audit", made, tmp_path)
    assert (inner["issued_credential_uid"], around["issued_credential_uid"]) == ("vault:acc-2", "vault:w-1")
    assert inner["credential_uid"] == around["credential_uid"] == "vault:acc-1"
    assert inner["issued_expires_at"] is None and around["issued_expires_at"].minute == 1
    assert inner["detail"]["request"] != around["detail"]["request"]
    unwrapped = read(tmp_path, "sys/wrapping/unwrap", auth={**AUTH, "accessor": "w-1"}, response={"auth": NEW})
    assert (unwrapped["credential_uid"], unwrapped["issued_credential_uid"]) == ("vault:w-1", None)
    asked = json.dumps(entry("auth/token/create", "request")).encode()
    assert len(rows("vault_audit", asked, tmp_path)) == 1


@pytest.mark.parametrize(
    ("members", "outcome", "error"),
    [
        ({"error": "1 error occurred:\n\t* permission denied\n\n"}, "denied", "permission denied"),
        ({"auth": {**AUTH, "policy_results": {"allowed": False}}}, "denied", "permission denied"),
        ({"error": "1 error occurred:\n\t* invalid request\n\n"}, "failure", "invalid request"),
        ({"error": "cannot convert 'hunter2' to a number"}, "failure", None),
        ({"response": {"data": {"error": HASH}}}, "failure", None),
        ({"response": {"data": {"error": HASH, "other": 1}}}, "success", None),
    ],
)
def test_outcomes(members: Any, outcome: str, error: str | None, tmp_path: Path) -> None:
    """An error may repeat what was sent, so only Vault's own phrases reach the column."""
    row = read(tmp_path, "secret/data/a", **members)
    assert (row["outcome"], row["error_code"]) == (outcome, error)


def test_a_token_in_the_path_reaches_no_column(tmp_path: Path) -> None:
    """Old clients put it there."""
    row = read(tmp_path, "auth/token/revoke/hvs.plain-secret")
    assert (row["action"], row["resource_uids"]) == ("vault:token.revoke", ["auth/token/revoke"])


def test_namespaces_are_part_of_the_path(tmp_path: Path) -> None:
    """The same path in another namespace is another secret."""
    row = read(tmp_path, "secret/data/a", request={"namespace": {"id": "x", "path": "finance/"}})
    assert (row["account_uid"], row["resource_uids"]) == ("finance", ["finance/secret/data/a"])


@pytest.mark.parametrize(
    ("auth", "kind"),
    [
        ({"display_name": "userpass-mira"}, "human"),
        ({"display_name": "approle"}, "service"),
        ({"display_name": "aws-i-0a1b2c3d"}, "workload"),
        ({"display_name": "token-ci", "metadata": {"role_name": "ci"}}, "service"),
        ({"display_name": "root"}, "unknown"),
        ({}, None),
    ],
)
def test_who_acts_is_known_by_the_way_it_signed_in(auth: Any, kind: str | None, tmp_path: Path) -> None:
    """Without a sign-in that says so, nothing is guessed."""
    assert read(tmp_path, "secret/data/a", auth=auth)["actor_kind"] == kind


def test_entries_without_request_are_put_aside(tmp_path: Path) -> None:
    """With the reason; another log with time, type and request is not taken for Vault's."""
    other = {"time": "2026-10-05T09:00:00Z", "type": "request", "request": {"method": "GET", "path": "/"}}
    assert claimed_by(json.dumps(other).encode()) == []
    (row,) = quarantined("vault_audit", json.dumps(other).encode(), tmp_path)
    assert row.reason == "no type, request id or path: not a Vault audit entry"


def test_the_sample_shows_a_token_from_issue_to_revocation() -> None:
    """Issued at the sign-in, used, and revoked by itself."""
    found = expected_events("vault_audit")
    token = found[1]["issued_credential_uid"]
    assert [row.get("credential_uid") for row in found].count(token) == 6
    assert found[-1]["revoked_credential_uid"] == token


def test_a_trace_context_that_is_written_plain_leads_to_the_call(tmp_path: Path) -> None:
    """The header says from which span a request comes; its HMAC says nothing."""
    trace, span = "0af7651916cd43dd8448eb211c80319c", "00000000000000a1"
    plain = read(tmp_path, "secret/data/a", request={"headers": {"Traceparent": [f"00-{trace}-{span}-01"]}})
    assert ("span", f"{trace}/{span}", "uses") in keys(plain)
    for said in (HASH, "00-1-2", f"00-{'0' * 32}-{span}-01"):
        hidden = read(tmp_path, "secret/data/a", request={"headers": {"traceparent": [said]}})
        assert not [key for key in keys(hidden) if key[0] == "span"]
