"""What `make test` takes of tests that are crossed or counted, and what it leaves to `make stress`.

A test marked `cross` stands in a cross of its parameters (every source in every export). `make test` takes a tenth of
it, always the same, in which each value of each parameter stands at least once; the others are marked `stress`.
"""

from collections.abc import Iterable
from itertools import groupby
from zlib import crc32

import pytest

SHARE = 10
"""One in so many cases is taken whatever it is."""


def counted(few: int, many: int) -> pytest.MarkDecorator:
    """The parameter `count`: `few` in `make test`, `many` in `make stress`."""
    return pytest.mark.parametrize("count", [few, pytest.param(many, marks=pytest.mark.stress)])


def leave_to_stress(items: Iterable[pytest.Item]) -> None:
    """Mark as `stress` what is left out of each cross."""
    crossed = [item for item in items if isinstance(item, pytest.Function) and item.get_closest_marker("cross")]
    for _, of_test in groupby(sorted(crossed, key=_test), key=_test):
        cases = {item.nodeid: (item, _values(item)) for item in of_test}
        taken = chosen({name: values for name, (_, values) in cases.items()})
        for name, (item, _) in cases.items():
            if name not in taken:
                item.add_marker("stress")


def chosen(cases: dict[str, frozenset[str]]) -> set[str]:
    """Of cases with the values that each has: a tenth by the hash of their names, and what else brings a value that
    none of these has. The same ones in every process and on every machine.
    """
    in_order = sorted(cases, key=lambda name: (crc32(name.encode()) % SHARE, crc32(name.encode()), name))
    taken: set[str] = set()
    seen: set[str] = set()
    for name in in_order:
        if crc32(name.encode()) % SHARE == 0 or not cases[name] <= seen:
            taken.add(name)
            seen |= cases[name]
    return taken


def _test(item: pytest.Function) -> str:
    return item.nodeid.partition("[")[0]


def _values(item: pytest.Function) -> frozenset[str]:
    return frozenset(f"{name}={value!r}" for name, value in item.callspec.params.items())
