"""How each operator of conditions compares one value of a policy with one value of the request.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import ip_address, ip_network

from ultravires_models.policies.context import Context
from ultravires_models.policies.truth import Truth
from ultravires_models.policies.variables import literal, matches_in

Compare = Callable[[str, str, Context], Truth]
"""Value of the policy, value of the request, its context -> whether they agree; None where one cannot be read."""
_NUMBER = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?")
_EPOCH = re.compile(r"\d{5,11}")
"""Seconds. Of four digits it cannot be told whether they are a year."""
_MOMENT = re.compile(r"\d{4}-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?)?")
"""What https://www.w3.org/TR/NOTE-datetime allows, save a year alone."""


def string_equals(expected: str, actual: str, known: Context) -> Truth:
    """The same text, case and all. Variables are replaced, wildcards are characters."""
    return matches_in(literal(expected), actual, known)


def string_equals_ignoring_case(expected: str, actual: str, known: Context) -> Truth:
    """The same text, whatever the case."""
    lowered = Context(
        {key: value.lower() if isinstance(value, str) else value for key, value in known.values.items()}, known.complete
    )
    return matches_in(literal(expected).lower(), actual.lower(), lowered)


def string_like(expected: str, actual: str, known: Context) -> Truth:
    """A pattern with `*` and `?`, case and all."""
    return matches_in(expected, actual, known)


def arn_like(expected: str, actual: str, known: Context) -> Truth:
    """Each of the six parts of the ARN for itself, with wildcards."""
    return matches_in(expected, actual, known, "arn")


def boolean(expected: str, actual: str, known: Context) -> Truth:
    """`true` or `false`, whatever the case."""
    words = {"true", "false"}
    if "${" in expected:
        return string_equals_ignoring_case(expected, actual, known)
    return expected.lower() == actual.lower() if {expected.lower(), actual.lower()} <= words else None


def binary(expected: str, actual: str, known: Context) -> Truth:
    """The same bytes behind base64."""
    try:
        return b64decode(expected, validate=True) == b64decode(actual, validate=True)
    except (NotBase64, ValueError):
        return None


def ip_within(expected: str, actual: str, known: Context) -> Truth:
    """An address in a range; without a prefix a range is one address. A service in place of an address is not known."""
    try:
        network, address = ip_network(expected, strict=False), ip_address(actual)
    except ValueError:
        return None
    return address.version == network.version and address in network


def numeric(test: Callable[[Decimal, Decimal], bool]) -> Compare:
    """Numbers, compared by `test` as value of the request and value of the policy."""

    def compare(expected: str, actual: str, known: Context) -> Truth:
        if not (_NUMBER.fullmatch(expected) and _NUMBER.fullmatch(actual)):
            return None
        return test(Decimal(actual), Decimal(expected))

    return compare


def date(test: Callable[[datetime, datetime], bool]) -> Compare:
    """Moments, in ISO 8601 or seconds since 1970, compared by `test` as that of the request and that of the policy."""

    def compare(expected: str, actual: str, known: Context) -> Truth:
        first, second = _moment(actual), _moment(expected)
        return None if first is None or second is None else test(first, second)

    return compare


OPERATORS: dict[str, tuple[Compare, bool]] = {
    "stringequals": (string_equals, False),
    "stringnotequals": (string_equals, True),
    "stringequalsignorecase": (string_equals_ignoring_case, False),
    "stringnotequalsignorecase": (string_equals_ignoring_case, True),
    "stringlike": (string_like, False),
    "stringnotlike": (string_like, True),
    "arnequals": (arn_like, False),
    "arnlike": (arn_like, False),
    "arnnotequals": (arn_like, True),
    "arnnotlike": (arn_like, True),
    "bool": (boolean, False),
    "binaryequals": (binary, False),
    "ipaddress": (ip_within, False),
    "notipaddress": (ip_within, True),
    "numericequals": (numeric(lambda actual, expected: actual == expected), False),
    "numericnotequals": (numeric(lambda actual, expected: actual == expected), True),
    "numericlessthan": (numeric(lambda actual, expected: actual < expected), False),
    "numericlessthanequals": (numeric(lambda actual, expected: actual <= expected), False),
    "numericgreaterthan": (numeric(lambda actual, expected: actual > expected), False),
    "numericgreaterthanequals": (numeric(lambda actual, expected: actual >= expected), False),
    "dateequals": (date(lambda actual, expected: actual == expected), False),
    "datenotequals": (date(lambda actual, expected: actual == expected), True),
    "datelessthan": (date(lambda actual, expected: actual < expected), False),
    "datelessthanequals": (date(lambda actual, expected: actual <= expected), False),
    "dategreaterthan": (date(lambda actual, expected: actual > expected), False),
    "dategreaterthanequals": (date(lambda actual, expected: actual >= expected), False),
}
"""Name in lower case -> how it compares, and whether it holds where none of its values agrees."""


def _moment(text: str) -> datetime | None:
    if _EPOCH.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC)
    if not _MOMENT.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(f"{text}-01" if len(text) == len("2026-01") else text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
