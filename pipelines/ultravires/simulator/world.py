"""The whole world: days of work, one after the other, with what goes wrong at known places."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from ultravires.errors import UsageError
from ultravires.simulator import changes, ids
from ultravires.simulator.agent_grants import announce_asked
from ultravires.simulator.agent_plans import Plan, grant_for, plan_steps
from ultravires.simulator.agent_runs import perform
from ultravires.simulator.bystanders import run_human, run_noise
from ultravires.simulator.cast import Agent, Cast, Worker
from ultravires.simulator.casting import cast_for
from ultravires.simulator.configuration import configuration_of
from ultravires.simulator.delegations import delegate
from ultravires.simulator.extent import extent_of
from ultravires.simulator.grants import Grant
from ultravires.simulator.moments import HOUR, MINUTE
from ultravires.simulator.office_keys import make_key
from ultravires.simulator.prompted_runs import prompt
from ultravires.simulator.scribe import Scribe
from ultravires.simulator.stage import Stage
from ultravires.simulator.timetable import situations_on
from ultravires.simulator.truth import write_situations
from ultravires.simulator.worker_grants import deployment_grant, standing_grant
from ultravires.simulator.worker_runs import announce_key, run_batch, run_web_identity


@dataclass(frozen=True)
class Day:
    """One day of the world: where it plays, which day it is, and when it starts."""

    stage: Stage
    number: int
    start: int

    def working_hour(self) -> int:
        return self.start + self.stage.rng.randrange(6 * HOUR, 19 * HOUR)


def write_world(
    out: Path,
    *,
    seed: int,
    events: int | None = None,
    identities: int | None = None,
    days: int | None = None,
    start: date | None = None,
    is_clean: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, int]:
    """Write a labelled world under `out`: everybody's work of every day, and more of it up to about `events` records.

    With `identities` or `days` it is the whole company, with every situation; else a small one in AWS alone.
    is_clean: nothing goes wrong. progress: told how many days of how many are written.
    Returns counts: records of each log, records in all (duplicates among them), duplicates, files, links,
    situations, identities. Raises UsageError where a number is too small or `out` is not empty.
    """
    extent = extent_of(events=events, identities=identities, days=days, start=start, is_clean=is_clean)
    cast = cast_for(extent)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: not an empty folder; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    scribe = Scribe(out, extent, seed)
    (out / "ultravires.yaml").write_text(configuration_of(cast, is_whole=extent.is_whole), encoding="utf-8")
    standing = _announce_standing(scribe, cast)
    for number in range(extent.n_days):
        stage = Stage(scribe, ids.stream(seed, "day", number), cast, standing=standing)
        _live(Day(stage, number, extent.starts(number)))
        scribe.flush(extent.starts(number + 1))
        progress(number + 1, extent.n_days)
    announce_asked(scribe, cast)
    scribe.flush(None)
    scribe.links.close()
    n_situations = write_situations(out / "labels" / "situations.json", scribe.situations)
    return _counts(scribe, cast, n_situations)


def _announce_standing(scribe: Scribe, cast: Cast) -> dict[str, Grant]:
    """Batch users and workloads act for months under one approval each."""
    standing = {}
    for worker in cast.workers:
        if worker.kind in ("ci", "change"):
            continue
        grant = standing_grant(Stage(scribe, ids.stream(scribe.seed, "standing", worker.name), cast), worker)
        scribe.grant(grant)
        standing[worker.subject] = grant
        if worker.kind == "batch":
            announce_key(scribe, worker, grant)
    return standing


def _live(day: Day) -> None:
    stage = day.stage
    run_noise(stage, day.start)
    for worker in stage.cast.workers:
        if worker.maker and day.number == 0:
            make_key(stage, worker, day.working_hour())
    for agent in stage.cast.agents:
        run_agent(day, agent, is_whole=True)
    for worker in stage.cast.workers:
        for _ in range(worker.runs_a_day):
            run_worker(day, worker)
    for human in stage.cast.humans:
        run_human(stage, human, day.working_hour())
    extent = stage.scribe.extent
    for copy, at, play in situations_on(day.number, extent, stage.cast):
        rng = ids.stream(stage.scribe.seed, play.__name__, copy)
        stage.scribe.situations.append(play(replace(stage, rng=rng, copy=copy), at))
    _fill(day, wanted=(extent.n_events or 0) * (day.number + 1) // extent.n_days)


def _fill(day: Day, wanted: int) -> None:
    """More of the same work, until the world holds its share of the wanted records."""
    rng, cast = day.stage.rng, day.stage.cast
    more: tuple[Callable[[], None], ...] = (
        lambda: run_agent(day, rng.choice(cast.agents), is_whole=False),
        lambda: run_worker(day, rng.choice(cast.workers)),
    )
    while day.stage.scribe.n_records < wanted:
        rng.choices(more, weights=(3, 1))[0]()


def run_agent(day: Day, agent: Agent, *, is_whole: bool) -> None:
    """One benign run: with every tool, or with some of them."""
    stage, rng, at = day.stage, day.stage.rng, day.working_hour()
    tools = agent.tools if is_whole or agent.gives_back else tuple(t for t in agent.tools if rng.random() < 0.7)
    tools = tools or agent.tools[:1]
    if agent.asks:
        delegate(stage, agent, at)
        return
    if agent.is_ticketed:
        prompt(stage, agent, at, tools)
        return
    steps = plan_steps(rng, agent, at, tools)
    if agent.is_asked_by_human:
        perform(stage, Plan(agent, steps, human=rng.choice(stage.cast.humans).email))
    else:
        perform(stage, Plan(agent, steps, grant_for(stage, agent, at, tools)))


def run_worker(day: Day, worker: Worker) -> None:
    """One benign job, at the hours of its kind."""
    stage = day.stage
    if worker.kind == "batch":
        at = day.start + HOUR + stage.rng.randrange(4 * 60) * MINUTE
        if day.number or not worker.maker:
            run_batch(stage, worker, stage.standing[worker.subject], at)
    elif worker.kind == "change":
        at = day.start + HOUR + stage.rng.randrange(4 * 60) * MINUTE
        run_batch(stage, worker, _recorded_change(stage, worker, at), at)
    elif worker.kind == "workload":
        at = day.start + stage.rng.randrange(23 * 60) * MINUTE
        run_web_identity(stage, worker, stage.standing[worker.subject], at)
    else:
        at = day.working_hour()
        grant = deployment_grant(stage, worker, at)
        stage.scribe.grant(grant)
        run_web_identity(stage, worker, grant, at)


def _recorded_change(stage: Stage, worker: Worker, at: int) -> Grant | None:
    """The change's approval, where the change system has it in its export."""
    grant = changes.change_grant(stage, worker, at)
    if not changes.is_recorded(stage.scribe.extent, at):
        return None
    stage.scribe.change(changes.rows(grant, worker))
    return grant


def _counts(scribe: Scribe, cast: Cast, n_situations: int) -> dict[str, int]:
    counts = {name: files.n_records for name, files in scribe.logs().items()}
    return counts | {
        "records": scribe.n_records,
        "duplicates": scribe.n_duplicates,
        "files": sum(files.n_files for files in scribe.logs().values()),
        "links": scribe.links.n,
        "situations": n_situations,
        "identities": len(cast.agents) + len(cast.workers) + len(cast.humans),
    }
