"""What only the object of a request says of its effects (reading/effects.py): pods that break out of their container,
code in the system's own namespaces, tokens that last, services that listen outside, and callers without credentials.

The fields are those of https://kubernetes.io/docs/concepts/security/pod-security-standards/ (what the baseline and
restricted standards refuse), https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets and
https://kubernetes.io/docs/concepts/services-networking/service/. An event at the level Metadata has no object.
"""

from itertools import islice
from typing import Any

from ultravires.reading.effects import Json, effect, no_effect
from ultravires.reading.values import integer, mapping, sequence, text

_MAKES = frozenset({"create", "update", "patch"})
_WORKLOADS = frozenset(
    {"pods", "deployments", "daemonsets", "statefulsets", "replicasets", "replicationcontrollers", "jobs", "cronjobs"}
)
LOOKED_AT = _WORKLOADS | {"secrets", "services", "configmaps", "namespaces", "certificatesigningrequests"}
"""Resources whose objects say more than the action does."""
_SYSTEM_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})
_SYSTEM = ("system:", "eks:", "aks")
"""How the names of a cluster's own callers begin; they run its workloads."""
_SYSTEM_ACCOUNTS = tuple(f"system:serviceaccount:{namespace}:" for namespace in sorted(_SYSTEM_NAMESPACES))
_OF_GKE = "@container-engine-robot.iam.gserviceaccount.com"
"""How the name of the account ends with which Google runs clusters: https://cloud.google.com/iam/docs/service-agents"""
_OF_NODES = frozenset({"kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving"})
"""Signers whose certificates are of nodes: https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/"""
_ENFORCED = "pod-security.kubernetes.io/enforce"
_BREAKING_OUT = frozenset(
    {"ALL", "SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "SYS_MODULE", "DAC_READ_SEARCH", "DAC_OVERRIDE", "BPF"}
)
_ANONYMOUS = "system:anonymous"
_OPEN_TO_ALL = ("/healthz", "/livez", "/readyz", "/version", "/.well-known/openid-configuration", "/openid/v1/jwks")
"""What a cluster answers to everybody by default (the role system:public-info-viewer, and the discovery of OIDC)."""
_OUTSIDE_TYPES = frozenset({"NodePort", "LoadBalancer"})
_INTERNAL = (
    ("networking.gke.io/load-balancer-type", "Internal"),
    ("cloud.google.com/load-balancer-type", "Internal"),
    ("service.beta.kubernetes.io/azure-load-balancer-internal", "true"),
    ("service.beta.kubernetes.io/aws-load-balancer-internal", "true"),
    ("service.beta.kubernetes.io/aws-load-balancer-scheme", "internal"),
)
"""Annotations of a balancer that only the cluster's own network reaches."""
_MOST = 200


_NODE = "system:node:"
"""A node asks for the tokens of the pods that run on it, and of no others:
https://kubernetes.io/docs/reference/access-authn-authz/node/"""


def effects_of(event: Json, verb: str | None, resource: str | None, caller: str | None, outcome: str) -> list[Json]:
    """The effects that the event's object shows, none where nothing is looked at."""
    found = _anonymous(event, caller, outcome)
    if resource == "serviceaccounts/token" and caller is not None and caller.startswith(_NODE):
        return [*found, no_effect("issues_credential")]
    if verb not in _MAKES or resource not in LOOKED_AT:
        return found
    given, target = mapping(event.get("requestObject")), mapping(event.get("objectRef"))
    namespace = text(target.get("namespace")) or text(mapping(given.get("metadata")).get("namespace"))
    if resource == "configmaps":
        return found + _mapped_users(target, namespace)
    return found + _of_object(given, resource, namespace, caller)


def _of_object(given: Json, resource: str, namespace: str | None, caller: str | None) -> list[Json]:
    if resource in _WORKLOADS:
        return _workload(_pod_spec(given, resource), resource, namespace, caller)
    if resource == "secrets":
        return _token_secret(given, namespace)
    if resource == "namespaces":
        return _unguarded(given)
    if resource == "certificatesigningrequests":
        return _own_certificate(given, caller)
    return _listening(given)


def _listening(given: Json) -> list[Json]:
    """A service with a port of the nodes or a balancer before it; for whom the balancer is, only some say:
    https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer
    """
    spec, annotations = mapping(given.get("spec")), mapping(mapping(given.get("metadata")).get("annotations"))
    is_internal = any(text(annotations.get(name)) == value for name, value in _INTERNAL)
    if text(spec.get("type")) not in _OUTSIDE_TYPES or is_internal:
        return []
    ranges = sequence(spec.get("loadBalancerSourceRanges"))[:_MOST]
    is_public = any(each in ("0.0.0.0/0", "::/0") for each in ranges)
    return [effect("exposes", target="public" if is_public else "resource")]


def _anonymous(event: Json, caller: str | None, outcome: str) -> list[Json]:
    """That a caller without credentials was answered shows what is open to everybody."""
    path = (text(event.get("requestURI")) or "").partition("?")[0]
    is_open = caller == _ANONYMOUS and outcome == "success" and not path.startswith(_OPEN_TO_ALL)
    return [effect("exposes", target="public")] if is_open else []


def _pod_spec(given: Json, resource: str) -> Json:
    spec = mapping(given.get("spec"))
    if resource == "cronjobs":
        spec = mapping(mapping(spec.get("jobTemplate")).get("spec"))
    return spec if resource == "pods" else mapping(mapping(spec.get("template")).get("spec"))


def _workload(spec: Json, resource: str, namespace: str | None, caller: str | None) -> list[Json]:
    """A pod that is no longer held in its container weakens the guard of its node; a pod of a person among those of
    the system runs where nobody looks, and a cron job runs again and again.
    """
    is_systems_own = _is_systems_own(caller)
    guard = [effect("weakens_guard")] if _breaks_out(spec) and not is_systems_own else []
    is_hidden = namespace in _SYSTEM_NAMESPACES or resource == "cronjobs"
    return guard + ([effect("runs_code")] if is_hidden and not is_systems_own else [])


def _is_systems_own(caller: str | None) -> bool:
    """A service account counts by its namespace, and who has no credentials is nobody of the cluster."""
    if caller is None or caller == _ANONYMOUS:
        return False
    if caller.startswith("system:serviceaccount:"):
        return caller.startswith(_SYSTEM_ACCOUNTS)
    return caller.startswith(_SYSTEM) or caller.endswith(_OF_GKE)


def _breaks_out(spec: Json) -> bool:
    if any(spec.get(name) is True for name in ("hostPID", "hostIPC", "hostNetwork")):
        return True
    if any("hostPath" in volume for volume in _listed(spec.get("volumes"))):
        return True
    containers = [each for name in ("containers", "initContainers") for each in _listed(spec.get(name))]
    of_pod = mapping(spec.get("securityContext"))
    return _is_root(of_pod) or any(_is_unbound(mapping(each.get("securityContext"))) for each in containers)


def _is_unbound(context: Json) -> bool:
    added = sequence(mapping(context.get("capabilities")).get("add"))[:_MOST]
    names = {name.removeprefix("CAP_") for name in added if type(name) is str}
    return context.get("privileged") is True or _is_root(context) or bool(names & _BREAKING_OUT)


def _is_root(context: Json) -> bool:
    return integer(context.get("runAsUser")) == 0 or context.get("runAsNonRoot") is False


def _listed(value: Any) -> list[Json]:
    return [each for each in islice(sequence(value), _MOST) if type(each) is dict]


def _token_secret(given: Json, namespace: str | None) -> list[Json]:
    """A secret of this type is filled with a token that never ends."""
    if text(given.get("type")) != "kubernetes.io/service-account-token":
        return []
    annotations = mapping(mapping(given.get("metadata")).get("annotations"))
    name = text(annotations.get("kubernetes.io/service-account.name"))
    uids = [f"system:serviceaccount:{namespace}:{name}"] if namespace and name else []
    return [effect("issues_credential", target="identity", uids=uids)]


def _unguarded(given: Json) -> list[Json]:
    """In a namespace with this label any pod may break out of its container:
    https://kubernetes.io/docs/concepts/security/pod-security-admission/
    """
    labels = mapping(mapping(given.get("metadata")).get("labels"))
    return [effect("weakens_guard")] if labels.get(_ENFORCED) == "privileged" else []


def _own_certificate(given: Json, caller: str | None) -> list[Json]:
    """A node that asks for the certificate of nodes asks for its own."""
    is_of_nodes = text(mapping(given.get("spec")).get("signerName")) in _OF_NODES
    is_node = caller is not None and caller.startswith(("system:node:", "system:bootstrap:"))
    return [effect("issues_credential", target="self", uids=[caller])] if caller and is_of_nodes and is_node else []


def _mapped_users(target: Json, namespace: str | None) -> list[Json]:
    """EKS takes from this map who of AWS is who in the cluster:
    https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html
    """
    is_map = namespace == "kube-system" and text(target.get("name")) == "aws-auth"
    return [effect("grants_power")] if is_map else []
