"""The wheel holds everything that a run needs: installed without the checkout, it loads, judges and reports."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from conftest import REPO, SAMPLES


def test_a_wheel_runs_without_the_checkout(tmp_path: Path) -> None:
    """SQL files, rules, frameworks and the report's template are in it."""
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*build, str(REPO)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    code = "import ultravires, sys; print(ultravires.__file__); from ultravires.__main__ import main; main()"
    arguments = ["run", "--json", "--input", str(SAMPLES / "approvals"), "--home", str(tmp_path / "home")]
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    where, counts = result.stdout.splitlines()[0], json.loads(result.stdout.splitlines()[-1])
    assert where.startswith(str(site))
    assert counts["events"] > 0
    assert (tmp_path / "home" / "report.html").stat().st_size > 5_000
