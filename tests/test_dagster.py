"""The Dagster graph: pinned by a snapshot, valid, and shown by its own page without an error."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from browser import find_browser, open_page
from conftest import REPO, SAMPLES
from tables_compared import differences
from ultravires.assets.home_resource import HomeResource
from ultravires.build.pipeline import check_inputs, sql_tables
from ultravires.build.table_keys import CHECKED_BY_LOADING
from ultravires.build.table_schemas import table_schemas
from ultravires.definitions import ASSETS, CHECKS, definitions
from ultravires.reading.locations import LocalPlace
from ultravires.runs.home import open_home
from ultravires.runs.run import run_once
from ultravires.runs.steps import steps

WITHOUT_ASSET = {"conservation", "everything_built"}
"""Steps that are checks on Dagster's page."""
SNAPSHOT = Path(__file__).parent / "dagster_graph.json"


def graph() -> dict[str, object]:
    """Asset keys with group and upstream, checks, jobs, schedules and sensors, as plain data. Checks of unique keys
    follow from the schemas of the tables.
    """
    repository = definitions.get_repository_def()
    nodes = repository.asset_graph.asset_nodes
    assets = {
        node.key.to_user_string(): {
            "group": node.group_name,
            "upstream": sorted(key.to_user_string() for key in node.parent_keys),
        }
        for node in nodes
    }
    return {
        "assets": dict(sorted(assets.items())),
        "checks": sorted(name for name in checks() if not name.endswith("_unique_key")),
        "jobs": sorted(name for name in repository.job_names if not name.startswith("__")),
        "schedules": {s.name: s.cron_schedule for s in repository.schedule_defs},
        "sensors": sorted(s.name for s in repository.sensor_defs),
    }


def checks() -> set[str]:
    keys = definitions.get_repository_def().asset_graph.asset_check_keys
    return {f"{key.asset_key.to_user_string()}: {key.name}" for key in keys}


def test_the_graph_is_the_one_in_the_snapshot() -> None:
    """A renamed asset or a lost dependency shows here; after a wanted change, `make docs` writes it anew."""
    now = graph()
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert now == json.loads(SNAPSHOT.read_text(encoding="utf-8")), "if this change is wanted: make docs"


def test_the_key_of_every_table_is_checked() -> None:
    """A check stands on the page for every table with a key, but for those that loading itself keeps unique."""
    keyed = {name for name, schema in table_schemas().items() if schema.key} - set(CHECKED_BY_LOADING)
    written_by_publishing = {
        "frameworks",
        "rules",
        "runs",
        "run_context",
    }  # one row a run, or as packaged
    assert {f"{name}: {name}_unique_key" for name in keyed - written_by_publishing} <= checks()


def test_columns_are_shown_on_the_page_of_a_table() -> None:
    """Dagster's page has names, types and meanings, as docs/tables.md has them."""
    nodes = {node.key.to_user_string(): node for node in definitions.get_repository_def().asset_graph.asset_nodes}
    for name in sorted(set(table_schemas()) & set(nodes)):
        shown = nodes[name].metadata["dagster/column_schema"]
        assert [column.name for column in shown.columns] == list(table_schemas()[name].types()), name
        assert all(column.description for column in shown.columns), name


def test_every_table_is_an_asset_with_a_description_and_a_group() -> None:
    """Asset = table = file stem; nobody meets a nameless box on the page."""
    nodes = {node.key.to_user_string(): node for node in definitions.get_repository_def().asset_graph.asset_nodes}
    assert set(sql_tables()) <= set(nodes)
    for name, node in nodes.items():
        assert node.description, name
        assert node.group_name != "default", name


def test_everything_that_sql_reads_is_made_by_something() -> None:
    """No table reads a name that nothing writes."""
    assert check_inputs() == []


def test_a_run_takes_the_steps_of_the_graph_in_its_order(tmp_path: Path) -> None:
    """`ultravires run` goes without Dagster: what it makes is every asset, each after those that it reads."""
    where = LocalPlace(SAMPLES / "approvals")
    with open_home(where, tmp_path / "home", config=SAMPLES / "ultravires.yaml") as home:
        made = [made.name for step in steps() for made in step.take(home)]
    nodes = {node.key.to_user_string(): node for node in definitions.get_repository_def().asset_graph.asset_nodes}
    assert sorted(made) == sorted({*nodes, *WITHOUT_ASSET} - {"requeued_days"})
    for name in set(made) - WITHOUT_ASSET:
        for above in (key.to_user_string() for key in nodes[name].parent_keys):
            assert above == "requeued_days" or made.index(above) < made.index(name), (above, name)


def dg_of_the_repository(*words: str) -> subprocess.CompletedProcess[str]:
    """Dagster's own command for projects, run in the repository."""
    command = [str(Path(sys.executable).with_name("dg")), *words]
    return subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False, timeout=300)


def test_dg_finds_the_definitions_of_the_repository() -> None:
    """Who knows Dagster looks at a project this way."""
    checked = dg_of_the_repository("check", "defs")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "All definitions loaded successfully." in checked.stdout
    listed = dg_of_the_repository("list", "defs", "--json")
    assert listed.returncode == 0, listed.stderr
    found = json.loads(listed.stdout)
    assert sorted(asset["asset_key"] for asset in found["assets"]) == sorted(graph()["assets"])
    assert {job["name"] for job in found["jobs"]} == {"run", "backfill", "verify"}


@pytest.mark.stress
def test_dg_dev_serves_the_definitions_of_the_repository(tmp_path: Path) -> None:
    """It ends with Ctrl-C."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("dg")), "dev", "--port", str(port)]
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path)}
    with serving(command, port, cwd=REPO, env=environment) as address:
        query = json.dumps({"query": "{repositoriesOrError{... on RepositoryConnection{nodes{location{name}}}}}"})
        asked = urllib.request.Request(
            f"{address}/graphql", query.encode(), headers={"content-type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            assert '"location":{"name":"ultravires"}' in answer.read().decode().replace(" ", "")


def test_the_asset_checks_pass_on_the_samples(tmp_path: Path) -> None:
    """Unique keys, conservation, quarantine share and unresolved links hold; a lag may be warned of."""
    resource = HomeResource(input=str(SAMPLES), home=str(tmp_path / "home"), config=str(SAMPLES / "ultravires.yaml"))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [*ASSETS, *CHECKS],
            selection=dg.AssetSelection.all() - dg.AssetSelection.assets("requeued_days"),
            resources={"home": resource},
            instance=instance,
        )
    failed = {e.check_name for e in result.get_asset_check_evaluations() if not e.passed}
    assert failed <= {"watermark_lag"}
    events = [e for e in result.get_asset_materialization_events() if e.asset_key == dg.AssetKey("links")]
    metadata = events[0].step_materialization_data.materialization.metadata
    assert int(str(metadata["dagster/row_count"].value)) > 1000


def test_backfilled_days_end_in_the_same_tables(sample_home: Path, tmp_path: Path) -> None:
    """Days put back in the queue are rebuilt by the next run, to the same content."""
    home, config = tmp_path / "home", SAMPLES / "ultravires.yaml"
    shutil.copytree(sample_home, home)
    resource = HomeResource(input=str(SAMPLES), home=str(home), config=str(config))
    backfill = definitions.get_repository_def().get_job("backfill")
    tags = {"dagster/asset_partition_range_start": "2026-10-06", "dagster/asset_partition_range_end": "2026-10-08"}
    with dg.DagsterInstance.ephemeral() as instance:
        result = backfill.execute_in_process(resources={"home": resource}, instance=instance, tags=tags)
    assert result.success
    run_once(SAMPLES, home, config=config, as_of="")
    assert differences(sample_home, home) == []


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running `ultravires dev`."""
    find_browser()
    port = free_port()
    home = tmp_path_factory.mktemp("dev") / "home"
    command = [sys.executable, "-m", "ultravires", "dev", "--input", str(SAMPLES), "--home", str(home)]
    with serving([*command, "--port", str(port)], port) as address:
        yield address


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def serving(command: list[str], port: int, **options: Any) -> Iterator[str]:
    """The address at which `command` answers; it and what it started have ended after the block."""
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, start_new_session=True, **options)
        try:
            _wait_for(address, process)
            yield address
        except Exception as error:
            said.seek(0)
            error.add_note(said.read().decode(errors="replace"))
            raise
        finally:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(20)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    """Until the page has the graph: it answers before, and shows nothing to whoever asks too early."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        assert process.poll() is None, "it ended by itself"
        if location := _graph_location(address):
            assert location["__typename"] == "RepositoryLocation", location.get("message")
            return
        time.sleep(0.5)
    raise TimeoutError(f"{address} did not answer with the graph")


def _graph_location(address: str) -> dict[str, Any] | None:
    """What the page says of the graph that it shows: that it is there or why not; None while it loads."""
    question = """{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError {
        __typename ... on PythonError { message } } } } } }"""
    asked = urllib.request.Request(
        f"{address}/graphql",
        data=json.dumps({"query": question}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            entries = json.load(answer)["data"]["workspaceOrError"]["locationEntries"]
    except OSError:
        return None
    return entries[0]["locationOrLoadError"] if entries else None


def test_the_lineage_is_drawn_without_an_error_in_the_console(page: str, tmp_path: Path) -> None:
    """The page that `ultravires dev` opens shows the groups of assets and the way between them."""
    shown = open_page(f"{page}/asset-groups", width=1900, height=1100, wait_for="foreignObject", run=(SETTLED,))
    (tmp_path / "lineage.png").write_bytes(shown.screenshot)
    layers = ("staging", "linking", "chains", "entitlements", "marts")
    for group in ("ingest", *layers, "rules", "models", "findings", "published"):
        assert group in shown.text
    assert shown.console_errors == []
    assert len(shown.screenshot) > 50_000


def test_days_can_be_chosen_for_a_backfill_on_the_page(page: str) -> None:
    """The asset that puts days back in the queue is partitioned by day there."""
    shown = open_page(
        f"{page}/assets/requeued_days", width=1500, height=1000, wait_for="[data-testid], button", run=(SETTLED,)
    )
    assert "requeued_days" in shown.text
    assert "artition" in shown.text
    assert shown.console_errors == []


SETTLED = "new Promise(resolve => setTimeout(resolve, 4000))"
"""The page lays its graph out in a worker and says nowhere when it is done."""
