"""A lineage as text in the terminal; every value from a log has its unseen characters written out."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby

from rich.console import Console
from rich.text import Text

from ultravires.lineage.causes import cause_words, under
from ultravires.lineage.covering import Approved
from ultravires.lineage.deciding import Decision, Proposed
from ultravires.lineage.entitlement import Entitlement
from ultravires.lineage.held_paths import HeldPath, Statement
from ultravires.lineage.lineage import Lineage
from ultravires.lineage.of_approval import Led, OfApproval
from ultravires.tracing.terminal import print_lines
from ultravires.tracing.visible import visible

_MOST_PATHS = 50
_MOST_STATEMENTS = 8
_RESULT_STYLES = {"allow": "bold green", "deny": "bold red", "unknown": "bold yellow"}


def draw(found: Lineage | OfApproval, console: Console) -> None:
    """Print what an identity holds, or what an approval led to."""
    print_lines(_of_identity(found) if isinstance(found, Lineage) else _of_approval(found), console)


def _of_identity(found: Lineage) -> list[Text]:
    kind = f"  {visible(found.who.kind)}" if found.who.kind not in (None, "unknown") else ""
    owner = f", owner {visible(found.who.owner)}" if found.who.owner else ""
    return [
        Text.assemble((visible(found.who.identity_id), "bold"), f"{kind}{owner}  at {_moment(found.at)}"),
        Text(_summary(found)),
        *_namesake(found),
        *(_decision(found.decision) if found.decision else []),
        *_section("Holds", _paths(found.held)),
        *_section("Limited by", _paths(found.limits)),
        *_section("Approved", map(_approval, found.approved)),
    ]


def _namesake(found: Lineage) -> list[Text]:
    if found.namesake is None:
        return []
    return [Text(f"an approval has this name too: ultravires lineage {visible(found.namesake)}", style="dim")]


def _summary(found: Lineage) -> str:
    """One line: how much, by how many paths, the most of it and since when, and how much of it is approved."""
    if not found.n_statements:
        unread = sum(path.statements[0].entitlement.effect == "unknown" for path in found.held)
        return (
            f"nothing is known that it may do, {unread} of what it holds could not be read"
            if unread
            else ("nothing is known that it may do")
        )
    since = f"since {_moment(found.power_since)}" if found.power_since else "since before the logs"
    most = {
        "admin": f"admin {since}",
        "permissions": f"manages permissions or credentials {since}",
    }.get(found.power or "", "no power over permissions")
    n = found.n_statements
    is_bounded = any(each.statements[0].entitlement.limits_as == "boundary" for each in found.limits)
    most += " within a boundary" if is_bounded else ""
    return (
        f"{_count(n, 'statement')} by {_count(found.n_paths, 'path')}; {most}; "
        f"approvals cover {found.n_covered:,} of {n:,}"
    )


def _count(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def _decision(found: Decision) -> list[Text]:
    where = f" on {visible(found.resource)}" if found.resource else _on(found.on_resources)
    lines = [
        Text.assemble(
            "\n", (found.result, _RESULT_STYLES.get(found.result, "bold")), f"  {visible(found.action)}{where}: ",
            visible(found.reason),
        )
    ]  # fmt: skip
    if found.assumed_account:
        account = visible(found.assumed_account)
        lines.append(Text(f"  the resource is taken to lie in account {account}: no record tells", style="dim"))
    lines += [Text(f"  {line}") for line in _deciding(found.decided_by)]
    if found.revocation:
        lines += _section("To take it back", _revocation(found))
    return lines


def _on(resources: list[str]) -> str:
    more = f" and {len(resources) - 3} more" if len(resources) > 3 else ""
    return f" on {', '.join(visible(each, 120) for each in resources[:3])}{more}" if resources else ""


def _deciding(statements: list[Statement]) -> Iterator[str]:
    for each in statements[:_MOST_STATEMENTS]:
        row = each.entitlement
        yield f"{_words(each)}  by {_way(row.holder_uid or '', row.path)}"
    if len(statements) > _MOST_STATEMENTS:
        yield f"and {len(statements) - _MOST_STATEMENTS:,} more statements"


def _revocation(found: Decision) -> Iterator[str]:
    revocation = found.revocation
    assert revocation is not None
    if not found.proposed:
        yield "no change that is known here ends it"
        return
    yield from _numbered(found.proposed)
    smallest = "" if revocation.is_smallest else ", perhaps not the smallest set"
    then = f"then the answer is {revocation.result}: {revocation.reason}"
    yield f"ends {_count(revocation.n_ways, 'way')}{smallest}; {then}"
    if found.to_be_sure:
        yield "what is left may allow it; to be sure, also:"
        yield from _numbered(found.to_be_sure)


def _numbered(proposed: Iterable[Proposed]) -> Iterator[str]:
    for place, each in enumerate(proposed, start=1):
        others = "anybody" if each.n_others is None else f"{_count(each.n_others, 'other')}"
        from_others = "nobody else loses by it" if each.n_others == 0 else f"takes something from {others} too"
        yield f"{place}. {visible(each.sentence, 1000)} ({from_others})"


def _section(title: str, lines: Iterable[str]) -> list[Text]:
    body = [Text(f"  {line}") for line in lines]
    return [Text(f"\n{title}", style="bold"), *body] if body else []


def _paths(held: list[HeldPath]) -> Iterator[str]:
    for each in held[:_MOST_PATHS]:
        scope = f" at {visible(each.scope_uid)}" if each.scope_uid else ""
        doubts = [
            *([] if each.is_certain else ["not certain"]),
            *(["only its own logs say so"] if each.is_reported else []),
        ]
        yield f"{_way(each.holder_uid, each.path)}{scope}{''.join(f'  ({doubt})' for doubt in doubts)}"
        yield f"    {_since(each)}"
        for statement in each.statements[:_MOST_STATEMENTS]:
            yield f"    {_words(statement)}"
        if len(each.statements) > _MOST_STATEMENTS:
            yield f"    and {len(each.statements) - _MOST_STATEMENTS:,} more statements"
    if len(held) > _MOST_PATHS:
        yield f"and {len(held) - _MOST_PATHS:,} more paths; --json has all"


def _way(holder: str, path: Iterable[str]) -> str:
    return " > ".join(visible(each, 200) for each in (holder, *path))


def _since(each: HeldPath) -> str:
    since = f"since {_moment(each.since)}" if each.since else "since before the logs"
    return f"{since}, {cause_words(each.cause, each.cause_actor_uid, each.start_by)}{under(each.approval_uid)}"


def _words(statement: Statement) -> str:
    row = statement.entitlement
    covered = f"  approved by {', '.join(map(visible, statement.covered_by[:3]))}" if statement.covered_by else ""
    return f"{_said(row)}{covered}"


def _said(row: Entitlement) -> str:
    if row.effect == "unknown":
        return "what it says could not be read"
    left = [*row.except_actions, *row.except_resources]
    but = f" but {', '.join(visible(each, 120) for each in left[:3])}" if left else ""
    condition = f"  if {visible(row.condition)}" if row.condition else ""
    power = f"  [{visible(row.power)}]" if row.power in ("admin", "permissions") else ""
    return (
        f"{visible(row.effect)} {visible(row.action_pattern)} on {visible(row.resource_pattern)}{but}{power}{condition}"
    )


def _approval(each: Approved) -> str:
    what = ", ".join(visible(word, 120) for word in [*each.actions, *each.roles, *each.tools][:6]) or "anything"
    until = f" until {_moment(each.ends_at)}" if each.ends_at else ""
    since = f" since {_moment(each.valid_from)}" if each.valid_from else ""
    on = ", ".join(visible(each, 120) for each in each.resources[:3]) or "anything"
    return f"{visible(each.approval_uid)} by {visible(each.approved_by or 'somebody')}{since}{until}: {what} on {on}"


def _of_approval(found: OfApproval) -> list[Text]:
    lines = []
    for each in found.approvals:
        who = visible(each["subject_uid"] or each["identity_id"] or "nobody by name")
        by = visible(each["approved_by"] or "somebody")
        lines.append(
            Text.assemble((visible(each["approval_uid"]), "bold"), f"  {visible(each['status'])} by {by} for {who}")
        )
    holders = {each.entitlement.holder_uid for each in found.led}
    events = {each.entitlement.event_id for each in found.led}
    if not found.led:
        return [*lines, Text("no grant was made under it, as far as the logs show")]
    whom = f"{_count(len(holders), 'holder')} by {_count(len(events), 'event')}"
    led = f"led to {_count(len(found.led), 'statement')} for {whom}"
    return [
        *lines,
        Text(f"{led}; {found.n_held:,} still held at {_moment(found.at)}"),
        *_section("Granted under it", _led(found.led)),
    ]


def _led(led: list[Led]) -> Iterator[str]:
    def way(each: Led) -> tuple[str | None, list[str], str | None]:
        return each.entitlement.holder_uid, each.entitlement.path, each.entitlement.event_id

    ways = [(found, list(of_path)) for found, of_path in groupby(led, key=way)]
    for (holder, path, _), of_path in ways[:_MOST_PATHS]:
        first = of_path[0]
        yield _way(holder or "", path)
        since = _moment(first.entitlement.valid_from) if first.entitlement.valid_from else "before the logs"
        row = first.entitlement
        yield f"    since {since}, {cause_words(first.cause, row.cause_actor_uid, row.start_by)}"
        for each in of_path[:_MOST_STATEMENTS]:
            yield f"    {_said(each.entitlement)}: {_held_until(each)}"
        if len(of_path) > _MOST_STATEMENTS:
            yield f"    and {len(of_path) - _MOST_STATEMENTS:,} more statements"
    if len(ways) > _MOST_PATHS:
        yield f"and {len(ways) - _MOST_PATHS:,} more; --json has all"


def _held_until(each: Led) -> str:
    if each.is_held or each.entitlement.valid_until is None:
        return "still held" if each.is_held else "not yet held"
    by = f" by {visible(each.end.actor_uid or 'somebody')}" if each.end else ""
    return f"held until {_moment(each.entitlement.valid_until)}{by}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
