"""Which places could be bound to which sources, by where their files lie: as narrow as somebody careful writes them.

What comes into a bound place later is believed. So a pattern holds what is there now, the days that follow, and files
whose names only count on; nothing is bound to the whole input.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import takewhile

from ultravires.reading.origins import lies_in

_MOST_NAMED = 5
_MOST_FORMS = 100
"""So many forms of names in one folder are looked at; files of others are named one by one."""
_NUMBERS = re.compile(r"\d+(?:[-_T:.]\d+)*")
_WILD = re.compile(r"[*?]")
_DAY = re.compile(r"(?:[a-z]+=)?(?:20\d\d|\d{1,2}|20\d\d-?\d\d(?:-?\d\d(?:[-T]?\d\d)?)?)", re.IGNORECASE)
"""A folder of a year, month, day or hour, as deliveries name them: `2026`, `05`, `2026-10-05`, `month=10`."""
_DIGITS = re.compile(r"(?<!\d)20(?=\d\d)|\d")
"""The digits of a day, with the century of its year, which stays, as one."""


def suggest(files: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    """Source -> globs below the input that hold its files and no file of another source alone.

    `files` are paths below the input and the sources of what is in each. Where a folder is of one source on all days,
    what comes into it later belongs to that too; what lies beside other logs, or in the input itself, is known by name.
    """
    in_folder: defaultdict[str, set[frozenset[str]]] = defaultdict(set)
    for path, sources in files.items():
        for folder in _folders(path):
            in_folder[_any_day(folder)].add(sources)
    own: defaultdict[tuple[str, frozenset[str]], list[str]] = defaultdict(list)
    loose: defaultdict[tuple[str, frozenset[str]], list[str]] = defaultdict(list)
    beside: defaultdict[str, list[str]] = defaultdict(list)
    for path, sources in sorted(files.items()):
        alone = next((folder for folder in _folders(path) if len(in_folder[_any_day(folder)]) == 1), None)
        place = _any_day(_folder(path))
        beside[place].append(path)
        if alone is None:
            loose[place, sources].append(path)
        else:
            own[alone, sources].append(path)
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for sources, pattern in _below(own, files):
        for source in sources:
            found[source][pattern] = None
    for (place, sources), paths in loose.items():
        for pattern in _globs(paths, [path for path in beside[place] if files[path] != sources]):
            for source in sources:
                found[source][pattern] = None
    return {source: list(patterns) for source, patterns in sorted(found.items())}


def _below(
    own: Mapping[tuple[str, frozenset[str]], list[str]], files: Mapping[str, frozenset[str]]
) -> Iterable[tuple[frozenset[str], str]]:
    """The folder in which the files of each folder of one source lie, on any day if that holds no other's file."""
    on_any_day: defaultdict[tuple[frozenset[str], str], list[str]] = defaultdict(list)
    for (alone, sources), paths in own.items():
        folders = [_folder(path.partition("!")[0]) for path in paths]
        common = _common(map(_any_day, folders), at_least=alone.count("/"))
        on_any_day[sources, f"{common}**"].append(f"{_common(folders, at_least=alone.count('/'))}**")
    for (sources, pattern), as_they_are in on_any_day.items():
        others = (path for path, of_path in files.items() if of_path != sources)
        if "?" in pattern and any(lies_in(pattern, [path]) for path in others):
            yield from ((sources, each) for each in as_they_are)
        else:
            yield sources, pattern


def _common(folders: Iterable[str], at_least: int) -> str:
    """The folder in which all of these lie, above its days, where so many names of it are left."""
    levels = zip(*(folder.split("/")[:-1] for folder in folders), strict=False)
    parts = [level[0] for level in takewhile(lambda level: len(set(level)) == 1, levels)]
    above = list(parts)
    while above and _is_day(above[-1]):
        above.pop()
    return "".join(f"{part}/" for part in (above if len(above) >= at_least else parts))


def _folders(path: str) -> list[str]:
    """The folders above a file within the input, the largest first; an archive is none."""
    parts = path.partition("!")[0].split("/")[:-1]
    return ["".join(f"{part}/" for part in parts[:n]) for n in range(1, len(parts) + 1)]


def _folder(path: str) -> str:
    return path[: path.rfind("/") + 1]


def _any_day(folder: str) -> str:
    """The glob of a folder in which days may be any, and so the numbers of archives."""
    return "/".join(_any_number(part) if "!" in part else _any_digit(part) for part in folder.split("/"))


def _any_digit(part: str) -> str:
    if _DAY.fullmatch(part) is None:
        return _WILD.sub("?", part)
    return _DIGITS.sub(lambda digits: digits[0] if len(digits[0]) > 1 else "?", part)


def _any_number(name: str) -> str:
    return _NUMBERS.sub("*", _WILD.sub("?", name))


def _is_day(part: str) -> bool:
    return _DAY.fullmatch(part.replace("?", "1")) is not None


def _globs(paths: list[str], others: list[str]) -> Iterable[str]:
    """Names in one folder: their days and numbers may be any, where that fits no file of another source."""
    forms = Counter(_form(path) for path in paths)
    general = {
        form
        for form, n in forms.most_common(_MOST_FORMS)
        if (n > 1 or len(paths) <= _MOST_NAMED) and not any(lies_in(form, [other]) for other in others)
    }
    for path in paths:
        yield _form(path) if _form(path) in general else _WILD.sub("?", path)


def _form(path: str) -> str:
    folder = _folder(path)
    return _any_day(folder) + _any_number(path[len(folder) :])
