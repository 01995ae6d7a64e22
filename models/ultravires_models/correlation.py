"""Correlations: Sigma rules over what other rules match, in windows of time and groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionItem,
    CorrelationConditionNOT,
    SigmaCorrelationCondition,
    SigmaCorrelationRule,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)
from sigma.exceptions import SigmaError

from ultravires_models.errors import RuleError, one_line
from ultravires_models.known_keys import refuse_unknown_keys
from ultravires_models.rule import DETECTION_FINDING, IAM_ANALYSIS_FINDING, PLACEHOLDER, Rule

TEMPORAL = ("temporal", "temporal_ordered")
OF_VALUES = ("value_sum", "value_avg", "value_percentile", "value_median")
OPERATORS = {"LT": "<", "LTE": "<=", "GT": ">", "GTE": ">=", "EQ": "=", "NEQ": "<>"}
SHOWN = ("n_events", "first_at", "last_at")
"""What a message may show besides the fields of the group."""
_SECTION = {"message", "remediation", "class_uid"}
_MOST_RULES = 50
_MOST_WAYS = 16
_LONGEST_SPAN = 400 * 86_400


@dataclass(frozen=True)
class Literal:
    """That a rule matches in the window, or that it does not."""

    detector_id: str
    is_absent: bool


Way = tuple[Literal, ...]
"""What has to hold together, in the order in which the rule says it."""


@dataclass(frozen=True)
class Correlation:
    """One correlation, read and checked; `rules` are the names of what it correlates, in its order.

    `fields` says for each of them by which of its own fields the group is told and, after those, which are counted or
    summed up. `ways` are the alternatives of a condition over rules, each of which completes the window.
    """

    detector_id: str
    title: str
    description: str
    severity: str
    frameworks: tuple[str, ...]
    false_positives: tuple[str, ...]
    version: str
    kind: str
    rules: tuple[str, ...]
    group_by: tuple[str, ...]
    fields: Mapping[str, tuple[str, ...]]
    seconds: int
    message: str
    remediation: str
    class_uid: int
    is_generating: bool
    operator: str = ">="
    bound: int | float = 1
    percentile: int | None = None
    ways: tuple[Way, ...] = field(default=())

    @property
    def n_values(self) -> int:
        """How many fields are counted or summed up."""
        return len(self.fields[self.rules[0]]) - len(self.group_by)


def references(document: Mapping[str, Any]) -> list[str]:
    """What a correlation names in its rules and condition, as far as that can be read before all rules are."""
    sigma = _parsed(document)
    named = [reference.reference for reference in sigma.rules or ()]
    if isinstance(sigma.condition, SigmaExtendedCorrelationCondition):
        named += sigma.condition.get_referenced_rules()
    return list(dict.fromkeys(named))


def build_correlation(
    document: Mapping[str, Any], stem: str, version: str, known: Mapping[str, "Rule | Correlation"]
) -> Correlation:
    """The correlation that one document says; `known` are the rules that it may name, by name and by id.

    RuleError, one line, for anything that cannot be judged.
    """
    refuse_unknown_keys(document)
    section = document.get("ultravires") or {}
    sigma = _parsed(document)
    rules = {name: _known(name, known) for name in references(document)}
    names = tuple(dict.fromkeys(rule.detector_id for rule in rules.values()))
    is_twice = len(set(sigma.rules or ())) < len(sigma.rules or ()) or len(names) != len(rules)
    if not names or is_twice or len(names) > _MOST_RULES:
        raise RuleError(f"correlation: names from one to {_MOST_RULES} rules, each once")
    kind, group_by = sigma.type.name.lower(), tuple(sigma.group_by or ())
    of_condition = _of_condition(sigma, kind, {name: rule.detector_id for name, rule in rules.items()})
    counted = _counted(sigma, kind)
    if sigma.timespan.seconds > _LONGEST_SPAN:
        raise RuleError("correlation: timespan is longer than 400 days")
    fields = {
        rule.detector_id: (*(_own_field(sigma, group, name, rules) for group in group_by), *counted)
        for name, rule in rules.items()
    }
    for rule in rules.values():
        _refuse_unknown_fields(rule, fields[rule.detector_id])
    title = sigma.title or stem
    return Correlation(
        detector_id=sigma.name or stem,
        title=title,
        description=one_line(sigma.description or ""),
        severity=str(sigma.level).lower() if sigma.level else "medium",
        frameworks=tuple(str(tag) for tag in sigma.tags),
        false_positives=tuple(sigma.falsepositives or ()),
        version=version,
        kind=kind,
        rules=names,
        group_by=group_by,
        fields=fields,
        seconds=sigma.timespan.seconds,
        is_generating=bool(sigma.generate),
        **of_condition,
        **_read_section(section, title, group_by),
    )


def _parsed(document: Mapping[str, Any]) -> SigmaCorrelationRule:
    plain = {name: value for name, value in document.items() if name != "ultravires"}
    try:
        return SigmaCorrelationRule.from_dict(plain)
    except (SigmaError, RecursionError) as error:
        raise RuleError(one_line(error)) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # how pySigma meets a value of another kind
        raise RuleError(f"no Sigma correlation: {error!r}") from error


def _known(name: str, known: Mapping[str, "Rule | Correlation"]) -> "Rule | Correlation":
    found = known.get(name) or known.get(name.lower())
    if found is None:
        raise RuleError(f"correlation: there is no rule {name!r} that works")
    return found


def _of_condition(sigma: SigmaCorrelationRule, kind: str, names: Mapping[str, str]) -> dict[str, Any]:
    condition = sigma.condition
    if isinstance(condition, SigmaExtendedCorrelationCondition):
        ways = _ways(condition.parsed, names, is_absent=False)
        if any(all(literal.is_absent for literal in way) for way in ways):
            raise RuleError("correlation: condition: what is absent needs something beside it that is there")
        return {"ways": tuple(ways)}
    assert isinstance(condition, SigmaCorrelationCondition)
    if kind == "temporal_ordered":
        if (condition.op.name, condition.count) != ("GTE", len(names)):
            raise RuleError("correlation: temporal_ordered wants all of its rules; leave the condition out")
        return {"ways": (tuple(Literal(name, is_absent=False) for name in names.values()),)}
    if kind == "value_percentile" and (condition.percentile is None or not 0 <= condition.percentile <= 100):
        raise RuleError("correlation: condition: value_percentile needs percentile, from 0 to 100")
    return {
        "operator": OPERATORS[condition.op.name],
        "bound": condition.count,
        "percentile": condition.percentile if kind == "value_percentile" else None,
    }


def _ways(
    item: SigmaRuleReference | CorrelationConditionItem, names: Mapping[str, str], *, is_absent: bool
) -> list[Way]:
    """The alternatives that make a condition true, with `not` at the rules alone."""
    if isinstance(item, SigmaRuleReference):
        return [(Literal(names[item.reference], is_absent),)]
    if isinstance(item, CorrelationConditionNOT):
        return _ways(item.args[0], names, is_absent=not is_absent)
    parts = [_ways(argument, names, is_absent=is_absent) for argument in item.args]
    if isinstance(item, CorrelationConditionAND) == is_absent:  # not (a and b) is: not a, or not b
        return _bounded([way for part in parts for way in part])
    ways: list[Way] = [()]
    for part in parts:
        ways = _bounded([(*way, *more) for way in ways for more in part])
    return ways


def _bounded(ways: list[Way]) -> list[Way]:
    if len(ways) > _MOST_WAYS:
        raise RuleError(f"correlation: condition: more than {_MOST_WAYS} alternatives; write several correlations")
    return ways


def _counted(sigma: SigmaCorrelationRule, kind: str) -> tuple[str, ...]:
    """The fields whose values are counted or summed up."""
    reference = getattr(sigma.condition, "fieldref", None)
    if kind != "value_count" and kind not in OF_VALUES:
        if reference is not None:
            raise RuleError(f"correlation: condition: {kind} counts events; take field out")
        return ()
    fields = tuple(map(str, reference)) if isinstance(reference, list) else (reference,)
    if not reference or (len(fields) > 1 and kind != "value_count"):
        raise RuleError(f"correlation: condition: {kind} needs a field")
    return tuple(str(each) for each in fields)


def _own_field(sigma: SigmaCorrelationRule, group: str, name: str, rules: Mapping[str, "Rule | Correlation"]) -> str:
    """By which of its own fields a rule says what the group says."""
    alias = sigma.aliases.aliases.get(group) if sigma.aliases else None
    if alias is None:
        return group
    wanted = rules[name].detector_id
    for reference, own in alias.mapping.items():
        known = rules.get(reference.reference)
        if known is not None and known.detector_id == wanted:
            return str(own)
    raise RuleError(f"correlation: aliases: {group} does not say which field it is in {name}")


def _refuse_unknown_fields(rule: "Rule | Correlation", fields: Sequence[str]) -> None:
    if isinstance(rule, Correlation):
        unknown = [name for name in fields if name not in rule.group_by]
        if unknown:
            known = ", ".join(rule.group_by) or "none"
            raise RuleError(f"correlation: {rule.detector_id} tells its groups by {known}, and not by {unknown[0]}")


def _read_section(section: object, title: str, group_by: Sequence[str]) -> dict[str, Any]:
    if not isinstance(section, Mapping) or not set(section) <= _SECTION:
        raise RuleError(f"ultravires: a mapping of {', '.join(sorted(_SECTION))}")
    shown = " ".join(f"{name} {{{name}}}" for name in group_by)
    message = section.get("message", f"{title}: {{n_events}} events from {{first_at}} to {{last_at}} {shown}".strip())
    remediation = section.get("remediation", "Check with the owner whether this was meant, and undo it if not.")
    class_uid = section.get("class_uid", DETECTION_FINDING)
    if not isinstance(message, str) or not isinstance(remediation, str):
        raise RuleError("ultravires: message and remediation are texts")
    if class_uid not in (DETECTION_FINDING, IAM_ANALYSIS_FINDING):
        raise RuleError("ultravires: class_uid is 2004 or 2008")
    unknown = sorted(set(PLACEHOLDER.findall(message)) - {*group_by, *SHOWN}) if "message" in section else []
    if unknown:
        raise RuleError(f"ultravires: message shows {unknown[0]}; known: {', '.join([*group_by, *SHOWN])}")
    return {"message": message, "remediation": remediation, "class_uid": class_uid}
