"""What `make test` takes of crosses of parameters."""

from itertools import product

from crosses import chosen


def test_a_tenth_of_a_cross_is_taken_with_each_value_once_and_always_the_same() -> None:
    """Whatever the order in which the cases are found."""
    cases = {f"test[{a}-{b}]": frozenset({f"a={a}", f"b={b}"}) for a, b in product(range(40), range(30))}
    taken = chosen(cases)
    assert 100 < len(taken) < 150
    assert frozenset().union(*(cases[name] for name in taken)) == frozenset().union(*cases.values())
    assert chosen(dict(reversed(cases.items()))) == taken


def test_of_one_parameter_every_value_is_taken() -> None:
    """A mark that stands beside a single list of cases takes nothing away."""
    cases = {f"test[{a}]": frozenset({f"a={a}"}) for a in range(40)}
    assert chosen(cases) == set(cases)
