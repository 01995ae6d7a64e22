"""Worlds that somebody wrote to make the build of tables expensive: events by the thousand that all fit one another.

Each takes how many events the attacker writes. No such log is honest; what it costs must grow with its lines.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sql_world import Event

START = datetime(2026, 10, 5, 8, tzinfo=UTC)
DAY = timedelta(days=1)
ROLE = "arn:aws:iam::1:role/r"


def _keys(*entries: tuple[str, str, str]) -> list[dict[str, str]]:
    return [{"kind": kind, "value": value, "role": role} for kind, value, role in entries]


def act(number: int, **more: object) -> Event:
    """One act in a cloud's trail, a second after the one before it."""
    detail = {"role_arn": ROLE, "session_name": "s"}
    return {
        "log": "aws_cloudtrail",
        "kind": "activity",
        "event_at": START + timedelta(seconds=number % 3600),
        "actor_uid": ROLE,
        "actor_kind": "role",
        "account_uid": "1",
        "src_ip": "198.51.100.7",
        "action": "s3:GetObject",
        "outcome": "success",
        "keys": [],
        "detail": detail,
        **more,
    }


def issue(number: int, shown: str | None, made: str, name: str = "s", keys: Sequence[dict[str, str]] = ()) -> Event:
    """A role is taken: `shown` is the credential that asked, `made` the one that it got."""
    at = START + timedelta(seconds=number % 3600)
    return act(
        number,
        action="sts:AssumeRole",
        credential_uid=shown,
        issued_credential_uid=made,
        issued_expires_at=at + timedelta(hours=1),
        keys=list(keys),
        detail={"role_arn": ROLE, "session_name": "s", "issued_role_arn": ROLE, "issued_session_name": name},
    )


def approval(number: int, uid: str, keys: Sequence[dict[str, str]] = (), **detail: object) -> Event:
    facts = {
        "status": "approved",
        "subject": ROLE,
        "requested_by": "ann",
        "approved_by": "bob",
        "valid_until": (START + DAY).isoformat(),
        "actions": ["s3:Get*"],
    }
    return {
        "log": "approvals",
        "kind": "approval",
        "event_at": START - timedelta(hours=1),
        "approval_uid": uid,
        "task": f"task {number}",
        "detail": facts | detail,
        "keys": [*_keys(("approval", uid, "names")), *keys],
    }


def call(number: int, keys: Sequence[dict[str, str]], trace: str = "t") -> Event:
    uid = f"{trace}/s{number}"
    return {
        "log": "otel_genai",
        "kind": "tool_call",
        "event_at": START,
        "tool_call_uid": uid,
        "actor_uid": "bot",
        "actor_kind": "agent",
        "action": "tool:read",
        "outcome": "success",
        "keys": [*_keys(("span", uid, "names"), ("trace", trace, "carries")), *keys],
        "detail": {"operation": "execute_tool", "tool": "read", "ended_at": (START + DAY).isoformat()},
    }


def decision(number: int, keys: Sequence[dict[str, str]]) -> Event:
    return {
        "log": "opa_decisions",
        "kind": "decision",
        "event_at": START + timedelta(seconds=number % 3600),
        "decision_uid": f"D{number}",
        "actor_uid": "bot",
        "actor_kind": "agent",
        "action": "read",
        "detail": {"result": "allow"},
        "keys": [*_keys(("decision", f"D{number}", "names")), *keys],
    }


def role_hops(n: int) -> list[Event]:
    return [issue(i, f"ASIA{i:06}", f"ASIA{i + 1:06}") for i in range(n)]


def circle_of_hops(n: int) -> list[Event]:
    """A circle, and as many credentials in one line below it."""
    half = n // 2
    circle = [issue(i, f"ASIA{i:06}", f"ASIA{(i + 1) % half:06}") for i in range(half)]
    return (
        circle
        + [issue(i, f"ASIA{i:06}", f"ASIA{i + 1:06}") for i in range(half, n)]
        + [issue(n, "ASIA000001", f"ASIA{half:06}")]
    )


def calls_that_call(n: int) -> list[Event]:
    """Spans below spans, each the parent of the next."""
    return [call(i, _keys(("span", f"t/s{i - 1}", "uses"))) for i in range(n)]


def approvals_under_approvals(n: int) -> list[Event]:
    return [approval(i, f"A{i}", _keys(("approval", f"A{i - 1}", "uses"))) for i in range(n)]


def uses_of_one_credential(n: int) -> list[Event]:
    return [act(i, credential_uid="ASIA1") for i in range(n)]


def spans_of_one_trace(n: int) -> list[Event]:
    """Calls that last all day, and as many acts of a session named after the trace."""
    half = n // 2
    acts = [act(i, credential_uid="ASIA1", keys=_keys(("session_name", f"{ROLE}/t", "carries"))) for i in range(half)]
    return [call(i, []) for i in range(n - half)] + acts


def calls_and_acts_of_one_approval(n: int) -> list[Event]:
    """As many calls as acts under one approval that the credential carries."""
    half = n // 2
    acts = [act(i, credential_uid="ASIA1", keys=_keys(("source_identity", "A0", "carries"))) for i in range(half)]
    return [approval(0, "A0"), *(call(i, _keys(("approval", "A0", "uses"))) for i in range(n - half)), *acts]


def approvals_of_one_window(n: int) -> list[Event]:
    """Half of the events are approvals that fit every one of the other half."""
    half = n // 2
    return [approval(i, f"A{i}") for i in range(n - half)] + [act(i) for i in range(half)]


def approvals_and_credentials_of_one_window(n: int) -> list[Event]:
    half = n // 2
    return [approval(i, f"A{i}") for i in range(n - half)] + [issue(i, None, f"ASIA{i}") for i in range(half)]


def approvals_of_one_ticket(n: int) -> list[Event]:
    """Every approval bears one ticket, and every credential carries it in a tag."""
    half = n // 2
    named = _keys(("ticket", "T1", "names"))
    carried = _keys(("transitive_tag", "ticket=T1", "carries"))
    far = {"subject": "somebody"}
    return [approval(i, f"A{i}", named, **far) for i in range(n - half)] + [
        issue(i, None, f"ASIA{i}", keys=carried) for i in range(half)
    ]


def decisions_of_one_call(n: int) -> list[Event]:
    asked = _keys(("tool_call", "t/c", "uses"))
    return [call(0, _keys(("tool_call", "t/c", "names"))), *(decision(i, asked) for i in range(n - 1))]


def decisions_in_one_span(n: int) -> list[Event]:
    return [call(0, []), *(decision(i, _keys(("span", "t/s0", "uses"))) for i in range(n - 1))]


def calls_and_decisions_of_one_id(n: int) -> list[Event]:
    """Half calls that bear one id, half decisions on it."""
    half = n // 2
    named, asked = _keys(("tool_call", "t/c", "names")), _keys(("tool_call", "t/c", "uses"))
    return [call(i, named) for i in range(n - half)] + [decision(i, asked) for i in range(half)]


def acts_and_calls_of_one_request(n: int) -> list[Event]:
    half = n // 2
    return [act(i, keys=_keys(("request", "1/q", "names"))) for i in range(half)] + [
        call(i, _keys(("request", "1/q", "uses"))) for i in range(n - half)
    ]


def requests_of_one_trace(n: int) -> list[Event]:
    """People's requests and calls that all name one trace."""
    half = n // 2
    named = _keys(("trace", "t", "carries"))
    return [approval(i, f"A{i}", named, origin="human_request") for i in range(half)] + [
        call(i, []) for i in range(n - half)
    ]


def gateways_of_one_request(n: int) -> list[Event]:
    """Calls that both name and use one id of a request between client and server."""
    both = _keys(("mcp_request", "m", "names"), ("mcp_request", "m", "uses"))
    return [call(i, both) for i in range(n)]


def tokens_of_one_bearer(n: int) -> list[Event]:
    """Half tokens that let their holder appear as one name, half acts of that name."""
    half = n // 2
    named, used = _keys(("bearer", "sa", "names")), _keys(("bearer", "sa", "uses"))
    return [issue(0, None, f"K{i}", keys=named) for i in range(half)] + [act(i, keys=used) for i in range(n - half)]


def sessions_of_one_name(n: int) -> list[Event]:
    """Half sessions issued at one moment, half keys that nobody saw issued, with the same role, name and time."""
    half = n // 2
    created = {"role_arn": ROLE, "session_name": "s", "session_created_at": START.isoformat()}
    return [issue(0, None, f"ASIA{i}") for i in range(half)] + [
        act(i, credential_uid=f"ASIAK{i}", detail=created) for i in range(n - half)
    ]


def issuers_of_one_credential(n: int) -> list[Event]:
    return [issue(i, f"ASIA{i:06}", "ASIAX") for i in range(n)]


def copies_of_one_event(n: int) -> list[Event]:
    return [act(i, keys=_keys(("shared_event", "x", "carries"))) for i in range(n)]


def resources_of_one_act(n: int) -> list[Event]:
    """One act under an approval that names everything, half of it approved."""
    owner = "arn:aws:ecs:eu-central-1:1:"
    half = n // 2
    things = [f"{owner}service/c{i}/x" for i in range(half)] + [f"{owner}cluster/d{i}" for i in range(n - half)]
    listed = {"resources": [f"{owner}service/*"]}
    return [
        approval(0, "A0", **listed),
        issue(0, None, "ASIA1", keys=_keys(("source_identity", "A0", "carries"))),
        act(1, credential_uid="ASIA1", resource_uids=things),
    ]


def patterns_of_one_approval(n: int) -> list[Event]:
    """One approval that lists patterns of roles and actions, and as many roles and actions that none of them fits."""
    half = n // 2
    lists = {"roles": [f"*x{i}*y" for i in range(half)], "actions": [f"*x{i}*y" for i in range(half)]}
    acts = []
    for i in range(n - half):
        detail = {"role_arn": f"arn:aws:iam::1:role/{'x' * 40}{i}", "session_name": "s"}
        acts.append(act(i, action=f"s3:{'x' * 40}{i}", detail=detail))
    return [approval(0, "A0", **lists), *acts]


def names_never_seen(n: int) -> list[Event]:
    """Every event has an actor, a credential and keys of its own."""
    return [
        act(
            i,
            actor_uid=f"arn:aws:iam::1:role/r{i}",
            credential_uid=f"ASIA{i}",
            keys=_keys(("request", f"1/q{i}", "names")),
        )
        for i in range(n)
    ]


WORLDS: Mapping[str, Callable[[int], list[Event]]] = {
    world.__name__: world
    for world in (
        role_hops,
        circle_of_hops,
        calls_that_call,
        approvals_under_approvals,
        uses_of_one_credential,
        spans_of_one_trace,
        calls_and_acts_of_one_approval,
        approvals_of_one_window,
        approvals_and_credentials_of_one_window,
        approvals_of_one_ticket,
        decisions_of_one_call,
        decisions_in_one_span,
        calls_and_decisions_of_one_id,
        acts_and_calls_of_one_request,
        requests_of_one_trace,
        gateways_of_one_request,
        tokens_of_one_bearer,
        sessions_of_one_name,
        issuers_of_one_credential,
        copies_of_one_event,
        resources_of_one_act,
        patterns_of_one_approval,
        names_never_seen,
    )
}
