"""Out of which exports the records of a log can be taken: what docs/sources.md says, and a contract test tries."""

from ultravires import registry
from ultravires.formats.charsets import CHARSETS
from ultravires.reading.exports import A_MEMBER, EXPORTS
from ultravires.reading.line_prefixes import PREFIXES
from ultravires.reading.opening import BASE64

_TABLES = ("csv", "a table")
"""A column with the whole record; a column for each of its members."""


def exports_of_all() -> list[str]:
    """The exports that hold the records of any log, by the names that they have in the manifest."""
    known = (*(prefix.name for prefix in PREFIXES), *(export.name for export in EXPORTS))
    names = [*CHARSETS, *known, A_MEMBER, BASE64, *_TABLES]
    return list(dict.fromkeys(names))


def own_exports_of(source: str) -> list[str]:
    """The exports that write this log in words of their own."""
    renamings = registry.renamings().values()
    named = {renaming.name: renaming.title for renaming in renamings if source in renaming.sources}
    return [title for name, title in sorted(named.items()) if name not in _TABLES]


def exports_of(source: str) -> list[str]:
    """Everything that was tried with a log."""
    return [*exports_of_all(), *own_exports_of(source)]
