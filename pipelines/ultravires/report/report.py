"""Everything a run found on one page that needs no network and trusts no log value."""

import secrets
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import duckdb
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ultravires.report import drift_chart
from ultravires.report.chains import read_top_chains
from ultravires.report.drawing import LEFT, RIGHT, TOP, WIDTH
from ultravires.report.layers import read_layers
from ultravires.report.overview import WORST_FIRST, read_overview
from ultravires.store.atomic_file import write_atomically
from ultravires.tracing.visible import visible

_DRIFT_BOX = {
    "width": drift_chart.WIDTH,
    "height": drift_chart.HEIGHT,
    "left": drift_chart.LEFT,
    "marks_at": drift_chart.MARKS_AT,
    "counts_top": drift_chart.COUNTS_TOP,
    "counts_bottom": drift_chart.COUNTS_BOTTOM,
    "weight_top": drift_chart.WEIGHT_TOP,
    "weight_bottom": drift_chart.WEIGHT_BOTTOM,
}


def write_report(con: duckdb.DuckDBPyConnection, path: Path, *, top_chains: int = 20) -> None:
    """Write the report on the published tables behind `con` to `path`, readable by its owner only.

    The file appears whole or not at all. The `top_chains` riskiest chains are drawn; `path#<chain id>` opens
    one.
    """
    write_atomically(path, render_report(con, top_chains=top_chains))


def render_report(con: duckdb.DuckDBPyConnection, *, top_chains: int = 20) -> str:
    """The page as HTML; every value of a log in it is escaped, clipped and without unseen characters."""
    overview = read_overview(con)
    chains = read_top_chains(con, top_chains)
    template = _environment().get_template("report.html.j2")
    return template.render(
        overview=overview,
        chains=chains,
        layers=read_layers(con),
        drawn_ids={view.chain["chain_id"] for view in chains},
        severities=WORST_FIRST,
        box={"width": WIDTH, "left": LEFT, "right": RIGHT, "top": TOP},
        drift_box=_DRIFT_BOX,
        nonce=secrets.token_urlsafe(16),
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters.update(when=_when, day=_day, words=_words, share=_share, lasting=_lasting, count=_count)
    return environment


def _finalize(value: object) -> object:
    """What every expression of the template passes through before it is escaped; markup is always our own."""
    return value if isinstance(value, (Markup, int, float)) else visible(value)


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "unknown"


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "unknown"


def _words(name: str | None) -> str:
    return (name or "").replace("_", " ")


def _share(part: float | None) -> str:
    """Percent; rounded down, so that 99.9 never reads as everything."""
    return "-" if part is None else f"{int(part * 100)} %"


def _count(number: int | None) -> str:
    return f"{number or 0:,}"


def _lasting(duration: timedelta | None) -> str:
    if duration is None:
        return "-"
    minutes = int(duration.total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 48 * 60 else f"{minutes // 1440} days"
