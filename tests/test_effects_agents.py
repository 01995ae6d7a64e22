"""Modes of coding agents in which nobody is asked, or no sandbox holds.

https://code.claude.com/docs/en/monitoring-usage and https://developers.openai.com/codex/config-advanced
"""

from pathlib import Path
from typing import Any

import pytest
from source_samples import attributes, log_export, only

NAME = "otel_genai"


def of(folder: Path, event: str, service: str = "claude-code", **named: Any) -> Any:
    common = {"event.name": event, "session.id": "sess", "user.email": "mira@example.org", "event.sequence": 5}
    record = {"timeUnixNano": "1791194400000000000", "attributes": attributes({**common, **named})}
    return only(NAME, log_export(record, resource={"service.name": service}), folder)["detail"].get("effects")


WEAKENED, GUARDED = [{"effect": "weakens_guard", "target": "resource"}], [{"effect": "weakens_guard", "absent": True}]


@pytest.mark.parametrize("mode", ["bypassPermissions", "auto"])
def test_a_mode_in_which_nobody_is_asked(mode: str, tmp_path: Path) -> None:
    assert of(tmp_path, "claude_code.permission_mode_changed", to_mode=mode) == WEAKENED


@pytest.mark.parametrize("named", [{"to_mode": "plan"}, {"to_mode": "acceptEdits"}, {"to_mode": 7}, {}])
def test_a_mode_in_which_commands_are_asked_for(named: dict[str, Any], tmp_path: Path) -> None:
    assert of(tmp_path, "claude_code.permission_mode_changed", **named) == GUARDED


@pytest.mark.parametrize(
    ("sandbox", "expected"),
    [("danger-full-access", WEAKENED), ("DangerFullAccess", WEAKENED), ("workspace-write", GUARDED), (7, GUARDED)],
)
def test_a_conversation_with_and_without_a_sandbox(sandbox: Any, expected: Any, tmp_path: Path) -> None:
    assert of(tmp_path, "codex.conversation_starts", "codex_cli_rs", sandbox_policy=sandbox) == expected


def test_a_sign_in_says_nothing(tmp_path: Path) -> None:
    assert of(tmp_path, "claude_code.auth", action="login", success="true") is None
