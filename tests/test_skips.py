"""What skips is counted, and in CI it must be allowed to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ONE_PASSES_AND_TWO_SKIP = """
import pytest
def test_passes(): pass
@pytest.mark.parametrize("n", [1, 2])
def test_skips(n): pytest.skip({reason!r})
"""


def run_pytest(folder: Path, reason: str, ci: str, *options: str) -> subprocess.CompletedProcess[str]:
    """A session with the plug-in over a test that skips for `reason`."""
    (folder / "test_it.py").write_text(ONE_PASSES_AND_TWO_SKIP.format(reason=reason))
    command = [sys.executable, "-m", "pytest", "-p", "skips", "-p", "no:cacheprovider", "-c", os.devnull, *options]
    environment = {**os.environ, "CI": ci, "PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.run(
        [*command, "test_it.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "workers"])
def test_a_skip_that_nobody_allowed_fails_the_run_in_ci(options: tuple[str, ...], tmp_path: Path) -> None:
    """With the reason, and how often."""
    result = run_pytest(tmp_path, "no browser is installed", "true", *options)
    assert result.returncode == 1
    assert "    2 no browser is installed\n" in result.stdout
    assert "ERROR this must run in CI (tests/skips.py): no browser is installed" in result.stdout


@pytest.mark.parametrize(("reason", "ci"), [("no browser is installed", ""), ("third-party data is not here", "true")])
def test_a_skip_is_counted_where_it_may_be(reason: str, ci: str, tmp_path: Path) -> None:
    """On the machine of a developer, and for the reasons on the list."""
    result = run_pytest(tmp_path, reason, ci)
    assert result.returncode == 0
    assert f"    2 {reason}\n" in result.stdout
    assert "ERROR" not in result.stdout
