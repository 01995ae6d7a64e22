"""A backtest in the terminal: short tables."""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ultravires.backtest.findings import SituationScore
from ultravires.backtest.scores import Scores


def render_scores(scores: Scores) -> Group:
    """Links, what they miss, drift, situations and detectors, and the findings that nothing explains."""
    wrong = [situation for situation in scores.situations if not situation.is_benign]
    benign = [situation for situation in scores.situations if situation.is_benign]
    summary = (
        f"{sum(s.is_found for s in wrong)} of {len(wrong)} situations found{_left_in_peace(benign)}; "
        f"{scores.n_findings} findings, {len(scores.unexplained)} of them unexplained; "
        f"{scores.findings_a_day:.1f} findings a day; delivered findings that no label explains: "
        f"{len(scores.unexplained_delivered)} in {scores.identity_days:,.0f} identity-days, "
        f"{scores.false_per_1000_identity_days:.2f} per 1,000"
    )
    drift = (_drift(scores), _wrong_drift(scores))
    tables = (_links(scores), _misses(scores), *drift, _detectors(scores), _situations(scores), _rest(scores))
    return Group(*(table for table in tables if table.row_count), Text(summary))


def _left_in_peace(benign: Sequence[SituationScore]) -> str:
    return f", {sum(s.is_found for s in benign)} of {len(benign)} benign ones left in peace" if benign else ""


def _outcome(score: SituationScore) -> str:
    if score.is_benign:
        return f"accused by {', '.join(score.accused_by)}" if score.accused_by else "left in peace"
    return f"missing: {', '.join(score.missing)}" if score.missing else "found"


def _table(title: str, *columns: str, numbers: tuple[str, ...] = ()) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in (*columns, *numbers):
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return table


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _links(scores: Scores) -> Table:
    numbers = ("found", "precision", "true", "recall")
    table = _table("Links", "spine", "kind", "method", numbers=numbers)
    for s in scores.links:
        method = f"{s.method}, ambiguous" if s.is_ambiguous else s.method
        counts = (str(s.n_found), _ratio(s.precision), str(s.n_true), _ratio(s.recall))
        table.add_row(s.spine or "-", Text(s.kind), method, *counts)
    return table


def _misses(scores: Scores) -> Table:
    table = _table("True links not made", "kind", "method", "why", "for example", numbers=("n",))
    for miss in scores.misses:
        example = Text(f"{miss.child} > {miss.parent}")
        table.add_row(Text(miss.kind), miss.method, miss.reason, example, str(miss.n))
    return table


def _drift(scores: Scores) -> Table:
    numbers = ("told", "precision", "true", "recall", "onset right", "actor right")
    table = _table("Drift, by holder, kind and cause", "kind", numbers=numbers)
    for s in scores.drift:
        ratios = (_ratio(s.recall), _ratio(s.onset), _ratio(s.actor))
        table.add_row(Text(s.kind), str(s.n_found), _ratio(s.precision), str(s.n_true), *ratios)
    return table


def _wrong_drift(scores: Scores) -> Table:
    table = _table("Drift that is told otherwise than it was", "kind", "holder", "cause", "what is wrong")
    for s in scores.wrong_drift:
        table.add_row(Text(s.kind), Text(s.holder), Text(s.cause), Text(s.what))
    return table


def _detectors(scores: Scores) -> Table:
    numbers = ("expected", "recall", "findings", "precision")
    table = _table("Detectors", "detector", numbers=numbers)
    for s in scores.detectors:
        table.add_row(Text(s.detector), str(s.n_expected), _ratio(s.recall), str(s.n_findings), _ratio(s.precision))
    return table


def _situations(scores: Scores) -> Table:
    table = _table("Situations", "situation", "identity", "outcome")
    for s in scores.situations:
        table.add_row(Text(s.situation), Text(s.identity), Text(_outcome(s)))
    return table


def _rest(scores: Scores) -> Table:
    table = _table("Findings that no situation explains", "detector", "finding", "what it says", "delivered")
    for found in scores.unexplained:
        is_told = "yes" if found.is_delivered else "no"
        table.add_row(Text(found.detector), found.finding_id, Text(found.message), is_told)
    return table
