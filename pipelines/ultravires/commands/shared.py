"""What several commands share: options, where the configuration is, and how an answer is shown."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ultravires.config_file import find_config
from ultravires.tracing.visible import LONGEST_LINE, json_line, visible

REMOTE = "s3://, gs:// or az:// prefix"
Home = Annotated[
    Path, typer.Option("--home", help="Folder that holds the warehouse, published tables, alerts and report.")
]
Config = Annotated[
    Path | None, typer.Option("--config", help="ultravires.yaml; default ./ultravires.yaml, then HOME's.")
]
Json = Annotated[bool, typer.Option("--json", help="End with one JSON object on stdout.")]


def configuration(explicit: Path | None, home: Path, input: str = "") -> Path | None:
    """The configuration, and a line where one is passed over because it lies in the logs."""
    from ultravires.store.home_folder import known_inputs

    inputs = [*known_inputs(home), *([Path(input)] if input and "://" not in input else [])]
    found = find_config(explicit, home, inputs)
    if explicit is None and found != (passed_over := find_config(None, home)):
        where = passed_over.absolute() if passed_over else ""
        line = f"{where} lies in the folder of the logs and is not used; to trust it, pass it as --config"
        typer.echo(visible(line, LONGEST_LINE), err=True)
    return found


def show(found: Any, draw: Any, as_json: bool) -> None:
    from ultravires.tracing.terminal import Terminal

    if as_json:
        typer.echo(json_line(found.as_dict()))
    else:
        draw(found, Terminal())
