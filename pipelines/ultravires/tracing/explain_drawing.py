"""An explanation as text in the terminal."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from ultravires.lineage.needed_grants import needed_lines
from ultravires.tracing.explain import Evidence, Explanation
from ultravires.tracing.terminal import print_lines
from ultravires.tracing.visible import visible

SEVERITY_STYLES = {"critical": "bold white on red", "high": "bold red", "medium": "yellow", "low": "cyan"}
ACTIVITIES = {1: "create", 2: "update", 3: "close"}
_MAX_EVIDENCE = 50


def draw(explanation: Explanation, console: Console) -> None:
    """Print `explanation`; values from logs are plain text with their unseen characters written out."""
    print_lines(drawn_lines(explanation), console)


def drawn_lines(explanation: Explanation) -> list[Text]:
    return [
        *_what(explanation),
        *_why(explanation),
        *_evidence(explanation),
        *needed_lines(explanation.needed),
        *_chain(explanation),
        *_section("Framework references", _frameworks(explanation)),
        *_section("What to do", iter([visible(explanation.finding["remediation"], 1000)])),
        *_section("Alerts", _alerts(explanation)),
        *_rule(explanation),
    ]


def _section(title: str, lines: Iterator[str]) -> list[Text]:
    body = [Text(f"  {line}") for line in lines if line]
    return [Text(f"\n{title}", style="bold"), *body] if body else []


def _what(explanation: Explanation) -> list[Text]:
    finding = explanation.finding
    severity = visible(finding["severity"])
    subject = f"{visible(finding['subject_kind'])} {visible(finding['subject_uid'])}"
    line = Text.assemble(
        (f" {severity} ", SEVERITY_STYLES.get(severity, "default")), " ", (visible(finding["title"]), "bold")
    )
    marks = [
        name
        for name, is_set in (("historic", finding["is_historic"]), ("suppressed", finding["is_suppressed"]))
        if is_set
    ]
    state = ", ".join([visible(finding["state"]), *marks, f"revision {finding['revision']}"])
    lines = [
        line,
        Text(f"  {visible(finding['message'], 1000)}"),
        Text(f"  {visible(finding['finding_id'])}  {state}", style="dim"),
        Text(f"  {subject}, identity {visible(finding['identity_id'])}"),
        Text(f"  from {finding['first_at']:%Y-%m-%d %H:%M:%S} to {finding['last_at']:%Y-%m-%d %H:%M:%S} UTC"),
    ]
    gaps = [Text(f"  ⚠ gap: {visible(gap)}", style="yellow") for gap in finding["gaps"] or []]
    return lines + gaps


def _why(explanation: Explanation) -> list[Text]:
    finding = explanation.finding
    parts = [f"{value:>6} {visible(name)}" for name, value in explanation.risk_parts.items() if value]
    judge = f"{visible(finding['detector_kind'])} {visible(finding['detector_id'])}"
    score = f"risk {finding['risk_score']:.0f} of 100, by {judge}"
    doubts = [f"can be harmless: {visible(doubt, 500)}" for doubt in explanation.false_positives]
    return _section("Why", iter([visible(explanation.description or "", 1000), score, *parts, *doubts]))


def _evidence(explanation: Explanation) -> list[Text]:
    lines = _section(
        "Evidence", (line for event in explanation.evidence[:_MAX_EVIDENCE] for line in _event_lines(event))
    )
    lines += [Text(f"  {visible(gone)} is no longer stored", style="yellow") for gone in explanation.missing_event_ids]
    total = max(explanation.finding["n_evidence"] or 0, len(explanation.evidence))
    rest = total - min(len(explanation.evidence), _MAX_EVIDENCE) - len(explanation.missing_event_ids)
    if rest > 0:
        lines.append(Text(f"  and {rest:,} more events", style="dim"))
    return lines


def _event_lines(event: Evidence) -> Iterator[str]:
    resource = f" on {visible(event.resource_uids[0])}" if event.resource_uids else ""
    code = f" ({visible(event.error_code)})" if event.error_code else ""
    actor = visible(event.actor_uid or "unknown actor")
    yield (
        f"{event.event_at:%Y-%m-%d %H:%M:%S} {visible(event.log)}: {actor} {visible(event.action)}{resource}"
        f", {visible(event.outcome)}{code}"
    )
    where = f"{visible(event.path)} record {event.record_no}" if event.path else "file not known"
    credential = f", credential {visible(event.credential_uid)}" if event.credential_uid else ""
    source = f", from {visible(event.src_ip)}" if event.src_ip else ""
    yield f"    event {event.event_id}, vendor's id {visible(event.native_id)}{source}{credential}; {where}"


def _chain(explanation: Explanation) -> list[Text]:
    chain = explanation.chain
    if chain is None:
        return []
    root = f"{visible(chain['chain_id'])}, under {visible(chain['root_id'])}"
    accounted = "accounted for" if chain["is_accounted"] else "not accounted for by an approval"
    counts = f"{chain['n_steps']:,} steps, {accounted}; `ultravires trace {visible(chain['chain_id'])}` draws it"
    return _section("Chain", iter([root, visible(chain["task"], 500), counts]))


def _frameworks(explanation: Explanation) -> Iterator[str]:
    for known in explanation.frameworks:
        named = " ".join(visible(known[part]) for part in ("framework", "version") if known.get(part))
        title = f"  {named}: {visible(known.get('title'))}" if named else ""
        yield f"{visible(known['reference'])}{title}"


def _alerts(explanation: Explanation) -> Iterator[str]:
    for words, others in (("its acts are told by", explanation.told_by), ("also told by", explanation.also_told_by)):
        for other in others:
            yield f"{words} {visible(other['finding_id'])} {visible(other['severity'])}: {visible(other['title'])}"
    for alert in explanation.alerts:
        when = f" at {alert['sent_at']:%Y-%m-%d %H:%M:%S}" if alert["sent_at"] else ""
        activity = ACTIVITIES.get(alert["activity_id"], "alert")
        state = f"{visible(alert['state'])}{when}"
        yield f"{activity} revision {alert['revision']} to {visible(alert['sink'])}: {state}"


def _rule(explanation: Explanation) -> list[Text]:
    if explanation.rule_text is None:
        return []
    version = "" if explanation.is_rule_unchanged else " (changed since it judged this)"
    lines = (visible(line, 500) for line in explanation.rule_text.splitlines())
    return _section(f"The rule{version}", lines)
