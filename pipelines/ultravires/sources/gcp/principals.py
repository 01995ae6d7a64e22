"""Who a Cloud Audit Logs entry says it was: its `authenticationInfo` as one Caller.

AuditLog: https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog
Federated subjects: https://cloud.google.com/iam/docs/audit-logging/examples-workload-identity
"""

import re
from functools import lru_cache
from typing import Any

import msgspec

from ultravires.reading.values import mapping, sequence, text
from ultravires.sources.aws.arns import role_of_session

_PREFIXES = ("user:", "serviceAccount:")
_SERVICE_ACCOUNT = "gserviceaccount.com"
_GOOGLE = "system@google.com"  # Google itself, in system events
_KUBERNETES = "system:serviceaccount:"
_GKE = re.compile(r"[^\[\]/]+\.svc\.id\.goog\[([^/\[\]]+)/([^/\[\]]+)\]")
_FEDERATED = re.compile(r"principal://iam\.googleapis\.com/.*?/(workforce|workloadIdentity)Pools/[^/]+/subject/(.+)")
_DELETED = "deleted:"
_IDENTIFIERS = (
    ("user:", ""),
    ("serviceAccount:", ""),
    ("principal://goog/subject/", ""),
    ("principal://iam.googleapis.com/projects/-/serviceAccounts/", ""),
    ("principalSet://goog/group/", "group:"),
)
"""How an identifier of a principal begins, and how its name here does."""
_EVERYBODY = {"principalSet://goog/public:all": "allUsers"}
_GKE_SUBJECT = re.compile(r"ns/([^/]+)/sa/([^/]+)")


class Caller(msgspec.Struct, frozen=True, gc=False):
    """The subject of an entry. `via` is who made the credential by which it acts as a service account, `origin` who
    stands at the beginning of that chain; both None where nobody stands behind it. `key_name` is the key it used; where
    somebody stands behind it, the key that an entry names began the chain and was not used here.
    """

    uid: str | None
    kind: str
    key_name: str | None
    via: str | None
    origin: str | None

    @property
    def bearer(self) -> str | None:
        """As whom the holder of a credential appears here, where the entry shows no credential."""
        if self.uid is None or self.key_name:
            return None
        if self.via:
            return appearing(self.uid, self.via)
        return self.uid if self.kind == "workload" else None


def caller_of(info: dict[str, Any]) -> Caller:
    """`authenticationInfo` to a Caller; every member may be missing."""
    uid = text(info.get("principalEmail")) or principal_of(info.get("principalSubject"))
    via, origin = _behind(info.get("serviceAccountDelegationInfo"))
    key_name = None if via else text(info.get("serviceAccountKeyName"))
    return Caller(uid, kind_of(uid), key_name, via, origin)


def appearing(service_account: str, via: str) -> str:
    """How a credential of a service account that `via` made is recognised again: the log shows both and no id."""
    return f"{service_account} via {via}"


def principal_of(subject: Any) -> str | None:
    """A principal subject as the log names that subject elsewhere: `user:` and `serviceAccount:` are left out."""
    name = text(subject)
    if name is None:
        return None
    return next((name[len(prefix) :] or None for prefix in _PREFIXES if name.startswith(prefix)), name)


def holder_of(member: str) -> str:
    """A member of a policy as the log names it where it acts; groups, domains and sets, which never act, as policies
    name them: `group:<address>`, `domain:<name>`, `allUsers`, `principalSet://...`. The principals of deny policies are
    the same with other words. Who was deleted keeps that name, for a later one of the same address holds nothing of it.

    https://cloud.google.com/iam/docs/principal-identifiers
    """
    for before, after in _IDENTIFIERS:
        if member.startswith(before) and len(member) > len(before):
            return after + member[len(before) :]
    return _EVERYBODY.get(member, member)


def before_deletion(member: str) -> str | None:
    """Who `deleted:<member>?uid=<number>` was; None of others."""
    if not member.startswith(_DELETED):
        return None
    return holder_of(member.removeprefix(_DELETED).partition("?uid=")[0])


def _behind(info: Any) -> tuple[str | None, str | None]:
    """(the nearest, the first) principal behind the service account.

    Entries come nearest first. Where only one end of the list is no service account, that end is the origin whatever
    the order: a person or a foreign workload can begin a chain and never stands in its middle.
    """
    chain = [name for entry in sequence(info) if (name := _delegate(mapping(entry)))]
    if not chain:
        return None, None
    if not _is_service_account(chain[0]) and _is_service_account(chain[-1]):
        chain.reverse()
    return chain[0], chain[-1]


def _delegate(entry: dict[str, Any]) -> str | None:
    party = mapping(entry.get("firstPartyPrincipal"))
    return (
        text(party.get("principalEmail"))
        or principal_of(entry.get("principalSubject"))
        or principal_of(party.get("principalSubject"))
    )


def _is_service_account(name: str) -> bool:
    return name.endswith(_SERVICE_ACCOUNT)


@lru_cache(maxsize=65536)
def kind_of(uid: str | None) -> str:
    """The kind of actor that this principal is."""
    if uid is None:
        return "unknown"
    if _is_service_account(uid) or uid == _GOOGLE:
        return "service"
    if uid.startswith(_KUBERNETES) or _GKE.fullmatch(uid):
        return "workload"
    if federated := _FEDERATED.fullmatch(uid):
        return "human" if federated[1] == "workforce" else "workload"
    if role_of_session(uid)[0]:
        return "role"
    return "human" if "@" in uid and not uid.startswith("system:") else "unknown"


def presented_subject(subject: str) -> str:
    """The subject of a foreign token as an exchange of tokens shows it; a session of an AWS role is its role."""
    return role_of_session(subject)[0] or subject


def presented_session(subject: str | None) -> str | None:
    """`<role>/<session name>` of a foreign token that is a session of an AWS role."""
    role, session = role_of_session(subject)
    return f"{role}/{session}" if role and session else None


@lru_cache(maxsize=65536)
def federated_subject(uid: str) -> str | None:
    """The subject that a foreign issuer vouched for, in the words of its own log.

    A Kubernetes service account is `system:serviceaccount:<namespace>:<name>`, a session of an AWS role its role.
    """
    if gke := _GKE.fullmatch(uid):
        return f"{_KUBERNETES}{gke[1]}:{gke[2]}"
    federated = _FEDERATED.fullmatch(uid)
    if federated is None:
        return None
    subject = federated[2]
    if gke := _GKE_SUBJECT.fullmatch(subject):
        return f"{_KUBERNETES}{gke[1]}:{gke[2]}"
    return presented_subject(subject)
