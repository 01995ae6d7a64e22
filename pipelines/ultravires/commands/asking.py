"""The commands that answer from what a run published."""

import contextlib
import io
from typing import Annotated

import typer

from ultravires.commands.shared import Home, Json, show
from ultravires.environment import DEFAULT_HOME
from ultravires.errors import UsageError
from ultravires.tracing.visible import LONGEST_LINE, json_line, visible


def trace(
    id: Annotated[
        str, typer.Argument(help="Approval, ticket, credential, decision, trace, tool call, event, chain ...")
    ],
    home: Home = DEFAULT_HOME,
    as_json: Json = False,
) -> None:
    """Show the chain above and below any id, with every link's method and confidence, and its gaps."""
    from ultravires.store.snapshot import open_published
    from ultravires.tracing.trace import trace as find
    from ultravires.tracing.trace_drawing import draw

    with open_published(home) as con:
        found = find(con, id)
    show(found, draw, as_json)


def findings(
    home: Home = DEFAULT_HOME,
    *,
    severity: Annotated[
        str, typer.Option("--severity", help="The least: informational ... critical.")
    ] = "informational",
    identity: Annotated[str | None, typer.Option("--identity", help="Part of the name of whom it is about.")] = None,
    detector: Annotated[str | None, typer.Option("--detector", help="A rule or a model, by its id.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="With evidence since this date (its begin in UTC) or ISO 8601 time.")
    ] = None,
    state: Annotated[str, typer.Option("--state", help="open, withdrawn or all.")] = "open",
    as_json: Json = False,
) -> None:
    """List what was found, the riskiest first."""
    from ultravires.moments import parse_moment
    from ultravires.store.snapshot import open_published
    from ultravires.tracing.findings_list import Wanted, draw, list_findings
    from ultravires.tracing.terminal import Terminal

    moment = parse_moment(since, "--since") if since else None
    with open_published(home) as con:
        found = list_findings(con, Wanted(severity, identity, detector, moment, state))
    if as_json:
        typer.echo(json_line([one.as_dict() for one in found]))
    else:
        draw(found, Terminal())


def explain(
    finding: Annotated[str, typer.Argument(help="A finding's id, as in the report or in alerts.jsonl.")],
    home: Home = DEFAULT_HOME,
    as_json: Json = False,
) -> None:
    """Say why a finding was made, on which evidence, and what to do."""
    from ultravires.store.snapshot import open_published
    from ultravires.tracing.explain import explain as find
    from ultravires.tracing.explain_drawing import draw

    with open_published(home) as con:
        found = find(con, finding)
    show(found, draw, as_json)


def lineage(
    who: Annotated[str, typer.Argument(metavar="IDENTITY", help="An identity, a name of it, an approval or a ticket.")],
    action: Annotated[str | None, typer.Argument(help="May it do this, and what would end that?")] = None,
    resource: Annotated[str | None, typer.Argument(help="To this; else to anything.")] = None,
    *,
    at: Annotated[
        str | None, typer.Option("--at", help="Date (its begin in UTC) or ISO 8601 time; default: as of the last run.")
    ] = None,
    home: Home = DEFAULT_HOME,
    as_json: Json = False,
) -> None:
    """Show what an identity holds, through what, since when, by whom; and the fewest changes that take it back."""
    from ultravires.lineage.command import look_up
    from ultravires.lineage.drawing import draw
    from ultravires.moments import parse_moment
    from ultravires.store.snapshot import open_published

    moment = parse_moment(at, "--at") if at else None
    with open_published(home) as con:
        found = look_up(con, who, action=action, resource=resource, at=moment)
    show(found, draw, as_json)


def paths(
    who: Annotated[str, typer.Argument(metavar="IDENTITY", help="An identity, or a name of it.")],
    *,
    to: Annotated[
        str | None, typer.Option("--to", help="Only ways to this: a part of a name on the way, or `admin`.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="Date (its begin in UTC) or ISO 8601 time; default: as of the last run.")
    ] = None,
    home: Home = DEFAULT_HOME,
    as_json: Json = False,
) -> None:
    """Show which ways to more power are open to an identity, hop by hop, since when, and what closes each."""
    from ultravires.moments import parse_moment
    from ultravires.possible_paths.command import look_up
    from ultravires.possible_paths.drawing import draw
    from ultravires.store.snapshot import open_published

    moment = parse_moment(at, "--at") if at else None
    with open_published(home) as con:
        found = look_up(con, who, to=to, at=moment)
    show(found, draw, as_json)


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over the published tables.")],
    home: Home = DEFAULT_HOME,
    as_json: Json = False,
) -> None:
    """Run SQL over the published tables; read-only."""
    import duckdb

    from ultravires.store.snapshot import open_published

    with open_published(home) as con:
        try:
            kinds = [statement.type for statement in con.extract_statements(sql)]
            if kinds not in ([duckdb.StatementType.SELECT], [duckdb.StatementType.EXPLAIN]):
                raise UsageError("query: give one SELECT; the published tables are for reading")
            if as_json:
                rows = con.execute(sql)
                names = [column[0] for column in rows.description or []]
                records = [dict(zip(names, values, strict=True)) for values in rows.fetchall()]
                typer.echo(json_line(records))
            else:
                drawn = io.StringIO()
                with contextlib.redirect_stdout(drawn):
                    con.sql(sql).show(max_width=200, max_rows=1000)
                for line in drawn.getvalue().splitlines():
                    typer.echo(visible(line, LONGEST_LINE))
        except duckdb.Error as error:
            raise UsageError(f"query: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The line of DuckDB's message that says what is wrong; where Python refused a file, that is the last."""
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[-1].partition(": ")[2] if lines[0].startswith("Traceback") else lines[0]


def sources(as_json: Json = False) -> None:
    """Show every log that can be read: how it is recognised, its join keys, how well it is known, and its page."""
    from ultravires.sources.catalog import as_rows, draw
    from ultravires.tracing.terminal import Terminal

    if as_json:
        typer.echo(json_line(as_rows()))
    else:
        draw(as_rows(), Terminal())
