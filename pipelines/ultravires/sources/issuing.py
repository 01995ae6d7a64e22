"""What issues credentials, by log and action: the packaged table issuing.csv.

Readers of logs in which only the name of an operation tells it take it from there (`aws_cloudtrail`). For the others
the table says which of their actions do.
"""

import csv
from functools import cache
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_name("issuing.csv")


class Issuing(NamedTuple):
    """An action that issues a credential.

    `issues` says what: a session or token that soon ends, a `key` that lasts, or a sign-in (`console`, `portal`), whose
    holder acts with keys that no log shows being issued. `credential` says where the record has its id.
    """

    log: str
    action: str
    issues: str
    credential: str
    page: str


@cache
def issuing() -> tuple[Issuing, ...]:
    """Every row of the table."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(Issuing(**row) for row in csv.DictReader(file))


def issuing_of(log: str) -> dict[str, Issuing]:
    """Action -> its row, of one log."""
    return {row.action: row for row in issuing() if row.log == log}
