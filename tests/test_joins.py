"""Ids and names that logs hold join what belongs together, from the files of a run to the links."""

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
import ultravires
from small_logs import approval, at, call, write_lines
from ultravires.runs.run import run_once

TRACE, OTHER_TRACE = "0af7651916cd43dd8448eb211c80319c", "0bf7651916cd43dd8448eb211c80319c"
ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Admin"
SSO_ROLE = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef"
AZURE_RESOURCE = "/subscriptions/3b9e7f52-1c84-4d06-a5f9-7e2d8c604b10/resourcegroups/billing/providers/x/y/runner-7"


def span(trace: str, number: int, kind: int, minutes: float, **attributes: str) -> dict[str, Any]:
    """A tool call as OTLP writes it, of a client (3), a server (2) or inside of a program (1)."""
    nanos = str((1_791_187_200 + int(minutes * 60)) * 1_000_000_000)
    own = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "refund"}
    named = {**own, **{name.replace("__", "."): value for name, value in attributes.items()}}
    body = {
        "traceId": trace,
        "spanId": f"{number:016x}",
        "name": "execute_tool refund",
        "kind": kind,
        "startTimeUnixNano": nanos,
        "endTimeUnixNano": nanos,
        "attributes": [{"key": name, "value": {"stringValue": value}} for name, value in named.items()],
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [body]}]}]}


def mcp(trace: str, number: int, kind: int, session: str) -> dict[str, Any]:
    of_request = {"mcp__method__name": "tools/call", "mcp__session__id": session, "jsonrpc__request__id": "7"}
    return span(trace, number, kind, 1, **of_request)


def opa(uid: str, **members: Any) -> dict[str, Any]:
    return {
        "decision_id": uid,
        "path": "agents/allow",
        "input": {"subject": "agent-a", "tool": "refund"},
        "result": True,
        "timestamp": at(0),
        "labels": {"id": "opa-1"},
        **members,
    }


def cedar(uid: str, context: dict[str, Any]) -> dict[str, Any]:
    return {
        "request_id": uid,
        "timestamp": at(0),
        "principal": {"type": "Agent", "id": "agent-a"},
        "action": {"type": "Action", "id": "call"},
        "resource": {"type": "Tool", "id": "refund"},
        "context": {"tool": "refund", **context},
        "decision": "ALLOW",
        "determiningPolicies": ["p"],
    }


def session_of(role: str, name: str, created: float, key: str | None) -> dict[str, Any]:
    identity = {
        "type": "AssumedRole",
        "principalId": f"AROA1:{name}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.rpartition('/')[2]}/{name}",
        "accountId": ACCOUNT,
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "arn": role},
            "attributes": {"creationDate": at(created), "mfaAuthenticated": "false"},
        },
    }
    return {**identity, "accessKeyId": key} if key else identity


def saml(event_id: str, minutes: float, role: str, name: str, key: str) -> dict[str, Any]:
    return call(
        event_id,
        minutes,
        "sts:AssumeRoleWithSAML",
        {"type": "SAMLUser", "principalId": "idp:mara", "userName": name},
        requestParameters={"roleArn": role, "roleSessionName": name},
        responseElements={"credentials": {"accessKeyId": key, "expiration": at(minutes + 60)}},
    )


def trail() -> list[dict[str, Any]]:
    """A console session behind SAML, a user's console session, and a portal's session."""
    user = {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/bo", "accountId": ACCOUNT, "userName": "bo"}
    begun = {"attributes": {"creationDate": at(1), "mfaAuthenticated": "true"}}
    person = {"type": "IdentityCenterUser", "onBehalfOf": {"userId": "u-1"}, "credentialId": "bearer-1"}
    return [
        saml("saml", 0, ROLE, "mara", "ASIASAML"),
        call("login", 1, "signin:ConsoleLogin", session_of(ROLE, "mara", 0, None)),
        call("act", 2, "s3:GetObject", session_of(ROLE, "mara", 0, "ASIAACT")),
        call("stranger", 2, "s3:GetObject", session_of(ROLE, "somebody", 0, "ASIASTRANGER")),
        call("bo-login", 1, "signin:ConsoleLogin", user),
        call("bo-act", 2, "s3:GetObject", {**user, "accessKeyId": "ASIABO", "sessionContext": begun}),
        call(
            "portal", 0, "sso:GetRoleCredentials", person, requestParameters={"accountId": ACCOUNT, "roleName": "Admin"}
        ),
        saml("saml-2", 0.1, SSO_ROLE, "mara@example.org", "ASIASSO"),
    ]


def azure(minutes: float, result: str, correlation: str = "c-1") -> dict[str, Any]:
    return {
        "time": at(minutes),
        "resourceId": AZURE_RESOURCE.upper(),
        "operationName": "MICROSOFT.COMPUTE/VIRTUALMACHINES/START/ACTION",
        "category": "Administrative",
        "resultType": result,
        "correlationId": correlation,
        "identity": {"claims": {"appid": "app-1", "idtyp": "app"}},
    }


def okta(uid: str, login: str) -> dict[str, Any]:
    return {
        "uuid": uid,
        "published": at(5),
        "eventType": "system.api_token.create",
        "version": "0",
        "severity": "INFO",
        "displayMessage": "Create API token",
        "actor": {"id": "00u1", "type": "User", "alternateId": login, "displayName": "x"},
        "outcome": {"result": "SUCCESS"},
        "target": [{"id": f"00T{uid}", "type": "Token"}],
        "transaction": {"id": f"t-{uid}", "detail": {}},
    }


def github(uid: str, login: str) -> dict[str, Any]:
    made = 1_791_187_500_000
    return {
        "_document_id": uid,
        "@timestamp": made,
        "created_at": made,
        "action": "public_key.create",
        "actor": login,
        "actor_id": 5,
        "org": "example-org",
        "fingerprint": f"SHA256:{uid}",
        "operation_type": "create",
    }


def kubernetes(uid: str, user: str) -> dict[str, Any]:
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": uid,
        "stage": "ResponseComplete",
        "verb": "delete",
        "requestURI": "/api/v1/namespaces/a/secrets/s",
        "user": {"username": user},
        "objectRef": {"resource": "secrets", "namespace": "a", "name": "s", "apiVersion": "v1"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": at(5),
        "stageTimestamp": at(5),
    }


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """All the stories in one home."""
    folder = tmp_path_factory.mktemp("joins")
    logs = folder / "logs"
    write_lines(
        logs / "spans.jsonl",
        [
            mcp(TRACE, 0xC1, 3, "sess-9"),
            mcp(OTHER_TRACE, 0xC2, 2, "sess-9"),
            mcp(OTHER_TRACE, 0xC3, 2, "sess-8"),
            *(span(TRACE, number, 1, 0) for number in (1, 2, 3, 4)),
        ],
    )
    header = {"http": {"headers": {"Traceparent": [f"00-{TRACE}-{2:016x}-01"]}}}
    write_lines(
        logs / "opa.jsonl",
        [
            opa("opa-own-span", trace_id=TRACE, span_id=f"{1:016x}"),
            opa("opa-header", trace_id=TRACE, span_id="00000000000000ff", request_context=header),
            opa("opa-other-tool", trace_id=TRACE, span_id=f"{1:016x}", input={"tool": "lookup"}),
        ],
    )
    write_lines(
        logs / "cedar.jsonl",
        [
            cedar("cedar-ids", {"trace_id": TRACE, "span_id": f"{3:016x}"}),
            cedar("cedar-header", {"traceparent": f"00-{TRACE}-{4:016x}-01"}),
        ],
    )
    asked = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "refund"}}
    gateway = {"timestamp": at(1), "session_id": "sess-9", "server": "ledger", "message": asked}
    write_lines(logs / "mcp.jsonl", [gateway])
    write_lines(logs / "trail.json", trail())
    write_lines(
        logs / "azure.jsonl",
        [
            azure(59, "Start"),
            azure(61, "Success"),
            azure(1, "Start", "c-2"),
            azure(2, "Accept", "c-2"),
            azure(3, "Failure", "c-2"),
        ],
    )
    write_lines(logs / "okta.jsonl", [okta("o-1", "mara.lind@example.org")])
    write_lines(logs / "github.jsonl", [github("g-1", "mara-lind"), github("g-2", "nobody")])
    write_lines(logs / "kubernetes.jsonl", [kubernetes("k-1", "deployer")])
    write_lines(
        logs / "approvals.jsonl",
        [
            approval("APR-MAIL", 0, subject="Mara.Lind@example.org", actions=[], roles=[]),
            approval("APR-LOGIN", 0, subject="Mara-Lind", actions=[], roles=[]),
            approval("APR-K8S", 0, subject="Deployer", actions=[], roles=[]),
        ],
    )
    run_once(logs, folder / "home", config=None, as_of="2026-10-06T00:00:00+00:00")
    with ultravires.open(folder / "home") as con:
        yield con


def parents(con: duckdb.DuckDBPyConnection, child: str) -> list[tuple[Any, ...]]:
    """Parent, key kind and confidence of every link of a node."""
    rows = con.execute(
        "select parent_id, key_kind, confidence from links "
        "where child_id = ? and kind not in ('issued_by', 'same_event') order by all",
        [child],
    ).fetchall()
    return [(parent, key, round(confidence, 2)) for parent, key, confidence in rows]


@pytest.mark.parametrize(
    ("number", "decision"), [(1, "opa-own-span"), (2, "opa-header"), (3, "cedar-ids"), (4, "cedar-header")]
)
def test_an_engine_asked_in_the_span_of_a_call_decided_on_it(
    number: int, decision: str, published: duckdb.DuckDBPyConnection
) -> None:
    """By the ids of the record or of the header that came with the question; a decision on another tool is none."""
    assert parents(published, f"tool_call:{TRACE}/{number:016x}") == [(f"decision:{decision}", "span", 1.0)]


def test_a_servers_call_hangs_on_the_gateways_and_that_on_the_clients(published: duckdb.DuckDBPyConnection) -> None:
    """Three logs of one request in two traces; another session's request of the same number is another one."""
    client, server = f"tool_call:{TRACE}/{0xC1:016x}", f"tool_call:{OTHER_TRACE}/{0xC2:016x}"
    assert parents(published, server) == [("tool_call:sess-9/7", "mcp_request", 1.0)]
    assert parents(published, "tool_call:sess-9/7") == [(client, "mcp_request", 1.0)]
    assert parents(published, client) == []
    assert parents(published, f"tool_call:{OTHER_TRACE}/{0xC3:016x}") == []


def test_what_is_done_in_a_console_leads_to_who_signed_in(published: duckdb.DuckDBPyConnection) -> None:
    """By role, name and creation at 0.3; the sign-in leads to the session with which one signed in."""
    behind = [("credential:ASIASAML", "session_name", 0.3)]
    assert parents(published, "credential:ASIAACT") == [("credential:aws:console:login", "session_name", 0.3)]
    assert parents(published, "credential:aws:console:login") == behind
    assert parents(published, "credential:ASIABO") == [("credential:aws:console:bo-login", "session_name", 0.3)]
    assert parents(published, "credential:ASIASTRANGER") == []
    (login,) = published.execute("select event_id from events where native_id = 'login'").fetchall()[0]
    assert parents(published, f"activity:{login}") == behind


def test_a_portals_session_leads_to_the_token_that_was_shown(published: duckdb.DuckDBPyConnection) -> None:
    """Identity Center logs who asked for which permission set, and the account which session began."""
    assert parents(published, "credential:ASIASSO") == [("credential:aws:portal:portal", "session_name", 0.3)]
    assert parents(published, "credential:aws:portal:portal") == [("credential:aws:bearer:bearer-1", "credential", 1.0)]


def test_the_records_of_one_operation_are_one_act(published: duckdb.DuckDBPyConnection) -> None:
    """Its outcome is that of the last, also where the operation goes on into another hour."""
    counted = published.execute(
        "select outcome from chain_steps "
        "where log = 'azure_activity' and is_counted and node_kind = 'activity' order by all"
    ).fetchall()
    assert counted == [("failure",), ("success",)]


@pytest.mark.parametrize(("approved", "native_id"), [("APR-MAIL", "o-1"), ("APR-LOGIN", "g-1"), ("APR-K8S", None)])
def test_a_name_is_compared_as_its_system_compares_it(
    approved: str, native_id: str | None, published: duckdb.DuckDBPyConnection
) -> None:
    """Okta's and GitHub's logins fold, users of Kubernetes do not; names stay as they were written."""
    found = published.execute(
        "select events.native_id from links join events on links.child_id = 'activity:' || events.event_id "
        "where links.parent_id = ?",
        [f"approval:{approved}"],
    ).fetchall()
    assert found == ([(native_id,)] if native_id else [])
    named = published.execute("select actor_uid from events where native_id in ('o-1', 'g-1') order by all").fetchall()
    assert named == [("mara-lind",), ("mara.lind@example.org",)]


def test_no_record_was_refused(published: duckdb.DuckDBPyConnection) -> None:
    """What these stories tell was read, so that none passes because it told nothing."""
    assert published.execute("select count(*), count(distinct log) from events").fetchone() == (33, 10)
    assert published.execute("select * from quarantine").fetchall() == []
