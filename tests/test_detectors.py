"""The contract of anomaly models over every one there is, and what rare_action finds and leaves alone."""

import importlib
import pkgutil
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import ultravires_models.detectors
from ultravires.build.table_schemas import table_schemas
from ultravires_models.detector import Detector, run_detector
from ultravires_models.detectors.rare_action import Profile, RareActionModel, Use
from ultravires_models.errors import DetectorError
from ultravires_models.frameworks import load_frameworks
from ultravires_models.hits import HITS, SEVERITIES

START = datetime(2026, 11, 2, tzinfo=UTC)
N_DAYS = 10

USAGE = pa.schema(
    [
        ("identity_id", pa.string()),
        ("actor_uid", pa.string()),
        ("action", pa.string()),
        ("resource_uid", pa.string()),
        ("event_hour", pa.timestamp("us", tz="UTC")),
        ("n", pa.int64()),
        ("n_denied", pa.int64()),
        ("first_at", pa.timestamp("us", tz="UTC")),
        ("last_at", pa.timestamp("us", tz="UTC")),
        ("first_event_id", pa.string()),
    ]
)
IDENTITIES = pa.schema(
    [
        ("identity_id", pa.string()),
        ("identity_kind", pa.string()),
        ("name", pa.string()),
        ("owner", pa.string()),
        ("is_nonhuman", pa.bool_()),
    ]
)


def discovered() -> Iterator[Detector]:
    package = ultravires_models.detectors
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        if hasattr(module, "DETECTOR"):
            yield module.DETECTOR


DETECTORS = list(discovered())
EACH_DETECTOR = pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.detector_id)
RARE_ACTION = next(detector for detector in DETECTORS if detector.detector_id == "rare_action")


def use(identity: str, action: str, day: int, hour: int = 9, **row: Any) -> dict[str, Any]:
    at = START + timedelta(days=day, hours=hour, minutes=7)
    return {
        "identity_id": identity,
        "actor_uid": f"arn:{identity}",
        "action": action,
        "resource_uid": "",
        "event_hour": at.replace(minute=0),
        "n": 1,
        "n_denied": 0,
        "first_at": at,
        "last_at": at,
        "first_event_id": f"{identity}-{action}-{day}-{hour}",
        **row,
    }


def identity(name: str, **row: Any) -> dict[str, Any]:
    return {
        "identity_id": name,
        "identity_kind": "role",
        "name": name,
        "owner": None,
        "is_nonhuman": True,
        **row,
    }


@cache
def empty_tables() -> dict[str, pa.Table]:
    published = [schema for schema in table_schemas().values() if schema.is_published]
    with duckdb.connect() as con:
        for schema in published:
            con.execute(schema.create_sql())
        return {schema.name: con.table(schema.name).to_arrow_table() for schema in published}


def tables(usage: list[dict[str, Any]], identities: list[dict[str, Any]]) -> dict[str, pa.Table]:
    """Every published table, all but these two empty."""
    return empty_tables() | {
        "usage": pa.Table.from_pylist(usage, schema=USAGE),
        "identities": pa.Table.from_pylist(identities, schema=IDENTITIES),
    }


def benign_world(seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """40 identities of 8 teams over 10 days: routines within the team's actions, days off, rare novelties."""
    rng = random.Random(seed)
    shared = ["sts:GetCallerIdentity", "s3:GetObject", "s3:PutObject", "logs:PutLogEvents"]
    usage, identities = [], []
    for number in range(40):
        team = number % 8
        known = [f"svc{team}:Act{k}" for k in range(12)] + shared
        routine = set(rng.sample(known, 9))
        identities.append(identity(f"id{number}", owner=f"team{team}"))
        for day in range(N_DAYS):
            is_off = rng.random() < 0.1
            acts = [action for action in known if rng.random() < (0.85 if action in routine else 0.02)]
            usage += [] if is_off else [use(f"id{number}", action, day, rng.randrange(24)) for action in acts]
    return usage, identities


@EACH_DETECTOR
def test_a_detector_is_fully_described(detector: Detector) -> None:
    """Everything that findings, alerts and reports show about a model is there and known."""
    assert detector.severity in SEVERITIES
    assert detector.class_uid in (2004, 2008)
    assert set(detector.frameworks) <= set(load_frameworks())
    assert len(detector.version) == 12
    assert detector.title
    assert detector.description.endswith(".")
    assert detector.remediation.endswith(".")
    assert detector.false_positives


@EACH_DETECTOR
def test_a_detector_gives_hits_of_its_own_and_none_for_nothing(detector: Detector) -> None:
    """Empty tables give an empty HITS table; a world gives the detector's own rows, scored in [0, 1]."""
    assert run_detector(detector, tables([], [])).schema == HITS
    usage, identities = benign_world(1)
    hits = run_detector(detector, tables([*usage, use("id5", "iam:CreateUser", 9)], identities)).to_pylist()
    assert {hit["detector_id"] for hit in hits} <= {detector.detector_id}
    assert all(0.0 <= hit["score"] <= 1.0 for hit in hits)


@EACH_DETECTOR
def test_the_order_of_rows_does_not_matter(detector: Detector) -> None:
    """Any order of usage and identities ends in the same hits, in the same order."""
    usage, identities = benign_world(2)
    usage += [use("id5", "iam:CreateUser", 8, hour) for hour in (15, 3, 20)]
    expected = run_detector(detector, tables(usage, identities))
    for seed in range(3):
        random.Random(seed).shuffle(usage)
        random.Random(seed).shuffle(identities)
        assert run_detector(detector, tables(usage, identities)).equals(expected)


@EACH_DETECTOR
def test_a_missing_input_is_named(detector: Detector) -> None:
    """A table that was not given is an error that names it."""
    with pytest.raises(DetectorError, match=detector.inputs[0]):
        run_detector(detector, {})


def test_an_answer_in_other_columns_is_refused() -> None:
    """What a model returns must be HITS, so that a typo in a column never reaches the findings."""
    wrong = Detector(**{**RARE_ACTION.__dict__, "inputs": (), "detect": lambda given: pa.table({"detector_id": ["x"]})})
    with pytest.raises(DetectorError, match="other columns than HITS"):
        run_detector(wrong, {})


@pytest.mark.parametrize("seed", range(8))
def test_a_benign_world_is_almost_silent_and_a_new_power_is_found(seed: int) -> None:
    """Of 40 identities over 10 days at most four benign novelties are reported; the planted one always."""
    usage, identities = benign_world(seed)
    planted = use("id5", "iam:CreateUser", 8, 13)
    hits = run_detector(RARE_ACTION, tables([*usage, planted], identities)).to_pylist()
    by_subject = {hit["subject_uid"]: hit for hit in hits}
    found = by_subject.pop("arn:id5 iam:CreateUser")
    assert len(by_subject) <= 4
    assert found["evidence_event_ids"] == [planted["first_event_id"]]
    assert (found["hit_at"], found["event_hour"]) == (planted["first_at"], planted["event_hour"])
    assert (found["subject_kind"], found["slot"], found["identity_id"]) == ("actor_action", "", "id5")
    assert found["score"] > 0.999
    assert "id5 used iam:CreateUser for the first time" in found["message"]


def routine(names: list[str], days: int) -> list[dict[str, Any]]:
    actions = [f"svc:Act{k}" for k in range(8)]
    return [use(name, action, day) for name in names for action in actions for day in range(days)]


TEAM = [identity(name, owner="team") for name in ("a", "b", "c")]


def hits_of(usage: list[dict[str, Any]], identities: list[dict[str, Any]]) -> list[str]:
    return [hit["subject_uid"] for hit in run_detector(RARE_ACTION, tables(usage, identities)).to_pylist()]


def test_what_a_peer_does_is_no_news() -> None:
    """An action that a peer used on an earlier day is not reported, and one that no peer used is."""
    usage = [*routine(["a", "b", "c"], 6), use("b", "svc:Peer", 2), use("a", "svc:Peer", 6)]
    assert hits_of(usage, TEAM) == []
    usage[-1] = use("a", "svc:Nobody", 6)
    assert hits_of(usage, TEAM) == ["arn:a svc:Nobody"]


def test_the_future_is_not_known() -> None:
    """What a peer does the day after does not excuse what an identity did the day before."""
    usage = [*routine(["a", "b", "c"], 9), use("a", "svc:New", 6)]
    later = [use(name, "svc:New", day) for name in ("b", "c") for day in (7, 8)]
    assert hits_of(usage, TEAM) == hits_of([*usage, *later], TEAM) == ["arn:a svc:New"]


@pytest.mark.parametrize(("days_before", "expected"), [(2, []), (3, ["arn:a svc:New"])])
def test_silence_before_three_active_days(days_before: int, expected: list[str]) -> None:
    """An identity that was active on fewer than three days before is not judged."""
    others = routine(["b", "c"], 10)
    assert hits_of([*others, *routine(["a"], days_before), use("a", "svc:New", 9)], TEAM) == expected


def test_people_are_not_judged() -> None:
    """The model is about non-human identities; a person, and whoever is not known, is left out."""
    usage = [*routine(["a", "b", "c"], 6), use("a", "svc:New", 6)]
    for is_nonhuman in (False, None):
        assert hits_of(usage, [identity("a", is_nonhuman=is_nonhuman), *TEAM[1:]]) == []


def test_repeats_of_a_day_count_once() -> None:
    """Many uses at many hours of a day are one first use, with the earliest as evidence."""
    usage = [*routine(["a", "b", "c"], 6), *(use("a", "svc:New", 6, hour) for hour in (20, 4, 11))]
    (hit,) = run_detector(RARE_ACTION, tables(usage, TEAM)).to_pylist()
    assert hit["evidence_event_ids"] == ["a-svc:New-6-4"]


def test_an_erratic_identity_is_left_alone_after_a_while() -> None:
    """Where every day brings novelties they are no news: at most three days of them are reported."""
    usage = [*routine(["a", "b", "c"], 10), *(use("a", f"svc:New{day}", day) for day in range(10))]
    assert hits_of(usage, TEAM) == [f"arn:a svc:New{day}" for day in (3, 4, 5)]


def test_an_identity_that_repeats_itself_scores_higher() -> None:
    """The unknown weighs more where single uses are usual: the same new action scores lower there."""
    crowd = [Use(f"c{n}", f"svc:Act{k}") for n in range(6) for k in range(5)]
    days = [{*crowd, *(Use("x", f"svc:Act{k}") for k in range(5))} for _ in range(6)]
    profiles = {name: Profile("role", name) for name in ("x", *(f"c{n}" for n in range(6)))}
    steady = RareActionModel(profiles).fit(days)
    varied = RareActionModel(profiles).fit([{*days[0], Use("x", f"svc:Once{number}")} for number in range(6)])
    assert steady.score_samples([Use("x", "iam:New")])[0] > varied.score_samples([Use("x", "iam:New")])[0]


def test_probabilities_sum_to_one() -> None:
    """The blended distribution over the vocabulary and the unseen loses no weight between its levels."""
    profiles = {name: Profile("role", "team") for name in "abc"}
    model = RareActionModel(profiles).fit([{Use(name, f"s:{k}") for k in range(4)} for name in "abc"])
    assert sum(model._distribution("a").values()) == pytest.approx(1.0)


def test_fit_forgets_what_was_before() -> None:
    """Fitting again learns from the new days only, as scikit-learn's estimators do."""
    model = RareActionModel({"a": Profile("role", None)}).fit([{Use("a", "s:1")}] * 5)
    assert not model.is_novel(Use("a", "s:1"))
    assert model.fit([{Use("a", "s:2")}] * 5).is_novel(Use("a", "s:1"))


def test_log_text_in_a_message_stays_on_one_line() -> None:
    """An action's name comes from a log: it is bounded and cannot start a new line."""
    usage = [*routine(["a", "b", "c"], 6), use("a", "svc:\n\x1b[2J" + "x" * 500, 6)]
    (hit,) = run_detector(RARE_ACTION, tables(usage, TEAM)).to_pylist()
    assert hit["message"].isprintable()
    assert len(hit["message"]) < 350


def test_the_model_is_cloned_as_scikit_learn_clones() -> None:
    """The constructor only stores, so that a clone has the same parameters and none of what was learned."""
    from sklearn.base import clone

    model = RareActionModel({}, budget_days=30)
    model.fit([])
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "counts_")
