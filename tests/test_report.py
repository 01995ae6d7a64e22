"""The run on one offline page."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest
from published_columns import COLUMNS
from published_fixture import empty_world, published_world
from published_putting import CHAIN, FINDING, KEY_CHAIN, KEY_FINDING, put, put_step
from ultravires.report import write_report
from ultravires.report.chains import MAX_NODES, read_top_chains
from ultravires.report.curves import Box, Curve, box_of_node, free_spot
from ultravires.report.lanes import MAX_ROWS, pack
from ultravires.report.report import render_report, write_atomically
from ultravires.report.time_scale import scale_of

HOSTILE = (
    '<script>alert(1)</script>"><img src=x onerror=alert(2)>\u202e\u2066\x00\x1b[2J\ud83d{{ 7 * 7 }}' + "A" * 10_000
)
NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text between tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.text += " "
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with published_world() as con:
        yield con


def test_page_tells_totals_findings_controls_drift_and_sources(con: duckdb.DuckDBPyConnection) -> None:
    """What a reader needs first stands in words, not only in pictures."""
    text = " ".join(Elements(render_report(con)).text.split())
    assert "2 open findings, 84 % of non-human activity accounted for" in text
    assert "16 of 19 actions of non-human identities" in text
    assert "agent 18 16 0 2 carried 16" in text
    assert "Activity outside the approved actions" in text and "historic" in text
    assert "2026-10-05 09:40:02 agent-invoice s3:PutBucketPolicy arn:aws:s3:::archive" in text
    assert "Never seen: okta_system." in text
    assert "otel_genai tool call late 2026-10-05 15:00:00 1 min 15 min" in text
    assert re.search(r"approved for task 1 1 1", text)


def test_each_top_chain_is_drawn_and_opens_by_its_id_and_its_old_ids(con: duckdb.DuckDBPyConnection) -> None:
    """A link to a chain goes on working after the chain got another id."""
    elements = Elements(render_report(con))
    ids = [attributes["id"] for _, attributes in elements.tags if "id" in attributes]
    assert {CHAIN, KEY_CHAIN, "ch_request", "ch_old", "ch_older", FINDING} <= set(ids)
    assert len(ids) == len(set(ids))
    assert len([svg for svg in elements.named("svg") if svg.get("class") == "chain"]) == 3


def test_riskiest_chain_comes_first_and_others_are_not_drawn(con: duckdb.DuckDBPyConnection) -> None:
    """With room for one chain it is that of the riskiest finding; other chains are named, not linked."""
    page = render_report(con, top_chains=1)
    elements = Elements(page)
    assert [box["id"] for box in elements.named("details") if box.get("class") == "chainbox"] == [CHAIN]
    links = [a["href"] for a in elements.named("a")]
    assert f"#{CHAIN}" in links and f"#{KEY_CHAIN}" not in links
    assert KEY_CHAIN in page


def test_every_link_of_a_drawing_says_method_confidence_and_key(con: duckdb.DuckDBPyConnection) -> None:
    """Hover text and table name how a step was joined."""
    page = render_report(con)
    assert "authority: carried 0.80 by source identity APR-1" in page
    assert "Gap: no decision" in page
    assert "Finding (high): Activity outside the approved actions" in page


def test_findings_alike_are_one_line_with_their_number(con: duckdb.DuckDBPyConnection) -> None:
    """A detector that says the same of one identity all day does not push the others off the page."""
    con.execute(
        "insert into findings select findings.* replace (finding_id || range as finding_id, 1 as risk_score, "
        "null as chain_id) "
        "from findings, range(50) where finding_id = ?",
        [FINDING],
    )
    text = " ".join(Elements(render_report(con)).text.split())
    assert text.count("s3:PutBucketPolicy is not among s3:Get*") == 1
    assert f"{FINDING} and 50 alike" in text
    assert "52 open findings" in text


def test_each_detector_has_its_riskiest_chain_drawn_first(con: duckdb.DuckDBPyConnection) -> None:
    """Two chains of the loud detector do not hide the one chain of the quiet detector."""
    con.execute(
        "insert into findings by name select * replace ('fi_third' as finding_id, 'ch_request' as chain_id, "
        "73 as risk_score) from findings where finding_id = ?",
        [FINDING],
    )
    assert [view.chain["chain_id"] for view in read_top_chains(con, 3)] == [CHAIN, KEY_CHAIN, "ch_request"]


def test_page_needs_no_network_and_allows_none(con: duckdb.DuckDBPyConnection) -> None:
    """The policy forbids all but its own script and styles, and nothing in the page points elsewhere."""
    elements = Elements(render_report(con))
    policy = next(m["content"] for m in elements.named("meta") if m.get("http-equiv") == "Content-Security-Policy")
    nonce = re.search(r"script-src 'nonce-([\w-]{16,})'", policy)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert nonce and [script["nonce"] for script in elements.named("script")] == [nonce[1]]
    addresses = [a[name] for _, a in elements.tags for name in ("href", "src", "action") if name in a]
    assert all(address.startswith(("#", "data:")) for address in addresses)


def test_nonce_is_new_on_every_page(con: duckdb.DuckDBPyConnection) -> None:
    """A log line cannot know it."""
    scripts = {Elements(render_report(con)).named("script")[0]["nonce"] for _ in range(3)}
    assert len(scripts) == 3


def test_hostile_log_values_stay_text(con: duckdb.DuckDBPyConnection) -> None:
    """Scripts, attribute breakouts, bidi controls, NUL, templates and 10 KB strings change nothing."""
    before = [tag for tag, _ in Elements(render_report(con)).tags]
    _poison(con)
    page = render_report(con)
    elements = Elements(page)
    assert [tag for tag, _ in elements.tags if tag in ("script", "img", "iframe")] == ["script"]
    assert not [name for _, attributes in elements.tags for name in attributes if name.startswith("on")]
    assert len(elements.tags) >= len(before)
    assert not {"\u202e", "\u2066", "\x00", "\x1b", "\ud83d"} & set(page)
    assert "{{ 7 * 7 }}" in page and "A" * 400 not in page
    assert "(10,0" in elements.text


def _poison(con: duckdb.DuckDBPyConnection) -> None:
    """Put a hostile value into every text column that is not an id of ours or compared by SQL."""
    fixed = {"chain_id", "step_id", "node_kind", "root_id", "finding_id", "event_id", "child_id", "parent_id"}
    fixed |= {
        "approval_id",
        "credential_id",
        "decision_id",
        "tool_call_id",
        "kind",
        "spine",
        "old_id",
        "new_id",
    }
    hostile = HOSTILE.encode("utf-8", "ignore").decode()
    for table, columns in COLUMNS.items():
        for name, kind in columns.items():
            if kind not in ("varchar", "varchar[]") or name in fixed or (table, name) == ("findings", "state"):
                continue
            value = hostile if kind == "varchar" else [hostile]
            con.execute(f"update {table} set {name} = ?", [value])


def test_long_chain_is_thinned_to_what_matters(con: duckdb.DuckDBPyConnection) -> None:
    """Root, evidence and gaps stay, the rest is an even sample of all kinds, and the page says so."""
    for nth in range(400):
        put_step(
            con,
            f"activity:many-{nth}",
            "11:00",
            "credential:ASIA3",
            spine="authority",
            action="s3:ListBucket",
        )
    view = next(view for view in read_top_chains(con, 20) if view.chain["chain_id"] == CHAIN)
    kept = {node.node_id for node in view.nodes}
    assert (len(kept), view.n_steps) == (MAX_NODES, 415)
    assert {
        "approval:APR-1",
        "decision:DEC-1",
        "credential:ASIA3",
        "activity:e-policy",
        "activity:e-user",
    } <= kept
    assert "120 of 415 steps are shown" in render_report(con)


def test_approval_that_ends_before_the_chain_is_marked(con: duckdb.DuckDBPyConnection) -> None:
    """Whatever stands right of the line came too late."""
    assert "approval ended 12:00:00" in render_report(con)
    con.execute("update approvals set ends_at = timestamptz '2026-10-06'")
    assert "approval ended" not in render_report(con)


def test_empty_home_says_so_and_names_absent_sources() -> None:
    """Before the first log the page is still a page."""
    with empty_world() as con:
        put(con, "sources", log="aws_cloudtrail", state="absent", evidence_kinds=["activity"], n_events=0)
        text = " ".join(Elements(render_report(con)).text.split())
    assert "Nothing was found yet" in text
    assert "There is no log of: activity. Never seen: aws_cloudtrail." in text


def test_missing_values_do_not_stop_the_page(con: duckdb.DuckDBPyConnection) -> None:
    """A chain without task, identity, times or hops and a finding without chain are shown all the same."""
    con.execute("update chains set task = null, identity_id = null, started_at = null, max_hops = null, gaps = null")
    con.execute("update findings set chain_id = null, identity_id = null, gaps = null, risk_score = null")
    con.execute("update chain_steps set step_at = null, label = null, gaps = null, outcome = null")
    assert "unknown identity" in render_report(con)


def test_suppressed_and_withdrawn_findings_are_counted_and_not_listed(con: duckdb.DuckDBPyConnection) -> None:
    """Nobody has to read twice what was settled."""
    con.execute("update findings set is_suppressed = true where finding_id = ?", [FINDING])
    con.execute("update findings set state = 'withdrawn' where finding_id <> ?", [FINDING])
    text = " ".join(Elements(render_report(con)).text.split())
    assert "No open finding," in text
    assert "1 suppressed, 1 withdrawn" in text


def test_who_else_tells_of_an_act_stands_in_the_line_of_the_one_that_does(con: duckdb.DuckDBPyConnection) -> None:
    """One line and one count for one act, with the titles of the others."""
    con.execute("update findings set told_by = [?] where finding_id = ?", [FINDING, KEY_FINDING])
    text = " ".join(Elements(render_report(con)).text.split())
    assert "1 open finding," in text
    assert "1 more tell of the same acts" in text
    assert "also told by: First use of an action" in text


def test_file_is_private_and_replaced_whole(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Mode 0600, no remnants beside it, the old page gone."""
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(con, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_leaves_the_old_page(tmp_path: Path) -> None:
    """A text that cannot be encoded does not cost the last report."""
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_time_scale_keeps_order_and_shows_both_seconds_and_days() -> None:
    """A second and a day apart are both seen, and later is always further right."""
    moments = [NOON, NOON + timedelta(seconds=1), NOON + timedelta(days=1)]
    scale = scale_of(moments, 0, 100)
    places = [scale.place(moment) for moment in moments]
    assert places[0] == 0 and places[2] == pytest.approx(100)
    assert 5 < places[1] < 50
    assert places[1] < scale.place(NOON + timedelta(hours=1)) < places[2]
    assert (scale.place(NOON - timedelta(days=9)), scale.place(NOON + timedelta(days=9))) == (0, places[2])


def test_single_moment_stands_at_the_left() -> None:
    """A chain of one instant has no axis to fill."""
    scale = scale_of([NOON, NOON], 10, 100)
    assert scale.place(NOON) == 10
    assert scale.ticks(50) == [(10, NOON)]


def test_labels_never_lie_on_one_another() -> None:
    """Words are left out rather than overlaid, also where everything happens at once."""
    items = [(200.0 + nth, f"label {nth:02}") for nth in range(60)]
    places = pack(items, 100, 1000)
    assert max(place.row for place in places) < MAX_ROWS
    spoken = [place for place in places if place.label]
    assert len(spoken) == MAX_ROWS
    assert len({place.row for place in spoken}) == MAX_ROWS


def test_words_of_a_link_take_a_free_spot_or_none() -> None:
    """The middle of the curve is taken by a node's label, so the words move along it, or are left out."""
    curve = Curve(0, 0, 400, 100, 50)
    middle = box_of_node(200, 50, "a label", is_label_left=False)
    spot = free_spot(curve, "carried 0.80", [middle])
    assert spot is not None and not spot.overlaps(middle)
    assert free_spot(curve, "carried 0.80", [Box(-100, -100, 600, 200)]) is None
    assert (curve.point(0), curve.point(1)) == ((0, 0), (400, 100))


def test_label_near_the_right_edge_stands_left_of_its_node() -> None:
    """Nothing is cut off at the edge."""
    assert pack([(990.0, "s3:GetObject")], 100, 1000)[0].is_label_left
