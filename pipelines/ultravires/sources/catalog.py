"""Every log that can be read, for people: what is read, how it is recognised, join keys, grade and page.

`verified` means read against real records of the vendor; `from documentation` means written after the named page, as it
stood on the day given.
"""

from typing import TYPE_CHECKING, Any

from ultravires import registry
from ultravires.reading.exports_tried import exports_of, exports_of_all, own_exports_of
from ultravires.reading.source import Source

if TYPE_CHECKING:
    from rich.console import Console

_GRADES = {"verified": "verified", "documentation": "from documentation"}


def as_rows() -> list[dict[str, Any]]:
    """One mapping a source, by name."""
    return [_row(source) for _, source in sorted(registry.sources().items())]


def _row(source: Source) -> dict[str, Any]:
    return {
        "source": source.name,
        "title": source.title,
        "reads": source.reads,
        "recognised_by": source.recognised_by,
        "evidence_of": list(source.evidence_kinds),
        "voice": source.voice,
        "join_keys": list(source.join_keys),
        "exports": exports_of(source.name),
        "grade": _GRADES[source.grade],
        "documentation": source.documentation,
        "documented_at": source.documented_at,
    }


def draw(rows: list[dict[str, Any]], console: "Console") -> None:
    """One paragraph a source; a table of so much text would be cut off on a terminal."""
    from rich.text import Text  # every process that reads imports this module, and needs nothing to draw with

    for row in rows:
        heading = Text(row["source"], style="bold")
        heading.append(f"  {row['title']}, {row['grade']}", style="not bold")
        console.print(heading)
        for label, value in (
            ("reads", row["reads"]),
            ("recognised by", row["recognised_by"]),
            ("evidence of", ", ".join(row["evidence_of"])),
            ("voice", row["voice"]),
            ("join keys", ", ".join(row["join_keys"]) or "none"),
            ("exports tried", ", ".join(row["exports"])),
            ("page", f"{row['documentation']} ({row['documented_at']})"),
        ):
            console.print(Text(f"  {label}: {value}"), soft_wrap=True)


def as_markdown() -> str:
    """docs/sources.md, which a test holds to the sources there are."""
    lines = [
        "# Sources",
        "",
        "Every log that can be read; `ultravires sources` prints the same. *Verified* means read against real records",
        "of the vendor; *from documentation* means written after the named page as it stood on the day given.",
        "",
        "The voice is who speaks: a *recorded* log is written by a system that its subject cannot write to, in a",
        "*reported* one the subject tells of itself. A run judges as of the time that recorded logs reach.",
        "",
        "A file may hold the records of several of these logs, as exports do; each record is read by its own source:",
        f"{', '.join(f'`{name}`' for name, source in sorted(registry.sources().items()) if source.claim)}.",
        "",
        "Records may come through another system. These exports were tried with every one of these logs; their names",
        f"are those in `files.wrapper`: {', '.join(exports_of_all())}.",
        "The last column names those that write one log in words of their own.",
        "",
        "| source | reads | recognised by | evidence of | voice | join keys | grade | page | exports of its own |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in as_rows():
        page = f"[{row['documented_at']}]({_from_docs(row['documentation'])})"
        cells = (
            f"`{row['source']}`<br>{row['title']}",
            row["reads"],
            row["recognised_by"],
            ", ".join(row["evidence_of"]),
            row["voice"],
            ", ".join(row["join_keys"]),
            row["grade"],
            page,
            ", ".join(own_exports_of(row["source"])),
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _from_docs(page: str) -> str:
    return page.removeprefix("docs/")
