"""The user's packs of rules: of the configuration and of the command line, and what the home remembers of them."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ultravires.config_file import lies_in, load_settings
from ultravires.settings import Settings
from ultravires.store.atomic_file import write_atomically
from ultravires.store.home_folder import known_inputs

if TYPE_CHECKING:
    from ultravires_models.packs import Pack

REMEMBERED = "rules.json"
"""Which packs the last run of a home took, for the commands that build its tables without being told."""


class PackPlace(NamedTuple):
    """A pack by the name that its user wrote, and where it is."""

    name: str
    path: Path


def pack_places(settings: Settings, config: Path | None, given: Sequence[Path]) -> list[PackPlace]:
    """Those of the configuration, whose paths begin where it lies, and those of the command line; each once."""
    begin = config.absolute().parent if config is not None else Path.cwd()
    configured = [PackPlace(name, begin / Path(name).expanduser()) for name in settings.rules]
    places = [*configured, *(PackPlace(str(path), path.absolute()) for path in given)]
    each_once = list({place.path: place for place in reversed(places)}.values())[::-1]
    names = [place.name for place in each_once]
    return [place if names.count(place.name) == 1 else PackPlace(str(place.path), place.path) for place in each_once]


def take_rules(home: Path, root: Path | None, *, config: Path | None, given: Sequence[Path] | None) -> None:
    """Let this process build with our rules and the user's; `given` None takes the packs that the last run was given.

    No pack is taken from the logs at `root` or those that the home has read: who can write a log must not be able to
    write a rule.
    """
    settings = load_settings(config)
    given = _last_given(home) if given is None else given
    places = pack_places(settings, config, given)
    _choose(places, [*known_inputs(home), *([root] if root else [])], settings.placeholders)


def remember_rules(home: Path, *, config: Path | None, given: Sequence[Path] | None) -> None:
    """Keep in an open home which packs its run took."""
    settings = load_settings(config)
    given = _last_given(home) if given is None else given
    kept = _Kept(
        given=[str(path.absolute()) for path in given],
        packs=[(place.name, str(place.path)) for place in pack_places(settings, config, given)],
        placeholders={name: list(values) for name, values in settings.placeholders.items()},
    )
    write_atomically(home / REMEMBERED, json.dumps(kept._asdict()))


def take_rules_again(home: Path) -> None:
    """Let this process build with the packs of the last run of this home."""
    kept = _kept(home)
    places = [PackPlace(name, Path(path)) for name, path in kept.packs]
    _choose(places, known_inputs(home), kept.placeholders)


def standing_files(places: Iterable[PackPlace]) -> Iterator[Path]:
    """Every file on which the rules of these packs depend."""
    for place in places:
        yield place.path
        for folder, folders, names in os.walk(place.path):
            folders.sort()
            yield from (Path(folder, name) for name in sorted(names))


def _choose(places: Iterable[PackPlace], roots: Sequence[Path], placeholders: Mapping[str, Sequence[str]]) -> None:
    from ultravires.build import pipeline

    pipeline.choose_rules([_pack(place, roots) for place in places], placeholders)


def _pack(place: PackPlace, roots: Sequence[Path]) -> "Pack":
    from ultravires_models.packs import Pack, read_pack

    if any(lies_in(place.path, root.resolve()) for root in roots):
        return Pack(place.name, refused="lies in the folder of the logs, from where no rules are taken; move it")
    return read_pack(place.path, place.name)


def _last_given(home: Path) -> list[Path]:
    return [Path(path) for path in _kept(home).given]


class _Kept(NamedTuple):
    given: list[str]
    packs: list[tuple[str, str]]
    placeholders: dict[str, list[str]]


def _kept(home: Path) -> _Kept:
    with suppress(OSError, ValueError, TypeError):
        return _Kept(**json.loads((home / REMEMBERED).read_bytes()))
    return _Kept([], [], {})
