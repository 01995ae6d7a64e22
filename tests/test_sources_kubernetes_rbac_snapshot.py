"""Roles and bindings as `kubectl get ... -A -o json` prints them.

Shapes: https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/ and the List that kubectl wraps
around objects of several kinds.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from source_samples import SAMPLES, batches, quarantined, rows
from ultravires.sources.kubernetes import rbac_snapshot

NAME = "kubernetes_rbac_snapshot"
SAMPLE: dict[str, Any] = json.loads(SAMPLES[NAME])
ROLE, GATHERED, _, BINDING, CLUSTER_BINDING = SAMPLE["items"]


def read(folder: Path, *objects: dict[str, Any], indent: int | None = 4) -> list[dict[str, Any]]:
    listed = {"apiVersion": "v1", "items": list(objects), "kind": "List", "metadata": {"resourceVersion": ""}}
    return rows(NAME, json.dumps(listed, indent=indent).encode(), folder)


def grants(folder: Path, item: dict[str, Any]) -> list[dict[str, Any]]:
    (row,) = read(folder, item)
    return list(row["detail"].get("grants", []))


def test_a_binding_states_all_its_subjects(tmp_path: Path) -> None:
    whole, account, group = grants(tmp_path, BINDING)
    assert whole == {"op": "whole", "relation": "attached", "binding": "rolebinding/payments/invoice-agent-secrets"}
    assert (account["holder"], account["held"], account["scope"]) == (
        "system:serviceaccount:payments:invoice-agent",
        "role/payments/secret-reader",
        "namespace/payments",
    )
    assert group["holder"] == "group:payments-oncall"


def test_a_binding_of_the_cluster_has_no_scope(tmp_path: Path) -> None:
    _, *edges = grants(tmp_path, CLUSTER_BINDING)
    assert [(edge["holder"], edge.get("scope")) for edge in edges] == [
        ("system:serviceaccount:ops:deployer", None),
        ("mira@example.org", None),
    ]


def test_a_binding_without_subjects_holds_nothing(tmp_path: Path) -> None:
    bare = {name: value for name, value in BINDING.items() if name != "subjects"}
    assert [each["op"] for each in grants(tmp_path, bare)] == ["whole"]
    assert grants(tmp_path, {**BINDING, "subjects": "x"}) == []


def test_a_role_that_gathers_others_is_unknown_until_it_is_filled_in(tmp_path: Path) -> None:
    assert grants(tmp_path, GATHERED)[0]["statements"] is None
    filled = {**GATHERED, "rules": ROLE["rules"]}
    assert grants(tmp_path, filled)[0]["statements"] == grants(tmp_path, ROLE)[0]["statements"]


def test_one_object_alone_and_several_in_a_row_are_read(tmp_path: Path) -> None:
    alone = rows(NAME, json.dumps(ROLE, indent=2).encode(), tmp_path)
    assert [row["resource_uids"] for row in alone] == [["role/payments/secret-reader"]]
    both = rows(NAME, b"\n".join(json.dumps(each, indent=2).encode() for each in (ROLE, BINDING)), tmp_path)
    assert [row["action"] for row in both] == ["inventory:role", "inventory:rolebinding"]


def test_the_newest_change_inside_is_a_lower_bound(tmp_path: Path) -> None:
    changed = {**ROLE["metadata"], "managedFields": [{"manager": "kubectl", "time": "2026-09-20T11:00:00Z"}]}
    (row,) = read(tmp_path, {**ROLE, "metadata": changed})
    assert (row["event_at"].isoformat(), row["detail"]["captured_by"]) == ("2026-09-20T11:00:00+00:00", "lower_bound")


def test_objects_of_other_kinds_are_counted_and_others_refused(tmp_path: Path) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "creationTimestamp": "2026-09-01T08:00:00Z"}}
    data = json.dumps({**SAMPLE, "items": [ROLE, pod, {"x": 1}]}).encode()
    (batch,) = batches(NAME, data, tmp_path)
    assert [reason for _, reason in batch.ignored] == ["object of another kind"]
    assert [row.reason for row in quarantined(NAME, data, tmp_path)] == ["no record of such an export"]
    assert len(rows(NAME, data, tmp_path)) == 1


def test_no_account_is_said_to_be_whole(tmp_path: Path) -> None:
    """No export names its cluster: in another one, what is missing here may be held."""
    stated = [grant for row in read(tmp_path, *SAMPLE["items"]) for grant in row["detail"]["grants"]]
    assert {frozenset(each) - {"op", "relation"} for each in stated if each["op"] == "whole"} == {
        frozenset({"binding"})
    }


def as_yaml(*objects: dict[str, Any]) -> bytes:
    """As kubectl prints a list: names in their order, lists as deep as their name."""
    listed = {"apiVersion": "v1", "items": list(objects), "kind": "List", "metadata": {"resourceVersion": ""}}
    return yaml.safe_dump(listed if len(objects) > 1 else objects[0], sort_keys=True).encode()


def stated(read_rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["action"], row["resource_uids"], row["detail"].get("grants"), row["event_at"]) for row in read_rows]


def test_yaml_says_what_json_says(tmp_path: Path) -> None:
    """`-o yaml` of the same objects, as a list, alone, and several documents of one file."""
    objects = SAMPLE["items"]
    of_json = stated(read(tmp_path, *objects))
    assert stated(rows(NAME, as_yaml(*objects), tmp_path)) == of_json
    assert stated(rows(NAME, as_yaml(ROLE), tmp_path)) == stated(read(tmp_path, ROLE))
    several = b"---\n".join(as_yaml(each) for each in objects)
    assert [each[:3] for each in stated(rows(NAME, b"---\n" + several, tmp_path))] == [each[:3] for each in of_json]


def test_text_of_yaml_stays_text(tmp_path: Path) -> None:
    """What stands in quotation marks is text, and so is what only other readers take for a truth value."""
    role = as_yaml(ROLE).replace(b"rules:", b"rules:\n- apiGroups: ['']\n  resources: ['true']\n  verbs: [yes, no]")
    (row,) = rows(NAME, role, tmp_path)
    actions = row["detail"]["grants"][0]["statements"][0]["actions"]
    assert actions == ["k8s:true:yes", "k8s:true:no"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(b"rules: &all\n- *all\n", "YAML with an anchor, which kubectl never prints", id="an anchor"),
        pytest.param(b"rules: [[" + b"[" * 200, "YAML of too many or too deep parts", id="too deep"),
        pytest.param(b"rules: {[1]: 2}\n", "YAML with a name that is no text", id="a list as a name"),
        pytest.param(b"rules: 'x\n", "YAML that cannot be read", id="no end"),
    ],
)
def test_yaml_that_is_not_kubectls_is_refused(text: bytes, reason: str, tmp_path: Path) -> None:
    file = b"apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r, namespace: n}\n" + text
    assert rows(NAME, file, tmp_path) == []
    assert reason in str(quarantined(NAME, file, tmp_path))


def test_yaml_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rbac_snapshot, "MOST_BYTES", 100)
    assert "YAML of more than 32 MB" in str(quarantined(NAME, as_yaml(ROLE), tmp_path))
