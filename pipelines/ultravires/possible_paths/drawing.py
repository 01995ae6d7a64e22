"""Open ways to more power as text in the terminal; what comes from a log has its unseen characters written out."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Console
from rich.text import Text

from ultravires.possible_paths.command import OpenPath, OpenPaths
from ultravires.tracing.terminal import print_lines
from ultravires.tracing.visible import visible

_MOST_PATHS = 50
_MOST_HOPS = 15
_POWERS = {"admin": "everything", "permissions": "power over permissions", "data": "data"}


def draw(found: OpenPaths, console: Console) -> None:
    """Print the ways that are open to an identity."""
    print_lines([*_head(found), *(line for path in found.paths[:_MOST_PATHS] for line in _path(path))], console)


def _head(found: OpenPaths) -> Iterator[Text]:
    yield Text.assemble((visible(found.who.identity_id), "bold"), f"  at {_moment(found.at)}")
    yield Text(_summary(found))
    if len(found.paths) > _MOST_PATHS:
        yield Text(f"the first {_MOST_PATHS} are shown; all: --json", style="dim")


def _summary(found: OpenPaths) -> str:
    where = f" to {visible(found.to)}" if found.to else ""
    if not found.holds_granted:
        return "no log shows what it is granted, so that nobody can tell which ways are open to it"
    if found.holds_everything and not found.paths:
        return "it holds everything already: there is no way to more"
    if not found.paths:
        return f"none of the {found.n_known} known ways{where} is open by what the logs show"
    certain = sum(path.is_way_certain for path in found.paths)
    return f"{len(found.paths):,} open{where}, {certain:,} of them certain"


def _path(path: OpenPath) -> Iterator[Text]:
    power = _POWERS.get(path.reaches or "", "power that nobody can tell")
    doubt = "" if path.is_way_certain else "  (not certain)"
    taken = f"  first step taken {_moment(path.taken_at)}, {visible(path.taken_event_id)}" if path.is_taken else ""
    yield Text.assemble("  ", (f"-> {power}", "bold"), doubt, (taken, "bold red"), f"  {_since(path)}")
    for nth, hop in enumerate(path.way[:_MOST_HOPS], start=1):
        yield Text(f"       {nth}. {visible(hop)}")
    if len(path.way) > _MOST_HOPS:
        yield Text(f"       and {len(path.way) - _MOST_HOPS:,} hops more", style="dim")
    more = f"; reaches {path.n_more:,} others too" if path.n_more else ""
    needs = f"; there must be {visible(path.needs)}" if path.needs and path.target_uid is None else ""
    yield Text(f"       to close it: {visible(path.closed_by)}{more}{needs}", style="dim")


def _since(path: OpenPath) -> str:
    if path.valid_from is None:
        return "open since before the logs"
    by = f" by {visible(path.cause_actor_uid)}" if path.cause_actor_uid else ""
    under = f" under {visible(path.approval_uid)}" if path.approval_uid else ""
    event = f", {visible(path.cause_event_id)}" if path.cause_event_id else ""
    return f"open since {_moment(path.valid_from)}{by}{under}{event}"


def _moment(at: datetime | None) -> str:
    return "unknown" if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"
