"""How a table is brought up to date by what changed: the lines of its header, for a file that is built `by_key`.

-- build: by_key <column>    the column that says of which unit (a node, an approval, a chain) a row is
-- units: <SELECT>           every unit there may be; of these the whole table is made
-- dirty: <SELECT>           the units that a changed row of one input makes dirty; it reads `delta_<input>`
-- rows: <SELECT>           about how many rows go through the query for the units in `touched_ids`, where those may be
                            far more than any input has: a group is as many rights as it has members times policies
-- down: <SELECT>           pairs of a unit and the one it stands below: whatever stands below a dirty one is dirty, too
-- only: <input>(<columns>) where <condition>
                            a change of other columns of this input, or of rows for which the condition does not hold,
                            changes no row here; a file that is built `full` may have such lines, too

An input has as many `dirty` lines as there are ways to it; one without any makes the whole table anew. The file reads
only the units in the relation `touched_ids(id)`. A dirty line may name too many units and never too few: what it names
is compared with what stands, and only what differs is written and handed on.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ultravires.errors import ConfigError

TOUCHED_IDS = "touched_ids"
DELTA = "delta_"
_LINE = re.compile(r"^-- (units|dirty|down|only|rows): (.+(?:\n--   +.+)*)", re.MULTILINE)
_ONLY = re.compile(r"^(\w+)\((\w+(?:, \w+)*)\)(?: where (.+))?$")
_DELTA_NAME = re.compile(rf"\b{DELTA}(\w+)")


@dataclass(frozen=True)
class Only:
    """What a table looks at in an input: these columns of rows for which the condition holds."""

    columns: tuple[str, ...]
    where: str = ""


@dataclass(frozen=True)
class ByKey:
    column: str
    units: str
    dirty: Mapping[str, tuple[str, ...]]
    """Input -> SELECTs of one column over its changed rows."""
    down: str = ""
    """SELECT of pairs (unit, the unit above it); none where no unit depends on others of its table."""
    rows: str = ""
    """SELECT of one number: about how many rows the units in `touched_ids` are; none where inputs have no fewer."""


def parse_by_key(name: str, column: str, header: str) -> ByKey:
    """The lines of one file; ConfigError names the file and what is wrong with them."""
    once: dict[str, list[str]] = {"units": [], "down": [], "rows": []}
    dirty: dict[str, tuple[str, ...]] = {}
    for word, said in _lines(header):
        if word in once:
            once[word].append(said)
        elif word == "dirty":
            changed = _input_of(name, said)
            dirty[changed] = (*dirty.get(changed, ()), said)
    if len(once["units"]) != 1 or len(once["down"]) > 1 or len(once["rows"]) > 1:
        raise ConfigError(f"{name}.sql: a by_key table has one -- units:, and at most one -- down: and one -- rows:")
    down, rows = "".join(once["down"]), "".join(once["rows"])
    return ByKey(column, once["units"][0], dirty, down, rows)


def parse_only(name: str, header: str) -> Mapping[str, Only]:
    """Input -> what of it is looked at, of the `only` lines of one file."""
    only: dict[str, Only] = {}
    for word, said in _lines(header):
        if word == "only":
            found = _ONLY.match(said)
            if found is None:
                raise ConfigError(f"{name}.sql: -- only: is '{said}'; it must be input(column, column) where condition")
            only[found[1]] = Only(tuple(found[2].split(", ")), found[3] or "")
    return only


def _lines(header: str) -> Iterator[tuple[str, str]]:
    """The words of the lines and what each says, on one line."""
    return ((word, re.sub(r"\n--\s+", " ", text)) for word, text in _LINE.findall(header))


def _input_of(name: str, select: str) -> str:
    names: set[str] = set(_DELTA_NAME.findall(select))
    if len(names) != 1:
        raise ConfigError(f"{name}.sql: each -- dirty: reads one {DELTA}<input>; this does not: {select}")
    return names.pop()
