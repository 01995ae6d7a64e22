"""The simulator's whole company: its size and days, its second system of approvals, and each wrong with its twin."""

import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from simulated_worlds import (
    Json,
    all_nodes,
    contents,
    credentials_elsewhere,
    labels,
    lines,
    spans,
    told_elsewhere,
    trail,
)
from ultravires.config_file import load_settings
from ultravires.errors import UsageError
from ultravires.simulator import write_world
from ultravires.simulator.agents import base_agents
from ultravires.simulator.changed_plans import THIEF_IP
from ultravires.simulator.extent import Extent
from ultravires.simulator.further_agents import further_agents
from ultravires.simulator.further_workers import further_humans, further_workers
from ultravires.simulator.moments import DAY, FIRST_DAY
from ultravires.simulator.timetable import BENIGN, FURTHER, TIMETABLE
from ultravires.simulator.workers import base_humans, base_workers

PARTS = (base_agents, further_agents, base_workers, further_workers, base_humans, further_humans)
ONE_COMPANY = sum(len(of()) for of in PARTS)
SEED = 11


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One company in ten days."""
    out = tmp_path_factory.mktemp("company")
    write_world(out, identities=ONE_COMPANY, days=10, seed=SEED)
    return out


def changes(world: Path) -> list[Json]:
    return [row for row in lines(world, "servicenow_approvals") if "number" in row]


def nodes_of(world: Path) -> set[str]:
    """Every node that the logs name, those of other systems and of prompted runs among them."""
    prompted = {f"approval:{span['traceId']}/{span['spanId']}" for span in spans(world) if not span["parentSpanId"]}
    stated = {f"approval:{row['sys_id']}" for row in changes(world)}
    return all_nodes(world) | stated | prompted | set(told_elsewhere(world)) | credentials_elsewhere(world)


def label(world: Path, situation: str) -> Json:
    return next(row for row in labels(world, "situations") if row["situation"] == situation)


def activities(world: Path, situation: str) -> list[Json]:
    """The trail's records that a situation is about, in their order."""
    marked = set(label(world, situation)["nodes"])
    distinct = {record["eventID"]: record for record in trail(world)}
    found = [record for uid, record in distinct.items() if f"activity:{uid}" in marked]
    return sorted(found, key=lambda record: record["eventTime"])


def test_every_situation_happens_once_in_one_company(company: Path) -> None:
    """Those of the small company, what comes with the whole one, and what only looks wrong."""
    rows = labels(company, "situations")
    assert sorted(r["situation"] for r in rows) == sorted(p.__name__ for _, _, p in (*TIMETABLE, *FURTHER, *BENIGN))
    assert {node for row in rows for node in row["nodes"]} <= nodes_of(company)


def test_a_label_says_who_must_speak_or_that_nobody_may(company: Path) -> None:
    """A wrong situation names detectors, a benign one none."""
    benign = {play.__name__ for _, _, play in BENIGN}
    for row in labels(company, "situations"):
        named = [*row["expected"], *row["also"], *row.get("one_of", [])]
        is_benign = row["situation"] in benign
        assert bool(named) != is_benign and row.get("is_benign", False) == is_benign
        assert row["nodes"] and row["why"] and row["identity"]


def test_true_links_of_a_company_join_nodes_of_its_logs(company: Path) -> None:
    """No link leads to an approval that no log shows, and each child has one primary parent a spine."""
    rows = labels(company, "links")
    assert {row["child"] for row in rows} | {row["parent"] for row in rows} <= nodes_of(company)
    primary = Counter((row["child"], row["spine"]) for row in rows if row["spine"] and row.get("is_primary", True))
    assert max(primary.values()) == 1
    assert max(Counter((r["child"], r["parent"], r["kind"]) for r in rows).values()) == 1


@pytest.mark.parametrize("identities", [ONE_COMPANY, ONE_COMPANY + 20, 2 * ONE_COMPANY + 1])
def test_a_company_has_as_many_identities_as_were_asked_for(tmp_path: Path, identities: int) -> None:
    """Counted, and declared in the configuration beside the roles that several share."""
    counts = write_world(tmp_path / "w", identities=identities, seed=SEED)
    settings = load_settings(tmp_path / "w" / "ultravires.yaml")
    assert counts["identities"] == identities
    assert len([one for one in settings.identities if one.kind != "role"]) == identities


def test_fewer_identities_than_a_company_has_are_refused(tmp_path: Path) -> None:
    """Somebody would be missing whom a situation needs; nothing is written."""
    with pytest.raises(UsageError, match=f"the smallest company has {ONE_COMPANY}"):
        write_world(tmp_path / "w", identities=ONE_COMPANY - 1, seed=SEED)
    assert not (tmp_path / "w").exists()


def test_worlds_grow_with_identities_and_days(company: Path, tmp_path: Path) -> None:
    """Twice the days, or twice the identities, are about twice the records; situations go with the identities."""
    n_records = sum(len(found) for found in (trail(company), spans(company)))
    for name, size, share in (("long", {"days": 20}, 1), ("wide", {"identities": 2 * ONE_COMPANY}, 2)):
        write_world(tmp_path / name, seed=SEED, **size)  # type: ignore[arg-type]
        grown = sum(len(found) for found in (trail(tmp_path / name), spans(tmp_path / name)))
        assert 1.8 < grown / n_records < 2.2
        assert len(labels(tmp_path / name, "situations")) == share * len(labels(company, "situations"))


def test_a_clean_world_holds_only_what_is_right(tmp_path: Path) -> None:
    """Nothing is labelled as wrong, nothing was revoked or approved afterwards, and no thief was there."""
    write_world(tmp_path / "w", identities=ONE_COMPANY, seed=SEED, is_clean=True)
    rows = labels(tmp_path / "w", "situations")
    assert [row for row in rows if not row.get("is_benign")] == [] and len(rows) == len(BENIGN)
    answered = [line for line in lines(tmp_path / "w", "approvals") if line["status"] != "requested"]
    assert all(line["status"] == "approved" and line["valid_from"] >= line["approved_at"] for line in answered)
    assert all(record["sourceIPAddress"] != THIEF_IP for record in trail(tmp_path / "w"))


def test_the_small_company_can_be_clean_too(tmp_path: Path) -> None:
    """Without --identities and --days it has no situation then."""
    write_world(tmp_path / "w", events=1_000, seed=SEED, is_clean=True)
    assert labels(tmp_path / "w", "situations") == []


def test_the_first_day_can_be_chosen(tmp_path: Path) -> None:
    """The same world a year ago, record for record; approvals that stand for months are older."""
    write_world(tmp_path / "now", identities=ONE_COMPANY, seed=SEED)
    write_world(tmp_path / "then", identities=ONE_COMPANY, seed=SEED, start=date(2025, 10, 5))
    now, then = trail(tmp_path / "now"), trail(tmp_path / "then")
    assert min(record["eventTime"] for record in then).startswith("2025-10-05")
    assert max(record["eventTime"] for record in then) < "2025-10-16"
    assert len(now) == len(then)


def test_progress_is_told_after_each_day(tmp_path: Path) -> None:
    """So that somebody who waits for a large world knows how long."""
    told: list[tuple[int, int]] = []
    write_world(tmp_path / "w", days=11, seed=SEED, progress=lambda done, total: told.append((done, total)))
    assert told == [(day, 11) for day in range(1, 12)]


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


def test_changes_are_made_on_days_on_which_their_system_says_nothing(company: Path) -> None:
    """Its log begins after the world does and ends before it; the changes go on every night."""
    stated = [datetime.fromisoformat(row["start_date"]).replace(tzinfo=UTC) for row in changes(company)]
    begins, ends = (datetime.fromtimestamp((FIRST_DAY + n * DAY) / 1000, UTC) for n in (2, 6))
    assert begins.date() <= min(stated).date() and max(stated) < ends
    users = [record for record in trail(company) if record["userIdentity"].get("userName") == "svc-role-sync"]
    assert {record["eventTime"][:10] for record in users} >= {f"2026-10-{day:02d}" for day in range(5, 15)}


def test_the_agent_ahead_dates_its_calls_95_seconds_later_than_the_cloud_does(company: Path) -> None:
    """Its SDK's spans and the trail's records of the same requests."""
    received = {r["requestID"]: at(r["eventTime"]) for r in trail(company) if "requestID" in r}
    ahead = []
    for line in lines(company, "otel_genai"):
        for resource in line["resourceSpans"]:
            named = {a["key"]: a["value"].get("stringValue") for a in resource["resource"]["attributes"]}
            if named["service.name"] != "agent-fleet-watcher":
                continue
            for span in (span for scope in resource["scopeSpans"] for span in scope["spans"]):
                request = next((a for a in span["attributes"] if a["key"] == "aws.request_id"), None)
                if request:
                    started = datetime.fromtimestamp(int(span["startTimeUnixNano"]) / 1e9, UTC)
                    ahead.append((started - received[request["value"]["stringValue"]]).total_seconds())
    assert ahead and all(94 <= seconds < 97 for seconds in ahead)


def grant_lines(world: Path, situation: str) -> list[Json]:
    named = {node.removeprefix("approval:") for node in label(world, situation)["nodes"]}
    return [line for line in lines(world, "approvals") if line["approval_id"] in named]


def test_what_is_approved_afterwards_is_dated_back_and_what_is_recorded_late_is_not(company: Path) -> None:
    """Both approvals are written down after the act; only one of them was given before it."""
    for situation, is_given_before in (("approved_afterwards", False), ("approval_recorded_late", True)):
        acts = [at(record["eventTime"]) for record in activities(company, situation)]
        given = next(line for line in grant_lines(company, situation) if line["status"] == "approved")
        assert at(given["valid_from"]) < min(acts) < max(acts) < at(given["updated_at"])
        assert (at(given["approved_at"]) < min(acts)) == is_given_before


@pytest.mark.parametrize(("ticket", "told"), [("ticket", "ticket"), ("carried_ticket", "approval_id")])
def test_prompts_stand_under_a_ticket_and_one_of_them_after_its_end(company: Path, ticket: str, told: str) -> None:
    """The root span names the person and the ticket; the decisions name the ticket, or the approval that travels."""
    situation = f"prompt_after_{ticket}_revoked"
    late = label(company, situation)
    revoked = next(line for line in grant_lines(company, situation) if line["revoked_at"])
    acts = [at(record["eventTime"]) for record in activities(company, situation)]
    assert min(acts) > at(revoked["revoked_at"])
    asked = [row for row in lines(company, "opa_decisions") if f"decision:{row['decision_id']}" in late["nodes"]]
    assert {row["input"][told] for row in asked} == {revoked[told]}
    benign = "prompts_under_one_ticket" if ticket == "ticket" else "prompts_under_a_carried_ticket"
    for of_one_ticket in (situation, benign):
        marked = label(company, of_one_ticket)["nodes"]
        distinct = {f"approval:{s['traceId']}/{s['spanId']}": s for s in spans(company)}
        roots = [span for node, span in distinct.items() if node in marked]
        for root in roots:
            named = {a["key"]: a["value"].get("stringValue") for a in root["attributes"]}
            assert named["user.id"] and named["ticket.id"] == grant_lines(company, of_one_ticket)[0]["ticket"]
        assert len({root["traceId"] for root in roots}) == len(roots) > 0


def test_a_delegation_is_one_trace_and_two_tickets(company: Path) -> None:
    """The other agent's run hangs below the call that asks for it, which only the benign caller's approval lists."""
    for situation, is_listed in (("delegation", True), ("delegation_beyond_approval", False)):
        marked = label(company, situation)["nodes"]
        begun = [s for s in spans(company) if f"tool_call:{s['traceId']}/{s['spanId']}" in marked]
        inner = next(s for s in begun if s["name"] == "invoke_agent agent-ledger-exporter")
        outer = next(s for s in begun if s["name"] == "execute_tool ask_ledger_exporter")
        assert (inner["traceId"], inner["parentSpanId"]) == (outer["traceId"], outer["spanId"])
        asked = [row for row in lines(company, "opa_decisions") if row["trace_id"] == inner["traceId"]]
        distinct = {row["decision_id"]: row["input"]["tool_call_id"] for row in asked}
        assert len(set(distinct.values())) == len(distinct) > 2
        granted = {line["subject"]: line for line in grant_lines(company, situation)}
        assert set(granted) == {"agent-month-closer", "agent-ledger-exporter"}
        assert ("ask_ledger_exporter" in granted["agent-month-closer"]["tools"]) == is_listed


def test_keys_are_made_in_the_office_and_used_elsewhere(company: Path) -> None:
    """By the administrator, once; then from the batch hosts, and one of them once from outside."""
    made = {
        record["responseElements"]["accessKey"]["accessKeyId"]: record
        for record in trail(company)
        if record["eventName"] == "CreateAccessKey" and record["userIdentity"]["type"] == "IAMUser"
    }
    assert len(made) == 2 and all(record["sourceIPAddress"].startswith("192.0.2.") for record in made.values())
    for situation, is_stolen in (("key_made_in_the_office", False), ("key_used_from_a_second_place", True)):
        acts = activities(company, situation)
        assert {act["userIdentity"]["accessKeyId"] for act in acts} <= set(made)
        assert all((act["sourceIPAddress"] == THIEF_IP) == is_stolen for act in acts)


def test_a_key_is_used_from_five_networks_within_an_hour(company: Path) -> None:
    """One key, whose making no log shows, from five places that the configuration tells apart or does not know."""
    acts = activities(company, "key_used_from_five_networks")
    (key,) = {act["userIdentity"]["accessKeyId"] for act in acts}
    assert len({act["sourceIPAddress"].rpartition(".")[0] for act in acts}) == len(acts) == 5
    made = [record for record in trail(company) if record["eventName"] == "CreateAccessKey"]
    assert made and all(key not in json.dumps(record) for record in made)


def test_a_key_is_used_after_it_was_deleted_and_after_it_was_given_back(company: Path) -> None:
    """The same key in each record of a situation: what was done to it by a person, and the use by its holder."""
    for situation, done in (("revocation_without_effect", [None]), ("key_given_back", ["Inactive", "Active"])):
        *changes, used = activities(company, situation)
        assert [change["requestParameters"].get("status") for change in changes] == done
        keys = {change["requestParameters"]["accessKeyId"] for change in changes}
        assert keys == {used["userIdentity"]["accessKeyId"]} and "errorCode" not in used
        user = changes[0]["requestParameters"]["userName"]
        assert used["userIdentity"]["userName"] == user != changes[0]["userIdentity"]["userName"]


def test_a_standing_role_is_taken_by_whom_no_approval_names(company: Path) -> None:
    """The same role and the same calls as the service's own, by another subject's token."""
    taken, *acts = activities(company, "standing_role_taken_by_another")
    assert taken["userIdentity"]["userName"] == "system:serviceaccount:comms:webhooks"
    role = taken["requestParameters"]["roleArn"]
    assert {act["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] for act in acts} == {role}
    naming = [line["subject"] for line in lines(company, "approvals") if role in line["roles"]]
    assert set(naming) == {"system:serviceaccount:identity:access-sync"}


def test_reads_that_nobody_made_before_are_usual(company: Path) -> None:
    """On most days the inventory looks at something for the first time; all of it is approved."""
    looks = sorted(
        (record["eventTime"][:10], record["eventName"])
        for record in trail(company)
        if record["userIdentity"].get("userName") == "svc-inventory"
    )
    first: dict[str, str] = {}
    for day, name in looks:
        first.setdefault(name, day)
    assert len(set(first.values())) > 5
    approved = next(line for line in lines(company, "approvals") if line["subject"].endswith("svc-inventory"))
    assert set(first) <= {action.partition(":")[2] for action in approved["actions"]}


def test_one_seed_writes_the_same_company(company: Path, tmp_path: Path) -> None:
    """Every file, byte for byte."""
    write_world(tmp_path / "again", identities=ONE_COMPANY, days=10, seed=SEED)
    assert contents(company) == contents(tmp_path / "again")


def test_the_labels_are_no_log(company: Path) -> None:
    """Each file is one JSON object, which no source takes for records."""
    for name in ("links", "situations"):
        assert list(json.loads((company / "labels" / f"{name}.json").read_bytes())) == [name]


def test_what_stands_outlasts_a_long_world() -> None:
    """Work under an approval for ninety days would else be wrong from some day on, in a world where nothing is."""
    given = FIRST_DAY - 40 * DAY
    assert Extent(FIRST_DAY, 10).standing_until(given) == given + 90 * DAY
    assert Extent(FIRST_DAY, 85).standing_until(given) > FIRST_DAY + 85 * DAY
