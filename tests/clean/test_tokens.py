"""Tokens that a log shows only where they were issued: their use stands below them, also where an approval fits."""

from pathlib import Path
from typing import Any

import pytest
import ultravires
from small_logs import approval, write_lines
from test_sources_gcp_audit import DEPLOYER, READER, behind, impersonation
from test_sources_gcp_audit import entry as gcp_entry
from test_sources_kubernetes_audit import AGENT, token_request
from test_sources_kubernetes_audit import event as k8s_event
from ultravires.runs.run import run_once


def standing(uid: str, subject: str, action: str, *roles: str) -> dict[str, Any]:
    return approval(uid, -60, subject=subject, roles=[*roles], actions=[action], valid_until=None)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokens")
    asked = {"principalEmail": DEPLOYER, "principalSubject": f"serviceAccount:{DEPLOYER}"}
    write_lines(
        folder / "logs" / "gcp.jsonl",
        [
            impersonation(asked, insertId="token", timestamp="2026-10-05T10:00:00Z"),
            gcp_entry(auth=behind(DEPLOYER), insertId="use", timestamp="2026-10-05T10:05:00Z"),
        ],
    )
    times = dict.fromkeys(("requestReceivedTimestamp", "stageTimestamp"), "2026-10-05T10:00:00.000000Z")
    later = dict.fromkeys(times, "2026-10-05T10:05:00.000000Z")
    write_lines(
        folder / "logs" / "audit.jsonl",
        [token_request(auditID="aud-token", **times), k8s_event(auditID="aud-use", user={"username": AGENT}, **later)],
    )
    write_lines(
        folder / "logs" / "approvals.jsonl",
        [standing("APR-G", DEPLOYER, "storage.objects.get", READER), standing("APR-K", AGENT, "k8s:secrets:get")],
    )
    run_once(folder / "logs", folder / "home", config=None, as_of="2026-10-05T12:00:00Z")
    return folder / "home"


@pytest.mark.parametrize(
    ("log", "approved", "accounts"), [("gcp_audit", "APR-G", False), ("kubernetes_audit", "APR-K", True)]
)
def test_a_use_stands_below_the_only_token_that_fits(home: Path, log: str, approved: str, accounts: bool) -> None:
    """The token that was issued is the parent, and the approval that fits stands above it. It accounts if it fits the
    act itself; one that fits only the token does not, for that it was this token is no proof.
    """
    with ultravires.open(home) as con:
        (step,) = con.execute(
            "select authority_parent_id, is_accounted, approval_id from chain_steps join events using (event_id) "
            "where chain_steps.log = $log and node_kind = 'activity' and native_id like '%use%'",
            {"log": log},
        ).fetchall()
        issued = con.execute(
            "select child_id from links where kind = 'issued_by' and child_id = $parent", {"parent": step[0]}
        ).fetchall()
    assert step[0] is not None and issued == [(step[0],)]
    assert step[1:] == (accounts, f"approval:{approved}")
