"""What a record of Teleport's audit log does that its event alone does not say, as `detail["effects"]`.

Events and fields: https://goteleport.com/docs/reference/audit-events. What a role allows stands in no record; what
those allow that every cluster has: https://goteleport.com/docs/reference/access-controls/roles#preset-roles
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ultravires.reading.effects import Effect, TargetKind, effect, no_effect
from ultravires.reading.sign_ins import SecondFactor
from ultravires.reading.values import text, texts

Json = dict[str, Any]
_ADMINISTRATING = frozenset({"admin", "editor"})
_RIGHTS = frozenset({"roles", "clusterroles", "rolebindings", "clusterrolebindings"})
_WRITES = frozenset({"POST", "PUT", "PATCH"})
_MOST_OF_A_QUERY = 4_096
_STATEMENTS: tuple[tuple[re.Pattern[str], Effect, TargetKind], ...] = (
    (re.compile(r"\s*(?:drop|truncate)\b", re.IGNORECASE), "destroys", "resource"),
    (re.compile(r"\s*(?:grant|(?:create|alter)\s+(?:user|role|login))\b", re.IGNORECASE), "grants_power", "identity"),
    (re.compile(r"\s*revoke\b", re.IGNORECASE), "takes_power", "identity"),
)
_PROGRAM = re.compile(r"\s*copy\b[^;]*\b(?:to|from)\s+program\b", re.IGNORECASE)


def effects_of(record: Json, event: str) -> list[Json] | None:
    """The effects that this record shows or excludes, whatever came of it; None where the event says all."""
    says = _SAYS.get(event)
    return (list(says(record)) or None) if says else None


def second_factor_of(record: Json, event: str, outcome: str, has_mfa: bool | None) -> SecondFactor | None:
    """`has_mfa` is what the record says of a device."""
    if event == "user.login" and outcome == "success" and has_mfa is not None:
        return "passed" if has_mfa else "none"
    if event == "mfa_auth_challenge.create" and outcome == "success":
        return "asked"
    if event == "mfa_auth_challenge.validate" and outcome in ("success", "failure", "denied"):
        return "passed" if outcome == "success" else "failed"
    return None


def _with_roles(prefix: str, record: Json) -> Iterator[Json]:
    """A user of an identity provider is written anew at each sign-in, which is no gift of one's own."""
    name, connector = text(record.get("name")), text(record.get("connector"))
    by_provider = connector is not None and connector != "local"
    is_own = name is not None and name == text(record.get("user"))
    if by_provider and is_own:
        yield no_effect("grants_power")
    elif not _ADMINISTRATING.isdisjoint(texts(record.get("roles"))):
        target: TargetKind = "self" if is_own else "identity"
        uids = [f"{prefix}{name}"] if name else ()
        yield effect("grants_power", target=target, uids=uids, power="admin")


def _cluster_request(record: Json) -> Iterator[Json]:
    """A request to Kubernetes' API: secrets that are read, rights that are written, commands in a pod."""
    verb, kind = (text(record.get("verb")) or "").upper(), (text(record.get("resource_kind")) or "").lower()
    path = (text(record.get("request_path")) or "").partition("?")[0]
    if kind == "secrets" and verb == "GET":
        yield effect("reads_secret")
    elif kind in _RIGHTS and verb in _WRITES:
        yield effect("grants_power", target="identity", power="permissions")
    elif path.endswith(("/exec", "/attach")):
        yield effect("runs_code")


def _query(record: Json) -> Iterator[Json]:
    """The first statement of a query: what follows it is not read."""
    query = (text(record.get("db_query")) or "")[:_MOST_OF_A_QUERY]
    yield from (effect(what, target=target) for pattern, what, target in _STATEMENTS if pattern.match(query))
    if _PROGRAM.match(query):
        yield effect("runs_code")


_SAYS: dict[str, Callable[[Json], Iterator[Json]]] = {
    "user.create": partial(_with_roles, ""),
    "user.update": partial(_with_roles, ""),
    "bot.create": partial(_with_roles, "bot-"),
    "bot.update": partial(_with_roles, "bot-"),
    "kube.request": _cluster_request,
    "db.session.query": _query,
}
