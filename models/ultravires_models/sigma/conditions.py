"""SQL conditions on one text value. Each takes SQL text and gives SQL text; null in, null or false out."""

from sigma.types import CompareOperators, SigmaRegularExpression, SigmaRegularExpressionFlag, TimestampPart

from ultravires_models.errors import RuleError
from ultravires_models.sigma.sqltext import literal

LONGEST_REGEX = 4_000
"""RE2 does not backtrack; what it takes grows with the expression, and is paid for each row."""
_OPERATORS = {
    CompareOperators.LT: "<",
    CompareOperators.LTE: "<=",
    CompareOperators.GT: ">",
    CompareOperators.GTE: ">=",
}
_DATE_PARTS = {
    TimestampPart.MINUTE: "minute",
    TimestampPart.HOUR: "hour",
    TimestampPart.DAY: "day",
    TimestampPart.WEEK: "week",
    TimestampPart.MONTH: "month",
    TimestampPart.YEAR: "year",
}
_RE_FLAGS = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}


def is_like(text: str, pattern: str, *, is_cased: bool) -> str:
    r"""Text like a pattern with the escape character `\`; values ignore case unless the rule says cased."""
    return f"{text} {'LIKE' if is_cased else 'ILIKE'} {literal(pattern)} ESCAPE '\\'"


def equals_number(text: str, number: int | float) -> str:
    """The text is this number: in these digits, or in others of the same value (5, 5.0)."""
    return f"({text} = {literal(str(number))} OR TRY_CAST({text} AS DOUBLE) = {number!r})"


def compares(text: str, operator: CompareOperators, number: int | float) -> str:
    """The text is a number in this order to the other; `nan` is none, though DuckDB sorts it last."""
    cast = f"TRY_CAST({text} AS DOUBLE)"
    return f"(NOT isnan({cast}) AND {cast} {_OPERATORS[operator]} {number!r})"


def equals_date_part(text: str, part: TimestampPart, number: int | float, operator: str = "=") -> str:
    """A part of the time that the text states, in UTC (the session's zone)."""
    return f"date_part({literal(_DATE_PARTS[part])}, TRY_CAST({text} AS TIMESTAMPTZ)) {operator} {number!r}"


def compares_date_part(text: str, part: TimestampPart, operator: CompareOperators, number: int | float) -> str:
    """A part of the time that the text states, in this order to a number."""
    return equals_date_part(text, part, number, _OPERATORS[operator])


def matches_regex(text: str, regex: SigmaRegularExpression) -> str:
    """The expression is found anywhere in the text; pySigma has checked it with RE2, as DuckDB has."""
    if len(str(regex.regexp)) > LONGEST_REGEX:
        raise RuleError(f"a regular expression has at most {LONGEST_REGEX:,} characters; split it")
    flags = "".join(sorted(_RE_FLAGS[flag] for flag in regex.flags))
    pattern = (f"(?{flags})" if flags else "") + str(regex.regexp)
    return f"regexp_matches({text}, {literal(pattern)})"
