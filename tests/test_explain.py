"""Why a finding exists."""

import io
import json
from collections.abc import Iterator

import duckdb
import pytest
from published_fixture import published_world
from published_putting import CHAIN, FINDING, KEY_FINDING, at, put
from rich.console import Console
from ultravires.errors import UsageError
from ultravires.registry import rules_root
from ultravires.tracing.explain import explain
from ultravires.tracing.explain_drawing import draw


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with published_world() as con:
        yield con


def drawn(con: duckdb.DuckDBPyConnection, finding_id: str) -> str:
    buffer = io.StringIO()
    draw(explain(con, finding_id), Console(file=buffer, width=200, force_terminal=True, color_system=None))
    return buffer.getvalue()


def test_evidence_comes_with_the_record_it_was_read_from(con: duckdb.DuckDBPyConnection) -> None:
    """An analyst can open the very file and line; evidence stands in the order of time."""
    evidence = explain(con, FINDING).evidence
    assert [event.event_id for event in evidence] == ["ev-APR-1", "e-policy"]
    assert (evidence[1].path, evidence[1].record_no) == ("aws/one.json.gz", 1)
    assert (evidence[1].log, evidence[1].action, evidence[1].native_id) == (
        "aws_cloudtrail",
        "s3:PutBucketPolicy",
        "native-e-policy",
    )


def test_evidence_that_is_gone_is_named(con: duckdb.DuckDBPyConnection) -> None:
    """Events pruned since do not vanish silently from the explanation."""
    con.execute("delete from events where event_id = 'e-policy'")
    assert explain(con, FINDING).missing_event_ids == ["e-policy"]
    assert "e-policy is no longer stored" in drawn(con, FINDING)


def test_risk_parts_chain_and_frameworks_are_told(con: duckdb.DuckDBPyConnection) -> None:
    """The parts of the score, the chain it belongs to and the titles of its references."""
    explanation = explain(con, FINDING)
    assert explanation.risk_parts == {"severity": 60, "privilege": 14}
    assert explanation.chain is not None and explanation.chain["chain_id"] == CHAIN
    assert explanation.frameworks[0]["title"] == "Identity and privilege abuse"


def test_rule_text_is_shown_and_a_changed_rule_admitted(con: duckdb.DuckDBPyConnection) -> None:
    """The rule stands in the answer, and that it is not the version which judged."""
    path = min(rules_root().rglob("*.yml"))
    con.execute("update findings set detector_id = ? where finding_id = ?", [path.stem, FINDING])
    explanation = explain(con, FINDING)
    assert explanation.rule_text == path.read_text(encoding="utf-8")
    assert explanation.is_rule_unchanged is False
    assert "changed since it judged this" in drawn(con, FINDING)


def test_detector_id_never_becomes_a_path(con: duckdb.DuckDBPyConnection) -> None:
    """A detector's name is compared with the names of rules, not opened."""
    con.execute("update findings set detector_id = '../../../../../etc/passwd'")
    assert explain(con, FINDING).rule_text is None


def test_description_of_the_detector_is_told_where_it_is_published(con: duckdb.DuckDBPyConnection) -> None:
    """What the detector looks for, and when it is harmless."""
    described = {"description": "First use among peers.", "false_positives": ["a new job"]}
    put(con, "detectors", detector_id="rare_action", **described)
    text = drawn(con, KEY_FINDING)
    assert "First use among peers." in text
    assert "can be harmless: a new job" in text


def test_deliveries_are_listed(con: duckdb.DuckDBPyConnection) -> None:
    """Who was told, when, and of which revision."""
    put(
        con,
        "alerts",
        finding_id=FINDING,
        sink="splunk_hec",
        revision=1,
        activity_id=1,
        state="sent",
        sent_at=at("16:00"),
    )
    assert "create revision 1 to splunk_hec: sent at 2026-10-05 16:00:00" in drawn(con, FINDING)


def test_unambiguous_beginning_of_an_id_is_enough(con: duckdb.DuckDBPyConnection) -> None:
    """Ids are long; six characters that fit one finding name it."""
    assert explain(con, FINDING[:6]).finding["finding_id"] == FINDING


def test_ambiguous_beginning_lists_the_findings(con: duckdb.DuckDBPyConnection) -> None:
    """Nothing is guessed."""
    con.execute("update findings set finding_id = 'fi_same' || right(finding_id, 3)")
    with pytest.raises(UsageError, match="begins several findings: fi_samekey, fi_sameval"):
        explain(con, "fi_same")


def test_unknown_finding_is_one_line(con: duckdb.DuckDBPyConnection) -> None:
    """The id is repeated without its control characters."""
    with pytest.raises(UsageError, match=r"^there is no finding 'x\\x1b\[0m';[^\n]+$"):
        explain(con, "x\x1b[0m")


def test_as_dict_is_json(con: duckdb.DuckDBPyConnection) -> None:
    """`--json` gives the same, times in ISO 8601."""
    plain = json.loads(json.dumps(explain(con, FINDING).as_dict()))
    assert plain["finding"]["first_at"] == "2026-10-05T09:40:02+00:00"
    assert plain["evidence"][0]["event_id"] == "ev-APR-1"


def test_log_values_are_drawn_as_plain_text(con: duckdb.DuckDBPyConnection) -> None:
    """Neither markup nor escape sequences act."""
    con.execute("update findings set message = '[red]x[/]' || chr(27) || '[2J', title = chr(8238)")
    con.execute("update events set action = chr(7)")
    text = drawn(con, FINDING)
    assert "[red]x[/]\\x1b[2J" in text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_who_else_tells_of_the_act_is_named(con: duckdb.DuckDBPyConnection) -> None:
    """On both sides: who is sent, and who is not sent beside it."""
    con.execute("update findings set told_by = [?] where finding_id = ?", [FINDING, KEY_FINDING])
    assert "also told by" not in drawn(con, KEY_FINDING)
    assert f"its acts are told by {FINDING} high: Activity outside the approved actions" in drawn(con, KEY_FINDING)
    assert f"also told by {KEY_FINDING} low: First use of an action" in drawn(con, FINDING)
