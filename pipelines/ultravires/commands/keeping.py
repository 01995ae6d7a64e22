"""The commands that keep a home in order: what could not be read, what stands, what goes."""

from pathlib import Path
from typing import Annotated

import typer

from ultravires.commands.shared import Config, Home, Json, configuration
from ultravires.environment import DEFAULT_HOME
from ultravires.tracing.visible import json_line


def quarantine(
    home: Home = DEFAULT_HOME,
    config: Config = None,
    retry: Annotated[bool, typer.Option("--retry", help="Read the records again with this version, then run.")] = False,
    examples: Annotated[int, typer.Option("--examples", min=0, help="Records shown of each reason.")] = 3,
    as_json: Json = False,
) -> None:
    """Show the records that could not be read, by log and reason; or read them again."""
    from ultravires.store.quarantine import draw, look
    from ultravires.store.snapshot import open_published
    from ultravires.tracing.terminal import Terminal

    if retry:
        _retry_quarantine(home, config, as_json)
        return
    with open_published(home) as con:
        found = look(con, examples=examples)
    if as_json:
        typer.echo(json_line(found.as_dict()))
    else:
        draw(found, Terminal())


def _retry_quarantine(home: Path, config: Path | None, as_json: bool) -> None:
    from ultravires.progress import watched
    from ultravires.runs.retrying import retry_and_run
    from ultravires.runs.summary import print_summary

    with watched():
        retried, result = retry_and_run(home, config=configuration(config, home))
    if as_json:
        typer.echo(json_line({"retried": retried.as_dict(), "run": result.as_dict()}))
        return
    print_summary(result, home)
    typer.echo(
        f"quarantine: {retried.n_events:,} new events, {retried.n_duplicates:,} duplicates, "
        f"{retried.n_ignored:,} without an event, {retried.n_pruned:,} from before a prune; "
        f"{retried.n_staying:,} records stay, "
        f"{retried.n_cut_off:,} of them too long: only their beginning was kept, load their file into a new home"
    )


def verify(home: Home = DEFAULT_HOME, as_json: Json = False) -> None:
    """Rebuild every table beside what stands and compare; exit code 1 where any row differs."""
    from ultravires.progress import watched
    from ultravires.runs.verifying import draw_verified, verify_home
    from ultravires.tracing.terminal import Terminal

    with watched():
        found = verify_home(home)
    if as_json:
        typer.echo(json_line({"tables": [verified.as_dict() for verified in found]}))
    else:
        draw_verified(found, Terminal())
    if not all(verified.is_right for verified in found):
        raise typer.Exit(1)


def prune(
    before: Annotated[str, typer.Option("--before", help="Date (its begin in UTC) or ISO 8601 time.")],
    home: Home = DEFAULT_HOME,
    config: Config = None,
    keep_in_force: Annotated[
        bool,
        typer.Option(
            "--keep-in-force", help="Keep older approvals and credentials that still hold, and what they rest on."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Delete events, raw records, quarantine and findings from before a date; leave a tombstone and publish anew."""
    from datetime import UTC, datetime

    from ultravires.progress import watched
    from ultravires.runs.pruning import prune_and_run
    from ultravires.store.prune import parse_date

    moment = parse_date(before, now=datetime.now(UTC))
    with watched():
        pruned, result = prune_and_run(home, moment, config=configuration(config, home), keep_in_force=keep_in_force)
    if as_json:
        typer.echo(json_line({"pruned": pruned.as_dict(), "run": result.as_dict()}))
    else:
        typer.echo(pruned.sentence())
