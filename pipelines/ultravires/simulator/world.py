"""The whole world: ten days of work, day by day, with what goes wrong at known places."""

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from ultravires.errors import UsageError
from ultravires.simulator import ids
from ultravires.simulator.agent_plans import Plan, grant_for, people, plan_steps
from ultravires.simulator.agent_runs import perform
from ultravires.simulator.cast import Agent, Cast, Worker
from ultravires.simulator.casting import cast_for
from ultravires.simulator.configuration import configuration_of
from ultravires.simulator.grants import Grant
from ultravires.simulator.moments import DAY, DAYS, FIRST_DAY, HOUR, MINUTE
from ultravires.simulator.scribe import Scribe
from ultravires.simulator.situations import Stage
from ultravires.simulator.timetable import situations_on
from ultravires.simulator.truth import write_situations
from ultravires.simulator.worker_runs import (
    announce_batch_key,
    deployment_grant,
    run_batch,
    run_human,
    run_noise,
    run_web_identity,
    standing_grant,
)

PARTS = ("aws_cloudtrail", "otel_genai", "opa_decisions", "approvals", "labels")
Standing = dict[str, Grant]


def write_world(out: Path, *, events: int, seed: int) -> dict[str, int]:
    """Write a labelled world of about `events` records (at least one of every identity's days) under `out`.

    Returns counts: records (duplicates among them), duplicates, files, links, situations, identities.
    Raises UsageError where `events` is not positive or `out` already holds files of another kind.
    """
    if events < 1:
        raise UsageError(f"--events is {events}; it must be at least 1")
    _clear(out)
    cast, scribe = cast_for(events), Scribe(out, events, seed)
    (out / "ultravires.yaml").write_text(configuration_of(cast), encoding="utf-8")
    standing = _announce_standing(scribe, cast)
    for day in range(DAYS):
        _live_day(scribe, cast, standing, day)
        scribe.flush(FIRST_DAY + (day + 1) * DAY)
    scribe.flush(None)
    scribe.links.close()
    n_situations = write_situations(out / "labels" / "situations.json", scribe.situations)
    return _counts(scribe, cast, n_situations)


def _clear(out: Path) -> None:
    """An older world is replaced whole; anything else is not ours to touch."""
    if out.is_dir() and any(out.iterdir()) and not (out / "labels").is_dir():
        raise UsageError(f"{out} holds files that are no simulated world; give an empty directory")
    for part in PARTS:
        shutil.rmtree(out / part, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)


def _announce_standing(scribe: Scribe, cast: Cast) -> Standing:
    """Batch users and workloads act for months under one approval each."""
    standing = {}
    for worker in cast.workers:
        if worker.kind != "ci":
            grant = standing_grant(
                scribe, ids.stream(scribe.seed, "standing", worker.name), worker, cast.humans
            )
            scribe.grant(grant)
            standing[worker.subject] = grant
            if worker.kind == "batch":
                announce_batch_key(scribe, worker, grant)
    return standing


def _live_day(scribe: Scribe, cast: Cast, standing: Standing, day: int) -> None:
    start = FIRST_DAY + day * DAY
    rng = ids.stream(scribe.seed, "day", day)
    run_noise(scribe, rng, start)
    for agent in cast.agents:
        run_agent(scribe, rng, cast, agent, _working_hour(rng, start), is_whole=True)
    for worker in cast.workers:
        run_worker(scribe, rng, cast, worker, standing, start)
    for human in cast.humans:
        run_human(scribe, rng, human, _working_hour(rng, start))
    for copy, at, play in situations_on(day, scribe.n_events):
        stage = Stage(scribe, ids.stream(scribe.seed, play.__name__, copy), cast, copy)
        scribe.situations.append(play(stage, at))
    _fill_day(scribe, rng, cast, standing, day)


def _fill_day(scribe: Scribe, rng: Random, cast: Cast, standing: Standing, day: int) -> None:
    """More of the same work, until the day holds its share of the wanted records."""
    start, wanted = FIRST_DAY + day * DAY, scribe.n_events * (day + 1) // DAYS
    more: tuple[Callable[[], None], ...] = (
        lambda: run_agent(
            scribe, rng, cast, rng.choice(cast.agents), _working_hour(rng, start), is_whole=False
        ),
        lambda: run_worker(scribe, rng, cast, rng.choice(cast.workers), standing, start),
    )
    while scribe.n_records < wanted:
        rng.choices(more, weights=(3, 1))[0]()


def _working_hour(rng: Random, start: int) -> int:
    return start + rng.randrange(6 * HOUR, 19 * HOUR)


def run_agent(scribe: Scribe, rng: Random, cast: Cast, agent: Agent, at: int, *, is_whole: bool) -> None:
    """One benign run: with every tool, or with some of them."""
    tools = (
        agent.tools if is_whole else tuple(t for t in agent.tools if rng.random() < 0.7) or agent.tools[:1]
    )
    steps = plan_steps(rng, agent, at, tools)
    if agent.is_asked_by_human:
        plan = Plan(agent, steps, human=rng.choice(cast.humans).email)
    else:
        plan = Plan(
            agent, steps, grant_for(rng, agent, scribe.next_grant(), people(rng, cast.humans), at, tools)
        )
    perform(scribe, rng, plan)


def run_worker(
    scribe: Scribe, rng: Random, cast: Cast, worker: Worker, standing: Standing, start: int
) -> None:
    """One benign job, at the hours of its kind."""
    if worker.kind == "batch":
        at = start + HOUR + rng.randrange(4 * 60) * MINUTE
        run_batch(scribe, rng, worker, standing[worker.subject], at)
    elif worker.kind == "workload":
        at = start + rng.randrange(23 * 60) * MINUTE
        run_web_identity(scribe, rng, worker, standing[worker.subject], at)
    else:
        at = _working_hour(rng, start)
        grant = deployment_grant(scribe, rng, worker, cast.humans, at)
        scribe.grant(grant)
        run_web_identity(scribe, rng, worker, grant, at)


def _counts(scribe: Scribe, cast: Cast, n_situations: int) -> dict[str, int]:
    logs = {"aws_cloudtrail": scribe.trail, "otel_genai": scribe.spans}
    logs |= {"opa_decisions": scribe.decisions, "approvals": scribe.approvals}
    counts = {name: files.n_records for name, files in logs.items()}
    return counts | {
        "records": scribe.n_records,
        "duplicates": scribe.n_duplicates,
        "files": sum(files.n_files for files in logs.values()),
        "links": scribe.links.n,
        "situations": n_situations,
        "identities": len(cast.agents) + len(cast.workers) + len(cast.humans),
    }
