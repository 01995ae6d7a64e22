"""Rules with one fault each: what a case has to notice."""

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

_PART = re.compile(r"(?:\band\s+)?\bnot\s+\w+|\band\s+\w+|\bor\s+\w+")


def mutants(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(what is wrong, the rule) for each fault: the condition negated, a part of it left out, a field left out."""
    detection = document["detection"]
    condition = detection["condition"]
    yield "negated", _with(document, "condition", f"not ({condition})")
    for match in _PART.finditer(condition):
        if condition[match.end() :].lstrip().startswith("("):
            continue
        rest = (condition[: match.start()] + condition[match.end() :]).strip()
        rest = re.sub(r"(^|\()\s*(and|or)\s+", r"\1", rest)
        if rest:
            yield f"without '{match[0].strip()}'", _with(document, "condition", rest)
    for name, selection in detection.items():
        if isinstance(selection, Mapping) and len(selection) > 1:
            for field in selection:
                yield (
                    f"{name} without {field}",
                    _with(document, name, {k: v for k, v in selection.items() if k != field}),
                )


def _with(document: Mapping[str, Any], member: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(dict(document))
    changed["detection"][member] = value
    used = changed["detection"]["condition"]
    changed["detection"] = {
        name: said
        for name, said in changed["detection"].items()
        if name == "condition" or re.search(rf"\b{re.escape(name)}\b", used) or re.search(r"\bof\b", used)
    }
    return changed
