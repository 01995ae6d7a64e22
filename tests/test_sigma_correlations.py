"""Every type of correlation, by cases and against plain Python."""

import random
from datetime import timedelta
from typing import Any

import pytest
from sigma_correlations import (
    BEGIN,
    base_rule,
    book_of,
    correlation,
    event,
    expected,
    find,
    random_correlation,
    random_log,
)
from ultravires_models.rulebook import RuleBook

A, B, C = base_rule("a"), base_rule("b"), base_rule("c")


def slots(book: RuleBook, rows: list[dict[str, Any]], **run: Any) -> list[tuple[str, str]]:
    return [(hit["subject_uid"], hit["slot"]) for hit in find(book, rows, **run)]


def test_events_are_counted_in_a_window_that_slides() -> None:
    """Three within ten minutes, over a full hour's border; three over a longer time are silent."""
    book = book_of(A, correlation("many", "event_count", ["a"], condition={"gte": 3}))
    close = [event(minute, "a") for minute in (25, 29, 35)]
    (hit,) = find(book, [*close, *(event(minute, "a", "bob") for minute in (0, 6, 12))])
    assert (hit["detector_id"], hit["subject_kind"], hit["subject_uid"]) == ("many", "group", "ann")
    assert (hit["slot"], hit["actor_uid"]) == ("2026-11-03", "ann")
    assert hit["evidence_event_ids"] == ["a-25-ann", "a-29-ann", "a-35-ann"]
    assert hit["message"] == ("many: 3 events from 2026-11-02T23:55:00Z to 2026-11-03T00:05:00Z actor_uid ann")


def test_a_late_event_adds_to_a_finding_and_changes_no_id() -> None:
    """Rule, group and day of completion are the finding; each day on which windows complete is one."""
    book = book_of(A, correlation("many", "event_count", ["a"], condition={"gte": 3}))
    rows = [event(minute, "a") for minute in (1, 5, 9)]
    late = event(3, "a")
    before, after = find(book, rows), find(book, [*rows, late])
    assert [(hit["subject_uid"], hit["slot"]) for hit in before] == [(hit["subject_uid"], hit["slot"]) for hit in after]
    assert after[0]["evidence_event_ids"] == ["a-1-ann", "a-3-ann", "a-5-ann", "a-9-ann"]
    burst = [event(minute, "a") for minute in range(22, 40, 2)]
    assert [hit["slot"] for hit in find(book, burst)] == ["2026-11-02", "2026-11-03"]


def test_the_first_hundred_events_are_evidence() -> None:
    book = book_of(A, correlation("many", "event_count", ["a"], condition={"gte": 100}))
    (hit,) = find(book, [event(n / 60, "a", event_id=f"e{n:04}") for n in range(150)])
    assert hit["evidence_event_ids"] == [f"e{n:04}" for n in range(100)]
    assert "150 events" in hit["message"]


def test_what_has_no_value_of_the_group_is_in_no_group() -> None:
    book = book_of(A, correlation("many", "event_count", ["a"], condition={"gte": 2}))
    assert find(book, [event(1, "a", None), event(2, "a", None), event(3, "a", "")]) == []
    alone = book_of(A, correlation("many", "event_count", ["a"], condition={"gte": 2}, **{"group-by": None}))
    (hit,) = find(alone, [event(1, "a", "x"), event(2, "a", "y")])
    assert (hit["subject_kind"], hit["subject_uid"], hit["actor_uid"]) == ("rule", "many", None)


def test_one_event_of_two_rules_counts_once() -> None:
    twin = base_rule("twin", action="a")
    book = book_of(A, twin, correlation("many", "event_count", ["a", "twin"], condition={"gte": 2}))
    assert find(book, [event(1, "a")]) == []
    assert slots(book, [event(1, "a"), event(2, "a")]) == [("ann", "2026-11-02")]


def test_the_rules_of_a_correlation_are_silent_unless_it_generates() -> None:
    quiet = book_of(A, B, correlation("many", "event_count", ["a"], condition={"gte": 2}))
    assert [each.detector_id for each in quiet.detectors()] == ["b", "many"]
    loud = book_of(A, B, correlation("many", "event_count", ["a"], condition={"gte": 2}, generate=True))
    assert [each.detector_id for each in loud.detectors()] == ["a", "b", "many"]


def test_temporal_wants_all_rules_in_any_order_and_ordered_in_theirs() -> None:
    both = [correlation("any", "temporal", ["a", "b"]), correlation("row", "temporal_ordered", ["a", "b"])]
    book = book_of(A, B, *both)
    assert {hit["detector_id"] for hit in find(book, [event(1, "a"), event(5, "b")])} == {"any", "row"}
    assert {hit["detector_id"] for hit in find(book, [event(1, "b"), event(5, "a")])} == {"any"}
    assert find(book, [event(1, "a"), event(12, "b")]) == []
    assert find(book, [event(1, "a"), event(5, "b", "bob")]) == []


def test_denied_then_given_then_allowed_is_one_story() -> None:
    book = book_of(A, B, C, correlation("story", "temporal_ordered", ["a", "b", "c"]))
    (hit,) = find(book, [event(1, "a"), event(2, "c"), event(3, "b"), event(6, "c")])
    assert hit["evidence_event_ids"] == ["a-1-ann", "c-2-ann", "b-3-ann", "c-6-ann"]
    assert find(book, [event(1, "c"), event(2, "b"), event(3, "a")]) == []


def test_absence_is_judged_when_its_time_is_over() -> None:
    """`a and not b`: no b on either side of a within the timespan; and not before the run's time has passed it."""
    book = book_of(A, B, correlation("lone", "temporal", ["a", "b"], condition="a and not b"))
    assert slots(book, [event(1, "a")]) == [("ann", "2026-11-02")]
    assert slots(book, [event(1, "a")], as_of_minute=11) == [("ann", "2026-11-02")]
    assert slots(book, [event(1, "a")], as_of_minute=10.9) == []
    assert slots(book, [event(1, "a"), event(8, "b")]) == []
    assert slots(book, [event(1, "b"), event(8, "a")]) == []
    (hit,) = find(book, [event(1, "a"), event(12, "b")])
    assert hit["evidence_event_ids"] == ["a-1-ann"]


def test_absence_after_and_before_in_an_order() -> None:
    after = book_of(A, B, correlation("x", "temporal_ordered", ["a", "b"], condition="a and not b"))
    assert slots(after, [event(1, "b"), event(5, "a")]) == [("ann", "2026-11-02")]
    assert slots(after, [event(1, "a"), event(5, "b")]) == []
    before = book_of(A, B, correlation("x", "temporal_ordered", ["a", "b"], condition="not b and a"))
    assert slots(before, [event(1, "b"), event(5, "a")]) == []
    assert slots(before, [event(1, "a"), event(5, "b")], as_of_minute=2) == [("ann", "2026-11-02")]


def test_rules_are_named_by_id_and_by_the_condition_alone() -> None:
    uid = "11111111-2222-4333-8444-555555555555"
    book = book_of({**A, "id": uid}, B, correlation("x", "event_count", [uid], condition={"gte": 2}))
    assert slots(book, [event(1, "a"), event(2, "a")]) == [("ann", "2026-11-02")]
    said = correlation("x", "temporal", [], condition="a and b")
    assert slots(book_of(A, B, said), [event(1, "a"), event(2, "b")]) == [("ann", "2026-11-02")]


def test_aliases_say_what_a_group_is_called_in_each_rule() -> None:
    aliases = {"who": {"a": "actor_uid", "b": "identity_id"}}
    book = book_of(A, B, correlation("x", "temporal", ["a", "b"], aliases=aliases, **{"group-by": ["who"]}))
    rows = [event(1, "a"), event(2, "b", "other", identity_id="ann")]
    assert slots(book, rows) == [("ann", "2026-11-02")]
    assert slots(book, [event(1, "a"), event(2, "b", "ann", identity_id="other")]) == []


def test_correlations_of_correlations() -> None:
    """Many failures, then a success; evidence of the window is all events of both."""
    many = correlation("many", "event_count", ["a"], condition={"gte": 3}, timespan="5m")
    then = correlation("then", "temporal_ordered", ["many", "b"])
    book = book_of(then, A, many, B)
    rows = [event(minute, "a") for minute in (1, 2, 3)]
    (hit,) = find(book, [*rows, event(9, "b")])
    assert (hit["detector_id"], hit["subject_uid"]) == ("then", "ann")
    assert hit["evidence_event_ids"] == ["a-1-ann", "a-2-ann", "a-3-ann", "b-9-ann"]
    assert find(book, [*rows[:2], event(9, "b")]) == []
    assert find(book, [*rows, event(14, "b")]) == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"type": "event_count", "rules": ["nobody"], "condition": {"gte": 2}}, "no rule 'nobody'"),
        ({"type": "event_count", "rules": ["x"], "condition": {"gte": 2}}, "no rule 'x'"),
        ({"type": "event_count", "rules": ["a"], "condition": {"gte": 2}, "group-by": ["nope"]}, "no column 'nope'"),
        ({"type": "event_count", "rules": ["a"], "condition": {"gte": 2}, "timespan": "3x"}, "imespan"),
        ({"type": "event_count", "rules": ["a"], "condition": {"gte": 2}, "timespan": "9y"}, "400 days"),
        ({"type": "event_count", "rules": ["a"], "condition": {"gte": 2}, "window": 1}, "unknown key window"),
        ({"type": "event_count", "rules": ["a"], "condition": {"gte": 2, "field": "action"}}, "counts events"),
        ({"type": "value_count", "rules": ["a"], "condition": {"gte": 2}}, "without field reference"),
        ({"type": "value_sum", "rules": ["a"], "condition": {"gte": 2, "field": ["a", "b"]}}, "needs a field"),
        ({"type": "value_percentile", "rules": ["a"], "condition": {"gte": 2, "field": "n"}}, "percentile"),
        ({"type": "nothing", "rules": ["a"], "condition": {"gte": 2}}, "nothing"),
        ({"type": "temporal", "rules": ["a"], "condition": "not a"}, "needs something beside it"),
        ({"type": "temporal_ordered", "rules": ["a", "b"], "condition": {"gte": 1}}, "leave the condition out"),
        ({"type": "temporal", "rules": ["a", "a"]}, "each once"),
        ({"type": "event_count", "rules": "any of them"}, "condition"),
        (5, "2.yml"),
    ],
)
def test_a_wrong_correlation_is_one_line(said: Any, words: str) -> None:
    timed = {"timespan": "5m", **said} if isinstance(said, dict) else said
    book = book_of(A, B, {"title": "x", "name": "x", "correlation": timed})
    assert book.correlations == ()
    (line,) = book.refused()
    assert words in line
    assert "\n" not in line


def test_a_circle_of_correlations_is_refused() -> None:
    book = book_of(
        A,
        correlation("x", "event_count", ["y"], condition={"gte": 2}),
        correlation("y", "event_count", ["x"], condition={"gte": 2}),
    )
    assert len(book.refused()) == 2


@pytest.mark.parametrize("seed", range(12))
def test_random_correlations_say_what_plain_python_says(seed: int) -> None:
    """Ten correlations over one random log, with ties in time, events without a group, and a day's border."""
    chance = random.Random(seed)
    rows = random_log(chance)
    said = {f"r{n}": random_correlation(chance) for n in range(10)}
    minutes = chance.choice([1, 5, 10])
    documents = [
        correlation(name, each["type"], each["rules"], condition=each.get("condition"), timespan=f"{minutes}m")
        for name, each in said.items()
    ]
    as_of = chance.choice([55, 10_000])
    hits = find(book_of(A, B, C, *documents), rows, as_of_minute=as_of)
    found: dict[str, dict[tuple[str, str], set[str]]] = {name: {} for name in said}
    for hit in hits:
        found[hit["detector_id"]][hit["subject_uid"], hit["slot"]] = set(hit["evidence_event_ids"])
    for name, each in said.items():
        wanted = expected(each, rows, span=timedelta(minutes=minutes), as_of=BEGIN + timedelta(minutes=as_of))
        assert found[name] == wanted, each
