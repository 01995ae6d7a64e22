"""All rules of a run: ours and the user's packs, each read on its own, so that one bad rule is a row and no more."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pyarrow as pa
from sigma.exceptions import SigmaError
from sigma.filters import SigmaFilter

from ultravires_models.correlation import Correlation, build_correlation
from ultravires_models.errors import RuleError, one_line
from ultravires_models.known_keys import kind_of_document, refuse_unknown_keys
from ultravires_models.packs import Pack, PackFile
from ultravires_models.placeholders import fill_placeholders
from ultravires_models.relation import Relation
from ultravires_models.rule import (
    Rule,
    build_rule,
    check_frameworks,
    check_pack_rule,
    read_documents,
    version_of,
)
from ultravires_models.sigma.matches import check_fields
from ultravires_models.sigma.quiet_regex import POLICY
from ultravires_models.sigma.runner import check_rule

OURS = "ultravires"
"""The name of the pack that comes with the product."""
_LONGEST_TEXT = 500

RULES = pa.schema(
    [
        pa.field("pack", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("document", pa.int32(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("rule_id", pa.string()),
        pa.field("name", pa.string()),
        pa.field("title", pa.string()),
        pa.field("level", pa.string()),
        pa.field("log_source", pa.string()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
    ]
)


@dataclass(frozen=True)
class Entry:
    """One document of a rule file, and whether it works: `reason` says why not."""

    pack: str
    file: str
    document: int
    kind: Literal["detection", "correlation", "filter", "file", "pack"]
    said: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None

    @property
    def detector_id(self) -> str:
        """The name that the rule gives itself, else that of its file."""
        name = self.said.get("name")
        stem = self.file.rpartition("/")[2].rpartition(".")[0]
        return name if isinstance(name, str) and name else stem + (f"_{self.document}" if self.document > 1 else "")

    @property
    def place(self) -> str:
        """Where it stands, as a line of a summary names it."""
        return self.pack if not self.file else f"{self.pack}: {self.file}"

    def row(self) -> dict[str, Any]:
        """As the table `rules` has it; what a rule says of itself is bounded text."""
        source = self.said.get("logsource")
        source = source if isinstance(source, Mapping) else {}
        is_rule = self.kind in ("detection", "correlation", "filter")
        return {
            "pack": self.pack,
            "file": self.file,
            "document": self.document,
            "kind": self.kind,
            "rule_id": _text(self.said.get("id")),
            "name": self.detector_id[:_LONGEST_TEXT] if is_rule else None,
            "title": _text(self.said.get("title")),
            "level": _text(self.said.get("level")),
            "log_source": _text("/".join(str(v) for k in _SOURCE_KEYS if (v := source.get(k)) is not None) or None),
            "status": "ok" if self.reason is None else "refused",
            "reason": _text(self.reason),
        }


_SOURCE_KEYS = ("product", "category", "service")


@dataclass(frozen=True)
class RuleBook:
    """The rules that work, by their names, and what became of each document of each pack."""

    rules: tuple[Rule, ...]
    entries: tuple[Entry, ...]
    correlations: tuple[Correlation, ...] = ()
    """Each after those that it names."""
    silent: frozenset[str] = frozenset()
    """Names of what only counts within the correlations of its own pack."""

    def speaking(self) -> list[Rule]:
        """The rules of one event that find by themselves."""
        return [rule for rule in self.rules if rule.detector_id not in self.silent]

    def detectors(self) -> list[Rule | Correlation]:
        """Everything that finds."""
        return [*self.speaking(), *(each for each in self.correlations if each.detector_id not in self.silent)]

    def correlations_over(self, names: Iterable[str]) -> list[Correlation]:
        """The correlations that may find something where no rules but these match, each after those that it names."""
        reached, needed = set(names), set[str]()
        for correlation in self.correlations:
            if not reached.isdisjoint(correlation.rules):
                reached.add(correlation.detector_id)
        for correlation in reversed(self.correlations):
            if correlation.detector_id in needed | (reached - self.silent):
                needed |= {correlation.detector_id, *correlation.rules}
        return [correlation for correlation in self.correlations if correlation.detector_id in needed]

    def wanted_fields(self) -> dict[str, tuple[str, ...]]:
        """For each rule of one event that a correlation names, which of its fields are wanted, in one order."""
        wanted: dict[str, dict[str, None]] = {}
        of_one_event = {rule.detector_id for rule in self.rules}
        for correlation in self.correlations:
            for rule, fields in correlation.fields.items():
                if rule in of_one_event:
                    wanted.setdefault(rule, {}).update(dict.fromkeys(fields))
        return {rule: tuple(fields) for rule, fields in sorted(wanted.items())}

    def refused(self) -> list[str]:
        """One line for each that was refused."""
        return [f"{entry.place}: {_text(entry.reason)}" for entry in self.entries if entry.reason is not None]

    def table(self) -> pa.Table:
        """The table `rules`."""
        return pa.Table.from_pylist([entry.row() for entry in self.entries], schema=RULES)


def read_book(
    packs: Sequence[Pack], relations: Sequence[Relation], placeholders: Mapping[str, Sequence[str]] | None = None
) -> RuleBook:
    """The rules of all packs. Of two with one id or name the later one is refused; filters apply to the rules of all
    packs. The pack named OURS is held to our own framework references and file names.
    """
    entries = [entry for pack in packs for entry in _documents(pack)]
    reader = _Reader(relations, placeholders or {})
    entries = [reader.read(entry) if entry.reason is None else entry for entry in entries]
    entries = [reader.filter(entry) if entry.kind == "filter" and not entry.reason else entry for entry in entries]
    entries = reader.correlate(entries)
    rules = tuple(rule for _, rule in sorted(reader.rules.items()))
    return RuleBook(rules, tuple(entries), tuple(reader.correlations.values()), _silent(entries, reader.correlations))


def _silent(entries: Sequence[Entry], correlations: Mapping[str, Correlation]) -> frozenset[str]:
    """A correlation silences what it names, unless it says `generate`; but no rules of another pack than its own."""
    packs = {entry.detector_id: entry.pack for entry in entries if entry.reason is None}
    return frozenset(
        rule
        for correlation in correlations.values()
        if not correlation.is_generating
        for rule in correlation.rules
        if packs[rule] == packs[correlation.detector_id]
    )


def _documents(pack: Pack) -> Iterable[Entry]:
    if pack.refused is not None:
        yield Entry(pack.name, "", 1, "pack", reason=pack.refused)
    for file in pack.files:
        if file.refused is not None:
            yield Entry(pack.name, file.name, 1, "file", reason=file.refused)
            continue
        yield from _documents_of(pack, file)


def _documents_of(pack: Pack, file: PackFile) -> Iterable[Entry]:
    try:
        documents = read_documents(file.content)
    except RuleError as error:
        yield Entry(pack.name, file.name, 1, "file", reason=one_line(error))
        return
    version = version_of(file.content)
    for number, said in enumerate(documents, start=1):
        kind: Any = kind_of_document(said)
        yield Entry(pack.name, file.name, number, kind, {**said, _VERSION: version})


_VERSION = "\x00version"
"""Beside what a document says; no YAML text can hold this key."""


class _Reader:
    """What has been read so far: names and ids are unique over all packs."""

    def __init__(self, relations: Sequence[Relation], placeholders: Mapping[str, Sequence[str]]) -> None:
        self.relations = relations
        self.placeholders = placeholders
        self.rules: dict[str, Rule] = {}
        self.correlations: dict[str, Correlation] = {}
        self._taken: dict[str, str] = {}

    def read(self, entry: Entry) -> Entry:
        """The entry, refused where it is no rule that works."""
        try:
            self._refuse_taken(entry)
            if entry.kind == "detection":
                self.rules[entry.detector_id] = self._rule(entry)
            self._take(entry)
        except RuleError as error:
            return replace(entry, reason=one_line(error))
        return entry

    def filter(self, entry: Entry) -> Entry:
        """Apply a filter to the rules that it names; refused where it is none, or names none that there is."""
        try:
            filtered = self._filtered(_parsed_filter(_document(entry)), str(entry.said[_VERSION]))
        except RuleError as error:
            return replace(entry, reason=one_line(error))
        self.rules |= filtered
        return entry

    def correlate(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries, with each correlation read once all that it names has been, or refused."""
        waiting = {n: entry for n, entry in enumerate(entries) if entry.kind == "correlation" and not entry.reason}
        found = list(entries)
        known = self._by_name_and_id(entries)
        is_new = True
        while waiting and is_new:
            is_new = False
            for n, entry in list(waiting.items()):
                try:
                    correlation = self._correlation(entry, known)
                except RuleError as error:
                    found[n] = replace(entry, reason=one_line(error))
                    continue
                self.correlations[entry.detector_id] = correlation
                known |= dict.fromkeys(_names(entry), correlation)
                found[n] = entry
                del waiting[n]
                is_new = True
        return found

    def _correlation(self, entry: Entry, known: Mapping[str, Rule | Correlation]) -> Correlation:
        made = build_correlation(_document(entry), entry.detector_id, str(entry.said[_VERSION]), known)
        for rule, fields in made.fields.items():
            if rule in self.rules:
                check_fields(self.rules[rule], fields)
        if entry.pack == OURS:
            check_frameworks(made.frameworks)
        return made

    def _by_name_and_id(self, entries: Sequence[Entry]) -> dict[str, Rule | Correlation]:
        return {
            name: self.rules[entry.detector_id]
            for entry in entries
            if entry.reason is None and entry.detector_id in self.rules
            for name in _names(entry)
        }

    def _rule(self, entry: Entry) -> Rule:
        rule = build_rule(_document(entry), entry.detector_id, str(entry.said[_VERSION]), self.relations)
        fill_placeholders(rule.sigma, self.placeholders)
        if entry.pack == OURS:
            check_pack_rule(rule, entry.file.rpartition("/")[2].rpartition(".")[0])
        check_rule(rule)
        return rule

    def _filtered(self, sigma_filter: SigmaFilter, version: str) -> dict[str, Rule]:
        filtered = {}
        for name, rule in self.rules.items():
            sigma = copy.deepcopy(rule.sigma)
            n_before = len(sigma.detection.detections)
            sigma_filter.apply_on_rule(sigma)
            if len(sigma.detection.detections) == n_before:
                continue
            fill_placeholders(sigma, self.placeholders)
            changed = replace(rule, sigma=sigma, version=version_of(f"{rule.version} {version}".encode()))
            check_rule(changed)
            filtered[name] = changed
        if not filtered:
            raise RuleError("filters no rule that there is; check its log source and the ids or names of its rules")
        return filtered

    def _refuse_taken(self, entry: Entry) -> None:
        for name in _names(entry):
            if name in self._taken:
                where = self._taken[name]
                raise RuleError(f"{where} is called {name} already; ids and names are unique over all packs")

    def _take(self, entry: Entry) -> None:
        for name in _names(entry):
            self._taken[name] = entry.place


def _names(entry: Entry) -> set[str]:
    rule_id = entry.said.get("id")
    return {entry.detector_id} | ({str(rule_id).lower()} if rule_id is not None else set())


def _document(entry: Entry) -> dict[str, Any]:
    return {name: value for name, value in entry.said.items() if name != _VERSION}


def _parsed_filter(document: Mapping[str, Any]) -> SigmaFilter:
    refuse_unknown_keys(document)
    try:
        return SigmaFilter.from_dict(dict(document), policy=POLICY)
    except SigmaError as error:
        raise RuleError(one_line(error)) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # how pySigma meets a value of another kind
        raise RuleError(f"no Sigma filter: {error!r}") from error


def _text(value: object) -> str | None:
    """What a rule says of itself may be of any kind and length."""
    return None if value is None else one_line(str(value)[:_LONGEST_TEXT])
