"""What several tests share: where the samples are, and a home with the samples loaded once a session."""

import fcntl
import gc
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import skips
from crosses import leave_to_stress

if TYPE_CHECKING:
    from stories import Story

REPO = Path(__file__).parent.parent
SAMPLES = REPO / "data" / "samples"
SHARED_DATA = REPO.parent / "shared" / "data"

# One key for all tests: hashes, and so tables, are comparable between homes.
os.environ["ULTRAVIRES_HASH_KEY"] = "key of the tests"
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"


@pytest.fixture(scope="session")
def samples() -> Path:
    return SAMPLES


LONGEST_FIRST = ("test_killed_runs.py", "test_pruning.py", "test_cli.py", "test_hostile_files.py", "test_dagster.py")
"""Each takes a minute or more, and one worker: begun last, it would keep the other waiting."""


@pytest.hookimpl(tryfirst=True)  # before what is marked `stress` is left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    leave_to_stress(items)
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_collection_finish() -> None:
    """Thousands of tests live as long as the process: nothing of them has to be looked through for garbage."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Modules expect to be taken down with all that is theirs."""
    gc.unfreeze()


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(skips)


Shared = Callable[[str, Callable[[Path], object]], Path]
"""shared(name, build): the folder that the first worker who asks makes and fills by build(folder)."""


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """What takes long to build is built once a session; the tests of all workers only read it."""
    own = tmp_path_factory.getbasetemp()
    session = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def folder(name: str, build: Callable[[Path], object]) -> Path:
        built, is_whole = session / f"shared-{name}", session / f"shared-{name}.whole"
        with (session / f"shared-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_whole.exists():
                shutil.rmtree(built, ignore_errors=True)  # of a worker whose build failed
                built.mkdir(mode=0o700)
                build(built)
                is_whole.touch()
        return built

    return folder


@pytest.fixture(scope="session")
def sample_home(shared: Shared) -> Path:
    """A home after one run over data/samples; tests only read it."""
    from ultravires.runs.run import run_once

    def build(folder: Path) -> None:
        run_once(SAMPLES, folder / "home", config=SAMPLES / "ultravires.yaml", as_of="")

    return shared("samples", build) / "home"


@pytest.fixture
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> "Story":
    """One of the stories that a module tells in one home (tests/stories.py)."""
    told: Story = request.param
    told.stories.tell(tmp_path_factory)
    return told


@pytest.fixture(scope="session")
def third_party() -> Path:
    """The folder of third-party logs, or a skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the third-party logs (../shared/data) are not on this machine")
    return SHARED_DATA
