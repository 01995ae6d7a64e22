"""Requests with their tickets, and standing approvals: with nothing to find, and beside it the same gone wrong."""

from typing import Any

import pytest
from agent_world import ACCOUNT, World, engine, otlp, person_asks, put_policy, request, take, tool
from small_logs import RUNNER, approval, at, session

AFTER_END = "ultravires_activity_after_approval_end"
UNAPPROVED = "ultravires_unapproved_privileged_activity"
LEAVES = "ultravires_role_chain_leaves_approval"
NAMES = ("asker", "folded", "builder", "batch", "late", "stale", "mover", "doubled", "closed", "prompted", "stating")
CONFIG = {"identities": [{"id": name, "kind": "agent", "aliases": [f"agent:{name}", ACCOUNT + name]} for name in NAMES]}
AROUND = [approval("APR-0", -30), approval("APR-900", 290)]
TRACES = {name: f"{number:032x}" for number, name in enumerate(NAMES, start=1)}


def standing(uid: str, name: str, roles: list[str], **changes: Any) -> dict[str, Any]:
    return approval(uid, -10, subject=name, roles=[ACCOUNT + role for role in roles], valid_until=None, **changes)


def revoked(given: dict[str, Any], minutes: float) -> dict[str, Any]:
    return {**given, "status": "revoked", "revoked_at": at(minutes), "updated_at": at(minutes)}


def run_of(name: str, uid: str, minutes: float, *, told: dict[str, Any], decided: dict[str, Any]) -> dict[str, Any]:
    """A person asks the agent, an engine decides on its call, which changes a policy; `told` is on the prompt."""
    trace, first = TRACES[name], int(minutes) * 10
    return {
        "spans": [
            person_asks(first + 1, minutes, name, trace=trace, **told),
            tool(first + 2, minutes, name, "put", parent=first + 1, trace=trace, gen_ai__tool__call__id=f"c-{uid}"),
            request(first + 3, minutes, name, uid, first + 2, trace=trace),
        ],
        "decisions": [engine(f"d-{uid}", minutes, name, "put", call_id=f"c-{uid}", trace=trace, **decided)],
    }


def without_credential(record: dict[str, Any]) -> dict[str, Any]:
    identity = {key: value for key, value in record["userIdentity"].items() if key != "accessKeyId"}
    return {**record, "userIdentity": identity}


def put(uid: str, minutes: float, role: str, key: str, **changes: Any) -> dict[str, Any]:
    return put_policy(uid, minutes, ACCOUNT + role, key, **changes)


def into(uid: str, minutes: float, issuer: tuple[str, str], role: str, made: str) -> dict[str, Any]:
    """`issuer` is a role and its key."""
    return take(uid, minutes, session(ACCOUNT + issuer[0], issuer[1]), ACCOUNT + role, made)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> World:
    asked = run_of("asker", "a2", 1, told={"ticket__id": "TCK-1"}, decided={"ticket": "TCK-1"})
    folded = run_of("folded", "f2", 1, told={}, decided={"approval_id": "APR-2"})
    stating = run_of("stating", "s2", 1, told={"ticket__id": "TCK-5"}, decided={})
    trail = []
    for name, uid, first in (("asker", "APR-1", "a"), ("folded", "APR-2", "f"), ("stating", "APR-5", "s")):
        runner, key = session(RUNNER, f"ASIARUN{first}"), f"ASIA{first}"
        trail += [
            take(f"{first}1", 0, runner, ACCOUNT + name, key, sourceIdentity=uid),
            put(f"{first}2", 1, name, key, source_identity=uid),
        ]
    for n, minutes in enumerate((5, 100, 200)):
        trail += [
            into(f"b{n}1", minutes, ("builder", "ASIABASE"), "deploy", f"ASIAB{n}"),
            put(f"b{n}2", minutes + 1, "deploy", f"ASIAB{n}"),
        ]
        trail.append(without_credential(put(f"w{n}", minutes, "batch", "")))
    return World(
        tmp_path_factory.mktemp("clean"),
        config=CONFIG,
        spans=otlp([*asked["spans"], *folded["spans"], *stating["spans"]]),
        decisions=[*asked["decisions"], *folded["decisions"], *stating["decisions"]],
        trail=trail,
        approvals=[
            *AROUND,
            approval("APR-1", -10, subject="asker", roles=[ACCOUNT + "asker"], ticket="TCK-1"),
            approval("APR-2", -10, subject="folded", roles=[ACCOUNT + "folded"]),
            standing("APR-3", "builder", ["deploy"]),
            standing("APR-4", "batch", ["batch"]),
            approval("APR-5", -10, subject="stating", roles=[ACCOUNT + "stating"], ticket="TCK-5"),
        ],
    )


def test_nothing_is_found(clean: World) -> None:
    """A prompt and its ticket in one run, and standing approvals that are used all day."""
    assert clean.ask("select detector_id, actor_uid, message from findings") == []


@pytest.mark.parametrize(
    ("name", "uid", "method"),
    [("asker", "APR-1", "same_run"), ("folded", "APR-2", "same_run"), ("stating", "APR-5", "caller_chosen")],
)
def test_a_prompt_and_its_ticket_have_one_root(clean: World, name: str, uid: str, method: str) -> None:
    """What an engine decided in the run goes before what the person who asks states; the link says which it was."""
    steps = f"from chain_steps where actor_uid like '%{name}' and node_kind in ('approval', 'decision', 'tool_call')"
    assert clean.ask(f"select distinct root_id {steps}") == [(f"approval:{uid}",)]
    # What only the agent's side states accounts for no answer of an engine.
    by_word = method == "caller_chosen"
    assert clean.ask(f"select distinct node_kind {steps} and not is_accounted") == ([("decision",)] if by_word else [])
    link = "select method, confidence from links where kind = 'approval>approval' and is_primary and parent_id = "
    assert clean.ask(f"{link}'approval:{uid}'") == [(method, 0.6)]


def test_a_standing_approval_accounts_and_the_credentials_below_it_stay(clean: World) -> None:
    """Each session is accounted for, and stands below the credential from which its role was taken."""
    found = clean.ask(
        "select accounted_by, approval_id, confidence, count(*) from chain_steps "
        "where node_kind = 'activity' and regexp_matches(actor_uid, 'role/(deploy|batch)$') group by all order by all"
    )
    assert found == [("standing", "approval:APR-3", 0.5, 3), ("standing", "approval:APR-4", 0.5, 3)]
    parents = "select distinct parent_id from links where is_primary and spine = 'authority' and child_id like "
    assert clean.ask(f"{parents} 'credential:ASIAB_'") == [("credential:ASIABASE",)]


def test_what_accounts_is_counted_by_kind_and_method(clean: World) -> None:
    """A task and a standing grant are told apart."""
    found = clean.ask(
        "select method, sum(n_activities)::int from accounted_by_method where method = 'standing' group by 1"
    )
    assert found == [("standing", 9)]
    totals = clean.ask("select sum(n_by_task)::int, sum(n_by_standing)::int, sum(n_accounted)::int from accounted")
    assert totals[0][1] == 9 and totals[0][0] + totals[0][1] == totals[0][2]


@pytest.fixture(scope="module")
def accused(tmp_path_factory: pytest.TempPathFactory) -> World:
    ticket = approval("APR-1", -10, subject="late", roles=[ACCOUNT + "late"], ticket="TCK-1")
    later = run_of("late", "l2", 120, told={"ticket__id": "TCK-1"}, decided={"span_id": f"{1201:016x}"})
    alone = run_of("prompted", "p2", 120, told={}, decided={"span_id": f"{1201:016x}"})
    closed = standing("APR-4", "closed", ["closed"])
    stale = standing("APR-2", "stale", ["stale"])
    trail = [
        put("l2", 120, "late", "ASIALATE"),
        put("p2", 120, "prompted", "ASIAPROMPTED"),
        put("s1", 10, "stale", "ASIASTALE"),
        put("s2", 120, "stale", "ASIASTALE"),
        put("s3", 130, "stale", "ASIASTALE2"),
        into("t1", 20, ("thief", "ASIATHIEF"), "deploy", "ASIATAKEN"),
        put("t2", 21, "deploy", "ASIATAKEN"),
        put("m1", 19, "mover", "ASIAMOVER"),
        into("m2", 20, ("mover", "ASIAMOVER"), "admin", "ASIAADMIN"),
        put("m3", 21, "admin", "ASIAADMIN"),
        put("d1", 20, "doubled", "ASIADOUBLED"),
        without_credential(put("c1", 10, "closed", "")),
        without_credential(put("c2", 120, "closed", "")),
    ]
    return World(
        tmp_path_factory.mktemp("accused"),
        config=CONFIG,
        spans=otlp([*later["spans"], *alone["spans"]]),
        decisions=[*later["decisions"], *alone["decisions"]],
        trail=trail,
        approvals=[
            *AROUND,
            ticket,
            revoked(ticket, 60),
            stale,
            revoked(stale, 60),
            standing("APR-3", "builder", ["deploy"]),
            standing("APR-5", "mover", ["mover"]),
            standing("APR-6", "doubled", ["doubled"], actions=["s3:*"]),
            standing("APR-7", "doubled", ["doubled"], actions=["s3:*"]),
            closed,
            revoked(closed, 60),
        ],
    )


def of(world: World, detector: str) -> set[str]:
    """Whose acts are the evidence of a detector's findings, by the ids of the acts."""
    rows = world.ask(
        "select native_id from (select unnest(evidence_event_ids) as event_id from findings "
        f"where detector_id = '{detector}' and state = 'open') join events using (event_id) "
        "where log = 'aws_cloudtrail'"
    )
    return {row[0] for row in rows}


def test_a_later_prompt_renews_nothing(accused: World) -> None:
    """The prompt names a ticket that was revoked an hour before."""
    assert "l2" in of(accused, AFTER_END) and not accused.is_accounted("l2")


def test_a_prompt_alone_approves_nothing(accused: World) -> None:
    """An engine repeats its id, the run stays one piece below it, and it accounts for nothing."""
    assert "p2" in of(accused, UNAPPROVED) and not accused.is_accounted("p2")
    root = f"approval:{TRACES['prompted']}/{1201:016x}"
    steps = accused.ask(f"select distinct node_kind, is_accounted from chain_steps where root_id = '{root}'")
    assert {("decision", False), ("tool_call", False), ("activity", False)} <= set(steps)


def test_a_standing_approval_is_revoked(accused: World) -> None:
    """A session that was begun in time goes on after the end; one that begins after it is under none."""
    assert of(accused, AFTER_END) & {"s1", "s2", "s3"} == {"s2"}
    assert of(accused, UNAPPROVED) & {"s1", "s2", "s3"} == {"s3"}
    assert accused.is_accounted("s1") and not accused.is_accounted("s2")


def test_an_act_without_credential_after_the_end(accused: World) -> None:
    assert of(accused, UNAPPROVED) & {"c1", "c2"} == {"c2"} and accused.is_accounted("c1")


def test_somebody_else_takes_the_role(accused: World) -> None:
    """The approval is for the builder; what the thief does in its role is not."""
    assert "t2" in of(accused, UNAPPROVED) and not accused.is_accounted("t2")


def test_the_subject_takes_another_role(accused: World) -> None:
    assert of(accused, LEAVES) & {"m1", "m3"} == {"m3"}


def test_two_approvals_fit(accused: World) -> None:
    """Neither accounts, and neither lists what was done."""
    assert not accused.is_accounted("d1")
    assert accused.ask(
        "select confidence, n_candidates from links where child_id = 'credential:ASIADOUBLED' order by 1"
    ) == [
        (0.15, 2),
        (0.15, 2),
    ]
    assert "d1" in of(accused, "ultravires_weakly_linked_approval")
