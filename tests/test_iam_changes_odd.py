"""Records that change who may do what, with each of their values in turn of another type: never a stumble."""

import json
from typing import Any

import pytest
import test_iam_changes_github as of_github
import test_iam_changes_kubernetes as of_kubernetes
import test_iam_changes_okta as of_okta
import test_iam_changes_teleport as of_teleport
import test_iam_changes_tools as of_tools
import test_iam_changes_vault as of_vault
from source_samples import OPTIONS, replaced_at, source, values_in
from ultravires.reading.events import NotParsed

ODD: list[Any] = [None, True, -1, 1.5, "", "x", "*", [], [[]], [{}], {}, {"a": []}, ["a"], {"kind": []}, 2**70]
ROLE = {**of_kubernetes.READER, "rules": [rule for rule, _ in of_kubernetes.RULES]}
OBJECTS = {"roles": ROLE, "rolebindings": of_kubernetes.BINDING, "clusterrolebindings": of_kubernetes.ADMINS}
LISTED = {"kind": "RoleList", "items": [{"metadata": {"name": "a", "namespace": "b"}}]}
EXCHANGE = {
    "timestamp": "2026-10-05T10:00:04Z",
    "session_id": "s",
    "server": "stock",
    "request": {"jsonrpc": "2.0", **of_tools.asking(1)},
    "response": {"jsonrpc": "2.0", **of_tools.answer(1, of_tools.MAIL, of_tools.WEATHER)},
}
RECORDS: dict[str, list[dict[str, Any]]] = {
    "github_audit": [of_github.record(action, **members) for action, members, _ in of_github.FIRING],
    "kubernetes_audit": [
        *(of_kubernetes.event("create", resource, "x", each, each) for resource, each in OBJECTS.items()),
        of_kubernetes.event("deletecollection", "roles", None, None, LISTED),
    ],
    "mcp_gateway": [EXCHANGE],
    "okta_system": [of_okta.log_event(*case[:3]) for case in of_okta.FIRING],
    "teleport_audit": [of_teleport.record(event, **members) for event, members, _ in of_teleport.FIRING],
    "vault_audit": [
        *(of_vault.entry(*case[:4]) for case in of_vault.FIRING),
        *(of_vault.entry("sys/policies/acl/x", {"policy": {"path": paths}}) for paths, _ in of_vault.POLICIES),
    ],
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_value_of_any_other_type_anywhere_is_no_exception(name: str) -> None:
    """The record is an event without it, or is put aside; what it says of power can be written."""
    for record in RECORDS[name]:
        for path, _ in values_in(record):
            for odd in ODD:
                try:
                    found = list(source(name).read(replaced_at(record, path, odd), OPTIONS))
                except NotParsed:
                    continue
                assert all(json.dumps(event.detail) for event in found)
