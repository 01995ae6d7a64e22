"""Rules beside the cases that say when they must fire."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ultravires_models.cases import (
    Case,
    WindowCase,
    failed_cases,
    failed_window_cases,
    read_cases,
    read_window_cases,
)
from ultravires_models.correlation import Correlation
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
    """Every rule of a pack with the cases in `<rule file>.cases.jsonl` beside it; a rule without them has none. Cases
    of a file that holds a correlation and what that is made of are the correlation's.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: cases stand beside the rules in a folder; unpack it first")
    rules: dict[str, Rule | Correlation] = {rule.detector_id: rule for rule in book.rules}
    rules |= {correlation.detector_id: correlation for correlation in book.correlations}
    own = [entry for entry in book.entries if entry.pack == pack and entry.reason is None]
    of_files = {entry.file for entry in own if entry.kind == "correlation"}
    return [
        _checked(book, rules[entry.detector_id], folder / entry.file)
        for entry in own
        if entry.detector_id in rules and not (entry.file in of_files and entry.detector_id in book.silent)
    ]


def _checked(book: RuleBook, rule: Rule | Correlation, file: Path) -> Checked:
    path = file.with_suffix(".cases.jsonl")
    if not path.is_file():
        return Checked(rule.detector_id, 0, ())
    cases: Sequence[Case | WindowCase]
    try:
        if isinstance(rule, Correlation):
            cases = windows = read_window_cases(path, rule_relations())
            failed = failed_window_cases(book, rule, windows)
        else:
            cases = rows = read_cases(path, rule.relation)
            failed = failed_cases(rule, rows, rule_relations())
    except (RuleError, OSError) as error:
        return Checked(rule.detector_id, 0, (str(error),))
    wrong = [f"{name}: does not do what the case says" for name in failed]
    kinds = {case.fires for case in cases}
    missing = [f"no case that {word}" for word, fires in (("fires", True), ("is silent", False)) if fires not in kinds]
    return Checked(rule.detector_id, len(cases), (*wrong, *missing))
