"""What a Teleport audit record says of who acted, from where, on what, with which credential, and how it ended.

Fields: https://goteleport.com/docs/reference/audit-events and Teleport's own `events.proto`. A user is its name; a
bot's user is `bot-<bot name>`. A role is `teleport:<role>`, so that it equals no role of another system. A resource is
written as Teleport writes it in an access request: `/<cluster>/<kind>/<name>`.
"""

from typing import Any, NamedTuple

from ultravires.reading.addresses import host_of
from ultravires.reading.values import integer, label, mapping, text, texts

_KINDS = {
    1: "human",
    2: "workload",
    3: "service",
    "USER_KIND_HUMAN": "human",
    "USER_KIND_BOT": "workload",
    "USER_KIND_SYSTEM": "service",
}
_OF_A_SESSION = ("server_id", "db_service", "app_name", "kubernetes_cluster", "desktop_name")
_ANOTHERS_SESSION = frozenset({"session.join", "session.leave", "session.recording.access", "session.upload"})
_UNAUTHORIZED, _FORBIDDEN, _FIRST_ERROR = 401, 403, 400
_REFUSALS = ("denied", "not authorized", "unauthorized", "forbidden", "not allowed", "locked", "lock targeting")
_PODS = {"pods": "pod"}


class Actor(NamedTuple):
    """Who acted. `bot_instance` is the id of one joined instance of a bot, which lives on through its renewals."""

    uid: str | None
    kind: str
    impersonator: str | None
    bot_name: str | None
    bot_instance: str | None


def actor_of(record: dict[str, Any], event: str) -> Actor:
    """The actor of a record; a certificate's is in `identity`, a joining bot's in `user_name`."""
    place = mapping(record.get("identity")) if event == "cert.create" else record
    bot_name = text(place.get("bot_name"))
    uid = text(place.get("user")) or text(record.get("user")) or text(record.get("user_name"))
    uid = uid or (f"bot-{bot_name}" if bot_name else None) or text(record.get("updated_by"))
    impersonator = text(place.get("impersonator"))
    return Actor(
        uid=uid,
        kind=_kind(record.get("user_kind"), uid, bot_name, event),
        impersonator=impersonator if impersonator != uid else None,
        bot_name=bot_name,
        bot_instance=text(place.get("bot_instance_id")),
    )


def _kind(said: Any, uid: str | None, bot_name: str | None, event: str) -> str:
    """Older clusters do not say the kind; only bots' users are named `bot-...`, and only people log in."""
    number = integer(said)
    known = _KINDS.get(said if number is None else number) if type(said) in (int, str) else None
    if known:
        return known
    if bot_name or (uid and uid.startswith("bot-")):
        return "workload"
    return "human" if event == "user.login" and uid else "unknown"


def source_of(record: dict[str, Any]) -> str | None:
    """The address that a record, or the certificate in it, came from."""
    address = (
        text(record.get("addr.remote"))
        or text(mapping(record.get("addr")).get("remote"))
        or text(mapping(record.get("identity")).get("client_ip"))
    )
    return host_of(address) if address else None


def roles_of(names: Any) -> list[str]:
    """Names of Teleport roles as the roles of this log."""
    return [f"teleport:{name}" for name in texts(names)]


def role_of(record: dict[str, Any]) -> str | None:
    """The role acted in, where there is exactly one; nobody can say in which of several somebody acted."""
    held = record.get("user_roles") or mapping(record.get("identity")).get("roles")
    roles = roles_of(held)
    return roles[0] if len(roles) == 1 else None


def session_of(record: dict[str, Any], event: str) -> str | None:
    """The id of the session acted in; who joins, leaves or watches another's session does not act by it."""
    return text(record.get("sid")) if event not in _ANOTHERS_SESSION else None


def requests_of(record: dict[str, Any]) -> list[str]:
    """Ids of the access requests that Teleport put into the certificate acted with, or issued."""
    own = record.get("access_requests")
    return texts(own) or texts(mapping(record.get("identity")).get("access_requests"))


def outcome_of(record: dict[str, Any], code: str) -> str:
    """success, failure or denied; a code ends in I where something happened, in W or E where it failed."""
    status = integer(record.get("response_code")) or integer(record.get("status_code"))
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        return "denied"
    has_failed = record.get("success") is False or code[-1:] in ("W", "E") or bool(status and status >= _FIRST_ERROR)
    if not has_failed:
        has_failed = record.get("event") == "session.command" and bool(integer(record.get("return_code")))
    if not has_failed:
        return "success" if code or record.get("success") is True else "unknown"
    message = text(record.get("error")) or text(record.get("message")) or ""
    is_refused = record.get("event") == "session.rejected" or any(word in message.lower() for word in _REFUSALS)
    return "denied" if is_refused else "failure"


def resources_of(record: dict[str, Any], event: str, cluster: str | None) -> list[str]:
    """What was acted on, in Teleport's own notation: the server, database, app, cluster, or the thing configured."""
    found = [_target(record, cluster)]
    if event in _ANOTHERS_SESSION:
        found.append(_written(cluster, "session", text(record.get("sid"))))
    kind = event.rpartition(".")[0]
    if kind and not any(record.get(name) for name in _OF_A_SESSION):
        found.append(_written(cluster, kind, _public_name(record, event)))
    if kind == "access_request":
        found.append(_written(cluster, kind, text(record.get("id"))))
    target = mapping(record.get("target"))
    found += [_written(cluster, name, text(value)) for name, value in target.items()]
    return list(dict.fromkeys(resource for resource in found if resource))


def _target(record: dict[str, Any], cluster: str | None) -> str | None:
    if database := text(record.get("db_service")):
        return _written(cluster, "db", database)
    if app := text(record.get("app_name")):
        return _written(cluster, "app", app)
    if kubernetes := text(record.get("kubernetes_cluster")):
        return _in_kubernetes(record, cluster, kubernetes)
    if desktop := text(record.get("desktop_name")):
        return _written(cluster, "windows_desktop", desktop)
    # A session that the proxy records shows the node's id with the cluster's name behind it.
    node = text(record.get("server_id"))
    return _written(cluster, "node", node.removesuffix(f".{cluster}")) if node else None


def _in_kubernetes(record: dict[str, Any], cluster: str | None, kubernetes: str) -> str | None:
    kind, name = text(record.get("resource_kind")), text(record.get("resource_name"))
    namespace = text(record.get("resource_namespace")) or text(record.get("kubernetes_pod_namespace"))
    pod = text(record.get("kubernetes_pod_name"))
    if kind and name and namespace:
        return _written(cluster, _PODS.get(kind, kind), f"{kubernetes}/{namespace}/{name}")
    if pod and namespace:
        return _written(cluster, "pod", f"{kubernetes}/{namespace}/{pod}")
    return _written(cluster, "kube_cluster", kubernetes)


def _public_name(record: dict[str, Any], event: str) -> str | None:
    """The name of the thing; of a join token by the method `token` the name is the secret itself."""
    if event in ("bot.join", "instance.join"):
        return text(record.get("bot_name")) or text(record.get("host_id"))
    if event.startswith(("join_token.", "trusted_cluster_token.")):
        is_public = label(record.get("join_method")) not in (None, "token")
        return text(record.get("name")) if is_public else None
    return text(record.get("name"))


def _written(cluster: str | None, kind: str, name: str | None) -> str | None:
    return f"/{cluster or ''}/{kind}/{name}" if name else None
