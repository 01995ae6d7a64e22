"""No module imports itself by way of others, also not inside of functions: a circle is two rooms that are one."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import ultravires
import ultravires_models

PACKAGES = [Path(package.__path__[0]) for package in (ultravires, ultravires_models)]


def modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        for path in package.rglob("*.py"):
            name = ".".join(path.relative_to(package.parent).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def imports(node: ast.AST) -> Iterator[str]:
    """What is imported when it runs, at whatever depth; what only types need is not."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom) and node.module:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield node.module
    for child in ast.iter_child_nodes(node):
        yield from imports(child)


def circle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def imported() -> dict[str, set[str]]:
    """Module -> modules of ours that it imports."""
    known = modules()
    graph = {}
    for name, path in known.items():
        asked = set(imports(ast.parse(path.read_text(encoding="utf-8"))))
        # `from package import module` runs the module, and the package's own file only where a name of it is meant.
        of_modules = {one for one in asked if one in known and one != name}
        graph[name] = {one for one in of_modules if not any(other.startswith(f"{one}.") for other in of_modules)}
    return graph


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else module


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert circle(imported()) == []


def test_what_reads_and_keeps_knows_nothing_of_runs() -> None:
    """One direction of flow: a run uses the rooms below it, and none of them a run, a command or Dagster."""
    below = {"sources", "formats", "reading", "store", "build", "tracing", "sinks", "alerting", "report"}
    above = {"runs", "commands", "assets", "definitions", "cli", "review"}
    upwards = [
        f"{name} imports {other}"
        for name, others in imported().items()
        for other in sorted(others)
        if room(name) in below and room(other) in above
    ]
    assert upwards == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f():\n    from a.b import c", {"a.b.c", "a.b"}),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import x", {"typing", "typing.TYPE_CHECKING"}),
    ],
    ids=["in a function", "for types"],
)
def test_what_counts_as_an_import(source: str, expected: set[str]) -> None:
    assert set(imports(ast.parse(source))) == expected


def test_a_circle_is_found() -> None:
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == {"a", "b", "c"}
