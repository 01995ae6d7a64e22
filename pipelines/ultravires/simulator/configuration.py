"""The world's `ultravires.yaml`: who is who, who owns it, and which networks are one."""

from collections import Counter
from typing import Any

import yaml

from ultravires.simulator import changes
from ultravires.simulator.agent_plans import approved_actions
from ultravires.simulator.cast import (
    ADMIN,
    CLEANER,
    ETL_FUNCTION,
    LEGACY,
    RUNNER,
    ZONES,
    Agent,
    Cast,
    Human,
    Role,
    Worker,
)
from ultravires.simulator.names_elsewhere import OTHER_LOGS, names_of_human, names_of_worker
from ultravires.simulator.worker_grants import approved_resources

Json = dict[str, Any]
LOGS = ("approvals", "aws_cloudtrail", "opa_decisions", "otel_genai")
"""Each in a folder of its own name."""


def configuration_of(cast: Cast, *, is_whole: bool = False) -> str:
    """YAML text with identities, their aliases and owners, networks and risk tiers. `is_whole`: with what the whole
    company has besides AWS.
    """
    shared = _shared_roles(cast)
    people = [_human(human) for human in cast.humans]
    agents = [_agent(agent, shared) for agent in cast.agents]
    workers = [_worker(worker, shared) for worker in cast.workers]
    if is_whole:
        for row, names in zip(people, map(names_of_human, cast.humans), strict=True):
            row["aliases"] += names
        for row, names in zip(workers, map(names_of_worker, cast.workers), strict=True):
            row["aliases"] += names
    logs = LOGS + (OTHER_LOGS if is_whole else ())
    settings: Json = {
        "origins": {log: f"{log}/**" for log in logs},
        "identities": [*people, *agents, *workers, *_roles(shared)],
        "networks": {zone: list(cidrs) for zone, cidrs in ZONES.items()},
        "risk_tiers": {
            "low": {},
            "medium": {},
            "high": {"human_approval": True, "least_answer": "60s"},
            "critical": {"human_approval": True, "least_answer": "2m"},
        },
    }
    changed = [worker for worker in cast.workers if worker.kind == "change"]
    settings |= _of_changes(changed) if changed else {}
    settings["origins"] |= {changes.LOG: f"{changes.LOG}/**"} if changed else {}
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)


def _of_changes(workers: list[Worker]) -> Json:
    """What the words of the change system mean, and how long it may be silent where changes are made every night."""
    scopes = {
        changes.item_of(worker): {
            "actions": list(approved_actions(worker.calls)),
            "resources": list(approved_resources(worker)),
            "roles": [role.arn for role in worker.roles],
        }
        for worker in workers
    }
    return {
        "sources": {changes.LOG: {"max_silence": changes.MAX_SILENCE}},
        "approval_scopes": {changes.LOG: scopes},
    }


def _shared_roles(cast: Cast) -> dict[str, int]:
    """How many agents and workers may take each role: what only one takes is that one's alias."""
    taken = [role for agent in cast.agents for role in agent.roles]
    taken += [role for worker in cast.workers for role in worker.roles]
    return Counter(role.arn for role in taken)


def _own(roles: tuple[Role, ...], shared: dict[str, int]) -> list[str]:
    return [role.arn for role in roles if shared[role.arn] == 1]


def _human(human: Human) -> Json:
    return {
        "id": human.email,
        "kind": "human",
        "name": human.user,
        "owner": human.email,
        "aliases": [human.arn],
    }


def _agent(agent: Agent, shared: dict[str, int]) -> Json:
    named = [f"agent:{agent.uid}", f"service:{agent.uid}"]
    return {
        "id": agent.uid,
        "kind": "agent",
        "name": agent.uid,
        "owner": agent.owner,
        "risk_tier": agent.risk,
        "aliases": [*named, *_own(agent.roles, shared)],
    }


def _worker(worker: Worker, shared: dict[str, int]) -> Json:
    kind = "workload" if worker.kind == "workload" else "service"
    own = _own(worker.roles, shared)
    users = [f"svc-{worker.name}"] if worker.kind == "change" else []
    names = list(dict.fromkeys([worker.subject, *own, *users]))
    uid = worker.roles[0].arn if worker.kind == "ci" else worker.subject
    names.remove(uid)
    return {"id": uid, "kind": kind, "name": worker.name, "owner": worker.owner, "aliases": names}


def _roles(shared: dict[str, int]) -> list[Json]:
    special = [(RUNNER, "agent-platform"), (ADMIN, "data-platform"), (LEGACY, "site-reliability")]
    special += [(CLEANER, "cloud-finance"), (ETL_FUNCTION, "data-platform")]
    rows = [{"id": role.arn, "kind": "role", "name": role.name, "owner": owner} for role, owner in special]
    for arn, count in shared.items():
        if count > 1:
            rows.append({"id": arn, "kind": "role", "name": arn.rpartition("/")[2], "owner": "delivery-team"})
    return rows
