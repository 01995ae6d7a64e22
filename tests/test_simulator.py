"""The simulated world: deterministic, in the vendors' shapes, labelled, and benign where no label says otherwise."""

import ast
import gzip
import json
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
import ultravires.simulator
import yaml
from simulated_worlds import Json, all_nodes, contents, labels, lines, spans, trail
from ultravires.config_file import load_settings
from ultravires.errors import UsageError
from ultravires.simulator import write_world
from ultravires.simulator.agent_runs import skew_of
from ultravires.simulator.moments import DAYS, FIRST_DAY, to_fraction, to_nanoseconds, to_words
from ultravires.simulator.timetable import TIMETABLE

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
SMALL_EVENTS, SAMPLE_DAYS, SAMPLE_SEED = 6_000, 10, 7
SIX_MB = 6_000_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small company, written afresh."""
    out = tmp_path_factory.mktemp("world")
    write_world(out, events=SMALL_EVENTS, seed=SAMPLE_SEED)
    return out


def test_the_simulator_imports_nothing_that_reads_logs() -> None:
    """A mistake shared by writer and reader would hide in both, so they share no code."""
    folder = Path(ultravires.simulator.__file__).parent
    allowed = {"ultravires.errors"}
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                ours = name.startswith("ultravires") and not name.startswith("ultravires.simulator")
                assert not ours or name in allowed, f"{path.name} imports {name}"


def test_one_seed_writes_the_same_bytes(world: Path, tmp_path: Path) -> None:
    """Same seed, same size: every file is byte for byte the same, compressed files too."""
    write_world(tmp_path / "again", events=SMALL_EVENTS, seed=SAMPLE_SEED)
    first = {str(p.relative_to(world)): p.read_bytes() for p in sorted(world.rglob("*")) if p.is_file()}
    again = tmp_path / "again"
    assert first == {str(p.relative_to(again)): p.read_bytes() for p in sorted(again.rglob("*")) if p.is_file()}


def test_another_seed_writes_another_world(world: Path, tmp_path: Path) -> None:
    """The seed reaches ids, times and choices."""
    write_world(tmp_path / "other", events=SMALL_EVENTS, seed=SAMPLE_SEED + 1)
    assert {r["eventID"] for r in trail(world)}.isdisjoint(r["eventID"] for r in trail(tmp_path / "other"))


def test_the_samples_are_what_the_simulator_writes(tmp_path: Path) -> None:
    """data/samples is never edited by hand: the simulator writes it again, byte for byte."""
    write_world(tmp_path / "company", days=SAMPLE_DAYS, seed=SAMPLE_SEED)
    assert contents(SAMPLES) == contents(tmp_path / "company")


def test_the_samples_stay_small() -> None:
    """A clone should not pay for them."""
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) < SIX_MB


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    """Nothing is ever deleted or mixed with what stands there."""
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="not an empty folder"):
        write_world(tmp_path, events=100, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_world_of_nothing_is_refused(tmp_path: Path) -> None:
    """Zero or less is a mistake in the call."""
    with pytest.raises(UsageError, match="at least 1"):
        write_world(tmp_path / "w", events=0, seed=1)


@pytest.mark.parametrize("events", [6_000, 30_000])
def test_the_number_of_records_is_about_what_was_asked(tmp_path: Path, events: int) -> None:
    """Within a twentieth, and the counts are those of the files."""
    out = tmp_path / "w"
    counts = write_world(out, events=events, seed=3)
    assert abs(counts["records"] - events) < events / 20
    written = [trail(out), spans(out), lines(out, "opa_decisions"), lines(out, "approvals")]
    assert counts["records"] == sum(len(records) for records in written)
    assert counts["links"] == len(labels(out, "links"))


def test_trail_files_stand_in_the_layout_of_the_bucket(world: Path) -> None:
    """Path and name say account, region and day, and every record of a file belongs there."""
    for path in (world / "aws_cloudtrail").rglob("*.json.gz"):
        top, account, log, region, *_day, name = path.relative_to(world / "aws_cloudtrail").parts
        assert (top, log) == ("AWSLogs", "CloudTrail")
        assert name.startswith(f"{account}_CloudTrail_{region}_") and len(name.split("_")[-1]) == len(".json.gz") + 16
        records = json.loads(gzip.decompress(path.read_bytes()))["Records"]
        assert {(r["recipientAccountId"], r["awsRegion"]) for r in records} == {(account, region)}


def test_some_records_come_twice_and_some_late(world: Path) -> None:
    """The same record in two files, and records older than others of an earlier file."""
    counts = Counter(json.dumps(record, sort_keys=True) for record in trail(world))
    assert max(counts.values()) == 2
    times = [record["eventTime"] for record in trail(world)]
    assert times != sorted(times)


def test_clocks_differ_but_by_less_than_two_minutes() -> None:
    """No two hosts disagree by more than the tolerance that Ultravires is given."""
    skews = [skew_of(f"host-{n}") for n in range(500)]
    assert 60_000 < max(skews) - min(skews) < 120_000


def test_every_identity_is_declared_and_the_configuration_is_valid(world: Path) -> None:
    """The world's ultravires.yaml passes the product's own checks, and names whoever acts."""
    settings = load_settings(world / "ultravires.yaml")
    nonhuman = [identity for identity in settings.identities if identity.kind != "human"]
    assert len(nonhuman) >= 30 and all(identity.owner for identity in nonhuman)
    known = {a.uid for i in settings.identities for a in i.all_aliases()} | {i.id for i in settings.identities}
    sessions = [record["userIdentity"].get("sessionContext", {}) for record in trail(world)]
    roles = {context["sessionIssuer"]["arn"] for context in sessions if "sessionIssuer" in context}
    assert roles <= known
    assert yaml.safe_load((world / "ultravires.yaml").read_text(encoding="utf-8"))["networks"]


def test_every_situation_of_the_timetable_happens(world: Path) -> None:
    """Each once in the smallest world, on nodes that exist in the logs."""
    rows = labels(world, "situations")
    assert sorted(row["situation"] for row in rows) == sorted(play.__name__ for _, _, play in TIMETABLE)
    assert all(row["expected"] and row["why"] and row["identity"] for row in rows)
    assert {node for row in rows for node in row["nodes"]} <= all_nodes(world)


def test_larger_worlds_hold_each_situation_several_times(tmp_path: Path) -> None:
    """Played by other copies of the agent, where there are any."""
    write_world(tmp_path / "w", events=100_000, seed=5)
    counts = Counter(row["situation"] for row in labels(tmp_path / "w", "situations"))
    assert set(counts.values()) == {2}


def test_true_links_join_nodes_of_the_logs(world: Path) -> None:
    """Child and parent of every link are in the logs, each child has one primary parent a spine, none twice."""
    rows = labels(world, "links")
    nodes = all_nodes(world)
    assert {row["child"] for row in rows} | {row["parent"] for row in rows} <= nodes
    primary = Counter((row["child"], row["spine"]) for row in rows if row["spine"] and row.get("is_primary", True))
    assert max(primary.values()) == 1
    assert max(Counter((r["child"], r["parent"], r["kind"]) for r in rows).values()) == 1


def test_every_tool_call_and_every_call_with_a_key_has_its_true_parent(world: Path) -> None:
    """Nothing in the logs that has a parent is left out of the truth."""
    children = {row["child"] for row in labels(world, "links")}
    keyed = {f"activity:{r['eventID']}" for r in trail(world) if r["userIdentity"].get("accessKeyId")}
    inner = {f"tool_call:{span['traceId']}/{span['spanId']}" for span in spans(world) if span["parentSpanId"]}
    assert keyed | inner <= children


def is_refused(decision: Json) -> bool:
    result = decision["result"]
    return not (result["allow"] if isinstance(result, dict) else result)


def seconds_to_answer(line: Json) -> float:
    asked, answered = (datetime.fromisoformat(line[name]) for name in ("requested_at", "approved_at"))
    return (answered - asked).total_seconds()


def test_benign_approvals_have_two_people_and_time_to_read(world: Path) -> None:
    """Outside the labelled nodes: distinct approvers, and more than two minutes where the risk is high."""
    marked = {node for row in labels(world, "situations") for node in row["nodes"]}
    granted = [line for line in lines(world, "approvals") if line["status"] == "approved"]
    benign = [line for line in granted if f"approval:{line['approval_id']}" not in marked]
    assert benign and all(line["requested_by"] != line["approved_by"] for line in benign)
    assert min(seconds_to_answer(line) for line in benign if line["risk"] == "high") > 120


def test_what_the_policy_engine_refused_did_not_run(world: Path) -> None:
    """Refusals are usual; a tool that runs all the same is a situation."""
    marked = {node for row in labels(world, "situations") for node in row["nodes"]}
    refused = {f"decision:{d['decision_id']}" for d in lines(world, "opa_decisions") if is_refused(d)}
    ran = {row["parent"] for row in labels(world, "links") if row["kind"] == "tool_call>decision"}
    assert refused & ran <= marked
    assert refused - ran


def test_the_log_shows_retries_refusals_copies_services_and_people(world: Path) -> None:
    """The benign variety is there, so that silence on it means something."""
    records = trail(world)
    assert {"ThrottlingException", "AccessDenied"} <= {record.get("errorCode") for record in records}
    shared = Counter(r["sharedEventID"] for r in {r["eventID"]: r for r in records}.values() if "sharedEventID" in r)
    assert 2 in shared.values()
    assert any(record["userIdentity"].get("invokedBy") for record in records)
    names = {record["eventName"] for record in records}
    assert {"ConsoleLogin", "GetSessionToken", "AssumeRole", "AssumeRoleWithWebIdentity"} <= names


def test_agents_speak_every_dialect(world: Path) -> None:
    """Current, older, OpenInference and MCP attribute names all occur, and call ids repeat across runs."""
    attributes = [attribute for span in spans(world) for attribute in span["attributes"]]
    keys = {attribute["key"] for attribute in attributes}
    assert {"gen_ai.provider.name", "gen_ai.system", "openinference.span.kind", "mcp.method.name"} <= keys
    calls = [a["value"]["stringValue"] for a in attributes if a["key"] == "gen_ai.tool.call.id"]
    assert len(set(calls)) < 10 < len(calls)


def test_times_are_written_as_each_vendor_writes_them() -> None:
    """Words for an expiration, nanoseconds for a span, a fraction for a decision."""
    at = FIRST_DAY + 12 * 3_600_000 + 5_250
    assert to_words(at) == "Oct 5, 2026, 12:00:05 PM"
    assert to_nanoseconds(at, 7) == str(at) + "000007"
    assert to_fraction(at, 7) == "2026-10-05T12:00:05.250000007Z"
    assert DAYS == 10
