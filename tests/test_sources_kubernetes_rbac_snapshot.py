"""Roles and bindings as `kubectl get ... -A -o json` prints them.

Shapes: https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/ and the List that kubectl wraps
around objects of several kinds.
"""

import json
from pathlib import Path
from typing import Any

from source_samples import SAMPLES, batches, quarantined, rows

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
