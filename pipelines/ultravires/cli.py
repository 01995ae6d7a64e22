"""The command line. Heavy libraries are imported by the command that needs them, so that `trace` answers at once."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ultravires import __version__
from ultravires.errors import UsageError
from ultravires.rulesets import commands as rules_commands
from ultravires.settings import CONFIG_NAME, DEFAULT_HOME, find_config, lies_in
from ultravires.tracing.visible import LONGEST_LINE, json_line, visible

REMOTE = "s3://, gs:// or az:// prefix"


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

Home = Annotated[
    Path, typer.Option("--home", help="Folder that holds the warehouse, published tables, alerts and report.")
]
Config = Annotated[
    Path | None, typer.Option("--config", help="ultravires.yaml; default ./ultravires.yaml, then HOME's.")
]
Json = Annotated[bool, typer.Option("--json", help="End with one JSON object on stdout.")]


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


@app.command()
def run(  # noqa: PLR0917 - one option each
    input: Annotated[
        str, typer.Option("--input", help=f"Folder, file or {REMOTE} of logs; sources are found by content.")
    ],
    home: Home = DEFAULT_HOME,
    config: Config = None,
    as_of: Annotated[
        str,
        typer.Option(
            "--as-of", help="Judge as of this time (ISO 8601), as if run then; default: the newest recorded event."
        ),
    ] = "",
    rules: Annotated[
        list[Path] | None,
        typer.Option("--rules", help="Folder or zip of Sigma rules beside ours and those of ultravires.yaml."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Load what is new, rebuild what it touches, judge, publish and deliver. Run it again: only what is new."""
    from ultravires.reading.input_place import input_place
    from ultravires.runs.unchanged import unchanged_result

    found = _config(config, home, input)
    result = unchanged_result(input_place(input), home, config=found, as_of=as_of, rules=rules or ())
    if result is None:
        from ultravires.runs.progress import watched
        from ultravires.runs.run import run_once

        with watched():
            result = run_once(input, home, config=found, as_of=as_of, rules=rules or ())
    if as_json:
        typer.echo(json_line(result.as_dict()))
    else:
        from ultravires.runs.summary import print_summary

        print_summary(result, home)


@app.command()
def watch(
    input: Annotated[str, typer.Option("--input", help=f"Folder, file or {REMOTE} of logs that are still written.")],
    home: Home = DEFAULT_HOME,
    config: Config = None,
    every: Annotated[str, typer.Option("--every", help="How often to look: 30s, 5m, 1h.")] = "60s",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a run on stdout.")] = False,
) -> None:
    """Run over and over in one process until Ctrl-C; says what a run found when it read or sent something."""
    from ultravires.runs.run_result import RunResult
    from ultravires.runs.summary import print_summary
    from ultravires.runs.watching import parse_interval
    from ultravires.runs.watching import watch as keep_watching

    def tell(result: RunResult) -> None:
        if as_json:
            typer.echo(json_line(result.as_dict()))
        else:
            print_summary(result, home)

    keep_watching(input, home, config=_config(config, home, input), every=parse_interval(every), tell=tell)


@app.command()
def init(
    input: Annotated[str, typer.Option("--input", help=f"Folder, file or {REMOTE} of logs to look at.")],
    config: Annotated[Path, typer.Option("--config", help="The file to write; never over one that stands.")] = Path(
        CONFIG_NAME
    ),
) -> None:
    """Look at logs and write an ultravires.yaml with what was found, for you to check."""
    from ultravires.reading.input_place import input_place
    from ultravires.runs.first_look import write_configuration
    from ultravires.runs.progress import watched

    where = input_place(input)
    where.refuse_missing()
    if "://" not in input and lies_in(config, Path(input).resolve()):
        raise UsageError(
            f"{config}: lies in the logs, from where no configuration is taken; name another with --config"
        )
    with watched():
        seen = write_configuration(where, config)
    sources = {source for of_file in seen.files.values() for source in of_file}
    found = f"{len(sources):,} logs in {len(seen.files):,} files, {len(seen.unread):,} not read"
    typer.echo(
        visible(f"{config} is written: {found}. Check it, then: ultravires run --input {input} --config {config}")
    )


@app.command()
def dev(
    input: Annotated[
        str, typer.Option("--input", help=f"Folder or {REMOTE} of logs that the sensor watches.")
    ] = "data/samples",
    home: Home = DEFAULT_HOME,
    config: Config = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the page on this machine.")] = 3000,
) -> None:
    """Open Dagster's page with the same assets, the hourly schedule and the sensor."""
    from ultravires.runs.run import serve

    raise typer.Exit(serve(input, home, config=_config(config, home, input), port=port))


@app.command()
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
    _show(found, draw, as_json)


@app.command()
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


@app.command()
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
    _show(found, draw, as_json)


@app.command()
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
    _show(found, draw, as_json)


@app.command()
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
    _show(found, draw, as_json)


@app.command()
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
    from ultravires.review.applying import WrongRows, apply_and_run
    from ultravires.runs.progress import watched

    try:
        with watched():
            applied, _ = apply_and_run(path, home, config=_config(config, home))
    except WrongRows as wrong:
        for row in wrong.wrong:
            typer.echo(visible(row.sentence(), LONGEST_LINE), err=True)
        raise
    typer.echo(applied.sentence())


@app.command()
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


@app.command()
def sources(as_json: Json = False) -> None:
    """Show every log that can be read: how it is recognised, its join keys, how well it is known, and its page."""
    from ultravires.sources.catalog import as_rows, draw
    from ultravires.tracing.terminal import Terminal

    if as_json:
        typer.echo(json_line(as_rows()))
    else:
        draw(as_rows(), Terminal())


@app.command()
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
    from ultravires.runs.progress import watched
    from ultravires.runs.retrying import retry_and_run
    from ultravires.runs.summary import print_summary

    with watched():
        retried, result = retry_and_run(home, config=_config(config, home))
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


@app.command()
def verify(home: Home = DEFAULT_HOME, as_json: Json = False) -> None:
    """Rebuild every table beside what stands and compare; exit code 1 where any row differs."""
    from ultravires.runs.progress import watched
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


@app.command()
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

    from ultravires.runs.progress import watched
    from ultravires.store.prune import parse_date, prune_and_run

    moment = parse_date(before, now=datetime.now(UTC))
    with watched():
        pruned, result = prune_and_run(home, moment, config=_config(config, home), keep_in_force=keep_in_force)
    if as_json:
        typer.echo(json_line({"pruned": pruned.as_dict(), "run": result.as_dict()}))
    else:
        typer.echo(pruned.sentence())


@app.command()
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
    not; without them, the small one of data/samples.
    """
    from ultravires.moments import parse_moment
    from ultravires.runs.progress import watched, watcher
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


@app.command()
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
    from ultravires.runs.progress import watched
    from ultravires.runs.run import run_once
    from ultravires.store.snapshot import open_published
    from ultravires.tracing.terminal import Terminal

    read_labels(labels)  # what is wrong with them is said before the run
    with tempfile.TemporaryDirectory(prefix="ultravires-backtest-") as folder:
        home = Path(folder) / "home"
        with watched():
            run_once(input, home, config=_config(config, home, input), as_of="")
        with open_published(home) as con:
            scores = score(con, labels)
    if as_json:
        typer.echo(json_line(as_dict(scores)))
    else:
        Terminal().print(render_scores(scores))


app.add_typer(rules_commands.app, name="rules", cls=Commands)


def _config(explicit: Path | None, home: Path, input: str = "") -> Path | None:
    """The configuration, and a line where one is passed over because it lies in the logs."""
    from ultravires.store.home_folder import known_inputs

    inputs = [*known_inputs(home), *([Path(input)] if input and "://" not in input else [])]
    found = find_config(explicit, home, inputs)
    if explicit is None and found != (passed_over := find_config(None, home)):
        where = passed_over.absolute() if passed_over else ""
        line = f"{where} lies in the folder of the logs and is not used; to trust it, pass it as --config"
        typer.echo(visible(line, LONGEST_LINE), err=True)
    return found


def _show(found: Any, draw: Any, as_json: bool) -> None:
    from ultravires.tracing.terminal import Terminal

    if as_json:
        typer.echo(json_line(found.as_dict()))
    else:
        draw(found, Terminal())
