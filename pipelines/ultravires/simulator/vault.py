"""Entries of a Vault audit device for policies and who has them: of each request one before its answer and one with it.

Shape: https://developer.hashicorp.com/vault/docs/audit/schema. The company tuned its mounts `sys` and `identity` with
`audit_non_hmac_request_keys`, so that what a policy says and who has it stands in the log. Values are our own.
"""

import json
from collections.abc import Mapping, Sequence
from random import Random

from ultravires.simulator import ids
from ultravires.simulator.cast import Human
from ultravires.simulator.grants import Json
from ultravires.simulator.moments import to_fraction
from ultravires.simulator.names_elsewhere import vault_entity

LOG = "vault_audit"
Paths = Mapping[str, Sequence[str]]
"""Capabilities by path."""


def policy_written(rng: Random, at: int, human: Human, *, name: str, paths: Paths) -> tuple[Json, Json]:
    """A policy says this from now on."""
    said = {"path": {path: {"capabilities": list(capabilities)} for path, capabilities in paths.items()}}
    return _request(rng, at, human, f"sys/policies/acl/{name}", {"policy": json.dumps(said)})


def policies_set(rng: Random, at: int, human: Human, *, entity: str, policies: Sequence[str]) -> tuple[Json, Json]:
    """An entity has these policies from now on."""
    return _request(rng, at, human, f"identity/entity/id/{entity}", {"policies": list(policies)})


def node_of(entries: tuple[Json, Json]) -> str:
    return f"activity:{entries[1]['request']['id']}/response"


def token_of(entries: tuple[Json, Json]) -> str:
    """The token with which it was done; its making is in no log."""
    return f"credential:vault:{entries[1]['auth']['accessor']}"


def _request(rng: Random, at: int, human: Human, path: str, data: Json) -> tuple[Json, Json]:
    token = ids.stream("vault token", human.user)
    first = path.partition("/")[0]
    request = {
        "id": ids.uuid(rng),
        "operation": "update",
        "mount_point": f"{first}/",
        "mount_type": "system" if first == "sys" else first,
        "mount_class": "secret",
        "namespace": {"id": "root"},
        "path": path,
        "remote_address": human.ip,
        "remote_port": rng.randrange(30_000, 60_000),
        "request_uri": f"/v1/{path}",
        "client_token": f"hmac-sha256:{ids.hexadecimal(token, 64)}",
        "client_token_accessor": f"hmac-sha256:{ids.hexadecimal(token, 64)}",
        "data": data,
    }
    auth = {
        "client_token": request["client_token"],
        "accessor": request["client_token_accessor"],
        "display_name": f"oidc-{human.email}",
        "policies": ["default", "vault-admins"],
        "token_policies": ["default", "vault-admins"],
        "policy_results": {"allowed": True},
        "entity_id": vault_entity(human.user),
        "token_type": "service",
        "token_ttl": 3600,
    }
    asked = {"time": to_fraction(at), "type": "request", "auth": auth, "request": request}
    answered = {"time": to_fraction(at + 4), "type": "response", "auth": auth, "request": request, "response": {}}
    return asked, answered
