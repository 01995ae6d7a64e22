"""The report in a real browser: it draws, opens chains by address, asks and complains of nothing."""

import struct
import zlib
from pathlib import Path

import pytest
from browser import Page, open_page
from published_fixture import empty_world, published_world
from published_putting import CHAIN, KEY_CHAIN, at, put
from ultravires.report import write_report

IS_OPEN = "document.getElementById('{}').open"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    with published_world() as con:
        write_report(con, path)
    return path


def test_report_draws_without_errors_and_without_network(report: Path, tmp_path: Path) -> None:
    """The console stays empty, only the file itself is asked for, and the picture shows something."""
    page = open_page(report.as_uri(), wait_for="svg.chain .node")
    (tmp_path / "report.png").write_bytes(page.screenshot)
    assert page.console_errors == []
    assert [url for url in page.requests if not url.startswith("data:")] == [report.as_uri()]
    assert size_of(page.screenshot) == (1280, 900)
    assert len(shades_of(page.screenshot)) > 20
    assert "Activity outside the approved actions" in page.text


def test_report_of_the_samples_draws_without_errors(sample_home: Path) -> None:
    """The page that a run leaves in its home, with every chain opened, is as quiet as the small one."""
    open_all = "for (const box of document.querySelectorAll('details')) box.open = true"
    page = open_page((sample_home / "report.html").as_uri(), run=(open_all,))
    assert page.console_errors == []
    assert size_of(page.screenshot) == (1280, 900)
    assert len(shades_of(page.screenshot)) > 20


def test_layers_are_drawn_and_open_without_a_script(tmp_path: Path) -> None:
    """Approved, granted and used of an identity, its drift in words and, over time, with a numbered mark."""
    path = tmp_path / "report.html"
    with published_world() as con:
        shared = {"identity_id": "batch-export", "severity": "high", "power": "admin", "is_certain": True}
        put(con, "drift", drift_id="wide", kind="over_grant", first_at=at("10:00"), cause_actor_uid="mallory",
            cause_event_id="e-wide", sentence="mallory gave batch-export everything", **shared)  # fmt: skip
        put(con, "entitlements", identity_id="batch-export", layer="granted", effect="allow", action_pattern="s3:*")
        put(con, "drift_daily", identity_id="batch-export", day=at("10:00").date(), n_granted=1, weight=10)
        write_report(con, path)
    click = "document.querySelector('.layerbox:not([open]) > summary')?.click()"
    is_drawn = "document.querySelector('.drift .cause text').textContent"
    page = open_page(path.as_uri(), run=(click, is_drawn))
    assert page.console_errors == []
    assert page.results[1] == "1"
    assert "mallory gave batch-export everything" in page.text


def test_step_that_left_its_approval_is_marked(tmp_path: Path) -> None:
    """An arrow at the step, and the sentence below the picture."""
    path = tmp_path / "report.html"
    with published_world() as con:
        put(con, "privilege_paths", chain_id=CHAIN, is_crossing=True, crossing_step_id="activity:e-policy",
            sentence="agent-invoice reached the power admin", is_proven=True, path_rank=1)  # fmt: skip
        write_report(con, path)
    marked = "document.querySelector('.crossing .crossmark').closest('[data-node]').dataset.node"
    page = open_page(f"{path.as_uri()}#{CHAIN}", run=(marked,))
    assert page.console_errors == []
    assert page.results == ["activity:e-policy"]
    assert "agent-invoice reached the power admin" in page.text


def test_dark_scheme_is_dark(report: Path) -> None:
    """The page follows the system's colours."""
    script = "getComputedStyle(document.body).backgroundColor"
    light, dark = (open_page(report.as_uri(), run=(script,), is_dark=is_dark) for is_dark in (False, True))
    assert light.results != dark.results
    assert dark.results == ["rgb(20, 23, 27)"]


def test_address_opens_its_chain(report: Path) -> None:
    """`report.html#<chain id>` opens that chain; a later change of address opens another."""
    go = f"location.hash = '#{KEY_CHAIN}'; new Promise(done => setTimeout(done, 100))"
    page = open_page(f"{report.as_uri()}#ch_request", run=(IS_OPEN.format("ch_request"), go, IS_OPEN.format(KEY_CHAIN)))
    assert (page.results[0], page.results[2]) == (True, True)
    assert page.console_errors == []


def test_old_id_of_a_chain_opens_it(report: Path) -> None:
    """A link in a ticket outlives a late approval that gave the chain a new id."""
    close = f"document.getElementById('{CHAIN}').open = false"
    go = "location.hash = '#ch_older'; new Promise(done => setTimeout(done, 100))"
    results = open_page(report.as_uri(), run=(close, IS_OPEN.format(CHAIN), go, IS_OPEN.format(CHAIN))).results
    assert (results[1], results[3]) == (False, True)


def test_address_of_a_chain_that_is_not_drawn_says_how_to_see_it(report: Path) -> None:
    """A stale or distant id leads to a sentence, and the id is not read as markup."""
    page = open_page(f"{report.as_uri()}#ch_%3Cb%3Enowhere", wait_for="#notice:not([hidden])")
    assert "ch_<b>nowhere is not among the chains drawn on this page" in page.text
    assert page.console_errors == []


def test_malformed_address_breaks_nothing(report: Path) -> None:
    """A percent sign that escapes nothing is taken as it stands."""
    assert open_page(f"{report.as_uri()}#100%", wait_for="#notice:not([hidden])").console_errors == []


def test_pointing_at_a_node_lights_its_way_to_the_root(report: Path) -> None:
    """Both spines above the node are lit, its siblings are not."""
    point = """(() => {
        const node = document.querySelector('[data-node="activity:e-policy"]');
        node.dispatchEvent(new PointerEvent('pointerover', {bubbles: true}));
        return [...document.querySelectorAll('.node.above')].map(lit => lit.dataset.node).sort();
    })()"""
    lit = open_page(report.as_uri(), run=(point,)).results[0]
    assert {"approval:APR-1", "credential:ASIA3", "activity:e-policy"} <= set(lit)
    assert "activity:e-user" not in lit and "decision:DEC-1" not in lit


def test_nothing_is_wider_than_a_narrow_window(report: Path) -> None:
    """On a small screen tables scroll in themselves, the page does not."""
    script = "document.documentElement.scrollWidth <= innerWidth"
    assert open_page(report.as_uri(), width=500, height=800, run=(script,)).results == [True]


def test_empty_report_draws_too(tmp_path: Path) -> None:
    """A home without events gives a page without errors."""
    path = tmp_path / "report.html"
    with empty_world() as con:
        write_report(con, path)
    page = open_page(path.as_uri(), wait_for="footer")
    assert page.console_errors == []
    assert "Nothing was found yet" in page.text


def test_error_in_a_page_is_noticed(tmp_path: Path) -> None:
    """The browser of these tests does report errors, blocked loads and failed requests."""
    path = tmp_path / "broken.html"
    path.write_text("<script>console.error('said'); missing()</script><img src='gone.png'>")
    page: Page = open_page(path.as_uri(), run=("new Promise(done => setTimeout(done, 200))",))
    noticed = "\n".join(page.console_errors)
    assert "said" in noticed and "missing is not defined" in noticed and "gone.png" in noticed


def size_of(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def shades_of(png: bytes) -> set[int]:
    """Distinct bytes of the picture's unpacked lines: a blank picture has next to none."""
    packed, position = b"", 8
    while position < len(png):
        length, kind = struct.unpack(">I4s", png[position : position + 8])
        packed += png[position + 8 : position + 8 + length] if kind == b"IDAT" else b""
        position += length + 12
    return set(zlib.decompress(packed))
