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
from stories import Asked, Stories, Story

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
told = Stories(config=CONFIG, as_of=at(300), words=("helper", "thief", "clerk"))
BY_TRACE = {"traceparent": f"00-{TRACE}-{1:016x}-01"}


def asking(**named: Any) -> dict[str, Any]:
    """What a gateway is asked: to call the tool, within the span of the call."""
    return {"id": 3, "method": "tools/call", "params": {"arguments": {}, "_meta": BY_TRACE, **named}}


def at_the_helper(event_id: str = "e1") -> list[dict[str, Any]]:
    return [put_policy(event_id, 1, HELPER, "ASIA1")]


def at_the_thief(event_id: str = "e1") -> list[dict[str, Any]]:
    return [put_policy(event_id, 1, THIEF, "ASIA1")]


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


ASKED_FOR = [person_asks(1, 0, "thief"), request(2, 1, "thief", "e1", 1)]


@told.each(
    {
        name: {"spans": told_in(ASKED_FOR), "trail": at_the_thief(), "approvals": AROUND}
        for name, told_in in {"otel_genai": otlp, "bedrock_agentcore": agentcore}.items()
    }
)
def test_a_person_in_telemetry_approves_a_cloud_act(story: Story) -> None:
    """The agent says that somebody asked for it, with exact ids from the run to the request of the cloud."""
    assert UNAPPROVED in story.findings() and not story.is_accounted("e1")
    # Its own account of the run keeps its root.
    assert story.ask("select distinct root_kind from chain_steps where node_kind = 'tool_call'") == [("approval",)]


def of_a_coding_agent() -> list[dict[str, Any]]:
    """What a coding agent tells of a prompt and of the call that came of it."""
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
    return [json.loads(record) if isinstance(record, (str, bytes)) else record for record in records]


@told(agent=of_a_coding_agent(), trail=at_the_thief(), approvals=AROUND)
def test_a_prompt_in_a_coding_agents_log_approves_a_cloud_act(story: Story) -> None:
    """The same by the events of a coding agent, whose conversation is the session's name."""
    assert UNAPPROVED in story.findings() and not story.is_accounted("e1")


@told(
    spans=otlp(
        [person_asks(1, 0, "helper", approval__id="APR-1"), request(2, 1, "helper", "e1", 1, approval__id="APR-1")]
    ),
    trail=at_the_helper(),
    approvals=[*AROUND, ask_approval("APR-1", -10, status="denied")],
)
def test_telemetry_approves_what_was_rejected(story: Story) -> None:
    """The approval was denied; the agent names it, and says that a person asked for the run."""
    assert UNAPPROVED in story.findings() and not story.is_accounted("e1")


@told(
    spans=otlp([tool(1, 0, "helper", "put", approval__id="APR-1"), request(2, 1, "helper", "e1", 1)]),
    trail=at_the_helper(),
    # A second one for the same role, so that neither accounts without being named.
    approvals=[*AROUND, ask_approval("APR-1", -10, actions=["s3:*"]), ask_approval("APR-2", -10, actions=["s3:*"])],
)
def test_telemetry_states_an_approval_that_nobody_else_repeats(story: Story) -> None:
    """The approval is real and the agent's; that this act was under it only the agent says."""
    assert not story.is_accounted("e1")
    assert story.is_accounted(f"{TRACE}/{1:016x}"), "of its own account its own word is enough"


@told(
    gateway=[gateway(0, asking(name="put"), decision="allow", approval_id="APR-1")],
    spans=otlp([tool(1, 0, "helper", "put"), request(2, 1, "helper", "e1", 1)]),
    trail=at_the_helper(),
    # A second one for the same role, so that neither accounts without being named.
    approvals=[*AROUND, ask_approval("APR-1", -10, actions=["s3:*"]), ask_approval("APR-2", -10, actions=["s3:*"])],
)
def test_a_gateway_of_the_agent_approves_a_cloud_act(story: Story) -> None:
    """Its gateway says under which approval it let the call pass; a span says which request came of it."""
    assert not story.is_accounted("e1")


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


def stolen(*approvals: dict[str, Any], by_what: str = "source identity") -> dict[str, list[dict[str, Any]]]:
    """The logs where the thief's session is issued with APR-1 in it, and used."""
    return {"trail": theft(THIEF, by_what, "APR-1"), "approvals": [*AROUND, *approvals]}


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


def of_thieves() -> dict[str, list[dict[str, Any]]]:
    approvals, trail = list(AROUND), []
    for (by_what, reason), (role, uid) in thieves().items():
        trail += theft(role, by_what, uid)
        if reason == "somebody else":
            approvals.append(ask_approval(uid, -10))
        if reason == "ended":
            approvals.append(ask_approval(uid, -20, subject=role, roles=[role], valid_until=at(-5)))
    return {"trail": trail, "approvals": approvals}


told_of_thieves = told(**of_thieves())


def assert_caught(story: Story, by_what: str, reason: str) -> None:
    role, uid = thieves()[by_what, reason]
    found = story.ask(f"select distinct detector_id from findings where state = 'open' and actor_uid = '{role}'")
    assert {UNAPPROVED, BORROWED} <= {row[0] for row in found} and not story.is_accounted(f"{uid}-2")
    assert [row for row in story.borrowed() if row[0] == role] == [(role, uid, reason)]


@told_of_thieves
@pytest.mark.parametrize("by_what", BY_WHAT)
def test_a_session_carries_the_approval_of_another(story: Story, by_what: str) -> None:
    """Whatever carries it, it names somebody else and lists a role of somebody else."""
    assert_caught(story, by_what, "somebody else")


@told_of_thieves
@pytest.mark.parametrize("by_what", BY_WHAT)
def test_a_session_is_begun_under_an_approval_that_has_ended(story: Story, by_what: str) -> None:
    """The approval is the thief's own, and was over before it took the session."""
    assert_caught(story, by_what, "ended")


@told_of_thieves
@pytest.mark.parametrize("by_what", BY_WHAT)
def test_a_session_carries_an_approval_that_nobody_knows(story: Story, by_what: str) -> None:
    """It looks like one of them, and their log was complete."""
    assert_caught(story, by_what, "unknown")


CALLED_PUT = [tool(1, 1, "thief", "put", gen_ai__tool__call__id="call_1"), request(2, 1, "thief", "e1", 1)]


@told.each(
    {
        key: {
            "spans": otlp(CALLED_PUT),
            "decisions": [engine("d1", 1, "thief", "put", **{key: said})],
            "trail": at_the_thief(),
            "approvals": [*AROUND, ask_approval("APR-1", -10, ticket="TCK-1")],
        }
        for key, said in {"approval_id": "APR-1", "ticket": "TCK-1"}.items()
    }
)
def test_an_engine_is_told_the_ticket_of_another(story: Story) -> None:
    """The engine allows the call and repeats what it was told; the ticket names another agent."""
    assert {UNAPPROVED, BORROWED} <= story.findings() and not story.is_accounted("e1")


@told(
    spans=otlp(
        [
            tool(1, 1, "helper", "put", gen_ai__tool__call__id="call_1"),
            request(2, 1, "helper", "e0", 1),
            request(3, 1, "helper", "e1", 1),
        ]
    ),
    decisions=[engine("d1", 1, "helper", "put", approval_id="APR-1")],
    trail=[put_policy("e0", 1, HELPER, "ASIA0"), put_policy("e1", 1, THIEF, "ASIA1")],
    approvals=[*AROUND, ask_approval("APR-1", -10)],
)
def test_a_call_of_another_agent_explains_an_act(story: Story) -> None:
    """The thief's telemetry hangs its request on a call of the helper, which an engine let pass under an approval."""
    assert story.is_accounted("e0") and not story.is_accounted("e1")
    assert {UNAPPROVED, BORROWED} <= story.findings()


@told(
    spans=otlp(
        [
            person_asks(1, 0, "helper"),
            tool(2, 1, "thief", "put", gen_ai__tool__call__id="call_1"),
            request(3, 1, "thief", "e1", 2),
        ]
    ),
    decisions=[engine("d1", 1, "thief", "put")],
    trail=at_the_thief(),
    approvals=AROUND,
)
def test_a_trace_of_another_excuses_an_act(story: Story) -> None:
    """Somebody asked the helper for something; the thief calls in the same trace, and an engine notes that trace."""
    assert UNAPPROVED in story.findings() and not story.is_accounted("e1")


HERS = ask_approval("APR-1", -10, subject="ana@example.org", requested_by="ana@example.org", roles=[])


@told(**stolen(HERS, by_what="session name"))
def test_a_change_of_a_person_is_named_by_whoever_likes(story: Story) -> None:
    """It names only who asked for it; a name that the caller chose for its session does not make it the caller's."""
    assert {UNAPPROVED, BORROWED} <= story.findings()


# Decisions


def decided(
    decisions: list[dict[str, Any]], spans: list[dict[str, Any]], **more: list[dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """The logs of calls and of what an engine answered about them."""
    return {"spans": otlp(spans), "decisions": decisions, "approvals": AROUND, **more}


def delete(number: int = 1, minutes: float = 2, **named: Any) -> dict[str, Any]:
    return tool(number, minutes, "helper", "delete_user", **{"gen_ai__tool__call__id": "call_1", **named})


FIRST_DENIED = [engine("d1", 0, "helper", "delete_user", **DENY), engine("d2", 1, "helper", "delete_user")]


@told.each(
    {
        "after both": decided(FIRST_DENIED, [delete(minutes=2)]),
        "dated before both": decided(FIRST_DENIED, [delete(minutes=-30)]),
    }
)
def test_an_allow_after_the_denial(story: Story) -> None:
    """The engine denies the call, and another question about the same call is allowed."""
    assert {DENIED, DISAGREE} <= story.findings()


ASKED_TO_DELETE = asking(name="delete_user")
ALLOWED_BY_ITSELF = [gateway(1, ASKED_TO_DELETE, decision="allow")]


@told(
    **decided(
        [engine("d1", 0, "helper", "delete_user", span_id=f"{1:016x}", **DENY)],
        [delete(minutes=1)],
        gateway=ALLOWED_BY_ITSELF,
    )
)
def test_the_agent_allows_what_the_engine_denied(story: Story) -> None:
    """Its own gateway says allow, later and for the same call."""
    assert {DENIED, DISAGREE} <= story.findings()


@told(
    **decided(
        [engine("d1", 0, "helper", "delete_user", **DENY)],
        [delete(minutes=1)],
        gateway=[
            gateway(-1, asking(name="delete_user", _meta={}), decision="allow", decision_id="d1"),
        ],
    )
)
def test_the_agent_answers_under_the_id_of_the_engines_denial(story: Story) -> None:
    """Two records of one decision: the earlier is the gateway's, which says allow."""
    assert DENIED in story.findings()


@told(
    **decided(
        [engine(f"d{n}", n, "helper", "read", call_id=f"call_9{n}") for n in (0, 200)],
        [delete(minutes=1)],
        gateway=ALLOWED_BY_ITSELF,
    )
)
def test_the_agent_decides_where_an_engine_does(story: Story) -> None:
    """An engine decides about this agent; on this call it was not asked, and the agent's gateway says allow."""
    assert UNDECIDED in story.findings()


@told(
    spans=otlp([delete(minutes=1), request(2, 1, "helper", "e1", 1)]),
    decisions=[engine("d1", 1, "helper", "delete_user", approval_id="APR-1", **DENY)],
    trail=at_the_helper(),
    approvals=[*AROUND, ask_approval("APR-1", -10, valid_until=at(-5))],
)
def test_what_was_denied_is_under_no_approval(story: Story) -> None:
    """The denial names the approval, which lists the role; what was done all the same has none."""
    assert {DENIED, UNAPPROVED} <= story.findings() and not story.is_accounted("e1")


LATER = engine("d2", 200, "helper", "read", call_id="call_9")
"""The engine still decides about this agent."""


@told.each(
    {
        asked_about: decided([engine("d1", 1, "helper", asked_about), LATER], [delete()])
        for asked_about in ("read_user", "undelete_user", "ete_user")
    }
)
def test_a_decision_about_another_tool(story: Story) -> None:
    """The engine was asked about a harmless tool with the id of this call, also where one name ends in the other."""
    assert UNDECIDED in story.findings()


@told(**decided([engine("d1", 1, "helper", None, call_id=None), LATER], [delete(decision__id="d1")]))
def test_a_call_points_at_a_decision_about_nothing(story: Story) -> None:
    """The agent writes the id of any allow into its span."""
    assert UNDECIDED in story.findings()


@told(
    **decided(
        [engine("d1", 1, "helper", "delete_user", arguments={"user": "guest"}), LATER],
        [delete(gen_ai__tool__call__arguments='{"user": "root"}')],
    )
)
def test_other_arguments_than_were_allowed(story: Story) -> None:
    """What was allowed is another call, so nobody decided on this one."""
    assert {CHANGED, UNDECIDED} <= story.findings()


@told(
    **decided(
        [engine("d1", 1, "helper", "delete_user")],
        [
            delete(gen_ai__tool__call__arguments='{"user": "guest"}', parent=9),
            delete(2, 3, gen_ai__tool__call__arguments='{"user": "root"}', parent=9),
        ],
    )
)
def test_a_second_call_hides_under_the_decision_on_the_first(story: Story) -> None:
    """Both have one parent and one call id; the engine does not know the arguments."""
    assert TWICE in story.findings()


HARMLESS = {**tool(1, 2, "helper", "read_user", gen_ai__tool__call__id="call_1"), "endTimeUnixNano": str(nanos(9))}


@told(**decided([engine("d1", 1, "helper", "read_user")], [delete()], again=otlp([HARMLESS])))
def test_a_longer_account_of_a_call_replaces_the_first(story: Story) -> None:
    """The span is exported again, as a harmless tool and with a later end."""
    assert any(found.endswith("records_disagree") for found in story.findings())


# Approvals that come late, or fit by chance


OWN = {"subject": "thief", "roles": [THIEF], "valid_from": at(-10)}
GRANTED_LATER = {**OWN, "approved_at": at(60), "updated_at": at(60)}


@told.each(
    {
        "granted later": stolen(ask_approval("APR-1", -10, **GRANTED_LATER)),
        "asked for later": stolen(
            ask_approval("APR-1", -10, **GRANTED_LATER | {"requested_at": at(59), "updated_at": at(61)})
        ),
    }
)
def test_an_approval_is_dated_back(story: Story) -> None:
    """It begins before the act and was given after it."""
    assert AFTERWARDS in story.findings() and UNAPPROVED not in story.findings()


@told(
    **stolen(
        ask_approval("APR-1", 30, **OWN, status="requested", approved_at=None, updated_at=at(30)),
        ask_approval("APR-1", 60, **OWN, approved_at=at(-10), updated_at=at(60)),
    )
)
def test_an_approval_says_that_it_was_given_before_it_was_asked_for(story: Story) -> None:
    """At the time of the act it was still only asked for, as its system recorded then; later it says otherwise."""
    assert AFTERWARDS in story.findings()


@told.each(
    {
        name: {
            "trail": [put_policy(f"e{n}", n, THIEF, f"ASIA{n}") for n in range(1, 4)],
            "approvals": [
                *AROUND,
                ask_approval("APR-1", -10, subject="thief", roles=[], actions=actions, valid_until=None),
            ],
        }
        for name, actions in {"in plain words": [], "of other actions": ["s3:GetObject"]}.items()
    }
)
def test_an_open_ended_ticket_excuses_everything(story: Story) -> None:
    """The agent has a ticket that never ends, and no id joins its acts to it."""
    assert story.findings() & {WEAK, UNAPPROVED} == {WEAK}
    assert story.ask(f"select subject_uid, severity from findings where detector_id = '{WEAK}'") == [
        ("thief", "medium")
    ]


# Honest work

ACCUSING = {UNAPPROVED, BORROWED, WEAK, AFTERWARDS, DISAGREE, TWICE, DENIED, UNDECIDED, CHANGED}


def assert_honest(world: Asked, *accounted: str) -> None:
    assert world.findings() & ACCUSING == set()
    assert [native_id for native_id in accounted if not world.is_accounted(native_id)] == []


def carried() -> dict[str, list[dict[str, Any]]]:
    trail, approvals = [], list(AROUND)
    for number, by_what in enumerate(BY_WHAT, start=1):
        uid, role = f"APR-{number}", f"{HELPER}{number}"
        own = theft(role, by_what, uid)
        own[0]["userIdentity"] = session(RUNNER, "ASIARUNNER")
        trail += own
        approvals.append(ask_approval(uid, -10, roles=[role]))
    return {"trail": trail, "approvals": approvals}


@told(**carried(), config={})
def test_honest_a_runner_takes_a_listed_role_for_an_agent(story: Story) -> None:
    """The approval names the agent, the runner issues the session, and the role acts; by every way of carrying it."""
    assert_honest(story, *(f"APR-{number}-{n}" for number in range(1, len(BY_WHAT) + 1) for n in (1, 2)))


TAKEN = [
    take("e1", 1, session(RUNNER, "ASIARUNNER"), HELPER, "ASIAWORK", sourceIdentity="APR-1"),
    put_policy("e2", 2, HELPER, "ASIAWORK", source_identity="APR-1"),
]


@told(trail=TAKEN, approvals=[*AROUND, ask_approval("APR-1", -10, roles=[])])
def test_honest_an_agent_acts_under_its_alias(story: Story) -> None:
    """The approval lists no role; the configuration says whose the role is."""
    assert_honest(story, "e1", "e2")


@told(
    trail=[
        take("e1", 1, session(RUNNER, "ASIARUNNER"), HELPER, "ASIA1", sourceIdentity="APR-1"),
        take("e2", 2, session(HELPER, "ASIA1", source_identity="APR-1"), WORKER, "ASIA2"),
        put_policy("e3", 3, WORKER, "ASIA2", source_identity="APR-1"),
    ],
    approvals=[*AROUND, ask_approval("APR-1", -10, roles=[HELPER, WORKER])],
)
def test_honest_a_role_takes_another_that_its_approval_lists(story: Story) -> None:
    """Two hops, with the source identity of the first."""
    assert_honest(story, "e1", "e2", "e3")


def asked_of_the_helper(
    approvals: list[dict[str, Any]], *, repeated: bool = True, **named: Any
) -> dict[str, list[dict[str, Any]]]:
    """A person asks, and the helper calls and acts; an engine was asked within the run, whose id it recorded."""
    spans = [
        person_asks(1, 0, "helper", **named),
        tool(2, 1, "helper", "put", parent=1, gen_ai__tool__call__id="call_1"),
        request(3, 1, "helper", "e1", 2),
    ]
    span_id = {"span_id": f"{1:016x}"} if repeated else {}
    return {
        "spans": otlp(spans),
        "decisions": [engine("d1", 1, "helper", "put", **span_id)],
        "trail": at_the_helper(),
        "approvals": [*AROUND, *approvals],
    }


@told.each(
    {
        "within a standing approval": asked_of_the_helper([ask_approval("APR-1", -10)]),
        "of an agent without one": asked_of_the_helper([]),
    }
)
def test_a_person_asks_and_an_engine_repeats_it(story: Story) -> None:
    """A request narrows what the agent was approved for, and approves nothing itself."""
    if story.case == "within a standing approval":
        assert_honest(story, "e1")
    else:
        assert UNAPPROVED in story.findings() and not story.is_accounted("e1")


ENDED = [ask_approval("APR-1", -20, valid_until=at(-5))]


@told.each(
    {
        "by an engine": asked_of_the_helper(ENDED, approval__id="APR-1"),
        "by nobody": asked_of_the_helper(ENDED, repeated=False, approval__id="APR-1"),
    }
)
def test_a_request_states_an_approval_that_has_ended(story: Story) -> None:
    """Each later prompt names the ticket that was over before it."""
    assert {UNAPPROVED, "ultravires_activity_after_approval_end"} <= story.findings()
    assert not story.is_accounted("e1")


# Another one for the same role, so that neither accounts without being named.
@told(
    **asked_of_the_helper(
        [ask_approval(uid, -10, actions=["s3:*"]) for uid in ("APR-1", "APR-2")], approval__id="APR-1"
    )
)
def test_a_request_states_an_approval_in_force_and_only_the_agent_tells(story: Story) -> None:
    """An engine repeats the request's id; that the request was under the approval, only the agent says."""
    assert not story.is_accounted("e1") and WEAK in story.findings()


def test_nothing_is_said_where_no_log_of_approvals_speaks(tmp_path: Path) -> None:
    """An agent that works on what people ask of it, in a home without any system of approvals."""
    spans = [person_asks(1, 0, "helper"), request(2, 1, "helper", "e1", 1)]
    world = World(tmp_path, spans=otlp(spans), trail=at_the_helper())
    assert world.findings() & ACCUSING == set() and not world.is_accounted("e1")


@told(
    spans=otlp([tool(1, 1, "helper", "put", gen_ai__tool__call__id="call_1"), request(2, 1, "helper", "e1", 1)]),
    decisions=[engine("d1", 1, "helper", "server.put", approval_id="APR-1")],
    trail=at_the_helper(),
    approvals=[*AROUND, ask_approval("APR-1", -10)],
)
def test_honest_an_engine_repeats_the_approval(story: Story) -> None:
    """Telemetry joins the request to the call, the engine the call to the approval."""
    assert_honest(story, "e1")


CLERK = ACCOUNT + "clerk"


@told(
    config={"identities": [*CONFIG["identities"], {"id": "clerk", "kind": "agent", "aliases": ["agent:clerk", CLERK]}]},
    spans=otlp(
        [
            tool(1, 1, "helper", "ask_clerk", gen_ai__tool__call__id="call_1"),
            span(2, 1, parent=1, gen_ai__operation__name="invoke_agent", gen_ai__agent__name="clerk"),
            tool(3, 1, "clerk", "put", parent=2, gen_ai__tool__call__id="call_2"),
            request(4, 1, "clerk", "e1", 3),
        ]
    ),
    decisions=[
        engine("d1", 1, "helper", "ask_clerk", approval_id="APR-1"),
        engine("d2", 1, "clerk", "put", approval_id="APR-1", call_id="call_2"),
    ],
    trail=[put_policy("e1", 1, CLERK, "ASIA1")],
    approvals=[*AROUND, ask_approval("APR-1", -10)],
)
def test_honest_an_agent_works_for_another(story: Story) -> None:
    """The helper calls the clerk, and the engine lets the clerk's call pass under the helper's approval."""
    assert_honest(story, "e1")


@told(trail=TAKEN, approvals=[*AROUND, HERS])
def test_honest_a_change_that_names_only_who_asked(story: Story) -> None:
    """A person's change says what is done; the issuer of the session says for whom."""
    assert_honest(story, "e1", "e2")


@told(
    trail=[TAKEN[0], put_policy("e2", 20, HELPER, "ASIAWORK", source_identity="APR-1")],
    approvals=[*AROUND, ask_approval("APR-1", -10, valid_until=at(5))],
)
def test_honest_a_session_outlives_its_approval_unaccused_of_borrowing(story: Story) -> None:
    """It was begun in time; that it goes on is a finding of its own."""
    assert_honest(story, "e1", "e2")
    assert "ultravires_activity_after_approval_end" in story.findings()


def test_honest_the_record_of_an_approval_arrives_late(tmp_path: Path) -> None:
    """It was given before the act, and its file comes with the next run."""
    assert UNAPPROVED in World(tmp_path, trail=TAKEN, approvals=AROUND).findings()
    assert_honest(World(tmp_path, late=[ask_approval("APR-1", -10)]), "e1", "e2")


@told(
    trail=[put_policy(f"e{n}", n, HELPER, f"ASIA{n}") for n in range(1, 4)],
    approvals=[*AROUND, ask_approval("APR-1", -10, actions=["iam:PutRolePolicy"], valid_until=None)],
)
def test_honest_a_standing_approval_lists_the_action(story: Story) -> None:
    """Nothing joins the acts to it but whose they are, what they are and when."""
    assert_honest(story)


@told(
    **decided(
        [engine(f"d{n}", n, "thief", "read", call_id=f"call_9{n}") for n in (0, 200)],
        [delete(minutes=1)],
        gateway=ALLOWED_BY_ITSELF,
    )
)
def test_honest_an_agent_that_no_engine_knows_asks_its_person(story: Story) -> None:
    """Only the permission prompt decides, as its own log tells."""
    assert UNDECIDED not in story.findings()


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
