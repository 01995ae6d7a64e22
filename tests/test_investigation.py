"""One story over seven logs: one chain from a ServiceNow change to Google Cloud, seen from either end."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import ultravires
from conftest import REPO
from tables_compared import differences
from ultravires import registry
from ultravires.reading.head import Head
from ultravires.runs.run import run_once
from ultravires.tracing.trace import trace
from ultravires.tracing.trace_drawing import drawn_lines

STORY = REPO / "data" / "investigation"
CONFIG = STORY / "ultravires.yaml"
CHANGE, BIGQUERY = "CHG0040213", "mrk7q1f2x4"
ROOT = "approval:5f1c2e9d47a1b110c3d0a2f4e36d43a1"
TELEPORT = "approval:0192a4c0-5b1e-7d3a-9c44-6f2a1b7e8d90"
SESSION = "6f0c3b9e-71d2-4a58-b3e4-0d9c5f2a8e17"
PROMPT = f"approval:{SESSION}/e1a7c3d5-42b8-4f06-9a1d-7c5e3b2f8064"
CALL = f"tool_call:{SESSION}/toolu_01RcNexp0rtLedger4Qm9"
ANSWER = f"decision:{SESSION}/toolu_01RcNexp0rtLedger4Qm9/decision"
TRACE = "tool_call:4f8b2c6d1e9a70354c2d8f6b1a3e5790/00000000000000"
OPA = "decision:0f4d2a6c-8b31-4e7f-9c05-d1a3b5e7f902"
LAUNCHER, WEB, EXPORT, ADMIN = (
    f"credential:ASIAR3CON{name}" for name in ("LAUNCH00001", "WEB00000002", "EXPORT00003", "ADMIN000004")
)
TOKEN = "credential:k8s:JTI=8d2f4a61-3c7b-4e95-b0d8-6a1e9f52c7d3"
EXCHANGED, IMPERSONATED = (
    "credential:gcp:token:meridian-recon/mrk7q1f2x1",
    "credential:gcp:token:meridian-recon/mrk7q1f2x2",
)
TELEPORT_SESSION = "credential:teleport:c41d7b62-9f03-4e2b-8d57-30a6f1e2b9c4"

HOPS = [
    (TELEPORT, ROOT, "exact_key", "ticket", 1.0, True),
    (TELEPORT_SESSION, TELEPORT, "carried", "approval", 0.8, True),
    (PROMPT, ROOT, "caller_chosen", "ticket", 0.6, True),
    (ANSWER, PROMPT, "exact_key", "prompt", 1.0, True),
    (CALL, ANSWER, "exact_key", "tool_call", 1.0, True),
    (OPA, ROOT, "exact_key", "ticket", 1.0, True),
    (TRACE + "a1", OPA, "exact_key", "tool_call", 1.0, True),
    (TRACE + "a1", CALL, "exact_key", "tool_call", 1.0, False),
    (TRACE + "a2", TRACE + "a1", "exact_key", "span", 1.0, True),
    (LAUNCHER, ROOT, "carried", "source_identity", 0.8, True),
    (TOKEN, LAUNCHER, "exact_key", "credential", 1.0, True),
    (WEB, TOKEN, "attribute_window", "federated_subject", 0.3, True),
    (EXPORT, ROOT, "carried", "source_identity", 0.8, True),
    (EXPORT, WEB, "exact_key", "credential", 1.0, False),
    (ADMIN, EXPORT, "exact_key", "credential", 1.0, True),
    (EXCHANGED, EXPORT, "attribute_window", "bearer", 0.3, True),
    (IMPERSONATED, EXCHANGED, "attribute_window", "bearer", 0.3, True),
]
"""(child, parent, method, key, confidence, whether it is the primary parent on its spine)"""


def log_files() -> list[Path]:
    return sorted(path for path in STORY.rglob("*.json*") if path.is_file())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("story") / "home"
    run_once(STORY, home, config=CONFIG, as_of="")
    return home


@pytest.fixture(scope="module")
def con(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with ultravires.open(home) as con:
        yield con


@pytest.mark.parametrize("path", log_files(), ids=lambda path: path.name)
def test_each_file_is_claimed_by_the_source_its_folder_names(path: Path) -> None:
    """And by no other."""
    head = Head(path.read_bytes()[:65536])
    claimed = [name for name, source in registry.sources().items() if source.recognise(head)]
    assert claimed == [path.relative_to(STORY).parts[0]]


def test_every_record_was_read(con: duckdb.DuckDBPyConnection) -> None:
    """Nothing in quarantine, no file without its source; the one record without an event asked nobody."""
    assert con.execute("select count(*) from quarantine").fetchall() == [(0,)]
    ignored = con.execute("select source, n_ignored from files where state = 'loaded' and n_ignored > 0").fetchall()
    assert ignored == [("servicenow_approvals", 1)]
    unread = con.execute("select path from files where state <> 'loaded' and path like '%.json%'").fetchall()
    assert unread == []


def test_one_chain_holds_all_seven_logs(con: duckdb.DuckDBPyConnection) -> None:
    """Under the change, and with every kind of node."""
    rows = con.execute("select root_id, logs, n_steps from chains where len(logs) > 4").fetchall()
    assert rows == [
        (
            ROOT,
            ["aws_cloudtrail", "gcp_audit", "kubernetes_audit", "opa_decisions", "otel_genai", "servicenow_approvals",
             "teleport_audit"],
            44,
        )
    ]  # fmt: skip


@pytest.mark.parametrize("hop", HOPS, ids=lambda hop: f"{hop[0][-12:]} under {hop[1][-12:]}")
def test_each_hop_says_by_which_key_and_how_far_it_is_trusted(
    hop: tuple[object, ...], con: duckdb.DuckDBPyConnection
) -> None:
    """One row of data/investigation/README.md each."""
    rows = con.execute(
        "select child_id, parent_id, method, key_kind, confidence, is_primary from links "
        "where child_id = ? and parent_id = ? and spine is not null and n_candidates = 1",
        hop[:2],
    )
    assert rows.fetchall() == [hop]


def test_what_the_cloud_recorded_has_both_spines_under_the_change(con: duckdb.DuckDBPyConnection) -> None:
    """The reads of the ledger: exact over span, tool and decision; carried over the session."""
    rows = con.execute(
        "select intent_root_id, intent_confidence, authority_root_id, authority_confidence, is_accounted "
        "from chain_steps where action = 's3:GetObject' and intent_root_id is not null"
    )
    assert rows.fetchall() == [(ROOT, 1.0, ROOT, 0.8, True)] * 2


def test_beyond_the_other_cloud_nothing_is_proven(con: duckdb.DuckDBPyConnection) -> None:
    """Google's log shows no token: its calls are in the chain at 0.3, neither accounted for nor accused."""
    rows = con.execute(
        "select distinct confidence, is_accounted, root_id from chain_steps "
        "where log = 'gcp_audit' and chain_id = (select chain_id from chain_steps where step_id = ?)",
        [ROOT],
    )
    assert rows.fetchall() == [(0.3, False, ROOT)]
    accused = con.execute(
        "select count(*) from findings, unnest(evidence_event_ids) as e(id) join events on event_id = e.id "
        "where log = 'gcp_audit'"
    )
    assert accused.fetchall() == [(0,)]


def test_another_session_of_the_same_role_stays_with_its_own_change(con: duckdb.DuckDBPyConnection) -> None:
    """The night's close holds ledger-export too, and another person a token of the same service account."""
    rows = con.execute(
        "select chain_steps.root_id from chain_steps where step_id in (?, ?)",
        ["credential:ASIANIGHTLYCL0SE0007", "credential:gcp:token:meridian-recon/mrk7q1f2y1"],
    )
    assert {root for (root,) in rows.fetchall()} == {"approval:5f1c2e9d47a1b110c3d0a2f4e36d43b7"}


def test_from_the_change_down_to_both_clouds(con: duckdb.DuckDBPyConnection) -> None:
    """Everything in the chain is below it."""
    found = trace(con, CHANGE)
    steps = con.execute("select step_id from chain_steps where root_id = ?", [ROOT]).fetchall()
    assert {ROOT, *found.below} == {step for (step,) in steps} and found.above == []


def test_from_the_end_up_to_the_change(con: duckdb.DuckDBPyConnection) -> None:
    """Over the session that carries the ticket, and over all by which the agent came to that session."""
    found = trace(con, BIGQUERY)
    (end,) = (match.node_id for match in found.matches)
    way = [IMPERSONATED, EXCHANGED, EXPORT, WEB, TOKEN, LAUNCHER, ROOT, PROMPT, ANSWER, CALL, TRACE + "a1", OPA]
    assert set(way) <= set(found.above)
    assert {node.chain_id for node in found.nodes.values() if node.node_id in [end, *way]} == {
        found.nodes[end].chain_id
    }
    assert found.nodes[end].chain_id == trace(con, CHANGE).nodes[ROOT].chain_id


def test_what_nobody_approved_is_found_and_nothing_else(con: duckdb.DuckDBPyConnection) -> None:
    """The role that the change does not list, what was read in it, and the shell that led there."""
    rows = con.execute("select detector_id, actor_uid, severity from findings where state = 'open' order by all")
    admin = "arn:aws:iam::111122223333:role/ledger-admin"
    assert rows.fetchall() == [
        ("ultravires_activity_outside_approval", "agent:claude-code", "high"),
        ("ultravires_activity_outside_approval", admin, "high"),
        ("ultravires_entitlement_overreach", admin, "medium"),
        ("ultravires_role_chain_leaves_approval", admin.replace("admin", "export"), "high"),
    ]
    subjects = con.execute("select subject_uid from findings where subject_kind = 'credential'").fetchall()
    assert subjects == [("ASIAR3CONADMIN000004",)]


def test_the_shell_is_named_as_what_may_have_taken_the_role(con: duckdb.DuckDBPyConnection) -> None:
    """It made no span; it ran under the same change at that moment, which is a window and no proof."""
    rows = con.execute(
        "select steps.action, links.parent_id, links.method, links.confidence, links.n_candidates from links "
        "join chain_steps as steps on steps.step_id = links.child_id "
        "where links.kind = 'activity>tool_call' and links.parent_id like '%bashAdmin%' order by all"
    )
    bash = f"tool_call:{SESSION}/toolu_01RcNbashAdmin7Wk2"
    assert rows.fetchall() == [("secretsmanager:GetSecretValue", bash, "attribute_window", 0.3, 1)]


def test_what_is_missing_is_said(con: duckdb.DuckDBPyConnection) -> None:
    """Calls that no span explains are gaps; a person's own session in Teleport needs none."""
    rows = con.execute(
        "select distinct log, action from chain_steps where root_id = ? and len(gaps) > 0 order by all", [ROOT]
    )
    assert [action for _, action in rows.fetchall()] == [
        "bigquery.googleapis.com:google.cloud.bigquery.v2.JobService.InsertJob",
        "iamcredentials.googleapis.com:GenerateAccessToken",
        "storage.googleapis.com:storage.objects.create",
        "sts.googleapis.com:google.identity.sts.v1.SecurityTokenService.ExchangeToken",
        "k8s:jobs:create",
        "k8s:serviceaccounts/token:create",
    ]


def test_the_end_first_and_line_by_line_gives_the_same_tables(home: Path, tmp_path: Path) -> None:
    """Google and AWS first, agents and policy next, the approvals last, every file of lines cut in two."""
    inbox = tmp_path / "inbox"
    batches = (
        ("gcp_audit", "aws_cloudtrail", "kubernetes_audit"),
        ("opa_decisions", "otel_genai"),
        ("teleport_audit", "servicenow_approvals"),
    )
    for sources in batches:
        for path in (path for path in log_files() if path.relative_to(STORY).parts[0] in sources):
            _deliver(path, inbox)
        run_once(inbox, tmp_path / "home", config=CONFIG, as_of="")
    assert differences(home, tmp_path / "home") == []


def _deliver(path: Path, inbox: Path) -> None:
    target = inbox / path.relative_to(STORY)
    target.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if path.suffix == ".jsonl" and len(lines) > 1:
        half = len(lines) // 2
        target.with_suffix(".2.jsonl").write_text("".join(lines[:half]), encoding="utf-8")
        target.with_suffix(".1.jsonl").write_text("".join(lines[half:]), encoding="utf-8")
    else:
        shutil.copy(path, target)


def test_the_readme_shows_what_trace_prints(con: duckdb.DuckDBPyConnection) -> None:
    """Each line of the README's picture is a line of the output, shortened where it says `…`, in its order."""
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    section = readme[readme.index("## One investigation") :]
    section = section[: section.index("\n## ")]
    shown = re.findall(r"```\n(.*?)```", section, flags=re.DOTALL)[-1].splitlines()
    printed = iter([line.plain for line in drawn_lines(trace(con, BIGQUERY))])
    for line in shown:
        pieces = [piece.strip() for piece in line.split("…") if piece.strip()]
        assert any(_holds(output, pieces) for output in printed), f"not printed, or not in this order: {line}"
    titles = con.execute("select title from findings where state = 'open'").fetchall()
    assert all(f'"{title}"' in section for (title,) in titles)


def _holds(output: str, pieces: list[str]) -> bool:
    place = 0
    for piece in pieces:
        place = output.find(piece, place)
        if place < 0:
            return False
        place += len(piece)
    return True
