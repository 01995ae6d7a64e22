"""The commands that run: once, over and over, for the first time, and as Dagster's page."""

from pathlib import Path
from typing import Annotated

import typer

from ultravires.commands.shared import REMOTE, Config, Home, Json, configuration
from ultravires.config_file import CONFIG_NAME, lies_in
from ultravires.environment import DEFAULT_HOME
from ultravires.errors import UsageError
from ultravires.tracing.visible import json_line, visible


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

    found = configuration(config, home, input)
    result = unchanged_result(input_place(input), home, config=found, as_of=as_of, rules=rules or ())
    if result is None:
        from ultravires.progress import watched
        from ultravires.runs.run import run_once

        with watched():
            result = run_once(input, home, config=found, as_of=as_of, rules=rules or ())
    if as_json:
        typer.echo(json_line(result.as_dict()))
    else:
        from ultravires.runs.summary import print_summary

        print_summary(result, home)


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

    keep_watching(input, home, config=configuration(config, home, input), every=parse_interval(every), tell=tell)


def init(
    input: Annotated[str, typer.Option("--input", help=f"Folder, file or {REMOTE} of logs to look at.")],
    config: Annotated[Path, typer.Option("--config", help="The file to write; never over one that stands.")] = Path(
        CONFIG_NAME
    ),
) -> None:
    """Look at logs and write an ultravires.yaml with what was found, for you to check."""
    from ultravires.progress import watched
    from ultravires.reading.input_place import input_place
    from ultravires.runs.first_look import write_configuration

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

    raise typer.Exit(serve(input, home, config=configuration(config, home, input), port=port))
