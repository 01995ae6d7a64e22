"""Records wrapped as other systems keep and deliver them: for each export that can hold a record of any log."""

import csv
import io
import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

Wrap = Callable[[list[bytes]], bytes]

TIME = "2026-10-05T07:01:00.123456789Z"


def lines(before: str) -> Wrap:
    """The records with this before each of them, one a line."""
    return lambda records: b"".join(before.encode() + record + b"\n" for record in records)


def cut_lines(records: list[bytes]) -> bytes:
    """As a container runtime writes lines longer than it takes: in parts, the other stream's between."""
    written = []
    for record in records:
        half = len(record) // 2
        written += [f"{TIME} stdout P ".encode() + record[:half], f"{TIME} stderr F a word".encode()]
        written.append(f"{TIME} stdout F ".encode() + record[half:])
    return b"\n".join(written) + b"\n"


def objects(around: Callable[[Any], Any], *, as_text: bool = True) -> Wrap:
    """Each record, as a text or as an object, in an object of another system; one object a line."""

    def wrap(records: list[bytes]) -> bytes:
        inner = [record.decode() if as_text else json.loads(record) for record in records]
        return b"".join(json.dumps(around(one)).encode() + b"\n" for one in inner)

    return wrap


def document(around: Callable[[list[Any]], Any], *, as_text: bool, indent: int | None = None) -> Wrap:
    """All records in one document."""

    def wrap(records: list[bytes]) -> bytes:
        inner = [record.decode() if as_text else json.loads(record) for record in records]
        return json.dumps(around(inner), indent=indent).encode()

    return wrap


def table(*names: str, delimiter: str = ",", before: str = "") -> Wrap:
    """A CSV file with the record in the last of these columns."""

    def wrap(records: list[bytes]) -> bytes:
        written = io.StringIO(before)
        written.seek(len(before))
        rows = csv.writer(written, delimiter=delimiter)
        rows.writerow(names)
        for number, record in enumerate(records):
            rows.writerow([*(f"{name} {number}" for name in names[:-1]), record.decode()])
        return written.getvalue().encode()

    return wrap


def columns(records: list[bytes]) -> bytes:
    """A CSV file with a column for each member, objects as JSON: as tools write objects into tables."""
    decoded = [json.loads(record) for record in records]
    names = list(dict.fromkeys(name for record in decoded for name in record))
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(names)
    rows.writerows([_cell(record.get(name)) for name in names] for record in decoded)
    return written.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def cut_objects(records: list[bytes]) -> bytes:
    """As Docker writes lines longer than it takes: only the last part ends with a line break."""
    written = []
    for record in records:
        text = json.dumps(json.loads(record)) + "\n"  # it counts bytes
        size = max(len(text) // 3, 1)
        parts = [text[at : at + size] for at in range(0, len(text), size)]
        written += [json.dumps({"log": part, "stream": "stdout", "time": TIME}) + "\n" for part in parts]
        written.append(json.dumps({"log": "a word\n", "stream": "stderr", "time": TIME}) + "\n")
    return "".join(written).encode()


def charset(name: str) -> Wrap:
    return lambda records: ("\ufeff" + b"\r\n".join(records).decode() + "\r\n").encode(name)


SYSLOG_3164 = "<13>Oct  5 07:01:00 host-1 vault[912]: "
SYSLOG_5424 = f'<165>1 {TIME} host-1.example app 912 ID47 [meta@32473 seq="1" note="a \\"b\\" \\]"] \ufeff'

WRAPPINGS: dict[str, Wrap] = {
    "utf-16-le": charset("utf-16-le"),
    "utf-16-be": charset("utf-16-be"),
    "utf-32-le": charset("utf-32-le"),
    "utf-32-be": charset("utf-32-be"),
    "syslog (RFC 3164)": lines(SYSLOG_3164),
    "syslog (without priority)": lines("Oct  5 07:01:00 host-1 vault[912]: "),
    "syslog (RFC 3339 time)": lines("2026-10-05T07:01:00.123456+02:00 host-1 vault[912]: "),
    "syslog (RFC 5424)": lines(SYSLOG_5424),
    "syslog (no structured data)": lines(f"<165>1 {TIME} host-1 app - - - "),
    "cee": lines("@cee: "),
    "json sequence": lines("\x1e"),
    "json text": lambda records: b"".join(json.dumps(one.decode()).encode() + b"\n" for one in records),
    "cee in syslog": lines(SYSLOG_3164 + "@cee:"),
    "cri": lines(f"{TIME} stdout F "),
    "cri in parts": cut_lines,
    "syslog in cri": lines(f"{TIME} stdout F {SYSLOG_3164}"),
    "fluentd": lines("2026-10-05T07:01:00+00:00\topa_1\t"),
    "klog": lines("I1005 07:01:00.123456       1 audit.go:42] "),
    "pod name": lines("[pod/opa-5d9c/opa] "),
    "compose": lines("opa_1  | "),
    "log labels": lines(f'{TIME} {{app="opa", pod="opa-1"}} '),
    "time and names": lines(f"{TIME} opa-5d9c opa "),
    "node name": lines("ip-10-0-140-97.ec2.internal "),
    "file name": lines("logs/audit.log:17:"),
    "json-file": objects(lambda one: {"log": one + "\n", "stream": "stdout", "time": TIME}),
    "json-file in parts": cut_objects,
    "json-file of a collector": objects(lambda one: {"log": one, "kubernetes": {"pod_name": "opa"}}),
    "journald": objects(lambda one: {"MESSAGE": one, "_PID": "1", "__REALTIME_TIMESTAMP": "1791183660000000"}),
    "journald with bytes": objects(lambda one: {"MESSAGE": list(one.encode()), "_PID": "1"}),
    "elastic": objects(lambda one: {"_index": "logs", "_id": "1", "_source": {"event": {"original": one}}}),
    "elastic with dots": objects(lambda one: {"_id": "1", "_source": {"@timestamp": TIME, "event.original": one}}),
    "elastic with the record": objects(lambda one: {"_id": "1", "_source": one}, as_text=False),
    "elastic search": document(
        lambda all_: {"took": 3, "_shards": {"total": 1}, "hits": {"total": {"value": 2}, "hits": _hits(all_)}},
        as_text=True,
    ),
    "elastic search, printed": document(
        lambda all_: {"took": 3, "hits": {"total": {"value": 2}, "hits": _hits(all_)}}, as_text=True, indent=2
    ),
    "elastic searches": document(
        lambda all_: {"responses": [{"hits": {"hits": _hits([one])}} for one in all_]}, as_text=True
    ),
    "elastic search, page after page": lambda records: b"".join(
        json.dumps({"took": 3, "hits": {"hits": _hits([one.decode()])}}).encode() for one in records
    ),
    "splunk": objects(lambda one: {"preview": False, "offset": 1, "result": {"_raw": one, "host": "h"}}),
    "splunk results": document(lambda all_: {"results": [{"_raw": one} for one in all_]}, as_text=True),
    "splunk hec": objects(lambda one: {"time": 1, "sourcetype": "a", "event": one}, as_text=False),
    "splunk csv": table("_time", "host", "_raw"),
    "splunk csv of a spreadsheet": table("_time", "host", "_raw", delimiter=";", before="sep=;\r\n"),
    "splunk with tabs": table("_time", "host", "_raw", delimiter="\t"),
    "message": objects(lambda one: {"@timestamp": TIME, "agent": {"type": "filebeat"}, "message": one}),
    "message in csv": table("@timestamp", "@message"),
    "gelf": objects(lambda one: {"version": "1.1", "host": "h", "short_message": "a record", "full_message": one}),
    "wazuh": objects(
        lambda one: {"timestamp": TIME, "rule": {"id": "1"}, "agent": {"id": "0"}, "data": one}, as_text=False
    ),
    "wazuh full log": objects(lambda one: {"rule": {"id": "1"}, "agent": {"id": "0"}, "full_log": one}),
    "cloudwatch": document(
        lambda all_: {"logGroup": "/apps/one", "logEvents": [{"id": "1", "message": one} for one in all_]},
        as_text=True,
    ),
    "cloudwatch answer": document(
        lambda all_: {"events": [{"ingestionTime": 1, "message": one} for one in all_]}, as_text=True, indent=4
    ),
    "cloud logging": objects(
        lambda one: {"insertId": "1", "logName": "projects/p/logs/l", "jsonPayload": one}, as_text=False
    ),
    "cloud logging text": objects(lambda one: {"insertId": "1", "logName": "projects/p/logs/l", "textPayload": one}),
    "container logs of Azure": objects(lambda one: {"TimeGenerated": TIME, "PodName": "opa", "LogMessage": one}),
    "log analytics": objects(lambda one: {"TimeGenerated": TIME, "RawData": one, "Type": "Own_CL"}),
    "sns": objects(lambda one: {"Type": "Notification", "TopicArn": "arn:aws:sns:r:1:t", "Message": one}),
    "sqs": document(lambda all_: {"Records": [{"messageId": "1", "body": one} for one in all_]}, as_text=True),
    "loki": document(
        lambda all_: {"streams": [{"stream": {"app": "x"}, "values": [["1791183660", one] for one in all_]}]},
        as_text=True,
    ),
    "datadog": document(
        lambda all_: {"data": [{"id": "1", "attributes": {"service": "x", "message": one}} for one in all_]},
        as_text=True,
    ),
    "lookup-events in csv": table("EventId", "CloudTrailEvent"),
    "eventbridge": objects(lambda one: {"id": "1", "detail-type": "a record", "detail": one}, as_text=False),
    "fluentd forward": objects(lambda one: {"tag": "x", "time": 1, "record": one}, as_text=False),
    "a member": objects(lambda one: {"topic": "audit", "offset": 7, "value": one}, as_text=False),
    "a text of a member": objects(lambda one: {"map": {"_messagetime": "1", "record": one}}),
    "base64": objects(lambda one: {"Records": [{"kinesis": {"data": b64encode(one.encode()).decode()}}]}),
    "a page": document(lambda all_: {"next": None, "items": all_}, as_text=False),
    "a page, printed": document(lambda all_: {"next": None, "items": all_}, as_text=False, indent=1),
    "pages put together": document(lambda all_: [{"next": "x", "value": [one]} for one in all_], as_text=False),
    "arrays put together": document(lambda all_: [all_[:1], all_[1:]], as_text=False),
    "an array of texts": document(lambda all_: all_, as_text=True),
}
"""Name -> how the records of a log come in this export."""


def _hits(records: list[str]) -> list[dict[str, Any]]:
    return [{"_index": "i", "_score": None, "_source": {"event": {"original": one}}} for one in records]
