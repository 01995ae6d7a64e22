"""What vendors' own policies and roles allow, as it is packaged, and how it is made and read."""

import gzip
import json
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ultravires.build import reference
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.packaged_documents import make
from ultravires.build.sql_tables import parse_table
from ultravires.build.table_schemas import table_schemas
from ultravires.errors import ConfigError
from ultravires.settings import Settings
from ultravires.store.file_rows import FileRows, file_rows
from ultravires.store.warehouse import Warehouse, open_warehouse

AWS, AZURE = "arn:aws:iam::aws:policy/", "/providers/microsoft.authorization/roledefinitions/"
LISTS = {"actions", "not_actions", "resources", "not_resources", "principals", "not_principals"}
GATHERED = datetime(2026, 8, 31, tzinfo=UTC)


@cache
def rows() -> dict[str, list[dict[str, Any]]]:
    """The packaged rows by `held`, versions in their order, with the statements read."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in pq.read_table(reference._DOCUMENTS).to_pylist():
        found[row["held"]].append(row | {"statements": row["statements"] and json.loads(row["statements"])})
    return {held: sorted(of_held, key=lambda row: row["nth"]) for held, of_held in found.items()}


def newest(held: str) -> list[dict[str, Any]]:
    return rows()[held][-1]["statements"]


def actions(statements: list[dict[str, Any]]) -> set[str]:
    return {action for said in statements for action in said.get("actions", ())}


def allowed(statements: list[dict[str, Any]], names: list[str]) -> set[str]:
    """Of these actions those that a statement with `actions` allows, whatever it says of resources."""
    patterns = [re.escape(a).replace(r"\*", ".*").replace(r"\?", ".") for a in actions(statements)]
    fits = re.compile("|".join(patterns), re.IGNORECASE)
    return {name for name in names if fits.fullmatch(name)}


# --- what is packaged


def test_every_document_is_in_the_words_of_grants() -> None:
    for held, of_held in rows().items():
        for row in of_held:
            for said in row["statements"] or ():
                assert set(said) <= {*LISTS, "effect", "condition", "sid"}, held
                assert said["effect"] in ("allow", "deny"), held
                assert said.get("actions") or said.get("not_actions"), held
                given = [name for name in LISTS if name in said]
                assert all(said[name] and all(type(one) is str for one in said[name]) for name in given), held
                assert type(said.get("condition", {})) is dict, held


def test_a_document_without_statements_is_known_not_to_be_known() -> None:
    """The data has no permission of these roles; nothing is never written as an empty list."""
    unknown = {held for held, of_held in rows().items() for row in of_held if row["statements"] is None}
    assert unknown and len(unknown) < 40
    assert all(row["statements"] != [] for of_held in rows().values() for row in of_held)
    assert not any(held.startswith((AWS, "clusterrole/")) for held in unknown)


def test_versions_are_ordered_and_dated() -> None:
    for held, of_held in rows().items():
        assert [row["nth"] for row in of_held] == list(range(1, len(of_held) + 1)), held
        for before, after in pairwise(of_held):
            assert int(before["version"][1:]) < int(after["version"][1:]), held
            assert before["statements"] != after["statements"], held
            assert before["not_before"] <= after["not_before"] and before["not_after"] <= after["not_after"], held
        known = [row["valid_from"] for row in of_held if row["valid_from"]]
        assert known == sorted(set(known)), held
        for row in of_held:
            bounds = row["not_before"], row["not_after"]
            assert row["not_after"] is not None
            assert bounds == (row["valid_from"],) * 2 if row["valid_from"] else bounds[0] != bounds[1], held
            assert row["not_before"] is None or row["not_before"] <= row["not_after"], held


def test_ids_are_as_changes_and_exports_name_them() -> None:
    shapes = {
        "aws": r"arn:aws:iam::aws:policy/(\S+/)?[^/\s]+",
        "azure": re.escape(AZURE) + r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "gcp": r"roles/[A-Za-z0-9_.]+",
        "kubernetes": r"clusterrole/[a-z0-9:.-]+",
    }
    strange = [held for held, of_held in rows().items() if not re.fullmatch(shapes[of_held[0]["system"]], held)]
    assert strange == []
    assert {of_held[0]["system"] for of_held in rows().values()} == set(shapes)


def test_administrators_of_aws_may_do_everything() -> None:
    assert newest(f"{AWS}AdministratorAccess") == [{"effect": "allow", "actions": ["*"], "resources": ["*"]}]


def test_who_only_reads_in_aws_manages_no_permissions_and_writes_nothing() -> None:
    """What IAM itself calls a write or a management of permissions, and is no reading by its name."""
    levels = {permission: level for _, permission, level in reference._iam_actions()}
    found = allowed(newest(f"{AWS}ReadOnlyAccess"), list(levels))
    writes = {name for name in found if levels[name] not in ("Read", "List")}
    assert {name for name in writes if not re.search(":(Get|List)", name)} == {"s3express:CreateSession"}
    assert {"s3:GetObject", "ec2:DescribeInstances"} <= found
    assert not found & {"s3:PutObject", "iam:CreateUser", "ec2:TerminateInstances", "sts:AssumeRole"}


def test_the_day_is_known_on_which_aws_widened_a_policy() -> None:
    """https://docs.aws.amazon.com/aws-managed-policy/latest/reference/IAMFullAccess.html"""
    first, second = rows()[f"{AWS}IAMFullAccess"]
    assert second["valid_from"].date() == date(2019, 6, 21)
    assert actions(first["statements"]) == {"iam:*"}
    assert "organizations:ListPolicies" in actions(second["statements"]) - actions(first["statements"])


def test_the_day_is_not_said_where_it_is_not_known() -> None:
    """The package has the day of the policy for its second version; only when it held at the latest is certain."""
    first, second = rows()[f"{AWS}AWSSupportAccess"]
    assert (second["version"], second["valid_from"]) == ("v2", None)
    assert (second["not_before"], second["not_after"].date()) == (first["valid_from"], date(2026, 2, 12))


def test_a_policy_that_was_issued_anew_was_not_widened() -> None:
    """On that day AWS issued hundreds of policies anew, each with the words that it had."""
    days = {row["valid_from"].date() for of_held in rows().values() for row in of_held if row["valid_from"]}
    assert date(2026, 2, 12) not in days and date(2026, 8, 4) in days
    assert rows()[f"{AWS}PowerUserAccess"][-1]["version"] == "v8"


def test_the_owner_of_azure_may_do_everything_but_read_data() -> None:
    """https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/privileged"""
    (row,) = rows()[f"{AZURE}8e3af657-a8ff-443c-a75c-2fe8c4bcb635"]
    assert row["name"] == "Owner"
    assert row["statements"] == [{"effect": "allow", "actions": ["azure:*"], "sid": "actions"}]


def test_a_contributor_of_azure_may_not_give_roles() -> None:
    (said,) = newest(f"{AZURE}b24988ac-6180-42a0-ab88-20f7382dd24c")
    assert said["actions"] == ["azure:*"]
    assert {"azure:microsoft.authorization/*/write", "azure:microsoft.authorization/*/delete"} <= {*said["not_actions"]}


def test_what_acts_on_data_is_a_statement_of_its_own() -> None:
    """Storage Blob Data Contributor."""
    control, data = newest(f"{AZURE}ba92f5b4-2d11-453d-a403-e96b0029c9fe")
    blobs = "azure:microsoft.storage/storageaccounts/blobservices/containers/blobs/read"
    assert (control["sid"], data["sid"]) == ("actions", "dataActions")
    assert blobs in data["actions"] and blobs not in control["actions"]


def test_roles_of_google_cloud_are_in_its_own_words() -> None:
    assert "resourcemanager.projects.setIamPolicy" in actions(newest("roles/owner"))
    assert "resourcemanager.projects.setIamPolicy" not in actions(newest("roles/editor"))
    assert "iam.serviceAccounts.getAccessToken" in actions(newest("roles/iam.serviceAccountTokenCreator"))


def test_the_admin_of_a_cluster_may_do_everything() -> None:
    assert newest("clusterrole/cluster-admin") == [
        {"effect": "allow", "actions": ["k8s:*:*"]},
        {"effect": "allow", "actions": ["k8s:nonresource:*"], "resources": ["*"]},
    ]


def test_aggregated_roles_hold_what_they_aggregate() -> None:
    """https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles: who views sees no secrets and no
    roles, who edits reads secrets and changes no roles.
    """
    view, edit, admin = (actions(newest(f"clusterrole/{name}")) for name in ("view", "edit", "admin"))
    assert view < edit < admin
    assert not any(action.startswith(("k8s:secrets", "k8s:roles", "k8s:pods/exec")) for action in view)
    assert {"k8s:secrets:get", "k8s:pods/exec:create", "k8s:serviceaccounts:impersonate"} <= edit
    assert "k8s:rolebindings:create" in admin - edit
    assert not any("clusterroles" in action for action in admin)


def test_a_rule_about_names_is_about_those_only() -> None:
    """Resources are as the audit log names them, with group and namespace before the kind."""
    leases = [s for s in newest("clusterrole/system:kube-scheduler") if s.get("resources")]
    assert leases == [
        {"effect": "allow", "actions": ["k8s:leases:get", "k8s:leases:update"], "resources": ["*leases/kube-scheduler"]}
    ]
    (escalates,) = newest("clusterrole/system:controller:clusterrole-aggregation-controller")
    assert "k8s:clusterroles:escalate" in escalates["actions"]


def test_the_notices_of_the_licences_are_beside_the_file() -> None:
    notice = (reference._DOCUMENTS.parent / "NOTICE.md").read_text(encoding="utf-8")
    assert "Copyright (c) 2023 Tobi" in notice and "Copyright (c) 2021 Ian Mckay" in notice
    assert "The above copyright notice and this permission notice shall be included" in notice


def test_the_file_is_what_the_data_gives(third_party: Path) -> None:
    """The rows of Azure and Google Cloud, made again from the third-party data."""
    azure, gcp = (_lines(third_party / f"{name}.jsonl.gz") for name in ("azure_builtin_roles", "gcp_predefined_roles"))
    again = [*make.azure_documents(azure, "2026-08", GATHERED), *make.gcp_documents(gcp, "2026-08", GATHERED)]
    packaged = {held: of_held for held, of_held in rows().items() if of_held[0]["system"] in ("azure", "gcp")}
    assert {d.held: d.statements and json.loads(d.statements) for d in again} == {h: newest(h) for h in packaged}


def _lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


# --- how it is made


def policy(versions: dict[str, tuple[str, str]], *, created: str = "2020-01-01", updated: str = "") -> dict[str, Any]:
    """A policy as the package has it: by version the day and the one action that it allows."""
    said = {
        version: {
            "createdDate": f"{day}T00:00:00.000Z",
            "document": {"Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]},
        }
        for version, (day, action) in versions.items()
    }
    last = updated or max(day for day, _ in versions.values())
    dates = {"createdDate": f"{created}T00:00:00.000Z", "lastUpdatedDate": f"{last}T00:00:00.000Z"}
    return {"arn": f"{AWS}P", "versions": said, **dates}


def made(of_policy: dict[str, Any]) -> list[tuple[Any, ...]]:
    """version, valid_from, not_before and not_after of the rows, as days."""
    return [
        (d.version, *(moment and f"{moment:%Y-%m-%d}" for moment in (d.valid_from, d.not_before, d.not_after)))
        for d in make.aws_documents({"P": of_policy}, GATHERED)
    ]


def test_versions_have_their_days() -> None:
    found = made(policy({"v10": ("2022-03-01", "s3:*"), "v9": ("2022-02-01", "s3:Get*"), "v1": ("2020-01-01", "s3:A")}))
    assert [row[0] for row in found] == ["v1", "v9", "v10"], "by number, and not by letters"
    assert found[2] == ("v10", "2022-03-01", "2022-03-01", "2022-03-01")


def test_the_day_of_the_policy_is_not_the_day_of_a_version() -> None:
    found = made(
        policy(
            {"v1": ("2020-01-01", "s3:A"), "v2": ("2020-01-01", "s3:B"), "v3": ("2020-01-01", "s3:C")},
            updated="2024-05-05",
        )
    )
    assert found == [
        ("v1", "2020-01-01", "2020-01-01", "2020-01-01"),
        ("v2", None, "2020-01-01", "2024-05-05"),
        ("v3", "2024-05-05", "2024-05-05", "2024-05-05"),
    ]


def test_the_same_words_are_no_row_and_say_when_they_held_at_the_latest() -> None:
    words = {"v1": ("2020-01-01", "s3:A"), "v2": ("2020-01-01", "s3:B"), "v3": ("2020-01-01", "s3:B")}
    assert made(policy(words, updated="2026-02-12"))[1:] == [("v2", None, "2020-01-01", "2026-02-12")]
    back = {"v1": ("2020-01-01", "s3:A"), "v2": ("2021-01-01", "s3:B"), "v3": ("2022-01-01", "s3:A")}
    assert [row[0] for row in made(policy(back))] == ["v1", "v2", "v3"], "what comes back is new again"


def test_what_follows_a_version_that_is_missing_may_have_been_said_before() -> None:
    gap = {"v1": ("2020-01-01", "s3:A"), "v3": ("2021-01-01", "s3:B"), "v4": ("2022-01-01", "s3:C")}
    assert made(policy(gap))[1:] == [
        ("v3", None, "2020-01-01", "2021-01-01"),
        ("v4", "2022-01-01", "2022-01-01", "2022-01-01"),
    ]
    assert made(policy({"v2": ("2020-01-01", "s3:A")}, updated="2020-03-03")) == [
        ("v2", None, "2020-01-01", "2020-03-03")
    ]


def test_a_policy_that_cannot_be_read_is_not_packed() -> None:
    broken = policy({"v1": ("2020-01-01", "s3:A")})
    broken["versions"]["v1"]["document"] = {"Statement": "none"}
    with pytest.raises(SystemExit, match="policy/P v1: its statements cannot be read"):
        made(broken)


def test_what_is_written_is_sorted_and_the_same_every_time(tmp_path: Path) -> None:
    documents = list(
        make.aws_documents({"P": policy({"v1": ("2020-01-01", "a:*"), "v2": ("2021-01-01", "b:*")})}, GATHERED)
    )
    make.write_documents(documents, tmp_path / "one")
    make.write_documents(reversed(documents), tmp_path / "other")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert file_rows("packaged_documents", tmp_path / "one").num_rows == 2


def test_what_is_there_twice_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = list(make.aws_documents({"P": policy({"v1": ("2020-01-01", "a:*")})}, GATHERED))
    with pytest.raises(SystemExit, match="policy/P is there twice"):
        make.write_documents(documents * 2, tmp_path / "twice")
    monkeypatch.setattr(make, "_MOST_BYTES", 100)
    with pytest.raises(SystemExit, match="larger than 100 bytes"):
        make.write_documents(documents, tmp_path / "large")


# --- how it is read


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with open_warehouse(tmp_path / "home") as opened:
        yield opened


def packed(path: Path, *actions: str) -> FileRows:
    """A file of one document for each action."""
    documents = [make.Document(a, "aws", a, "v1", 1, GATHERED, GATHERED, GATHERED, "[]") for a in actions]
    make.write_documents(documents, path)
    return file_rows("packaged_documents", path)


def test_the_table_is_read_where_the_file_lies(warehouse: Warehouse) -> None:
    """A home does not grow by it, and a later run writes nothing."""
    packaged = reference.reference_tables(Settings(), [])["packaged_documents"]
    before = warehouse.size()
    assert [warehouse.store_reference("packaged_documents", packaged) for _ in range(2)] == [True, False]
    warehouse.con.execute("checkpoint")
    assert warehouse.size() - before < 1_000_000
    state = warehouse.state("packaged_documents")
    assert state is not None and (state.version, state.n_rows) == (1, packaged.num_rows)
    found = warehouse.con.execute("select version from packaged_documents where held = 'roles/owner'").fetchall()
    assert found == [("2026-08",)]
    assert warehouse.con.table("packaged_documents").columns == list(table_schemas()["packaged_documents"].types())


def test_another_file_is_another_version_and_the_same_elsewhere_is_not(warehouse: Warehouse, tmp_path: Path) -> None:
    engine = DuckDBEngine(warehouse, {})
    header = "-- grain: one row\n-- build: full\n-- why: it is counted\n"
    table = parse_table("counted", "marts", header + "select count(*) as n from packaged_documents")
    first = packed(tmp_path / "first", "a:*")
    warehouse.store_reference("packaged_documents", first)
    assert [engine.build(table).state for _ in range(2)] == ["built", "fresh"]
    shutil.move(tmp_path / "first", tmp_path / "moved")
    warehouse.store_reference("packaged_documents", file_rows("packaged_documents", tmp_path / "moved"))
    assert engine.build(table).state == "fresh"
    assert warehouse.con.execute("select held from packaged_documents").fetchall() == [("a:*",)]
    warehouse.store_reference("packaged_documents", packed(tmp_path / "other", "a:*", "b:*"))
    assert engine.build(table).state == "built"
    assert warehouse.con.execute("from counted").fetchall() == [(2,)]


def test_a_run_that_fails_leaves_the_file_of_before(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.store_reference("packaged_documents", packed(tmp_path / "first", "a:*"))
    other = {"packaged_documents": packed(tmp_path / "other", "b:*")}
    with pytest.raises(ValueError, match="killed"), warehouse.storing_references(other):
        raise ValueError("killed")
    assert warehouse.con.execute("select held from packaged_documents").fetchall() == [("a:*",)]
    assert warehouse.version("packaged_documents") == 1


def test_a_home_is_compacted_with_the_view_and_where_its_file_is_gone(warehouse: Warehouse, tmp_path: Path) -> None:
    first = packed(tmp_path / "first", "a:*")
    warehouse.store_reference("packaged_documents", first)
    warehouse.compact()
    assert warehouse.con.execute("select held from packaged_documents").fetchall() == [("a:*",)]
    first.path.unlink()
    warehouse.compact()
    warehouse.store_reference("packaged_documents", packed(tmp_path / "again", "a:*"))
    assert warehouse.con.execute("select held from packaged_documents").fetchall() == [("a:*",)]


def _nothing(path: Path) -> None:
    path.unlink()


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50_000])


def _words(path: Path) -> None:
    path.write_text("held,statements\n", encoding="utf-8")


def _other_columns(path: Path) -> None:
    pq.write_table(pa.table({"held": ["roles/owner"]}), path)


@pytest.mark.parametrize("breaking", [_nothing, _half, _words, _other_columns])
def test_a_broken_file_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaking: Any) -> None:
    path = Path(shutil.copy(reference._DOCUMENTS, tmp_path / "documents.parquet"))
    breaking(path)
    monkeypatch.setattr(reference, "_DOCUMENTS", path)
    with pytest.raises(ConfigError) as raised:
        reference.reference_tables(Settings(), [])
    assert str(raised.value).startswith(f"{path}: ") and "\n" not in str(raised.value)
    assert str(raised.value).endswith("install Ultravires anew")
