"""Attacks by place: who can write some log writes records of another one there, in the hope of being believed."""

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import ultravires
from export_wrapping import TIME, WRAPPINGS
from small_logs import RUNNER, WORKER, approval, assume, call, session, write_lines
from source_samples import OPTIONS, SAMPLES
from ultravires import registry
from ultravires.reading.input_file import InputFile, read_file
from ultravires.reading.locations import local_file
from ultravires.reading.options import Options
from ultravires.reading.origins import MISPLACED, BoundPlace, Origins
from ultravires.runs.run import run_once

SOURCES = list(registry.sources().values())
GRANTING = sorted(source.name for source in SOURCES if source.is_granting)
UNAPPROVED = "ultravires_unapproved_privileged_activity"
WRONG_PLACE = "ultravires_record_in_place_of_another_log"
NOT_OF_APPLICATIONS = {
    "lookup-events in csv": "what CloudTrail's own interface answers",
    **dict.fromkeys(
        ("a page", "a page, printed", "pages put together", "arrays put together", "an array of texts"),
        "how anybody writes records into a file",
    ),
    **dict.fromkeys(("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"), "only other characters"),
}
OF_APPLICATIONS = sorted(WRAPPINGS.keys() - NOT_OF_APPLICATIONS)


def bound(root: Path, *places: BoundPlace) -> Options:
    return Options(hash_key=OPTIONS.hash_key, origins=Origins(places, str(root)))


def read(path: Path, data: bytes, options: Options = OPTIONS) -> tuple[list[dict[str, Any]], list[InputFile]]:
    """The events in a file with these bytes, and its lines in the manifest; what was refused stays in them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    events, files = [], []
    for file in read_file(local_file(path), SOURCES, options):
        events += [row for batch in file.pending for row in batch.to_pylist()]
        file.pending = []
        if file not in files:
            files.append(file)
    return events, files


def voices(events: Iterable[dict[str, Any]]) -> set[str]:
    return {event["voice"] for event in events}


def reasons(files: Iterable[InputFile]) -> set[str]:
    return {refused.reason for file in files for refused in file.refused}


def as_line(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode() + b"\n"


def native(name: str) -> list[bytes]:
    """The events of a source's sample as it wrote them, one a line."""
    if SAMPLES[name].lstrip()[:1] == b"{" and SAMPLES[name].count(b"\n") > 1:
        return SAMPLES[name].strip().splitlines()
    return [json.dumps(json.loads(SAMPLES[name])).encode()]


def cloudwatch(group: str | None, record: dict[str, Any], **around: Any) -> bytes:
    stated = {} if group is None else {"logGroup": group}
    message = {"id": "1", "timestamp": 1791187200000, "message": json.dumps(record)}
    return as_line({"messageType": "DATA_MESSAGE", "owner": "1", **stated, "logEvents": [message], **around})


CALL = call("e1", 5, "iam:PutRolePolicy", session(WORKER, "ASIAWORKER"))
KUBERNETES = json.loads(SAMPLES["kubernetes_audit"].splitlines()[0])


# What is written into a wrapper, while nothing is bound.


@pytest.mark.parametrize("wrapping", OF_APPLICATIONS)
def test_a_line_in_a_log_of_an_application_is_no_approval(wrapping: str, tmp_path: Path) -> None:
    """Applications write into all of these, so an approval that stands in one is only told."""
    events, _ = read(tmp_path / "app.log", WRAPPINGS[wrapping]([as_line(approval("APR-1", 0)).strip()] * 2))
    assert [event["log"] for event in events] == ["approvals"] * len(events)
    assert voices(events) == {"reported"}


@pytest.mark.parametrize("name", GRANTING)
def test_no_log_that_grants_or_decides_is_forged_by_printing_it(name: str, tmp_path: Path) -> None:
    """Whatever an approval system or a policy engine would have said, a container can print."""
    events, _ = read(tmp_path / "container.log", WRAPPINGS["json-file"](native(name)))
    assert {event["source"] for event in events} == {name}
    assert voices(events) == {"reported"}


@pytest.mark.parametrize("name", sorted(source.name for source in SOURCES if source.voice == "recorded"))
def test_no_recorded_log_is_forged_by_printing_it(name: str, tmp_path: Path) -> None:
    """The same of every log that its subject cannot write to."""
    events, _ = read(tmp_path / "container.log", WRAPPINGS["cri"](native(name)))
    assert events
    assert voices(events) == {"reported"}


@pytest.mark.parametrize("group", ["/aws/lambda/orders", "/ecs/shop", "my-app", "/aws/lambda/cloudtrail", None])
@pytest.mark.parametrize("shape", ["subscription", "members behind", "spread over lines"])
def test_a_line_of_a_function_is_no_record_of_cloudtrail(group: str | None, shape: str, tmp_path: Path) -> None:
    """The log group stands around the records, before or behind them; a group that nobody states is anybody's."""
    data = cloudwatch(group, CALL)
    if shape != "subscription":
        whole = json.loads(data)
        last = {"logGroup": whole.pop("logGroup")} if group and shape == "members behind" else {}
        data = json.dumps({**whole, **last}, indent=2 if shape == "spread over lines" else None).encode()
    events, _ = read(tmp_path / "delivery.json", data)
    assert [event["log"] for event in events] == ["aws_cloudtrail"]
    assert voices(events) == {"reported"}


def test_a_delivery_of_a_function_behind_one_of_the_trail(tmp_path: Path) -> None:
    """Firehose writes deliveries of many groups into one file: each is judged by its own."""
    trail, own = cloudwatch("aws-cloudtrail-logs-1-x", CALL), cloudwatch("/aws/lambda/a", {**CALL, "eventID": "e2"})
    for data in (trail + own, own + trail, trail.strip() + own, own.strip() + trail):
        events, _ = read(tmp_path / "delivery.json", data)
        assert {event["native_id"]: event["voice"] for event in events} == {"e1": "recorded", "e2": "reported"}


def test_an_event_that_an_application_puts_on_the_bus(tmp_path: Path) -> None:
    """Anybody may put an event with this detail-type; only AWS can name a source of its own."""
    event = {"version": "0", "id": "1", "detail-type": "AWS API Call via CloudTrail", "detail": CALL}
    assert voices(read(tmp_path / "a.json", as_line({**event, "source": "my.app"}))[0]) == {"reported"}
    assert voices(read(tmp_path / "b.json", as_line({**event, "source": "aws.iam"}))[0]) == {"recorded"}


def test_what_a_container_prints_is_no_audit_of_its_cluster(tmp_path: Path) -> None:
    """Also where the group of its cluster's containers is delivered as that of the API server is."""
    group = "/aws/containerinsights/blue/application"
    assert voices(read(tmp_path / "a.json", cloudwatch(group, KUBERNETES))[0]) == {"reported"}
    assert voices(read(tmp_path / "b.json", cloudwatch("/aws/eks/blue/cluster", KUBERNETES))[0]) == {"recorded"}


def test_a_payload_that_an_application_writes_to_cloud_logging(tmp_path: Path) -> None:
    """`entries.write` takes any payload; the log's name says that it is no audit log."""
    entry = json.loads(SAMPLES["gcp_audit"].splitlines()[0])
    forged = as_line({**entry, "logName": "projects/p/logs/my-own-app"})
    assert voices(read(tmp_path / "a.json", as_line(entry))[0]) == {"recorded"}
    assert voices(read(tmp_path / "b.json", forged)[0]) == {"reported"}
    assert voices(read(tmp_path / "c.json", as_line(entry) + forged)[0]) == {"recorded", "reported"}


def test_a_payload_of_a_cluster_that_an_application_writes(tmp_path: Path) -> None:
    """The same of the audit of a GKE cluster."""
    entry = {
        "insertId": "1", "logName": "projects/p/logs/my-own-app", "timestamp": "2026-10-05T10:00:00Z",
        "resource": {"type": "k8s_cluster", "labels": {"project_id": "p"}},
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": "k8s.io",
            "methodName": "io.k8s.core.v1.pods.create", "resourceName": "core/v1/namespaces/a/pods/b",
            "authenticationInfo": {"principalEmail": "a@example.org"},
        },
    }  # fmt: skip
    events, _ = read(tmp_path / "a.json", as_line(entry))
    assert [(event["log"], event["voice"]) for event in events] == [("kubernetes_audit", "reported")]


def test_a_record_of_a_directory_in_the_log_of_a_function_app(tmp_path: Path) -> None:
    """Its category is not that of the directory's audit, whatever stands in it."""
    record = json.loads(SAMPLES["entra_audit"].splitlines()[0])
    record = record["records"][0] if "records" in record else record
    forged = {**record, "category": "FunctionAppLogs"}
    events, _ = read(tmp_path / "a.json", as_line(forged))
    assert voices(events) <= {"reported"}
    assert voices(read(tmp_path / "b.json", as_line(record))[0]) == {"recorded"}


def test_an_index_or_sourcetype_of_an_application(tmp_path: Path) -> None:
    """A search answers with records of any sender; what the sender is called by the system decides."""
    for around, voice in (
        ({"result": {"_raw": json.dumps(CALL), "sourcetype": "aws:cloudtrail"}}, "recorded"),
        ({"result": {"_raw": json.dumps(CALL), "sourcetype": "my:app"}}, "reported"),
        ({"_source": {"event": {"original": json.dumps(CALL), "dataset": "aws.cloudtrail"}}}, "recorded"),
        ({"_source": {"event": {"original": json.dumps(CALL), "dataset": "generic"}}}, "reported"),
    ):
        assert voices(read(tmp_path / "a.json", as_line(around))[0]) == {voice}


def test_a_wrapper_inside_of_a_printed_line(tmp_path: Path) -> None:
    """A container prints what looks like a search's answer, or a delivery of the trail's own group."""
    inner = [
        {"_raw": json.dumps(CALL), "sourcetype": "aws:cloudtrail"},
        json.loads(cloudwatch("aws-cloudtrail-logs-1-x", CALL)),
        {"event": {"original": json.dumps(CALL), "dataset": "aws.cloudtrail"}},
    ]
    for one in inner:
        for around in ({"log": json.dumps(one) + "\n", "stream": "stdout", "time": TIME}, {"message": json.dumps(one)}):
            events, _ = read(tmp_path / "a.json", as_line(around))
            assert voices(events) <= {"reported"}


def test_a_table_of_ones_own_with_the_columns_of_azure(tmp_path: Path) -> None:
    """Who may write to a custom table names its columns as those of a log."""
    row = {
        "TimeGenerated": "2026-10-05T10:00:00Z", "OperationNameValue": "MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE",
        "ActivityStatusValue": "Success", "ActivitySubstatusValue": "", "CategoryValue": "Administrative",
        "CorrelationId": "c", "Caller": "a@example.org", "SubscriptionId": "s",
        "_ResourceId": "/subscriptions/s/resourcegroups/g",
    }  # fmt: skip
    assert voices(read(tmp_path / "a.json", as_line({**row, "Type": "AzureActivity"}))[0]) == {"recorded"}
    assert voices(read(tmp_path / "b.json", as_line({**row, "Type": "Own_CL"}))[0]) == {"reported"}


# What is written into another folder, or claimed in it, once places are bound.


@pytest.mark.parametrize("name", GRANTING)
def test_a_file_in_a_folder_that_is_nobodys_is_no_proof(name: str, tmp_path: Path) -> None:
    """Once places are bound, what grants or decides is believed in its own only."""
    options = bound(tmp_path, BoundPlace(name, "approved/**"))
    assert voices(read(tmp_path / "uploads" / "a.json", SAMPLES[name], options)[0]) == {"reported"}
    assert voices(read(tmp_path / "approved" / "a.json", SAMPLES[name], options)[0]) == {"recorded"}


@pytest.mark.parametrize("name", GRANTING)
def test_a_record_in_the_folder_of_another_log_is_refused(name: str, tmp_path: Path) -> None:
    """Who can write to a bucket of application logs puts an approval there."""
    options = bound(tmp_path, BoundPlace("vault_audit", "vault/"), BoundPlace(name, "own/"))
    events, files = read(tmp_path / "vault" / "a.json", SAMPLES[name], options)
    assert events == []
    assert reasons(files) == {f"a record of {name} {MISPLACED} vault_audit"}


def test_a_member_of_an_archive_that_is_called_as_the_folder(tmp_path: Path) -> None:
    """Its name begins with that of the archive, wherever it says that it lies."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name in ("approvals/a.jsonl", "../approvals/b.jsonl", "/approvals/c.jsonl"):
            info = tarfile.TarInfo(name)
            content = as_line(approval(name, 0))
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    options = bound(tmp_path, BoundPlace("approvals", "approvals/**"))
    events, _ = read(tmp_path / "uploads.tar", data.getvalue(), options)
    assert events
    assert voices(events) == {"reported"}
    options = bound(tmp_path, BoundPlace("approvals", "uploads.tar!approvals/*"))
    assert [event["voice"] for event in read(tmp_path / "uploads.tar", data.getvalue(), options)[0]].count(
        "recorded"
    ) == 1


def test_a_folder_of_the_same_name_further_down(tmp_path: Path) -> None:
    """A glob is of the whole path below the input."""
    options = bound(tmp_path, BoundPlace("approvals", "approvals/*.jsonl"))
    for folder in ("uploads/approvals", "approvals/more", "approvals2"):
        assert voices(read(tmp_path / folder / "a.jsonl", as_line(approval("A", 0)), options)[0]) == {"reported"}


def test_a_delivery_that_claims_a_bound_group_from_another_folder(tmp_path: Path) -> None:
    """A group and a path that are bound together hold together only."""
    options = bound(tmp_path, BoundPlace("opa_decisions", "cloudwatch/**", log_group="opa-*"))
    decision = json.loads(SAMPLES["opa_decisions"].splitlines()[0])
    data = cloudwatch("opa-blue", decision)
    assert voices(read(tmp_path / "cloudwatch" / "a.json", data, options)[0]) == {"recorded"}
    assert voices(read(tmp_path / "uploads" / "a.json", data, options)[0]) == {"reported"}
    assert voices(read(tmp_path / "cloudwatch" / "a.json", cloudwatch("my-app", decision), options)[0]) == {"reported"}


def test_a_group_that_is_printed_inside_of_another(tmp_path: Path) -> None:
    """The outermost place counts: what a function prints lies in the group of the function."""
    options = bound(tmp_path, BoundPlace("opa_decisions", log_group="opa-*"))
    decision = json.loads(SAMPLES["opa_decisions"].splitlines()[0])
    inner = json.loads(cloudwatch("opa-blue", decision))
    assert voices(read(tmp_path / "a.json", cloudwatch("/aws/lambda/a", inner), options)[0]) == {"reported"}
    assert voices(read(tmp_path / "b.json", as_line({"message": json.dumps(inner)}), options)[0]) == {"reported"}


def test_a_bound_folder_with_deliveries_of_other_groups(tmp_path: Path) -> None:
    """A folder that is bound to CloudTrail makes a function's line no record of it: the wrapper's own place counts."""
    options = bound(tmp_path, BoundPlace("aws_cloudtrail", "trail/**"))
    assert voices(read(tmp_path / "trail" / "a.json", cloudwatch("/aws/lambda/a", CALL), options)[0]) == {"reported"}
    assert voices(read(tmp_path / "trail" / "b.json", as_line(CALL), options)[0]) == {"recorded"}


# What it is good for, in a run.


def write_story(logs: Path) -> None:
    """A role is taken in the name of an approval, and a policy changed."""
    runner, worker = session(RUNNER, "ASIARUNNER"), session(WORKER, "ASIAWORKER", source_identity="APR-A")
    write_lines(
        logs / "trail" / "trail.json",
        [
            assume("e1", 5, runner, "ASIAWORKER", sourceIdentity="APR-A"),
            call("e2", 6, "iam:PutRolePolicy", worker, requestParameters={"roleName": "other", "policyName": "p"}),
        ],
    )
    write_lines(logs / "approvals" / "own.jsonl", [approval("APR-Z", -60), approval("APR-Y", 120)])


def write_config(place: Path, **origins: Any) -> Path:
    path = place / "ultravires.yaml"
    path.write_text(json.dumps({"origins": origins}), encoding="utf-8")
    return path


def ask(home: Path, query: str) -> list[tuple[Any, ...]]:
    with ultravires.open(home) as con:
        return con.execute(query).fetchall()


def open_findings(home: Path) -> set[str]:
    return {name for (name,) in ask(home, "select detector_id from findings where state = 'open'")}


def test_a_printed_approval_accounts_for_nothing(tmp_path: Path) -> None:
    """It is a step of its chain, and the act under it stands under no approval."""
    write_story(tmp_path / "logs")
    forged = json.dumps(approval("APR-A", 0)) + "\n"
    write_lines(tmp_path / "logs" / "app.log", [{"log": forged, "stream": "stdout", "time": TIME}])
    run_once(tmp_path / "logs", tmp_path / "home", config=None, as_of="")
    assert UNAPPROVED in open_findings(tmp_path / "home")
    said = (
        "select status, is_granted, approvals.voice from approvals join chain_steps on step_id = approvals.approval_id"
    )
    assert ask(tmp_path / "home", f"{said} where approval_uid = 'APR-A'") == [("approved", False, "reported")]
    acts = "select distinct is_accounted from chain_steps where action = 'iam:PutRolePolicy'"
    assert ask(tmp_path / "home", acts) == [(False,)]


def test_an_approval_in_a_folder_for_uploads_accounts_for_nothing(tmp_path: Path) -> None:
    """The same file accounts where approvals lie, and is believed everywhere while nothing is bound."""
    write_story(tmp_path / "logs")
    write_lines(tmp_path / "logs" / "uploads" / "a.jsonl", [approval("APR-A", 0)])
    config = write_config(tmp_path, approvals=["approvals/**"], aws_cloudtrail="trail/**")
    run_once(tmp_path / "logs", tmp_path / "home", config=config, as_of="")
    assert UNAPPROVED in open_findings(tmp_path / "home")
    run_once(tmp_path / "logs", tmp_path / "believing", config=None, as_of="")
    assert UNAPPROVED not in open_findings(tmp_path / "believing")


def test_a_home_that_believed_does_not_go_on(tmp_path: Path) -> None:
    """What was read while nothing was bound is judged anew when something is; and back."""
    write_story(tmp_path / "logs")
    write_lines(tmp_path / "logs" / "uploads" / "a.jsonl", [approval("APR-A", 0)])
    home, config = tmp_path / "home", write_config(tmp_path, approvals=["approvals/**"])
    granted = "select approval_uid, is_granted from approvals order by all"
    run_once(tmp_path / "logs", home, config=None, as_of="")
    assert ask(home, granted) == [("APR-A", True), ("APR-Y", True), ("APR-Z", True)]
    assert UNAPPROVED not in open_findings(home)
    run_once(tmp_path / "logs", home, config=config, as_of="")
    assert ask(home, granted) == [("APR-A", False), ("APR-Y", True), ("APR-Z", True)]
    assert UNAPPROVED in open_findings(home)
    run_once(tmp_path / "logs", home, config=None, as_of="")
    assert ask(home, granted) == [("APR-A", True), ("APR-Y", True), ("APR-Z", True)]


def test_who_puts_an_approval_into_the_place_of_another_log_is_told_of(tmp_path: Path) -> None:
    """It is no event, a finding says where it lay, and the alert goes out."""
    write_story(tmp_path / "logs")
    write_lines(tmp_path / "logs" / "trail" / "a.jsonl", [approval("APR-A", 0)])
    config = write_config(tmp_path, approvals=["approvals/**"], aws_cloudtrail=["trail/**"])
    run_once(tmp_path / "logs", tmp_path / "home", config=config, as_of="")
    reason = f"a record of approvals {MISPLACED} aws_cloudtrail"
    assert ask(tmp_path / "home", "select log, reason from quarantine") == [("approvals", reason)]
    assert ask(tmp_path / "home", "select * from approvals where approval_uid = 'APR-A'") == []
    assert {WRONG_PLACE, UNAPPROVED} <= open_findings(tmp_path / "home")
    alerts = (tmp_path / "home" / "alerts.jsonl").read_text(encoding="utf-8")
    assert reason in alerts
    wrong = f"select severity, is_historic from findings where detector_id = '{WRONG_PLACE}'"
    assert ask(tmp_path / "home", wrong) == [("high", False)]


def test_what_was_believed_in_the_place_of_another_log_is_taken_out(tmp_path: Path) -> None:
    """A home that read it first ends as one that was bound from the beginning, and takes it back where it was right."""
    write_story(tmp_path / "logs")
    write_lines(tmp_path / "logs" / "trail" / "a.jsonl", [approval("APR-A", 0)])
    config = write_config(tmp_path, approvals=["approvals/**"], aws_cloudtrail=["trail/**"])
    first, late = tmp_path / "first", tmp_path / "late"
    run_once(tmp_path / "logs", first, config=config, as_of="")
    run_once(tmp_path / "logs", late, config=None, as_of="")
    before = ask(late, "select event_id, voice, place from events order by all")
    run_once(tmp_path / "logs", late, config=config, as_of="")
    for query in (
        "select event_id, voice, place from events order by all",
        "select log, record_no, reason from quarantine",
        "select detector_id, subject_uid, state from findings where state = 'open' order by all",
        "select path, n_records, n_events, n_quarantined from files order by all",
    ):
        assert ask(late, query) == ask(first, query)
    run_once(tmp_path / "logs", late, config=None, as_of="")
    assert ask(late, "select event_id, voice, place from events order by all") == before
    assert ask(late, "select count(*) from quarantine") == [(0,)]


def test_a_printed_record_does_not_come_back_from_quarantine_as_believed(tmp_path: Path) -> None:
    """Where it lay is kept with it: in the group of a function it stays what is told."""
    decision = json.loads(SAMPLES["opa_decisions"].splitlines()[0])
    (tmp_path / "logs" / "vault").mkdir(parents=True)
    (tmp_path / "logs" / "vault" / "a.json").write_bytes(cloudwatch("/aws/lambda/a", decision))
    config = write_config(tmp_path, vault_audit="vault/**")
    run_once(tmp_path / "logs", tmp_path / "home", config=config, as_of="")
    assert ask(tmp_path / "home", "select place from quarantine") == [("cloudwatch:/aws/lambda/a",)]
    run_once(tmp_path / "logs", tmp_path / "home", config=None, as_of="")
    stored = ask(tmp_path / "home", "select log, voice, place from events")
    assert stored == [("opa_decisions", "reported", "cloudwatch:/aws/lambda/a")]


@pytest.mark.parametrize("order", [("approvals", "uploads"), ("uploads", "approvals")])
def test_a_forged_copy_that_arrives_first_takes_no_place(order: tuple[str, str], tmp_path: Path) -> None:
    """The same record from a bound place stands, in whichever order they come."""
    write_story(tmp_path / "logs")
    config = write_config(tmp_path, approvals=["approvals/**"])
    for folder in order:
        write_lines(tmp_path / "logs" / folder / "same.jsonl", [approval("APR-A", 0)])
        run_once(tmp_path / "logs", tmp_path / "home", config=config, as_of="")
    assert ask(tmp_path / "home", "select is_granted from approvals where approval_uid = 'APR-A'") == [(True,)]
    assert UNAPPROVED not in open_findings(tmp_path / "home")
