"""The notebook runs on a real home, shows what it promises and defines nothing."""

import ast
import base64
import os
from pathlib import Path

import nbformat
import pytest
import ultravires
from nbclient import NotebookClient
from small_logs import approval, write_lines
from ultravires.runs.run import run_once

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
NOTEBOOK = NOTEBOOKS / "investigate_chain.ipynb"
CHARTS = ("timeline", "drift", "usage", "accounted")


@pytest.fixture(scope="module")
def executed(sample_home: Path) -> nbformat.NotebookNode:
    """The notebook after a run over the samples, in a kernel of its own; a failing cell fails the tests."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    environment = {**os.environ, "ULTRAVIRES_HOME": str(sample_home)}
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(env=environment)
    return notebook


def shown(notebook: nbformat.NotebookNode, cell_id: str) -> str:
    outputs = next(cell["outputs"] for cell in notebook["cells"] if cell["id"] == cell_id)
    return str(outputs)


def test_alert_leads_to_its_finding_and_its_chain(executed: nbformat.NotebookNode) -> None:
    """The riskiest alert is explained and its chain is drawn from the root down."""
    assert "What to do" in shown(executed, "finding")
    assert "Evidence" in shown(executed, "finding")
    assert "◉ approval" in shown(executed, "chain") or "◈ credential" in shown(executed, "chain")


@pytest.mark.parametrize("cell_id", CHARTS)
def test_plots_are_pictures_that_need_no_network(executed: nbformat.NotebookNode, cell_id: str) -> None:
    """Every chart is one picture made in the kernel, not a page that loads a library."""
    outputs = next(cell["outputs"] for cell in executed["cells"] if cell["id"] == cell_id)
    bundles = [output["data"] for output in outputs if "data" in output]
    assert len(bundles) == 1
    assert len(base64.b64decode(bundles[0]["image/png"])) > 5_000
    assert "https://" not in str(bundles)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebook_is_committed_without_outputs_and_defines_nothing(path: Path) -> None:
    """Logic lives in the package, and no result of somebody's logs is ever committed."""
    for cell in nbformat.read(path, as_version=4)["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
            definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
            assert not [node for node in ast.walk(ast.parse(cell["source"])) if isinstance(node, definitions)]


def test_the_alert_that_is_followed_is_the_riskiest(executed: nbformat.NotebookNode, sample_home: Path) -> None:
    """Whatever class its OCSF event has."""
    with ultravires.open(sample_home) as con:
        query = "select finding_id from findings where state = 'open' order by risk_score desc, finding_id limit 1"
        row = con.execute(query).fetchone()
    assert row is not None and row[0] in shown(executed, "finding")


def test_a_home_in_which_nothing_was_found_is_told(tmp_path: Path) -> None:
    """One line, and charts without a point; no traceback."""
    (tmp_path / "logs").mkdir()
    write_lines(tmp_path / "logs" / "approvals.jsonl", [approval("APR-A", 0)])
    run_once(tmp_path / "logs", tmp_path / "home", config=None, as_of="")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    environment = {**os.environ, "ULTRAVIRES_HOME": str(tmp_path / "home")}
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(env=environment)
    assert "Nothing was found in this home" in shown(notebook, "finding")
