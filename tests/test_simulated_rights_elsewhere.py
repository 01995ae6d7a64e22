"""Rights that change in other systems of a simulated company: a label names the record, its maker and its moment."""

import json
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path

import pytest
from simulated_worlds import Json, contents, labels, lines, told_elsewhere, trail
from ultravires.simulator import write_world
from ultravires.simulator.timetable import BENIGN, FURTHER, TIMETABLE

TWINS = {
    "folder_bound_for_one_project": "folder_bound_as_approved",
    "group_joins_powerful_group": "group_joins_group_as_approved",
    "cluster_bound_for_one_namespace": "cluster_bound_as_approved",
    "application_allowed_beyond_consent": "application_allowed_as_approved",
    "tool_added_after_review": "tool_added_as_approved",
    "tool_described_anew_after_review": "tool_reviewed_again",
    "machine_becomes_super_administrator": "machine_becomes_administrator_as_approved",
    "policy_widened_after_approval": "policy_widened_as_approved",
    "machine_becomes_organization_owner": "machine_joins_organization_as_approved",
}
"""What is wrong, and the same under an approval."""


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One company in twenty days."""
    out = tmp_path_factory.mktemp("company")
    write_world(out, days=20, seed=5)
    return out


def situation(world: Path, name: str) -> Json:
    return next(row for row in labels(world, "situations") if row["situation"] == name)


def records(world: Path, name: str) -> list[Json]:
    """Those that a situation is about, in their order."""
    known = told_elsewhere(world)
    return [known[node] for node in situation(world, name)["nodes"] if node in known]


def changes(world: Path, name: str) -> list[Json]:
    """Those that brought a right beyond what was approved."""
    return [told_elsewhere(world)[drift["cause"]] for drift in situation(world, name)["drift"]]


def approvals(world: Path, name: str) -> list[Json]:
    named = {node.removeprefix("approval:") for node in situation(world, name)["nodes"]}
    return [line for line in lines(world, "approvals") if line["approval_id"] in named and line["status"] == "approved"]


MAKERS = {
    "protoPayload": ("protoPayload", "authenticationInfo", "principalEmail"),
    "org": ("actor",),
    "user": ("user", "username"),
    "actor": ("actor", "alternateId"),
    "auth": ("auth", "entity_id"),
    "properties": ("properties", "initiatedBy", "user", "id"),
}
"""By a member that only records of one log have, in this order: where it says who made the change."""


def maker_of(record: Json) -> str | None:
    """As its log names people; an answer of a server says nothing of who changed it."""
    way = next((way for member, way in MAKERS.items() if member in record), None)
    return None if way is None else str(reduce(lambda inner, member: inner[member], way, record))


def moment_of(record: Json) -> str:
    if "@timestamp" in record:
        at = datetime.fromtimestamp(record["@timestamp"] / 1000, tz=UTC)
        return at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:23]
    names = ("requestReceivedTimestamp", "timestamp", "published", "time")
    return str(next(record[name] for name in names if name in record))[:23]


@pytest.mark.parametrize(("wrong", "right"), TWINS.items())
def test_what_is_wrong_has_its_twin(company: Path, wrong: str, right: str) -> None:
    """The one is labelled with the rights that came of it, the other with none; both have an approval."""
    assert situation(company, wrong)["drift"] and not situation(company, wrong).get("is_benign")
    assert "drift" not in situation(company, right) and situation(company, right)["is_benign"]
    assert approvals(company, wrong) and approvals(company, right)
    assert len(records(company, right)) > 0


@pytest.mark.parametrize("name", TWINS)
def test_a_label_has_maker_and_moment_of_its_change(company: Path, name: str) -> None:
    """As the record of the change has them; it comes after the approval, and is among the nodes."""
    for drift in situation(company, name)["drift"]:
        record = told_elsewhere(company)[drift["cause"]]
        assert drift["cause"] in situation(company, name)["nodes"]
        assert drift["actor"] == maker_of(record)
        assert drift["onset"][:23] == moment_of(record)
        assert all(line["approved_at"] < drift["onset"] < line["valid_until"] for line in approvals(company, name))


def bound(record: Json) -> tuple[str, str, str]:
    """Scope, role and member of an entry of Google Cloud."""
    (delta,) = record["protoPayload"]["serviceData"]["policyDelta"]["bindingDeltas"]
    return record["protoPayload"]["resourceName"], delta["role"], delta["member"]


def test_a_folder_is_more_than_the_project_that_was_approved(company: Path) -> None:
    """The same role for the same account, first in its project and then in the folder; the twin's approval names it."""
    (project, *first), (folder, *second) = map(bound, records(company, "folder_bound_for_one_project"))
    assert first == second
    assert [line["resources"] for line in approvals(company, "folder_bound_for_one_project")] == [[project]]
    (twin,) = records(company, "folder_bound_as_approved")
    assert bound(twin)[0] == folder
    assert [line["resources"] for line in approvals(company, "folder_bound_as_approved")] == [[folder]]
    assert bound(twin)[2].endswith(approvals(company, "folder_bound_as_approved")[0]["subject"])


def test_a_group_joins_a_group_that_may_mint(company: Path) -> None:
    """The account is in the one before, and the other has its role; the twin's approval names what that gives."""

    def joined(record: Json) -> list[str]:
        """Group and member."""
        (event,) = record["protoPayload"]["metadata"]["event"]
        said = {each["name"]: each["value"] for each in event["parameter"]}
        return [said["GROUP_EMAIL"], said["USER_EMAIL"]]

    for name in ("group_joins_powerful_group", "group_joins_group_as_approved"):
        first, given, last = records(company, name)
        (inner, account), (outer, nested) = joined(first), joined(last)
        assert nested == inner and bound(given)[2] == f"group:{outer}"
        (approved,) = approvals(company, name)
        assert approved["subject"] == account and bound(given)[0] in approved["resources"]
        assert ("iam.serviceAccounts.*" in approved["actions"]) == ("approved" in name)


def test_a_cluster_is_more_than_the_namespace_that_was_approved(company: Path) -> None:
    """A RoleBinding and then a ClusterRoleBinding of one role; the twin's approval sets no bounds."""
    inner, outer = records(company, "cluster_bound_for_one_namespace")
    assert [each["responseObject"]["kind"] for each in (inner, outer)] == ["RoleBinding", "ClusterRoleBinding"]
    assert inner["responseObject"]["subjects"] == outer["responseObject"]["subjects"]
    (approved,) = approvals(company, "cluster_bound_for_one_namespace")
    assert approved["resources"] == [f"namespaces/{inner['objectRef']['namespace']}/*"]
    assert [line["resources"] for line in approvals(company, "cluster_bound_as_approved")] == [[]]


def test_an_application_gets_permissions_that_were_not_approved(company: Path) -> None:
    """One by itself and one for everybody; the twin's approval names the same two."""

    def given(record: Json) -> str:
        (target,) = record["properties"]["targetResources"]
        said = {each["displayName"]: each["newValue"].strip('" ') for each in target["modifiedProperties"]}
        return "msgraph:" + (said.get("AppRole.Value") or said["DelegatedPermissionGrant.Scope"])

    name, twin = "application_allowed_beyond_consent", "application_allowed_as_approved"
    beyond = [given(record) for record in changes(company, name)]
    (approved,), (twin_approved,) = approvals(company, name), approvals(company, twin)
    assert {given(record) for record in records(company, name)} == {*approved["actions"], *beyond}
    assert set(beyond).isdisjoint(approved["actions"]) and set(beyond) == set(twin_approved["actions"])


def tools(answer: Json) -> dict[str, str]:
    return {tool["name"]: tool["description"] for tool in answer["message"]["result"]["tools"]}


def test_a_tool_comes_after_the_review(company: Path) -> None:
    """To those that the approval names, which stay as they are; the twin's second approval names it before."""
    *before, after = map(tools, records(company, "tool_added_after_review"))
    (approved,) = approvals(company, "tool_added_after_review")
    assert all(set(each) == set(approved["tools"]) for each in before)
    assert set(after) > set(approved["tools"]) and before[0].items() < after.items()
    *_, listed = records(company, "tool_added_as_approved")
    *_, second = approvals(company, "tool_added_as_approved")
    assert set(tools(listed)) == set(second["tools"]) and second["approved_at"] < listed["timestamp"]


def test_a_tool_is_described_anew_after_the_review(company: Path) -> None:
    """Under its old name; the twin's is reviewed again afterwards, and another order of the same is no change."""
    before, after, still = map(tools, records(company, "tool_described_anew_after_review"))
    assert set(before) == set(after) and before != after == still
    first, turned, clearer = records(company, "tool_reviewed_again")
    assert tools(first) == tools(turned) != tools(clearer)
    assert first["message"]["result"]["tools"] != turned["message"]["result"]["tools"]
    *_, again = approvals(company, "tool_reviewed_again")
    assert again["approved_at"] > clearer["timestamp"]


def test_a_machine_gets_a_role_that_was_not_approved(company: Path) -> None:
    """Beside the one of its approval; the twin has no more than that."""

    def roles(record: Json) -> set[str]:
        return {f"okta_role/{role}" for role in record["debugContext"]["debugData"]["privilegeGranted"].split(", ")}

    name, twin = "machine_becomes_super_administrator", "machine_becomes_administrator_as_approved"
    small, every = map(roles, records(company, name))
    assert small == set(approvals(company, name)[0]["roles"]) < every
    (given,) = map(roles, records(company, twin))
    assert given == set(approvals(company, twin)[0]["roles"]) == small


def test_a_machine_owns_what_it_was_approved_to_join(company: Path) -> None:
    """A member and then an owner; the twin stays a member."""
    name, twin = "machine_becomes_organization_owner", "machine_joins_organization_as_approved"
    joined, owns = records(company, name)
    assert [each["permission"] for each in (joined, owns, *records(company, twin))] == ["read", "admin", "read"]
    assert joined["user"] == owns["user"] == approvals(company, name)[0]["subject"]
    assert [approvals(company, each)[0]["roles"] for each in (name, twin)] == [["github_role/member"]] * 2


def test_a_policy_says_more_than_when_it_was_approved(company: Path) -> None:
    """The twin's second approval has the path that came to it; what a policy says stands in the log."""

    def paths(record: Json) -> set[str]:
        return set(json.loads(record["request"]["data"]["policy"])["path"])

    for name in ("policy_widened_after_approval", "policy_widened_as_approved"):
        written, has, widened = records(company, name)
        first, *more = approvals(company, name)
        assert written["time"] < first["approved_at"] < has["time"] < widened["time"]
        assert [f"vault_policy/{policy}" for policy in has["request"]["data"]["policies"]] == first["roles"]
        assert [line["resources"] for line in more] == (
            [] if "after" in name else [[*(paths(widened) - paths(written))]]
        )


def test_an_answer_follows_its_question(company: Path) -> None:
    """In every file, as a gateway writes its log."""
    for path in sorted((company / "mcp_gateway").glob("*.jsonl")):
        open_questions: set[str] = set()
        for text in path.read_text(encoding="utf-8").splitlines():
            session = text.partition('"session_id":"')[2].partition('"')[0]
            if '"method":"tools/list"' in text:
                open_questions.add(session)
            else:
                assert session in open_questions


def test_nothing_else_of_the_company_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed without these situations has the same AWS logs and spans: they draw from streams of their own."""
    write_world(tmp_path / "with", days=10, seed=5)
    names = {*TWINS, *TWINS.values()}
    for kind, entries in (("TIMETABLE", TIMETABLE), ("FURTHER", FURTHER), ("BENIGN", BENIGN)):
        kept = tuple(entry for entry in entries if entry[2].__name__ not in names)
        monkeypatch.setattr(f"ultravires.simulator.timetable.{kind}", kept)
    write_world(tmp_path / "without", days=10, seed=5)
    for folder in ("aws_cloudtrail", "otel_genai", "opa_decisions", "servicenow_approvals"):
        assert contents(tmp_path / "with" / folder) == contents(tmp_path / "without" / folder)
    assert trail(tmp_path / "with")


def test_the_small_company_has_no_other_systems(tmp_path: Path) -> None:
    """A world of so many events has agents, pipelines and people in AWS alone."""
    write_world(tmp_path / "w", events=500, seed=5)
    logs = {path.name for path in (tmp_path / "w").iterdir() if path.is_dir()}
    assert logs == {"approvals", "aws_cloudtrail", "labels", "opa_decisions", "otel_genai"}
