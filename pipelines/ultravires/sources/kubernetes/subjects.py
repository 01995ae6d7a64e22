"""Who a Kubernetes audit event says it was: `user` and `impersonatedUser` as one Caller.

User and its extra: https://kubernetes.io/docs/reference/access-authn-authz/authentication/ and, for EKS, the extra that
the IAM authenticator adds. Credential ids: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
"""

from functools import lru_cache
from typing import Any

import msgspec

from ultravires.reading.values import mapping, sequence, text
from ultravires.sources.aws.arns import role_of_session
from ultravires.sources.aws.identities import credential_id
from ultravires.sources.gcp.credentials import key_of
from ultravires.sources.gcp.principals import caller_of as google_caller_of
from ultravires.sources.gcp.principals import federated_subject

SERVICE_ACCOUNT = "system:serviceaccount:"
_EXTRA = "authentication.kubernetes.io/"
_ANONYMOUS = "system:anonymous"


class Caller(msgspec.Struct, frozen=True, gc=False):
    """The subject whose power a request used, who stands behind it, and the credential that was presented.

    Of an impersonated request `uid` is the impersonated subject and `behind` the one who authenticated.
    """

    uid: str | None
    kind: str
    behind: str | None
    credential_uid: str | None
    bearer: str | None
    role_arn: str | None
    session_name: str | None
    workload: str | None
    federated_subject: str | None = None
    """The name that the log of a foreign issuer has for a subject that Google Cloud calls by a name of its own."""


def caller_of(event: dict[str, Any]) -> Caller:
    """`user` and `impersonatedUser` to a Caller; every member may be missing."""
    user = mapping(event.get("user"))
    extra = mapping(user.get("extra"))
    role, session = _aws_session(extra) if extra else (None, None)
    authenticated = _uid(user, role)
    impersonated = text(mapping(event.get("impersonatedUser")).get("username"))
    uid = impersonated or authenticated
    credential = _credential(extra) if extra else None
    is_bearer = credential is None and authenticated is not None and authenticated.startswith(SERVICE_ACCOUNT)
    return Caller(
        uid=uid,
        kind=_kind(uid, authenticated, role),
        behind=authenticated if impersonated and impersonated != authenticated else None,
        credential_uid=credential,
        bearer=authenticated if is_bearer else None,
        role_arn=role,
        session_name=session,
        workload=_workload(extra, authenticated) if extra else None,
    )


def _kind(uid: str | None, authenticated: str | None, role: str | None) -> str:
    """A name that EKS gives a session of a role is that role, whatever it is called."""
    if role and uid == role:
        return "role"
    kind = kind_of(uid)
    return "role" if kind == "unknown" and role and uid == authenticated else kind


def google_caller(info: dict[str, Any]) -> Caller:
    """`authenticationInfo` of a GKE cluster's entry to a Caller, named and joined as in Google Cloud's other logs: a
    principal of Google is one actor there and in the cluster. Google keeps no `extra`, so no id of a token.
    """
    found = google_caller_of(info)
    key = key_of(found.key_name)
    is_of_cluster = found.uid is not None and found.uid.startswith("system:")
    return Caller(
        uid=found.uid,
        kind=kind_of(found.uid) if is_of_cluster else found.kind,
        behind=found.origin,
        credential_uid=f"gcp:key:{key}" if key else None,
        bearer=found.bearer,
        role_arn=found.uid if found.via else None,
        session_name=None,
        workload=None,
        federated_subject=federated_subject(found.uid) if found.uid else None,
    )


def service_account(namespace: str, name: str) -> str:
    """The user name of a service account."""
    return f"{SERVICE_ACCOUNT}{namespace}:{name}"


def credential_uid(value: Any) -> str | None:
    """`JTI=...` (a token) or `X509SHA256=...` (a certificate), told apart from ids of other systems."""
    identifier = text(value)
    return f"k8s:{identifier}" if identifier else None


def _credential(extra: dict[str, Any]) -> str | None:
    """The AWS access key that signed the token of an EKS cluster, which CloudTrail knows too; else Kubernetes' own."""
    return credential_id(_first(extra, "accessKeyId")) or credential_uid(_first(extra, f"{_EXTRA}credential-id"))


def _aws_session(extra: dict[str, Any]) -> tuple[str | None, str | None]:
    """The role and the session name of an EKS caller; neither for an IAM user."""
    role, session = role_of_session(_first(extra, "arn"))
    if role is None:
        return None, None
    return _first(extra, "canonicalArn") or role, _first(extra, "sessionName") or session


def _uid(user: dict[str, Any], role: str | None) -> str | None:
    """The user name, and of a session of a role that is not mapped to a name of its own the role."""
    name = text(user.get("username"))
    if name is None or not name.startswith("arn:"):
        return name
    return role or named_uid(name)


def named_uid(name: str) -> str:
    """A user whom only their name tells of, as in the subject of a binding."""
    return (role_of_session(name)[0] or name) if name.startswith("arn:") else name


def _workload(extra: dict[str, Any], name: str | None) -> str | None:
    """The pod that the token is bound to (its uid, which other logs know, else its name), else the node."""
    if pod := _first(extra, f"{_EXTRA}pod-uid"):
        return pod
    if pod := _first(extra, f"{_EXTRA}pod-name"):
        namespace = name.split(":")[2] if name and name.startswith(SERVICE_ACCOUNT) else ""
        return f"namespaces/{namespace}/pods/{pod}"
    return _first(extra, f"{_EXTRA}node-name")


def _first(extra: dict[str, Any], name: str) -> str | None:
    values = sequence(extra.get(name))
    return text(values[0]) if values else None


@lru_cache(maxsize=65536)
def kind_of(uid: str | None) -> str:
    """The kind of actor that this user name is. Anybody may hold the certificate of a name without a domain; a node is
    the cluster's own, which asks for its pods' tokens all day long.
    """
    if uid is None or uid == _ANONYMOUS:
        return "unknown"
    if uid.startswith(SERVICE_ACCOUNT):
        return "workload"
    if uid.startswith(("system:", "eks:", "aks")):
        return "service"
    if uid.startswith("arn:"):
        return "role" if ":role/" in uid else "unknown"
    return "human" if "@" in uid else "unknown"
