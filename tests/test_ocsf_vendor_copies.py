"""OCSF copies of Okta, GitHub, Google Cloud, Entra and whatever `raw_data` holds: each is the native record's event."""

import json
import tempfile
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ocsf_copies import millis
from ocsf_vendor_copies import MAPPINGS, gcp_as_ocsf, github_as_ocsf, okta_as_ocsf
from source_samples import OPTIONS, SAMPLES, batches, claimed_by, expected_events, quarantined, rows
from ultravires import registry
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.pipeline import hourly_tables
from ultravires.reading.options import Options
from ultravires.schema import EVENTS
from ultravires.settings import Settings
from ultravires.sources.ocsf.fields import own_time
from ultravires.sources.ocsf.originals import logs_named
from ultravires.sources.ocsf.products import product_of
from ultravires.store.deduplicate import store_events
from ultravires.store.warehouse import open_warehouse

Record = dict[str, Any]
PAPERHOUSE = {"name": "Paperhouse Vault", "vendor_name": "Paperhouse"}


def records_of(source: str) -> list[Record]:
    """The records of a sample as their mapping takes them."""
    found = [frame.value for frame in registry.sources()[source].records(iter([SAMPLES[source]]), OPTIONS)]
    return [record["properties"] for record in found] if source.startswith("entra_") else found


NATIVES = [(source, record) for source in MAPPINGS for record in records_of(source)]
each_native = pytest.mark.parametrize(
    ("source", "record"), NATIVES, ids=[f"{source}-{number}" for number, (source, _) in enumerate(NATIVES)]
)


def native_rows(source: str, record: Record, folder: Path) -> list[Record]:
    return rows(source, json.dumps(record).encode(), folder)


def copy_rows(copy: Record, folder: Path, options: Options = OPTIONS) -> list[Record]:
    data = json.dumps(copy).encode()
    assert quarantined("ocsf", data, folder, options) == []
    return rows("ocsf", data, folder, options)


def ids(found: list[Record]) -> list[tuple[str, str]]:
    return [(row["log"], row["event_id"]) for row in found]


def carrying(raw: Any, time: str, **members: Any) -> Record:
    """An OCSF event of some product that tells little itself, and carries the record it was made from."""
    own = {
        "activity_id": 99,
        "activity_name": "Other",
        "category_uid": 6,
        "class_uid": 6003,
        "metadata": {"product": PAPERHOUSE, "uid": "p-1", "version": "1.8.0"},
        "raw_data": raw,
        "severity_id": 1,
        "status_id": 1,
        "time": millis(time),
        "type_uid": 600399,
    }
    return own | members


def product(name: str, vendor: str = "") -> Record:
    return {"metadata": {"product": {"name": name, "vendor_name": vendor or name}, "uid": "p-1", "version": "1.8.0"}}


@each_native
def test_a_copy_is_the_native_event(source: str, record: Record, tmp_path: Path) -> None:
    """Rebuilt from what the mapping kept; who did it, from where and on what come back too."""
    copy = MAPPINGS[source](record)
    assert claimed_by(json.dumps(copy).encode()) == ["ocsf"]
    found, native = copy_rows(copy, tmp_path), native_rows(source, record, tmp_path)
    assert ids(found) == ids(native)
    assert {row["source"] for row in found} == {"ocsf"}
    for row, own in zip(found, native, strict=True):
        assert [row[name] for name in ("kind", "action", "outcome", "native_id", "event_at")] == [
            own[name] for name in ("kind", "action", "outcome", "native_id", "event_at")
        ]


def test_the_sample_holds_copies_of_records_of_other_samples() -> None:
    """Whoever loads all samples has each of these once."""
    natives = {event["event_id"] for source in (*MAPPINGS, "teleport_audit") for event in expected_events(source)}
    assert len(natives & {event["event_id"] for event in expected_events("ocsf")}) == len(MAPPINGS) + 1


@pytest.mark.cross
@each_native
@pytest.mark.parametrize("how", ["text", "object", "pretty", "unmapped"])
def test_a_copy_that_carries_the_record_is_the_native_event(
    source: str, record: Record, how: str, tmp_path: Path
) -> None:
    """In every column but the provenance: nothing of it was lost, wherever the record stands."""
    copy = MAPPINGS[source](record)
    raw: Any = record if how == "object" else json.dumps(record, indent=2 if how == "pretty" else None)
    if how == "unmapped":
        copy["unmapped"] = {"raw_data": raw}
    else:
        copy["raw_data"] = raw
    provenance = ("raw", "raw_hash", "source", "source_version", "record_no", "place")
    found, native = copy_rows(copy, tmp_path), native_rows(source, record, tmp_path)
    assert [{name: row[name] for name in row if name not in provenance} for row in found] == [
        {name: row[name] for name in row if name not in provenance} for row in native
    ]


RAW = ("anthropic_audit", "azure_activity", "azure_storage", "openai_audit", "teleport_audit", "vault_audit")


@pytest.mark.parametrize("source", RAW)
def test_logs_without_a_mapping_of_their_own_are_known_by_the_record_that_came_along(
    source: str, tmp_path: Path
) -> None:
    """The product is named like the log; records without a vendor's id get the id of their content."""
    title = registry.sources()[source].title
    for frame in registry.sources()[source].records(iter([SAMPLES[source]]), OPTIONS):
        raw = frame.data.decode()
        for own in native_rows(source, json.loads(raw), tmp_path)[:1]:
            copy = carrying(raw, own["event_at"].isoformat(), **product(title))
            assert ids(copy_rows(copy, tmp_path)) == ids(native_rows(source, json.loads(raw), tmp_path))


@pytest.mark.parametrize(
    ("name", "vendor", "log"),
    [
        ("Okta System Log", "Okta", "okta_system"),
        ("okta-logs", "okta", "okta_system"),
        ("CloudTrail", "Amazon", "aws_cloudtrail"),
        ("Azure Monitor", "Microsoft", "azure_activity"),
        ("azure-signin", "azure", "entra_signin"),
        ("Microsoft Entra ID", "Microsoft", "entra_audit"),
        ("Google Cloud Audit Logs", "Google Cloud", "gcp_audit"),
        ("gcp-audit", "gcp", "gcp_audit"),
        ("Amazon EKS", "AWS", "kubernetes_audit"),
        ("GitHub", "GitHub Inc.", "github_audit"),
        ("Teleport", "Gravitational", "teleport_audit"),
        ("Vault", "HashiCorp", "vault_audit"),
    ],
)
def test_a_product_names_its_log(name: str, vendor: str, log: str) -> None:
    """By the first word of the source's name or title, or a word for its maker; OCSF itself is never one of them."""
    record = {"metadata": {"product": {"name": name, "vendor_name": vendor}}}
    assert log in logs_named(product_of(record))
    assert "ocsf" not in logs_named(product_of({"metadata": {"product": {"name": "ocsf"}}}))
    assert logs_named(product_of({"metadata": {"product": {"name": "Paperhouse"}}})) == ()


SIGN_IN = records_of("okta_system")[0]
DENIED = {"outcome": {"result": "DENY", "reason": None}, "eventType": "policy.evaluate_sign_on"}


def test_a_record_of_another_product_or_time_does_not_count(tmp_path: Path) -> None:
    """Then what the event says itself stands: a product whose events hold what others send must not speak for Okta."""
    raw, time = json.dumps(SIGN_IN), SIGN_IN["published"]
    okta = product("Okta System Log", "Okta")
    assert copy_rows(carrying(raw, time, **okta), tmp_path)[0]["log"] == "okta_system"
    assert copy_rows(carrying(raw, "2026-10-05T08:16:12.345Z", **okta), tmp_path)[0]["log"] == "okta_system"
    for strange in (
        carrying(raw, time),
        carrying(raw, time, **product("GitHub")),
        carrying(raw, "2026-10-05T08:16:12.346Z", **okta),
        carrying(raw, "2025-10-05T08:01:12.345Z", **okta),
    ):
        (row,) = copy_rows(strange, tmp_path)
        assert (row["log"], row["native_id"]) == ("ocsf", "p-1")


def test_app_fabric_and_findings_may_carry_the_record(tmp_path: Path) -> None:
    """AppFabric writes the numbers of classes as text. A finding that was made from a record is that record's event."""
    raw, time = json.dumps(SIGN_IN), SIGN_IN["published"]
    fabric = {"product": {"uid": "okta", "vendor_name": "Okta", "name": "Okta"}, "uid": "mine", "version": "1.1.0"}
    texts = {"activity_id": "1", "category_uid": "3", "class_uid": "3002", "type_uid": "300201", "metadata": fabric}
    finding = {"category_uid": 2, "class_uid": 2004, "type_uid": 200401, "activity_id": 1, "metadata": fabric}
    expected = ids(native_rows("okta_system", SIGN_IN, tmp_path))
    for members in (texts, finding):
        assert ids(copy_rows(carrying(raw, time, **members), tmp_path)) == expected
    assert copy_rows(carrying("{}", time, **finding), tmp_path) == []


def deep(levels: int) -> str:
    """A record of which no member is a secret's name, so that only its own reader looks into it."""
    return json.dumps(SIGN_IN | {"target": []})[:-1] + ', "x": ' + '{"a":' * levels + "1" + "}" * levels + "}"


def nested(levels: int) -> Record:
    """OCSF in OCSF in OCSF, with the record at the bottom."""
    raw = json.dumps(SIGN_IN)
    for _ in range(levels):
        raw = json.dumps(carrying(raw, SIGN_IN["published"], **product("Okta OCSF", "Okta")))
    return json.loads(raw)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "{",
        "[",
        "[]",
        "{}",
        "null",
        "hello",
        '"{}"',
        "\x00",
        "{" * 5000,
        "[" * 5000,
        json.dumps(SIGN_IN)[:-200],
        json.dumps(SIGN_IN) + json.dumps(SIGN_IN),
        json.dumps([SIGN_IN, SIGN_IN]),
        json.dumps(json.dumps(SIGN_IN)),
        json.dumps({**SIGN_IN, "published": None}),
        json.dumps({**SIGN_IN, "published": 5, "uuid": []}),
        json.dumps({**SIGN_IN, "eventType": {}}),
        "<34>1 2026-10-05 okta " + json.dumps(SIGN_IN),
        deep(300),
        deep(5000),
        {},
        {"a": "b"},
        {**SIGN_IN, "published": "soon"},
        [],
        [SIGN_IN],
        5,
        True,
        None,
    ],
    ids=lambda raw: str(raw)[:30],
)
def test_broken_raw_data_loses_nothing(raw: Any, tmp_path: Path) -> None:
    """What is no record, or several, falls back: to the mapping where that is whole, else to OCSF."""
    bare = carrying(raw, SIGN_IN["published"], **product("Okta System Log", "Okta"))
    (row,) = copy_rows(bare, tmp_path)
    assert (row["log"], row["action"]) == ("ocsf", "okta_system_log:Other")
    mapped = okta_as_ocsf(SIGN_IN) | {"raw_data": raw}
    assert ids(copy_rows(mapped, tmp_path)) == ids(native_rows("okta_system", SIGN_IN, tmp_path))


def test_huge_raw_data_is_bounded_by_the_size_of_a_record(tmp_path: Path) -> None:
    """It stands inside of a record, so what is larger than one never gets here; a few MB are read."""
    large = SIGN_IN | {"debugContext": {"debugData": {"x": "y" * (4 << 20)}}}
    copy = okta_as_ocsf(SIGN_IN) | {"raw_data": json.dumps(large)}
    assert copy_rows(copy, tmp_path)[0]["log"] == "okta_system"
    options = Options(hash_key=b"k", max_record_bytes=1 << 20)
    (refused,) = quarantined("ocsf", json.dumps(copy).encode(), tmp_path, options)
    assert refused.reason.startswith("record is longer than")


def test_ocsf_is_not_looked_for_in_ocsf(tmp_path: Path) -> None:
    """One step and no more, however it is nested."""
    assert copy_rows(nested(1), tmp_path)[0]["log"] == "okta_system"
    for levels in (2, 3, 6):
        assert copy_rows(nested(levels), tmp_path)[0]["log"] == "ocsf"


def test_secrets_and_named_fields_of_the_record_are_hidden(tmp_path: Path) -> None:
    """In `raw`, which keeps the whole event, and in every column; the id is the native one's still."""
    record = SIGN_IN | {"debugContext": {"debugData": {"password": "very-secret"}}}
    copy = okta_as_ocsf(record) | {"raw_data": json.dumps(record)}
    assert "very-secret" not in json.dumps(copy_rows(copy, tmp_path), default=str)
    options = Options(hash_key=b"k", fields={"*": ("displayName",), "okta_system": ("alternateId",)})
    (row,) = copy_rows({**carrying(copy["raw_data"], record["published"]), **product("Okta")}, tmp_path, options)
    (own,) = rows("okta_system", json.dumps(record).encode(), tmp_path, options)
    assert row["actor_uid"] == own["actor_uid"] != "mira@example.org"
    assert row["actor_name"] == own["actor_name"] != "Mira Holm"


@pytest.mark.parametrize(
    "place",
    [
        lambda copy, uid: copy["metadata"].update(uid=uid),
        lambda copy, uid: copy["metadata"].update(original_event_uid=uid, uid="mine"),
        lambda copy, uid: copy["metadata"].update(loggers=[{"event_uid": uid}]),
        lambda copy, uid: copy["metadata"]["product"].update(uid=uid),
        lambda copy, uid: copy.update(logon_process={"uid": uid}),
        lambda copy, uid: copy["unmapped"].update(uuid=uid),
    ],
)
def test_the_id_of_an_okta_event_stands_where_each_mapping_puts_it(place: Any, tmp_path: Path) -> None:
    """Without it the event cannot be Okta's own, and stays OCSF's."""
    copy = okta_as_ocsf(SIGN_IN)
    uid = copy["metadata"].pop("uid")
    assert copy_rows(copy, tmp_path)[0]["log"] == "ocsf"
    place(copy, uid)
    assert ids(copy_rows(copy, tmp_path)) == ids(native_rows("okta_system", SIGN_IN, tmp_path))


@pytest.mark.parametrize(
    ("event", "members", "log"),
    [
        ({"outcome": {"result": "FAILURE", "reason": "INVALID_CREDENTIALS"}}, {}, "okta_system"),
        ({"outcome": {"result": "SKIPPED", "reason": None}}, {"status": "Other"}, "okta_system"),
        ({"outcome": {"result": "CHALLENGE", "reason": None}}, {}, "okta_system"),
        (DENIED, {}, "ocsf"),
        (DENIED, {"status": "DENY", "status_id": 99}, "okta_system"),
        (DENIED, {"unmapped": {"outcome": {"result": "DENY"}}}, "okta_system"),
        (DENIED, {"unmapped": {"outcome.result": "DENY"}}, "okta_system"),
        ({"outcome": {"result": "SUCCESS"}}, {"status": None, "status_id": 1}, "okta_system"),
    ],
)
def test_an_okta_result_is_told_or_the_event_stays_ocsf(
    event: Record, members: Record, log: str, tmp_path: Path
) -> None:
    """OCSF calls both what failed and what was denied a failure."""
    record = SIGN_IN | event | {"outcome": {"reason": None} | event["outcome"]}
    (row,) = copy_rows(okta_as_ocsf(record) | members, tmp_path)
    assert row["log"] == log
    if log == "okta_system":
        assert ids([row]) == ids(native_rows("okta_system", record, tmp_path))


GRANT = SIGN_IN | {"eventType": "app.oauth2.as.token.grant"}


def test_a_grant_that_no_policy_allows_needs_its_reason(tmp_path: Path) -> None:
    """The reason alone says that it was a refusal."""
    refused = GRANT | {"outcome": {"result": "FAILURE", "reason": "access_denied"}}
    copy = okta_as_ocsf(refused)
    assert ids(copy_rows(copy, tmp_path)) == ids(native_rows("okta_system", refused, tmp_path))
    del copy["unmapped"]["outcome"]
    assert copy_rows(copy, tmp_path)[0]["log"] == "ocsf"
    copy["status_detail"] = "access_denied"
    assert ids(copy_rows(copy, tmp_path)) == ids(native_rows("okta_system", refused, tmp_path))


def test_the_published_example_with_seconds_for_milliseconds_is_read_at_its_time(tmp_path: Path) -> None:
    """`time` in seconds is certain where `time_dt` is of that second."""
    copy = okta_as_ocsf(SIGN_IN)
    copy["time"] //= 1000
    assert ids(copy_rows(copy, tmp_path)) == ids(native_rows("okta_system", SIGN_IN, tmp_path))


def test_a_google_entry_without_its_log_or_code_stays_ocsf(tmp_path: Path) -> None:
    """The log's name is part of its id, and only the code tells a refusal from a failure."""
    entry = records_of("gcp_audit")[1]
    denied = entry | {"protoPayload": entry["protoPayload"] | {"status": {"code": 7, "message": "no"}}}
    copy = gcp_as_ocsf(denied)
    (row,) = copy_rows(copy, tmp_path)
    assert (row["log"], row["outcome"]) == ("gcp_audit", "denied")
    assert ids([row]) == ids(native_rows("gcp_audit", denied, tmp_path))
    unmapped = dict(copy["unmapped"])
    del unmapped["log_name"]
    copy["api"]["response"]["code"] = 403
    for lost in ({"unmapped": unmapped}, {"status_code": None}, {"metadata": {**copy["metadata"], "uid": None}}):
        assert copy_rows(copy | lost, tmp_path)[0]["log"] == "ocsf"
    named = {"unmapped": unmapped, "metadata": copy["metadata"] | {"log_name": entry["logName"]}}
    assert ids(copy_rows(copy | named, tmp_path)) == ids([row])


def test_an_entry_of_a_google_cluster_is_its_own_where_it_came_along(tmp_path: Path) -> None:
    """It is Kubernetes' audit under Google's name; of the mapping alone it cannot be had back, and stays OCSF's."""
    entries = [entry for entry in records_of("kubernetes_audit") if "protoPayload" in entry]
    assert entries
    for entry in entries:
        copy = gcp_as_ocsf(entry)
        assert {row["log"] for row in copy_rows(copy, tmp_path)} == {"ocsf"}
        found = copy_rows(copy | {"raw_data": json.dumps(entry)}, tmp_path)
        assert ids(found) == ids(native_rows("kubernetes_audit", entry, tmp_path))


def test_a_time_that_the_mapping_cut_makes_no_native_event(tmp_path: Path) -> None:
    """A record of microseconds is not the one of its millisecond; a full second is what some logs write."""
    entry = records_of("gcp_audit")[0]
    copy = gcp_as_ocsf(entry)
    del copy["metadata"]["original_time"]
    assert copy_rows(copy, tmp_path)[0]["log"] == "ocsf"
    assert ids(copy_rows(copy | {"time_dt": entry["timestamp"]}, tmp_path)) == ids(
        native_rows("gcp_audit", entry, tmp_path)
    )
    whole = {**entry, "timestamp": "2026-10-05T10:00:00Z"}
    copy = gcp_as_ocsf(whole)
    del copy["metadata"]["original_time"]
    assert ids(copy_rows(copy, tmp_path)) == ids(native_rows("gcp_audit", whole, tmp_path))
    assert own_time({"time": 1791194400123, "metadata": {"original_time": "2026-10-05T11:00:00.123456Z"}}) is None
    assert own_time({"time": None}) is None


def test_an_id_that_names_a_group_of_events_is_none(tmp_path: Path) -> None:
    """The mapping for Security Lake writes the correlation id of a directory audit into both places."""
    audit = records_of("entra_audit")[0]
    copy = MAPPINGS["entra_audit"](audit)
    uid = copy["metadata"].pop("original_event_uid")
    copy["metadata"] |= {"uid": uid, "correlation_uid": uid}
    assert copy_rows(copy, tmp_path)[0]["log"] == "ocsf"
    copy["metadata"]["correlation_uid"] = "another"
    assert ids(copy_rows(copy, tmp_path)) == ids(native_rows("entra_audit", audit, tmp_path))


@pytest.mark.parametrize("name", ["Service Principal Sign-In Logs", "Managed Identity Sign-In Logs"])
def test_sign_ins_of_applications_as_security_lake_maps_them(name: str, tmp_path: Path) -> None:
    """Who signed in is an application by the user's type, and the feature tells the log."""
    kind = name.rpartition(" Sign-In")[0]
    copy = MAPPINGS["entra_signin"](records_of("entra_signin")[0] | {"createdDateTime": "2026-10-05T08:00:02Z"})
    copy["metadata"] = {
        "product": {"name": "Microsoft Entra ID", "vendor_name": "Microsoft", "feature": {"name": name}},
        "uid": "s-1",
        "correlation_uid": "c-1",
        "version": "1.1.0",
    }
    copy["actor"] = {"user": {"uid": "sp-1", "name": "invoice-sync", "type": kind, "type_id": 3}, "app_uid": "app-1"}
    del copy["time_dt"]
    (row,) = copy_rows(copy | {"unmapped": {}, "service": {}}, tmp_path)
    assert (row["log"], row["native_id"], row["actor_uid"], row["actor_kind"]) == (
        "entra_signin", "s-1", "sp-1", "service",
    )  # fmt: skip


def test_a_run_without_its_conclusion_stays_ocsf(tmp_path: Path) -> None:
    """What a workflow ended in stands nowhere else."""
    run = records_of("github_audit")[0] | {"action": "workflows.completed_workflow_run", "conclusion": "failure"}
    copy = github_as_ocsf(run)
    assert ids(copy_rows(copy, tmp_path)) == ids(native_rows("github_audit", run, tmp_path))
    del copy["unmapped"]["conclusion"]
    assert copy_rows(copy, tmp_path)[0]["log"] == "ocsf"


KINDS = ("native", "mapped", "carrying")


def file_of(kind: str, source: str, numbers: list[int]) -> tuple[str, bytes]:
    """(source, bytes) of a file with these records of the source, or their copies."""
    records = [record for name, record in NATIVES if name == source]
    chosen = [records[number % len(records)] for number in numbers]
    if kind == "native":
        return source, "\n".join(map(json.dumps, chosen)).encode()
    copies = [MAPPINGS[source](record) for record in chosen]
    if kind == "carrying":
        copies = [copy | {"raw_data": json.dumps(record)} for copy, record in zip(copies, chosen, strict=True)]
    return "ocsf", "\n".join(map(json.dumps, copies)).encode()


def arrived(source: str, data: bytes, file_id: str, folder: Path) -> pa.Table:
    table = pa.Table.from_batches([batch.events for batch in batches(source, data, folder)])
    columns = {name: table[name] for name in table.column_names} | {
        "file_id": pa.array([file_id] * len(table)),
        "ingested_at": pa.array([datetime(2026, 10, 6, tzinfo=UTC)] * len(table), pa.timestamp("us", "UTC")),
    }
    return pa.table(columns).select(EVENTS.names).cast(EVENTS)


def stored(files: list[tuple[str, bytes]]) -> list[tuple[str, str, str]]:
    """(event id, log, source) of what stands after these files came one by one."""
    with tempfile.TemporaryDirectory() as name, open_warehouse(Path(name)) as warehouse:
        engine = DuckDBEngine(warehouse, hourly_tables())
        for number, (source, data) in enumerate(files):
            with warehouse.transaction():
                store_events(engine, Settings(), arrived(source, data, f"f{number}", Path(name)))
        return engine.con.execute("select event_id, log, source from events order by all").fetchall()


def test_the_native_record_stands_whatever_came_first() -> None:
    """All orders of the records, their copies, and their copies that carry them; each alone is the same event."""
    files = {kind: [file_of(kind, source, [0, 1]) for source in MAPPINGS] for kind in KINDS}
    expected = stored(files["native"])
    assert {source for *_, source in expected} == set(MAPPINGS)
    for order in permutations(KINDS):
        assert stored([file for kind in order for file in files[kind]]) == expected
    for kind in ("mapped", "carrying"):
        assert [row[:2] for row in stored(files[kind])] == [row[:2] for row in expected]


any_files = given(
    files=st.lists(
        st.tuples(
            st.sampled_from(KINDS),
            st.sampled_from(sorted(MAPPINGS)),
            st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
        ),
        min_size=1,
        max_size=5,
    )
)


def read_in_any_order(files: list[tuple[str, str, list[int]]]) -> None:
    opened = [file_of(*chosen) for chosen in files]
    found = stored(opened)
    assert stored(opened[::-1]) == found
    came_natively = {row[0] for row in stored([file for file in opened if file[0] != "ocsf"])}
    assert {row[0] for row in found if row[2] != "ocsf"} == came_natively
    as_natives = {row[:2] for row in stored([file_of("native", source, numbers) for _, source, numbers in files])}
    assert as_natives <= {row[:2] for row in found}
    if not any(kinds == {"mapped", "carrying"} for kinds in kinds_of_records(files).values()):
        assert as_natives == {row[:2] for row in found}


@settings(max_examples=6, deadline=None)
@any_files
def test_any_files_in_any_order_are_the_same_events(files: list[tuple[str, str, list[int]]]) -> None:
    """A record is one event, read natively where it came natively; without it, copies that differ may be two."""
    read_in_any_order(files)


@pytest.mark.stress
@settings(max_examples=100, deadline=None)
@any_files
def test_any_files_in_any_order_many_times(files: list[tuple[str, str, list[int]]]) -> None:
    """The same."""
    read_in_any_order(files)


def kinds_of_records(files: list[tuple[str, str, list[int]]]) -> dict[bytes, set[str]]:
    """In which forms each record came."""
    found: dict[bytes, set[str]] = {}
    for kind, source, numbers in files:
        for number in numbers:
            found.setdefault(file_of("native", source, [number])[1], set()).add(kind)
    return found
