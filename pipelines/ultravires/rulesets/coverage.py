"""What the rules cover: techniques and risks of published frameworks, and logs."""

import re
from collections.abc import Mapping
from typing import Any

from ultravires_models.correlation import Correlation
from ultravires_models.frameworks import load_frameworks
from ultravires_models.rule import Rule
from ultravires_models.rulebook import RuleBook

_TECHNIQUE = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)")
LAYER_VERSION = "4.5"
"""Of the format of layer files (https://github.com/mitre-attack/attack-navigator/tree/master/layers/spec)."""
_LEAST_NAVIGATOR = "5.0.0"
_MOST_RED = 5
"""With so many rules a technique has the deepest colour."""


def coverage_rows(book: RuleBook) -> list[dict[str, Any]]:
    """One row for each rule, framework reference and log; a rule that cites none has one row with none."""
    known = load_frameworks()
    rows = []
    for detector in book.detectors():
        for log in _logs(detector, book):
            for reference in detector.frameworks or (None,):
                framework = known.get(reference or "")
                rows.append(
                    {
                        "rule": detector.detector_id,
                        "level": detector.severity,
                        "log_source": log,
                        "reference": reference,
                        "framework": framework.framework if framework else None,
                        "title": framework.title if framework else None,
                    }
                )
    return sorted(rows, key=lambda row: (row["rule"], row["log_source"], row["reference"] or ""))


def covered(book: RuleBook) -> list[dict[str, Any]]:
    """One row for each reference of ATT&CK and of both OWASP lists, those of the lists also where no rule cites it."""
    cited: dict[str, set[str]] = {}
    logs: dict[str, set[str]] = {}
    for row in coverage_rows(book):
        if row["reference"] is not None:
            cited.setdefault(row["reference"], set()).add(row["rule"])
            logs.setdefault(row["reference"], set()).add(row["log_source"])
    known = load_frameworks()
    listed = {reference for reference in known if reference.startswith(("owasp-asi.", "owasp-nhi."))}
    techniques = {reference for reference in cited if _TECHNIQUE.fullmatch(reference)}
    return [
        {
            "reference": reference,
            "title": known[reference].title if reference in known else None,
            "n_rules": len(cited.get(reference, ())),
            "rules": sorted(cited.get(reference, ())),
            "log_sources": sorted(logs.get(reference, ())),
        }
        for reference in sorted(listed | techniques)
    ]


def navigator_layer(book: RuleBook) -> dict[str, Any]:
    """The same for ATT&CK as a layer of the Navigator: a technique's score is how many rules cite it."""
    version = next((each.version for ref, each in load_frameworks().items() if ref.startswith("attack.")), "")
    techniques = []
    for row in covered(book):
        found = _TECHNIQUE.fullmatch(row["reference"])
        if found is not None:
            techniques.append(
                {
                    "techniqueID": found[1].upper(),
                    "score": row["n_rules"],
                    "comment": ", ".join(row["rules"]),
                    "enabled": True,
                    "showSubtechniques": "." in found[1],
                }
            )
    return {
        "name": "Ultravires rules",
        "versions": {
            "attack": version.lstrip("v").partition(".")[0],
            "navigator": _LEAST_NAVIGATOR,
            "layer": LAYER_VERSION,
        },
        "domain": "enterprise-attack",
        "description": "How many rules cite each technique, and which.",
        "sorting": 3,
        "gradient": {"colors": ["#ffffff", "#d62728"], "minValue": 0, "maxValue": _MOST_RED},
        "techniques": techniques,
    }


def _logs(detector: Rule | Correlation, book: RuleBook) -> list[str]:
    if isinstance(detector, Rule):
        return [detector.relation.name]
    known: dict[str, Rule | Correlation] = {rule.detector_id: rule for rule in book.rules}
    known |= {correlation.detector_id: correlation for correlation in book.correlations}
    return sorted(_logs_under(detector, known))


def _logs_under(detector: Rule | Correlation, known: Mapping[str, Rule | Correlation]) -> set[str]:
    if isinstance(detector, Rule):
        return {detector.relation.name}
    return {log for rule in detector.rules for log in _logs_under(known[rule], known)}
