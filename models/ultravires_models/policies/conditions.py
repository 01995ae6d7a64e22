"""Whether the Condition of a statement holds.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

from collections.abc import Iterator
from typing import Any

from ultravires_models.policies.context import Context, Missing, Value, text_of
from ultravires_models.policies.operators import OPERATORS, Compare
from ultravires_models.policies.truth import Truth, all_of, any_of, negate

_FOR_ALL = "forallvalues:"
_FOR_ANY = "foranyvalue:"
_IF_EXISTS = "ifexists"


def holds(condition: Any, known: Context) -> Truth:
    """Whether every operator agrees for every one of its keys. What is no condition as AWS writes them, or has an
    operator that is not known, is not known.
    """
    if condition is None:
        return True
    if type(condition) is not dict:
        return None
    return all_of(_tests(condition, known))


def _tests(condition: dict[str, Any], known: Context) -> Iterator[Truth]:
    for operator, keys in condition.items():
        if type(keys) is not dict:
            yield None
            continue
        for key, values in keys.items():
            yield _test(str(operator).lower(), known.value(str(key)), _listed(values), known)


def _listed(values: Any) -> list[str] | None:
    """The values that a policy gives for a key; None where they are none."""
    texts = [text_of(each) for each in values] if type(values) is list else [text_of(values)]
    found = [text for text in texts if text is not None]
    return found if found and len(found) == len(texts) else None


def _test(operator: str, value: Value | Missing, expected: list[str] | None, known: Context) -> Truth:
    if expected is None:
        return None
    if operator == "null":
        return _null(value, expected)
    quantifier = next((each for each in (_FOR_ALL, _FOR_ANY) if operator.startswith(each)), "")
    name = operator.removeprefix(quantifier)
    compare, is_negated = OPERATORS.get(name.removesuffix(_IF_EXISTS), (None, False))
    if compare is None or value is Missing.UNKNOWN:
        return None
    if isinstance(value, Missing):
        return _without_value(quantifier, is_optional=name.endswith(_IF_EXISTS), is_negated=is_negated)
    if not quantifier:
        # a key of several values needs a quantifier, and what AWS does without is not documented
        return _agrees(compare, is_negated, expected, value, known) if isinstance(value, str) else None
    listed = value if isinstance(value, tuple) else (value,)
    # an empty text is an empty set
    each = [_agrees(compare, is_negated, expected, one, known) for one in listed if one or len(listed) > 1]
    return all_of(each) if quantifier == _FOR_ALL else any_of(each)


def _null(value: Value | Missing, expected: list[str]) -> Truth:
    """`true`: the request does not have the key; `false`: it does."""
    if value is Missing.UNKNOWN:
        return None
    is_absent = "true" if value is Missing.ABSENT else "false"
    return any_of(each.lower() == is_absent if each.lower() in ("true", "false") else None for each in expected)


def _without_value(quantifier: str, *, is_optional: bool, is_negated: bool) -> bool:
    """What a test says of a key that the request does not have. `ForAnyValue` never holds then, IfExists or not."""
    if quantifier:
        return quantifier == _FOR_ALL
    return is_optional or is_negated


def _agrees(compare: Compare, is_negated: bool, expected: list[str], actual: str, known: Context) -> Truth:
    found = any_of(compare(each, actual, known) for each in expected)
    return negate(found) if is_negated else found
