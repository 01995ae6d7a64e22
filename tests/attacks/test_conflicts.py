"""Attacks by records that bear an id which another record has: who can write to where a log lies writes a second
record of an act, a copy, a stage, a state of an approval or an end of a call, and lets it say something else.
"""

import hashlib
import json
import random
from datetime import datetime
from pathlib import Path
from typing import Any

from ocsf_copies import cloudtrail_as_ocsf
from small_logs import RUNNER, WORKER, approval, at, call, session, write_lines
from stories import Stories, Story
from tables_compared import differences
from ultravires.runs.run import run_once

AS_OF = "2026-10-05T20:00:00+00:00"
GRANTED = "aws_cloudtrail_admin_policy_granted"
DISAGREE = "ultravires_privileged_records_disagree"
ADMIN = {"roleName": "other", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}


def grant(event_id: str, identity: dict[str, Any], minutes: float = 60, **changes: Any) -> dict[str, Any]:
    """Administrator power for a role, which raises an alert."""
    return call(event_id, minutes, "iam:AttachRolePolicy", identity, **{"requestParameters": ADMIN} | changes)


def forged(number: int, event_id: str = "e1", **changes: Any) -> dict[str, Any]:
    """A record of the same act that names somebody else."""
    innocent = f"arn:aws:iam::111122223333:role/innocent-{number}"
    return grant(event_id, session(innocent, f"ASIA{number}"), **changes)


def load(home: Path, *batches: list[dict[str, Any]]) -> Path:
    """One run a batch of records of CloudTrail."""
    for records in batches:
        name = hashlib.sha256(json.dumps(records).encode()).hexdigest()[:12]
        write_lines(home.parent / f"{home.name}-logs" / f"{name}.json", records)
        run_once(home.parent / f"{home.name}-logs", home, config=None, as_of=AS_OF)
    return home


def findings(story: Story, detector: str) -> list[tuple[Any, ...]]:
    return story.ask(
        f"select subject_uid, state, revision, severity from findings where detector_id = '{detector}' order by 1"
    )


GENUINE = grant("e1", session(RUNNER, "ASIARUNNER"))


told = Stories(as_of=AS_OF, words=("mallory", "innocent", "team", "bot", "harbor-prod", "operation-1791201600-5e0d"))


@told(trail=[GENUINE], then={"forged": [forged(number) for number in range(9)]})
def test_a_forged_record_takes_the_place_of_the_genuine_one(story: Story) -> None:
    """However many are forged: each is an event, the genuine one among them, whichever has the smallest hash."""
    actors = {actor for (actor,) in story.ask("select actor_uid from events")}
    assert len(actors) == 10 and RUNNER in actors
    assert story.ask("select count(*) from step_facts where node_kind = 'activity'") == [(10,)]
    assert story.ask("select n_variants, differs from conflicts") == [(10, ["actor"])]


HARMLESS = {"requestParameters": {**ADMIN, "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}}


@told(trail=[GENUINE], then={"forged": [forged(number, **HARMLESS) for number in range(6)]})
def test_a_forged_record_closes_the_alert_of_the_genuine_one(story: Story) -> None:
    """A record of the same id that looks harmless came later: the finding stands, and is not renamed."""
    before = findings(story.before, GRANTED)
    assert len(before) == 1
    assert [(uid, state) for uid, state, *_ in findings(story, GRANTED)] == [(before[0][0], "open")]
    assert [(state, severity) for _, state, _, severity in findings(story, DISAGREE)] == [("open", "high")]
    assert story.ask("select count(*) from alerts") != [(0,)]
    assert story.ask("select count(*) from alerts where activity_id = 3") == [(0,)]


def test_variants_decide_by_arrival_which_of_them_is_the_event(tmp_path: Path) -> None:
    """In any order, split and repeated, records that disagree give the same tables."""
    records = [GENUINE, *(forged(number) for number in range(5)), grant("e1", session(RUNNER, "ASIARUNNER"), 61)]
    records += [call("e2", 60, "s3:GetObject", session(RUNNER, "ASIARUNNER"))]
    whole = load(tmp_path / "whole", records)
    rng = random.Random(1)
    shuffled = rng.sample(records, len(records))
    cut = rng.randrange(1, len(records))
    home = load(tmp_path / "home", shuffled[:cut], shuffled[cut - 1 :] + shuffled[:2])
    assert differences(whole, home) == []


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "another-target": ({"requestParameters": {**ADMIN, "roleName": "decoy"}}, "target"),
    "another-end": ({"errorCode": "AccessDenied"}, "outcome"),
    "another-time": ({"eventTime": at(300)}, "time"),
    "another-action": ({"eventName": "DetachRolePolicy"}, "action"),
    "an-approval": ({"userIdentity": session(RUNNER, "ASIARUNNER", source_identity="APR-1")}, "details"),
    "another-key": ({"userIdentity": session(RUNNER, "ASIAOTHER")}, "details"),
}
"""Id of a genuine record -> what the forged one of the same id changes, and what they are said to differ in."""


SAID_OTHERWISE = [grant(event_id, session(RUNNER, "ASIARUNNER")) for event_id in CHANGES]


@told(trail=SAID_OTHERWISE, then={"forged": [{**one, **CHANGES[one["eventID"]][0]} for one in SAID_OTHERWISE]})
def test_a_forged_record_says_something_else_of_the_act(story: Story) -> None:
    """Another target, end, time or action, or an approval that the genuine one never named: both are judged."""
    assert story.ask("select native_id, count(*) from events group by 1 order by 1") == [
        (event_id, 2) for event_id in sorted(CHANGES)
    ]
    said = story.ask(
        "select split_part(conflict_uid, ' ', 2), differs, n_variants, is_privileged from conflicts order by 1"
    )
    assert [(uid, *rest) for uid, _, *rest in said] == [(event_id, 2, True) for event_id in sorted(CHANGES)]
    assert [uid for uid, differs, *_ in said if CHANGES[uid][1] not in differs] == []
    assert [state for _, state, *_ in findings(story, DISAGREE)] == ["open"] * len(CHANGES)


AGAIN = dict(reversed([*GENUINE.items()])) | {"sourceIPAddress": "198.51.100.9", "userAgent": "another"}


@told(trail=[GENUINE], then={"again": [AGAIN]})
def test_another_delivery_of_a_record_is_no_conflict(story: Story) -> None:
    """What only the delivery adds, and the order of members, says nothing else of the act."""
    assert story.ask("select count(*) from events") == [(1,)]
    assert story.ask("select * from conflicts") == []
    assert story.ask("select sum(n_duplicates) from files") == [(1,)]


def request(conversation: str, prompt: str, minutes: float, agent: str = "claude-code") -> dict[str, Any]:
    """A person's request, as a coding agent's own log tells it."""
    attributes = {
        "event.name": "user_prompt",
        "session.id": conversation,
        "prompt.id": prompt,
        "user.email": "eve@example.org",
        "service.name": agent,
    }
    record = {
        "timeUnixNano": str(int(datetime.fromisoformat(at(minutes)).timestamp()) * 10**9),
        "body": {"stringValue": "claude_code.user_prompt"},
        "attributes": [{"key": name, "value": {"stringValue": value}} for name, value in attributes.items()],
    }
    return {"resourceLogs": [{"resource": {"attributes": []}, "scopeLogs": [{"logRecords": [record]}]}]}


def approvals(story: Story) -> list[tuple[Any, ...]]:
    return story.ask("select approval_id, status, subject_uid, is_granted from approvals order by 1")


@told(tickets=[approval("team/CHG-7", 0, status="denied", approved_at=None)], spans=[request("team", "CHG-7", 60)])
def test_a_person_s_request_approves_a_rejected_ticket(story: Story) -> None:
    """An agent's own telemetry bears the id of an approval that was denied, an hour later."""
    assert approvals(story) == [
        ("approval:team/CHG-7", "denied", WORKER, False),
        ("approval:team/CHG-7 @ otel_genai/human_request", "approved", "agent:claude-code", False),
    ]
    assert story.ask("select conflict_kind, differs from conflicts") == [("approval", ["system"])]
    assert [state for _, state, *_ in findings(story, DISAGREE)] == ["open"]


@told(spans=[request("team", "CHG-7", -600)], then={"tickets": [approval("team/CHG-7", 0)]})
def test_a_request_is_written_before_the_ticket_whose_id_it_takes(story: Story) -> None:
    """Who dates a request back takes nobody's name either, also where it is read first."""
    assert [(uid, subject) for uid, _, subject, _ in approvals(story)] == [
        ("approval:team/CHG-7", WORKER),
        ("approval:team/CHG-7 @ otel_genai/human_request", "agent:claude-code"),
    ]


@told(
    tickets=[approval("team/CHG-7", 0)],
    spans=[request("team", "CHG-7", 60), request("team", "CHG-7 @ otel_genai/human_request", 61)],
)
def test_a_request_bears_the_name_under_which_another_one_is_shown(story: Story) -> None:
    """`<id> @ <system>` is how an approval is shown whose id another system uses; nobody can choose that name."""
    assert len({uid for uid, *_ in approvals(story)}) == 3
    assert ("approval:team/CHG-7", "approved", WORKER, True) in approvals(story)


@told(
    tickets=[
        approval("CHG-7", 0, ticket="T-1"),
        approval("CHG-7", 0, ticket="T-2", subject="arn:aws:iam::111122223333:role/mallory", updated_at=at(90)),
    ]
)
def test_a_later_state_gives_an_approval_to_somebody_else(story: Story) -> None:
    """What the grant named stands, and that a later record names another subject and ticket is told."""
    ((_, _, subject, _),) = approvals(story)
    assert subject == WORKER
    assert story.ask("select conflict_kind, conflict_uid, differs from conflicts") == [
        ("states", "approval:CHG-7", ["subject", "ticket"])
    ]


@told(
    tickets=[approval("team/CHG-7", 0, approved_by="ana@example.org")],
    then={"spans": [request("team", "CHG-7", 60)]},
)
def test_a_self_approval_is_hidden_behind_another_system_s_state(story: Story) -> None:
    """The finding about an approval stands while any that bears its id supports it, and is not renamed."""
    before = findings(story.before, "ultravires_self_approval")
    after = findings(story, "ultravires_self_approval")
    assert len(before) == 1
    assert before[0][:2] in [row[:2] for row in after]


def counted(story: Story) -> list[tuple[Any, ...]]:
    """The acts that count, each with who did it."""
    return story.ask(
        "select event_id, actor_uid from chain_steps where node_kind = 'activity' and is_counted order by actor_uid"
    )


def samples_of(source: str, words: str) -> list[dict[str, Any]]:
    """The records of a source's sample that hold these words."""
    folder = Path(__file__).parents[2] / "data" / "sources" / source
    lines = next(folder.glob("sample.*")).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if words in line]


SHARED = grant("e1", session(RUNNER, "ASIARUNNER"), sharedEventID="s1")


@told(trail=[SHARED], then={"forged": [forged(0, "e0", sharedEventID="s1")]})
def test_a_forged_copy_stands_for_an_event(story: Story) -> None:
    """Of records with one sharedEventID one is counted; a copy that names another caller is an act of its own."""
    assert [actor for _, actor in counted(story)] == ["arn:aws:iam::111122223333:role/innocent-0", RUNNER]
    assert story.ask("select conflict_kind, conflict_uid, differs from conflicts") == [("copy", "s1", ["actor"])]
    assert [state for _, state, *_ in findings(story, DISAGREE)] == ["open"]


@told(trail=[SHARED, grant("e2", session(RUNNER, "ASIARUNNER"), 300, sharedEventID="s1")])
def test_a_forged_copy_moves_an_act_into_an_approval_s_window(story: Story) -> None:
    """The same caller, action and target at another time is another act."""
    assert len(counted(story)) == 2
    assert story.ask("select conflict_kind, differs from conflicts") == [("copy", ["time"])]


def named_another(start: dict[str, Any], end: dict[str, Any]) -> list[dict[str, Any]]:
    """Google's records of one operation, of which the last one names somebody else."""
    who = {"principalEmail": "innocent@harbor-prod.iam.gserviceaccount.com", "serviceAccountKeyName": "keys/abc"}
    return [start, {**end, "protoPayload": {**end["protoPayload"], "authenticationInfo": who}}]


OPERATION = samples_of("gcp_audit", "operation-1791201600-5e0d")


@told(audit=named_another(*OPERATION))
def test_a_forged_end_of_an_operation_names_somebody_else(story: Story) -> None:
    """Google's start and end of one operation are one act only if both name who began it."""
    assert len(counted(story)) == 2
    assert story.ask("select conflict_kind, differs from conflicts") == [("copy", ["actor"])]


@told(audit=OPERATION)
def test_the_end_of_an_operation_is_no_conflict(story: Story) -> None:
    """It may come long after its start, and is still the same act."""
    assert len(counted(story)) == 1
    assert story.ask("select * from conflicts") == []


def stage_of_kubernetes(request: str, stage: str, user: str, name: str = "db") -> dict[str, Any]:
    moment = "2026-10-05T10:00:00.100001Z"
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": request,
        "stage": stage,
        "requestURI": f"/api/v1/namespaces/pay/secrets/{name}",
        "verb": "delete",
        "user": {"username": user, "groups": []},
        "sourceIPs": ["192.0.2.33"],
        "objectRef": {"resource": "secrets", "namespace": "pay", "name": name, "apiVersion": "v1"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": moment,
        "stageTimestamp": moment,
    }


@told(
    audit=[
        *(stage_of_kubernetes(request, "ResponseComplete", "mallory") for request in ("r1", "r2")),
        stage_of_kubernetes("r1", "Panic", "innocent"),
        stage_of_kubernetes("r2", "Panic", "mallory", "decoy"),
    ]
)
def test_a_forged_stage_supersedes_a_request(story: Story) -> None:
    """The last stage is the act only if it names the actor and the target of those before it."""
    assert [actor for _, actor in counted(story)] == ["innocent", "mallory", "mallory", "mallory"]
    assert story.ask("select conflict_kind, differs from conflicts order by conflict_uid") == [
        ("stage", ["actor"]),
        ("stage", ["target"]),
    ]


def entry_of_vault(kind: str, entity: str) -> dict[str, Any]:
    request = {"id": "q1", "operation": "update", "path": "sys/policies/acl/admin", "mount_type": "system"}
    auth = {"entity_id": entity, "display_name": entity, "client_token_accessor": f"hmac-{entity}"}
    return {"time": f"2026-10-05T10:00:0{len(kind) % 3}Z", "type": kind, "auth": auth, "request": request}


@told(audit=[entry_of_vault("request", "mallory"), entry_of_vault("response", "innocent")])
def test_a_forged_answer_of_vault_takes_the_place_of_a_request(story: Story) -> None:
    """An entry that says that somebody else was answered does not hide who asked."""
    assert [actor for _, actor in counted(story)] == ["innocent", "mallory"]
    assert story.ask("select conflict_kind, differs from conflicts") == [("stage", ["actor"])]


def span(
    number: int, tool: str, seconds: int, arguments: str = "{}", *, is_error: bool = False, later: int = 0
) -> dict[str, Any]:
    """A call of a tool as its agent tells it: one span, whoever exports it."""
    began = int(datetime.fromisoformat(at(60)).timestamp()) + later
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool,
        "gen_ai.tool.call.arguments": arguments,
        "gen_ai.agent.name": "bot",
    }
    one = {
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": f"{number:016x}",
        "name": f"execute_tool {tool}",
        "startTimeUnixNano": str(began * 10**9),
        "endTimeUnixNano": str((began + seconds) * 10**9),
        "attributes": [{"key": name, "value": {"stringValue": value}} for name, value in attributes.items()],
        "status": {"code": 2 if is_error else 1},
    }
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": [one]}]}]}


CALLED = [span(number, "drop_table", 1, '{"name":"prod"}') for number in (1, 2, 3)]
ENDED = [
    span(1, "read_object", 900, '{"name":"prod"}', later=1),
    span(2, "drop_table", 900, '{"name":"test"}', later=1),
    span(3, "drop_table", 900, '{"name":"prod"}', later=1, is_error=True),
]


@told.each({"alone": {"spans": CALLED}, "with other ends": {"spans": [*CALLED, *ENDED]}})
def test_an_end_of_a_span_replaces_what_was_called(story: Story) -> None:
    """The account that reaches furthest was the call; it completes the first and replaces nothing of it."""
    assert story.ask("select tool, outcome from tool_calls") == [("drop_table", "success")] * 3
    found = story.ask("select differs from conflicts where conflict_kind = 'tool_call' order by conflict_uid")
    if story.case == "alone":
        assert found == []
    else:
        words = ("tool", "arguments", "outcome")
        assert [word in differs for word, (differs,) in zip(words, found, strict=True)] == [True] * 3


@told(lake=[cloudtrail_as_ocsf(GENUINE), cloudtrail_as_ocsf(forged(0))], trail=[GENUINE])
def test_a_forged_copy_in_another_format_replaces_a_record(story: Story) -> None:
    """An OCSF copy that names another actor is judged beside the record; one that says the same is no event."""
    assert story.ask("select source, actor_uid from events order by all") == [
        ("aws_cloudtrail", RUNNER),
        ("ocsf", "arn:aws:iam::111122223333:role/innocent-0"),
    ]
    assert story.ask("select differs from conflicts") == [(["actor"],)]
    assert story.ask("select sum(n_events) from files") == [(2,)]
