"""What a Cloud Audit Logs entry issued or revoked: short-lived tokens of a service account, its keys, API keys.

Methods: https://cloud.google.com/iam/docs/audit-logging/audit-logging-iamcreds and .../audit-logging
No entry shows an id of a token, so a token is named after the entry that issued it (`gcp:token:<project>/<insertId>`),
and its use is found by whom it lets its holder appear as. A key is known by its own id (`gcp:key:<id>`).
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from ultravires.reading.mending import UNDECODABLE, decode_inner
from ultravires.reading.values import checked_micros, integer, mapping, micros, sequence, text
from ultravires.sources.gcp.principals import Caller, appearing, principal_of

_SECOND = 1_000_000
_DEFAULT_LIFETIME = 3600
_LONGEST_LIFETIME = 43_200  # seconds, where a policy of the organization allows to extend the lifetime
_API_KEYS = ".apikeys."


class Issued(msgspec.Struct, frozen=True, gc=False):
    """A credential that the entry made, and as whom its holder appears; times in microseconds."""

    credential_uid: str | None = None
    expires_at: int | None = None
    seconds: int | None = None
    acts_as: str | None = None
    bearer: str | None = None


NOTHING_ISSUED = Issued()


class Call(msgspec.Struct, frozen=True, gc=False):
    """What these functions need of an entry."""

    method: str
    payload: dict[str, Any]
    record: dict[str, Any]
    project: str | None
    insert_id: str | None
    event_at: int
    caller: Caller


def issued_by(call: Call) -> Issued:
    """The credential that this successful call issued; empty where it issued none."""
    issue = _ISSUES.get(operation_of(call.method))
    return issue(call) if issue else NOTHING_ISSUED


def revoked_by(call: Call) -> str | None:
    """The key that this successful call deleted or switched off."""
    operation = operation_of(call.method)
    is_api_key = operation == "deletekey" and _API_KEYS in call.method
    if not is_api_key and operation not in _REVOKES:
        return None
    request = mapping(call.payload.get("request"))
    names = (request.get("name"), call.payload.get("resourceName"))
    prefix = "gcp:apikey:" if is_api_key else "gcp:key:"
    return next((prefix + key for name in names if (key := key_of(name))), None)


@lru_cache(maxsize=4_096)
def operation_of(method: str) -> str:
    """The last word of a method's name, which services write with and without the interface before it."""
    return method.rpartition(".")[2].lower()


def key_of(name: Any) -> str | None:
    """The id in a key's name, `.../keys/<id>`."""
    found = text(name)
    return found.rpartition("/keys/")[2] or None if found and "/keys/" in found else None


def service_account_of(name: Any) -> str | None:
    """The e-mail address in a service account's name, `projects/-/serviceAccounts/<address>`; None for its number."""
    found = text(name)
    account = found.rpartition("serviceAccounts/")[2].partition("/")[0] if found else ""
    return account if "@" in account else None


def project_of(service_account: str | None) -> str | None:
    """The project in a service account's address, where it has one."""
    domain = service_account.partition("@")[2] if service_account else ""
    return domain.removesuffix(".iam.gserviceaccount.com") if domain.endswith(".iam.gserviceaccount.com") else None


def _impersonation(call: Call) -> Issued:
    request = mapping(call.payload.get("request"))
    account = service_account_of(request.get("name")) or _labelled_account(call)
    if account is None or call.insert_id is None:
        return NOTHING_ISSUED
    maker = _last_delegate(call, account) or call.caller.uid
    seconds = _lifetime(request)
    return Issued(
        credential_uid=_token(call),
        expires_at=_expiry(request) or checked_micros(call.event_at + seconds * _SECOND),
        seconds=seconds,
        acts_as=account,
        bearer=appearing(account, maker) if maker else None,
    )


def _labelled_account(call: Call) -> str | None:
    labels = mapping(mapping(call.record.get("resource")).get("labels"))
    return text(labels.get("email_id")) or service_account_of(call.payload.get("resourceName"))


def _last_delegate(call: Call, account: str) -> str | None:
    """Who stands directly before the service account where the caller named delegates in between."""
    chain = sequence(mapping(call.payload.get("metadata")).get("identityDelegationChain"))
    chain = chain or sequence(mapping(call.payload.get("request")).get("delegates"))
    between = [name for entry in chain if (name := service_account_of(entry)) and name != account]
    return between[-1] if between else None


def _lifetime(request: dict[str, Any]) -> int:
    """Seconds, which JSON writes as `"900s"`."""
    asked = request.get("lifetime")
    seconds = integer(asked.removesuffix("s") if type(asked) is str else mapping(asked).get("seconds"))
    return seconds if seconds is not None and 0 < seconds <= _LONGEST_LIFETIME else _DEFAULT_LIFETIME


def _expiry(request: dict[str, Any]) -> int | None:
    """The `exp` of the claims that SignJwt signs."""
    claims = request.get("payload")
    if type(claims) is not str or '"exp"' not in claims:
        return None
    try:
        return micros(mapping(decode_inner(claims.encode(), msgspec.json.decode)).get("exp"))
    except UNDECODABLE:
        return None


def _exchange(call: Call) -> Issued:
    """A token of a foreign issuer for a federated one: its holder appears as the principal it was mapped to."""
    metadata = mapping(call.payload.get("metadata"))
    principal = principal_of(metadata.get("mapped_principal") or metadata.get("mappedPrincipal"))
    if principal is None or call.insert_id is None:
        return NOTHING_ISSUED
    return Issued(
        credential_uid=_token(call),
        expires_at=checked_micros(call.event_at + _DEFAULT_LIFETIME * _SECOND),
        seconds=_DEFAULT_LIFETIME,
        acts_as=principal,
        bearer=principal,
    )


def _service_account_key(call: Call) -> Issued:
    key = key_of(mapping(call.payload.get("response")).get("name"))
    return Issued(credential_uid=f"gcp:key:{key}") if key else NOTHING_ISSUED


def _api_key(call: Call) -> Issued:
    key = key_of(mapping(call.payload.get("response")).get("name"))
    return Issued(credential_uid=f"gcp:apikey:{key}") if key and _API_KEYS in call.method else NOTHING_ISSUED


def _token(call: Call) -> str:
    return f"gcp:token:{call.project or ''}/{call.insert_id}"


# SignBlob signs any bytes, mostly URLs of objects, and so is not taken for the issue of a credential.
_ISSUES: dict[str, Callable[[Call], Issued]] = {
    "generateaccesstoken": _impersonation,
    "generateidtoken": _impersonation,
    "signjwt": _impersonation,
    "exchangetoken": _exchange,
    "createserviceaccountkey": _service_account_key,
    "uploadserviceaccountkey": _service_account_key,
    "createkey": _api_key,
}
_REVOKES = frozenset({"deleteserviceaccountkey", "disableserviceaccountkey"})
