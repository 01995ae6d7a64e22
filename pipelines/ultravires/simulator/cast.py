"""Who lives in the world: accounts, networks, agents, pipelines, batch users, workloads and humans.

`Call.target` names what a call acts on in the words of its service (bucket/key, table, role ...); the ARN is
made from it together with the account that the role lives in.
"""

from dataclasses import dataclass

PLATFORM, DATA, PROD, SANDBOX = "418273645901", "530184627719", "692740183355", "805517294603"
ACCOUNTS = (PLATFORM, DATA, PROD, SANDBOX)
REGION = "eu-central-1"
GLOBAL_REGION = "us-east-1"

ZONES = {
    "agent-runtime": ("10.20.0.0/16",),
    "batch-hosts": ("10.30.0.0/16",),
    "clusters": ("10.40.0.0/16",),
    "ci-egress": ("198.51.100.0/24",),
    "office": ("192.0.2.0/24",),
}


@dataclass(frozen=True)
class Call:
    """One API call: `s3:GetObject` and its target."""

    action: str
    target: str = ""


@dataclass(frozen=True)
class Tool:
    name: str
    calls: tuple[Call, ...]
    role: int = -1
    """Which role of the agent's chain it acts in: 0 the first, -1 the last."""


@dataclass(frozen=True)
class Role:
    account: str
    name: str

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:role/{self.name}"


def _family(name: str, copy: int) -> str:
    return name.removesuffix(f"-{copy + 1:02d}") if copy else name


@dataclass(frozen=True)
class Agent:
    """How one agent works and what of it the logs show.

    dialect: current, older, openinference or mcp attribute names. session: what the session is called: trace,
    ticket or random. carries: source_identity, session_name where nothing else carries the approval, or window (nothing
    travels; only subject, role and window fit).
    is_asked_by_human: a person's prompt begins each run, under no ticket or, with is_ticketed, under one for the day.
    gives_back: its last tool takes back what its first one gives, so nothing of its work is left out or refused.
    asks: the agent that its last tool hands work to. seconds_ahead: what is wrong with its clock, where that is fixed.
    """

    uid: str
    owner: str
    task: str
    roles: tuple[Role, ...]
    tools: tuple[Tool, ...]
    dialect: str = "current"
    session: str = "trace"
    carries: str = "source_identity"
    has_sdk_spans: bool = True
    is_spaced: bool = False
    states_ticket: bool = False
    is_asked_by_human: bool = False
    is_ticketed: bool = False
    gives_back: bool = False
    asks: str = ""
    seconds_ahead: int | None = None
    risk: str = "medium"
    model: str = "model-large-2"
    copy: int = 0

    @property
    def family(self) -> str:
        """The uid without the number of its copy."""
        return _family(self.uid, self.copy)

    @property
    def host_ip(self) -> str:
        return f"10.20.4.{sum(self.uid.encode()) % 220 + 20}"


@dataclass(frozen=True)
class Worker:
    """A pipeline, batch user or workload: a principal, the roles it takes, and the calls of one job.

    kind: ci, batch, workload, or change (a batch user whose every job has a change in ServiceNow).
    carries: transitive_tag, session_tag or window (nothing travels; only subject, role and window fit).
    maker: the administrator who makes its key in the office; of other keys no log has the making.
    picks: how many of its calls one job makes, chosen anew each time; 0 is all.
    """

    kind: str
    name: str
    owner: str
    task: str
    subject: str
    roles: tuple[Role, ...]
    calls: tuple[Call, ...]
    carries: str = "window"
    runs_a_day: int = 1
    account: str = PLATFORM
    maker: str = ""
    picks: int = 0
    copy: int = 0

    @property
    def family(self) -> str:
        """The name without the number of its copy."""
        return _family(self.name, self.copy)

    @property
    def ip(self) -> str:
        number = sum(self.name.encode()) % 240 + 5
        networks = {"ci": "198.51.100", "batch": "10.30.7", "change": "10.30.8"}
        return f"{networks.get(self.kind, '10.40.12')}.{number}"


@dataclass(frozen=True)
class Human:
    email: str
    user: str
    account: str
    calls: tuple[Call, ...]
    is_on_call: bool = False

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:user/{self.user}"

    @property
    def ip(self) -> str:
        return f"192.0.2.{sum(self.user.encode()) % 200 + 20}"


RUNNER = Role(PLATFORM, "agent-runner")
ADMIN = Role(DATA, "data-platform-admin")
LEGACY = Role(PROD, "legacy-deploy")
CLEANER = Role(SANDBOX, "sandbox-cleaner")
ETL_FUNCTION = Role(DATA, "nightly-etl-function")


@dataclass(frozen=True)
class Cast:
    agents: tuple[Agent, ...]
    workers: tuple[Worker, ...]
    humans: tuple[Human, ...]

    @property
    def size(self) -> int:
        return len(self.agents) + len(self.workers) + len(self.humans)
