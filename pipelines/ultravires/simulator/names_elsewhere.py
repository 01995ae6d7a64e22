"""What systems besides AWS call those who have an account there: workers of the whole company, and its people."""

from ultravires.simulator import ids
from ultravires.simulator.cast import Human, Worker

OTHER_LOGS = (
    "gcp_audit",
    "kubernetes_audit",
    "entra_audit",
    "mcp_gateway",
    "okta_system",
    "vault_audit",
    "github_audit",
    "aws_iam_snapshot",
)
"""What the whole company keeps besides the logs of its work, each in a folder of its own name."""
GOOGLE_PROJECT = "acme-data"
GITHUB_ORGANIZATION = "acme"
_IN_GOOGLE = frozenset({"backup-copy", "metrics-push", "statement-feed", "inventory"})
_IN_DIRECTORY = frozenset({"webhooks", "mailer"})
_IN_OKTA = frozenset({"mail-functions", "image-functions"})
_IN_VAULT = frozenset({"pricing", "network-stacks"})
_IN_GITHUB = frozenset({"web-shop", "checkout"})


def google_account(worker: Worker) -> str:
    return f"{worker.name}@{GOOGLE_PROJECT}.iam.gserviceaccount.com"


def directory_object(name: str) -> str:
    """The object id of a service principal, an API or a person in Microsoft's directory."""
    return ids.uuid(ids.stream("directory", name))


def okta_login(worker: Worker) -> str:
    return f"svc-{worker.name}@acme.example"


def vault_entity(name: str) -> str:
    return ids.uuid(ids.stream("vault entity", name))


def github_login(name: str) -> str:
    """Logins there have no dots."""
    return f"{name.replace('.', '-')}-acme"


def names_of_worker(worker: Worker) -> list[str]:
    """Those under which logs of other systems know it."""
    found = {
        google_account(worker): _IN_GOOGLE,
        directory_object(worker.name): _IN_DIRECTORY,
        okta_login(worker): _IN_OKTA,
        vault_entity(worker.name): _IN_VAULT,
        github_login(worker.name): _IN_GITHUB,
    }
    return [name for name, families in found.items() if worker.family in families]


def names_of_human(human: Human) -> list[str]:
    """Google, Kubernetes and Okta know people by their address."""
    return [directory_object(human.user), vault_entity(human.user), github_login(human.user)]
