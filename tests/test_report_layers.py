"""Approved, granted and used on the report: three sets, their drift over time with its causes, and what is unknown."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest
from published_fixture import empty_world
from published_putting import at, put
from test_report import HOSTILE, Elements
from ultravires.report.drift_chart import draw_drift
from ultravires.report.layers import MAX_DRIFT, MAX_IDENTITIES, MAX_PATTERNS, LayersView, read_layers
from ultravires.report.report import render_report

EARLIER, LATER = at("08:00") - timedelta(days=30), at("20:00") + timedelta(days=30)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """A home that was judged at noon, with logs of approvals and of activity."""
    with empty_world() as con:
        put(con, "runs", run_id="r1", as_of=at("12:00"), started_at=at("13:00"))
        for log, kind in (("approvals", "approval"), ("aws_cloudtrail", "activity")):
            put(con, "sources", log=log, evidence_kinds=[kind], state="complete", n_events=1)
        put(con, "identities", identity_id="robot", name="robot", owner="ada", is_nonhuman=True)
        yield con


def put_drift(con: duckdb.DuckDBPyConnection, drift_id: str, **row: Any) -> None:
    usual = {
        "identity_id": "robot",
        "kind": "over_grant",
        "power": "data",
        "severity": "low",
        "first_at": EARLIER,
        "cause_event_id": f"e-{drift_id}",
        "cause_actor_uid": "ana",
        "approval_uids": [],
        "is_certain": True,
        "sentence": f"sentence {drift_id}",
    }
    put(con, "drift", drift_id=drift_id, **usual | row)


def put_right(con: duckdb.DuckDBPyConnection, layer: str, pattern: str | None, **row: Any) -> None:
    usual = {"identity_id": "robot", "effect": "allow", "is_conditional": False, "path": ["p"], "start_by": "event"}
    put(con, "entitlements", layer=layer, action_pattern=pattern, **usual | row)


def put_use(con: duckdb.DuckDBPyConnection, action: str, **row: Any) -> None:
    put(con, "usage", **{"identity_id": "robot", "action": action, "n": 1, "n_denied": 0} | row)


def text_of(con: duckdb.DuckDBPyConnection) -> str:
    return " ".join(Elements(render_report(con)).text.split())


def view_of(con: duckdb.DuckDBPyConnection) -> LayersView:
    (view,) = read_layers(con).views
    return view


def layers_of(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[int | None, int | None, list[str]]]:
    return {layer.name: (layer.n, layer.n_outside, layer.examples) for layer in view_of(con).layers}


def test_three_sets_and_what_lies_outside_of_each_other(con: duckdb.DuckDBPyConnection) -> None:
    """By patterns: what lies within one that is approved is approved, in the words of the log or of the grant."""
    put_drift(con, "d1")
    put_right(con, "approved", "s3:*")
    put_right(con, "approved", "sqs:SendMessage")
    put_right(con, "granted", "s3:Get*")
    put_right(con, "granted", "iam:*")
    put_use(con, "s3:GetObject")
    put_use(con, "ListRoles", canonical_action="iam:ListRoles")
    put_use(con, "kms:Decrypt", n_denied=1)
    assert layers_of(con) == {
        "approved": (2, 1, ["sqs:SendMessage"]),
        "granted": (2, 1, ["iam:*"]),
        "used": (2, 1, ["iam:ListRoles"]),
    }
    text = text_of(con)
    assert "low robot approved 2 granted 2 used 2 1 drift open, the gravest since 2026-09-05; owner: ada" in text
    assert "granted 2 1 beyond what is approved: iam:*" in text


def test_only_what_is_held_now_counts(con: duckdb.DuckDBPyConnection) -> None:
    """Not what was taken, is not yet in force, is denied, or only limits."""
    put_drift(con, "d1")
    put_right(con, "granted", "a:Now", valid_from=EARLIER, valid_until=LATER)
    put_right(con, "granted", "a:Taken", valid_until=at("11:00"))
    put_right(con, "granted", "a:Later", valid_from=LATER)
    put_right(con, "granted", "a:Denied", effect="deny")
    put_right(con, "limit", "a:Limit")
    assert layers_of(con)["granted"] == (1, 1, ["a:Now"])


def test_what_is_unknown_is_said_and_is_no_nought(con: duckdb.DuckDBPyConnection) -> None:
    """No log of approvals or activity, nothing that shows what is held: unknown, and nobody is accused by it."""
    put_drift(con, "d1")
    put_use(con, "s3:GetObject")
    assert layers_of(con)["granted"] == (None, None, [])
    assert "granted unknown unknown no log can tell" in text_of(con)
    assert "what it is granted is unknown, and not nothing" in text_of(con)
    put_right(con, "granted", "s3:*")
    con.execute("update sources set state = 'absent'")
    assert layers_of(con) == {"approved": (None, None, []), "granted": (1, None, []), "used": (None, None, [])}
    assert view_of(con).unknown == [
        "There is no log of approvals: what was approved is unknown.",
        "There is no log of activity: what is used is unknown.",
    ]


def test_what_the_logs_leave_open_stands_in_sentences(con: duckdb.DuckDBPyConnection) -> None:
    """Unread policies, rights from before the logs, conditions, and use that nothing explains."""
    put_drift(con, "d1")
    put_right(con, "granted", None, effect="unknown", path=["group", "hidden"])
    put_right(con, "granted", "s3:*", start_by="before")
    put_right(con, "granted", "sqs:*", is_conditional=True)
    put_use(con, "ec2:RunInstances")
    assert view_of(con).unknown == [
        "What group > hidden allows could not be read, and is counted nowhere.",
        "By what it may do ec2:RunInstances no log shows.",
        "It held s3:* before the logs began: since when, and by whom, is unknown.",
        "It holds sqs:* under conditions that the logs may not answer.",
    ]


def test_a_right_by_an_event_and_without_conditions_leaves_nothing_open(con: duckdb.DuckDBPyConnection) -> None:
    """No sentence for an identity of which all is known."""
    put_drift(con, "d1")
    put_right(con, "granted", "s3:*")
    put_use(con, "s3:GetObject")
    assert view_of(con).unknown == []


def test_the_gravest_drift_comes_first_and_what_ended_last(con: duckdb.DuckDBPyConnection) -> None:
    """Open drift by severity and then by age, each with its sentence; what is over follows, and is no longer open."""
    put_drift(con, "low")
    put_drift(con, "young", severity="high", first_at=at("11:00"))
    put_drift(con, "old", severity="high", kind="widened_after_approval", approval_uids=["A1"])
    put_drift(con, "over", severity="critical", last_at=at("10:00"))
    put_drift(con, "used", severity="medium", kind="overreach", last_at=at("10:00"))
    put_drift(con, "idle", severity="informational", kind="unused")
    put_drift(con, "idle_once", severity="informational", kind="unused", last_at=at("10:00"))
    view = view_of(con)
    assert [row["drift_id"] for row in view.drift] == ["old", "young", "used", "low", "idle", "over"]
    assert (view.severity, view.n_open, view.n_more_drift) == ("high", 5, 0)
    assert "1 high 2026-09-05 open sentence old ana e-old A1 yes" in text_of(con)
    assert "3 medium 2026-09-05 last 2026-10-05 sentence used" in text_of(con)


def test_who_has_no_open_drift_beyond_its_approvals_is_not_shown(con: duckdb.DuckDBPyConnection) -> None:
    """What is unused, or over, puts nobody on the page."""
    put_drift(con, "idle", kind="unused")
    put_drift(con, "never", kind="unused_approval")
    put_drift(con, "over", severity="high", last_at=at("10:00"))
    put_drift(con, "nobody", identity_id="unknown")
    assert read_layers(con).views == []
    assert "No identity is known to hold or to use more than was approved." in text_of(con)


def test_the_riskiest_are_shown_and_the_others_counted(con: duckdb.DuckDBPyConnection) -> None:
    """By severity, then by what their drift weighs; a change that somebody approved weighs nothing."""
    for number in range(MAX_IDENTITIES + 3):
        put_drift(con, f"d{number}", identity_id=f"id{number:02}")
    put_drift(con, "admin", identity_id="zoe", severity="low", power="admin")
    put_drift(con, "approved", identity_id="yan", severity="low", power="admin", cause_approval_uid="CHG")
    put_drift(con, "grave", identity_id="xan", severity="high", power="data")
    found = read_layers(con)
    assert [view.identity_id for view in found.views][:3] == ["xan", "zoe", "id00"]
    assert (len(found.views), found.n_more) == (MAX_IDENTITIES, 6)
    assert "And 6 more identities with less" in text_of(con)


def test_long_lists_are_cut_and_say_so(con: duckdb.DuckDBPyConnection) -> None:
    """So many rows of drift, and so many patterns are compared."""
    for number in range(MAX_DRIFT + 5):
        put_drift(con, f"d{number:02}")
    for number in range(MAX_PATTERNS + 5):
        put_right(con, "granted", f"a:{number:04}")
    view = view_of(con)
    assert (len(view.drift), view.n_more_drift) == (MAX_DRIFT, 5)
    assert layers_of(con)["granted"][:2] == (MAX_PATTERNS + 5, MAX_PATTERNS)
    assert f"Of each layer the first {MAX_PATTERNS} patterns are compared, and not the others." in view.unknown


def day(number: int, **row: int) -> dict[str, Any]:
    numbers = {"n_approved": 2, "n_granted": 2, "n_ever_used": 1, "weight": 0}
    return {"day": date(2026, 9, number), **numbers, **row}


def cause(clock: str, number: int, **row: Any) -> dict[str, Any]:
    first_at = at(clock).replace(month=9, day=number)
    return {"first_at": first_at, "cause_actor_uid": "ana", "sentence": "s", "is_beyond": True} | row


def test_drift_over_time_is_steps_with_a_mark_for_each_cause() -> None:
    """A number holds until it changes, up to the moment of the run; marks bear the number of the row in the table."""
    drift = [cause("12:00", 20), cause("12:00", 10), cause("12:00", 10, is_beyond=False), cause("09:00", 20)]
    chart = draw_drift([day(1), day(10, n_granted=4, weight=3), day(12, n_granted=4, weight=3)], drift, at("12:00"))
    paths = dict(chart.lines)
    assert (paths["approved"].count("V"), paths["granted"].count("V")) == (0, 1)
    assert (chart.most_rights, chart.most_weight) == (4, 3)
    assert [(mark.label, len(mark.words)) for mark in chart.marks] == [("2", 1), ("4+", 2)]
    assert chart.marks[0].words == ["2. 2026-09-10, ana: s"]
    assert chart.marks[0].x < chart.marks[1].x
    assert (chart.ticks[0][1], chart.ticks[-1][1]) == ("01 Sep 2026", "05 Oct 2026")
    assert chart.words == (
        "From 2026-09-01 to 2026-10-05: 2 approved, 2 to 4 granted, 1 used so far, weight of drift 0 to 3"
    )


def test_one_day_and_nothing_on_it_is_still_a_picture() -> None:
    """No division by nought where the history is a day, or where every number is nought."""
    chart = draw_drift([day(5, n_approved=0, n_granted=0, n_ever_used=0)], [], at("12:00").replace(month=9))
    assert (chart.most_rights, chart.marks) == (0, [])
    assert len(chart.ticks) == 1


def test_names_from_logs_stay_text(con: duckdb.DuckDBPyConnection) -> None:
    """Identities, patterns, sentences, actors and paths are chosen by whoever may be the attacker."""
    hostile = HOSTILE.encode("utf-8", "ignore").decode()
    put(con, "identities", identity_id=hostile, name=hostile, owner=hostile)
    named = {"identity_id": hostile, "severity": hostile, "sentence": hostile, "cause_actor_uid": hostile}
    put_drift(con, hostile, **named, approval_uids=[hostile], cause_event_id=hostile)
    for layer, effect, start_by in (
        ("approved", "allow", "event"),
        ("granted", "allow", "before"),
        ("granted", "unknown", "x"),
    ):
        right = {
            "identity_id": hostile,
            "effect": effect,
            "start_by": start_by,
            "path": [hostile],
            "is_conditional": True,
        }
        put_right(con, layer, hostile if effect == "allow" else None, **right)
    put_use(con, hostile + "x", identity_id=hostile)
    put(con, "drift_daily", identity_id=hostile, day=date(2026, 9, 5), n_granted=1, weight=1)
    page = render_report(con)
    elements = Elements(page)
    assert [tag for tag, _ in elements.tags if tag in ("script", "img", "iframe")] == ["script"]
    assert not [name for _, attributes in elements.tags for name in attributes if name.startswith("on")]
    assert not {"\u202e", "\u2066", "\x00", "\x1b"} & set(page)
    assert "A" * 400 not in page
    assert "drift of this number begins" in page


def test_missing_values_do_not_stop_the_section(con: duckdb.DuckDBPyConnection) -> None:
    """Drift without times, actors or a severity, and rights without a path."""
    names = (
        "severity",
        "first_at",
        "cause_event_id",
        "cause_actor_uid",
        "approval_uids",
        "is_certain",
        "sentence",
        "power",
    )
    put_drift(con, "d1", **dict.fromkeys(names))
    put_right(con, "granted", None, effect="unknown", path=None)
    put(con, "drift_daily", identity_id="robot", day=date(2026, 9, 5))
    con.execute("update runs set as_of = null")
    assert "informational robot" in text_of(con)
