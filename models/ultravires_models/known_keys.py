"""The keys that the Sigma specification 2.1 and we know, because pySigma keeps unknown ones silently: a typing error in
one would leave a rule that says less than its author thinks.
"""

from collections.abc import Mapping
from typing import Any

from ultravires_models.errors import RuleError

_OF_PEOPLE = {"title", "description", "references", "author", "license", "falsepositives", "fields"}
_OF_MACHINES = {"id", "name", "related", "status", "date", "modified", "tags", "level", "scope", "taxonomy"}
_COMMON = frozenset(_OF_PEOPLE | _OF_MACHINES | {"ultravires"})
_KINDS = {
    "correlation": _COMMON | {"correlation"},
    "filter": (_COMMON - {"ultravires"}) | {"filter", "logsource"},
    "detection": _COMMON | {"logsource", "detection"},
}
_SECTIONS = {
    "logsource": frozenset({"product", "service", "category", "definition"}),
    "correlation": frozenset({"type", "rules", "group-by", "timespan", "aliases", "condition", "generate"}),
}


def kind_of_document(document: Mapping[str, Any]) -> str:
    """Which of the three kinds of Sigma documents it is: correlation, filter or detection (a rule of one event)."""
    return next((kind for kind in ("correlation", "filter") if kind in document), "detection")


def refuse_unknown_keys(document: Mapping[str, Any]) -> None:
    """RuleError, naming unknown keys and the known ones, of the document or of a section of it."""
    _refuse(document, _KINDS[kind_of_document(document)], "")
    for name, known in _SECTIONS.items():
        section = document.get(name)
        if isinstance(section, Mapping):
            _refuse(section, known, f"{name}: ")
    detection = document.get("detection")
    if isinstance(detection, Mapping) and "timeframe" in detection:
        raise RuleError("detection: timeframe is no longer in Sigma; write a correlation with a timespan")


def _refuse(section: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    unknown = sorted(str(key) for key in section if key not in known)
    if unknown:
        shown = ", ".join(key[:60] for key in unknown[:5])
        raise RuleError(f"{where}unknown key {shown}; known: {', '.join(sorted(known))}")
