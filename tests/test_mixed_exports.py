"""An export that mixes logs: each record is read by the source of its log, as if each log had a file of its own."""

import base64
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from source_samples import OPTIONS, SAMPLES, claimed_by, source
from ultravires import registry
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.pipeline import hourly_tables
from ultravires.reading.events import Event, NotParsed
from ultravires.reading.files import Batch
from ultravires.reading.files import batches as batches_of
from ultravires.reading.framing import frames_of
from ultravires.reading.input_place import input_place
from ultravires.reading.options import Options
from ultravires.reading.parts import SMALL_FILE
from ultravires.reading.pool import file_reader
from ultravires.reading.source import Source
from ultravires.reading.values import micros
from ultravires.runs.home import OpenHome
from ultravires.runs.retry_quarantine import retry
from ultravires.runs.upgrade import read_outdated_again
from ultravires.settings import Settings
from ultravires.sources.gcp import audit as gcp_audit
from ultravires.sources.gcp.log_entries import holds_audit
from ultravires.store.conservation import broken_law, count_conserved
from ultravires.store.load import Loader
from ultravires.store.warehouse import open_warehouse

AZURE = (
    "entra_audit",
    "entra_signin",
    "msgraph_activity",
    "azure_activity",
    "azure_storage",
    "azure_key_vault",
    "kubernetes_audit",
)
GOOGLE = ("gcp_audit", "kubernetes_audit")
OF_WRAPPER = {"azure": "category", "google": "protoPayload"}
"""Export -> a member that every record in it has."""
EXPORTS = {"azure": AZURE, "google": GOOGLE}
each_export = pytest.mark.parametrize("export", EXPORTS)
Record = dict[str, Any]


def records_of(name: str, export: str) -> list[Record]:
    """The records of a source's sample that stand in this export, and one without a time, which is refused."""
    frames = source(name).records(iter([SAMPLES[name]]), OPTIONS)
    found = [record for frame in frames if OF_WRAPPER[export] in (record := json.loads(frame.data))]
    return [*found, untimed(found[-1])]


def untimed(record: Record) -> Record:
    """The same without the times by which it would be read."""
    if "log" in record.get("properties", {}):
        log = json.loads(record["properties"]["log"])
        less = {name: value for name, value in log.items() if "Timestamp" not in name}
        return {**record, "properties": {**record["properties"], "log": json.dumps(less)}}
    properties = {name: value for name, value in record.get("properties", {}).items() if "ime" not in name}
    less = {name: value for name, value in record.items() if name not in ("time", "timestamp")}
    return {**less, **({"properties": properties} if properties else {})}


MIXED = {export: [record for name in names for record in records_of(name, export)] for export, names in EXPORTS.items()}


def as_lines(records: list[Record]) -> bytes:
    return b"\n".join(json.dumps(record).encode() for record in records)


def as_array(records: list[Record]) -> bytes:
    return json.dumps(records).encode()


def as_export(records: list[Record]) -> bytes:
    """As an event hub or the Logging API wraps them."""
    return json.dumps({"records" if "category" in records[0] else "entries": records}).encode()


WRAPS: list[Callable[[list[Record]], bytes]] = [as_lines, as_array, as_export]


def read(data: bytes) -> tuple[Source, list[Batch]]:
    """The one source that recognises the bytes, and what it reads."""
    (owner,) = claimed_by(data)
    return source(owner), list(batches_of(frames_of(data, None, source(owner), OPTIONS), source(owner), OPTIONS))


def events_of(found: list[Batch]) -> list[Record]:
    return [row for batch in found for row in batch.events.to_pylist()]


def unplaced(rows: Iterable[Record]) -> list[Record]:
    """What must not depend on the records around, in one order."""
    return sorted(({**row, "record_no": 0} for row in rows), key=lambda row: (row["log"], row["event_id"]))


def refused_of(found: list[Batch]) -> Counter[tuple[str, str, bytes]]:
    return Counter((row.log, row.reason, row.raw) for batch in found for row in batch.quarantined)


@pytest.fixture(scope="module")
def split() -> dict[str, tuple[list[Record], Counter[tuple[str, str, bytes]]]]:
    """Export -> what is read when each log has a file of its own."""
    found = {}
    for export, names in EXPORTS.items():
        rows: list[Record] = []
        refused: Counter[tuple[str, str, bytes]] = Counter()
        for name in names:
            owner, batches = read(as_lines(records_of(name, export)))
            assert owner.name == name
            rows += events_of(batches)
            refused += refused_of(batches)
        found[export] = unplaced(rows), refused
    return found


@each_export
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mixed_export_holds_the_same_events_as_a_file_for_each_log(
    export: str, split: dict[str, Any], data: st.DataObject
) -> None:
    """In any order and wrapper: one source recognises it, every log is read, and every record is accounted for."""
    records, wrap = data.draw(st.permutations(MIXED[export])), data.draw(st.sampled_from(WRAPS))
    assume(wrap is as_lines or {"time", "timestamp"} & records[0].keys())  # an array is known by its first element
    _, found = read(wrap(records))
    rows = events_of(found)
    assert (unplaced(rows), refused_of(found)) == split[export]
    assert {row["log"] for row in rows} == {log for log, *_ in refused_of(found)} == set(EXPORTS[export])
    assert [row["record_no"] for row in rows] == sorted(row["record_no"] for row in rows)
    n_read = len({row["record_no"] for row in rows})
    assert sum(batch.n_records for batch in found) == len(records)
    assert n_read + refused_of(found).total() == len(records) and sum(batch.n_ignored for batch in found) == 0


@pytest.mark.parametrize("name", AZURE)
def test_an_export_that_begins_with_a_log_that_nobody_reads_is_recognised_by_what_follows(name: str) -> None:
    """Though of an array only the first element is looked into."""
    other = {"time": "2026-10-05T10:00:00Z", "resourceId": "/x", "category": "RiskyUsers", "operationName": "x"}
    records = [{**other, "properties": {}}, *records_of(name, "azure")]
    for wrap in WRAPS:
        assert claimed_by(wrap(records)) == [name]


@each_export
def test_an_event_names_the_source_that_read_it(export: str) -> None:
    """With its version, so that it is read again by that one; and log and source agree, so it is no copy."""
    _, found = read(as_lines(MIXED[export]))
    for row in events_of(found):
        of = source(row["log"])
        assert (row["source"], row["source_version"]) == (of.name, of.version)


@each_export
def test_the_record_number_is_the_one_in_the_file(export: str) -> None:
    records = list(reversed(MIXED[export]))
    _, found = read(as_lines(records))
    for row in events_of(found):
        of = source(row["log"])
        assert of.claim and of.claim(records[row["record_no"] - 1]) is not None


def test_messages_of_a_subscription_mix_too(split: dict[str, Any]) -> None:
    """What is packed in base64 is one file's matter, and whose each entry is another."""
    records = MIXED["google"]
    packed = [{"message": {"data": base64.b64encode(json.dumps(each).encode()).decode()}} for each in records]
    for data in (as_lines(packed), json.dumps({"receivedMessages": packed}).encode()):
        owner, found = read(data)
        assert owner.name == "gcp_audit"
        ids = sorted(row["event_id"] for row in events_of(found))
        assert ids == sorted(row["event_id"] for row in split["google"][0])


def test_records_of_logs_that_nobody_reads_are_counted_as_ignored() -> None:
    """Whoever recognised the file."""
    others = {
        "azure": [{"time": "2026-10-05T10:00:00Z", "category": "RiskyUsers", "operationName": "x", "properties": {}}],
        "google": [{"textPayload": "x", "logName": "y"}, {"jsonPayload": {}}, {"protoPayload": {"@type": "x"}}],
    }
    for export, names in EXPORTS.items():
        for first in (records_of(name, export)[0] for name in names):
            _, found = read(as_lines([first, *others[export]]))
            assert sum(batch.n_ignored for batch in found) == len(others[export])
            assert refused_of(found).total() == 0


def test_secrets_that_only_a_logs_own_source_knows_are_taken_out_in_every_file() -> None:
    """A signature in an address of Azure Storage; the contents of a Kubernetes secret."""
    blob = {**records_of("azure_storage", "azure")[0], "uri": "https://a.blob.core.windows.net/c/b?sig=hunter2"}
    event = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": "a",
        "verb": "create",
        "objectRef": {"resource": "secrets", "name": "s"},
        "requestObject": {"kind": "Secret", "data": {"x": "hunter2"}},
        "requestReceivedTimestamp": "2026-10-05T10:00:00Z",
    }
    cluster = {"category": "kube-audit", "operationName": "x", "time": "x", "properties": {"log": json.dumps(event)}}
    broken = {**cluster, "properties": {"log": json.dumps({**event, "requestReceivedTimestamp": "x"})}}
    entry = json.loads(json.dumps(records_of("kubernetes_audit", "google")[0]))
    entry["protoPayload"]["request"] = {"kind": "Secret", "data": {"x": "hunter2"}}
    for export, others in (("azure", [blob, cluster, broken]), ("google", [entry])):
        for first in (records_of(name, export)[0] for name in EXPORTS[export]):
            _, found = read(as_lines([first, *others]))
            assert len(events_of(found)) + refused_of(found).total() > len(others)
            assert "hunter2" not in str(events_of(found)) + str(refused_of(found))


def test_a_claim_that_fails_costs_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests hold that it stays unused, as for a reader that fails."""

    def stumble(record: Record) -> Record | None:
        return record["activityDisplayName"]  # type: ignore[no-any-return]

    signin = replace(source("entra_signin"), claim=stumble)
    monkeypatch.setattr(registry, "sources", lambda: {"entra_signin": signin})
    frames = frames_of(as_lines(records_of("entra_signin", "azure")[:1]), None, signin, OPTIONS)
    (batch,) = batches_of(frames, signin, OPTIONS)
    assert [(row.log, row.reason) for row in batch.quarantined] == [("entra_signin", "reader failed: KeyError")]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[OpenHome]:
    with open_warehouse(tmp_path / "home") as warehouse:
        engine = DuckDBEngine(warehouse, hourly_tables())
        yield OpenHome(warehouse, engine, Settings(), input_place(tmp_path / "logs"), "", None)


def write(home: OpenHome, name: str, data: bytes) -> None:
    folder = home.path.parent / "logs"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)


def load(home: OpenHome) -> None:
    with file_reader(home.options(), home.path / "reading") as read_files:
        Loader(home.engine, home.settings, read_files, lambda what, done, total: None).load(home.input)


def ask(home: OpenHome, query: str) -> list[tuple[Any, ...]]:
    assert broken_law(count_conserved(home.warehouse.con)) is None
    return home.warehouse.con.execute(query).fetchall()


STORED = "select * exclude (ingested_at, file_id, record_no) from events order by event_id"
COUNTS = "select n_records, n_events, n_duplicates, n_quarantined, n_ignored from files order by path"


@pytest.mark.parametrize("is_large", [False, True])
@each_export
def test_a_home_stores_a_mixed_export_as_a_file_for_each_log(
    export: str, is_large: bool, home: OpenHome, tmp_path: Path
) -> None:
    """Small files that share a batch and a large one; a second delivery, split by log, is all duplicates."""
    padding = b"\n" * (SMALL_FILE + 1) if is_large else b""
    write(home, "a-mixed", as_lines(MIXED[export]) + padding)
    load(home)
    stored = ask(home, STORED)
    assert {log for (log,) in ask(home, "select log from quarantine")} == set(EXPORTS[export])
    for name in EXPORTS[export]:
        write(home, f"b-{name}", as_lines(records_of(name, export)))
    load(home)
    assert ask(home, STORED) == stored
    (_, n_events, _, n_quarantined, n_ignored), *split_by_log = ask(home, COUNTS)
    assert (n_events, n_quarantined, n_ignored) == (len(stored), len(EXPORTS[export]), 0)
    assert [counts[1] for counts in split_by_log] == [0] * len(EXPORTS[export])


@each_export
def test_records_of_a_mixed_file_that_parse_now_are_retried_with_their_own_source(
    export: str, home: OpenHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused by one log's reader in a file that another recognised; after an upgrade they are that log's events."""
    data = as_lines(MIXED[export])
    (owner,) = claimed_by(data)
    name = next(name for name in EXPORTS[export] if name != owner)
    old = source(name).events

    def refuse(record: Record, options: Options) -> Iterable[Event]:
        raise NotParsed("not known yet")

    known = registry.sources()
    monkeypatch.setattr(registry, "sources", lambda: {**known, name: replace(known[name], events=refuse)})
    write(home, "mixed", data)
    load(home)
    n_refused = ask(home, "select count(*) from quarantine where reason = 'not known yet'")[0][0]
    assert n_refused == len(records_of(name, export))
    monkeypatch.setattr(registry, "sources", lambda: {**known, name: replace(known[name], events=old)})
    retried = retry(home)
    assert retried.n_events >= n_refused - 1 > 0 and retried.n_staying == len(EXPORTS[export])
    wanted = [row for row in events_of(read(data)[1]) if row["log"] == name]
    found = ask(home, f"select log, source, event_id, record_no from events where log = '{name}' order by all")
    assert found == sorted((name, name, row["event_id"], row["record_no"]) for row in wanted)


@each_export
def test_events_of_a_mixed_file_are_read_again_by_their_own_source(
    export: str, home: OpenHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only those of the source that is newer, and by nobody else."""
    write(home, "mixed", as_lines(MIXED[export]))
    load(home)
    columns = "select * exclude (source_version) from events order by event_id"
    before = ask(home, columns)
    known = registry.sources()
    for name in EXPORTS[export]:
        newer = {**known, name: replace(known[name], version=known[name].version + 1)}
        monkeypatch.setattr(registry, "sources", lambda newer=newer: newer)
        n_records = ask(home, f"select count(distinct record_no) from events where source = '{name}'")[0][0]
        assert read_outdated_again(home) == n_records > 0
    assert ask(home, columns) == before


def before_gke_was_kubernetes() -> dict[str, Source]:
    """The sources as they were when Google Cloud's reader took the entries of clusters for its own."""

    def read_all(record: Record, options: Options) -> Iterable[Event]:
        at, audit = micros(record.get("timestamp")), record.get("protoPayload")
        if audit is None or at is None:
            raise NotParsed("no time")
        return (gcp_audit._event(record, audit, at),)

    old = replace(source("gcp_audit"), version=1, claim=None, recognise=holds_audit, events=read_all)
    kubernetes = replace(source("kubernetes_audit"), version=1, claim=None, recognise=lambda head: False)
    return {**registry.sources(), "gcp_audit": old, "kubernetes_audit": kubernetes}


@pytest.mark.parametrize("is_delivered_again", [False, True])
def test_entries_of_clusters_that_were_stored_as_google_clouds_become_kubernetes_events(
    is_delivered_again: bool, home: OpenHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost and nothing doubled, whether the same entries come once more after the upgrade or not."""
    with monkeypatch.context() as before:
        old = before_gke_was_kubernetes()
        before.setattr(registry, "sources", lambda: old)
        write(home, "a", as_lines(MIXED["google"]))
        load(home)
        assert ask(home, "select distinct log, source, source_version from events") == [("gcp_audit", "gcp_audit", 1)]
    ((n_before,),) = ask(home, "select count(*) from events")
    kept = "select file_id, record_no, ingested_at, raw_hash from events order by all"
    places = ask(home, kept)
    if is_delivered_again:
        write(home, "b", gzip.compress(as_array(MIXED["google"])))
        load(home)
    read_outdated_again(home)
    wanted = [
        (row["event_id"], row["log"], row["source_version"]) for row in events_of(read(as_lines(MIXED["google"]))[1])
    ]
    assert ask(home, "select event_id, log, source_version from events order by all") == sorted(wanted)
    assert len(wanted) == n_before
    assert is_delivered_again or ask(home, kept) == places
    assert read_outdated_again(home) == 0
