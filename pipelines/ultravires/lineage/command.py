"""`ultravires lineage`: whom or what a name means, and what is known of it at a moment."""

from dataclasses import replace
from datetime import datetime

import duckdb

from ultravires.errors import UsageError
from ultravires.lineage.lineage import Lineage, lineage
from ultravires.lineage.of_approval import OfApproval, of_approval
from ultravires.lineage.who import find_who, not_known
from ultravires.store.queries import fetch_row


def look_up(
    con: duckdb.DuckDBPyConnection, asked: str, *, action: str | None, resource: str | None, at: datetime | None
) -> Lineage | OfApproval:
    """The lineage of an identity, or what an approval led to; the home's own moment where none is asked for.

    Raises NotKnown where nothing has this name, UsageError where several have, or where an approval is asked what
    only somebody can do.
    """
    for given, name in ((asked, "IDENTITY"), (action, "ACTION"), (resource, "RESOURCE")):
        if given is not None and not given.strip():
            raise UsageError(f"{name} is empty; name one, or leave it out")
    moment = at or home_moment(con)
    who, led = find_who(con, asked), of_approval(con, asked, moment)
    if who is not None:
        # Names of identities and of tickets are chosen by others: where one is both, that is said.
        namesake = led.approvals[0]["approval_id"] if led else None
        found = lineage(con, asked, who, moment, action=action, resource=resource)
        return replace(found, namesake=namesake)
    if led is None:
        raise not_known(con, asked)
    if action is not None:
        raise UsageError("an approval does nothing by itself; ask for ACTION of an identity")
    return led


def home_moment(con: duckdb.DuckDBPyConnection) -> datetime:
    """As of which the last run of the home judged."""
    row = fetch_row(con, "select as_of from runs order by started_at desc, run_id limit 1")
    if row is None or row[0] is None:
        raise UsageError("this home has no run that says as of when; say --at TIME")
    moment: datetime = row[0]
    return moment
