"""Attacks by records that bear an id which another record has: who can write to where a log lies writes a second
record of an act, a copy, a stage, a state of an approval or an end of a call, and lets it say something else.
"""

import hashlib
import json
import random
from datetime import datetime
from pathlib import Path
from typing import Any

import ultravires
from ocsf_copies import cloudtrail_as_ocsf
from small_logs import RUNNER, WORKER, approval, at, call, session, write_lines
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


def ask(home: Path, query: str) -> list[tuple[Any, ...]]:
    with ultravires.open(home) as con:
        return con.execute(query).fetchall()


def findings(home: Path, detector: str) -> list[tuple[Any, ...]]:
    return ask(
        home, f"select subject_uid, state, revision, severity from findings where detector_id = '{detector}' order by 1"
    )


GENUINE = grant("e1", session(RUNNER, "ASIARUNNER"))


def test_a_forged_record_takes_the_place_of_the_genuine_one(tmp_path: Path) -> None:
    """However many are forged: each is an event, the genuine one among them, whichever has the smallest hash."""
    home = load(tmp_path / "home", [GENUINE], [forged(number) for number in range(9)])
    actors = {actor for (actor,) in ask(home, "select actor_uid from events")}
    assert len(actors) == 10 and RUNNER in actors
    assert ask(home, "select count(*) from step_facts where node_kind = 'activity'") == [(10,)]
    assert ask(home, "select n_variants, differs from conflicts") == [(10, ["actor"])]


def test_a_forged_record_closes_the_alert_of_the_genuine_one(tmp_path: Path) -> None:
    """A record of the same id that looks harmless came later: the finding stands, and is not renamed."""
    home = load(tmp_path / "home", [GENUINE])
    before = findings(home, GRANTED)
    assert len(before) == 1
    harmless = {"requestParameters": {**ADMIN, "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}}
    load(home, [forged(number, **harmless) for number in range(6)])
    assert [(uid, state) for uid, state, *_ in findings(home, GRANTED)] == [(before[0][0], "open")]
    assert [(state, severity) for _, state, _, severity in findings(home, DISAGREE)] == [("open", "high")]
    assert ask(home, "select count(*) from alerts where activity_id = 3") == [(0,)]


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


def test_a_forged_record_says_something_else_of_the_act(tmp_path: Path) -> None:
    """Another target, end, time or action, or an approval that the genuine one never named: both are judged."""
    genuine = [grant(event_id, session(RUNNER, "ASIARUNNER")) for event_id in CHANGES]
    home = load(tmp_path / "home", genuine, [{**one, **CHANGES[one["eventID"]][0]} for one in genuine])
    assert ask(home, "select native_id, count(*) from events group by 1 order by 1") == [
        (event_id, 2) for event_id in sorted(CHANGES)
    ]
    said = ask(
        home, "select split_part(conflict_uid, ' ', 2), differs, n_variants, is_privileged from conflicts order by 1"
    )
    assert [(uid, *rest) for uid, _, *rest in said] == [(event_id, 2, True) for event_id in sorted(CHANGES)]
    assert [uid for uid, differs, *_ in said if CHANGES[uid][1] not in differs] == []
    assert [state for _, state, *_ in findings(home, DISAGREE)] == ["open"] * len(CHANGES)


def test_another_delivery_of_a_record_is_no_conflict(tmp_path: Path) -> None:
    """What only the delivery adds, and the order of members, says nothing else of the act."""
    again = dict(reversed([*GENUINE.items()])) | {"sourceIPAddress": "198.51.100.9", "userAgent": "another"}
    home = load(tmp_path / "home", [GENUINE], [again])
    assert ask(home, "select count(*) from events") == [(1,)]
    assert ask(home, "select * from conflicts") == []
    assert ask(home, "select sum(n_duplicates) from files") == [(1,)]


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


def run(folder: Path, **files: list[dict[str, Any]]) -> Path:
    for name, records in files.items():
        write_lines(folder / "logs" / f"{name}.jsonl", records)
    run_once(folder / "logs", folder / "home", config=None, as_of=AS_OF)
    return folder / "home"


def approvals(home: Path) -> list[tuple[Any, ...]]:
    return ask(home, "select approval_id, status, subject_uid, is_granted from approvals order by 1")


def test_a_person_s_request_approves_a_rejected_ticket(tmp_path: Path) -> None:
    """An agent's own telemetry bears the id of an approval that was denied, an hour later."""
    denied = approval("team/CHG-7", 0, status="denied", approved_at=None)
    home = run(tmp_path, tickets=[denied], spans=[request("team", "CHG-7", 60)])
    assert approvals(home) == [
        ("approval:team/CHG-7", "denied", WORKER, False),
        ("approval:team/CHG-7 @ otel_genai/human_request", "approved", "agent:claude-code", False),
    ]
    assert ask(home, "select conflict_kind, differs from conflicts") == [("approval", ["system"])]
    assert [state for _, state, *_ in findings(home, DISAGREE)] == ["open"]


def test_a_request_is_written_before_the_ticket_whose_id_it_takes(tmp_path: Path) -> None:
    """Who dates a request back takes nobody's name either, also where it is read first."""
    write_lines(tmp_path / "logs" / "spans.jsonl", [request("team", "CHG-7", -600)])
    run_once(tmp_path / "logs", tmp_path / "home", config=None, as_of=AS_OF)
    home = run(tmp_path, tickets=[approval("team/CHG-7", 0)])
    assert [(uid, subject) for uid, _, subject, _ in approvals(home)] == [
        ("approval:team/CHG-7", WORKER),
        ("approval:team/CHG-7 @ otel_genai/human_request", "agent:claude-code"),
    ]


def test_a_request_bears_the_name_under_which_another_one_is_shown(tmp_path: Path) -> None:
    """`<id> @ <system>` is how an approval is shown whose id another system uses; nobody can choose that name."""
    tickets, forged_name = [approval("team/CHG-7", 0)], "CHG-7 @ otel_genai/human_request"
    home = run(tmp_path, tickets=tickets, spans=[request("team", "CHG-7", 60), request("team", forged_name, 61)])
    assert len({uid for uid, *_ in approvals(home)}) == 3
    assert ("approval:team/CHG-7", "approved", WORKER, True) in approvals(home)


def test_a_later_state_gives_an_approval_to_somebody_else(tmp_path: Path) -> None:
    """What the grant named stands, and that a later record names another subject and ticket is told."""
    granted = approval("CHG-7", 0, ticket="T-1")
    later = approval("CHG-7", 0, ticket="T-2", subject="arn:aws:iam::111122223333:role/mallory", updated_at=at(90))
    home = run(tmp_path, tickets=[granted, later])
    ((_, _, subject, _),) = approvals(home)
    assert subject == WORKER
    assert ask(home, "select conflict_kind, conflict_uid, differs from conflicts") == [
        ("states", "approval:CHG-7", ["subject", "ticket"])
    ]


def test_a_self_approval_is_hidden_behind_another_system_s_state(tmp_path: Path) -> None:
    """The finding about an approval stands while any that bears its id supports it, and is not renamed."""
    by_oneself = approval("team/CHG-7", 0, approved_by="ana@example.org")
    home = run(tmp_path, tickets=[by_oneself])
    before = findings(home, "ultravires_self_approval")
    home = run(tmp_path, tickets=[by_oneself], spans=[request("team", "CHG-7", 60)])
    after = findings(home, "ultravires_self_approval")
    assert len(before) == 1
    assert before[0][:2] in [row[:2] for row in after]


def counted(home: Path) -> list[tuple[Any, ...]]:
    """The acts that count, each with who did it."""
    return ask(
        home,
        "select event_id, actor_uid from chain_steps where node_kind = 'activity' and is_counted order by actor_uid",
    )


def samples_of(source: str, words: str) -> list[dict[str, Any]]:
    """The records of a source's sample that hold these words."""
    folder = Path(__file__).parents[2] / "data" / "sources" / source
    lines = next(folder.glob("sample.*")).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if words in line]


def test_a_forged_copy_stands_for_an_event(tmp_path: Path) -> None:
    """Of records with one sharedEventID one is counted; a copy that names another caller is an act of its own."""
    genuine = grant("e1", session(RUNNER, "ASIARUNNER"), sharedEventID="s")
    copy = forged(0, "e0", sharedEventID="s")
    home = load(tmp_path / "home", [genuine, copy])
    assert [actor for _, actor in counted(home)] == ["arn:aws:iam::111122223333:role/innocent-0", RUNNER]
    assert ask(home, "select conflict_kind, conflict_uid, differs from conflicts") == [("copy", "s", ["actor"])]
    assert [state for _, state, *_ in findings(home, DISAGREE)] == ["open"]


def test_a_forged_copy_moves_an_act_into_an_approval_s_window(tmp_path: Path) -> None:
    """The same caller, action and target at another time is another act."""
    genuine = grant("e1", session(RUNNER, "ASIARUNNER"), sharedEventID="s")
    home = load(tmp_path / "home", [genuine, grant("e2", session(RUNNER, "ASIARUNNER"), 300, sharedEventID="s")])
    assert len(counted(home)) == 2
    assert ask(home, "select conflict_kind, differs from conflicts") == [("copy", ["time"])]


def test_a_forged_end_of_an_operation_names_somebody_else(tmp_path: Path) -> None:
    """Google's start and end of one operation are one act only if both name who began it."""
    start, end = samples_of("gcp_audit", "operation-1791201600-5e0d")
    who = {"principalEmail": "innocent@harbor-prod.iam.gserviceaccount.com"}
    end["protoPayload"]["authenticationInfo"] = who | {"serviceAccountKeyName": "keys/abc"}
    home = run(tmp_path, audit=[start, end])
    assert len(counted(home)) == 2
    assert ask(home, "select conflict_kind, differs from conflicts") == [("copy", ["actor"])]


def test_the_end_of_an_operation_is_no_conflict(tmp_path: Path) -> None:
    """It may come long after its start, and is still the same act."""
    home = run(tmp_path, audit=samples_of("gcp_audit", "operation-1791201600-5e0d"))
    assert len(counted(home)) == 1
    assert ask(home, "select * from conflicts") == []


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


def test_a_forged_stage_supersedes_a_request(tmp_path: Path) -> None:
    """The last stage is the act only if it names the actor and the target of those before it."""
    genuine = [stage_of_kubernetes(request, "ResponseComplete", "mallory") for request in ("r-1", "r-2")]
    ends = [stage_of_kubernetes("r-1", "Panic", "innocent"), stage_of_kubernetes("r-2", "Panic", "mallory", "decoy")]
    home = run(tmp_path, audit=[*genuine, *ends])
    assert [actor for _, actor in counted(home)] == ["innocent", "mallory", "mallory", "mallory"]
    assert ask(home, "select conflict_kind, differs from conflicts order by conflict_uid") == [
        ("stage", ["actor"]),
        ("stage", ["target"]),
    ]


def entry_of_vault(kind: str, entity: str) -> dict[str, Any]:
    request = {"id": "req-1", "operation": "update", "path": "sys/policies/acl/admin", "mount_type": "system"}
    auth = {"entity_id": entity, "display_name": entity, "client_token_accessor": f"hmac-{entity}"}
    return {"time": f"2026-10-05T10:00:0{len(kind) % 3}Z", "type": kind, "auth": auth, "request": request}


def test_a_forged_answer_of_vault_takes_the_place_of_a_request(tmp_path: Path) -> None:
    """An entry that says that somebody else was answered does not hide who asked."""
    home = run(tmp_path, audit=[entry_of_vault("request", "mallory"), entry_of_vault("response", "innocent")])
    assert [actor for _, actor in counted(home)] == ["innocent", "mallory"]
    assert ask(home, "select conflict_kind, differs from conflicts") == [("stage", ["actor"])]


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


def test_an_end_of_a_span_replaces_what_was_called(tmp_path: Path) -> None:
    """The account that reaches furthest was the call; it completes the first and replaces nothing of it."""
    called = [span(number, "drop_table", 1, '{"name":"prod"}') for number in (1, 2, 3)]
    ends = [
        span(1, "read_object", 900, '{"name":"prod"}', later=1),
        span(2, "drop_table", 900, '{"name":"test"}', later=1),
        span(3, "drop_table", 900, '{"name":"prod"}', later=1, is_error=True),
    ]
    home = run(tmp_path, spans=[*called, *ends])
    alone = run(tmp_path / "alone", spans=called)
    told = "select tool, outcome from tool_calls"
    assert ask(home, told) == ask(alone, told) == [("drop_table", "success")] * 3
    found = ask(home, "select differs from conflicts where conflict_kind = 'tool_call' order by conflict_uid")
    assert [word in differs for word, (differs,) in zip(("tool", "arguments", "outcome"), found, strict=True)] == [
        True
    ] * 3


def test_a_forged_copy_in_another_format_replaces_a_record(tmp_path: Path) -> None:
    """An OCSF copy that names another actor is judged beside the record; one that says the same is no event."""
    honest, lie = cloudtrail_as_ocsf(GENUINE), cloudtrail_as_ocsf(forged(0))
    write_lines(tmp_path / "logs" / "lake.jsonl", [honest, lie])
    home = run(tmp_path, trail=[GENUINE])
    assert ask(home, "select source, actor_uid from events order by all") == [
        ("aws_cloudtrail", RUNNER),
        ("ocsf", "arn:aws:iam::111122223333:role/innocent-0"),
    ]
    assert ask(home, "select differs from conflicts") == [(["actor"],)]
    assert ask(home, "select sum(n_events) from files") == [(2,)]
