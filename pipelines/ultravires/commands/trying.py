"""The commands that try the product: a world that is made up, and history that is labelled."""

from pathlib import Path
from typing import Annotated

import typer

from ultravires.commands.shared import REMOTE, Config, Json, configuration
from ultravires.errors import UsageError
from ultravires.tracing.visible import json_line


def simulate(  # noqa: PLR0917 - one option each
    out: Annotated[Path, typer.Option("--out", help="Empty or new folder for the world.")],
    events: Annotated[
        int | None,
        typer.Option("--events", min=100, help="About how many records; 5,000 without --identities and --days."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed writes the same bytes.")] = 7,
    identities: Annotated[
        int | None, typer.Option("--identities", help="How many identities, in all situations.")
    ] = None,
    days: Annotated[int | None, typer.Option("--days", help="How many days, with all situations; 10 or more.")] = None,
    start: Annotated[str, typer.Option("--start", help="The first day.")] = "2026-10-05",
    clean: Annotated[bool, typer.Option("--clean", help="Nothing goes wrong in it.")] = False,
) -> None:
    """Write a labelled world of logs in the vendors' formats.

    With --identities or --days it is a whole company in which everything occurs that the simulator knows, benign and
    not; without them, a small one in AWS alone.
    """
    from ultravires.moments import parse_moment
    from ultravires.progress import watched, watcher
    from ultravires.simulator import write_world

    first_day = parse_moment(start, "--start").date()
    try:
        out.mkdir(parents=True, exist_ok=True)
        is_empty = not any(out.iterdir())
    except OSError as error:
        raise UsageError(f"{out}: cannot be written to ({error.strerror}); choose another --out") from error
    if not is_empty:
        raise UsageError(f"{out}: not an empty folder; choose another --out")
    if events is None and identities is None and days is None:
        events = 5_000
    with watched():
        counts = write_world(
            out,
            seed=seed,
            events=events,
            identities=identities,
            days=days,
            start=first_day,
            is_clean=clean,
            progress=lambda done, total: watcher().step("days written", done, total),
        )
    typer.echo(json_line(counts))


def backtest(
    input: Annotated[str, typer.Option("--input", help=f"Folder or {REMOTE} of logs.")],
    labels: Annotated[Path, typer.Option("--labels", help="Folder with situations.json and links.json.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Run over labelled history in a fresh home; print recall and precision of links and detectors."""
    import tempfile

    from ultravires.backtest.drawing import render_scores
    from ultravires.backtest.labels import read_labels
    from ultravires.backtest.scores import as_dict, score
    from ultravires.progress import watched
    from ultravires.runs.run import run_once
    from ultravires.store.snapshot import open_published
    from ultravires.tracing.terminal import Terminal

    read_labels(labels)  # what is wrong with them is said before the run
    with tempfile.TemporaryDirectory(prefix="ultravires-backtest-") as folder:
        home = Path(folder) / "home"
        with watched():
            run_once(input, home, config=configuration(config, home, input), as_of="")
        with open_published(home) as con:
            scores = score(con, labels)
    if as_json:
        typer.echo(json_line(as_dict(scores)))
    else:
        Terminal().print(render_scores(scores))
