"""What the summary says of places: which logs that grant or decide are believed wherever they lie, or nowhere."""

import json

import duckdb

from ultravires import registry
from ultravires.reading.origins import below
from ultravires.runs.bindings import suggest
from ultravires.settings import Settings

_MOST_NAMED = 3
_SOURCES = "select distinct source from events order by source"
_FILES = """
select files.path, list(distinct events.source)
from events join files using (file_id)
group by files.path
"""


def unbound(con: duckdb.DuckDBPyConnection, settings: Settings, root: str) -> str | None:
    """One line with what to bind and how; None where nothing that was read grants or decides, or all of it is bound."""
    known = registry.sources()
    granting = [name for (name,) in con.execute(_SOURCES).fetchall() if name in known and known[name].is_granting]
    missing = [name for name in granting if not {name, known[name].log} & settings.origins.keys()]
    if not missing:
        return None
    of_files = {below(path, root): frozenset(sources) for path, sources in con.execute(_FILES).fetchall()}
    places = suggest({path: sources for path, sources in of_files.items() if path})
    how = ", ".join(f"{name}: {json.dumps(_first(places.get(name, [])))}" for name in missing[:_MOST_NAMED])
    what = "are believed in no place" if settings.origins else "are believed wherever they lie"
    more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
    return (
        f"{', '.join(missing[:_MOST_NAMED])}{more} {what}; bind them: origins: {{{how}}} in ultravires.yaml, "
        "or let ultravires init --input write it"
    )


def _first(patterns: list[str]) -> list[str]:
    return patterns if 0 < len(patterns) <= _MOST_NAMED else [*patterns[:_MOST_NAMED], "..."]
