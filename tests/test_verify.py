"""`ultravires verify` says whether the tables of a home are what a rebuild gives, and shows what is not."""

import json
import shutil
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from agent_world import HELPER, World, otlp, person_asks, put_policy, request
from conftest import REPO
from typer.testing import CliRunner
from ultravires import definitions
from ultravires.cli import app
from ultravires.errors import UsageError
from ultravires.runs.verifying import verify_home


@pytest.fixture
def home(sample_home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sample_home, tmp_path / "home"))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which one act stands in a chain with the request of an agent."""
    spans = [person_asks(1, 0, "helper"), request(2, 1, "helper", "e1", 1)]
    trail = [put_policy("e1", 1, HELPER, "ASIA1")]
    return World(tmp_path_factory.mktemp("told"), spans=otlp(spans), trail=trail).home


@pytest.fixture
def small_home(told: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(told, tmp_path / "home"))


def tamper(home: Path, statement: str) -> None:
    with duckdb.connect(home / "warehouse.duckdb") as con:
        con.execute(statement)


def test_a_home_after_a_run_is_right_and_one_that_was_tampered_with_is_not(home: Path) -> None:
    right = CliRunner().invoke(app, ["verify", "--home", str(home)])
    assert right.exit_code == 0
    assert "tables hold what a rebuild gives" in right.stdout
    tamper(home, "update links set confidence = 0.123 where link_id = (select min(link_id) from links)")
    wrong = CliRunner().invoke(app, ["verify", "--home", str(home)])
    assert wrong.exit_code == 1
    assert "links: 1 rows are missing, 1 are too many" in wrong.stdout
    assert "'confidence': 0.123" in wrong.stdout


def test_it_is_said_as_json(small_home: Path) -> None:
    tamper(small_home, "delete from chains where chain_id = (select min(chain_id) from chains)")
    told = CliRunner().invoke(app, ["verify", "--home", str(small_home), "--json"])
    assert told.exit_code == 1
    tables = {table["table"]: table for table in json.loads(told.stdout)["tables"]}
    assert tables["chains"]["n_missing"] == 1
    assert not tables["chains"]["is_right"]
    assert tables["chain_steps"]["is_right"]


def test_where_a_run_has_work_to_do_nothing_is_said(small_home: Path, tmp_path: Path) -> None:
    tamper(small_home, "insert into touched select 'stg_keys', min(event_hour) from stg_keys")
    with pytest.raises(
        UsageError, match=r"1 tables wait for a run \(stg_keys is the first\): .* run `ultravires run` first"
    ):
        verify_home(small_home)
    with pytest.raises(UsageError, match="nothing is published in this home yet"):
        verify_home(tmp_path / "none")


def test_the_weekly_job_fails_where_a_row_differs(small_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definitions, "_home", small_home)
    monkeypatch.chdir(REPO)
    assert definitions.verify_job.execute_in_process().success
    tamper(small_home, "update chains set n_steps = n_steps + 1")
    with pytest.raises(dg.Failure, match="chains: not what a rebuild gives"):
        definitions.verify_job.execute_in_process()
