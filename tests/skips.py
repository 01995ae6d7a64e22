"""A plug-in of pytest: every reason to skip is printed and counted, and in CI a skip that is not allowed fails the run.

A test that skips has not passed. What CI installs for the tests (a browser, moto) must not silently be missing there.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable

import pytest

ALLOWED = {
    r"third-party (data|logs)": "logs and rules of others, which are not copied into this repository",
    r"needs root": "files of another user, which only root can make",
    r"make spark": "a second engine to compare DuckDB with; it needs Java",
    r"make oracles": "evaluators by others to compare ours with, of policies (it needs Node) and of correlations",
    r"this log writes its records inside strings": "what the test does to a record cannot be done there",
}
"""Pattern of the reasons to skip that CI accepts -> why it does. Everything else must run there."""


def refused(reasons: Iterable[str]) -> list[str]:
    """The reasons that are not allowed in CI."""
    return sorted({reason for reason in reasons if not any(re.search(pattern, reason) for pattern in ALLOWED)})


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _in_ci() and session.exitstatus == pytest.ExitCode.OK and refused(_reasons(session.config)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counted = Counter(_reasons(config))
    if not counted:
        return
    terminalreporter.section(f"{counted.total()} skipped")
    for reason, n in sorted(counted.items()):
        terminalreporter.line(f"{n:5} {reason}")
    for reason in refused(counted) if _in_ci() else ():
        terminalreporter.line(f"ERROR this must run in CI (tests/skips.py): {reason}", red=True)


def _reasons(config: pytest.Config) -> list[str]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []  # workers have no reporter; their controller has
    return [str(report.longrepr[-1]).removeprefix("Skipped: ") for report in skipped]


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() == "true"
