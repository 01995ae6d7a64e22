"""What calls of tools do: command lines and tools of servers, in several logs; a recorded act speaks in their place."""

from pathlib import Path
from typing import Any

import pytest
import ultravires
from small_logs import DAY, at, call, session, write_lines
from source_samples import attributes
from ultravires.build.action_effects import ActionEffect, action_effects
from ultravires.runs.run import run_once
from ultravires.sources.agents.commands import commands_of

WORKER = "arn:aws:iam::111122223333:role/worker"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("aws --profile x iam create-access-key --user-name bob", ["iam:CreateAccessKey"]),
        ("cd x && sudo /usr/bin/kubectl -n prod delete ns/shop | tee log", ["k8s:namespaces:delete"]),
        ("K=1 kubectl exec -it web -- sh -c 'aws iam create-user'", ["k8s:pods/exec:create"]),
        ("bash -lc 'git push -f origin main; make'", ["cli:git push -f"]),
        (["bash", "-lc", "terraform destroy -auto-approve"], ["cli:terraform destroy"]),
        (["git", "push", "--force"], ["cli:git push --force"]),
        ("make\nvault audit disable file", ["cli:vault audit disable"]),
        ("aws s3api delete-bucket --bucket b", ["s3:DeleteBucket"]),
        ("echo 'aws iam create-access-key'", []),
        ("git push origin main", []),
        ("aws iam create-access-key --user 'bob", []),
        ("kubectl", []),
        ("", []),
        (None, []),
        ({"aws": "iam"}, []),
        (["aws", 3], []),
    ],
)
def test_what_a_command_line_does(line: Any, words: list[str]) -> None:
    assert commands_of("shell", {"command": line}) == words


@pytest.mark.parametrize("row", [row for row in action_effects() if row.system == "tools"], ids=lambda row: row.action)
def test_every_row_is_reached_by_what_it_names(row: ActionEffect) -> None:
    kind, _, what = row.action.partition(":")
    server, _, tool = what.partition("/")
    called: dict[str, list[str]] = {
        "cli": commands_of("shell", {"command": f"cd x && {what} y"}),
        "sql": commands_of("run", {"sql": f"{what} y"}),
        "mcp": commands_of(tool, {}, server),
    }
    assert row.action in called[kind]


def test_what_statements_and_tools_of_servers_do() -> None:
    assert commands_of("run", {"sql": "  DROP TABLE invoices"}) == ["sql:drop table"]
    assert commands_of("run", {"query": "grant all on t to bob"}) == ["sql:grant"]
    assert commands_of("run", {"query": "select 'drop table'"}) == []
    assert commands_of("mcp__github__delete_file", None) == commands_of("delete_file", {}, "github")
    assert commands_of("delete_file", {}, "github") == ["mcp:github/delete_file"]
    assert commands_of("delete_file", {}, "elsewhere") == commands_of("delete_file", {}) == commands_of(None, 3) == []


@pytest.mark.parametrize("line", ["(" * 10_000, "a;" * 5_000, "bash -c " * 900, "'" * 9_999, "git push -f;" * 5_000])
def test_a_hostile_line_is_read_within_bounds(line: str) -> None:
    assert set(commands_of("shell", {"command": line})) <= {"cli:git push -f"}


def span(number: int, named: dict[str, Any], parent: int | None = None) -> dict[str, Any]:
    begins = int(DAY.timestamp() * 10**9) + number * 60 * 10**9
    times = {"startTimeUnixNano": str(begins), "endTimeUnixNano": str(begins + 10**9)}
    own = {"traceId": TRACE, "spanId": f"{number:016x}", "name": "a span", **times}
    common = {"gen_ai.agent.name": "helper", **named}
    return {**own, "attributes": attributes(common), **({"parentSpanId": f"{parent:016x}"} if parent else {})}


def shell(number: int, line: str) -> dict[str, Any]:
    named = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "shell"}
    return span(number, {**named, "gen_ai.tool.call.arguments": f'{{"command": "{line}"}}'})


def asked_of_server(number: int, server: str, tool: str) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
    common = {
        "timestamp": at(number),
        "session_id": "sess-1",
        "client": {"name": "invoicer"},
        "user": "mira@example.org",
    }
    return {**common, "direction": "IN", "server": server, "message": message}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tools")
    sent = {"rpc.system": "aws-api", "rpc.service": "CloudTrail", "rpc.method": "StopLogging"}
    ids = {"cloud.account.id": "111122223333", "aws.request_id": "r-c1"}
    spans = [
        shell(1, "aws cloudtrail stop-logging --name told"),
        shell(2, "make test"),
        shell(3, "aws cloudtrail stop-logging --name recorded"),
        span(4, {**sent, **ids}, parent=3),
    ]
    trace = {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": spans}]}]}
    write_lines(folder / "logs" / "spans.jsonl", [trace])
    asked = [asked_of_server(11, "github", "delete_file"), asked_of_server(12, "github", "list_issues")]
    write_lines(folder / "logs" / "gateway.jsonl", asked)
    stopped = call("c1", 4, "cloudtrail:StopLogging", session(WORKER, "ASIAWORKER"), requestParameters={"name": "t"})
    write_lines(folder / "logs" / "trail.jsonl", [stopped])
    run_once(folder / "logs", folder / "home", config=None, as_of=at(300))
    return folder / "home"


def test_calls_of_tools_speak_and_a_recorded_act_in_their_place(home: Path) -> None:
    con = ultravires.open(home)
    told = con.execute("select log, action, effect, severity from activity_effects order by all").fetchall()
    of_calls = [row for row in told if row[0] != "aws_cloudtrail"]
    assert [row[:3] for row in of_calls] == [
        ("mcp_gateway", "tool:delete_file", "destroys"),
        ("otel_genai", "tool:shell", "weakens_evidence"),
    ]
    assert {row[3] for row in of_calls} <= {"low", "medium"}
    assert [row[2] for row in told if row[0] == "aws_cloudtrail"] == ["weakens_evidence"]
    found = con.execute("select detector_id from findings where state = 'open'").fetchall()
    assert {detector for (detector,) in found} >= {"ultravires_destroyed", "ultravires_evidence_weakened"}
