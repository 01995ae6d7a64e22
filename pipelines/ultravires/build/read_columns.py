"""Which columns of each table a SELECT can read: taken from its syntax, so that a change of others is known to change
none of its rows. It may name too many and never too few.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

ReadColumns: TypeAlias = Mapping[str, frozenset[str] | None]
"""Table -> the names that may be columns of it, also such as it does not have; None where all of them are read."""
_Node: TypeAlias = Mapping[str, Any]
_RELATIONS = ("BASE_TABLE", "SUBQUERY", "TABLE_FUNCTION")


def read_columns(statement: _Node) -> ReadColumns:
    """Of one parsed statement, as `json_serialize_sql` gives it."""
    nodes = list(_walk(statement))
    relations = [
        node for node in nodes if node.get("type") in ("BASE_TABLE", "SUBQUERY", "TABLE_FUNCTION") and "sample" in node
    ]
    tables = {str(node["table_name"]) for node in relations if node["type"] == "BASE_TABLE"}
    called = _tables_by_name(relations)
    whole = {table for node in nodes for table in _read_whole(node, called)}
    if any(node.get("ref_type") == "NATURAL" for node in nodes):
        whole |= tables
    named, of_any = _named(nodes, called)
    return {table: None if table in whole else frozenset(named[table] | of_any) for table in tables}


def _tables_by_name(relations: Sequence[_Node]) -> Mapping[str, set[str]]:
    """What a name before a dot may mean; a subquery is none of the tables."""
    called: dict[str, set[str]] = defaultdict(set)
    for node in relations:
        table = {str(node["table_name"])} if node["type"] == "BASE_TABLE" else set()
        called[str(node["alias"] or node.get("table_name", ""))] |= table
    return called


def _read_whole(node: _Node, called: Mapping[str, set[str]]) -> Iterator[str]:
    """Tables of which this node reads every column: by a star, by new names for all, or as one value."""
    if node.get("type") == "SELECT_NODE":
        if any(each.get("class") == "STAR" for part in ("select_list", "where_clause") for each in _walk(node[part])):
            yield from _tables_of(node["from_table"])
    elif node.get("type") == "BASE_TABLE" and node.get("column_name_alias"):
        yield str(node["table_name"])
    elif node.get("class") == "STAR":
        yield from called.get(str(node.get("relation_name")), ())
    elif node.get("class") == "COLUMN_REF" and len(node["column_names"]) == 1:
        yield from called.get(str(node["column_names"][0]), ())


def _tables_of(relation: _Node) -> Iterator[str]:
    return (str(node["table_name"]) for node in _walk(relation) if node.get("type") == "BASE_TABLE")


def _named(nodes: Sequence[_Node], called: Mapping[str, set[str]]) -> tuple[Mapping[str, set[str]], set[str]]:
    """Names by the table before the dot, and those that may be of any."""
    named: dict[str, set[str]] = defaultdict(set)
    of_any: set[str] = set()
    for node in nodes:
        of_any.update(map(str, node.get("using_columns", ())))
        if node.get("class") != "COLUMN_REF":
            continue
        first, *others = map(str, node["column_names"])
        if first not in called:
            of_any.add(first)
        for table in called.get(first, ()):
            named[table].update(others[:1])
    return named, of_any


def _walk(tree: object) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for child in tree.values():
            yield from _walk(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from _walk(child)
