"""A record and its normalised copies, in any order of arrival, are one event: the record's, where it came."""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from ocsf_copies import as_parquet, cloudtrail_as_ocsf
from source_samples import batches, cloudtrail
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.pipeline import hourly_tables
from ultravires.schema import EVENTS
from ultravires.settings import Settings
from ultravires.store.deduplicate import store_events
from ultravires.store.warehouse import open_warehouse

FAILED_SIGN_IN = {
    "eventSource": "signin.amazonaws.com",
    "eventName": "ConsoleLogin",
    "responseElements": {"ConsoleLogin": "Failure"},
}
OF_A_SERVICE = {"userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, "errorCode": "Throttling"}
RECORDS = [
    cloudtrail(eventID=f"e-{number}", eventTime=f"2026-10-05T1{number}:00:00Z", **members)
    for number, members in enumerate(({}, {"errorCode": "AccessDenied"}, FAILED_SIGN_IN, OF_A_SERVICE))
]


def file_of(kind: str, numbers: list[int]) -> tuple[str, bytes]:
    """(source, bytes) of a file with these records."""
    records = [RECORDS[number] for number in numbers]
    copies = [cloudtrail_as_ocsf(record) for record in records]
    if kind == "native":
        return "aws_cloudtrail", json.dumps({"Records": records}).encode()
    if kind == "parquet":
        return "ocsf", as_parquet(copies)
    return "ocsf", "\n".join(map(json.dumps, copies)).encode()


def arrived(kind: str, numbers: list[int], file_id: str, folder: Path) -> pa.Table:
    source, data = file_of(kind, numbers)
    table = pa.Table.from_batches([batch.events for batch in batches(source, data, folder)])
    columns = {name: table[name] for name in table.column_names} | {
        "file_id": pa.array([file_id] * len(table)),
        "ingested_at": pa.array([datetime(2026, 10, 6, tzinfo=UTC)] * len(table), pa.timestamp("us", "UTC")),
    }
    return pa.table(columns).select(EVENTS.names).cast(EVENTS)


FILES = st.lists(
    st.tuples(
        st.sampled_from(["native", "lines", "parquet"]),
        st.lists(st.integers(0, len(RECORDS) - 1), min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=25, deadline=None)
@given(files=FILES, together=st.lists(st.booleans(), min_size=5, max_size=5))
def test_a_record_and_its_copies_are_one_event(files: list[tuple[str, list[int]]], together: list[bool]) -> None:
    """Files stored one by one or several at a time; the log is CloudTrail's whoever read it."""
    with tempfile.TemporaryDirectory() as name, open_warehouse(Path(name)) as warehouse:
        engine, waiting = DuckDBEngine(warehouse, hourly_tables()), []
        for number, ((kind, numbers), waits) in enumerate(zip(files, together, strict=False)):
            waiting.append(arrived(kind, numbers, f"f{number}", Path(name)))
            if not waits or number == len(files) - 1:
                with warehouse.transaction():
                    store_events(engine, Settings(), pa.concat_tables(waiting))
                waiting = []
        stored = engine.con.execute("select native_id, log, source from events order by all").fetchall()
    came = {f"e-{number}": "ocsf" for _, numbers in files for number in numbers}
    came |= {f"e-{number}": "aws_cloudtrail" for kind, numbers in files if kind == "native" for number in numbers}
    assert stored == sorted((native_id, "aws_cloudtrail", source) for native_id, source in came.items())
