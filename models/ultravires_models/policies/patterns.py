"""Patterns of names with `*` for any text and `?` for one character. Every other character, `[` too, is itself.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html has the wildcards of ARNs:
within a segment, save that a `*` which ends its segment reaches beyond the colon; and what follows the fifth colon is
one part in which both match anything. The operators of ARNs in conditions hold each of the six parts apart:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN

A pattern becomes an automaton of one bit a state, and a text is read once, character by character: a pattern made to be
slow costs no more than another of its length.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Style = Literal["text", "resource", "arn"]
"""How far wildcards reach: anywhere; in an ARN as the Resource element has them; or each of six parts for itself."""
ESCAPES = {"${*}": "*", "${?}": "?", "${$}": "$"}
_SEGMENTS = 5
"""So many colons of an ARN stand before the part that names the resource."""
_CACHED_LENGTH = 2_048


@dataclass(frozen=True)
class _Token:
    """`text` is a character, or a variable as it is written; for `?` it is empty. Where it `crosses`, a colon counts as
    any other character.
    """

    text: str
    crosses: bool


@dataclass(frozen=True)
class _Automaton:
    """State i has read the first i tokens. A bit of a mask is a state: it goes on at a character, or stays there."""

    tokens: tuple[_Token, ...]
    stars: tuple[bool | None, ...]
    """By state: whether a star stands there, and if so whether it crosses colons."""
    prefix: str
    by_text: dict[str, int]
    one: int
    one_within: int
    stay: int
    stay_within: int


def matches(pattern: str, text: str, style: Style = "text") -> bool:
    """Whether the pattern matches this text. Variables have to be replaced before; one that is left matches nothing."""
    if "*" not in pattern and "?" not in pattern and "$" not in pattern:
        return pattern == text
    automaton = _automaton(pattern, style)
    if not text.startswith(automaton.prefix):
        return False
    states = 1 << len(automaton.prefix)
    whole = 1 << len(automaton.tokens)
    enough = whole if automaton.stars[-1] else 0  # a star at the end takes whatever is left
    for character in text[len(automaton.prefix) :]:
        if states & enough:
            return True
        states = _after(automaton, states, character, one=True, within=character != ":")
        if not states:
            return False
    return bool(states & whole)


def action_matches(pattern: str, action: str) -> bool:
    """Whether the pattern of an Action element matches this action; case does not count.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
    """
    return matches(pattern.lower(), action.lower())


def covers(pattern: str, other: str, style: Style = "text") -> bool:
    """Whether the pattern matches every text that `other` matches. Sound: where it says so, it is so, for any values of
    the variables in both.

    The other pattern is read as a text in which a wildcard is a character of its own, one that only a wildcard at least
    as wide can read.
    """
    if pattern == other:
        return True
    wide, narrow = _automaton(pattern, style, even=True), _automaton(other, style)
    states = 1
    for state in range(len(narrow.tokens) + 1):
        crosses = narrow.stars[state]
        if crosses is not None:
            states &= wide.stay if crosses else wide.stay | wide.stay_within
        if state < len(narrow.tokens):
            token = narrow.tokens[state]
            single = len(token.text) < 2  # the value of a variable may be long, and have colons
            within = token.text != ":" if len(token.text) == 1 else not token.text and not token.crosses
            states = _after(wide, states, token.text, one=single, within=within)
        if not states:
            return False
    return bool(states >> len(wide.tokens) & 1)


def action_covers(pattern: str, other: str) -> bool:
    """Whether every action that `other` matches is matched by the pattern, as `covers`; case does not count."""
    return covers(pattern.lower(), other.lower())


def _after(automaton: _Automaton, states: int, text: str, *, one: bool, within: bool) -> int:
    """The states after one more character. `one`: a `?` could read it; `within`: it is no colon."""
    goes, stays = automaton.by_text.get(text, 0) if text else 0, automaton.stay
    if one:
        goes |= automaton.one
    if within:
        goes |= automaton.one_within if one else 0
        stays |= automaton.stay_within
    return ((states & goes) << 1) | (states & stays)


def _automaton(pattern: str, style: Style, even: bool = False) -> _Automaton:
    return (_built if len(pattern) > _CACHED_LENGTH else _kept)(pattern, style, even)


def _built(pattern: str, style: Style, even: bool) -> _Automaton:
    tokens, stars = _read(pattern, style)
    by_text: dict[str, int] = {}
    masks = {"one": 0, "one_within": 0, "stay": 0, "stay_within": 0}
    for state, token in enumerate(tokens):
        if token.text:
            by_text[token.text] = by_text.get(token.text, 0) | 1 << state
        else:
            masks["one" if token.crosses else "one_within"] |= 1 << state
    for state, crosses in enumerate(_evened(tokens, stars) if even else stars):
        if crosses is not None:
            masks["stay" if crosses else "stay_within"] |= 1 << state
    return _Automaton(tuple(tokens), tuple(stars), _literal_start(tokens, stars), by_text, **masks)


_kept = lru_cache(maxsize=8_192)(_built)


def _read(pattern: str, style: Style) -> tuple[list[_Token], list[bool | None]]:
    is_arn = style != "text" and pattern.startswith("arn:")
    tokens: list[_Token] = []
    stars: list[bool | None] = [None]
    colons = at = 0
    while at < len(pattern):
        piece = _piece(pattern, at)
        at += len(piece)
        crosses = not is_arn or colons >= _SEGMENTS
        if piece == "*":
            ends_segment = style == "resource" and (at == len(pattern) or pattern[at] == ":")
            stars[-1] = stars[-1] or crosses or ends_segment
            continue
        colons += piece == ":"
        tokens.append(_Token("" if piece == "?" else ESCAPES.get(piece, piece), crosses))
        stars.append(None)
    return tokens, stars


def _piece(pattern: str, at: int) -> str:
    """The character here, or the variable that begins here."""
    if not pattern.startswith("${", at):
        return pattern[at]
    end = pattern.find("}", at)
    return pattern[at : end + 1] if end > 0 else pattern[at]


def _literal_start(tokens: list[_Token], stars: list[bool | None]) -> str:
    found = []
    for token, star in zip(tokens, stars, strict=False):
        if star is not None or len(token.text) != 1:
            break
        found.append(token.text)
    return "".join(found)


def _evened(tokens: list[_Token], stars: list[bool | None]) -> list[bool | None]:
    """The same language, where `*` may stand on either side of the `?` beside it: `*?` matches what `?*` matches."""
    even = list(stars)
    for order in (range(len(tokens)), range(len(tokens) - 1, -1, -1)):
        for state in order:
            if not tokens[state].text:
                here, there = (state, state + 1) if order.step > 0 else (state + 1, state)
                if even[here] is not None and even[there] is None:
                    even[there] = bool(even[here]) and tokens[state].crosses
    return even
