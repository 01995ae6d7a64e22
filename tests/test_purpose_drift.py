"""purpose_drift: silent on who goes on as before, and telling what changed of who does not."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from ultravires.build.table_schemas import table_schemas
from ultravires_models.detector import run_detector
from ultravires_models.detectors.purpose_drift import DETECTOR
from ultravires_models.estimators.purpose_drift import Days, PurposeDriftModel

START = date(2026, 6, 1)
Row = dict[str, Any]
Mix = dict[str, dict[str, float]]
"""Aspect -> value -> its share of an act."""

HABITS = pa.schema(
    [
        *((name, pa.string()) for name in ("identity_id", "period", "aspect", "value", "actor_uid", "first_event_id")),
        ("day", pa.date32()),
        ("n", pa.int64()),
        ("first_at", pa.timestamp("us", tz="UTC")),
    ]
)
IDENTITIES = pa.schema([("identity_id", pa.string()), ("name", pa.string())])
READER: Mix = {
    "action": {"s3:GetObject": 0.7, "s3:ListBucket": 0.3},
    "access": {"read": 0.7, "list": 0.3},
    "hour": {"9": 0.5, "10": 0.5},
    "network": {"198.51.100.0/24": 1.0},
    "tool": {"read_invoice": 1.0},
}


def rows_of_day(
    random: np.random.Generator, identity: str, nth: int, *, n_acts: int, mix: Mix, gap: int = 0
) -> list[Row]:
    """What one identity did on one of its 56 days, drawn from a mix; `gap` days lie between the two periods."""
    period = "last" if nth >= 28 else "first"
    day = START + timedelta(days=nth + (gap if nth >= 28 else 0))
    rows = []
    for aspect, shares in mix.items():
        for value, n in zip(shares, random.multinomial(n_acts, list(shares.values())), strict=True):
            if n:
                row = {"identity_id": identity, "period": period, "day": day, "aspect": aspect, "value": value}
                at = datetime(day.year, day.month, day.day, 9, 30, tzinfo=UTC)
                event_id = f"{identity}-{nth}-{aspect}-{value}"
                rows.append(
                    row | {"n": int(n), "actor_uid": f"arn:{identity}", "first_at": at, "first_event_id": event_id}
                )
    return rows


def history(random: np.random.Generator, identity: str, mix_of: Callable[[int], Mix], **more: Any) -> list[Row]:
    """Eight weeks with weekends that are quieter."""
    n_acts = [1 + random.poisson(6 if nth % 7 < 5 else 1) for nth in range(56)]
    return [
        row
        for nth in range(56)
        for row in rows_of_day(random, identity, nth, n_acts=n_acts[nth], mix=mix_of(nth), **more)
    ]


def hits_of(habits: Sequence[Row], names: Sequence[str] = ("robot",)) -> list[Row]:
    identities = pa.Table.from_pylist([{"identity_id": name, "name": name} for name in names], schema=IDENTITIES)
    tables = {"habits": pa.Table.from_pylist(list(habits), schema=HABITS), "identities": identities}
    return run_detector(DETECTOR, tables).to_pylist()


def always(mix: Mix) -> Callable[[int], Mix]:
    return lambda nth: mix


def from_day(day: int, before: Mix, after: Mix) -> Callable[[int], Mix]:
    return lambda nth: after if nth >= day else before


def random_mix(random: np.random.Generator) -> Mix:
    actions = [f"svc{k}:Act" for k in range(12)]
    return {
        "action": dict(zip(actions, random.dirichlet(np.ones(12)), strict=True)),
        "hour": dict(zip(map(str, range(24)), random.dirichlet(np.ones(24)), strict=True)),
        "network": dict(zip(["a", "b"], random.dirichlet(np.ones(2)), strict=True)),
    }


@pytest.mark.parametrize("seed", range(3))
def test_silent_on_identities_that_go_on_as_before(seed: int) -> None:
    """Of 200 that draw every day from a mix of their own at most one in twenty speaks."""
    random = np.random.default_rng(seed)
    names = [f"id{k}" for k in range(200)]
    habits = [row for name in names for row in history(random, name, always(random_mix(random)))]
    assert len(hits_of(habits, names)) <= 10


@pytest.mark.parametrize("seed", range(3))
def test_one_alone_that_goes_on_as_before_speaks_once_in_twenty(seed: int) -> None:
    """By itself, with nobody to share the chance with, each of 200 is judged at 5%, and no more than ten speak."""
    random = np.random.default_rng(seed)
    alone = [days_of(history(random, "robot", always(random_mix(random)))) for _ in range(200)]
    assert sum(bool(PurposeDriftModel().fit([days]).is_changed_[0]) for days in alone) <= 10


def days_of(habits: Sequence[Row]) -> Days:
    from ultravires_models.estimators import purpose_drift

    return purpose_drift.days_of(purpose_drift._placed(pa.Table.from_pylist(list(habits), schema=HABITS)))


def test_a_change_is_told_with_what_changed() -> None:
    """Among 40 that go on as before the one whose work changed is reported, with actions, hours and networks."""
    random = np.random.default_rng(5)
    names = [f"id{k}" for k in range(40)]
    other = READER | {
        "action": {"s3:PutObject": 0.8, "s3:GetObject": 0.2},
        "network": {"203.0.113.0/24": 0.9, "198.51.100.0/24": 0.1},
    }
    habits = [row for name in names for row in history(random, name, always(random_mix(random)))]
    habits += history(random, "robot", from_day(28, READER, other), gap=56)
    (hit,) = hits_of(habits, [*names, "robot"])
    assert (hit["subject_kind"], hit["subject_uid"], hit["identity_id"]) == ("actor", "arn:robot", "robot")
    assert hit["message"].startswith(
        "robot does other things in the four weeks from 2026-08-24 than in those from 2026-06-01: "
        "network 203.0.113.0/24 0% to"
    )
    assert "; s3:PutObject 0% to" in hit["message"]
    assert hit["hit_at"] == datetime(2026, 8, 24, 9, 30, tzinfo=UTC)
    assert {"robot-28-network-203.0.113.0/24", "robot-28-action-s3:PutObject"} <= set(hit["evidence_event_ids"])
    assert (hit["severity"], hit["slot"]) == (None, "")
    assert hit["score"] > 0.99


@pytest.mark.parametrize(
    ("aspect", "mix"),
    [
        ("action", {"iam:ListUsers": 1.0}),
        ("hour", {"2": 0.5, "3": 0.5}),
        ("network", {"203.0.113.0/24": 1.0}),
        ("tool", {"send_mail": 1.0}),
        ("access", {"write": 1.0}),
    ],
)
def test_each_aspect_is_enough(aspect: str, mix: dict[str, float]) -> None:
    """A change of one alone, be it actions, what they give, hours, networks or tools, is seen."""
    random = np.random.default_rng(1)
    (hit,) = hits_of(history(random, "robot", from_day(28, READER, READER | {aspect: mix})))
    assert next(iter(mix)) in hit["message"]


def test_who_reads_secrets_now_weighs_more() -> None:
    """Low by itself; medium where secrets are read that were not in the first weeks."""
    random = np.random.default_rng(1)
    before = READER | {"access": {"read": 1.0}}
    (hit,) = hits_of(history(random, "robot", from_day(28, before, READER | {"access": {"read": 0.6, "secret": 0.4}})))
    assert hit["severity"] == "medium"


def test_a_rhythm_of_weeks_is_no_change() -> None:
    """What is done on Mondays only, on all of them, is the same in both periods."""
    random = np.random.default_rng(2)
    reports = READER | {"action": {"ses:SendEmail": 1.0}}
    assert hits_of(history(random, "robot", lambda nth: reports if nth % 7 == 0 else READER)) == []


@pytest.mark.parametrize("seed", range(5))
def test_tasks_of_some_days_are_no_change(seed: int) -> None:
    """Who does one thing for three days and then another has no days that could be exchanged, and is left alone."""
    random = np.random.default_rng(seed)
    names = [f"id{k}" for k in range(20)]
    habits: list[Row] = []
    for name in names:
        tasks = [READER | {"action": {f"svc:Act{random.integers(12)}": 1.0}} for _ in range(20)]
        habits += history(random, name, partial(lambda tasks, nth: tasks[nth // 3], tasks))
    assert len(hits_of(habits, names)) <= 2


def test_one_day_is_no_change() -> None:
    """One day with a thousand acts of another kind counts as one day."""
    random = np.random.default_rng(3)
    habits = [row for row in history(random, "robot", always(READER)) if row["day"] != START + timedelta(days=40)]
    habits += rows_of_day(random, "robot", 40, n_acts=1000, mix=READER | {"action": {"iam:CreateUser": 1.0}})
    assert hits_of(habits) == []


def test_more_of_the_same_is_no_change() -> None:
    """Ten times as many acts of the same mix are the same purpose."""
    random = np.random.default_rng(4)
    n_acts = [50 if nth < 28 else 500 for nth in range(56)]
    habits = [row for nth in range(56) for row in rows_of_day(random, "robot", nth, n_acts=n_acts[nth], mix=READER)]
    assert hits_of(habits) == []


@pytest.mark.parametrize("missing", [0, 3, 4, 7])
def test_a_week_without_anything_leaves_the_question_open(missing: int) -> None:
    """Weeks are compared with weeks, and each has to have something."""
    random = np.random.default_rng(1)
    habits = history(random, "robot", from_day(28, READER, READER | {"action": {"iam:ListUsers": 1.0}}))
    first = {row["day"] for row in habits}
    gone = {START + timedelta(days=7 * missing + nth) for nth in range(7)}
    assert hits_of([row for row in habits if row["day"] not in gone]) == []
    assert len(first) == 56


def test_what_only_one_side_shows_is_not_compared() -> None:
    """A log of tools, or addresses, that began in between says nothing of what was before."""
    random = np.random.default_rng(1)
    without = {aspect: mix for aspect, mix in READER.items() if aspect not in ("tool", "network")}
    assert hits_of(history(random, "robot", from_day(28, without, READER))) == []


def test_log_text_is_bounded_and_on_one_line() -> None:
    """Values are names that come from logs, and an attacker may invent as many as he likes."""
    random = np.random.default_rng(1)
    names = {f"a\n\x1b[2J{'x' * 500}{k}": 1 / 300 for k in range(300)}
    (hit,) = hits_of(history(random, "robot", from_day(28, READER, READER | {"action": names})))
    assert hit["message"].isprintable()
    assert len(hit["message"]) < 900


def test_answers_do_not_depend_on_the_order_of_identities() -> None:
    """The same draws serve all of them."""
    random = np.random.default_rng(9)
    all_days = [
        days_of(history(random, "r", from_day(28 if k < 5 else 99, random_mix(random), random_mix(random))))
        for k in range(30)
    ]
    forwards, backwards = PurposeDriftModel().fit(all_days), PurposeDriftModel().fit(all_days[::-1])
    assert list(forwards.p_values_) == list(backwards.p_values_[::-1])
    assert list(forwards.is_changed_) == [True] * 5 + [False] * 25


def test_the_model_is_cloned_as_scikit_learn_clones() -> None:
    """The constructor only stores, so that a clone has the same parameters and none of what was learned."""
    from sklearn.base import clone
    from ultravires_models.estimators.for_scikit_learn import PurposeDriftEstimator

    model = PurposeDriftEstimator(level=0.01).fit([])
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "p_values_")


def test_the_columns_are_those_of_the_table() -> None:
    """What these tests give has the columns of `habits`."""
    assert set(HABITS.names) == set(table_schemas()["habits"].types())
