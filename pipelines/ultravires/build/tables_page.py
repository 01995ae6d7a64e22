"""docs/tables.md: what the schemas say of every table, between what only people can say (tables.md.j2)."""

from collections.abc import Iterable
from pathlib import Path

import jinja2

from ultravires.build.table_schemas import REFERENCE, Column, TableSchema, table_schemas

_TEMPLATE = Path(__file__).with_name("tables.md.j2")


def as_markdown() -> str:
    """The whole page, which a test holds to the schemas there are."""
    tables = table_schemas().values()
    page = jinja2.Template(
        _TEMPLATE.read_text(encoding="utf-8"), keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    text: str = page.render(
        published=_sections(table for table in tables if table.is_published),
        reference=_sections(table for table in tables if table.layer == REFERENCE),
        others=_sections(table for table in tables if not table.is_published and table.layer != REFERENCE),
    )
    return text


def _sections(tables: Iterable[TableSchema]) -> str:
    return "\n".join(_section(table) for table in sorted(tables, key=lambda table: table.name))


def _section(table: TableSchema) -> str:
    lines = [
        f"### {table.name}",
        f"{_sentence(table.grain)} {_sentence(table.why)}",
        "",
        "| column | type | meaning |",
        "|---|---|---|",
        *(_row(column, is_key=column.name in table.key) for column in table.columns),
    ]
    return "\n".join(lines) + "\n"


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _row(column: Column, *, is_key: bool) -> str:
    name = f"**{column.name}**" if is_key else column.name
    return f"| {name} | {column.type} | {column.meaning.replace('|', chr(92) + '|')} |"
