"""The command `ultravires review`: what is to be decided is written, and what was decided is taken back."""

from pathlib import Path
from typing import Annotated

import typer

from ultravires.commands.shared import Config, Home, configuration
from ultravires.environment import DEFAULT_HOME
from ultravires.errors import UsageError
from ultravires.tracing.visible import LONGEST_LINE, visible


def review(
    home: Home = DEFAULT_HOME,
    config: Config = None,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write: .xlsx, .csv (what is to be decided) or .html.")
    ] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Only what this owner answers for.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Also over a file that stands.")] = False,
    apply: Annotated[
        Path | None, typer.Option("--apply", help="A CSV of decisions to take into the home, then run.")
    ] = None,
) -> None:
    """Write what each identity was approved, holds and uses, with a proposed decision; or take the decisions back."""
    if (out is None) == (apply is None):
        raise UsageError("review: say --out FILE to write a review, or --apply FILE to take its decisions")
    if apply is not None:
        if owner is not None or force:
            raise UsageError("review --apply: takes --home and --config alone")
        _apply_review(apply, home, config)
        return
    assert out is not None
    from ultravires.review.columns import sheets
    from ultravires.review.facts import read_facts
    from ultravires.review.writing import check_out, write_review
    from ultravires.store.snapshot import open_published

    check_out(out, is_forced=force)
    with open_published(home) as con:
        facts = read_facts(con, owner)
    if owner is not None and not facts.identities:
        raise UsageError(f"--owner {owner}: answers for no identity here; owners stand in the table `identities`")
    write_review(sheets(facts), out)
    typer.echo(visible(f"{out} is written: {len(facts.identities):,} identities", LONGEST_LINE))


def _apply_review(path: Path, home: Path, config: Path | None) -> None:
    from ultravires.progress import watched
    from ultravires.review.applying import WrongRows, apply_and_run

    try:
        with watched():
            applied, _ = apply_and_run(path, home, config=configuration(config, home))
    except WrongRows as wrong:
        for row in wrong.wrong:
            typer.echo(visible(row.sentence(), LONGEST_LINE), err=True)
        raise
    typer.echo(applied.sentence())
