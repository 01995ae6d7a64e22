"""Rules: Sigma YAML files with a section `ultravires:` that says what a hit is about, and what to do."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from ultravires_models.errors import RuleError, one_line
from ultravires_models.frameworks import load_frameworks
from ultravires_models.hits import SEVERITIES
from ultravires_models.known_keys import refuse_unknown_keys
from ultravires_models.relation import Relation, find_relation
from ultravires_models.sigma.quiet_regex import POLICY

DETECTION_FINDING = 2004
IAM_ANALYSIS_FINDING = 2008
SLOTS = ("", "day")
PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_DEEPEST = 30
_SECTION = {"subject", "slot", "severity", "evidence", "remediation", "message", "class_uid"}


@dataclass(frozen=True)
class Rule:
    """One rule, read and checked. `subject_columns` are joined by a space; `message` has {field} in it. `evidence` is a
    column, or None for what the relation has; `severity_column` says how severe a row is, where that is not null.
    """

    detector_id: str
    title: str
    description: str
    severity: str
    frameworks: tuple[str, ...]
    false_positives: tuple[str, ...]
    version: str
    relation: Relation
    sigma: SigmaRule
    subject_kind: str
    subject_columns: tuple[str, ...]
    slot: str
    severity_column: str | None
    evidence: str | None
    message: str
    remediation: str
    class_uid: int


def read_rule(path: Path, relations: Sequence[Relation]) -> Rule:
    """One Sigma file over one of `relations`; without the section `ultravires:` a hit is about the row, so that rules
    of the community work unmodified.

    RuleError, one line that names the file.
    """
    text = path.read_bytes()
    try:
        return build_rule(_only_rule(read_documents(text)), path.stem, version_of(text), relations)
    except RuleError as error:
        raise RuleError(f"{path}: {error}") from error


def version_of(text: bytes) -> str:
    """Changes with the file that a rule stands in."""
    return hashlib.sha256(text).hexdigest()[:12]


def read_documents(text: bytes) -> list[dict[str, Any]]:
    """The YAML documents of a rule file, each a mapping. RuleError for anything else."""
    try:
        decoded = text.decode("utf-8")
        _refuse_bombs(decoded)
        documents = [each for each in yaml.load_all(decoded, Loader=yaml.CSafeLoader) if each is not None]
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise RuleError(one_line(error)) from error
    if not documents or not all(isinstance(document, dict) for document in documents):
        raise RuleError("a rule file holds YAML documents that are mappings, at least one")
    return documents


def _refuse_bombs(text: str) -> None:
    """No rule needs aliases, and a few lines of them stand for millions of values; deep nesting ends the reader."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise RuleError("a rule repeats itself by a YAML alias (*name); write it out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise RuleError(f"nested deeper than {_DEEPEST} levels")


def _only_rule(documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if len(documents) != 1 or "correlation" in documents[0] or "filter" in documents[0]:
        raise RuleError("holds more than one rule of one event; correlations and filters are read with their pack")
    return documents[0]


def build_rule(document: Mapping[str, Any], stem: str, version: str, relations: Sequence[Relation]) -> Rule:
    """The rule that one document says; `stem` names it where it has no `name`. RuleError, one line, otherwise."""
    try:
        refuse_unknown_keys(document)
        return _build_rule(dict(document), stem, version, relations)
    except (SigmaError, RecursionError) as error:
        raise RuleError(one_line(error)) from error


def _build_rule(document: dict[str, Any], stem: str, version: str, relations: Sequence[Relation]) -> Rule:
    section = document.pop("ultravires", None)
    sigma = _read_sigma(document)
    relation = find_relation(relations, sigma.logsource.product, sigma.logsource.service)
    return Rule(
        detector_id=sigma.name or stem,
        title=sigma.title or stem,
        description=one_line(sigma.description or ""),
        severity=str(sigma.level).lower() if sigma.level else "medium",
        frameworks=tuple(str(tag) for tag in sigma.tags),
        false_positives=tuple(sigma.falsepositives or ()),
        version=version,
        relation=relation,
        sigma=sigma,
        **_read_section(section or {}, relation, sigma.title or stem),
    )


def _read_sigma(document: dict[str, Any]) -> SigmaRule:
    try:
        known = {**document, "detection": _known_modifiers(document.get("detection"))}
        return SigmaRule.from_dict(known, policy=POLICY)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # how pySigma meets a value of another kind
        raise RuleError(f"no Sigma rule: {error!r}") from error


def _known_modifiers(detection: object) -> Any:
    """The modifier `utf16le` of the specification is `wide` by another name, the only one that pySigma knows."""
    if isinstance(detection, list):
        return [_known_modifiers(each) for each in detection]
    if not isinstance(detection, Mapping):
        return detection
    return {
        "|".join("wide" if word == "utf16le" else word for word in key.split("|"))
        if isinstance(key, str)
        else key: _known_modifiers(value)
        for key, value in detection.items()
    }


def _read_section(section: object, relation: Relation, title: str) -> dict[str, Any]:
    if not isinstance(section, Mapping):
        raise RuleError(f"ultravires: a mapping of {', '.join(sorted(_SECTION))}")
    unknown = sorted(map(str, set(section) - _SECTION))
    if unknown:
        raise RuleError(f"ultravires: unknown {', '.join(unknown)}; known: {', '.join(sorted(_SECTION))}")
    subject = section.get("subject") or {"kind": relation.row_kind, "column": []}
    if not isinstance(subject, Mapping) or set(subject) != {"kind", "column"}:
        raise RuleError("ultravires: subject holds exactly kind and column")
    columns = subject["column"]
    fields = {
        "subject_kind": subject["kind"],
        "subject_columns": tuple(columns) if isinstance(columns, list) else (columns,),
        "slot": section.get("slot", ""),
        "severity_column": section.get("severity"),
        "evidence": section.get("evidence"),
        "message": section.get("message", title),
        "remediation": section.get("remediation", "Check with the owner whether this was meant, and undo it if not."),
        "class_uid": section.get("class_uid", DETECTION_FINDING),
    }
    _check_section(fields, relation)
    return fields


def _check_section(fields: Mapping[str, Any], relation: Relation) -> None:
    for name in ("subject_kind", "message", "remediation"):
        if not isinstance(fields[name], str):
            raise RuleError(f"ultravires: {name.replace('subject_', 'subject ')} is {fields[name]!r}; write a text")
    if fields["slot"] not in SLOTS:
        raise RuleError("ultravires: slot is '' or day")
    if fields["class_uid"] not in (DETECTION_FINDING, IAM_ANALYSIS_FINDING):
        raise RuleError("ultravires: class_uid is 2004 or 2008")
    optional = (fields["severity_column"], fields["evidence"])
    named = (*fields["subject_columns"], *(column for column in optional if column is not None))
    for column in named:
        if not isinstance(column, str) or column not in relation.columns:
            known = ", ".join(sorted(relation.columns))
            raise RuleError(f"ultravires: {relation.table} has no column {column!r}; known: {known}")


def check_pack_rule(rule: Rule, stem: str) -> None:
    """What our own pack is held to besides. RuleError, one line, otherwise. What a correlation is made of stands in its
    file, and has a name that begins with its own.
    """
    if rule.detector_id != stem and not rule.detector_id.startswith(f"{stem}_of_"):
        raise RuleError(f"name is {rule.detector_id!r}, which must be the file's name")
    if rule.severity not in SEVERITIES:
        raise RuleError(f"level {rule.severity!r}; known: {', '.join(SEVERITIES)}")
    check_frameworks(rule.frameworks)


def check_frameworks(frameworks: Sequence[str]) -> None:
    """RuleError for references that are not packaged."""
    unknown = sorted(set(frameworks) - set(load_frameworks()))
    if unknown:
        raise RuleError(f"references {', '.join(unknown)} do not stand in frameworks.csv")
