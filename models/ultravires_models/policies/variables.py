"""Policy variables: `${key}` and `${key, 'otherwise'}` in patterns, replaced from the context of the request.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from ultravires_models.policies.context import Context, Missing
from ultravires_models.policies.patterns import ESCAPES, Style, matches
from ultravires_models.policies.truth import Truth


def matches_in(pattern: str, text: str, known: Context, style: Style = "text") -> Truth:
    """Whether the pattern matches, its variables replaced. One without a value matches nothing
    (`#policy-vars-no-value`); of one that is not known, that it could match.
    """
    if "${" not in pattern:
        return matches(pattern, text, style)
    replaced, is_certain = _replaced(pattern, known)
    if replaced is None or not matches(replaced, text, style):
        return False
    return True if is_certain else None


def escaped(text: str) -> str:
    """The pattern that matches this text alone."""
    return "".join("${" + each + "}" if each in "*?$" else each for each in text)


def literal(pattern: str) -> str:
    """The pattern in which only variables keep a meaning, for operators that know no wildcards."""
    parts = _parts(pattern)
    return "".join(each if is_variable else escaped(each) for each, is_variable in parts)


def _replaced(pattern: str, known: Context) -> tuple[str | None, bool]:
    """The pattern with values for its variables, and whether all are known; None where one has none."""
    found, is_certain = [], True
    for part, is_variable in _parts(pattern):
        if not is_variable or part in ESCAPES:
            found.append(part)
            continue
        value = _value(part, known)
        if value is Missing.ABSENT:
            return None, True
        is_certain = is_certain and value is not Missing.UNKNOWN
        found.append("*" if isinstance(value, Missing) else escaped(value))
    return "".join(found), is_certain


def _value(variable: str, known: Context) -> str | Missing:
    """A key with several values cannot stand for one."""
    name, comma, rest = variable[2:-1].partition(",")
    rest = rest.strip()
    has_default = bool(comma) and len(rest) >= 2 and rest[0] == rest[-1] == "'"
    value = known.value(name.strip())
    if value is Missing.ABSENT and has_default:
        return rest[1:-1]
    return Missing.ABSENT if isinstance(value, tuple) else value


def _parts(pattern: str) -> list[tuple[str, bool]]:
    """The pattern in pieces, and of each whether it is a variable. One pass, however many openings are never closed."""
    found, at = [], 0
    while (start := pattern.find("${", at)) >= 0 and (end := pattern.find("}", start)) >= 0:
        found += [(pattern[at:start], False), (pattern[start : end + 1], True)]
        at = end + 1
    return [*found, (pattern[at:], False)]
