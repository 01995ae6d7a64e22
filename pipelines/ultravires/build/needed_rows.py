"""Which tables must have rows for a SELECT to give any: read from its syntax, so that nobody has to say it.

A home of few logs has few kinds of evidence, and most of its tables are empty. To plan a long SELECT costs more than to
run it over a few rows; where this module says that it gives none, it need not be planned at all.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import duckdb

Needed: TypeAlias = frozenset[frozenset[str]]
"""Of each set at least one table must have rows."""
NOTHING: Needed = frozenset()
_Node: TypeAlias = Mapping[str, Any]
_BOTH_SIDES = ("INNER", "SEMI")
_LEFT_SIDE = ("LEFT", "ANTI", "SINGLE", "MARK")
_AGGREGATE, _MACRO = "aggregate", "macro"
_TEXT = r"'[^']*'"
_BRANCHES = frozenset({dict, list})


class _Scope(NamedTuple):
    """What the CTEs in sight need, by name; and the functions of which no argument is more than one row."""

    ctes: Mapping[str, Needed]
    of_one_row: frozenset[str]


def needed_rows(statement: _Node, macros: str = "") -> Needed:
    """Of one parsed statement, as `json_serialize_sql` gives it; where the syntax does not tell, nothing is needed.
    `macros` are the statements that create those that it uses.
    """
    return _of_node(statement["node"], _Scope({}, _functions_of_one_row(macros)))


def _of_node(node: _Node, scope: _Scope) -> Needed:
    for entry in node["cte_map"]["map"]:
        needed = _of_node(entry["value"]["query_node"], scope)
        scope = scope._replace(ctes={**scope.ctes, entry["key"]: needed})
    reader = _NODES.get(node["type"])
    return reader(node, scope) if reader else NOTHING


def _of_select(node: _Node, scope: _Scope) -> Needed:
    return NOTHING if _gives_a_row_of_none(node, scope) else _of_relation(node["from_table"], scope)


def _of_union(node: _Node, scope: _Scope) -> Needed:
    """Rows of any part are rows of the whole; of an intersection or a difference nothing is said."""
    if not node["setop_type"].startswith("UNION"):
        return NOTHING
    parts = [_of_node(part, scope) for part in node["children"]]
    needed = parts[0]
    for part in parts[1:]:
        needed = _least(one | other for one in needed for other in part)
    return needed


def _of_recursion(node: _Node, scope: _Scope) -> Needed:
    """Without a first row there is no second."""
    return _of_node(node["left"], scope)


def _of_relation(relation: _Node, scope: _Scope) -> Needed:
    kind = relation["type"]
    if kind == "BASE_TABLE":
        name = relation["table_name"]
        return scope.ctes.get(name, frozenset({frozenset({name})}))
    if kind == "SUBQUERY":
        return _of_node(relation["subquery"]["node"], scope)
    if kind == "JOIN" and relation["ref_type"] in ("REGULAR", "CROSS", "NATURAL", "ASOF", "DEPENDENT"):
        return _of_join(relation, scope)
    return NOTHING


def _of_join(join: _Node, scope: _Scope) -> Needed:
    left, right = _of_relation(join["left"], scope), _of_relation(join["right"], scope)
    if join["join_type"] in _BOTH_SIDES:
        return _least((*left, *right))
    if join["join_type"] in _LEFT_SIDE:
        return left
    return right if join["join_type"] == "RIGHT" else NOTHING


def _least(needed: Iterable[frozenset[str]]) -> Needed:
    """Without the sets that hold another one, and so say nothing beside it."""
    least: list[frozenset[str]] = []
    for one in sorted(set(needed), key=len):
        if not any(other <= one for other in least):
            least.append(one)
    return frozenset(least)


def _gives_a_row_of_none(select: _Node, scope: _Scope) -> bool:
    """Whether it may count what is not there: an aggregate over everything has one row, however few it is over."""
    if select["aggregate_handling"] != "STANDARD_HANDLING" or [] in select["group_sets"]:
        return True
    if select["group_expressions"]:
        return False
    asked = [select[part] for part in ("select_list", "having", "qualify", "modifiers")]
    return select["having"] is not None or not scope.of_one_row.issuperset(_functions(asked))


def _functions(tree: object) -> Iterator[str]:
    left = [tree]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            if part.get("class") == "FUNCTION":
                yield str(part["function_name"])
            left += [child for child in part.values() if type(child) in _BRANCHES]
        elif isinstance(part, list):
            left += part


@cache
def _functions_of_one_row(macros: str) -> frozenset[str]:
    """All functions but aggregates and the macros that hold one, at whatever depth; none that DuckDB does not know."""
    kinds: dict[str, set[str]] = {}
    words: dict[str, set[str]] = {}
    with duckdb.connect() as con:
        con.execute(macros)
        found = con.execute(
            "select function_name, function_type, coalesce(macro_definition, '') from duckdb_functions()"
        )
        for name, kind, definition in found.fetchall():
            kinds.setdefault(name, set()).add(kind)
            if kind.endswith(_MACRO):
                words.setdefault(name, set()).update(re.findall(r"\w+", re.sub(_TEXT, "", definition.lower())))
    aggregating = {name for name, of_name in kinds.items() if _AGGREGATE in of_name}
    while more := {name for name, of_name in words.items() if name not in aggregating and of_name & aggregating}:
        aggregating |= more
    return frozenset({*kinds, "unnest"} - aggregating)


_NODES: dict[str, Callable[[_Node, _Scope], Needed]] = {
    "SELECT_NODE": _of_select,
    "SET_OPERATION_NODE": _of_union,
    "RECURSIVE_CTE_NODE": _of_recursion,
}
