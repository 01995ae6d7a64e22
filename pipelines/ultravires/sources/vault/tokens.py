"""Who a Vault token stands for, and which tokens, leases and secret ids a response issued or revoked.

An accessor names a token without being able to act as it; audit devices write its HMAC unless told otherwise. Batch
tokens have no accessor: there the HMAC of the token serves, and a token in plain text (`log_raw`) never does.
"""

from functools import lru_cache
from typing import Any

import msgspec

from ultravires.reading.values import integer, mapping, micros, text
from ultravires.sources.vault.paths import Operation

_HASHED = "hmac-sha256:"
_SECOND = 1_000_000
_PEOPLE = frozenset({"userpass", "ldap", "oidc", "okta", "saml", "github", "radius"})
_WORKLOADS = frozenset({"kubernetes", "aws", "gcp", "azure", "cert", "spiffe", "alicloud", "oci", "cf"})


class Issue(msgspec.Struct, frozen=True, gc=False):
    """Ids with the prefix `vault:`, or None; `expires_at` in microseconds; `subject` is the web identity that a sign-in
    presented.
    """

    issued: str | None = None
    expires_at: int | None = None
    revoked: str | None = None
    subject: str | None = None


NOTHING = Issue()


def token_of(auth: dict[str, Any], request: dict[str, Any]) -> str | None:
    """The token that made the request."""
    accessor = text(auth.get("accessor")) or text(request.get("client_token_accessor"))
    return f"vault:{accessor}" if accessor else _hashed(auth.get("client_token") or request.get("client_token"))


def issue_of(
    operation: Operation, request: dict[str, Any], response: dict[str, Any], caller: str | None, at: int
) -> Issue:
    """What a successful response issued and revoked; `caller` is the token that asked."""
    made, wrap = mapping(response.get("auth")), mapping(response.get("wrap_info"))
    if operation.makes_token and made:
        accessor = text(made.get("accessor"))
        issued = f"vault:{accessor}" if accessor else _hashed(made.get("client_token"))
        return Issue(issued, _after(at, made.get("token_ttl")), subject=subject_of(operation, made))
    if wrap:
        return _wrapped(wrap, at)
    if operation.revokes or operation.lease:
        return Issue(revoked=_revoked(operation, mapping(request.get("data")), caller))
    return _secret(operation, response)


def _wrapped(wrap: dict[str, Any], at: int) -> Issue:
    """The token inside a wrapping, whoever unwraps it; else the wrapping's own."""
    wrapped = text(wrap.get("wrapped_accessor"))
    return Issue(f"vault:{wrapped}") if wrapped else _wrapping(wrap, at)


def wrapping_around(response: dict[str, Any], at: int) -> Issue:
    """The wrapping's own token, which can be used once, where there is another token inside of it."""
    wrap = mapping(response.get("wrap_info"))
    return _wrapping(wrap, at) if text(wrap.get("wrapped_accessor")) else NOTHING


def _wrapping(wrap: dict[str, Any], at: int) -> Issue:
    accessor = text(wrap.get("accessor"))
    expires_at = _after(micros(wrap.get("creation_time")) or at, wrap.get("ttl"))
    return Issue(f"vault:{accessor}", expires_at) if accessor else NOTHING


def _revoked(operation: Operation, data: dict[str, Any], caller: str | None) -> str | None:
    if operation.revokes == "self":
        return caller
    named = text(data.get(operation.revokes)) if operation.revokes else operation.lease
    return f"vault:{named}" if named else None


def _secret(operation: Operation, response: dict[str, Any]) -> Issue:
    """A dynamic secret by its lease; an AppRole secret id by its accessor. Renewing a lease issues nothing."""
    lease = text(response.get("lease_id"))
    if lease and not operation.action.startswith("vault:sys/"):
        return Issue(f"vault:{lease}")
    accessor = text(mapping(response.get("data")).get("secret_id_accessor"))
    is_made = accessor is not None and operation.resource.endswith(("/secret-id", "/custom-secret-id"))
    return Issue(f"vault:{accessor}") if is_made else NOTHING


def subject_of(operation: Operation, auth: dict[str, Any]) -> str | None:
    """The Kubernetes service account, or the claim that a JWT sign-in is known by: it ends the display name."""
    if operation.login_mount is None:
        return None
    if account := _service_account(mapping(auth.get("metadata"))):
        return account
    name = text(auth.get("display_name")) or ""
    prefix = operation.login_mount.replace("/", "-") + "-"
    is_web = operation.action in ("vault:jwt.login", "vault:oidc.login")
    return name.removeprefix(prefix) or None if is_web and name.startswith(prefix) else None


def workload_of(auth: dict[str, Any]) -> str | None:
    """The service account, cloud principal or instance that the token was issued to, as its metadata says."""
    metadata = mapping(auth.get("metadata"))
    found = (text(metadata.get(name)) for name in ("canonical_arn", "instance_id", "service_account_email"))
    return _service_account(metadata) or next((name for name in found if name), None)


def kind_of(auth: dict[str, Any], login_type: str | None) -> str | None:
    """By how it signed in: the auth method, later the display name, which starts with the method's path."""
    if not auth:
        return None
    metadata = mapping(auth.get("metadata"))
    if _service_account(metadata):
        return "workload"
    method = login_type or (text(auth.get("display_name")) or "").partition("-")[0]
    return _kind_of_method(method, "role_name" in metadata)


@lru_cache(maxsize=1024)
def _kind_of_method(method: str, has_role: bool) -> str:
    if method in _PEOPLE:
        return "human"
    if method in _WORKLOADS:
        return "workload"
    return "service" if method == "approle" or has_role else "unknown"


def _service_account(metadata: dict[str, Any]) -> str | None:
    namespace, name = text(metadata.get("service_account_namespace")), text(metadata.get("service_account_name"))
    return f"system:serviceaccount:{namespace}:{name}" if namespace and name else None


def _hashed(value: Any) -> str | None:
    return f"vault:{value}" if type(value) is str and value.startswith(_HASHED) else None


def _after(at: int, seconds: Any) -> int | None:
    """No end for 0, which is how Vault writes a token that does not expire."""
    ttl = integer(seconds)
    return at + ttl * _SECOND if ttl is not None and 0 < ttl < 1 << 33 else None
