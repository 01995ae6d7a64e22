"""What the docs promise is there: tables, columns, sources, rules."""

import re
from pathlib import Path

import ultravires
from conftest import REPO
from ultravires import registry
from ultravires.build import tables_page
from ultravires.cli import app
from ultravires.sources import issuing
from ultravires.sources.catalog import as_markdown

_TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)


def test_the_page_of_tables_is_what_the_schemas_say() -> None:
    """docs/tables.md is written by `make docs`, so every column of every table is on it."""
    assert (REPO / "docs" / "tables.md").read_text(encoding="utf-8") == tables_page.as_markdown()


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


def test_the_page_of_issuing_is_the_packaged_table() -> None:
    """docs/issuing.md is written by `make docs` and holds nothing else."""
    assert (REPO / "docs" / "issuing.md").read_text(encoding="utf-8") == issuing.as_markdown()


def test_every_attack_is_in_the_threat_model() -> None:
    """By the whole name of its test; and every test that the page names is there."""
    page = (REPO / "docs" / "threat-model.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\btest_\w+\b(?!\.py)", page))
    tests = {path: set(_TEST.findall(path.read_text(encoding="utf-8"))) for path in (REPO / "tests").rglob("test_*.py")}
    attacks = set().union(*(names for path, names in tests.items() if path.parent.name == "attacks"))
    assert attacks - named == set()
    assert named - set().union(*tests.values()) == set()


def test_the_figures_of_the_demo_are_those_of_the_samples(sample_home: Path) -> None:
    """What the README shows of `make demo` is what it prints."""
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    told = "select count(*) from findings where state = 'open' and len(told_by) = 0"
    figures = {
        "{:,} new events": "select count(*) from events",
        "│ {:,} over": "select count(*) from chains",
        "over {:,} links": "select count(*) from links",
        "{} critical": f"{told} and severity = 'critical'",
        "{} high": f"{told} and severity = 'high'",
        "{} medium": f"{told} and severity = 'medium'",
        "│ {} more of the same acts": "select count(*) from findings where state = 'open' and len(told_by) > 0",
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
