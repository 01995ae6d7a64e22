"""A newer version of a source reads its old events again from `raw`: same places, same provenance, its own columns."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import SAMPLES
from ocsf_vendor_copies import okta_as_ocsf
from small_logs import approval, at, call, session, write_lines
from source_samples import SAMPLES as SOURCE_SAMPLES
from source_samples import rows as source_rows
from tables_compared import differences
from ultravires import registry
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.pipeline import hourly_tables
from ultravires.reading.events import Event, NotParsed
from ultravires.reading.input_place import input_place
from ultravires.reading.options import Options
from ultravires.reading.pool import file_reader
from ultravires.reading.redaction import Redactor
from ultravires.reading.source import Source
from ultravires.runs import upgrade as upgrading
from ultravires.runs.home import OpenHome
from ultravires.runs.run import run_once
from ultravires.runs.upgrade import read_outdated_again
from ultravires.settings import Settings
from ultravires.sources.ocsf.activity import activity_event
from ultravires.store.conservation import broken_law, count_conserved
from ultravires.store.load import Loader
from ultravires.store.warehouse import open_warehouse

NAMES = sorted(registry.sources())
Events = Callable[[dict[str, Any], Options], Iterable[Event]]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[OpenHome]:
    """An open home without a run's tables: what is loaded is what is looked at."""
    with open_warehouse(tmp_path / "home") as warehouse:
        engine = DuckDBEngine(warehouse, hourly_tables())
        yield OpenHome(warehouse, engine, Settings(), input_place(tmp_path / "logs"), "", None)


def load(home: OpenHome) -> None:
    with file_reader(home.options(), home.path / "reading") as read:
        Loader(home.engine, home.settings, read, lambda what, done, total: None).load(home.input)


def events(home: OpenHome, columns: str = "*") -> list[tuple[Any, ...]]:
    assert broken_law(count_conserved(home.warehouse.con)) is None
    return home.warehouse.con.execute(f"select {columns} from events order by file_id, record_no, native_id").fetchall()


def upgrade(monkeypatch: pytest.MonkeyPatch, name: str, read: Events | None = None) -> Source:
    """From now on the source has the next version, and perhaps another way to read a record."""
    old = registry.sources()[name]
    new = replace(old, version=old.version + 1, events=read or old.events)
    known = {**registry.sources(), name: new}
    monkeypatch.setattr(registry, "sources", lambda: known)
    return new


def logs_of(home: OpenHome) -> Path:
    return home.path.parent / "logs"


@pytest.mark.parametrize("name", NAMES)
def test_the_same_reader_with_a_new_number_makes_the_same_events(
    name: str, home: OpenHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every source: each column but the version stands as it stood, hashes and time of arrival among them."""
    logs_of(home).mkdir()
    (logs_of(home) / "sample").write_bytes(SOURCE_SAMPLES[name])
    load(home)
    before = events(home, "* exclude (source_version)")
    version = upgrade(monkeypatch, name).version
    monkeypatch.setattr(upgrading, "PAGE_RECORDS", 2)
    assert read_outdated_again(home) == len(set(events(home, "file_id, record_no")))
    assert events(home, "* exclude (source_version)") == before
    assert set(events(home, "source_version")) == {(version,)}
    assert read_outdated_again(home) == 0


def test_a_mended_record_stays_marked(home: OpenHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was broken in its text is not seen in `raw` any more."""
    trail = logs_of(home) / "trail.json"
    write_lines(trail, [call("e1", 1, "s3:GetObject", session("arn:aws:iam::111122223333:role/w", "ASIAW"))])
    trail.write_bytes(trail.read_bytes().replace(b'"e1"', rb'"e1\ud83d"'))
    load(home)
    marked = [("e1\ufffd", '["lone surrogate"]')]
    assert events(home, "native_id, detail->>'mended'") == marked
    upgrade(monkeypatch, "aws_cloudtrail")
    assert read_outdated_again(home) == 1
    assert events(home, "native_id, detail->>'mended'") == marked


def calls(*minutes: float, **changes: Any) -> list[dict[str, Any]]:
    who = session("arn:aws:iam::111122223333:role/worker", "ASIAWORKER")
    return [call(f"e{n}", n, "s3:GetObject", who, **changes) for n in minutes]


def renamed(old: Events, action: str) -> Events:
    """A reader that calls every action otherwise, and so gives every event another id."""

    def read(record: dict[str, Any], options: Options) -> Iterator[Event]:
        for event in old(record, options):
            event.action = action
            yield event

    return read


def test_events_with_other_ids_take_the_place_of_the_old_ones(home: OpenHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their file, number, raw and time of arrival stay; the hours of both are queued for those who read events."""
    write_lines(logs_of(home) / "trail.json", calls(1, 70, 71))
    load(home)
    kept = "file_id, record_no, native_id, ingested_at, raw, raw_hash"
    before, ids = events(home, kept), set(events(home, "event_id"))
    home.warehouse.con.execute("delete from touched")
    upgrade(monkeypatch, "aws_cloudtrail", renamed(registry.sources()["aws_cloudtrail"].events, "s3:ReadObject"))
    read_outdated_again(home)
    assert events(home, kept) == before
    assert ids.isdisjoint(events(home, "event_id"))
    assert set(events(home, "action")) == {("s3:ReadObject",)}
    hours = home.warehouse.con.execute("select distinct event_hour from touched order by 1").fetchall()
    first = datetime(2026, 10, 5, 8, tzinfo=UTC)
    assert hours == [(first,), (first + timedelta(hours=1),)]


def test_a_record_that_the_new_reader_refuses_goes_to_quarantine_and_one_it_passes_over_is_ignored(
    home: OpenHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the new reader had read the file; the manifest moves with them."""
    write_lines(logs_of(home) / "trail.json", calls(1, 2, 3))
    load(home)
    old = registry.sources()["aws_cloudtrail"].events

    def stricter(record: Any, options: Options) -> Iterable[Event]:
        if record.eventID == "e1":
            raise NotParsed("no such call")
        return old(record, options) if record.eventID == "e2" else ()

    upgrade(monkeypatch, "aws_cloudtrail", stricter)
    read_outdated_again(home)
    assert events(home, "native_id") == [("e2",)]
    con = home.warehouse.con
    assert con.execute("select log, record_no, byte_offset, reason from quarantine").fetchall() == [
        ("aws_cloudtrail", 1, None, "no such call")
    ]
    booked = "select n_records, n_events, n_duplicates, n_quarantined, n_ignored from files"
    assert con.execute(booked).fetchall() == [(3, 1, 0, 1, 1)]


def test_events_that_become_one_are_one_event_and_a_duplicate(home: OpenHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two states that the old reader told apart and the new one does not."""
    write_lines(logs_of(home) / "approvals.jsonl", [approval("A", 0), approval("A", 0, status="denied")])
    load(home)
    old = registry.sources()["approvals"].events

    def coarser(record: dict[str, Any], options: Options) -> Iterable[Event]:
        return old({**record, "status": "approved"}, options)

    upgrade(monkeypatch, "approvals", coarser)
    read_outdated_again(home)
    assert len(events(home)) == 1
    booked = "select n_events, n_duplicates from files"
    assert home.warehouse.con.execute(booked).fetchall() == [(1, 1)]


def test_a_hash_of_arguments_whose_secrets_are_redacted_stays_what_it_was(
    home: OpenHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken before redaction, and nothing that is left could give it again."""
    decision = {
        "decision_id": "D-1",
        "timestamp": at(1),
        "path": "agents/allow",
        "input": {"subject": "bot", "action": "send", "arguments": {"to": "x", "password": "hunter2"}},
        "result": True,
        "labels": {"id": "opa"},
    }
    write_lines(logs_of(home) / "decisions.jsonl", [decision])
    load(home)
    before = events(home, "args_hash, raw")
    assert before[0][0] is not None and "hunter2" not in before[0][1]
    upgrade(monkeypatch, "aws_cloudtrail")
    read_outdated_again(home)
    assert events(home, "args_hash, raw") == before


def test_records_without_an_id_of_their_own_stay_as_many_as_they_were(
    home: OpenHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two equal records is the second still, though the first stands under another file."""
    (record,) = calls(1)
    del record["eventID"]
    write_lines(logs_of(home) / "a.json", [record])
    write_lines(logs_of(home) / "b.json", [record, record])
    load(home)
    before = events(home, "event_id, native_id, file_id")
    assert len(before) == 2
    upgrade(monkeypatch, "aws_cloudtrail")
    read_outdated_again(home)
    assert events(home, "event_id, native_id, file_id") == before


def test_a_stop_between_pages_leaves_the_rest_for_the_next_run(home: OpenHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is through is through, the page at work is rolled back, and the law holds in between."""
    write_lines(logs_of(home) / "trail.json", calls(1, 2, 3, 4))
    load(home)
    monkeypatch.setattr(upgrading, "PAGE_RECORDS", 2)
    book, n_pages = upgrading._book, Counter[str]()

    def stop_in_the_second(home: OpenHome, counts: Any) -> None:
        book(home, counts)
        n_pages.update(["page"])
        if n_pages["page"] == 2:
            raise KeyboardInterrupt

    version = upgrade(monkeypatch, "aws_cloudtrail").version
    monkeypatch.setattr(upgrading, "_book", stop_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        read_outdated_again(home)
    assert Counter(events(home, "source_version")) == {(version - 1,): 2, (version,): 2}
    assert read_outdated_again(home) == 2
    assert set(events(home, "source_version")) == {(version,)}


def test_a_home_that_was_upgraded_is_a_home_that_the_new_reader_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run that reads again rebuilds what follows, in every published table."""
    logs, upgraded, fresh = tmp_path / "logs", tmp_path / "upgraded", tmp_path / "fresh"
    write_lines(logs / "approvals.jsonl", [approval("APR-1", 0)])
    write_lines(logs / "trail.json", calls(1, 2, 70))
    config = SAMPLES / "ultravires.yaml"
    run_once(logs, upgraded, config=config, as_of="")
    upgrade(monkeypatch, "aws_cloudtrail", renamed(registry.sources()["aws_cloudtrail"].events, "iam:PutRolePolicy"))
    run_once(logs, upgraded, config=config, as_of="")
    run_once(logs, fresh, config=config, as_of="")
    assert differences(fresh, upgraded) == []


def before_copies(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """OCSF as it was read when its copies of most logs were events of its own; returns what ends that."""
    now = registry.sources()
    then = replace(now["ocsf"], version=1, events=lambda record, options: (activity_event(record, 6003),))
    monkeypatch.setattr(registry, "sources", lambda: {**now, "ocsf": then})
    return lambda: monkeypatch.setattr(registry, "sources", lambda: now)


def without_ids(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Copies of Azure's activity log, of which neither record nor copy has an id; the record came along."""
    product = {"product": {"name": "Azure Monitor", "vendor_name": "Microsoft"}, "version": "1.1.0"}
    own = {"activity_id": 99, "activity_name": "Other", "category_uid": 6, "class_uid": 6003, "metadata": product}
    return [own | {"time": record["time"], "raw_data": json.dumps(record)} for record in records]


AZURE = json.loads(SOURCE_SAMPLES["azure_activity"])["records"][:3]
OKTA = [json.loads(line) for line in SOURCE_SAMPLES["okta_system"].splitlines()[:3]]


@pytest.mark.parametrize("came", ["before", "after", "never"])
def test_copies_that_were_events_of_ocsf_become_the_native_events(
    came: str, home: OpenHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another log and another id, nothing lost and nothing doubled, whether the records came natively or not."""
    copies = [*map(okta_as_ocsf, OKTA), *without_ids(AZURE)]
    change = before_copies(monkeypatch)
    logs = logs_of(home)
    write_lines(logs / "copies.jsonl", copies)
    if came == "before":
        write_lines(logs / "okta.jsonl", OKTA)
        write_lines(logs / "azure.jsonl", AZURE)
    load(home)
    assert Counter(events(home, "log"))[("ocsf",)] == len(copies)
    change()
    assert read_outdated_again(home) == len(copies)
    if came == "after":
        write_lines(logs / "okta.jsonl", OKTA)
        write_lines(logs / "azure.jsonl", AZURE)
        load(home)
    expected = Counter({("okta_system",): len(OKTA), ("azure_activity",): len(AZURE)})
    assert Counter(events(home, "log")) == expected
    sources = Counter(events(home, "source"))
    assert sources == (Counter({("ocsf",): len(copies)}) if came == "never" else expected)
    natives = {"okta_system": OKTA, "azure_activity": AZURE}
    again = {
        (row["event_id"],)
        for name, records in natives.items()
        for row in source_rows(name, "\n".join(map(json.dumps, records)).encode(), logs, home.options())
    }
    assert set(events(home, "event_id")) == again
    assert read_outdated_again(home) == 0


def test_a_home_of_yesterday_loses_what_is_known_as_a_secret_today(
    home: OpenHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From raw, columns and quarantine; a record without an id of its own has then the one that it would get today, so
    that it is a duplicate when it is delivered once more, and every other record keeps its id.
    """
    secret = "Tr0ub4dor-and-3-more"
    who = session("arn:aws:iam::111122223333:role/runner", "ASIARUNNER")
    named = call("e0", 0, "s3:GetObject", who)
    nameless = [
        {**call("", number, "s3:GetObject", who, requestParameters=each), "eventID": None}
        for number, each in enumerate([{"note": "as it is"}, {"dbPassword": secret}])
    ]
    write_lines(logs_of(home) / "trail.jsonl", [named, *nameless])
    (logs_of(home) / "broken.jsonl").write_text(
        json.dumps(approval("APR-1", 0)) + f'\n{{"approval_id": "APR-2", "dbPassword": "{secret}", "ta\n'
    )
    with monkeypatch.context() as yesterday:
        yesterday.setattr(Redactor, "suspects", lambda self, texts: [])
        yesterday.setattr(Redactor, "redact_bytes", lambda self, data: data)
        load(home)
    held = "select count(*) from {} where contains(cast({} as varchar), ?)"
    con = home.warehouse.con
    assert con.execute(held.format("events", "raw"), [secret]).fetchall() == [(1,)]
    assert con.execute(held.format("quarantine", "raw"), [secret]).fetchall() == [(1,)]
    ids = "select native_id from events where source = 'aws_cloudtrail' order by record_no"
    before = con.execute(ids).fetchall()
    upgrade(monkeypatch, "aws_cloudtrail")
    read_outdated_again(home)
    assert con.execute(held.format("events", "raw"), [secret]).fetchall() == [(0,)]
    assert con.execute(held.format("quarantine", "raw"), [secret]).fetchall() == [(0,)]
    after = con.execute(ids).fetchall()
    assert after[:2] == before[:2] and after[2] != before[2]
    (logs_of(home) / "again.jsonl").write_bytes((logs_of(home) / "trail.jsonl").read_bytes() + b"\n")
    load(home)
    assert con.execute(ids).fetchall() == after
