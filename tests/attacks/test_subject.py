"""Attacks by the subject's word: an agent that says of itself what was approved, borrows what somebody else was given,
or answers its own questions; and honest work that looks alike and is accused of nothing.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from agent_world import (
    ACCOUNT,
    CONFIG,
    DENY,
    HELPER,
    THIEF,
    TRACE,
    World,
    engine,
    nanos,
    otlp,
    person_asks,
    put_policy,
    request,
    span,
    take,
    tool,
)
from small_logs import RUNNER, WORKER, approval, at, session
from source_samples import attributes, log_export

UNAPPROVED = "ultravires_unapproved_privileged_activity"
BORROWED = "ultravires_borrowed_approval"
WEAK = "ultravires_weakly_linked_approval"
AFTERWARDS = "ultravires_approved_afterwards"
DISAGREE = "ultravires_decisions_disagree"
TWICE = "ultravires_decision_used_twice"
DENIED = "ultravires_executed_despite_denial"
UNDECIDED = "ultravires_privileged_tool_without_decision"
CHANGED = "ultravires_arguments_changed_after_decision"

ask_approval = partial(approval, subject="helper", roles=[HELPER], valid_until=at(240))
"""APR-1 and its like are given to the agent `helper` and its role."""

# The logs of approvals and decisions speak around the story, so that what is missing is missing.
AROUND = [approval("APR-0", -30), approval("APR-9", 230)]


def agentcore(spans: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same spans as the log group aws/spans has them."""
    plain = {"cloud.platform": "aws_bedrock_agentcore", "service.name": "agents.DEFAULT"}
    return [
        {
            **one,
            "resource": {"attributes": plain},
            "scope": {"name": ""},
            "startTimeUnixNano": int(one["startTimeUnixNano"]),
            "endTimeUnixNano": int(one["endTimeUnixNano"]),
            "attributes": {entry["key"]: next(iter(entry["value"].values())) for entry in one["attributes"]},
            "status": {"code": "UNSET"},
        }
        for one in spans
    ]


def gateway(minutes: float, message: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "timestamp": at(minutes),
        "direction": "IN",
        "session_id": "sess-41",
        "client": {"name": "helper"},
        "user": "ana@example.org",
        "server": "users",
        "message": {"jsonrpc": "2.0", **message},
        **more,
    }


# Approvals that the subject tells of


@pytest.mark.parametrize("told_in", [otlp, agentcore], ids=["otel_genai", "bedrock_agentcore"])
def test_a_person_in_telemetry_approves_a_cloud_act(tmp_path: Path, told_in: Any) -> None:
    """The agent says that somebody asked for it, with exact ids from the run to the request of the cloud."""
    spans = [person_asks(1, 0, "thief"), request(2, 1, "thief", "e1", 1)]
    world = World(tmp_path, spans=told_in(spans), trail=[put_policy("e1", 1, THIEF, "ASIA1")], approvals=AROUND)
    assert UNAPPROVED in world.findings() and not world.is_accounted("e1")
    # Its own account of the run keeps its root.
    assert world.ask("select distinct root_kind from chain_steps where node_kind = 'tool_call'") == [("approval",)]


def test_a_prompt_in_a_coding_agents_log_approves_a_cloud_act(tmp_path: Path) -> None:
    """The same by the events of a coding agent, whose conversation is the session's name."""
    events = [
        ("user_prompt", 0, {"prompt.id": "p1", "prompt": "tidy up"}),
        ("tool_result", 1, {"prompt.id": "p1", "tool_name": "Bash", "tool_use_id": "t1", "success": "true"}),
    ]
    said = {"session.id": "s1", "user.email": "ana@example.org"}
    records = [
        log_export(
            {
                "timeUnixNano": str(nanos(minutes)),
                "body": {"stringValue": f"claude_code.{name}"},
                "attributes": attributes({"event.name": name, **said, **more}),
            }
        )
        for name, minutes, more in events
    ]
    documents = [json.loads(record) if isinstance(record, (str, bytes)) else record for record in records]
    world = World(tmp_path, agent=documents, trail=[put_policy("e1", 1, THIEF, "ASIA1")], approvals=AROUND)
    assert UNAPPROVED in world.findings() and not world.is_accounted("e1")


def test_telemetry_approves_what_was_rejected(tmp_path: Path) -> None:
    """The approval was denied; the agent names it, and says that a person asked for the run."""
    spans = [person_asks(1, 0, "helper", approval__id="APR-1"), request(2, 1, "helper", "e1", 1, approval__id="APR-1")]
    denied = [*AROUND, ask_approval("APR-1", -10, status="denied")]
    world = World(tmp_path, spans=otlp(spans), trail=[put_policy("e1", 1, HELPER, "ASIA1")], approvals=denied)
    assert UNAPPROVED in world.findings() and not world.is_accounted("e1")


def test_telemetry_states_an_approval_that_nobody_else_repeats(tmp_path: Path) -> None:
    """The approval is real and the agent's; that this act was under it only the agent says."""
    spans = [tool(1, 0, "helper", "put", approval__id="APR-1"), request(2, 1, "helper", "e1", 1)]
    # A second one for the same role, so that neither accounts without being named.
    given = [*AROUND, ask_approval("APR-1", -10, actions=["s3:*"]), ask_approval("APR-2", -10, actions=["s3:*"])]
    world = World(tmp_path, spans=otlp(spans), trail=[put_policy("e1", 1, HELPER, "ASIA1")], approvals=given)
    assert not world.is_accounted("e1")
    assert world.is_accounted(f"{TRACE}/{1:016x}"), "of its own account its own word is enough"


def test_a_gateway_of_the_agent_approves_a_cloud_act(tmp_path: Path) -> None:
    """Its gateway says under which approval it let the call pass; a span says which request came of it."""
    asked = {"id": 3, "method": "tools/call", "params": {"name": "put", "arguments": {}}}
    asked["params"]["_meta"] = {"traceparent": f"00-{TRACE}-{1:016x}-01"}
    spans = [tool(1, 0, "helper", "put"), request(2, 1, "helper", "e1", 1)]
    world = World(
        tmp_path,
        gateway=[gateway(0, asked, decision="allow", approval_id="APR-1")],
        spans=otlp(spans),
        trail=[put_policy("e1", 1, HELPER, "ASIA1")],
        # A second one for the same role, so that neither accounts without being named.
        approvals=[*AROUND, ask_approval("APR-1", -10, actions=["s3:*"]), ask_approval("APR-2", -10, actions=["s3:*"])],
    )
    assert not world.is_accounted("e1")


# Approvals of somebody else

BY_WHAT: dict[str, dict[str, Any]] = {
    "source identity": {"sourceIdentity": "APR-1"},
    "session name": {"roleSessionName": "APR-1"},
    "tag": {"tags": [{"key": "ticket", "value": "APR-1"}]},
    "transitive tag": {"tags": [{"key": "ticket", "value": "APR-1"}], "transitiveTagKeys": ["ticket"]},
}


REASONS = ("somebody else", "ended", "unknown")


def carrying(by_what: str, uid: str) -> dict[str, Any]:
    """What the parameters of AssumeRole hold that carries the approval `uid`."""
    return json.loads(json.dumps(BY_WHAT[by_what]).replace("APR-1", uid))


def stolen(
    approvals: list[dict[str, Any]], folder: Path, *, by_what: str = "source identity", uid: str = "APR-1"
) -> World:
    """The thief's session is issued with an approval in it, and used."""
    return World(folder, trail=theft(THIEF, by_what, uid), approvals=[*AROUND, *approvals])


def theft(role: str, by_what: str, uid: str) -> list[dict[str, Any]]:
    """The role takes itself with the approval `uid` in the session, and changes a policy."""
    key = f"ASIA{uid}"
    taken = take(f"{uid}-1", 1, session(role, f"ASIAOF{uid}"), role, key, **carrying(by_what, uid))
    shown = uid if by_what == "source identity" else None
    return [taken, put_policy(f"{uid}-2", 2, role, key, source_identity=shown)]


def thieves() -> dict[tuple[str, str], tuple[str, str]]:
    """Each way of carrying an approval that is not one's own, with the role that does it and the approval's id."""
    ways = [(by_what, reason) for by_what in BY_WHAT for reason in REASONS]
    return {way: (f"{THIEF}{number}", f"APR-1{number}") for number, way in enumerate(ways, start=10)}


@pytest.fixture(scope="module")
def world_of_thieves(tmp_path_factory: pytest.TempPathFactory) -> World:
    approvals, trail = list(AROUND), []
    for (by_what, reason), (role, uid) in thieves().items():
        trail += theft(role, by_what, uid)
        if reason == "somebody else":
            approvals.append(ask_approval(uid, -10))
        if reason == "ended":
            approvals.append(ask_approval(uid, -20, subject=role, roles=[role], valid_until=at(-5)))
    return World(tmp_path_factory.mktemp("thieves"), trail=trail, approvals=approvals)


def assert_caught(world: World, by_what: str, reason: str) -> None:
    role, uid = thieves()[by_what, reason]
    found = world.ask(f"select distinct detector_id from findings where state = 'open' and actor_uid = '{role}'")
    assert {UNAPPROVED, BORROWED} <= {row[0] for row in found} and not world.is_accounted(f"{uid}-2")
    assert [row for row in world.borrowed() if row[0] == role] == [(role, uid, reason)]


@pytest.mark.parametrize("by_what", BY_WHAT)
def test_a_session_carries_the_approval_of_another(world_of_thieves: World, by_what: str) -> None:
    """Whatever carries it, it names somebody else and lists a role of somebody else."""
    assert_caught(world_of_thieves, by_what, "somebody else")


@pytest.mark.parametrize("by_what", BY_WHAT)
def test_a_session_is_begun_under_an_approval_that_has_ended(world_of_thieves: World, by_what: str) -> None:
    """The approval is the thief's own, and was over before it took the session."""
    assert_caught(world_of_thieves, by_what, "ended")


@pytest.mark.parametrize("by_what", BY_WHAT)
def test_a_session_carries_an_approval_that_nobody_knows(world_of_thieves: World, by_what: str) -> None:
    """It looks like one of them, and their log was complete."""
    assert_caught(world_of_thieves, by_what, "unknown")


@pytest.mark.parametrize("key", ["approval_id", "ticket"])
def test_an_engine_is_told_the_ticket_of_another(tmp_path: Path, key: str) -> None:
    """The engine allows the call and repeats what it was told; the ticket names another agent."""
    spans = [tool(1, 1, "thief", "put", gen_ai__tool__call__id="call_1"), request(2, 1, "thief", "e1", 1)]
    given = ask_approval("APR-1", -10, ticket="TCK-1")
    said = {"approval_id": "APR-1"} if key == "approval_id" else {"ticket": "TCK-1"}
    world = World(
        tmp_path,
        spans=otlp(spans),
        decisions=[engine("d1", 1, "thief", "put", **said)],
        trail=[put_policy("e1", 1, THIEF, "ASIA1")],
        approvals=[*AROUND, given],
    )
    assert {UNAPPROVED, BORROWED} <= world.findings() and not world.is_accounted("e1")


def test_a_call_of_another_agent_explains_an_act(tmp_path: Path) -> None:
    """The thief's telemetry hangs its request on a call of the helper, which an engine let pass under an approval."""
    spans = [
        tool(1, 1, "helper", "put", gen_ai__tool__call__id="call_1"),
        request(2, 1, "helper", "e0", 1),
        request(3, 1, "helper", "e1", 1),
    ]
    world = World(
        tmp_path,
        spans=otlp(spans),
        decisions=[engine("d1", 1, "helper", "put", approval_id="APR-1")],
        trail=[put_policy("e0", 1, HELPER, "ASIA0"), put_policy("e1", 1, THIEF, "ASIA1")],
        approvals=[*AROUND, ask_approval("APR-1", -10)],
    )
    assert world.is_accounted("e0") and not world.is_accounted("e1")
    assert {UNAPPROVED, BORROWED} <= world.findings()


def test_a_trace_of_another_excuses_an_act(tmp_path: Path) -> None:
    """Somebody asked the helper for something; the thief calls in the same trace, and an engine notes that trace."""
    spans = [person_asks(1, 0, "helper"), tool(2, 1, "thief", "put", gen_ai__tool__call__id="call_1")]
    world = World(
        tmp_path,
        spans=otlp([*spans, request(3, 1, "thief", "e1", 2)]),
        decisions=[engine("d1", 1, "thief", "put")],
        trail=[put_policy("e1", 1, THIEF, "ASIA1")],
        approvals=AROUND,
    )
    assert UNAPPROVED in world.findings() and not world.is_accounted("e1")


def test_a_change_of_a_person_is_named_by_whoever_likes(tmp_path: Path) -> None:
    """It names only who asked for it; a name that the caller chose for its session does not make it the caller's."""
    hers = ask_approval("APR-1", -10, subject="ana@example.org", requested_by="ana@example.org", roles=[])
    world = stolen([hers], tmp_path, by_what="session name")
    assert {UNAPPROVED, BORROWED} <= world.findings()


# Decisions


def decided(folder: Path, decisions: list[dict[str, Any]], spans: list[dict[str, Any]], **more: Any) -> World:
    return World(folder, spans=otlp(spans), decisions=decisions, approvals=AROUND, **more)


def delete(number: int = 1, minutes: float = 2, **named: Any) -> dict[str, Any]:
    return tool(number, minutes, "helper", "delete_user", **{"gen_ai__tool__call__id": "call_1", **named})


@pytest.mark.parametrize("called_at", [2, -30], ids=["after both", "dated before both"])
def test_an_allow_after_the_denial(tmp_path: Path, called_at: float) -> None:
    """The engine denies the call, and another question about the same call is allowed."""
    answers = [engine("d1", 0, "helper", "delete_user", **DENY), engine("d2", 1, "helper", "delete_user")]
    world = decided(tmp_path, answers, [delete(minutes=called_at)])
    assert {DENIED, DISAGREE} <= world.findings()


def test_the_agent_allows_what_the_engine_denied(tmp_path: Path) -> None:
    """Its own gateway says allow, later and for the same call."""
    asked = {"id": 3, "method": "tools/call", "params": {"name": "delete_user", "arguments": {}}}
    asked["params"]["_meta"] = {"traceparent": f"00-{TRACE}-{1:016x}-01"}
    answers = [engine("d1", 0, "helper", "delete_user", span_id=f"{1:016x}", **DENY)]
    world = decided(tmp_path, answers, [delete(minutes=1)], gateway=[gateway(1, asked, decision="allow")])
    assert {DENIED, DISAGREE} <= world.findings()


def test_the_agent_answers_under_the_id_of_the_engines_denial(tmp_path: Path) -> None:
    """Two records of one decision: the earlier is the gateway's, which says allow."""
    asked = {"id": 3, "method": "tools/call", "params": {"name": "delete_user", "arguments": {}}}
    said = gateway(-1, asked, decision="allow", decision_id="d1")
    world = decided(tmp_path, [engine("d1", 0, "helper", "delete_user", **DENY)], [delete(minutes=1)], gateway=[said])
    assert DENIED in world.findings()


def test_the_agent_decides_where_an_engine_does(tmp_path: Path) -> None:
    """An engine decides about this agent; on this call it was not asked, and the agent's gateway says allow."""
    asked = {"id": 3, "method": "tools/call", "params": {"name": "delete_user", "arguments": {}}}
    asked["params"]["_meta"] = {"traceparent": f"00-{TRACE}-{1:016x}-01"}
    answers = [engine(f"d{n}", n, "helper", "read", call_id=f"other_{n}") for n in (0, 200)]
    world = decided(tmp_path, answers, [delete(minutes=1)], gateway=[gateway(1, asked, decision="allow")])
    assert UNDECIDED in world.findings()


def test_what_was_denied_is_under_no_approval(tmp_path: Path) -> None:
    """The denial names the approval, which lists the role; what was done all the same has none."""
    world = World(
        tmp_path,
        spans=otlp([delete(minutes=1), request(2, 1, "helper", "e1", 1)]),
        decisions=[engine("d1", 1, "helper", "delete_user", approval_id="APR-1", **DENY)],
        trail=[put_policy("e1", 1, HELPER, "ASIA1")],
        approvals=[*AROUND, ask_approval("APR-1", -10, valid_until=at(-5))],
    )
    assert {DENIED, UNAPPROVED} <= world.findings() and not world.is_accounted("e1")


@pytest.mark.parametrize("asked_about", ["read_user", "undelete_user", "ete_user"])
def test_a_decision_about_another_tool(tmp_path: Path, asked_about: str) -> None:
    """The engine was asked about a harmless tool with the id of this call, also where one name ends in the other."""
    answers = [engine("d1", 1, "helper", asked_about), engine("d2", 200, "helper", "read", call_id="other")]
    world = decided(tmp_path, answers, [delete()])
    assert UNDECIDED in world.findings()


def test_a_call_points_at_a_decision_about_nothing(tmp_path: Path) -> None:
    """The agent writes the id of any allow into its span."""
    answers = [engine("d1", 1, "helper", None, call_id=None), engine("d2", 200, "helper", "read", call_id="other")]
    world = decided(tmp_path, answers, [delete(decision__id="d1")])
    assert UNDECIDED in world.findings()


def test_other_arguments_than_were_allowed(tmp_path: Path) -> None:
    """What was allowed is another call, so nobody decided on this one."""
    answers = [
        engine("d1", 1, "helper", "delete_user", arguments={"user": "guest"}),
        engine("d2", 200, "helper", "read", call_id="other"),
    ]
    world = decided(tmp_path, answers, [delete(gen_ai__tool__call__arguments='{"user": "root"}')])
    assert {CHANGED, UNDECIDED} <= world.findings()


def test_a_second_call_hides_under_the_decision_on_the_first(tmp_path: Path) -> None:
    """Both have one parent and one call id; the engine does not know the arguments."""
    spans = [
        delete(gen_ai__tool__call__arguments='{"user": "guest"}', parent=9),
        delete(2, 3, gen_ai__tool__call__arguments='{"user": "root"}', parent=9),
    ]
    world = decided(tmp_path, [engine("d1", 1, "helper", "delete_user")], spans)
    assert TWICE in world.findings()


def test_a_longer_account_of_a_call_replaces_the_first(tmp_path: Path) -> None:
    """The span is exported again, as a harmless tool and with a later end."""
    harmless = {**tool(1, 2, "helper", "read_user", gen_ai__tool__call__id="call_1")}
    harmless["endTimeUnixNano"] = str(nanos(9))
    world = World(
        tmp_path,
        spans=otlp([delete()]),
        again=otlp([harmless]),
        decisions=[engine("d1", 1, "helper", "read_user")],
        approvals=AROUND,
    )
    assert any(found.endswith("records_disagree") for found in world.findings())


# Approvals that come late, or fit by chance


@pytest.mark.parametrize(
    "late",
    [
        {"approved_at": at(60), "valid_from": at(-10), "updated_at": at(60)},
        {"approved_at": at(60), "valid_from": at(-10), "requested_at": at(59), "updated_at": at(61)},
    ],
    ids=["granted later", "asked for later"],
)
def test_an_approval_is_dated_back(tmp_path: Path, late: dict[str, Any]) -> None:
    """It begins before the act and was given after it."""
    world = stolen([ask_approval("APR-1", -10, subject="thief", roles=[THIEF], **late)], tmp_path)
    assert AFTERWARDS in world.findings() and UNAPPROVED not in world.findings()


def test_an_approval_says_that_it_was_given_before_it_was_asked_for(tmp_path: Path) -> None:
    """At the time of the act it was still only asked for, as its system recorded then; later it says otherwise."""
    own = {"subject": "thief", "roles": [THIEF], "valid_from": at(-10)}
    states = [
        ask_approval("APR-1", 30, **own, status="requested", approved_at=None, updated_at=at(30)),
        ask_approval("APR-1", 60, **own, approved_at=at(-10), updated_at=at(60)),
    ]
    assert AFTERWARDS in stolen(states, tmp_path).findings()


@pytest.mark.parametrize("actions", [[], ["s3:GetObject"]], ids=["in plain words", "of other actions"])
def test_an_open_ended_ticket_excuses_everything(tmp_path: Path, actions: list[str]) -> None:
    """The agent has a ticket that never ends, and no id joins its acts to it."""
    forever = ask_approval("APR-1", -10, subject="thief", roles=[], actions=actions, valid_until=None)
    acts = [put_policy(f"e{n}", n, THIEF, f"ASIA{n}") for n in range(1, 4)]
    world = World(tmp_path, trail=acts, approvals=[*AROUND, forever])
    assert world.findings() & {WEAK, UNAPPROVED} == {WEAK}
    assert world.ask(f"select subject_uid, severity from findings where detector_id = '{WEAK}'") == [
        ("thief", "medium")
    ]


# Honest work

ACCUSING = {UNAPPROVED, BORROWED, WEAK, AFTERWARDS, DISAGREE, TWICE, DENIED, UNDECIDED, CHANGED}


def assert_honest(world: World, *accounted: str) -> None:
    assert world.findings() & ACCUSING == set()
    assert [native_id for native_id in accounted if not world.is_accounted(native_id)] == []


def test_honest_a_runner_takes_a_listed_role_for_an_agent(tmp_path: Path) -> None:
    """The approval names the agent, the runner issues the session, and the role acts; by every way of carrying it."""
    trail, approvals = [], list(AROUND)
    for number, by_what in enumerate(BY_WHAT, start=1):
        uid, role = f"APR-{number}", f"{HELPER}{number}"
        own = theft(role, by_what, uid)
        own[0]["userIdentity"] = session(RUNNER, "ASIARUNNER")
        trail += own
        approvals.append(ask_approval(uid, -10, roles=[role]))
    world = World(tmp_path, trail=trail, approvals=approvals, config={})
    assert_honest(world, *(f"APR-{number}-{n}" for number in range(1, len(BY_WHAT) + 1) for n in (1, 2)))


def test_honest_an_agent_acts_under_its_alias(tmp_path: Path) -> None:
    """The approval lists no role; the configuration says whose the role is."""
    trail = [
        take("e1", 1, session(RUNNER, "ASIARUNNER"), HELPER, "ASIAWORK", sourceIdentity="APR-1"),
        put_policy("e2", 2, HELPER, "ASIAWORK", source_identity="APR-1"),
    ]
    assert_honest(World(tmp_path, trail=trail, approvals=[*AROUND, ask_approval("APR-1", -10, roles=[])]), "e1", "e2")


def test_honest_a_role_takes_another_that_its_approval_lists(tmp_path: Path) -> None:
    """Two hops, with the source identity of the first."""
    second = WORKER
    taken = session(HELPER, "ASIA1", source_identity="APR-1")
    trail = [
        take("e1", 1, session(RUNNER, "ASIARUNNER"), HELPER, "ASIA1", sourceIdentity="APR-1"),
        take("e2", 2, taken, second, "ASIA2"),
        put_policy("e3", 3, second, "ASIA2", source_identity="APR-1"),
    ]
    given = ask_approval("APR-1", -10, roles=[HELPER, second])
    assert_honest(World(tmp_path, trail=trail, approvals=[*AROUND, given]), "e1", "e2", "e3")


@pytest.mark.parametrize("has_grant", [True, False], ids=["within a standing approval", "of an agent without one"])
def test_a_person_asks_and_an_engine_repeats_it(tmp_path: Path, has_grant: bool) -> None:
    """The engine was asked within the run that the person asked for, whose id it recorded: a request narrows what the
    agent was approved for, and approves nothing itself.
    """
    spans = [
        person_asks(1, 0, "helper"),
        tool(2, 1, "helper", "put", parent=1, gen_ai__tool__call__id="call_1"),
        request(3, 1, "helper", "e1", 2),
    ]
    world = World(
        tmp_path,
        spans=otlp(spans),
        decisions=[engine("d1", 1, "helper", "put", span_id=f"{1:016x}")],
        trail=[put_policy("e1", 1, HELPER, "ASIA1")],
        approvals=[*AROUND, *([ask_approval("APR-1", -10)] if has_grant else [])],
    )
    if has_grant:
        assert_honest(world, "e1")
    else:
        assert UNAPPROVED in world.findings() and not world.is_accounted("e1")


@pytest.mark.parametrize("repeated", ["by an engine", "by nobody"])
def test_a_request_states_an_approval_that_has_ended(tmp_path: Path, repeated: str) -> None:
    """Each later prompt names the ticket that was over before it."""
    spans = [
        person_asks(1, 0, "helper", approval__id="APR-1"),
        tool(2, 1, "helper", "put", parent=1, gen_ai__tool__call__id="call_1"),
        request(3, 1, "helper", "e1", 2),
    ]
    span_id = {"span_id": f"{1:016x}"} if repeated == "by an engine" else {}
    world = World(
        tmp_path,
        spans=otlp(spans),
        decisions=[engine("d1", 1, "helper", "put", **span_id)],
        trail=[put_policy("e1", 1, HELPER, "ASIA1")],
        approvals=[*AROUND, ask_approval("APR-1", -20, valid_until=at(-5))],
    )
    assert {UNAPPROVED, "ultravires_activity_after_approval_end"} <= world.findings()
    assert not world.is_accounted("e1")


def test_a_request_states_an_approval_in_force_and_only_the_agent_tells(tmp_path: Path) -> None:
    """An engine repeats the request's id; that the request was under the approval, only the agent says."""
    spans = [
        person_asks(1, 0, "helper", approval__id="APR-1"),
        tool(2, 1, "helper", "put", parent=1, gen_ai__tool__call__id="call_1"),
        request(3, 1, "helper", "e1", 2),
    ]
    # Another one for the same role, so that neither accounts without being named.
    given = [ask_approval(uid, -10, actions=["s3:*"]) for uid in ("APR-1", "APR-2")]
    world = World(
        tmp_path,
        spans=otlp(spans),
        decisions=[engine("d1", 1, "helper", "put", span_id=f"{1:016x}")],
        trail=[put_policy("e1", 1, HELPER, "ASIA1")],
        approvals=[*AROUND, *given],
    )
    assert not world.is_accounted("e1") and WEAK in world.findings()


def test_nothing_is_said_where_no_log_of_approvals_speaks(tmp_path: Path) -> None:
    """An agent that works on what people ask of it, in a home without any system of approvals."""
    spans = [person_asks(1, 0, "helper"), request(2, 1, "helper", "e1", 1)]
    world = World(tmp_path, spans=otlp(spans), trail=[put_policy("e1", 1, HELPER, "ASIA1")])
    assert world.findings() & ACCUSING == set() and not world.is_accounted("e1")


def test_honest_an_engine_repeats_the_approval(tmp_path: Path) -> None:
    """Telemetry joins the request to the call, the engine the call to the approval."""
    spans = [tool(1, 1, "helper", "put", gen_ai__tool__call__id="call_1"), request(2, 1, "helper", "e1", 1)]
    world = World(
        tmp_path,
        spans=otlp(spans),
        decisions=[engine("d1", 1, "helper", "server.put", approval_id="APR-1")],
        trail=[put_policy("e1", 1, HELPER, "ASIA1")],
        approvals=[*AROUND, ask_approval("APR-1", -10)],
    )
    assert_honest(world, "e1")


def test_honest_an_agent_works_for_another(tmp_path: Path) -> None:
    """The helper calls the clerk, and the engine lets the clerk's call pass under the helper's approval."""
    clerk = ACCOUNT + "clerk"
    identities = [*CONFIG["identities"], {"id": "clerk", "kind": "agent", "aliases": ["agent:clerk", clerk]}]
    spans = [
        tool(1, 1, "helper", "ask_clerk", gen_ai__tool__call__id="call_1"),
        span(2, 1, parent=1, gen_ai__operation__name="invoke_agent", gen_ai__agent__name="clerk"),
        tool(3, 1, "clerk", "put", parent=2, gen_ai__tool__call__id="call_2"),
        request(4, 1, "clerk", "e1", 3),
    ]
    world = World(
        tmp_path,
        config={"identities": identities},
        spans=otlp(spans),
        decisions=[
            engine("d1", 1, "helper", "ask_clerk", approval_id="APR-1"),
            engine("d2", 1, "clerk", "put", approval_id="APR-1", call_id="call_2"),
        ],
        trail=[put_policy("e1", 1, clerk, "ASIA1")],
        approvals=[*AROUND, ask_approval("APR-1", -10)],
    )
    assert_honest(world, "e1")


def test_honest_a_change_that_names_only_who_asked(tmp_path: Path) -> None:
    """A person's change says what is done; the issuer of the session says for whom."""
    change = ask_approval("APR-1", -10, subject="ana@example.org", requested_by="ana@example.org", roles=[])
    trail = [
        take("e1", 1, session(RUNNER, "ASIARUNNER"), HELPER, "ASIAWORK", sourceIdentity="APR-1"),
        put_policy("e2", 2, HELPER, "ASIAWORK", source_identity="APR-1"),
    ]
    assert_honest(World(tmp_path, trail=trail, approvals=[*AROUND, change]), "e1", "e2")


def test_honest_a_session_outlives_its_approval_unaccused_of_borrowing(tmp_path: Path) -> None:
    """It was begun in time; that it goes on is a finding of its own."""
    short = ask_approval("APR-1", -10, valid_until=at(5))
    trail = [
        take("e1", 1, session(RUNNER, "ASIARUNNER"), HELPER, "ASIAWORK", sourceIdentity="APR-1"),
        put_policy("e2", 20, HELPER, "ASIAWORK", source_identity="APR-1"),
    ]
    world = World(tmp_path, trail=trail, approvals=[*AROUND, short])
    assert_honest(world, "e1", "e2")
    assert "ultravires_activity_after_approval_end" in world.findings()


def test_honest_the_record_of_an_approval_arrives_late(tmp_path: Path) -> None:
    """It was given before the act, and its file comes with the next run."""
    trail = [
        take("e1", 1, session(RUNNER, "ASIARUNNER"), HELPER, "ASIAWORK", sourceIdentity="APR-1"),
        put_policy("e2", 2, HELPER, "ASIAWORK", source_identity="APR-1"),
    ]
    assert UNAPPROVED in World(tmp_path, trail=trail, approvals=AROUND).findings()
    assert_honest(World(tmp_path, late=[ask_approval("APR-1", -10)]), "e1", "e2")


def test_honest_a_standing_approval_lists_the_action(tmp_path: Path) -> None:
    """Nothing joins the acts to it but whose they are, what they are and when."""
    standing = ask_approval("APR-1", -10, actions=["iam:PutRolePolicy"], valid_until=None)
    acts = [put_policy(f"e{n}", n, HELPER, f"ASIA{n}") for n in range(1, 4)]
    assert_honest(World(tmp_path, trail=acts, approvals=[*AROUND, standing]))


def test_honest_an_agent_that_no_engine_knows_asks_its_person(tmp_path: Path) -> None:
    """Only the permission prompt decides, as its own log tells."""
    asked = {"id": 3, "method": "tools/call", "params": {"name": "delete_user", "arguments": {}}}
    asked["params"]["_meta"] = {"traceparent": f"00-{TRACE}-{1:016x}-01"}
    answers = [engine(f"d{n}", n, "thief", "read", call_id=f"other_{n}") for n in (0, 200)]
    world = decided(tmp_path, answers, [delete(minutes=1)], gateway=[gateway(1, asked, decision="allow")])
    assert UNDECIDED not in world.findings()


def test_honest_names_that_are_no_approvals(tmp_path: Path) -> None:
    """People's names, a number from before the log began, and a log that had not yet come."""
    names = ["mara.lind", "botocore-session-1790000000", "APR-0000000", "ci-42"]
    trail = [
        take(f"e{n}", n, session(RUNNER, "ASIARUNNER"), HELPER, f"ASIA{n}", sourceIdentity=name, roleSessionName=name)
        for n, name in enumerate(names, start=1)
    ]
    known = [approval("APR-100", -30), approval("APR-200", 1)]
    world = World(
        tmp_path,
        trail=[*trail, take("e9", 280, session(RUNNER, "ASIARUNNER"), HELPER, "ASIA9", sourceIdentity="APR-300")],
        approvals=known,
    )
    assert world.borrowed() == []
