"""Where the fields of a rule come from: a column of the relation, or a dot path into its raw JSON."""

from collections.abc import Sequence
from dataclasses import dataclass

from ultravires_models.errors import RuleError
from ultravires_models.relation import ColumnKind, Relation, kind_of
from ultravires_models.sigma.sqltext import identifier, json_path, literal, split_path


@dataclass(frozen=True)
class Field:
    """SQL of one field and the kind of its value; a path into JSON is a list of the texts found there."""

    sql: str
    kind: ColumnKind


class FieldReader:
    """Resolves field names against one relation, and keeps the JSON paths, so that all are read at once."""

    def __init__(self, relation: Relation) -> None:
        self.relation = relation
        self.paths: list[tuple[str, ...]] = []

    def resolve(self, name: str) -> Field:
        """The field of a detection. RuleError where the table has no such column."""
        if self.relation.raw_column is not None:
            return self._resolve_path(name)
        return self.resolve_column(name)

    def resolve_column(self, name: str) -> Field:
        """A column of the relation, for subjects, evidence and messages. RuleError where there is none."""
        if name in self.relation.columns:
            return Field(identifier(name), kind_of(self.relation.columns[name]))
        known = ", ".join(sorted(self.relation.columns))
        raise RuleError(f"{self.relation.table} has no column {name!r}; known: {known}")

    def resolve_any(self, name: str) -> Field:
        """A column where there is one of that name, else a field: what a message may show."""
        return self.resolve_column(name) if name in self.relation.columns else self.resolve(name)

    def _path_in_record(self, name: str) -> str:
        """A name, or the longest beginning of it, that the relation has another path for stands for that path."""
        segments = name.split(".")
        for end in range(len(segments), 0, -1):
            begin = ".".join(segments[:end])
            if begin in self.relation.field_paths:
                rest = [self.relation.field_paths[begin], *segments[end:]]
                return ".".join(part for part in rest if part) or name
        return name

    def _resolve_path(self, name: str) -> Field:
        if name in self.relation.read_fields:
            return Field(f"list_filter([{self.relation.read_fields[name]}], lambda t: t IS NOT NULL)", "list")
        path = split_path(self._path_in_record(name))
        if path not in self.paths:
            self.paths.append(path)
        return Field(self.field_name(self.paths.index(path)), "list")

    def field_name(self, number: int) -> str:
        """The column that holds the values at one of the paths."""
        return f"field_{number}"


def parse_projections(paths: Sequence[tuple[str, ...]], raw: str) -> list[str]:
    """Two projections that read all paths in one parse each: `leaf` (texts) and `leaf_kind` (JSON types)."""
    wanted = ", ".join(literal(json_path(path)) for path in paths)
    typed = ", ".join(literal(json_path(path)) for path in _with_prefixes(paths))
    return [f"json_extract_string({raw}, [{wanted}]) AS leaf", f"json_type({raw}, [{typed}]) AS leaf_kind"]


def field_projections(paths: Sequence[tuple[str, ...]], raw: str) -> list[str]:
    """One projection a path: the VARCHAR[] of the non-null values there, through lists at any step."""
    return [f"{_values_of(path, paths, raw)} AS field_{number}" for number, path in enumerate(paths)]


def _with_prefixes(paths: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Every path and every step on the way to it, once: a list can stand at any of them."""
    return list(dict.fromkeys(path[:end] for path in paths for end in range(1, len(path) + 1)))


def _values_of(path: tuple[str, ...], paths: Sequence[tuple[str, ...]], raw: str) -> str:
    typed = _with_prefixes(paths)
    leaf = f"leaf[{paths.index(path) + 1}]"
    kind = f"leaf_kind[{typed.index(path) + 1}]"
    cases = [
        f"WHEN {kind} IN ('OBJECT', 'ARRAY') THEN {_leaf_values(f'[{leaf}::JSON]')}",
        f"WHEN {leaf} IS NOT NULL THEN [{leaf}]",
    ]
    if len(path) > 1:
        on_the_way = ", ".join(f"leaf_kind[{typed.index(path[:end]) + 1}]" for end in range(1, len(path)))
        cases.append(f"WHEN 'ARRAY' IN ({on_the_way}) THEN {_leaf_values(_walk(path, raw))}")
    return f"CASE {' '.join(cases)} ELSE []::VARCHAR[] END"


def _walk(path: tuple[str, ...], raw: str) -> str:
    """The JSON nodes at a path, where a step into a list goes into each of its elements."""
    nodes = f"[{raw}::JSON]"
    for segment in path:
        inside = literal("$[*]" + json_path((segment,))[1:])
        direct = literal(json_path((segment,)))
        nodes = (
            f"flatten(list_transform({nodes}, lambda n: CASE json_type(n) WHEN 'ARRAY' "
            f"THEN json_extract(n, {inside}) ELSE [json_extract(n, {direct})] END))"
        )
    return nodes


def values_of_node(node: str) -> str:
    """The VARCHAR[] of the values of a JSON node, as of one that a path leads to."""
    return _leaf_values(f"[{node}]")


def _leaf_values(nodes: str) -> str:
    elements = (
        f"flatten(list_transform({nodes}, lambda n: CASE json_type(n) WHEN 'ARRAY' "
        "THEN json_extract(n, '$[*]') ELSE [n] END))"
    )
    # An object is searched as its text, and where that holds JSON inside JSON (a policy document in a
    # string), once more with plain quotes, as the rule's author sees them.
    texts = (
        f"flatten(list_transform({elements}, lambda e: CASE WHEN json_type(e) NOT IN ('OBJECT', 'ARRAY') "
        r"""THEN [json_extract_string(e, '$')] WHEN contains(e::VARCHAR, '\"') """
        r"""THEN [e::VARCHAR, replace(e::VARCHAR, '\"', '"')] ELSE [e::VARCHAR] END))"""
    )
    return f"list_filter({texts}, lambda t: t IS NOT NULL)"
