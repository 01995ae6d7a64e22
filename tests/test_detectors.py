"""The contract of anomaly models over every one there is, and what rare_action finds and leaves alone."""

import importlib
import pkgutil
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import ultravires_models.detectors
from ultravires.build.table_schemas import table_schemas
from ultravires_models.detector import Detector, run_detector
from ultravires_models.errors import DetectorError
from ultravires_models.estimators.peers import PeerIndex, Profile
from ultravires_models.estimators.rare_action import RareActionModel, Use
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
        ("n_failed", pa.int64()),
        ("access", pa.string()),
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
        "n_failed": 0,
        "access": "write",
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


@pytest.mark.parametrize(
    ("access", "severity"),
    [("list", "informational"), ("read", "low"), ("secret", None), ("write", None), (None, None)],
)
def test_what_a_first_use_gives_decides_its_severity(access: str | None, severity: str | None) -> None:
    """To list is informational, to read low; a change, a secret, and what is not known keep the detector's own."""
    usage = [*routine(["a", "b", "c"], 6), use("a", "svc:New", 6, access=access)]
    (hit,) = run_detector(RARE_ACTION, tables(usage, TEAM)).to_pylist()
    assert hit["severity"] == severity


def test_a_first_use_that_never_succeeded_says_so() -> None:
    """Only where none of the day's uses, at whatever hour and place, succeeded."""
    tried = [use("a", "svc:Try", 6, hour, n_failed=1) for hour in (9, 10)]
    done = [use("a", "svc:Do", 6, 9, n_failed=1), use("a", "svc:Do", 6, 10)]
    hits = run_detector(RARE_ACTION, tables([*routine(["a", "b", "c"], 6), *tried, *done], TEAM)).to_pylist()
    assert {hit["subject_uid"]: hit["outcome"] for hit in hits} == {"arn:a svc:Try": "failure", "arn:a svc:Do": None}


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
    profiles = {name: Profile("role", "team") for name in "abc"} | {"d": Profile("role", None)}
    others = {Use("d", f"s:{k}") for k in range(2, 9)}
    model = RareActionModel(profiles).fit([{Use(name, f"s:{k}") for k in range(4)} for name in "abc"] + [others])
    for identity_id in profiles:
        _, shares = model._shares(Use(identity_id, "iam:New"))
        assert sum(n for _, n in shares) == len(model.total_) + 1
        assert sum(n * share for share, n in shares) == pytest.approx(1.0)


def random_days(rng: random.Random, n: int, n_days: int) -> tuple[dict[str, Profile], list[set[Use]]]:
    """Identities of two kinds, some with an owner, whose routines share some of 30 actions, and who bring new ones."""
    owners = [None, *(f"team{number}" for number in range(3))]
    profiles = {f"id{k}": Profile(rng.choice(["role", "user"]), rng.choice(owners)) for k in range(n)}
    routines = {name: rng.sample(range(30), rng.randint(1, 9)) for name in profiles}
    days = []
    for _ in range(n_days):
        uses = {Use(name, f"s:{k}") for name, known in routines.items() for k in known if rng.random() < 0.8}
        days.append(uses | {Use(rng.choice([*profiles]), f"s:{rng.randrange(60)}") for _ in range(4)})
    return profiles, days


def peers_by_definition(model: RareActionModel, identity_id: str) -> list[str]:
    """Each compared with each, as the model's words say it."""
    mine, own = model.profiles[identity_id], set(model.counts_.get(identity_id, ()))
    return [
        other
        for other, counts in model.counts_.items()
        if other != identity_id
        and model.profiles[other].kind == mine.kind
        and (
            (mine.owner is not None and mine.owner == model.profiles[other].owner)
            or len(own & set(counts)) >= model.similar_from * len(own | set(counts))
        )
    ]


@pytest.mark.parametrize("similar_from", [0.3, 0.5, 0.6, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_peers_are_those_of_a_comparison_of_each_with_each(seed: int, similar_from: float) -> None:
    """However they are found: as many, with the same acts, and an action is known of them where one of them used it."""
    profiles, days = random_days(random.Random(seed), 40, 6)
    model = RareActionModel(profiles, similar_from=similar_from).fit([])
    for day in days:
        model.partial_fit(day)
        for name in profiles:
            names = peers_by_definition(model, name)
            found = model.peers(name)
            summed = sum((model.counts_[other] for other in names), Counter[str]())
            assert (found.n, found.counts) == (len(names), summed)
            for action in sorted(model.total_.keys() - model.counts_.get(name, Counter()).keys()):
                is_known = any(action in model.counts_[other] for other in names)
                assert model.peers_.has_used(profiles[name], model.counts_.get(name, Counter()), action) == is_known


def test_days_learned_one_by_one_are_a_whole_fit() -> None:
    """No day has to be learned again for the next: the state is that of a fit over all of them."""
    profiles, days = random_days(random.Random(1), 20, 6)
    whole, uses = RareActionModel(profiles).fit(days), [Use(name, "s:59") for name in profiles]
    by_day = RareActionModel(profiles).fit([])
    for day in days:
        by_day.partial_fit(day)
    assert (by_day.counts_, by_day.n_novel_days_) == (whole.counts_, whole.n_novel_days_)
    assert list(by_day.score_samples(uses)) == list(whole.score_samples(uses))


def test_comparisons_grow_no_faster_than_identities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen times as many teams without an owner: as many comparisons for each identity, not sixteen times more."""
    compared: list[int] = []
    is_similar = PeerIndex._is_similar
    monkeypatch.setattr(
        PeerIndex,
        "_is_similar",
        lambda *given: compared.append(1) or is_similar(*given),  # type: ignore[func-returns-value]
    )
    per_identity = []
    for n in (50, 800):
        rng, compared[:] = random.Random(n), []
        names = [f"id{k}" for k in range(n)]
        model = RareActionModel({name: Profile("role", None) for name in names}).fit([])
        for _ in range(8):
            acts = ((name, f"svc{k // 5}:Act{rng.randrange(9)}") for k, name in enumerate(names) for _ in range(6))
            model.partial_fit([*(Use(*act) for act in acts), *(Use(name, "sts:GetCallerIdentity") for name in names)])
        assert model.is_rare([Use(name, "iam:New") for name in names]).all()
        per_identity.append(len(compared) / n)
    assert per_identity[0] > 1
    assert per_identity[1] < 1.5 * per_identity[0]


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
    from ultravires_models.estimators.for_scikit_learn import RareActionEstimator

    model = RareActionEstimator({}, budget_days=30).fit([])
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "counts_")


def test_what_a_run_does_not_use_is_not_imported() -> None:
    """A run takes the models without scikit-learn, which takes longer to import than most runs take."""
    models = {path.stem for path in Path(ultravires_models.detectors.__path__[0]).parent.glob("estimators/*.py")}
    modules = [
        f"ultravires_models.estimators.{each.detector_id}" for each in discovered() if each.detector_id in models
    ]
    assert modules
    code = f"import sys, {', '.join(modules)}; print([name for name in sys.modules if name in ('sklearn', 'scipy')])"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert imported.stdout.strip() == "[]"
