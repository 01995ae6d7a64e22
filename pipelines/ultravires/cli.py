"""The command line. Heavy libraries are imported by the command that needs them, so that `trace` answers at once."""

import contextlib
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ultravires import __version__
from ultravires.commands import asking, keeping, reviewing, running, trying
from ultravires.rulesets import commands as rules_commands
from ultravires.tracing.visible import LONGEST_LINE, visible


class Commands(TyperGroup):
    """What is said of a wrong call may repeat an argument, and a shell makes arguments of the names of files."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        with _visible_usage_errors():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        with _visible_usage_errors():
            return super().invoke(ctx)


@contextlib.contextmanager
def _visible_usage_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if told := getattr(error, "format_message", None):
            line = visible(told(), LONGEST_LINE)
            error.format_message = lambda: line  # type: ignore[attr-defined]
        raise


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Follows every action of a non-human identity back to the grant that allowed it, "
    "and says where it went beyond.",
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"ultravires {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What stands before a command."""


for command in (
    running.run,
    running.watch,
    running.init,
    running.dev,
    asking.trace,
    asking.findings,
    asking.explain,
    asking.lineage,
    asking.paths,
    reviewing.review,
    asking.query,
    asking.sources,
    keeping.quarantine,
    keeping.verify,
    keeping.prune,
    trying.simulate,
    trying.backtest,
):
    app.command()(command)
app.add_typer(rules_commands.app, name="rules", cls=Commands)
