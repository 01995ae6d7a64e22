"""From ultravires.yaml to what a run says: what a system's own words mean as actions and roles judges the use."""

import json
import shutil
from pathlib import Path

import pytest
import ultravires
from source_samples import sample_file
from ultravires.runs.run import run_once

REQUEST = "018f6d1a-77aa-7c3e-9b1d-2f6f0c1d4e01"
CONFIG = """
approval_scopes:
  teleport_audit:
    dba: {actions: ["teleport:db.session.*", "teleport:cert.create"], tools: [run_sql]}
  servicenow_approvals:
    "database write*": {roles: ["arn:aws:iam::111122223333:role/orders-writer"]}
  jira_approvals:
    "Database access": {actions: ["rds:*"]}
  aws_team:
    "111122223333/DatabaseOperator": {actions: ["rds:*"], resources: ["arn:aws:rds:*"]}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after one run over the samples of the approval systems, and one act beyond Teleport's grant."""
    folder = tmp_path_factory.mktemp("scopes")
    (folder / "logs").mkdir()
    for name in ("teleport_audit", "servicenow_approvals", "jira_approvals", "aws_team"):
        shutil.copy(sample_file(name), folder / "logs" / f"{name}.jsonl")
    first = json.loads(sample_file("teleport_audit").read_text(encoding="utf-8").splitlines()[0])
    beyond = {
        **first,
        "event": "app.session.start",
        "code": "T2007I",
        "uid": "beyond",
        "time": "2026-10-05T09:00:00Z",
        "sid": "s-2",
        "app_name": "grafana",
        "access_requests": [REQUEST],
    }
    (folder / "logs" / "more.jsonl").write_text(json.dumps(beyond) + "\n", encoding="utf-8")
    (folder / "ultravires.yaml").write_text(CONFIG, encoding="utf-8")
    run_once(folder / "logs", folder / "home", config=folder / "ultravires.yaml", as_of="")
    return folder / "home"


def test_what_teleport_put_into_a_session_judges_what_was_done_in_it(home: Path) -> None:
    """The request's role means database sessions: those are inside, another application is not."""
    rows = ultravires.open(home).execute(
        "select action, is_outside_actions, is_outside_resources, is_outside_roles, confidence"
        f" from step_facts where approval_id = 'approval:{REQUEST}' order by step_at"
    )
    assert [tuple(row[:4]) for row in rows.fetchall()] == [
        ("teleport:cert.create", False, None, None),
        ("teleport:db.session.start", False, False, None),
        ("teleport:db.session.query", False, False, None),
        ("teleport:db.session.end", False, False, None),
        ("teleport:app.session.start", True, True, None),
    ]


def test_each_systems_words_mean_what_the_configuration_says(home: Path) -> None:
    """Names, patterns and ids of a catalogue item, a request type, a permission set."""
    rows = ultravires.open(home).execute(
        "select log, ticket, actions, roles, is_granted from approvals where ticket is not null"
    )
    found = {(log, ticket): (actions, roles, is_granted) for log, ticket, actions, roles, is_granted in rows.fetchall()}
    assert found["servicenow_approvals", "RITM0010042"] == ([], ["arn:aws:iam::111122223333:role/orders-writer"], True)
    assert found["jira_approvals", "OPS-42"] == (["rds:*"], [], True)
    actions, roles, is_granted = found["aws_team", "OPS-7"]
    assert (actions, len(roles), is_granted) == (["rds:*"], 3, True)


def test_an_approval_is_granted_only_where_somebody_granted_it(home: Path) -> None:
    """What was denied or expired unanswered is no grant, in any of the systems."""
    rows = ultravires.open(home).execute("select distinct status, is_granted from approvals order by all").fetchall()
    assert ("denied", False) in rows and ("denied", True) not in rows
    assert ("expired", True) in rows and ("expired", False) in rows
