"""Reads what the simulator wrote without any code of the product."""

import gzip
import json
from pathlib import Path
from typing import Any

Json = dict[str, Any]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a world by its path; compressed files by what they hold, which no zlib version changes."""
    return {
        str(path.relative_to(folder)): gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "README.md"
    }


def trail(folder: Path) -> list[Json]:
    files = sorted((folder / "aws_cloudtrail").rglob("*.json.gz"))
    return [record for path in files for record in json.loads(gzip.decompress(path.read_bytes()))["Records"]]


def lines(folder: Path, log: str) -> list[Json]:
    files = sorted((folder / log).glob("*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_bytes().splitlines()]


def spans(folder: Path) -> list[Json]:
    exported = [r for line in lines(folder, "otel_genai") for r in line["resourceSpans"]]
    return [span for r in exported for scope in r["scopeSpans"] for span in scope["spans"]]


def labels(folder: Path, name: str) -> list[Json]:
    rows: list[Json] = json.loads((folder / "labels" / f"{name}.json").read_bytes())[name]
    return rows


def all_nodes(world: Path) -> set[str]:
    """Every node that the logs themselves name, read without any code of the product."""
    nodes = {f"approval:{line['approval_id']}" for line in lines(world, "approvals")}
    nodes |= {f"decision:{line['decision_id']}" for line in lines(world, "opa_decisions")}
    for span in spans(world):
        keys = {attribute["key"] for attribute in span["attributes"]}
        kind = "approval" if "user.id" in keys else "tool_call"
        nodes.add(f"{kind}:{span['traceId']}/{span['spanId']}")
    for record in trail(world):
        nodes.add(f"activity:{record['eventID']}")
        answer = record.get("responseElements") or {}
        issued = answer.get("credentials") or answer.get("accessKey") or {}
        held = (record["userIdentity"].get("accessKeyId"), issued.get("accessKeyId"))
        nodes |= {f"credential:{key}" for key in held if key}
    return nodes


def told_elsewhere(world: Path) -> dict[str, Json]:
    """The records of rights in systems besides AWS, by their nodes, read without any code of the product."""
    found = {f"activity:{e['logName']}/{e['insertId']}": e for e in lines(world, "gcp_audit")}
    found |= {f"activity:{e['auditID']}/{e['stage']}": e for e in lines(world, "kubernetes_audit")}
    found |= {f"activity:{r['properties']['id']}": r for r in lines(world, "entra_audit")}
    found |= {f"activity:{e['uuid']}": e for e in lines(world, "okta_system")}
    found |= {f"activity:{e['request']['id']}/{e['type']}": e for e in lines(world, "vault_audit")}
    found |= {f"activity:{e['_document_id']}": e for e in lines(world, "github_audit")}
    answers = (line for line in lines(world, "mcp_gateway") if "result" in line["message"])
    return found | {f"activity:{a['session_id']}/{a['message']['id']}/tools@{a['timestamp']}": a for a in answers}


def credentials_elsewhere(world: Path) -> set[str]:
    """Sessions of Okta and tokens of Vault, whose beginning is in no log."""
    sessions = {e["authenticationContext"]["externalSessionId"] for e in lines(world, "okta_system")}
    tokens = {entry["auth"]["accessor"] for entry in lines(world, "vault_audit")}
    return {f"credential:okta:{name}" for name in sessions} | {f"credential:vault:{name}" for name in tokens}
