"""ServiceNow: rows of approvers and of what they approve, in JSON and CSV, plain and with display values."""

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
from source_samples import OPTIONS, batches, claimed_by, keys, only, quarantined, rows
from ultravires.formats.csv_rows import csv_records
from ultravires.reading.options import Options

NAME = "servicenow_approvals"
ITEM, MIRA, JON = (
    "9d385017c611228701d22104cc95c371",
    "46d44a23a9fe19810012d100cca80666",
    "681ccaf9c0a8016400b98a06818d57c7",
)
LINK = "https://northwind.service-now.example/api/now/table"


def answer(**members: Any) -> dict[str, Any]:
    own = {
        "sys_id": "row-1",
        "state": "approved",
        "approver": JON,
        "sysapproval": ITEM,
        "sysapproval.number": "RITM0010042",
        "sys_created_on": "2026-10-05 08:05:00",
        "sys_updated_on": "2026-10-05 08:21:40",
    }
    return {**own, **members}


def item(**members: Any) -> dict[str, Any]:
    own = {
        "number": "RITM0010042",
        "sys_id": ITEM,
        "sys_class_name": "sc_req_item",
        "approval": "approved",
        "approval_set": "2026-10-05 08:21:41",
        "stage": "fulfillment",
        "state": "2",
        "short_description": "write access to orders",
        "cat_item": "cat-1",
        "cat_item.name": "Database write access",
        "requested_for": MIRA,
        "opened_by": JON,
        "opened_at": "2026-10-05 08:05:00",
        "sys_created_on": "2026-10-05 08:05:00",
        "sys_updated_on": "2026-10-05 09:00:00",
    }
    return {**own, **members}


def change(**members: Any) -> dict[str, Any]:
    own = {
        "number": "CHG0030007",
        "sys_id": "chg-1",
        "sys_class_name": "change_request",
        "start_date": "2026-10-05 20:00:00",
        "end_date": "2026-10-05 22:00:00",
        "risk": "2",
        "state": "-1",
    }
    return item(**{**own, **members})


def test_an_approvers_answer_is_a_state_of_what_was_approved(tmp_path: Path) -> None:
    """The id is the item's, the ticket its number; who answered and when."""
    row = only(NAME, answer(), tmp_path)
    assert (row["approval_uid"], row["action"], row["actor_uid"]) == (ITEM, "approval:approved", JON)
    assert row["event_at"].isoformat() == "2026-10-05T08:21:40+00:00"
    assert keys(row) == {("approval", ITEM, "names"), ("ticket", "RITM0010042", "names")}
    assert row["detail"] == {
        "status": "approved",
        "origin": "ticket",
        "approved_by": JON,
        "requested_at": "2026-10-05T08:05:00.000000Z",
        "approved_at": "2026-10-05T08:21:40.000000Z",
        "ticket": "RITM0010042",
    }


def test_an_item_says_who_asked_for_whom_and_what(tmp_path: Path) -> None:
    """The scope is the catalogue item, by name and by id, so that the configuration can speak of either."""
    row = only(NAME, item(), tmp_path)
    assert (row["approval_uid"], row["task"]) == (ITEM, "write access to orders")
    assert row["event_at"].isoformat() == "2026-10-05T08:21:41+00:00"
    detail = row["detail"]
    assert (detail["subject"], detail["requested_by"]) == (MIRA, JON)
    assert detail["scope"] == ["Database write access", "cat-1"]
    options = Options(
        hash_key=b"k", approval_scopes={NAME: {"database write*": {"actions": ("rds:*",), "roles": ("r",)}}}
    )
    (meant,) = rows(NAME, json.dumps(item()).encode(), tmp_path, options)
    assert (meant["detail"]["actions"], meant["detail"]["roles"]) == (["rds:*"], ["r"])


@pytest.mark.parametrize(
    ("record", "status", "at"),
    [
        (answer(state="requested"), "requested", "08:05:00"),
        (answer(state="rejected"), "denied", "08:21:40"),
        (item(approval="requested", approval_set=""), "requested", "09:00:00"),
        (item(approval="rejected"), "denied", "08:21:41"),
        (item(stage="Request Cancelled", closed_at="2026-10-05 10:00:00"), "revoked", "10:00:00"),
        (item(approval="rejected", stage="request_cancelled"), "denied", "08:21:41"),
        (change(), "approved", "08:21:41"),
        (change(state="3", closed_at="2026-10-05 21:10:00"), "expired", "21:10:00"),
        (change(state="4"), "revoked", "09:00:00"),
        (item(state="3"), "approved", "08:21:41"),
    ],
)
def test_states_and_their_times(record: dict[str, Any], status: str, at: str, tmp_path: Path) -> None:
    """A change that is closed is over; an item that is closed was delivered."""
    row = only(NAME, record, tmp_path)
    assert (row["detail"]["status"], row["event_at"].strftime("%H:%M:%S")) == (status, at)


def test_the_moment_of_a_rejection_is_no_moment_of_approval(tmp_path: Path) -> None:
    """A request cancelled while it waited was never approved."""
    row = only(
        NAME, item(approval="requested", approval_set="2026-10-05 08:00:00", stage="request_cancelled"), tmp_path
    )
    assert row["detail"]["status"] == "revoked"
    assert "approved_at" not in row["detail"]


def test_a_change_has_a_window_and_a_risk(tmp_path: Path) -> None:
    """Planned start and end, and ServiceNow's risk as a tier."""
    detail = only(NAME, change(), tmp_path)["detail"]
    assert (detail["valid_from"], detail["valid_until"]) == (
        "2026-10-05T20:00:00.000000Z",
        "2026-10-05T22:00:00.000000Z",
    )
    assert detail["risk"] == "high"
    assert only(NAME, change(risk={"display_value": "Moderate", "value": "3"}), tmp_path)["detail"]["risk"] == "medium"


@pytest.mark.parametrize("state", ["not requested", "not_required", "cancelled", "duplicate", ""])
def test_where_nobody_was_asked_there_is_no_event(state: str, tmp_path: Path) -> None:
    """The row is counted as ignored."""
    for record in (answer(state=state), item(approval=state)):
        data = json.dumps(record).encode()
        assert rows(NAME, data, tmp_path) == quarantined(NAME, data, tmp_path) == []


def with_link(value: str) -> dict[str, str]:
    return {"link": f"{LINK}/x/{value}", "value": value}


def with_display(value: str) -> dict[str, str]:
    return {"display_value": f"shown {value}", "value": value}


@pytest.mark.parametrize("form", [with_link, with_display])
def test_values_are_the_same_however_they_are_written(form: Any, tmp_path: Path) -> None:
    """A reference with its link, and a value beside its display value."""
    written = {name: form(value) if name in ("approver", "sysapproval") else value for name, value in answer().items()}
    assert only(NAME, written, tmp_path)["event_id"] == only(NAME, answer(), tmp_path)["event_id"]


def test_display_values_alone_are_put_aside(tmp_path: Path) -> None:
    """Their times are in the time zone of whoever asked."""
    shown = answer(approver={"display_value": "Jon Okafor", "link": f"{LINK}/sys_user/{JON}"})
    (found,) = quarantined(NAME, json.dumps(shown).encode(), tmp_path)
    assert found.reason == "display values without their time zone: export with sysparm_display_value=false"


def with_both(shown: str, value: str) -> dict[str, str]:
    return {"display_value": shown, "value": value}


def test_change_and_approver_meet_where_values_stand_beside_display_values(tmp_path: Path) -> None:
    """`sysparm_display_value=all`: the id is the value, the number what is shown, and times are the values, in UTC."""
    asked = {name: with_both("shown", value) for name, value in change(number="CHG0040213").items()}
    asked |= {"number": with_both("CHG0040213", "CHG0040213"), "approval": with_both("Approved", "approved")}
    answered = answer() | {
        "state": with_both("Approved", "approved"),
        "approver": with_both("Jon Okafor", JON),
        "sysapproval": {**with_both("CHG0040213", "chg-1"), "link": f"{LINK}/task/chg-1"},
        "sys_updated_on": with_both("2026-10-05 10:21:40", "2026-10-05 08:21:40"),
    }
    del answered["sysapproval.number"]
    of_change, of_approver = only(NAME, asked, tmp_path), only(NAME, answered, tmp_path)
    assert of_change["approval_uid"] == of_approver["approval_uid"] == "chg-1"
    assert of_change["detail"]["ticket"] == of_approver["detail"]["ticket"] == "CHG0040213"
    assert of_approver["detail"]["approved_by"] == JON
    assert of_approver["event_at"].isoformat() == "2026-10-05T08:21:40+00:00"


def test_an_approver_of_a_number_says_why_it_meets_no_change(tmp_path: Path) -> None:
    """Display values alone: the change goes by its sys_id. With the id beside it, or with no ids at all, they meet."""
    shown = answer(state="Approved", approver="Jon Okafor", sysapproval="CHG0040213")
    (found,) = quarantined(NAME, json.dumps(shown).encode(), tmp_path)
    assert "CHG0040213" in found.reason and "sys_id" in found.reason
    assert only(NAME, {**shown, "sysapproval.sys_id": "chg-1"}, tmp_path)["approval_uid"] == "chg-1"
    numbers = [{k: v for k, v in row.items() if k != "sys_id"} for row in (shown, change(number="CHG0040213"))]
    found_rows = rows(NAME, json.dumps(numbers).encode(), tmp_path)
    assert {row["approval_uid"] for row in found_rows} == {"CHG0040213"}


def test_people_go_by_address_where_it_was_exported(tmp_path: Path) -> None:
    """A dot-walked column says more than a sys_id."""
    row = only(NAME, answer(**{"approver.user_name": "jon.okafor"}), tmp_path)
    assert row["detail"]["approved_by"] == "jon.okafor"


@pytest.mark.parametrize("array", ["result", "records"])
def test_answers_and_exports_are_recognised(array: str, tmp_path: Path) -> None:
    """Whole or as lines; an incident is a task with an approval too, and not ours."""
    data = json.dumps({array: [answer(), item()]}).encode()
    assert claimed_by(data) == [NAME]
    assert len(rows(NAME, data, tmp_path)) == 2
    incident = item(number="INC0000042", sys_class_name="incident")
    assert claimed_by(json.dumps({array: [incident]}).encode()) == []


def as_csv(*records: dict[str, Any]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_csv_export_says_the_same_as_json(mark: bytes, tmp_path: Path) -> None:
    """Quotes, line breaks and commas in a cell are its own; the bytes and their place are those of the row."""
    records = [item(short_description='needs "orders",\r\nuntil tonight'), item(sys_id="other", number="RITM0010043")]
    data = mark + as_csv(*records)
    assert claimed_by(data) == [NAME]
    from_csv, from_json = rows(NAME, data, tmp_path), rows(NAME, json.dumps(records).encode(), tmp_path)
    assert [row["event_id"] for row in from_csv] == [row["event_id"] for row in from_json]
    assert from_csv[0]["task"] == 'needs "orders",\r\nuntil tonight'
    for frame in csv_records(iter([data]), OPTIONS):
        assert data[frame.offset : frame.offset + len(frame.data)] == frame.data
    again = rows(NAME, from_csv[0]["raw"].encode(), tmp_path)
    assert again[0]["event_id"] == from_csv[0]["event_id"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"a,b,c", "more cells than the header has names"),
        (b"a,\xff", "invalid UTF-8"),
        (b"a,\x00", "NUL bytes"),
        (b'a,"b"c', "not CSV"),
        (b'a,"b', "a quote is not closed"),
    ],
)
def test_a_broken_row_costs_itself(row: bytes, reason: str) -> None:
    """The rows before and behind it are read."""
    frames = list(csv_records(iter([b"x,y\r\n1,2\r\n", row, b"\r\n3,4\r\n\r\n5,6"]), OPTIONS))
    assert [frame.reason for frame in frames] == [None, reason, None, None]
    assert [frame.value for frame in frames if frame.value] == [
        {"x": "1", "y": "2"},
        {"x": "3", "y": "4"},
        {"x": "5", "y": "6"},
    ]
    assert frames[1].data == row


def test_a_row_beyond_the_limit_is_put_aside() -> None:
    """In pieces, none of them lost."""
    options = Options(hash_key=b"k", max_record_bytes=50)
    data = b"x,y\n1," + b"2" * 120 + b"\n3,4\n"
    frames = list(csv_records((data[at : at + 7] for at in range(0, len(data), 7)), options))
    assert [frame.value for frame in frames if frame.value] == [{"x": "3", "y": "4"}]
    broken = [frame for frame in frames if frame.reason]
    assert {frame.reason for frame in broken} == {"record is longer than 50 bytes"}
    assert b"".join(frame.data for frame in broken) == b"1," + b"2" * 120


@pytest.mark.parametrize("first", [b"1,2", b"a,a", b"a,", b'"a,b', b"a,2026-10-05 08:00:00"])
def test_rows_without_a_header_are_all_put_aside(first: bytes) -> None:
    """Any other row in its place would give wrong names, and be lost itself."""
    frames = list(csv_records(iter([first + b"\n3,4\n5,6\n"]), OPTIONS))
    assert [frame.data for frame in frames] == [first, b"3,4", b"5,6"]
    assert {frame.reason for frame in frames} <= {"no header", "a quote is not closed"}


def test_no_byte_of_a_csv_file_is_lost(tmp_path: Path) -> None:
    """Whatever the damage and however the chunks fall, each row becomes a frame, and those cover the file."""
    noise = random.Random(7)
    whole = as_csv(*[item(sys_id=f"id-{n}", short_description='a "b"\n c' if n % 3 else "d") for n in range(12)])
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(noise.randint(1, 3)):
            at = noise.randrange(len(data))
            data[at : at + noise.choice([0, 1, 9])] = noise.choice([b'"', b"\n", b"\x00", b",", b"\xff", b""])
        width = noise.randint(1, 400)
        chunks = [bytes(data[at : at + width]) for at in range(0, len(data), width)]
        frames = list(csv_records(iter(chunks), OPTIONS))
        assert frames == list(csv_records(iter([bytes(data)]), OPTIONS))
        covered = bytearray(data)
        for frame in frames:
            assert bytes(data[frame.offset : frame.offset + len(frame.data)]) == frame.data
            covered[frame.offset : frame.offset + len(frame.data)] = b" " * len(frame.data)
        assert b"id-" not in bytes(covered)
        for batch in batches(NAME, bytes(data), tmp_path):
            assert batch.n_records == batch.events.num_rows + batch.n_ignored + len(batch.quarantined)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (answer(sysapproval=""), "no sysapproval or document_id: nothing that was approved"),
        (answer(sys_created_on="", sys_updated_on="05/10/2026 08:00"), "no time"),
        (item(sys_id="", number=""), "no sys_id and no number"),
        (item(approval_set="", opened_at="", sys_created_on="", sys_updated_on=""), "no time"),
    ],
)
def test_what_a_row_needs(record: dict[str, Any], reason: str, tmp_path: Path) -> None:
    """What was approved, and when."""
    assert [row.reason for row in quarantined(NAME, json.dumps(record).encode(), tmp_path)] == [reason]
