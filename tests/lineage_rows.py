"""Rows of `entitlements` as they are read, for tests of what follows from them."""

from itertools import pairwise
from typing import Any

from ultravires.lineage.entitlement import Entitlement

ACCOUNT = "111122223333"
IAM = f"arn:aws:iam::{ACCOUNT}:"
ALICE, TEAM, ALL, OWN = f"{IAM}user/alice", f"{IAM}group/team", f"{IAM}group/all", f"{IAM}policy/own"
BUCKET = "arn:aws:s3:::b"


def row(uid: str, *path: str, holder: str = ALICE, effect: str = "allow", **columns: Any) -> Entitlement:
    """What is held through this path: groups first, at its end the policy. Not said: allow `s3:*` on everything."""
    relations = [*("member" for _ in path[:-1]), columns.pop("relation", "attached")] if path else []
    holders = [holder, *path]
    given: dict[str, Any] = {
        "entitlement_id": uid,
        "identity_id": holder,
        "holder_uid": holder,
        "layer": "granted",
        "effect": effect,
        "action_pattern": "s3:*",
        "resource_pattern": "*",
        "except_actions": [],
        "except_resources": [],
        "scope_uid": None,
        "condition": None,
        "is_conditional": False,
        "valid_from": None,
        "valid_until": None,
        "recorded_at": None,
        "path": list(path),
        "grant_ids": [f"{one}>{other}" for one, other in pairwise(holders)],
        "relations": relations,
        "binding_uids": [None] * len(path),
        "document_uid": path[-1] if path else None,
        "document_kind": "permissions",
        "principal": None,
        "except_principals": [],
        "plane": None,
        "start_by": "event",
        "event_id": None,
        "cause_actor_uid": None,
        "approval_uid": None,
        "end_event_id": None,
        "is_reported": False,
        "is_certain": True,
        "power": "data",
    }
    return Entitlement(**{**given, **columns})


def limit(uid: str, *path: str, relation: str, **columns: Any) -> Entitlement:
    """What a boundary of Alice, or a guardrail of her account, lets through."""
    holder = ALICE if relation == "boundary" else ACCOUNT
    found: dict[str, Any] = {"holder": holder, "layer": "limit", **columns}
    relations = [*("within" for _ in path[:-1]), relation]
    return row(uid, *path, relations=relations, **found)


def said_by(uid: str, resource: str, principal: str, **columns: Any) -> Entitlement:
    """A statement of the resource's own policy."""
    holder = principal.removeprefix("AWS:")
    columns = {"document_uid": resource, "document_kind": "resource", "principal": principal, **columns}
    return row(uid, holder=holder, grant_ids=[], relations=[], **{"path": [f"resource policy of {resource}"]} | columns)
