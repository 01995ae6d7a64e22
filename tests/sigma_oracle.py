"""What the Sigma specification says of one record, in plain Python: written from the text of its appendix on modifiers,
for records of texts, numbers, truth values, nulls, lists and objects. Nothing here knows SQL.
"""

import base64
import ipaddress
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

Detection = Mapping[str, Any] | list[Any]


def matches(detection: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Whether a rule with these selections and a condition of `and`, `or`, `not` and names fires on the record."""
    said = {name: selects(value, record) for name, value in detection.items() if name != "condition"}
    words = re.findall(r"\(|\)|\w+", detection["condition"])
    text = " ".join(word if word in ("and", "or", "not", "(", ")") else str(said[word]) for word in words)
    return bool(eval(text))


def selects(selection: Detection, record: Mapping[str, Any]) -> bool:
    """A list of mappings is a choice; the items of a mapping all hold."""
    if isinstance(selection, list):
        return any(selects(each, record) for each in selection)
    return all(_item(key, wanted, record) for key, wanted in selection.items())


def _item(key: str, wanted: Any, record: Mapping[str, Any]) -> bool:
    field, *modifiers = key.split("|")
    if "neq" in modifiers:
        return not _item("|".join([field, *(word for word in modifiers if word != "neq")]), wanted, record)
    values = list(_texts(_at(record, field.split("."))))
    if "exists" in modifiers:
        return bool(values) == wanted
    if "fieldref" in modifiers:
        others = list(_texts(_at(record, str(wanted).split("."))))
        return any(_relates(modifiers, one, other) for one in values for other in others)
    options = wanted if isinstance(wanted, list) else [wanted]
    link = all if "all" in modifiers else any
    return link(_value(option, modifiers, values) for option in options)


def _at(node: Any, path: list[str]) -> Iterator[Any]:
    """All values at a path, through lists at any step."""
    if isinstance(node, list):
        for each in node:
            yield from _at(each, path)
    elif not path:
        yield node
    elif isinstance(node, Mapping) and path[0] in node:
        yield from _at(node[path[0]], path[1:])


def _texts(values: Iterator[Any]) -> Iterator[str]:
    for value in values:
        if value is True or value is False:
            yield "true" if value else "false"
        elif value is not None:
            yield str(value)


def _relates(modifiers: list[str], one: str, other: str) -> bool:
    one, other = one.lower(), other.lower()
    if "contains" in modifiers:
        return other in one
    if "startswith" in modifiers:
        return one.startswith(other)
    return one.endswith(other) if "endswith" in modifiers else one == other


def _value(option: Any, modifiers: list[str], values: list[str]) -> bool:
    if option is None:
        return not values
    return any(_one(option, modifiers, value) for value in values)


def _one(option: Any, modifiers: list[str], value: str) -> bool:
    compare = {
        "gt": lambda a, b: a > b,
        "gte": lambda a, b: a >= b,
        "lt": lambda a, b: a < b,
        "lte": lambda a, b: a <= b,
    }
    order = next((compare[word] for word in modifiers if word in compare), lambda a, b: a == b)
    part = next((word for word in modifiers if word in _PARTS), None)
    if part is not None:
        moment = _moment(value)
        return moment is not None and order(_PARTS[part](moment), option)
    if isinstance(option, bool):
        return value.lower() == str(option).lower()
    if isinstance(option, int | float):
        number = _number(value)
        return number is not None and order(number, option)
    if "re" in modifiers:
        flags = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
        return re.search(option, value, sum(int(flags[w]) for w in modifiers if w in flags)) is not None
    if "cidr" in modifiers:
        return _is_in(value, option)
    return any(_is_like(text, modifiers, value) for text in _spellings(option, modifiers))


_PARTS = {
    "minute": lambda at: at.minute,
    "hour": lambda at: at.hour,
    "day": lambda at: at.day,
    "week": lambda at: at.isocalendar().week,
    "month": lambda at: at.month,
    "year": lambda at: at.year,
}


def _moment(value: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if "T" in value else None
    except ValueError:
        return None
    return at.astimezone(UTC) if at else None


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _is_in(value: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(network)
    except ValueError:
        return False


def _spellings(option: str, modifiers: list[str]) -> list[str]:
    """What a value stands for after the modifiers that write it anew."""
    if "windash" in modifiers:
        dashes = "-/\N{EN DASH}\N{EM DASH}\N{HORIZONTAL BAR}"
        return [re.sub(r"\B[-/]\b", dash, option) for dash in dashes]
    content = option.encode()
    if "wide" in modifiers:
        content = option.encode("utf-16-le")
    if "base64" in modifiers:
        return [base64.b64encode(content).decode()]
    if "base64offset" in modifiers:
        begins, ends = (0, 2, 3), (None, -3, -2)
        return [
            base64.b64encode(b" " * n + content)[begins[n] : ends[(len(content) + n) % 3]].decode() for n in range(3)
        ]
    return [option]


def _is_like(option: str, modifiers: list[str], value: str) -> bool:
    """Wildcards are * and ?, a backslash before one or before itself makes it plain."""
    pattern, place = "", 0
    while place < len(option):
        character = option[place]
        if character == "\\" and option[place + 1 : place + 2] in ("*", "?", "\\"):
            place += 1
            pattern += re.escape(option[place])
        else:
            pattern += {"*": ".*", "?": "."}.get(character, re.escape(character))
        place += 1
    before = ".*" if {"contains", "endswith"} & set(modifiers) else ""
    after = ".*" if {"contains", "startswith"} & set(modifiers) else ""
    flags = re.DOTALL | (0 if "cased" in modifiers else re.IGNORECASE)
    return re.fullmatch(before + pattern + after, value, flags) is not None
