"""Who is believed where: which places are bound to which sources, and in which wrappers a log can be itself.

A place is where a file lies (its path) and where in it a record lay, as its wrapper states that: `cloudwatch:<log
group>`, `google log:<log name>`, `azure:<category>`, layers from outside joined by ` > `. Content says whose record
something is; only the place says whether the system itself wrote it there.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ultravires.reading.dotted_names import DOTTED_NAMES

if TYPE_CHECKING:
    from ultravires.reading.source import Source

VERDICTS_VERSION = 1
"""Grows with the rules below, so that what is stored is judged anew."""
LOG_GROUP, GOOGLE_LOG, AZURE_CATEGORY = "log_group", "google_log", "azure_category"
GOOGLE, AZURE = "google log", "azure"
"""Layers of records that state their own place."""
CLOUDWATCH, LOG_ANALYTICS = "cloudwatch", "log analytics"
BETWEEN = " > "
RECORDED, REPORTED = "recorded", "reported"
MISPLACED = "in a place that is bound to"
"""How the reason in quarantine goes on behind `a record of <source>`; the rule over quarantine looks for it."""
_TEXT = msgspec.json.Decoder(str)
_LONGEST_STATED = 300
_NO_NAME = re.compile(r"[\"'\\{}<>\x00-\x1f]")
_BINDABLE = {CLOUDWATCH: LOG_GROUP, "cloud logging": GOOGLE_LOG, GOOGLE: GOOGLE_LOG, AZURE: AZURE_CATEGORY}
_NEUTRAL = frozenset(
    {"csv", "a table", "a page", "elastic search", "splunk search", "lookup-events"}
    | {"athena", "bigquery", "elastic common schema", DOTTED_NAMES}
)
"""Layers that who asks a system for records makes, and words of its own in which it keeps them. They say nothing of who
wrote the records, and what is around them does."""
_CUSTOM_TABLE = re.compile(r"log analytics:.*_cl")
_OF_ACCOUNT = re.compile(r"^\d{12}:")
"""Before the log group, where queries of several accounts name it."""


@dataclass(frozen=True)
class BoundPlace:
    """A place that is bound to a source: all that is named here has to fit. `path` is a glob."""

    source: str
    path: str | None = None
    log_group: str | None = None
    google_log: str | None = None
    azure_category: str | None = None
    captured_at: str | None = None
    """When the snapshots that lie there were taken (ISO)."""

    @property
    def inner(self) -> tuple[str, str] | None:
        """What has to be stated inside of the file, and how; None where the path alone is the place."""
        for kind in (LOG_GROUP, GOOGLE_LOG, AZURE_CATEGORY):
            if pattern := getattr(self, kind):
                return kind, str(pattern)
        return None


class Verdict(NamedTuple):
    """The voice of what a record says; `bound_to` names the others whose place it is, and nobody hears it then."""

    voice: str
    bound_to: tuple[str, ...] = ()

    def reason(self, source: str) -> str | None:
        """Why the record goes to quarantine; None where it does not."""
        return f"a record of {source} {MISPLACED} {', '.join(self.bound_to)}" if self.bound_to else None


@dataclass(frozen=True)
class FileOrigin:
    """What is bound in one file: (source, kind and pattern of the place inside, None for the whole file)."""

    bound: tuple[tuple[str, tuple[str, str] | None], ...] = ()
    has_origins: bool = False

    def verdict(self, source: "Source", log: str | None, place: str | None) -> Verdict:
        """Of a record of `log` that `source` read at `place` in this file."""
        if source.voice != RECORDED:
            return Verdict(source.voice)
        is_delivered = is_delivered_by_its_vendor(place, source.delivered_in)
        stated = stated_in(place)
        of_place = [name for name, inner in self.bound if inner and stated and _fits(inner, stated)]
        bound = of_place or [name for name, inner in self.bound if inner is None]
        if source.name in bound or log in bound:
            return Verdict(RECORDED if of_place or stated is None or is_delivered else REPORTED)
        if bound:
            return Verdict(REPORTED, tuple(sorted(set(bound))))
        if self.has_origins and source.is_granting:
            return Verdict(REPORTED)
        return Verdict(RECORDED if is_delivered else REPORTED)


@dataclass(frozen=True)
class Origins:
    """All bindings, and the input below which the paths of files are compared."""

    places: tuple[BoundPlace, ...] = ()
    root: str = ""

    def of_file(self, stored_path: str, root: str | None = None) -> FileOrigin:
        """What is bound in a file or member of an archive, known by its path in the manifest."""
        if not self.places:
            return ANYWHERE
        names = (stored_path, below(stored_path, self.root if root is None else root))
        bound = [(each.source, each.inner) for each in self.places if each.path is None or lies_in(each.path, names)]
        return FileOrigin(tuple(bound), has_origins=True)

    def captured_at(self, stored_path: str, source: str) -> str | None:
        """What is said of when a snapshot of `source` was taken that has this path; the first place that says it."""
        names = (stored_path, below(stored_path, self.root))
        of_source = (each for each in self.places if each.source == source and each.captured_at and each.path)
        return next((each.captured_at for each in of_source if each.path and lies_in(each.path, names)), None)


ANYWHERE = FileOrigin()
"""Of a file while nothing is bound at all."""


def below(stored_path: str, root: str) -> str | None:
    """The path of a file as it is seen from the input; a file that is the input has its name. None elsewhere."""
    if stored_path == root:
        return root.rpartition("/")[2]
    folder = root.rstrip("/") + "/"
    if root and stored_path.startswith(folder):
        return stored_path[len(folder) :]
    if stored_path.startswith(f"{root}!"):
        return root.rpartition("/")[2] + stored_path[len(root) :]
    return None


PLACED: list[str] = []
"""Layers that a source took off the record that is being decoded, from outside; `note_place` adds to them."""


def note_place(layer: str) -> None:
    """Say, while a record is decoded, out of which layer it came: what follows sees the record alone."""
    PLACED.append(layer)


def noted_place() -> str | None:
    """The layers of the record that was decoded last; None where there are none."""
    place = joined(*PLACED)
    PLACED.clear()
    return place


def place_around(log_group: bytes) -> str:
    """The layer of a delivery of CloudWatch Logs, with the JSON text of its log group; nothing where it names none."""
    try:
        return stated(CLOUDWATCH, _TEXT.decode(log_group) if log_group else None)
    except (msgspec.DecodeError, UnicodeError):
        return CLOUDWATCH


@lru_cache(maxsize=4096)
def stated(name: str, value: str | None) -> str:
    """A layer with the place that it states. What is no name of a place, or could hold a secret, states none."""
    if value is None or _NO_NAME.search(value):
        return name
    own = _OF_ACCOUNT.sub("", value) if name == CLOUDWATCH else value
    return f"{name}:{own[:_LONGEST_STATED]}"


def joined(*layers: str | None) -> str | None:
    """The layers from outside as one place; None where there are none."""
    return BETWEEN.join(layer for layer in layers if layer) or None


@lru_cache(maxsize=4096)
def stated_in(place: str | None) -> tuple[str, str] | None:
    """The kind and name of the outermost place that is stated and can be bound, if nothing that anybody can write into
    stands around it.
    """
    for layer in place.split(BETWEEN) if place else ():
        name, _, value = layer.partition(":")
        if name in _BINDABLE:
            return (_BINDABLE[name], value) if value else None
        if not _is_neutral(layer):
            return None
    return None


def is_delivered_by_its_vendor(place: str | None, delivered_in: tuple[str, ...]) -> bool:
    """Whether no application can have written a record of this log there: each layer is one that nobody writes into, or
    is named as one in which the vendor delivers it.
    """
    return place is None or _is_delivered(place, delivered_in)


@lru_cache(maxsize=4096)
def _is_delivered(place: str, delivered_in: tuple[str, ...]) -> bool:
    return all(_is_neutral(layer) or any(_glob(one, layer) for one in delivered_in) for layer in place.split(BETWEEN))


def _is_neutral(layer: str) -> bool:
    name = layer.partition(":")[0]
    if name == LOG_ANALYTICS:  # who may write to a table of their own chooses its columns
        return _CUSTOM_TABLE.fullmatch(layer.lower()) is None
    return name in _NEUTRAL


def _fits(inner: tuple[str, str], stated: tuple[str, str]) -> bool:
    return inner[0] == stated[0] and _glob(inner[1], stated[1])


def _glob(pattern: str, text: str) -> bool:
    """Names of vendors' places, in any case; a star is anything."""
    return _compiled(pattern.lower(), "").fullmatch(text.lower()) is not None


def lies_in(pattern: str, names: Iterable[str | None]) -> bool:
    """Whether a path, as it is stored or below the input, is of this glob; one that ends with a slash is all below."""
    whole = f"{pattern}**" if pattern.endswith("/") else pattern
    return any(name is not None and _compiled(whole, "/!").fullmatch(name) for name in names)


@lru_cache(maxsize=1024)
def _compiled(pattern: str, separators: str) -> re.Pattern[str]:
    """`**` is anything, `**/` any folders or none, `*` and `?` stay within one folder or archive."""
    one = f"[^{separators}]" if separators else "."
    words = {"**/": "(?:.*/)?", "**": ".*", "*": f"{one}*", "?": one}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts), re.DOTALL)
