"""Requests of Privileged Identity Management: records in, rows out."""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import OPTIONS, SAMPLES, batches, claimed_by, keys, quarantined, rows
from ultravires.reading.options import Options
from ultravires.sources.entra.pim_requests import duration_micros

RECORDS = json.loads(SAMPLES["entra_pim"])["value"]
ACTIVATED, WAITING, ASSIGNED, DEACTIVATED = RECORDS
MIRA, JON = "0a7c4d18-52e3-4f9b-8d61-c3b5e9f01a22", "5e2b9f60-7d14-48ac-b3f7-90c6d8a1e433"


def read(record: dict[str, Any], folder: Path, options: Options = OPTIONS) -> list[dict[str, Any]]:
    return rows("entra_pim", json.dumps(record).encode(), folder, options)


def statuses(record: dict[str, Any], folder: Path) -> list[str]:
    return [row["detail"]["status"] for row in read(record, folder)]


def test_an_activation_was_asked_for_and_is_active(tmp_path: Path) -> None:
    """One record, two states; nobody is said to have approved it."""
    asked, active = read(ACTIVATED, tmp_path)
    assert (asked["actor_uid"], asked["detail"]["requested_by"], asked["detail"]["subject"]) == (MIRA, MIRA, MIRA)
    assert (asked["action"], active["action"]) == ("approval:requested", "approval:approved")
    assert active["event_at"].isoformat() == "2026-10-05T07:38:51.047000+00:00"
    assert not {"approved_by", "approved_at"} & set(active["detail"]) and active["actor_uid"] is None
    assert active["detail"]["valid_from"] == "2026-10-05T07:40:00.000000Z"
    assert active["detail"]["valid_until"] == "2026-10-05T09:40:00.000000Z"
    assert keys(active) == {("approval", ACTIVATED["id"], "names"), ("ticket", "CHG-2041", "names")}
    assert active["detail"]["scope"] == ["Application Administrator", ACTIVATED["roleDefinitionId"]]


def test_the_audit_log_tells_of_the_same_approval(tmp_path: Path) -> None:
    """The request's id is the approval's id in both logs, and so are the people."""
    audited = [
        row
        for row in rows("entra_audit", SAMPLES["entra_audit"], tmp_path)
        if row["kind"] == "approval" and row["detail"]["status"] == "requested"
    ]
    (asked, _) = read(ACTIVATED, tmp_path)
    for name in ("approval_uid", "actor_uid", "task"):
        assert [row[name] for row in audited] == [asked[name]]
    for name in ("subject", "scope", "roles", "ticket", "valid_until"):
        assert [row["detail"][name] for row in audited] == [asked["detail"][name]]


def test_an_end_is_the_end_of_what_it_names(tmp_path: Path) -> None:
    """Giving a role back is a request of its own, about the schedule of the activation."""
    (ended,) = read(DEACTIVATED, tmp_path)
    assert ended["approval_uid"] == ACTIVATED["id"] != DEACTIVATED["id"]
    assert ended["detail"]["revoked_at"] == "2026-10-05T09:10:45.377000Z"
    assert read({**DEACTIVATED, "status": "PendingApproval"}, tmp_path) == []


def test_an_administrator_who_assigns_answers_too(tmp_path: Path) -> None:
    """Who asked and who allowed are one person, and the approval says so."""
    _, assigned = read(ASSIGNED, tmp_path)
    assert (assigned["detail"]["requested_by"], assigned["detail"]["approved_by"]) == (JON, JON)
    assert assigned["detail"]["subject"] == ASSIGNED["principalId"]
    assert ASSIGNED["directoryScopeId"] in assigned["detail"]["scope"] and "resources" not in assigned["detail"]
    assert assigned["detail"]["valid_until"] == "2026-11-05T06:00:00.000000Z"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("PendingApproval", ["requested"]),
        ("PendingEvaluation", ["requested"]),
        ("Granted", ["requested", "approved"]),
        ("ScheduleCreated", ["requested", "approved"]),
        ("Denied", ["requested", "denied"]),
        ("Failed", ["requested", "denied"]),
        ("Canceled", ["requested", "revoked"]),
        ("Revoked", ["requested", "revoked"]),
        ("TimedOut", ["requested", "expired"]),
        ("SomethingNew", ["requested"]),
    ],
)
def test_the_status_says_what_became_of_it(status: str, expected: list[str], tmp_path: Path) -> None:
    """What is not known to be granted is only asked for."""
    assert statuses({**ACTIVATED, "status": status}, tmp_path) == expected


def test_a_trial_is_no_request(tmp_path: Path) -> None:
    """isValidationOnly asks whether it would be allowed."""
    (batch,) = batches("entra_pim", json.dumps({**ACTIVATED, "isValidationOnly": True}).encode(), tmp_path)
    assert (batch.events.num_rows, batch.n_ignored) == (0, 1)


def test_the_answers_of_approvers_belong_to_the_request(tmp_path: Path) -> None:
    """The approval object has the id of the request; what nobody answered is no state."""
    approval = {
        "id": ACTIVATED["id"],
        "stages": [
            {
                "id": "s1",
                "reviewResult": "Approve",
                "reviewedDateTime": "2026-10-05T07:38:47Z",
                "reviewedBy": {"id": JON, "displayName": "Jon Berg"},
                "justification": "reviewed with the owner",
            },
            {"id": "s2", "reviewResult": "NotReviewed", "reviewedDateTime": None, "reviewedBy": None},
        ],
    }
    data = json.dumps({"value": [approval]}).encode()
    assert claimed_by(data) == ["entra_pim"]
    (answer,) = rows("entra_pim", data, tmp_path)
    assert (answer["approval_uid"], answer["actor_uid"]) == (ACTIVATED["id"], JON)
    assert answer["detail"]["approved_by"] == JON
    approval["stages"][0].update(reviewResult="Deny", reviewedBy={"user": {"id": JON}})
    assert [row["detail"]["status"] for row in read(approval, tmp_path)] == ["denied"]


def test_azure_roles_cover_what_lies_below_their_scope(tmp_path: Path) -> None:
    """The same request in the words of Azure Resource Manager."""
    scope = "/subscriptions/3b9e7f52-1c84-4d06-a5f9-7e2d8c604b10"
    role = f"{scope}/providers/Microsoft.Authorization/roleDefinitions/B24988AC-6180-42A0-AB88-20F7382DD24C"
    item = {
        "id": f"{scope}/providers/Microsoft.Authorization/RoleAssignmentScheduleRequests/7e1c9b46",
        "name": "7e1c9b46-2d58-4f03-a6b7-9c0d8e5f1a34",
        "type": "Microsoft.Authorization/RoleAssignmentScheduleRequests",
        "properties": {
            "scope": scope,
            "roleDefinitionId": role,
            "principalId": MIRA,
            "principalType": "User",
            "requestType": "SelfActivate",
            "status": "Provisioned",
            "scheduleInfo": {
                "startDateTime": "2026-10-05T08:40:31Z",
                "expiration": {"type": "AfterDuration", "endDateTime": None, "duration": "PT8H"},
            },
            "ticketInfo": {"ticketNumber": "CHG-2042", "ticketSystem": "desk"},
            "justification": "move the ledger",
            "requestorId": MIRA,
            "createdOn": "2026-10-05T08:40:30.9Z",
            "expandedProperties": {"roleDefinition": {"displayName": "Contributor", "id": role}},
        },
    }
    data = json.dumps({"value": [item]}).encode()
    assert claimed_by(data) == ["entra_pim"]
    _, active = rows("entra_pim", data, tmp_path)
    assert active["approval_uid"] == item["name"]
    assert active["detail"]["resources"] == [scope, f"{scope}/*"]
    assert active["detail"]["roles"] == ["b24988ac-6180-42a0-ab88-20f7382dd24c"]
    assert active["detail"]["scope"] == ["Contributor", role, scope]
    carried = rows("azure_activity", SAMPLES["azure_activity"], tmp_path)[-1]
    assert ("approval", item["name"], "carries") in keys(carried)


def test_groups_are_named_with_what_one_becomes_in_them(tmp_path: Path) -> None:
    """PIM for groups has no role."""
    record = {name: value for name, value in ACTIVATED.items() if name not in ("roleDefinitionId", "roleDefinition")}
    record |= {"groupId": "3c7a", "accessId": "member"}
    data = json.dumps(record).encode()
    assert claimed_by(data) == ["entra_pim"]
    assert rows("entra_pim", data, tmp_path)[1]["detail"]["scope"] == ["3c7a", "member"]


def test_configuration_says_what_a_role_means(tmp_path: Path) -> None:
    """The same mapping serves both logs that tell of PIM's approvals."""
    meaning = {"entra_pim": {"Application *": {"actions": ("entra:Update application*",)}}}
    options = Options(hash_key=b"k", approval_scopes=meaning)
    assert read(ACTIVATED, tmp_path, options)[1]["detail"]["actions"] == ["entra:Update application*"]
    audited = rows("entra_audit", SAMPLES["entra_audit"], tmp_path, options)
    actions = [row["detail"].get("actions") for row in audited if row["kind"] == "approval"]
    assert set(map(tuple, actions)) == {("entra:Update application*",)}


def test_eligibility_is_nobody_s_approval(tmp_path: Path) -> None:
    """It has the same members; the type or the context tells."""
    record = {**ASSIGNED, "@odata.type": "#microsoft.graph.unifiedRoleEligibilityScheduleRequest"}
    assert claimed_by(json.dumps(record).encode()) == []
    assert read(record, tmp_path) == []


def test_what_a_request_needs(tmp_path: Path) -> None:
    """A time, an id, a status and an action."""
    timeless = {**ACTIVATED, "createdDateTime": None, "completedDateTime": None}
    data = "\n".join(map(json.dumps, (timeless, {**ACTIVATED, "action": None}))).encode()
    assert [row.reason for row in quarantined("entra_pim", data, tmp_path)] == [
        "no time",
        "no id, status and action: not a request of PIM",
    ]


@pytest.mark.parametrize(
    ("written", "hours"),
    [("PT8H", 8), ("P1D", 24), ("P1DT30M", 24.5), ("PT5400S", 1.5), ("PT", None), ("P1Y", None), ("8", None)],
)
def test_durations(written: str, hours: float | None) -> None:
    """Days to seconds; years and months have no length."""
    assert duration_micros(written) == (None if hours is None else int(hours * 3_600_000_000))
