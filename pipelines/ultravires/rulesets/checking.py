"""Rules beside the cases that say when they must fire."""

from dataclasses import dataclass
from pathlib import Path

from ultravires_models.cases import failed_cases, read_cases
from ultravires_models.errors import RuleError
from ultravires_models.rule import Rule
from ultravires_models.rulebook import RuleBook

from ultravires.build.rule_relations import rule_relations
from ultravires.errors import UsageError


@dataclass(frozen=True)
class Checked:
    """One rule with its cases: how many there are, and what is wrong, a line each."""

    name: str
    n_cases: int
    problems: tuple[str, ...]


def check_rules(book: RuleBook, pack: str, folder: Path) -> list[Checked]:
    """Every rule of one event of a pack with the cases in `<rule file>.cases.jsonl` beside it; a rule without them has
    none. A correlation is made of several events and has no cases of this kind.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: cases stand beside the rules in a folder; unpack it first")
    rules = {rule.detector_id: rule for rule in book.rules}
    return [
        _checked(rules[entry.detector_id], folder / entry.file)
        for entry in book.entries
        if entry.pack == pack and entry.kind == "detection" and entry.reason is None
    ]


def _checked(rule: Rule, file: Path) -> Checked:
    path = file.with_suffix(".cases.jsonl")
    if not path.is_file():
        return Checked(rule.detector_id, 0, ())
    try:
        cases = read_cases(path, rule.relation)
        failed = failed_cases(rule, cases, rule_relations())
    except (RuleError, OSError) as error:
        return Checked(rule.detector_id, 0, (str(error),))
    wrong = [f"{name}: does not do what the case says" for name in failed]
    kinds = {case.fires for case in cases}
    missing = [f"no case that {word}" for word, fires in (("fires", True), ("is silent", False)) if fires not in kinds]
    return Checked(rule.detector_id, len(cases), (*wrong, *missing))
