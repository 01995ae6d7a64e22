"""Where power left what its approval gives: the step that crossed, in the words of `privilege_paths`."""

from collections import defaultdict
from collections.abc import Iterable

import duckdb

from ultravires.tracing.rows import fetch_rows

_CROSSINGS = """
select crossing_step_id as node_id, sentence, is_proven
from privilege_paths
where is_crossing and crossing_step_id in (select unnest($ids::varchar[]))
order by path_rank, chain_id
"""


def crossings_on(con: duckdb.DuckDBPyConnection, node_ids: Iterable[str]) -> dict[str, list[str]]:
    """Node -> what is said of the way that left its approval there; a way that no id proves is named as possible."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in fetch_rows(con, _CROSSINGS, {"ids": list(node_ids)}):
        found[row["node_id"]].append(row["sentence"] if row["is_proven"] else f"possible: {row['sentence']}")
    return dict(found)
