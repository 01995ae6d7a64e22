"""Events of a cluster's audit log for the making of a RoleBinding or ClusterRoleBinding.

Shape: https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/. Values are our own.
"""

from random import Random

from ultravires.simulator import ids
from ultravires.simulator.cast import Human
from ultravires.simulator.grants import Json
from ultravires.simulator.moments import to_micros

LOG = "kubernetes_audit"
_GROUP, _STAGE = "rbac.authorization.k8s.io", "ResponseComplete"


def role_bound(rng: Random, at: int, human: Human, *, cluster_role: str, account: str, namespace: str | None) -> Json:
    """A ClusterRole for a service account (`system:serviceaccount:<namespace>:<name>`), in one namespace or in all."""
    _, _, lives_in, called = account.split(":")
    name = f"{called}-{cluster_role}"
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    resource = f"{kind.lower()}s"
    placed = {"namespace": namespace} if namespace else {}
    within = f"namespaces/{namespace}/" if namespace else ""
    binding = {
        "kind": kind,
        "apiVersion": f"{_GROUP}/v1",
        "metadata": {"name": name, **placed},
        "subjects": [{"kind": "ServiceAccount", "name": called, "namespace": lives_in}],
        "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": cluster_role},
    }
    made = {"uid": ids.uuid(rng), "resourceVersion": str(rng.randrange(10**6, 10**7))}
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": ids.uuid(rng),
        "stage": _STAGE,
        "requestURI": f"/apis/{_GROUP}/v1/{within}{resource}?fieldManager=kubectl-create",
        "verb": "create",
        "user": {"username": human.email, "groups": ["platform-admins", "system:authenticated"]},
        "sourceIPs": [human.ip],
        "userAgent": "kubectl/v1.35.0 (linux/amd64) kubernetes/1d3f5a7",
        "objectRef": {"resource": resource, "name": name, "apiGroup": _GROUP, "apiVersion": "v1", **placed},
        "responseStatus": {"metadata": {}, "code": 201},
        "requestObject": binding,
        "responseObject": binding | {"metadata": {"name": name, **placed, **made}},
        "requestReceivedTimestamp": to_micros(at),
        "stageTimestamp": to_micros(at + 11),
        "annotations": {"authorization.k8s.io/decision": "allow"},
    }


def node_of(event: Json) -> str:
    """Each stage of a request is an event of its own."""
    return f"activity:{event['auditID']}/{event['stage']}"
