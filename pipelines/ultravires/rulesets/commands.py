"""The commands `ultravires rules list|lint|test|coverage`."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ultravires.config_file import find_config
from ultravires.environment import DEFAULT_HOME
from ultravires.errors import UsageError
from ultravires.store.atomic_file import write_atomically
from ultravires.tracing.visible import LONGEST_LINE, json_line, visible

app = typer.Typer(no_args_is_help=True, help="The rules: list them, check them, and see what they cover.")
Packs = Annotated[
    list[Path] | None,
    typer.Option("--rules", help="Folder or zip of Sigma rules beside ours and those of the configuration."),
]
Config = Annotated[Path | None, typer.Option("--config", help="ultravires.yaml; default ./ultravires.yaml.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON value on stdout.")]


@app.command("list")
def list_rules(rules: Packs = None, config: Config = None, as_json: Json = False) -> None:
    """Every rule with its level and log, and those that are refused with the reason."""
    rows = _book(rules, config).table().to_pylist()
    _tell(rows, as_json, (f"{_place(row)}  {row['level'] or ''}  {row['log_source'] or row['kind']}" for row in rows))


@app.command()
def lint(
    pack: Annotated[Path, typer.Argument(help="Folder, zip or file of Sigma rules.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """What is wrong with the rules of a pack, one line each; exit code 1 where anything is."""
    _refuse_missing(pack)
    rows = [row for row in _book([pack], config).table().to_pylist() if row["pack"] == str(pack)]
    if not rows:
        raise UsageError(f"{pack}: holds no Sigma rules (.yml files); name the folder, zip or file that does")
    refused = [row for row in rows if row["status"] == "refused"]
    lines = [_place(row) for row in refused] or [f"{len(rows):,} rules, correlations and filters, all of which work"]
    _tell(refused, as_json, lines)
    if refused:
        raise typer.Exit(1)


@app.command()
def test(
    pack: Annotated[
        Path | None, typer.Argument(help="Folder of rules with cases beside them; ours where none is named.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Run the cases beside the rules; exit code 1 where a rule does not do what a case says, or is refused."""
    from ultravires_models.rulebook import OURS

    from ultravires import registry
    from ultravires.rulesets.checking import check_rules

    folder, name = (registry.rules_root(), OURS) if pack is None else (pack, str(pack))
    _refuse_missing(folder)
    book = _book([] if pack is None else [pack], config)
    checked = check_rules(book, name, folder)
    refused = [_place(row) for row in book.table().to_pylist() if row["pack"] == name and row["status"] == "refused"]
    wrong = [f"{each.name}: {problem}" for each in checked for problem in each.problems]
    n_without = sum(each.n_cases == 0 for each in checked)
    counts = (
        f"{sum(each.n_cases for each in checked):,} cases of {len(checked):,} rules, {n_without:,} of which have none"
    )
    rows = [vars(each) for each in checked]
    _tell({"rules": rows, "refused": refused}, as_json, [*refused, *wrong, counts])
    if refused or wrong:
        raise typer.Exit(1)


@app.command()
def coverage(
    rules: Packs = None,
    config: Config = None,
    navigator: Annotated[
        Path | None, typer.Option("--navigator", help="Write a layer file for the ATT&CK Navigator here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Which techniques of ATT&CK and risks of OWASP's lists the rules cite, over which logs."""
    from ultravires.rulesets.coverage import coverage_rows, covered, navigator_layer

    book = _book(rules, config)
    if navigator is not None:
        try:
            write_atomically(navigator, json.dumps(navigator_layer(book), indent=1))
        except OSError as error:
            raise UsageError(
                f"{navigator}: cannot be written ({error.strerror}); choose another --navigator"
            ) from error
    lines = (
        f"{row['reference']:<22} {row['n_rules']:>4}  {row['title'] or ''}  {', '.join(row['log_sources'])}"
        for row in covered(book)
    )
    _tell(coverage_rows(book), as_json, lines)


def _book(rules: Sequence[Path] | None, config: Path | None) -> Any:
    from ultravires.build import pipeline
    from ultravires.runs.rule_packs import take_rules

    take_rules(DEFAULT_HOME, None, config=find_config(config, DEFAULT_HOME), given=rules or ())
    return pipeline.rule_book()


def _place(row: dict[str, Any]) -> str:
    where = f"{row['pack']}: {row['file']}" if row["file"] else row["pack"]
    nth = f" ({row['document']})" if row["document"] > 1 else ""
    return f"{where}{nth}: {row['reason'] or row['name']}"


def _refuse_missing(path: Path) -> None:
    if not path.exists():
        raise UsageError(f"{path}: there is no such pack of rules")


def _tell(rows: Any, as_json: bool, lines: Iterable[str]) -> None:
    if as_json:
        typer.echo(json_line(rows))
        return
    for line in lines:
        typer.echo(visible(line, LONGEST_LINE))
