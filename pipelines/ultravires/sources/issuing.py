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
    holder acts with keys that no log shows being issued. `credential` says where the record has its id. `hop`
    is the kind of hop by which power is passed on so, empty where somebody only comes in as itself.
    """

    log: str
    action: str
    issues: str
    credential: str
    page: str
    hop: str


@cache
def issuing() -> tuple[Issuing, ...]:
    """Every row of the table."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(Issuing(**row) for row in csv.DictReader(file))


def issuing_of(log: str) -> dict[str, Issuing]:
    """Action -> its row, of one log."""
    return {row.action: row for row in issuing() if row.log == log}


def as_markdown() -> str:
    """The page docs/issuing.md."""
    head = (
        "# What issues credentials",
        "",
        "The table `pipelines/ultravires/sources/issuing.csv`; `make docs` writes this page. `*` stands for any words.",
        "A `session` soon ends by itself, a `key` lasts. `console` and `portal` are sign-ins: the credential is named",
        "after their event, and the keys of what is done there, whose issue no log shows, hang on it by role, session",
        "name and time of creation, at 0.3.",
        "A `hop` is how power is passed on by it; where there is none, somebody only comes in as itself.",
        "",
        "| log | action | issues | its id is | hop | page |",
        "|---|---|---|---|---|---|",
    )
    rows = (f"| {r.log} | `{r.action}` | {r.issues} | {r.credential} | {r.hop} | [page]({r.page}) |" for r in issuing())
    return "\n".join((*head, *rows)) + "\n"
