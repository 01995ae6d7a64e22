"""The scorer, on a small hand-made history with right and wrong links and findings."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from rich.console import Console
from ultravires.backtest.drawing import render_scores
from ultravires.backtest.scores import Scores, as_dict, score
from ultravires.errors import UsageError

Json = dict[str, Any]
TRUE = [
    ("decision:d1", "approval:A", "intent", "decision>approval", "exact_key"),
    ("tool_call:t/1", "decision:d1", "intent", "tool_call>decision", "exact_key"),
    ("tool_call:t/2", "decision:d1", "intent", "tool_call>decision", "exact_key"),
    ("activity:native-1", "tool_call:t/1", "intent", "activity>tool_call", "exact_key"),
    ("activity:native-2", "tool_call:t/2", "intent", "activity>tool_call", "caller_chosen"),
    ("activity:native-3", "tool_call:t/2", "intent", "activity>tool_call", "caller_chosen"),
    ("activity:native-4", "activity:native-1", None, "same_event", "exact_key"),
    ("credential:K", "approval:A", "authority", "credential>approval", "carried"),
    ("credential:LOST", "approval:A", "authority", "credential>approval", "carried"),
    ("credential:K2", "approval:B", "authority", "credential>approval", "attribute_window"),
]
ALSO_TRUE = [("tool_call:t/2", "tool_call:t/1", "intent", "tool_call>tool_call", "exact_key")]
# child, parent, kind, spine, method, n_candidates, is_primary; how many more only fitted stands in N_WEAKER
FOUND = [
    ("decision:d1", "approval:A", "decision>approval", "intent", "exact_key", 1, True),
    ("tool_call:t/1", "decision:d1", "tool_call>decision", "intent", "exact_key", 1, True),
    ("tool_call:t/2", "decision:d1", "tool_call>decision", "intent", "exact_key", 1, False),
    ("tool_call:t/2", "tool_call:t/1", "tool_call>tool_call", "intent", "exact_key", 1, True),
    ("activity:e1", "tool_call:t/1", "activity>tool_call", "intent", "exact_key", 1, True),
    ("activity:e2", "tool_call:t/1", "activity>tool_call", "intent", "caller_chosen", 2, True),
    ("activity:e2", "tool_call:t/2", "activity>tool_call", "intent", "caller_chosen", 2, False),
    ("activity:e1", "activity:e4", "same_event", None, "exact_key", 1, False),
    ("credential:K", "approval:A", "credential>approval", "authority", "carried", 1, True),
    ("credential:K2", "approval:A", "credential>approval", "authority", "carried", 1, True),
    ("activity:e1", "decision:d1", "issued_by", None, "exact_key", 1, False),
]
N_WEAKER = {"credential:K2": 3}
EVENTS = [
    ("a", "2026-10-01", "approval", "A", None, None, "A/approved", None),
    ("b", "2026-10-01", "approval", "B", None, None, "B/approved", None),
    ("d", "2026-10-05", "decision", None, "d1", None, "d1", None),
    ("t1", "2026-10-05", "tool_call", None, None, "t/1", "t/1", None),
    ("t2", "2026-10-06", "tool_call", None, None, "t/2", "t/2", None),
    ("e1", "2026-10-05", "activity", None, None, None, "native-1", "K"),
    ("e2", "2026-10-07", "activity", None, None, None, "native-2", None),
    ("e3", "2026-10-07", "activity", None, None, None, "native-3", None),
    ("e4", "2026-10-07", "activity", None, None, None, "native-4", None),
]
FINDINGS = [
    ("f1", "too_wide", "tool_call", "tool_call:t/1", ["t1"], "open", "wide"),
    ("f2", "too_late", "credential", "credential:K", ["e9"], "open", "late"),
    ("f3", "too_wide", "event", "e2", ["e2"], "open", "nothing says so"),
    ("f4", "rare", "event", "e1", ["e1"], "open", "rare"),
    ("f5", "self", "approval", "approval:A", ["a"], "withdrawn", "was self"),
]
# identity, node kind, is_counted: the copy's caller is an id that resolves to nobody
STEPS = [
    ("bot", "activity", True),
    ("bot", "activity", True),
    ("AROA7", "activity", False),
    ("tool", "tool_call", True),
]
# kind, holder, cause_event_id, cause_actor_uid, first_at, severity, is_certain
DRIFT = [
    ("widened", "role/r", "e1", "ana", "2026-10-05 09:00:00+00", "low", True),
    ("widened", "role/r", "e2", "eve", "2026-10-06 09:00:00+00", "low", True),
    ("widened", "role/x", "e3", "ana", "2026-10-05 09:00:00+00", "high", True),
    ("widened", "role/y", "e3", "ana", "2026-10-05 09:00:00+00", "informational", True),
    ("widened", "role/z", "e3", "ana", "2026-10-05 09:00:00+00", "high", False),
    ("widened", "role/v", None, None, "2026-10-05 09:00:00+00", "high", True),
    ("overreach", "role/r", "e3", "role/r", "2026-10-05 09:00:00+00", "medium", True),
]
TRUE_DRIFT: list[Json] = [
    {
        "kind": "widened",
        "holder": "role/r",
        "cause": "activity:native-1",
        "actor": "ana",
        "onset": "2026-10-05T09:00:00Z",
    },
    {
        "kind": "widened",
        "holder": "role/r",
        "cause": "activity:native-2",
        "actor": "ben",
        "onset": "2026-10-06T09:01:00Z",
    },
    {"kind": "held", "holder": "role/r", "cause": "activity:native-1", "actor": "ana", "onset": "2026-10-05T09:00:00Z"},
]
SITUATIONS: list[Json] = [
    {"situation": "wide", "expected": ["too_wide"], "also": ["rare"], "nodes": ["tool_call:t/1", "activity:native-1"]},
    {"situation": "late", "expected": ["too_late", "too_wide"], "nodes": ["credential:K"]},
    {"situation": "self", "expected": ["self"], "nodes": ["approval:A"]},
]


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    links = [dict(zip(("child", "parent", "spine", "kind", "method"), row, strict=True)) for row in TRUE]
    names = ("child", "parent", "spine", "kind", "method")
    links += [dict(zip(names, row, strict=True)) | {"is_primary": False} for row in ALSO_TRUE]
    (tmp_path / "links.json").write_text(json.dumps({"links": links}), encoding="utf-8")
    (tmp_path / "situations.json").write_text(json.dumps({"situations": SITUATIONS}), encoding="utf-8")
    return tmp_path


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    """The published tables that the scorer reads, with the columns it needs."""
    con = duckdb.connect()
    con.execute("set timezone = 'UTC'")
    con.execute(
        "create table events (event_id varchar, event_at timestamptz, kind varchar, approval_uid varchar, decision_uid "
        "varchar, tool_call_uid varchar, native_id varchar, issued_credential_uid varchar)"
    )
    con.executemany("insert into events values (?, ?, ?, ?, ?, ?, ?, ?)", EVENTS)
    con.execute(
        "create table links (child_id varchar, parent_id varchar, kind varchar, spine varchar, method varchar, "
        "n_candidates bigint, is_primary boolean, n_weaker bigint)"
    )
    con.executemany(
        "insert into links values (?, ?, ?, ?, ?, ?, ?, ?)", [(*row, N_WEAKER.get(row[0], 0)) for row in FOUND]
    )
    con.execute(
        "create table findings (finding_id varchar, detector_id varchar, subject_kind varchar, subject_uid varchar, "
        "evidence_event_ids varchar[], state varchar, message varchar, is_suppressed boolean, severity varchar)"
    )
    con.executemany("insert into findings values (?, ?, ?, ?, ?, ?, ?, false, 'high')", FINDINGS)
    con.execute(
        "create table drift (kind varchar, actor_uid varchar, identity_id varchar, cause_event_id varchar, "
        "cause_actor_uid varchar, first_at timestamptz, severity varchar, is_certain boolean, sentence varchar)"
    )
    con.execute("create table chain_steps (identity_id varchar, node_kind varchar, is_counted boolean)")
    con.executemany("insert into chain_steps values (?, ?, ?)", STEPS)
    return con


@pytest.fixture
def scores(con: duckdb.DuckDBPyConnection, labels: Path) -> Scores:
    return score(con, labels)


def link_score(scores: Scores, kind: str, method: str, *, is_ambiguous: bool = False) -> tuple[int, int, int, int]:
    row = next(s for s in scores.links if (s.kind, s.method, s.is_ambiguous) == (kind, method, is_ambiguous))
    return row.n_found, row.n_right, row.n_true, row.n_recalled


def test_right_primary_links_count_for_precision_and_recall(scores: Scores) -> None:
    """One link found, true, and the only one there is."""
    assert link_score(scores, "decision>approval", "exact_key") == (1, 1, 1, 1)


def test_activities_are_compared_by_the_vendors_event_id(scores: Scores) -> None:
    """The truth knows CloudTrail's eventID, the tables our event_id."""
    assert link_score(scores, "activity>tool_call", "exact_key") == (1, 1, 1, 1)


def test_a_true_link_that_is_not_primary_is_not_recalled(scores: Scores) -> None:
    """t/2 hangs under t/1, which is true too, so precision holds and recall does not."""
    assert link_score(scores, "tool_call>decision", "exact_key") == (1, 1, 2, 1)
    assert link_score(scores, "tool_call>tool_call", "exact_key") == (1, 1, 0, 0)


def test_ambiguous_links_are_scored_apart(scores: Scores) -> None:
    """One of two candidates, and the wrong one."""
    assert link_score(scores, "activity>tool_call", "caller_chosen", is_ambiguous=True) == (1, 0, 0, 0)
    assert link_score(scores, "activity>tool_call", "caller_chosen") == (0, 0, 2, 0)


def test_a_wrong_link_lowers_precision(scores: Scores) -> None:
    """K2 is nobody's session; LOST was never found."""
    assert link_score(scores, "credential>approval", "carried") == (2, 1, 2, 1)
    row = next(s for s in scores.links if (s.kind, s.method) == ("credential>approval", "carried"))
    assert (row.precision, row.recall) == (0.5, 0.5)


def test_copies_of_one_event_match_in_either_direction(scores: Scores) -> None:
    """Which copy is called the original is a convention."""
    assert link_score(scores, "same_event", "exact_key") == (1, 1, 1, 1)


def test_kinds_that_the_truth_does_not_know_are_not_judged(scores: Scores) -> None:
    """issued_by is on neither spine, and no label speaks of it."""
    assert "issued_by" not in {s.kind for s in scores.links}


def test_every_miss_has_its_reason(scores: Scores) -> None:
    """Not loaded, ambiguous, another preferred, outdone by a better one, and no candidate at all are told apart."""
    reasons = {miss.child: miss.reason for miss in scores.misses}
    assert reasons == {
        "credential:LOST": "the credential was not loaded",
        "activity:native-2": "ambiguous: one of several candidates, and another was taken",
        "activity:native-3": "no candidate",
        "tool_call:t/2": "a candidate, but tool_call>tool_call by exact_key was preferred",
        "credential:K2": "it could only fit by its time, and credential>approval by carried is better",
    }
    assert sum(miss.n for miss in scores.misses) == 5


def test_a_situation_is_found_when_every_expected_detector_speaks_of_its_nodes(scores: Scores) -> None:
    """By subject or by evidence; a withdrawn finding says nothing any more."""
    assert {s.situation: s.missing for s in scores.situations} == {"wide": (), "late": ("too_wide",), "self": ("self",)}


def test_findings_that_no_label_explains_are_listed(scores: Scores) -> None:
    """The detector is expected somewhere, but not on this node."""
    assert [found.finding_id for found in scores.unexplained] == ["f3"]


def test_detectors_get_precision_and_recall(scores: Scores) -> None:
    """too_wide: one of two expected, one of two explained; rare is only allowed, never expected."""
    rows = {s.detector: (s.recall, s.precision) for s in scores.detectors}
    assert rows == {"rare": (None, 1.0), "self": (0.0, None), "too_late": (1.0, 1.0), "too_wide": (0.5, 0.5)}


@pytest.fixture
def drifting(con: duckdb.DuckDBPyConnection, labels: Path) -> Scores:
    """The same history with rights that widened."""
    con.executemany("insert into drift values (?, ?, 'bot', ?, ?, ?, ?, ?, 'it widened')", DRIFT)
    labelled = [SITUATIONS[0] | {"drift": TRUE_DRIFT}, *SITUATIONS[1:]]
    (labels / "situations.json").write_text(json.dumps({"situations": labelled}), encoding="utf-8")
    return score(con, labels)


def test_drift_is_scored_by_holder_kind_and_cause(drifting: Scores) -> None:
    """Two of three that are told are labelled; of these one has the true onset and the true actor. What is uncertain,
    informational, a vendor's change or a use is not counted, and what is labelled and not told lowers recall.
    """
    rows = {s.kind: (s.n_found, s.precision, s.n_true, s.recall, s.onset, s.actor) for s in drifting.drift}
    assert rows == {"held": (0, None, 1, 0.0, None, None), "widened": (3, 2 / 3, 2, 1.0, 0.5, 0.5)}


def test_drift_that_is_told_otherwise_is_listed(drifting: Scores) -> None:
    """What was missed, what has another beginning or another actor, and what no label knows."""
    assert [(wrong.kind, wrong.holder, wrong.cause, wrong.what) for wrong in drifting.wrong_drift] == [
        ("held", "role/r", "activity:native-1", "not told"),
        (
            "widened",
            "role/r",
            "activity:native-2",
            "begins at 2026-10-06 09:00:00+00:00, and not at 2026-10-06 09:01:00+00:00; made by eve, and not by ben",
        ),
        ("widened", "role/x", "activity:native-3", "no label: it widened"),
    ]


def test_scores_of_drift_are_drawn_and_written(drifting: Scores) -> None:
    """A line for each kind, one for each that is wrong, and both in the object."""
    console = Console(width=200, force_terminal=False)
    with console.capture() as capture:
        console.print(render_scores(drifting))
    line = next(line for line in capture.get().splitlines() if line.startswith("│ widened ") and "0.667" in line)
    assert [cell.strip() for cell in line.strip("│").split("│")] == [
        "widened",
        "3",
        "0.667",
        "2",
        "1.000",
        "0.500",
        "0.500",
    ]
    written = json.loads(json.dumps(as_dict(drifting)))
    assert [(s["kind"], s["precision"], s["onset"]) for s in written["drift"]] == [
        ("held", None, None),
        ("widened", 2 / 3, 0.5),
    ]
    assert len(written["wrong_drift"]) == 3


def test_worlds_without_labels_of_drift_are_scored_as_before(scores: Scores) -> None:
    """Labels that were written before there were any are read."""
    assert (scores.drift, scores.wrong_drift) == ((), ())


def test_days_are_counted_from_the_first_act_to_the_last(scores: Scores) -> None:
    """Approvals given long before do not thin out the alerts a day."""
    assert scores.n_days == 2.0
    assert scores.findings_a_day == 2.0


def test_of_several_detectors_one_may_be_enough(con: duckdb.DuckDBPyConnection, labels: Path) -> None:
    """Where none of them speaks, each is missing; where one does, none, and its finding is explained."""
    rows: list[Json] = [
        {"situation": "either", "expected": [], "one_of": ["too_wide", "never"], "nodes": ["activity:native-2"]},
        {"situation": "neither", "expected": [], "one_of": ["never", "rare"], "nodes": ["activity:native-2"]},
    ]
    (labels / "situations.json").write_text(json.dumps({"situations": SITUATIONS + rows}), encoding="utf-8")
    scores = score(con, labels)
    missing = {s.situation: s.missing for s in scores.situations}
    assert (missing["either"], missing["neither"]) == ((), ("never", "rare"))
    assert scores.unexplained == ()


@pytest.mark.parametrize(("nodes", "accusing"), [(["activity:native-2"], ("too_wide",)), (["activity:native-1"], ())])
def test_a_benign_situation_is_right_where_nobody_accuses_it(
    con: duckdb.DuckDBPyConnection, labels: Path, nodes: list[str], accusing: tuple[str, ...]
) -> None:
    """By a finding that nothing explains; what is said of a wrong that shares a node with it accuses nobody."""
    row: Json = {"situation": "right", "expected": [], "nodes": nodes, "is_benign": True}
    (labels / "situations.json").write_text(json.dumps({"situations": [*SITUATIONS, row]}), encoding="utf-8")
    found = next(s for s in score(con, labels).situations if s.is_benign)
    assert (found.accused_by, found.is_found) == (accusing, not accusing)


def test_false_findings_are_counted_by_identity_days(con: duckdb.DuckDBPyConnection, labels: Path) -> None:
    """Two identities for two days, and one finding that no label explains; copies count nobody twice."""
    scores = score(con, labels)
    assert (scores.n_identities, scores.identity_days) == (2, 4.0)
    assert scores.false_per_1000_identity_days == 250.0


@pytest.mark.parametrize("quiet", ["is_suppressed = true", "severity = 'informational'"])
def test_what_is_delivered_to_nobody_is_no_false_alarm(
    con: duckdb.DuckDBPyConnection, labels: Path, quiet: str
) -> None:
    """It is listed as unexplained all the same."""
    con.execute(f"update findings set {quiet} where finding_id = 'f3'")
    scores = score(con, labels)
    assert len(scores.unexplained) == 1 and scores.unexplained_delivered == ()
    assert scores.false_per_1000_identity_days == 0.0


def test_scores_are_drawn_and_written(scores: Scores) -> None:
    """The drawing names what is missing; the object survives JSON."""
    console = Console(width=160, force_terminal=False)
    with console.capture() as capture:
        console.print(render_scores(scores))
    drawn = capture.get()
    assert "1 of 3 situations found; 4 findings, 1 of them unexplained" in drawn
    assert "1 in 4 identity-days, 250.00 per 1,000" in " ".join(drawn.split())
    assert "caller_chosen, ambiguous" in drawn and "nothing says so" in drawn
    assert json.loads(json.dumps(as_dict(scores)))["n_findings"] == 4
    assert as_dict(scores)["false_per_1000_identity_days"] == 250.0


def test_text_of_logs_is_drawn_as_it_is(con: duckdb.DuckDBPyConnection, labels: Path) -> None:
    """Square brackets in a message are no markup."""
    con.execute("update findings set message = '[bold]not bold[/nothing]' where finding_id = 'f3'")
    console = Console(width=160, force_terminal=False)
    with console.capture() as capture:
        console.print(render_scores(score(con, labels)))
    assert "[bold]not bold[/nothing]" in capture.get()


@pytest.mark.parametrize("text", [None, "{", '{"links": [{"child": 1}]}', "[]"])
def test_labels_that_cannot_be_read_are_named(con: duckdb.DuckDBPyConnection, labels: Path, text: str | None) -> None:
    """A missing or broken file is one line for the user, not a traceback."""
    path = labels / "links.json"
    path.unlink()
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"links\.json"):
        score(con, labels)
