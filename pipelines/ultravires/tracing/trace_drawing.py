"""A trace as a tree on a time line in the terminal."""

from rich.console import Console
from rich.text import Text

from ultravires.lineage.needed_grants import needed_lines
from ultravires.tracing.chain_tree import Branch, branches
from ultravires.tracing.clocks import clock_lines
from ultravires.tracing.folding import Fold, fold_ways
from ultravires.tracing.nodes import Node
from ultravires.tracing.terminal import print_lines
from ultravires.tracing.trace import Link, Trace
from ultravires.tracing.visible import visible

SYMBOLS = {"approval": "◉", "decision": "◆", "tool_call": "▣", "credential": "◈", "activity": "●"}
KIND_STYLES = {
    "approval": "green",
    "decision": "cyan",
    "tool_call": "blue",
    "credential": "magenta",
    "activity": "default",
}
OUTCOME_STYLES = {"denied": "yellow", "failure": "yellow", "success": "green"}
_RAILS = ("│  ", "   ", "├─ ", "└─ ")
# Beyond this depth a terminal has no room left for the words; the depth is written instead.
_DEEPEST_RAILS = 24
_NO_TIME = " " * 19


def draw(trace: Trace, console: Console) -> None:
    """Print `trace`: a line a node, its links dimmed after it, gaps and findings on lines of their own.

    Every value from a log is printed as plain text with its unseen characters written out, never as markup.
    """
    print_lines(drawn_lines(trace), console)


def drawn_lines(trace: Trace) -> list[Text]:
    asked = {match.node_id for match in trace.matches}
    links: dict[str, list[Link]] = {}
    for link in trace.links:
        links.setdefault(link.child_id, []).append(link)
    lines = _heading(trace)
    kept = {*asked, *trace.crossings, *trace.findings}
    for branch in fold_ways(branches(trace.nodes, trace.links), trace.nodes, kept):
        if isinstance(branch, Fold):
            lines.append(_fold_line(branch))
            continue
        node = trace.nodes[branch.node_id]
        rails = _rails(branch)
        lines.append(_node_line(node, branch, rails, is_asked=node.node_id in asked))
        lines.extend(_notes(node, branch, links.get(node.node_id, []), trace, _under(branch)))
    return lines + needed_lines(trace.needed) + _considered(trace) + _legend()


def _heading(trace: Trace) -> list[Text]:
    of_chain = f" is chain {visible(trace.chain_id)}" if trace.chain_id and trace.chain_id != trace.asked else ""
    lines = [Text.assemble((visible(trace.asked), "bold"), of_chain)]
    if len(trace.matches) > 1:
        lines.append(
            Text(f"{len(trace.matches) + trace.n_more_matches} nodes have this id; they are marked in the tree")
        )
    lines += [
        Text.assemble(("  ▶ ", "bold"), visible(match.node_id), (f"  by {visible(match.matched)}", "dim"))
        for match in trace.matches[:10]
    ]
    rest = len(trace.matches) + trace.n_more_matches - 10
    if rest > 0:
        lines.append(Text(f"    and {rest} more", style="dim"))
    hidden = f", {trace.n_hidden:,} of them not shown" if trace.n_hidden else ""
    lines.append(Text(f"{len(trace.above):,} above, {trace.n_below:,} below{hidden}", style="dim"))
    lines += [
        Text(f"{visible(line)}: shown with its own times, in corrected order", style="dim")
        for line in clock_lines(trace.nodes.values())
    ]
    return [*lines, Text("")]


def _rails(branch: Branch) -> str:
    more, none, fork, last = _RAILS
    if not branch.rails:
        return ""
    before = "".join(more if goes_on else none for goes_on in branch.rails[:-1][:_DEEPEST_RAILS])
    deep = f"(depth {len(branch.rails)}) " if len(branch.rails) > _DEEPEST_RAILS else ""
    return before + (fork if branch.rails[-1] else last) + deep


def _under(branch: Branch) -> str:
    more, none, *_ = _RAILS
    return "".join(more if goes_on else none for goes_on in branch.rails[: _DEEPEST_RAILS + 1])


def _node_line(node: Node, branch: Branch, rails: str, *, is_asked: bool) -> Text:
    style = KIND_STYLES.get(node.kind, "default")
    line = Text(f"{node.at:%Y-%m-%d %H:%M:%S}" if node.at else _NO_TIME, style="dim")
    line.append(f"  {rails}", style="dim")
    line.append(f"{SYMBOLS.get(node.kind, '?')} ", style=style)
    if is_asked:
        line.append("▶ ", style="bold")
    line.append(f"{visible(node.kind.replace('_', ' '))} ", style=style)
    line.append(visible(node.label, 160), style="bold" if is_asked or node.is_privileged else "default")
    for text, text_style in _words_of(node):
        line.append(f"  {text}", style=text_style)
    return line


def _words_of(node: Node) -> list[tuple[str, str]]:
    """(text, style) of what follows the label: outcome, privilege, resources, actor, facts, the id."""
    words = []
    if node.outcome and node.outcome != "unknown" and node.kind in ("activity", "tool_call"):
        words.append((visible(node.outcome), OUTCOME_STYLES.get(node.outcome, "default")))
    if node.is_privileged:
        words.append(("privileged", "bold yellow"))
    if node.resource_uids:
        more = f" +{len(node.resource_uids) - 1}" if len(node.resource_uids) > 1 else ""
        words.append((f"on {visible(node.resource_uids[0], 120)}{more}", "default"))
    if node.actor_uid and node.kind == "activity":
        words.append((f"by {visible(node.actor_uid, 120)}", "default"))
    facts = ", ".join(f"{name} {visible(value, 80)}" for name, value in node.facts.items())
    if facts:
        words.append((facts, "default"))
    words.append((visible(node.node_id, 160), "dim"))
    return words


def _fold_line(fold: Fold) -> Text:
    return Text.assemble((f"{_NO_TIME}  {_rails(fold.branch)}", "dim"), (fold.words, "italic"))


def _notes(node: Node, branch: Branch, links: list[Link], trace: Trace, under: str) -> list[Text]:
    notes = [(f"← {_of_link(link, branch)}", "dim") for link in links]
    notes += [(f"⚠ gap: {visible(gap)}", "yellow") for gap in node.gaps]
    notes += [
        (f"⇑ left its approval: {visible(words, 400)}", "bold yellow")
        for words in trace.crossings.get(node.node_id, [])
    ]
    notes += [
        (f"✖ {mark.severity} finding: {visible(mark.title)}  {visible(mark.finding_id)}", "bold red")
        for mark in trace.findings.get(node.node_id, [])
    ]
    return [Text.assemble((f"{_NO_TIME}  {under}  ", "dim"), (text, style)) for text, style in notes]


def _of_link(link: Link, branch: Branch) -> str:
    key = f" {visible(link.key_kind)}={visible(link.key_value, 80)}" if link.key_kind else ""
    others = f", 1 of {link.n_candidates} candidates" if link.n_candidates > 1 else ""
    parent = "" if link.parent_id == branch.parent_id else f" {visible(link.parent_id, 120)}"
    trust = f"{visible(link.method)} {link.confidence:.2f}"
    return f"{visible(link.spine or link.kind)}{parent}: {trust}{key}{others}"


def _considered(trace: Trace) -> list[Text]:
    if not trace.other_links:
        return []
    lines = [Text("\nAlso considered for the asked nodes, not the way up:", style="dim")]
    for link in trace.other_links:
        key = f" {visible(link.key_kind)}={visible(link.key_value, 80)}" if link.key_kind else ""
        words = f"  {visible(link.child_id, 120)} ← {visible(link.parent_id, 120)}  {visible(link.method)} "
        tail = f"{link.confidence:.2f}{key}, candidates: {link.n_candidates}"
        lines.append(Text(words + tail, style="dim"))
    return lines


def _legend() -> list[Text]:
    legend = "  ".join(f"{symbol} {kind.replace('_', ' ')}" for kind, symbol in SYMBOLS.items())
    return [Text(f"\n{legend}", style="dim")]
