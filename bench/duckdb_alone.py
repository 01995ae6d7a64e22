"""DuckDB alone on the same files: once with the same result as ours, once as fast as it can read at all."""

import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import duckdb
import msgspec
from cpu_clock import cpu_seconds

# One row of the input must fit; a CloudTrail file is one row.
OBJECT_BYTES = 64 << 20


def run(sql: str, files: Sequence[Path], database: Path) -> tuple[float, int]:
    """Fill `events` by a statement of SAME or FASTEST over `files`; returns (CPU seconds, rows of `events`)."""
    started = cpu_seconds()
    with duckdb.connect(str(database)) as con:
        con.execute("set timezone = 'UTC'")
        con.execute("set preserve_insertion_order = false")
        con.execute("set enable_progress_bar = false")
        names = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
        for statement in sql.format(files=f"[{names}]", object_bytes=OBJECT_BYTES).split(";"):
            con.execute(statement)
        row = con.execute("select count(*) from events").fetchone()
    return cpu_seconds() - started, int(row[0]) if row else 0


_CLOUDTRAIL_PATHS = (
    "eventID",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "recipientAccountId",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "requestID",
    "sharedEventID",
    "readOnly",
    "eventType",
    "userIdentity.type",
    "userIdentity.arn",
    "userIdentity.principalId",
    "userIdentity.accessKeyId",
    "userIdentity.userName",
    "userIdentity.invokedBy",
    "userIdentity.sessionContext.sessionIssuer.arn",
    "userIdentity.sessionContext.sourceIdentity",
    "userIdentity.sessionContext.attributes.mfaAuthenticated",
    "userIdentity.inScopeOf.credentialsIssuedTo",
    "requestParameters.roleArn",
    "requestParameters.roleSessionName",
    "responseElements.credentials.accessKeyId",
    "responseElements.credentials.expiration",
)
_DECISION_PATHS = (
    "decision_id",
    "timestamp",
    "path",
    "trace_id",
    "span_id",
    "result",
    "input.agent.id",
    "input.action",
    "input.tool.name",
    "input.tool.arguments",
    "input.tool_call_id",
    "input.ticket",
    "requested_by",
)
_SPAN_PATHS = (
    "spanId",
    "traceId",
    "parentSpanId",
    "name",
    "startTimeUnixNano",
    "endTimeUnixNano",
    "status.code",
)
_SPAN_ATTRIBUTES = (
    "gen_ai.operation.name",
    "gen_ai.agent.id",
    "gen_ai.agent.name",
    "gen_ai.conversation.id",
    "gen_ai.request.model",
    "gen_ai.tool.name",
    "gen_ai.tool.call.id",
    "gen_ai.tool.call.arguments",
)


def _columns(names: Sequence[str], of: str) -> str:
    return ", ".join(f'{of}[{number}] as "{name}"' for number, name in enumerate(names, 1))


def _table(names: Sequence[str]) -> str:
    texts = ", ".join(f'"{name}" varchar' for name in names)
    return (
        f"create table events({texts}, event_at timestamptz, event_hour timestamptz, "
        "resource_uids varchar[], filename varchar, raw varchar using compression zstd)"
    )


def _paths(names: Sequence[str]) -> str:
    # One call with a list of paths parses a record once; one call a path took twice as long.
    return "[" + ", ".join(f"'$.{name}'" for name in names) + "]"


_SAME_CLOUDTRAIL = f"""
{_table(_CLOUDTRAIL_PATHS)};
insert into events
with records as (
    select unnest(Records) as record, filename
    from read_json(
        {{files}}, columns = {{{{Records: 'JSON[]'}}}}, filename = true,
        maximum_object_size = {{object_bytes}}
    )
),
extracted as (select json_extract_string(record, {_paths(_CLOUDTRAIL_PATHS)}) as v, * from records)
select distinct on (v[1])
    {_columns(_CLOUDTRAIL_PATHS, "v")}, v[2]::timestamptz, date_trunc('hour', v[2]::timestamptz),
    json_extract_string(record, '$.resources[*].ARN'), filename, record
from extracted
"""

_FASTEST_CLOUDTRAIL = """
create table events as
select unnest(record) from (
    select unnest(Records) as record
    from read_json({files}, maximum_depth = 3, maximum_object_size = {object_bytes})
)
"""

_SAME_DECISIONS = f"""
{_table(_DECISION_PATHS)};
insert into events
with extracted as (
    select json_extract_string(json, {_paths(_DECISION_PATHS)}) as v, json as record, filename
    from read_ndjson_objects({{files}}, filename = true)
)
select distinct on (v[1])
    {_columns(_DECISION_PATHS, "v")}, v[2]::timestamptz, date_trunc('hour', v[2]::timestamptz),
    [], filename, record
from extracted
"""

_FASTEST_DECISIONS = """
create table events as from read_json({files}, format = 'newline_delimited', maximum_depth = 1)
"""

_SAME_SPANS = f"""
{_table((*_SPAN_PATHS, *_SPAN_ATTRIBUTES))};
insert into events
with spans as (
    select unnest(json_extract(json, '$.resourceSpans[*].scopeSpans[*].spans[*]')) as record, filename
    from read_ndjson_objects({{files}}, filename = true, maximum_object_size = {{object_bytes}})
),
extracted as (
    select
        json_extract_string(record, {_paths(_SPAN_PATHS)}) as v,
        map(
            json_extract_string(record, '$.attributes[*].key'),
            json_extract_string(record, '$.attributes[*].value.*')
        ) as attributes,
        record, filename
    from spans
),
timed as (select *, make_timestamptz(v[5]::bigint // 1000) as event_at from extracted)
select distinct on (v[2], v[1])
    {_columns(_SPAN_PATHS, "v")}, {", ".join(f"attributes['{name}']" for name in _SPAN_ATTRIBUTES)},
    event_at, date_trunc('hour', event_at), [], filename, record
from timed
"""

# Deeper detection was slower, and columns given by hand slower still.
_FASTEST_SPANS = """
create table events as
select unnest(span) from (
    select unnest(scope.spans) as span from (
        select unnest(resource.scopeSpans) as scope from (
            select unnest(resourceSpans) as resource
            from read_json(
                {files}, format = 'newline_delimited', maximum_depth = 8, maximum_object_size = {object_bytes}
            )
        )
    )
)
"""

_TYPED = {
    "cloudtrail": """{
        eventVersion: 'VARCHAR', eventTime: 'TIMESTAMPTZ', eventSource: 'VARCHAR', eventName: 'VARCHAR',
        awsRegion: 'VARCHAR', sourceIPAddress: 'VARCHAR', userAgent: 'VARCHAR', errorCode: 'VARCHAR',
        requestID: 'VARCHAR', eventID: 'VARCHAR', readOnly: 'BOOLEAN', eventType: 'VARCHAR',
        recipientAccountId: 'VARCHAR', sharedEventID: 'VARCHAR',
        userIdentity: 'STRUCT(type VARCHAR, arn VARCHAR, principalId VARCHAR, accessKeyId VARCHAR, userName VARCHAR,
            invokedBy VARCHAR, accountId VARCHAR)',
        requestParameters: 'STRUCT(roleArn VARCHAR, roleSessionName VARCHAR)',
        responseElements: 'STRUCT(credentials STRUCT(accessKeyId VARCHAR, expiration VARCHAR))',
        resources: 'STRUCT(ARN VARCHAR)[]'}""",
    "spans": """{
        traceId: 'VARCHAR', spanId: 'VARCHAR', parentSpanId: 'VARCHAR', name: 'VARCHAR',
        startTimeUnixNano: 'VARCHAR', endTimeUnixNano: 'VARCHAR',
        attributes: 'STRUCT("key" VARCHAR, "value" STRUCT(stringValue VARCHAR, intValue VARCHAR))[]',
        status: 'STRUCT(code VARCHAR)'}""",
    "decisions": """{
        decision_id: 'VARCHAR', "timestamp": 'TIMESTAMPTZ', path: 'VARCHAR', trace_id: 'VARCHAR', span_id: 'VARCHAR',
        requested_by: 'VARCHAR', result: 'STRUCT(allow BOOLEAN)',
        input: 'STRUCT(agent STRUCT(id VARCHAR), action VARCHAR, tool STRUCT(name VARCHAR, arguments JSON),
            tool_call_id VARCHAR, ticket VARCHAR)'}""",
}


def run_split(workload: str, files: Sequence[Path], scratch: Path) -> tuple[float, int]:
    """The strongest form of the alternative: msgspec splits the records into lines, DuckDB reads the lines with all
    types said. No raw, nothing deduplicated. Returns (CPU seconds, rows).
    """
    started = cpu_seconds()
    lines = scratch / "records.ndjson"
    with lines.open("wb") as written:
        for path in files:
            for record in _SPLIT[workload](gzip.decompress(path.read_bytes())):
                written.write(record)
                written.write(b"\n")
    with duckdb.connect(str(scratch / "split.duckdb")) as con:
        con.execute("set timezone = 'UTC'")
        con.execute("set preserve_insertion_order = false")
        con.execute("set enable_progress_bar = false")
        con.execute(
            f"create table events as from read_json('{lines}', format = 'newline_delimited', "
            f"columns = {_TYPED[workload]})"
        )
        row = con.execute("select count(*) from events").fetchone()
    return cpu_seconds() - started, int(row[0]) if row else 0


class _Trail(msgspec.Struct):
    Records: list[msgspec.Raw]


class _Scope(msgspec.Struct):
    spans: list[msgspec.Raw] = []


class _Resource(msgspec.Struct):
    scopeSpans: list[_Scope] = []


class _Export(msgspec.Struct):
    resourceSpans: list[_Resource] = []


def _spans(data: bytes) -> Iterator[msgspec.Raw]:
    read = msgspec.json.Decoder(_Export).decode
    for line in data.splitlines():
        for resource in read(line).resourceSpans:
            for scope in resource.scopeSpans:
                yield from scope.spans


_SPLIT: dict[str, Callable[[bytes], Iterable[bytes | msgspec.Raw]]] = {
    "cloudtrail": lambda data: msgspec.json.decode(data, type=_Trail).Records,
    "spans": _spans,
    "decisions": bytes.splitlines,
}

SAME = {"cloudtrail": _SAME_CLOUDTRAIL, "spans": _SAME_SPANS, "decisions": _SAME_DECISIONS}
FASTEST = {"cloudtrail": _FASTEST_CLOUDTRAIL, "spans": _FASTEST_SPANS, "decisions": _FASTEST_DECISIONS}
