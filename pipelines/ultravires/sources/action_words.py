"""The words in which systems grant what their logs tell of: the packaged tables action_words.csv and action_shapes.csv.
A log may call `ListObjects` what IAM grants as `s3:ListBucket`.

A row of action_words.csv is an action as its log writes it, without the version of an API, and the permissions that
it takes, the one that it is named after first. A word that ends in a colon is a service with another name in IAM. Where
neither table nor the list of IAM's actions knows an action, its own word stands.
"""

import csv
from functools import cache
from pathlib import Path
from typing import NamedTuple

_TABLE = Path(__file__).with_name("action_words.csv")
_SHAPES = Path(__file__).with_name("action_shapes.csv")


class ActionWord(NamedTuple):
    """An action of a log and the permissions that it takes; `source` is the page of the vendor that says so."""

    log_word: str
    permissions: tuple[str, ...]
    source: str


class ActionShape(NamedTuple):
    """Actions of this shape (a regular expression) say themselves how they are granted: `word`, with the two groups."""

    action_like: str
    shape: str
    word: str


@cache
def action_words() -> tuple[ActionWord, ...]:
    """Every action with other words than its log's."""
    return tuple(row for row in _rows() if not row.log_word.endswith(":"))


@cache
def iam_services() -> dict[str, str]:
    """Services of AWS by the name that CloudTrail gives them, where IAM has another one."""
    rows = (row for row in _rows() if row.log_word.endswith(":"))
    return {row.log_word[:-1]: row.permissions[0].removesuffix(":") for row in rows}


@cache
def action_shapes() -> tuple[ActionShape, ...]:
    """Every shape; of several that fit the first counts."""
    with _SHAPES.open(encoding="utf-8", newline="") as file:
        return tuple(ActionShape(row["action_like"], row["shape"], row["word"]) for row in csv.DictReader(file))


@cache
def main_permissions() -> dict[str, str]:
    """Action in small letters -> the permission that it is named after."""
    return {row.log_word.lower(): row.permissions[0] for row in action_words()}


@cache
def _rows() -> tuple[ActionWord, ...]:
    with _TABLE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return tuple(ActionWord(row["log_word"], tuple(row["permissions"].split(" ")), row["source"]) for row in rows)
