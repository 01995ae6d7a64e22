"""What several tests share: where the samples are, and a home with the samples loaded once a session."""

import os
from pathlib import Path

import pytest

REPO = Path(__file__).parent.parent
SAMPLES = REPO / "data" / "samples"
SHARED_DATA = REPO.parent / "shared" / "data"

# One key for all tests: hashes, and so tables, are comparable between homes.
os.environ["ULTRAVIRES_HASH_KEY"] = "key of the tests"
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"


@pytest.fixture(scope="session")
def samples() -> Path:
    return SAMPLES


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after one run over data/samples; tests only read it."""
    from ultravires.runs.run import run_once

    home = tmp_path_factory.mktemp("sample") / "home"
    run_once(SAMPLES, home, config=SAMPLES / "ultravires.yaml", as_of="")
    return home


@pytest.fixture(scope="session")
def third_party() -> Path:
    """The folder of third-party logs, or a skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the third-party logs (../shared/data) are not on this machine")
    return SHARED_DATA
