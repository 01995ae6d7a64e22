"""The notebook about drift: a heat map, drift over time, three sets and the gravest change."""

import base64
import os
from pathlib import Path

import nbformat
import pytest
import ultravires
from drift_world import STEADY, WIDENED, write_drift_world
from nbclient import NotebookClient
from small_logs import approval, write_lines
from test_notebook import NOTEBOOKS, shown
from ultravires.runs.run import run_once


def execute(home: Path) -> nbformat.NotebookNode:
    """The notebook over a home, in a kernel of its own; a failing cell fails the test."""
    notebook = nbformat.read(NOTEBOOKS / "entitlement_drift.ipynb", as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(
        env={**os.environ, "ULTRAVIRES_HOME": str(home)}
    )
    return notebook


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drift")
    write_drift_world(folder / "logs")
    run_once(folder / "logs", folder / "home", config=None, as_of="")
    return folder / "home"


@pytest.fixture(scope="module")
def executed(home: Path) -> nbformat.NotebookNode:
    return execute(home)


def test_work_that_is_other_than_it_was_is_found_by_a_run(home: Path) -> None:
    """Of three roles with as long a history only the one that does something else now, all of it approved."""
    with ultravires.open(home) as con:
        found = con.execute("select subject_uid, severity, message from findings where detector_id = 'purpose_drift'")
        ((subject_uid, severity, message),) = found.fetchall()
    assert (subject_uid, severity) == (STEADY, "low")
    assert "s3:ListBucket 14% to 100% of a day" in message


def test_the_report_names_the_causes_of_drift(home: Path) -> None:
    """Ana, Ben and Cy, of whom the last one's is over, each with a mark over time."""
    page = (home / "report.html").read_text(encoding="utf-8")
    for person, number in (("ben", 1), ("ana", 3)):
        assert f"user/{person} widened what A1 approved" in page
        assert f"{number}. 2026-0" in page
    assert "user/cy widened what A1 approved" in page


@pytest.mark.parametrize("cell_id", ["heat", "over_time", "sets"])
def test_plots_are_pictures_that_need_no_network(executed: nbformat.NotebookNode, cell_id: str) -> None:
    """Every chart is one picture made in the kernel, not a page that loads a library."""
    outputs = next(cell["outputs"] for cell in executed["cells"] if cell["id"] == cell_id)
    bundles = [output["data"] for output in outputs if "data" in output]
    assert len(bundles) == 1
    assert len(base64.b64decode(bundles[0]["image/png"])) > 5_000
    assert "https://" not in str(bundles)


def test_the_gravest_change_is_told_in_words(executed: nbformat.NotebookNode) -> None:
    """Who widened what by which event: of what is still open that of Ben, who gave power over permissions."""
    words = shown(executed, "change")
    assert f"user/ben widened what A1 approved for {WIDENED} by sqs:* on 2026-07-12 08:00." in words
    assert "It gives power over permissions or credentials" in words
    assert "Who: arn:aws:iam::111122223333:user/ben" in words


def test_what_lies_outside_of_each_set_is_named(executed: nbformat.NotebookNode) -> None:
    """What is beyond the approval; that it once held everything explains what it used."""
    words = shown(executed, "outside")
    assert "approved, never used: s3:ListBucket" in words
    assert "granted, beyond what is approved: s3:PutObject, sqs:*" in words
    assert "used, beyond what is approved: iam:CreateAccessKey" in words
    assert "unknown" not in words


def test_a_home_without_drift_is_told(tmp_path: Path) -> None:
    """One line, and charts without a point; no traceback."""
    write_lines(tmp_path / "logs" / "approvals.jsonl", [approval("APR-A", 0)])
    run_once(tmp_path / "logs", tmp_path / "home", config=None, as_of="")
    notebook = execute(tmp_path / "home")
    assert "No identity in this home is known to hold or to use more than was approved." in shown(notebook, "change")
    assert shown(notebook, "outside") == "[]"
