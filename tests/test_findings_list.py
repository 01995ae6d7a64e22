"""`ultravires findings`: what is listed, by what, and how it is drawn."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import duckdb
import pytest
import ultravires
from rich.console import Console
from ultravires.errors import UsageError
from ultravires.tracing.findings_list import Listed, Wanted, draw, list_findings


@pytest.fixture
def con(sample_home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with ultravires.open(sample_home) as opened:
        yield opened


def drawn(findings: list[Listed], width: int = 80) -> str:
    text = StringIO()
    draw(findings, Console(file=text, width=width))
    return text.getvalue()


def test_all_open_findings_are_listed_the_riskiest_first(con: duckdb.DuckDBPyConnection) -> None:
    """As the table has them."""
    found = list_findings(con, Wanted())
    query = "select finding_id from findings where state = 'open' order by risk_score desc, finding_id"
    assert [one.finding_id for one in found] == [row[0] for row in con.execute(query).fetchall()]
    assert found


def test_an_id_is_first_and_whole_however_narrow_the_terminal(con: duckdb.DuckDBPyConnection) -> None:
    """It is what is copied into `explain`."""
    found = list_findings(con, Wanted())
    lines = drawn(found, width=20).splitlines()
    assert [line.split()[0] for line in lines] == [one.finding_id for one in found]


def test_a_severity_is_the_least(con: duckdb.DuckDBPyConnection) -> None:
    """High includes critical and leaves out medium."""
    severities = {one.severity for one in list_findings(con, Wanted(severity="high"))}
    assert severities == {"high", "critical"}


def test_an_identity_is_found_by_part_of_its_name_in_any_case(con: duckdb.DuckDBPyConnection) -> None:
    """What is listed is about it, and nothing else of it is left out."""
    found = list_findings(con, Wanted(identity="ACCESS-BROKER"))
    assert found and all("access-broker" in str(one.identity) for one in found)
    assert len(found) == sum("access-broker" in str(one.identity) for one in list_findings(con, Wanted()))


def test_a_detector_and_a_time_narrow_the_list(con: duckdb.DuckDBPyConnection) -> None:
    """By its id, and by the last evidence."""
    found = list_findings(con, Wanted(detector="rare_action"))
    assert found and {one.detector_id for one in found} == {"rare_action"}
    last = max(one.last_at for one in found if one.last_at)
    since = list_findings(con, Wanted(detector="rare_action", since=last))
    assert {one.last_at for one in since} == {last}
    assert list_findings(con, Wanted(since=datetime(2999, 1, 1, tzinfo=UTC))) == []


def test_what_is_withdrawn_is_listed_when_it_is_asked_for(con: duckdb.DuckDBPyConnection) -> None:
    """All is open and withdrawn."""
    by_state = [len(list_findings(con, Wanted(state=state))) for state in ("open", "withdrawn", "all")]
    assert by_state[0] + by_state[1] == by_state[2]


@pytest.mark.parametrize(
    "wanted", [Wanted(severity="worst"), Wanted(state="closed"), Wanted(detector="no_such_rule")], ids=repr
)
def test_what_there_is_not_is_one_line(con: duckdb.DuckDBPyConnection, wanted: Wanted) -> None:
    """A mistyped rule is not an empty list, which would read as good news."""
    with pytest.raises(UsageError, match=r"^--(severity|state|detector) "):
        list_findings(con, wanted)


def test_none_is_a_line_and_rows_are_json(con: duckdb.DuckDBPyConnection) -> None:
    """The same fields in both."""
    assert drawn([]) == "no finding is like that\n"
    row = json.loads(json.dumps(list_findings(con, Wanted())[0].as_dict()))
    assert row["finding_id"].startswith("fi_") and row["last_at"].endswith("+00:00")


def test_a_name_from_a_log_does_nothing_to_the_terminal() -> None:
    """Whoever is found chose it, perhaps."""
    one = Listed("fi_1", "high", "open", False, True, "rule", "a title", "m", "x\x1b[2J", 1.0, None, None, [])
    assert "\x1b" not in drawn([one])
    assert "historic" in drawn([one])
