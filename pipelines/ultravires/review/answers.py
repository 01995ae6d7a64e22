"""Decisions as a reviewer wrote them into a CSV: every row is checked, and one that is wrong is said with its line."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ultravires.errors import UsageError
from ultravires.moments import parse_moment
from ultravires.review.facts import Right
from ultravires.review.writing import unquoted

COLUMNS = ("identity", "entitlement_id", "decision", "until", "reviewer", "reason")
DECISIONS = ("keep", "narrow", "revoke", "exception")
LONGEST_EXCEPTION = timedelta(days=366)
_LONGEST_TEXT = 2_000


@dataclass(frozen=True)
class Answer:
    """What a reviewer decided of one right."""

    right: Right
    decision: str
    until_at: datetime | None
    reviewer: str
    reason: str | None


@dataclass(frozen=True)
class Wrong:
    """A row that cannot be taken, and why."""

    line: int
    reason: str

    def sentence(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass(frozen=True)
class Read:
    """All answers of a file, or what is wrong with it. Rows without a decision are not answered yet."""

    answers: list[Answer]
    wrong: list[Wrong]
    n_unanswered: int


@dataclass(frozen=True)
class _Row:
    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]


def read_answers(content: bytes, rights: Iterable[Right], *, now: datetime, as_of: datetime | None = None) -> Read:
    """The answers in a CSV, for rights that the home knows. A row with a right speaks for it; one without for all that
    its identity holds as of `as_of` and no other row names.
    """
    known = _Known(rights, as_of)
    answers: dict[str, Answer] = {}
    of_all: list[tuple[_Row, list[Right]]] = []
    wrong: list[Wrong] = []
    n_unanswered = 0
    for row in _rows(content):
        if not row["decision"]:
            n_unanswered += 1
            continue
        try:
            _check(row, now)
            if not row["entitlement_id"]:
                of_all.append((row, known.all_of(row["identity"])))
                continue
            right = known.right(row["identity"], row["entitlement_id"])
            if right.entitlement_id in answers:
                raise _Refused(f"{right.entitlement_id} was answered on a line before")
            answers[right.entitlement_id] = _answer(row, right)
        except _Refused as refused:
            wrong.append(Wrong(row.line, str(refused)))
    named = set(answers)
    for row, held in of_all:
        twice = [right for right in held if right.entitlement_id in answers and right.entitlement_id not in named]
        if twice:
            wrong.append(Wrong(row.line, f"all of {row['identity']} was answered on a line before"))
        answers |= {right.entitlement_id: _answer(row, right) for right in held if right.entitlement_id not in named}
    return Read(list(answers.values()), sorted(wrong, key=lambda each: each.line), n_unanswered)


class _Refused(ValueError):
    """Why a row cannot be taken."""


class _Known:
    """The rights that were granted, by id and by any name of who holds them."""

    def __init__(self, rights: Iterable[Right], as_of: datetime | None) -> None:
        self.as_of = as_of
        self.by_id = {right.entitlement_id: right for right in rights if right.is_to_decide}
        self.by_name: dict[str, dict[str, Right]] = {}
        for right in self.by_id.values():
            for name in {right.identity_id, right.holder_uid}:
                self.by_name.setdefault(name, {})[right.entitlement_id] = right

    def right(self, identity: str, entitlement_id: str) -> Right:
        right = self.by_id.get(entitlement_id)
        if right is None:
            raise _Refused(f"{entitlement_id}: no such right was granted; take the ids of a new review")
        if {right.identity_id, right.holder_uid}.isdisjoint(_written(identity)):
            raise _Refused(f"{entitlement_id} is a right of {right.identity_id}, not of {identity}")
        return right

    def all_of(self, identity: str) -> list[Right]:
        found = [rights for name in _written(identity) if (rights := self.by_name.get(name))]
        held = [right for right in found[0].values() if self._is_held(right)] if found else []
        if not held:
            raise _Refused(f"{identity}: holds nothing that is known")
        if len(found) > 1:
            raise _Refused(f"{identity}: may be one of two names; say which right by its entitlement_id")
        return held

    def _is_held(self, right: Right) -> bool:
        return right.valid_until is None or self.as_of is None or right.valid_until > self.as_of


def _written(name: str) -> list[str]:
    """The name as it stands, and as it was before it was quoted against formulas."""
    return list(dict.fromkeys((name, unquoted(name))))


def _check(row: _Row, now: datetime) -> None:
    decision = row["decision"].lower()
    if decision not in DECISIONS:
        raise _Refused(f"decision '{row['decision']}': one of {', '.join(DECISIONS)}")
    if not row["identity"]:
        raise _Refused("identity is missing")
    if not row["reviewer"]:
        raise _Refused("reviewer is missing; somebody has to answer for it")
    if long := [name for name in ("reviewer", "reason") if len(row[name]) > _LONGEST_TEXT]:
        raise _Refused(f"{long[0]} is longer than {_LONGEST_TEXT:,} characters")
    until = _until(row)
    if until is not None and until <= now:
        raise _Refused(f"until {row['until']}: lies in the past")
    if decision == "exception":
        _check_exception(row, until, now)


def _check_exception(row: _Row, until: datetime | None, now: datetime) -> None:
    if not row["reason"]:
        raise _Refused("an exception needs a reason")
    if until is None:
        raise _Refused("an exception needs an end in until, a date such as 2026-10-01")
    if until > now + LONGEST_EXCEPTION:
        raise _Refused(f"until {row['until']}: an exception lasts at most a year")


def _until(row: _Row) -> datetime | None:
    if not row["until"]:
        return None
    try:
        return parse_moment(row["until"], "until")
    except (UsageError, OverflowError) as error:
        raise _Refused(str(error)) from error


def _answer(row: _Row, right: Right) -> Answer:
    reason = unquoted(row["reason"]) or None
    return Answer(right, row["decision"].lower(), _until(row), unquoted(row["reviewer"]), reason)


def _rows(content: bytes) -> Iterator[_Row]:
    """The rows of a CSV with their lines, its columns in any order and with others beside them."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"not UTF-8 ({error.reason} at byte {error.start:,}); save it as CSV UTF-8") from error
    first = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ",")
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if missing := [name for name in COLUMNS if header.count(name) != 1]:
            raise UsageError(f"column {missing[0]} has to stand in the first line, once; columns: {', '.join(COLUMNS)}")
        places = {name: header.index(name) for name in COLUMNS}
        line = reader.line_num
        for cells in reader:
            if any(map(str.strip, cells)):
                padded = [*cells, *("" for _ in header)]
                yield _Row(line + 1, {name: _cell(name, padded[place]) for name, place in places.items()})
            line = reader.line_num
    except csv.Error as error:
        raise UsageError(f"line {reader.line_num}: no CSV ({error})") from error


def _cell(name: str, text: str) -> str:
    """A name may begin or end with a blank; what people write does not."""
    return text if name == "identity" else text.strip()
