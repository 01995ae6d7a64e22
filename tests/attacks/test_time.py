"""Attacks by time: who writes a log that the subject can write to dates records ahead, or stops to speak; and a clock
of the machine that is wrong.
"""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
import small_logs
import ultravires
from restoring import restored
from small_logs import RUNNER, WORKER, approval, assume, call, session, write_lines
from ultravires.runs import clock
from ultravires.runs.run import run_once
from ultravires.runs.summary import print_summary

UNAPPROVED = "ultravires_unapproved_privileged_activity"
YEAR = timedelta(days=365)
EARLIER_SAMPLES = Path(__file__).parents[2] / "data" / "sources"


@pytest.fixture(scope="module", autouse=True)
def story_of_today() -> Iterator[None]:
    """The story ends an hour ago, so that tomorrow is a day after the machine's clock."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(small_logs, "DAY", datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3))
        yield


def write_story(logs: Path) -> None:
    """A role is taken in the name of an unknown approval, and a policy changed; the approvals speak around it."""
    runner, worker = session(RUNNER, "ASIARUNNER"), session(WORKER, "ASIAWORKER", source_identity="APR-B")
    write_lines(
        logs / "trail.json",
        [
            assume("e1", 60, runner, "ASIAWORKER", sourceIdentity="APR-B"),
            call("e2", 61, "iam:PutRolePolicy", worker, requestParameters={"roleName": "other", "policyName": "p"}),
        ],
    )
    write_lines(logs / "approvals.jsonl", [approval("APR-A", 0), approval("APR-C", 120)])


def write_spans(path: Path, *moments: datetime) -> None:
    """An agent's own telemetry: a call of a tool at each moment."""
    spans = [
        {
            "traceId": "0af7651916cd43dd8448eb211c80319c",
            "spanId": f"{number:016x}",
            "name": "a span",
            "startTimeUnixNano": str(int(moment.timestamp()) * 10**9),
            "endTimeUnixNano": str(int(moment.timestamp()) * 10**9 + 1),
            "attributes": [
                {"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}},
                {"key": "gen_ai.tool.name", "value": {"stringValue": "read_object"}},
            ],
        }
        for number, moment in enumerate(moments, start=1)
    ]
    write_lines(path, [{"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": spans}]}]}])


def ask(home: Path, query: str) -> list[tuple[Any, ...]]:
    with ultravires.open(home) as con:
        return con.execute(query).fetchall()


def open_findings(home: Path) -> list[tuple[Any, ...]]:
    return ask(home, "select detector_id, subject_uid, is_historic from findings where state = 'open' order by all")


def load_ahead(place: Path, ahead: timedelta) -> None:
    write_story(place / "logs")
    write_spans(place / "logs" / "spans.jsonl", datetime.now(UTC) + ahead)
    run_once(place / "logs", place / "home", config=None, as_of="")


@pytest.fixture(params=[timedelta(hours=23), YEAR], ids=["tomorrow", "next year"])
def ahead(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after a run over the story and a span that is dated ahead; its logs lie beside it."""
    place = tmp_path_factory.getbasetemp() / f"ahead-{request.param.days}"
    return restored(place, partial(load_ahead, ahead=request.param)) / "home"


def test_a_span_from_the_future_silences_no_approval(ahead: Path) -> None:
    """Every other log would be silent by then, and "no approval" said of nobody."""
    assert UNAPPROVED in {row[0] for row in open_findings(ahead)}
    assert ask(ahead, "select max(as_of) < now() from runs") == [(True,)]


def test_telemetry_from_the_future_makes_its_log_complete(ahead: Path) -> None:
    """It would have spoken up to then, whatever it leaves out until that day; it is kept, marked, and not counted."""
    assert ask(
        ahead, "select state, newest_event_at, complete_until, n_from_future from sources where log = 'otel_genai'"
    ) == [("absent", None, None, 1)]
    assert ask(ahead, "select list_contains(gaps, 'from the future') from chain_steps where log = 'otel_genai'") == [
        (True,)
    ]


def test_hours_dated_ahead_hide_a_silence(tmp_path: Path) -> None:
    """A log would never fall silent whose writer dated a record into each hour to come."""
    write_story(tmp_path / "logs")
    now = datetime.now(UTC)
    write_spans(
        tmp_path / "logs" / "spans.jsonl", now - timedelta(days=9), *(now + timedelta(hours=n) for n in range(1, 30))
    )
    run_once(tmp_path / "logs", tmp_path / "home", config=None, as_of="")
    assert ask(tmp_path / "home", "select state from sources where log = 'otel_genai'") == [("silent",)]


def test_telemetry_from_the_future_makes_everything_historic(ahead: Path) -> None:
    """A home whose first run judged as of tomorrow would wake nobody for what happens today."""
    run_once(ahead.parent / "logs", ahead, config=None, as_of="")
    found = open_findings(ahead)
    assert found and not any(is_historic for *_, is_historic in found)


def test_telemetry_from_the_future_expires_an_approval(ahead: Path) -> None:
    """An approval that runs for hours yet would be one that was never used."""
    assert ask(ahead, "select * from drift where kind = 'unused'") == []


def test_telemetry_from_the_future_ends_a_suppression(tmp_path: Path) -> None:
    """And one that is good until tonight would be over."""
    write_story(tmp_path / "logs")
    write_spans(tmp_path / "logs" / "spans.jsonl", datetime.now(UTC) + timedelta(hours=23))
    tonight = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    config = tmp_path / "ultravires.yaml"
    config.write_text(f"suppressions: [{{detector: {UNAPPROVED}, owner: ana, reason: known, expires: '{tonight}'}}]\n")
    run_once(tmp_path / "logs", tmp_path / "home", config=config, as_of="")
    assert ask(
        tmp_path / "home", f"select bool_and(is_suppressed) from findings where detector_id = '{UNAPPROVED}'"
    ) == [(True,)]


def test_an_agent_that_is_alone_moves_time(tmp_path: Path) -> None:
    """Where its telemetry is all there is, it moves time up to the machine's clock and not beyond."""
    now = datetime.now(UTC).replace(microsecond=0)
    write_spans(
        tmp_path / "logs" / "spans.jsonl", *(now - timedelta(minutes=n) for n in (1, 2)), now + timedelta(hours=23)
    )
    run_once(tmp_path / "logs", tmp_path / "home", config=None, as_of="")
    assert ask(tmp_path / "home", "select max(as_of) from runs") == [(now - timedelta(minutes=1),)]


def test_a_log_that_stops_makes_everything_doubtful(tmp_path: Path) -> None:
    """A second approval system, which has never spoken of this subject, is silent: that excuses the subject nothing."""
    write_story(tmp_path / "logs")
    shutil.copy(EARLIER_SAMPLES / "jira_approvals" / "sample.jsonl", tmp_path / "logs" / "jira.jsonl")
    run_once(tmp_path / "logs", tmp_path / "home", config=None, as_of="")
    assert ask(tmp_path / "home", "select state from sources where log = 'jira_approvals'") == [("silent",)]
    assert UNAPPROVED in {row[0] for row in open_findings(tmp_path / "home")}


def test_a_log_that_is_waited_for_still_accuses_nobody(tmp_path: Path) -> None:
    """The only log that ever approved anything for this subject is silent: nothing is said of it."""
    write_story(tmp_path / "logs")
    write_lines(tmp_path / "logs" / "approvals.jsonl", [approval("APR-A", -30 * 24 * 60)])
    run_once(tmp_path / "logs", tmp_path / "home", config=None, as_of="")
    assert UNAPPROVED not in {row[0] for row in open_findings(tmp_path / "home")}


@pytest.fixture(scope="module")
def judged_rightly(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[Any, ...]]]:
    """The logs of the story, and what is found where the machine's clock is right: in the home `right` beside them."""
    place = tmp_path_factory.mktemp("judged")
    write_story(place / "logs")
    run_once(place / "logs", place / "right", config=None, as_of="")
    return place / "logs", open_findings(place / "right")


def test_a_machine_a_year_back_takes_every_log_for_the_future(
    tmp_path: Path,
    judged_rightly: tuple[Path, list[tuple[Any, ...]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Who turns the clock back would end all judging; the logs agree with each other, so the clock is wrong."""
    logs, found = judged_rightly
    last_year = datetime.now(UTC) - YEAR
    monkeypatch.setattr(clock, "now", lambda: last_year)
    result = run_once(logs, tmp_path / "home", config=None, as_of="")
    assert open_findings(tmp_path / "home") == found
    assert ask(tmp_path / "home", "select sum(n_from_future) from sources") == [(0,)]
    said = json.loads(json.dumps(result.as_dict()))["clock"]
    assert f"{last_year:%Y-%m-%d %H:%M}" in said and "the clock is behind" in said
    print_summary(result, tmp_path / "home")
    assert "the clock is behind" in " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_a_machine_a_year_on_makes_every_log_silent(
    tmp_path: Path, judged_rightly: tuple[Path, list[tuple[Any, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is late or silent by the machine's clock, only by the logs; the line says that one of them is wrong."""
    logs, found = judged_rightly
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + YEAR)
    result = run_once(logs, tmp_path / "home", config=None, as_of="")
    # To a first run whose clock is a year ahead the logs are an archive, until the clock is put right.
    assert open_findings(tmp_path / "home") == [(detector, subject, True) for detector, subject, _ in found]
    assert result.clock is not None and "they are old, or the clock is ahead" in result.clock
    monkeypatch.undo()
    run_once(logs, tmp_path / "home", config=None, as_of="")
    assert open_findings(tmp_path / "home") == found


def test_a_right_clock_is_not_spoken_of(judged_rightly: tuple[Path, list[tuple[Any, ...]]]) -> None:
    logs, _ = judged_rightly
    assert run_once(logs, logs.with_name("right"), config=None, as_of="").clock is None


def test_a_machine_a_year_back_becomes_the_first_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is older than the first run wakes nobody: a later run under a wrong clock must not become the first."""
    logs, home, today = tmp_path / "logs", tmp_path / "home", datetime.now(UTC)
    write_story(logs)
    run_once(logs, home, config=None, as_of="")
    write_lines(logs / "later.jsonl", [approval("APR-D", 170)])
    monkeypatch.setattr(clock, "now", lambda: today - YEAR)
    run_once(logs, home, config=None, as_of="")
    found = open_findings(home)
    assert found and not any(is_historic for *_, is_historic in found)


@pytest.mark.parametrize(
    ("of_trail", "of_okta", "expected"),
    [
        pytest.param([0, 0, 8760], [1], (1, False), id="a record of a good log"),
        pytest.param([8760, 8760], [0], (0, False), id="a log beside a good one"),
        pytest.param([8760, 8761], [8759], (8761, True), id="both logs"),
    ],
)
def test_a_broken_clock_of_one_log_is_taken_for_that_of_the_machine(
    of_trail: list[int], of_okta: list[int], expected: tuple[int, bool]
) -> None:
    """Hours after the machine's clock: one broken record, or one broken log, moves no time; only most of them do."""
    here = datetime(2026, 10, 5, 12, tzinfo=UTC) - timedelta(hours=2)
    rows = [("trail", hours) for hours in of_trail] + [("okta", hours) for hours in of_okta]
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.execute("create table events(log varchar, event_at timestamptz, ingested_at timestamptz)")
        con.execute("create table source_expectations(log varchar, voice varchar, max_silence interval)")
        con.execute("insert into source_expectations select unnest(['trail', 'okta']), 'recorded', interval 2 day")
        con.executemany(
            "insert into events values (?, ?, ?)", [(log, here + timedelta(hours=hours), here) for log, hours in rows]
        )
        time = clock.judged_time(con, clock=here + timedelta(hours=2), tolerance=timedelta(minutes=2), said=None)
    assert (time.as_of, time.clock_doubt is not None) == (here + timedelta(hours=expected[0]), expected[1])
