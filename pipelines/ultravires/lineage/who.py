"""From whatever name somebody has to the identity it means."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

import duckdb

from ultravires.errors import NotKnown, UsageError
from ultravires.lineage.judging import without_path
from ultravires.tracing.rows import fetch_rows
from ultravires.tracing.visible import visible

_MOST_NAMED = 5


@dataclass(frozen=True)
class Who:
    """An identity and every name under which it holds something. `kind` and `owner` are None where nothing tells."""

    identity_id: str
    names: tuple[str, ...]
    kind: str | None
    owner: str | None


_NAMES = """
select identity_id, identity_id as name from identities
union select identity_id, unnest(aliases) from identities
union select identity_id, name from identities where name is not null
union select identity_id, holder_uid from entitlements where holder_uid is not null and identity_id is not null
union select identity_id, identity_id from entitlements where identity_id is not null
"""


def find_who(con: duckdb.DuckDBPyConnection, asked: str) -> Who | None:
    """The identity that has this name: as it is, in another case, or as the last part of one (`deploy` of
    `arn:aws:iam::111122223333:role/deploy`). None where there is none; UsageError where it could be several.
    """
    conditions = ("name = $asked", "lower(name) = lower($asked)", "ends_with(lower(name), '/' || lower($asked))")
    for condition in conditions:
        sql = f"select distinct identity_id from ({_NAMES}) where {condition} order by 1"
        found = [row["identity_id"] for row in fetch_rows(con, sql, {"asked": asked})]
        if len({without_path(each) for each in found}) > 1:
            listed = ", ".join(visible(each, 120) for each in found[:_MOST_NAMED])
            raise UsageError(f"'{visible(asked, 100)}' is the name of several: {listed}; say which")
        if found:
            return _who(con, found)
    return None


def not_known(con: duckdb.DuckDBPyConnection, asked: str) -> NotKnown:
    """One line, with the names that are nearest."""
    names = [row["name"] for row in fetch_rows(con, f"select distinct name from ({_NAMES}) order by 1")]
    near = ", ".join(visible(name, 120) for name in _near(asked, names))
    what = "; near are: " + near if near else ""
    return NotKnown(f"no identity, holder, approval or ticket here is called '{visible(asked, 100)}'{what}")


def _near(asked: str, names: Iterable[str]) -> list[str]:
    by_end: dict[str, str] = {}
    for name in names:
        by_end.setdefault(name.lower(), name)
        by_end.setdefault(name.lower().rpartition("/")[2], name)
    wanted = asked.lower()
    close = get_close_matches(wanted, by_end, _MOST_NAMED) + get_close_matches(wanted.rpartition("/")[2], by_end, 3)
    within = [each for each in by_end if len(wanted) > 2 and wanted in each]
    return list(dict.fromkeys(by_end[each] for each in [*close, *within]))[:_MOST_NAMED]


def _who(con: duckdb.DuckDBPyConnection, ids: list[str]) -> Who:
    rows = fetch_rows(
        con, f"select distinct name from ({_NAMES}) where identity_id in (select unnest($ids)) order by 1", {"ids": ids}
    )
    known = fetch_rows(
        con,
        "select identity_kind, owner from identities where identity_id in (select unnest($ids)) order by all",
        {"ids": ids},
    )
    names = tuple(row["name"] for row in rows)
    about = known[0] if known else {}
    return Who(ids[0], names, about.get("identity_kind"), about.get("owner"))
