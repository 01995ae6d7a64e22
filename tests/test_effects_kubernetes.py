"""Kubernetes: given audit events -> the effects that only the object of the request shows.

Events: https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/; objects:
https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from pathlib import Path
from typing import Any

import pytest
from source_samples import only
from ultravires.reading.effects import effect
from ultravires.sources.kubernetes.effects import LOOKED_AT, effects_of

MIRA = "mira@harbor.example"
AGENT = "system:serviceaccount:bots:agent"
GUARD_OFF, RUNS, OPEN = effect("weakens_guard"), effect("runs_code"), effect("exposes", target="public")


def shown(
    resource: str,
    asked: Any,
    *,
    namespace: str = "pay",
    name: str = "x",
    caller: str | None = MIRA,
    verb: str = "create",
) -> list[dict[str, Any]]:
    event = {"requestObject": asked, "objectRef": {"namespace": namespace, "name": name}, "requestURI": "/api/v1/x"}
    return effects_of(event, verb, resource, caller, "success")


def pod(**spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "a", "image": "nginx"}], **spec}}


def container(**context: Any) -> dict[str, Any]:
    return pod(containers=[{"name": "a", "securityContext": context}])


@pytest.mark.parametrize(
    "asked",
    [
        pod(hostPID=True),
        pod(hostIPC=True),
        pod(hostNetwork=True),
        pod(volumes=[{"name": "root", "hostPath": {"path": "/"}}]),
        container(privileged=True),
        container(runAsUser=0),
        container(runAsNonRoot=False),
        container(capabilities={"add": ["CAP_SYS_ADMIN"]}),
        pod(securityContext={"runAsUser": 0}),
        pod(initContainers=[{"name": "i", "securityContext": {"privileged": True}}]),
    ],
)
def test_a_pod_that_is_not_held_in_its_container(asked: dict[str, Any]) -> None:
    assert shown("pods", asked) == [GUARD_OFF]
    assert shown("deployments", {"spec": {"template": asked}}) == [GUARD_OFF]
    assert shown("pods", asked, caller=AGENT) == [GUARD_OFF]


@pytest.mark.parametrize(
    "asked",
    [
        pod(),
        pod(hostPID=False, volumes=[{"name": "a", "emptyDir": {}}]),
        container(privileged=False, runAsUser=1000, runAsNonRoot=True),
        container(capabilities={"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}),
    ],
)
def test_a_pod_like_others(asked: dict[str, Any]) -> None:
    assert shown("pods", asked) == []


@pytest.mark.parametrize(
    "caller",
    [
        "system:node:n1",
        "system:serviceaccount:kube-system:daemon-set-controller",
        "eks:node-manager",
        "service-1@container-engine-robot.iam.gserviceaccount.com",
    ],
)
def test_what_a_cluster_runs_for_itself(caller: str) -> None:
    assert shown("pods", container(privileged=True), namespace="kube-system", caller=caller) == []


def test_code_that_runs_among_those_of_the_system() -> None:
    assert shown("pods", pod(), namespace="kube-system") == [RUNS]
    assert shown("daemonsets", {}, namespace="kube-system", caller=AGENT) == [RUNS]
    assert RUNS in shown("pods", pod(), namespace="kube-system", caller="system:anonymous")
    assert shown("cronjobs", {"spec": {"jobTemplate": {"spec": {"template": container(privileged=True)}}}}) == [
        GUARD_OFF,
        RUNS,
    ]
    assert shown("pods", pod(), namespace="kube-system", verb="delete") == []


def test_a_token_that_never_ends() -> None:
    """https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets"""
    annotations = {"kubernetes.io/service-account.name": "agent"}
    asked = {"type": "kubernetes.io/service-account-token", "metadata": {"annotations": annotations}}
    issued = effect("issues_credential", target="identity", uids=["system:serviceaccount:pay:agent"])
    assert shown("secrets", asked) == [issued]
    assert shown("secrets", {"type": "Opaque"}) == []


def test_services_that_listen_outside() -> None:
    assert shown("services", {"spec": {"type": "NodePort"}}) == [effect("exposes")]
    assert shown("services", {"spec": {"type": "LoadBalancer"}}) == [effect("exposes")]
    assert shown("services", {"spec": {"type": "ClusterIP"}}) == []
    named = {"type": "LoadBalancer", "loadBalancerSourceRanges": ["0.0.0.0/0"]}
    assert shown("services", {"spec": named}) == [OPEN]
    inside = {"annotations": {"networking.gke.io/load-balancer-type": "Internal"}}
    assert shown("services", {"metadata": inside, "spec": {"type": "LoadBalancer"}}) == []


def test_who_of_aws_is_who_in_the_cluster() -> None:
    assert shown("configmaps", {}, namespace="kube-system", name="aws-auth", verb="patch") == [effect("grants_power")]
    assert shown("configmaps", {}, namespace="kube-system", name="coredns", verb="patch") == []
    assert shown("configmaps", {}, name="aws-auth", verb="patch") == []


def test_a_namespace_that_admits_every_pod() -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-admission/"""

    def labelled(level: str) -> dict[str, Any]:
        return {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": level}}}

    assert shown("namespaces", labelled("privileged"), verb="patch") == [GUARD_OFF]
    assert shown("namespaces", labelled("restricted"), verb="patch") == []


def test_a_node_asks_for_its_own_certificate() -> None:
    """https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/"""
    asked = {"spec": {"signerName": "kubernetes.io/kube-apiserver-client-kubelet"}}
    node = "system:node:n1"
    own = effect("issues_credential", target="self", uids=[node])
    assert shown("certificatesigningrequests", asked, caller=node) == [own]
    assert shown("certificatesigningrequests", asked) == []
    client = {"spec": {"signerName": "kubernetes.io/kube-apiserver-client"}}
    assert shown("certificatesigningrequests", client, caller=node) == []


@pytest.mark.parametrize(
    ("uri", "caller", "outcome", "expected"),
    [
        ("/api/v1/namespaces/pay/secrets", "system:anonymous", "success", [OPEN]),
        ("/apis", "system:anonymous", "success", [OPEN]),
        ("/healthz?verbose", "system:anonymous", "success", []),
        ("/version", "system:anonymous", "success", []),
        ("/api/v1/namespaces/pay/secrets", "system:anonymous", "denied", []),
        ("/api/v1/namespaces/pay/secrets", MIRA, "success", []),
    ],
)
def test_who_has_no_credentials_is_answered(
    uri: str, caller: str, outcome: str, expected: list[dict[str, Any]]
) -> None:
    assert effects_of({"requestURI": uri}, "list", "secrets", caller, outcome) == expected


@pytest.mark.parametrize("odd", [None, 7, "x", [], [None, 7, [[]], {}], {}, {"a": []}, True], ids=repr)
def test_odd_objects_never_raise(odd: Any) -> None:
    inner = (
        "spec",
        "template",
        "jobTemplate",
        "metadata",
        "labels",
        "containers",
        "volumes",
        "securityContext",
        "type",
    )
    flat = dict.fromkeys((*inner, "capabilities", "add", "signerName", "annotations", "runAsUser", "privileged"), odd)
    nested = dict.fromkeys(inner, flat) | {"containers": [flat, odd], "volumes": [flat, odd]}
    for resource in LOOKED_AT:
        for asked in (odd, flat, nested, {"spec": nested}, {"spec": {"template": {"spec": nested}}}):
            event = {"requestObject": asked, "objectRef": odd, "requestURI": odd}
            assert isinstance(effects_of(event, "create", resource, None, "success"), list)


def test_an_event_carries_its_effects_also_where_it_was_denied(tmp_path: Path) -> None:
    event = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Request",
        "auditID": "a",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/pay/pods",
        "verb": "create",
        "user": {"username": MIRA},
        "objectRef": {"resource": "pods", "namespace": "pay", "name": "x", "apiVersion": "v1"},
        "responseStatus": {"code": 403},
        "requestObject": container(privileged=True),
        "requestReceivedTimestamp": "2026-10-05T10:00:00Z",
    }
    row = only("kubernetes_audit", event, tmp_path)
    assert row["outcome"] == "denied" and row["detail"]["effects"] == [GUARD_OFF]


def test_a_node_asks_for_the_tokens_of_its_pods() -> None:
    """How each pod comes to its token is no credential for somebody else; whoever else asks for one is."""
    event = {
        "objectRef": {"resource": "serviceaccounts", "subresource": "token", "namespace": "shop", "name": "orders"}
    }
    told = effects_of(event, "create", "serviceaccounts/token", "system:node:ip-10-0-0-7", "success")
    assert told == [{"effect": "issues_credential", "absent": True}]
    assert effects_of(event, "create", "serviceaccounts/token", "ana@example.com", "success") == []
