"""Climbing by hand: the paths that the SQL must find, worked out in Python from nothing but the primary links."""

from collections.abc import Iterator

import duckdb

Parents = dict[tuple[str, str], tuple[str, float]]
"""(child, spine) -> (parent, confidence of the link)."""


def primary_parents(con: duckdb.DuckDBPyConnection) -> Parents:
    """(child, spine) -> (parent, confidence), without the links that close a circle at its least node."""
    query = """
        select child_id, spine, parent_id, confidence from links where is_primary
        union all  -- what an approval was given under stands above it on both
        select child_id, 'authority', parent_id, confidence from links where is_primary and kind = 'approval>approval'
    """
    parents = {(child, spine): (parent, trust) for child, spine, parent, trust in con.execute(query).fetchall()}
    cut = {(min(circle), spine) for circle, spine in circles(parents)}
    return {key: parent for key, parent in parents.items() if key not in cut}


def circles(parents: Parents) -> Iterator[tuple[list[str], str]]:
    for start, spine in parents:
        seen = [start]
        while (seen[-1], spine) in parents:
            seen.append(parents[seen[-1], spine][0])
            if seen[-1] == start:
                yield seen, spine
                break
            if seen[-1] in seen[:-1]:
                break


def climb(node: str, spine: str, parents: Parents) -> tuple[str, int, float, int]:
    """The top, the hops and the least confidence on the way, and how many credentials are there."""
    path, confidence = [node], 1.0
    while (path[-1], spine) in parents:
        parent, trust = parents[path[-1], spine]
        path, confidence = [*path, parent], min(confidence, trust)
    credentials = {step.partition("@")[0] for step in path if step.startswith("credential:")}
    return path[-1], len(path) - 1, confidence, len(credentials)


def on_spines(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Every (node, spine) that has a path: inner nodes on their spines, activities where a link places them."""
    return con.execute(
        """
        select node_id, 'intent' from int_nodes where node_kind in ('approval', 'decision', 'tool_call')
        union all
        select node_id, 'authority' from int_nodes where node_kind in ('approval', 'credential')
        union all
        select child_id, spine from links where is_primary and starts_with(child_id, 'activity:')
        """
    ).fetchall()
