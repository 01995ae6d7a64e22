"""A small random world of events in which ids collide on purpose: circles of credentials, several candidates for
one parent, states of approvals in any order, copies of shared events. No vendor ever logs this; SQL must bear it.
"""

import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from ultravires.schema import EVENTS

MONDAY = datetime(2026, 10, 5, tzinfo=UTC)
AS_OF = MONDAY + timedelta(days=4)
N_HOURS = 72

Event = dict[str, Any]


def random_events(rng: random.Random, n: int) -> pa.Table:
    """`n` events in EVENTS columns over three days, of every kind; the same for the same state of `rng`."""
    makers = (_approval, _decision, _tool_call, _activity, _activity, _issue, _issue, _forgery)
    events = [rng.choice(makers)(rng) for _ in range(n)] + [_stage(rng) for _ in range(n // 10)]
    events += [_sign_in(rng) for _ in range(n // 10)]
    events += [_change(rng) for _ in range(n // 4)]
    return as_events(events + [_of_secret(rng) for _ in range(n // 8)] + [_word(rng) for _ in range(n // 8)])


def as_events(rows: Sequence[Event]) -> pa.Table:
    """Rows with the columns that matter as a table of events; ids are numbered in the order given."""
    return pa.Table.from_pylist([_whole(number, row) for number, row in enumerate(rows)], schema=EVENTS)


def _whole(number: int, row: Event) -> Event:
    at: datetime = row["event_at"]
    whole = dict.fromkeys(EVENTS.names) | {
        "event_id": f"{number:032x}",
        "source": row["log"],
        "native_id": str(number),
        "source_version": 1,
        "voice": "recorded",
        "event_hour": at.replace(minute=0, second=0, microsecond=0),
        "ingested_at": at,
        "file_id": "f",
        "record_no": number,
        "class_uid": 6003,
        "activity_id": 1,
        "resource_uids": [],
        "raw": "{}",
        "raw_hash": "0" * 32,
    }
    return whole | row | {"detail": json.dumps(row.get("detail", {}))}


def _at(rng: random.Random) -> datetime:
    return MONDAY + timedelta(minutes=rng.randrange(N_HOURS * 60))


def _iso(moment: datetime) -> str:
    return moment.isoformat()


def _keys(*entries: tuple[str, str, str]) -> list[dict[str, str]]:
    return [{"kind": kind, "value": value, "role": role} for kind, value, role in entries]


def _pick(prefix: str, n: int) -> Callable[[random.Random], str]:
    return lambda rng: f"{prefix}{rng.randrange(n)}"


_approval_uid, _decision_uid, _trace = _pick("A", 8), _pick("D", 8), _pick("t", 3)
_session, _static, _role = _pick("ASIA", 8), _pick("AKIA", 2), _pick("arn:aws:iam::1:role/r", 3)
_agent, _tool, _call, _request = _pick("bot", 3), _pick("tool", 3), _pick("call", 4), _pick("1/q", 12)
_bearer = _pick("sa", 2)
_span, _resource = _pick("s", 8), _pick("arn:aws:s3:::b/", 4)


def _credential(rng: random.Random) -> str:
    return rng.choice((_session, _session, _session, _static))(rng)


def _approval(rng: random.Random) -> Event:
    uid, at = _approval_uid(rng), _at(rng)
    detail = {
        "status": rng.choice(("requested", "approved", "approved", "approved", "denied", "revoked")),
        "origin": rng.choice(("ticket", "ticket", "human_request")),
        "subject": rng.choice((_agent, _role))(rng),
        "requested_by": rng.choice(("ann", "bob")),
        "approved_by": rng.choice(("ann", "bob@example.org")),
        "valid_until": _iso(at + timedelta(hours=rng.choice((2, 20, 400)))),
        "actions": rng.choice(([], ["s3:Get*"], ["iam:*"])),
        "roles": rng.choice(([], [_role(rng)])),
        "tools": rng.choice(([], [_tool(rng)])),
    }
    if detail["origin"] == "human_request" and uid not in ("A0", "A1"):
        uid = f"R{uid}"  # of the others, requests bear the ids of tickets
    keys = _keys(
        ("approval", uid, "names"), ("ticket", f"T{rng.randrange(3)}", "names"), ("trace", _trace(rng), "carries")
    )
    return {
        "log": "approvals",
        "kind": "approval",
        "event_at": at,
        "approval_uid": uid,
        "task": "task",
        "detail": detail,
        "keys": keys,
    }


def _decision(rng: random.Random) -> Event:
    uid, trace = _decision_uid(rng), _trace(rng)
    keys = _keys(
        ("decision", uid, "names"),
        rng.choice((("approval", _approval_uid(rng), "uses"), ("ticket", "T1", "uses"), ("ticket", "T9", "uses"))),
        ("tool_call", f"{trace}/{_call(rng)}", "uses"),
        ("trace", trace, "carries"),
    )
    return {
        "log": "opa_decisions",
        "kind": "decision",
        "event_at": _at(rng),
        "decision_uid": uid,
        "actor_uid": _agent(rng),
        "actor_kind": "agent",
        "action": _tool(rng),
        "args_hash": rng.choice(("h1", "h2")),
        "detail": {"result": rng.choice(("allow", "deny"))},
        "keys": keys,
    }


def _tool_call(rng: random.Random) -> Event:
    trace, tool, at = _trace(rng), _tool(rng), _at(rng)
    uid = f"{trace}/{_span(rng)}"
    keys = _keys(
        ("span", uid, "names"),
        ("span", f"{trace}/{_span(rng)}", "uses"),
        ("tool_call", f"{trace}/{_call(rng)}", "names"),
        ("request", _request(rng), "uses"),
        ("trace", trace, "carries"),
        rng.choice((("decision", _decision_uid(rng), "uses"), ("approval", _approval_uid(rng), "uses"))),
    )
    detail = {"operation": rng.choice(("execute_tool", "execute_tool", "invoke_agent", "rpc")), "tool": tool}
    return {
        "log": "otel_genai",
        "kind": "tool_call",
        "event_at": at,
        "tool_call_uid": uid,
        "actor_uid": _agent(rng),
        "actor_kind": "agent",
        "action": f"tool:{tool}",
        "outcome": "success",
        "args_hash": rng.choice(("h1", "h2")),
        "keys": keys,
        "detail": detail | {"ended_at": _iso(at + timedelta(minutes=rng.randrange(90)))},
    }


def _activity(rng: random.Random) -> Event:
    role = _role(rng)
    name = rng.choice((_approval_uid, _trace))(rng)
    keys = [("request", _request(rng), "names"), ("session_name", f"{role}/{name}", "carries")]
    if rng.random() < 0.3:
        uid = _approval_uid(rng)
        keys.append(("approval" if uid in ("A1", "A2") else "source_identity", uid, "carries"))
    if rng.random() < 0.3:
        keys.append(("shared_event", f"x{rng.randrange(4)}", "carries"))
    is_bearer = rng.random() < 0.2
    if is_bearer:
        keys.append(("bearer", _bearer(rng), "uses"))
    event = {
        "log": "aws_cloudtrail",
        "kind": "activity",
        "event_at": _at(rng),
        "actor_uid": role,
        "actor_kind": "role",
        "account_uid": rng.choice(("1", "2")),
        "action": rng.choice(("s3:GetObject", "iam:AttachRolePolicy", "sts:GetCallerIdentity")),
        "resource_uids": rng.choice(([], [_resource(rng)])),
        "outcome": rng.choice(("success", "denied")),
        "credential_uid": None if is_bearer or rng.random() < 0.1 else _credential(rng),
        "revoked_credential_uid": _credential(rng) if rng.random() < 0.1 else None,
        "keys": _keys(*keys),
        "detail": {"role_arn": role, "session_name": name},
    }
    return _with_key(event) if str(event["credential_uid"]).startswith("AKIA") else event


def _with_key(event: Event) -> Event:
    """A key that lasts shows no session, and nobody issued it here."""
    keys = [key for key in event["keys"] if key["kind"] != "session_name"]
    return event | {"credential_uid": "AKIAKEY", "keys": keys, "detail": {}}


def _issue(rng: random.Random) -> Event:
    role, name = _role(rng), rng.choice((_approval_uid, _trace))(rng)
    event = _activity(rng)
    bearer = ("bearer", _bearer(rng), "names")
    tag = (rng.choice(("transitive_tag", "session_tag")), f"ticket={_approval_uid(rng)}", "carries")
    return event | {
        "action": "sts:AssumeRole",
        "outcome": "success",
        "issued_credential_uid": _credential(rng),
        "issued_expires_at": event["event_at"] + timedelta(hours=rng.choice((1, 12, 36))),
        "keys": [*event["keys"], *_keys(("session_name", f"{role}/{name}", "carries"), tag, bearer)],
        "detail": event["detail"] | {"issued_role_arn": role, "issued_session_name": name},
    }


def _forgery(rng: random.Random) -> Event:
    """Credentials that claim to have issued each other, without an approval's id on them."""
    return _issue(rng) | {
        "credential_uid": f"ASIAF{rng.randrange(6)}",
        "issued_credential_uid": f"ASIAF{rng.randrange(6)}",
        "keys": [],
    }


def _sign_in(rng: random.Random) -> Event:
    """A sign-in at the console, or an act there some minutes later with a key that nobody saw issued, of a person whose
    name is written in several ways.
    """
    number = rng.randrange(4)
    begun = MONDAY + timedelta(hours=5 * number)
    event = {
        "log": "aws_cloudtrail",
        "kind": "activity",
        "actor_uid": rng.choice(("ann@example.org", "Ann@Example.org")),
        "actor_kind": "human",
        "outcome": "success",
        "keys": [],
    }
    detail = {"role_arn": "arn:aws:iam::1:role/r0", "session_name": f"ann{number}", "session_created_at": _iso(begun)}
    if rng.random() < 0.5:
        issued = {
            "issued_kind": "console",
            "issued_role_arn": detail["role_arn"],
            "issued_session_name": f"ann{number}",
        }
        own = {"action": "signin:ConsoleLogin", "issued_credential_uid": f"console:{number}", "detail": detail | issued}
        return event | {"event_at": begun} | own
    key = f"ASIAC{number}{rng.randrange(2)}"
    own = {"action": "s3:GetObject", "credential_uid": key, "detail": detail}
    return event | {"event_at": begun + timedelta(minutes=rng.randrange(200))} | own


def _change(rng: random.Random) -> Event:
    """Somebody changes who may do what, or an export shows it: few holders, groups and policies, so that they meet."""
    at = _at(rng)
    event = {
        "log": "aws_cloudtrail",
        "kind": "activity",
        "event_at": at,
        "actor_uid": rng.choice(("ann@example.org", _role(rng))),
        "actor_kind": "human",
        "account_uid": "1",
        "action": "iam:AttachRolePolicy",
        "outcome": rng.choice(("success", "success", "success", "denied")),
        "keys": [],
        "detail": {"grants": [_edge_or_document(rng) for _ in range(rng.randrange(1, 3))]},
    }
    if rng.random() < 0.3:
        day = at.replace(hour=6, minute=0)
        whole = {"op": "whole", "relation": rng.choice(("member", "attached")), "account": "1"}
        detail = {"snapshot": f"s{day.day}", "captured_by": rng.choice(("name", "name", "lower_bound"))}
        own = {"log": "aws_iam_snapshot", "kind": "inventory", "event_at": day, "actor_uid": None, "outcome": None}
        grants = [whole, {**_edge_or_document(rng), "op": "add", "relation": whole["relation"], "held": _held(rng)}]
        return event | own | {"voice": "declared", "action": None, "detail": detail | {"grants": grants}}
    return event


def _of_secret(rng: random.Random) -> Event:
    """Somebody reads or changes one of few secrets."""
    name = rng.choice(("GetSecretValue", "GetSecretValue", "PutSecretValue", "RotateSecret"))
    secret = f"arn:aws:secretsmanager:eu-central-1:1:secret:s{rng.randrange(3)}"
    return _activity(rng) | {"action": f"secretsmanager:{name}", "outcome": "success", "resource_uids": [secret]}


def _word(rng: random.Random) -> Event:
    """Somebody tags an identity, disables an account or gives a key back."""
    owner = rng.choice((None, "ann@example.org", "bob"))
    words = (
        {"of": _role(rng), "field": rng.choice(("owner", "team")), "value": owner},
        {"of": _role(rng), "field": "expires_at", "value": _iso(_at(rng))},
        {"of": rng.choice(("Ann@example.org", "bob")), "field": "account", "value": rng.choice(("gone", "there"))},
        {"of": _credential(rng), "field": "credential", "value": "there"},
    )
    event = _activity(rng)
    said = {"lifecycle": [rng.choice(words) for _ in range(rng.randrange(1, 3))]}
    return event | {"action": "iam:TagRole", "outcome": "success", "detail": event["detail"] | said}


_group, _policy = _pick("group/g", 3), _pick("policy/p", 3)


def _held(rng: random.Random) -> str:
    return rng.choice((_group, _policy))(rng)


def _edge_or_document(rng: random.Random) -> dict[str, Any]:
    holder = rng.choice((_role, _agent, _group))(rng)
    actions = rng.choice((["s3:Get*"], ["s3:*"], ["iam:*", "sqs:*"], ["*"]))
    statements = rng.choice((None, [{"effect": "allow", "actions": actions}], [{"effect": "deny", "actions": actions}]))
    return rng.choice(
        (
            {"op": "add", "relation": "member", "holder": holder, "held": _group(rng)},
            {"op": "add", "relation": "attached", "holder": holder, "held": _policy(rng)},
            {"op": "add", "relation": "attached", "holder": holder, "held": _policy(rng)},
            {"op": "add", "relation": "boundary", "holder": holder, "held": _policy(rng)},
            {"op": "remove", "relation": "attached", "holder": holder, "held": _policy(rng)},
            {"op": "whole", "relation": "attached", "holder": holder},
            {"op": "remove", "relation": "exists", "holder": holder},
            {
                "op": "write",
                "relation": "document",
                "held": _policy(rng),
                "kind": "permissions",
                "statements": statements,
            },
            {
                "op": "write",
                "relation": "document",
                "held": _policy(rng),
                "kind": "permissions",
                "statements": statements,
            },
            {"op": "write", "relation": "document", "held": _role(rng), "kind": "trust", "statements": statements},
        )
    )


def _stage(rng: random.Random) -> Event:
    """One of three stages of one of four requests, near the end of an hour; most arrive more than once."""
    number, stage = rng.randrange(4), rng.randrange(1, 4)
    return {
        "log": "kubernetes_audit",
        "kind": "activity",
        "event_at": MONDAY + timedelta(hours=23 * number, minutes=59, seconds=59),
        "actor_uid": f"system:serviceaccount:pay:agent{stage // 3 * (number // 2)}",
        "actor_kind": "workload",
        "action": "k8s:secrets:get",
        "outcome": "unknown" if stage == 1 else "success",
        "keys": _keys(("request", f"1/q{number}", "names")),
        "detail": {"request": f"q{number}", "stage_number": stage},
    }
