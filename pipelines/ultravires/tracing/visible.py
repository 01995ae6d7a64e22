"""Text from a log made safe to look at: nothing in it moves a cursor, turns a line around or hides."""

import json
import unicodedata

LONGEST_LINE = 5_000
"""Of what the command says: lines name files, and a name is input that must neither steer the terminal nor flood it."""

# Cc: control, Cf: format (bidi overrides, zero width), Cs: lone surrogates, Co/Cn: private and unassigned,
# Zl/Zp: line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible(value: object, limit: int = 300) -> str:
    """`value` as one line of at most `limit` characters; unseen ones are written as `\\xNN` or `\\uNNNN`.

    The name of a resource, an agent or a tool is chosen by whoever may be the attacker; a terminal or a page
    that prints it raw can be made to show something else than what happened.
    """
    text = "" if value is None else str(value)
    clipped = text[:limit]
    is_plain = clipped.isascii() and clipped.isprintable()
    shown = clipped if is_plain else "".join(_shown(character) for character in clipped)
    return shown if len(text) <= limit else f"{shown}… ({len(text):,} characters)"


def visible_lines(text: str) -> str:
    """The same of text whose line breaks are ours; of whatever length."""
    return text if text.isascii() and text.isprintable() else "".join(map(_shown_or_break, text))


def json_line(value: object) -> str:
    """`value` as JSON on one line of ASCII, which does nothing to a terminal and is the same to any reader."""
    return json.dumps(value, default=str).replace("\x7f", "\\u007f")


def _shown_or_break(character: str) -> str:
    return character if character == "\n" else _shown(character)


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN:
        return character
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
