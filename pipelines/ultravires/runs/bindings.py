"""Which places could be bound to which sources, by where their files lie."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

_MOST_NAMED = 5
_NUMBERS = re.compile(r"\d+(?:[-_T:.]\d+)*")
_WILD = re.compile(r"[*?]")


def suggest(files: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    """Source -> globs below the input that hold its files and no file of another source alone.

    `files` are paths below the input and the sources of what is in each. A folder in which everything is of one source
    is named whole, so that what comes later belongs to it too.
    """
    in_folder: defaultdict[str, set[frozenset[str]]] = defaultdict(set)
    for path, sources in files.items():
        for folder in _folders(path):
            in_folder[folder].add(sources)
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    loose: defaultdict[tuple[str, frozenset[str]], list[str]] = defaultdict(list)
    for path, sources in sorted(files.items()):
        alone = next((folder for folder in _folders(path) if len(in_folder[folder]) == 1), None)
        if alone is None:
            loose[path.rpartition("/")[0], sources].append(path)
        else:
            for source in sources:
                found[source][f"{alone}**"] = None
    for (folder, sources), paths in loose.items():
        for pattern in _globs(paths, [other for other in files if other.rpartition("/")[0] == folder]):
            for source in sources:
                found[source][pattern] = None
    return {source: list(patterns) for source, patterns in sorted(found.items())}


def _folders(path: str) -> list[str]:
    """The folders above a file, the largest first; an archive is none."""
    parts = path.partition("!")[0].split("/")[:-1]
    return ["", *("".join(f"{part}/" for part in parts[:n]) for n in range(1, len(parts) + 1))]


def _globs(paths: list[str], beside: Iterable[str]) -> list[str]:
    """Names in one folder: their numbers may be any, where that fits no file of another source."""
    others = [path for path in beside if path not in paths]
    shapes = Counter(_shape(path) for path in paths)
    foreign = {_shape(path) for path in others}
    general = [shape for shape, n in shapes.items() if shape not in foreign and (n > 1 or len(paths) <= _MOST_NAMED)]
    left = [_WILD.sub("?", path) for path in paths if _shape(path) not in general]
    return [*general, *left]


def _shape(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return _WILD.sub("?", folder) + slash + _NUMBERS.sub("*", _WILD.sub("?", name))
