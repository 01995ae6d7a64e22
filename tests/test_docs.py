"""What the docs promise is there: tables, columns, sources, rules."""

import re
from pathlib import Path

import ultravires
from conftest import REPO
from ultravires import registry
from ultravires.build.pipeline import published_names, rules
from ultravires.cli import app
from ultravires.sources.catalog import as_markdown

TABLES = (REPO / "docs" / "tables.md").read_text(encoding="utf-8")


def documented_columns(table: str) -> set[str]:
    """Every word in the row of docs/tables.md that speaks of `table`."""
    if table == "events":
        rows = TABLES[TABLES.index("## events") : TABLES.index("Key kinds and roles")].splitlines()
    else:
        rows = [line for line in TABLES.splitlines() if line.startswith("|") and {table, f"stg_{table}"} & _names(line)]
    return {word for line in rows for word in re.findall(r"[a-z_0-9]+", line)}


def _names(line: str) -> set[str]:
    return set(re.findall(r"[a-z_]+", line.split("|")[1]))


def test_every_column_of_a_published_table_is_documented(sample_home: Path) -> None:
    """Who reads a table finds every column in docs/tables.md."""
    missing = []
    with ultravires.open(sample_home) as con:
        for table in [*published_names(), "events", "events_raw"]:
            columns = {row[0] for row in con.execute(f'describe "{table}"').fetchall()}
            known = documented_columns("events" if table.startswith("events") else table)
            missing += [f"{table}.{column}" for column in sorted(columns - known)]
    assert missing == []


def test_every_command_is_in_the_readme() -> None:
    """A command that nobody can read about does not exist."""
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    for command in app.registered_commands:
        assert command.callback is not None
        assert f"ultravires {command.callback.__name__}" in readme


def test_every_sink_is_in_the_readme() -> None:
    """Adding a plug-in includes saying so."""
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    for name in (sink for sink in registry.sinks() if sink != "alerts_file"):
        assert f"`{name}`" in readme, name


def test_the_page_of_sources_is_what_the_sources_say_of_themselves() -> None:
    """docs/sources.md is written by `make docs` and holds nothing else."""
    assert (REPO / "docs" / "sources.md").read_text(encoding="utf-8") == as_markdown()


def test_the_figures_of_the_demo_are_those_of_the_samples(sample_home: Path) -> None:
    """What the README shows of `make demo` is what it prints."""
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    figures = {
        "{:,} new events": "select count(*) from events",
        "│ {:,} over": "select count(*) from chains",
        "over {:,} links": "select count(*) from links",
        "{} critical": "select count(*) from findings where severity = 'critical' and state = 'open'",
        "{} high": "select count(*) from findings where severity = 'high' and state = 'open'",
        "{} medium": "select count(*) from findings where severity = 'medium' and state = 'open'",
    }
    with ultravires.open(sample_home) as con:
        for words, query in figures.items():
            assert words.format(*con.execute(query).fetchall()[0]) in readme, words
        named = re.findall(r"`ultravires trace (APR-\d+)`", readme)
        hops = con.execute(
            "select max_hops, len(account_uids) from chains where approval_uid = ?", [named[0]]
        ).fetchall()
    assert hops == [(3, 3)]


def test_links_inside_the_docs_lead_somewhere() -> None:
    """No page points at a file that is not there."""
    for page in [*REPO.glob("*.md"), *(REPO / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_changelog_counts_the_rules_there_are() -> None:
    """A figure in the docs is kept true, and so is that of the sources."""
    changes = (REPO / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"{len(rules())} Sigma rules" in changes
    assert f"{len(registry.sources())} sources of" in changes
