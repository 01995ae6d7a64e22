"""Rights in other clouds that go beyond what was approved: wider in place, or of another kind."""

from ultravires.simulator import entra, gcp, kubernetes
from ultravires.simulator.cast import Human, Worker
from ultravires.simulator.changed_plans import OVER_GRANT
from ultravires.simulator.grants import Json
from ultravires.simulator.moments import DAY, HOUR
from ultravires.simulator.names_elsewhere import GOOGLE_PROJECT, directory_object, google_account
from ultravires.simulator.rights_elsewhere import Told, approve
from ultravires.simulator.stage import Stage
from ultravires.simulator.truth import Situation

_FOLDER = "folders/518203947716"
_MINTER = "roles/iam.serviceAccountTokenCreator"
_READING = ("resourcemanager.projects.get", "resourcemanager.projects.list")
_MINTING = ("iam.serviceAccounts.*", *_READING)
_DIRECTORY_READER, _DIRECTORY_WRITER = "User.Read.All", "Application.ReadWrite.All"
_SCOPES, _MORE_SCOPES = "User.Read", "Directory.AccessAsUser.All"


def _role_bound(stage: Stage, at: int, user: str, scope: str, member: str) -> Told:
    human = stage.human(user)
    return _told(stage, at, human, gcp.role_bound(stage.rng, at, human, scope=scope, role=_MINTER, member=member))


def _group_joined(stage: Stage, at: int, user: str, group: str, member: str) -> Told:
    human = stage.human(user)
    return _told(stage, at, human, gcp.group_joined(stage.rng, at, human, group=group, member=member))


def _told(stage: Stage, at: int, human: Human, entry: Json) -> Told:
    stage.scribe.tell(gcp.LOG, [entry], at, stage.rng)
    return Told(gcp.node_of(entry), at, human.email)


def _service_account(worker: Worker) -> str:
    return f"serviceAccount:{google_account(worker)}"


def folder_bound_for_one_project(stage: Stage, at: int) -> Situation:
    worker, project = stage.worker("backup-copy"), f"projects/{GOOGLE_PROJECT}"
    account = google_account(worker)
    grant = approve(
        stage, account, at - DAY, f"Mint tokens in {GOOGLE_PROJECT}", actions=_MINTING, resources=(project,)
    )
    meant = _role_bound(stage, at - 20 * HOUR, "priya.nair", project, _service_account(worker))
    wide = _role_bound(stage, at, "lena.hoff", _FOLDER, _service_account(worker))
    return Situation(
        "folder_bound_for_one_project",
        (OVER_GRANT,),
        worker.subject,
        (grant.node, meant.node, wide.node),
        "A service account that was approved for one project of Google Cloud, and has its role there, gets it in the "
        "whole folder.",
        drift=(wide.drift("over_grant", account),),
    )


def _nested(stage: Stage, at: int, worker: Worker) -> tuple[Told, ...]:
    """A group of readers that a service account is in, and a group of minters that has a role in the folder; then the
    one becomes a member of the other. What is told of them; the last is that change.
    """
    readers, minters = (f"{worker.name}-{name}@acme.example" for name in ("readers", "minters"))
    return (
        _group_joined(stage, at - 20 * HOUR, "priya.nair", readers, google_account(worker)),
        _role_bound(stage, at - 20 * HOUR, "priya.nair", _FOLDER, f"group:{minters}"),
        _group_joined(stage, at, "lena.hoff", minters, readers),
    )


def group_joins_powerful_group(stage: Stage, at: int) -> Situation:
    worker = stage.worker("statement-feed")
    account = google_account(worker)
    grant = approve(stage, account, at - DAY, "Read the folder's projects", actions=_READING, resources=(_FOLDER,))
    told = _nested(stage, at, worker)
    return Situation(
        "group_joins_powerful_group",
        (OVER_GRANT,),
        worker.subject,
        (grant.node, *(each.node for each in told)),
        "A group that a service account is in becomes a member of another one, which may mint tokens in the folder.",
        drift=(told[-1].drift("over_grant", account),),
    )


def cluster_bound_for_one_namespace(stage: Stage, at: int) -> Situation:
    worker = stage.worker("cart")
    account = worker.subject
    namespace, name = account.split(":")[2:]
    grant = approve(
        stage, account, at - DAY, f"Run {name}", actions=("k8s:*",), resources=(f"namespaces/{namespace}/*",)
    )
    meant = _cluster_role_bound(stage, at - 20 * HOUR, "priya.nair", worker, namespace)
    wide = _cluster_role_bound(stage, at, "mara.lind", worker, None)
    return Situation(
        "cluster_bound_for_one_namespace",
        (OVER_GRANT,),
        account,
        (grant.node, meant.node, wide.node),
        "A service account that was approved for its namespace, and is bound there, is bound in the whole cluster.",
        drift=(wide.drift("over_grant", account),),
    )


def _cluster_role_bound(stage: Stage, at: int, user: str, worker: Worker, namespace: str | None) -> Told:
    human = stage.human(user)
    event = kubernetes.role_bound(
        stage.rng, at, human, cluster_role="admin", account=worker.subject, namespace=namespace
    )
    stage.scribe.tell(kubernetes.LOG, [event], at, stage.rng)
    return Told(kubernetes.node_of(event), at, human.email)


def application_allowed_beyond_consent(stage: Stage, at: int) -> Situation:
    worker = stage.worker("webhooks")
    client = directory_object(worker.name)
    grant = approve(
        stage,
        client,
        at - DAY,
        "Read the people of the directory",
        actions=(f"msgraph:{_DIRECTORY_READER}", f"msgraph:{_SCOPES}"),
    )
    meant = _app_role_given(stage, at - 20 * HOUR, "priya.nair", client, _DIRECTORY_READER)
    agreed = _consent_given(stage, at - 20 * HOUR, "priya.nair", client, _SCOPES)
    role = _app_role_given(stage, at, "jonas.veit", client, _DIRECTORY_WRITER)
    scopes = _consent_given(stage, at + 2 * HOUR, "otto.brandt", client, _MORE_SCOPES)
    return Situation(
        "application_allowed_beyond_consent",
        (OVER_GRANT,),
        worker.subject,
        (grant.node, meant.node, agreed.node, role.node, scopes.node),
        "An application that may read people gets the right to change applications, and acts for everybody besides.",
        drift=(role.drift("over_grant", client), scopes.drift("over_grant", client)),
    )


def _app_role_given(stage: Stage, at: int, user: str, client: str, permission: str) -> Told:
    human = stage.human(user)
    record = entra.app_role_given(stage.rng, at, human, client, permission)
    stage.scribe.tell(entra.LOG, [record], at, stage.rng)
    return Told(entra.node_of(record), at, directory_object(human.user))


def _consent_given(stage: Stage, at: int, user: str, client: str, scopes: str) -> Told:
    human = stage.human(user)
    record = entra.consent_given(stage.rng, at, human, client, scopes)
    stage.scribe.tell(entra.LOG, [record], at, stage.rng)
    return Told(entra.node_of(record), at, directory_object(human.user))


# What looks like it and is right.


def folder_bound_as_approved(stage: Stage, at: int) -> Situation:
    worker = stage.worker("metrics-push")
    account = google_account(worker)
    grant = approve(stage, account, at - DAY, "Mint tokens in the folder", actions=_MINTING, resources=(_FOLDER,))
    return Situation(
        "folder_bound_as_approved",
        (),
        worker.subject,
        (grant.node, _role_bound(stage, at, "lena.hoff", _FOLDER, _service_account(worker)).node),
        "A service account gets a role in a folder of Google Cloud, as its approval says.",
        is_benign=True,
    )


def group_joins_group_as_approved(stage: Stage, at: int) -> Situation:
    worker = stage.worker("inventory")
    account = google_account(worker)
    grant = approve(stage, account, at - DAY, "Mint tokens in the folder", actions=_MINTING, resources=(_FOLDER,))
    told = _nested(stage, at, worker)
    return Situation(
        "group_joins_group_as_approved",
        (),
        worker.subject,
        (grant.node, *(each.node for each in told)),
        "A service account may mint tokens by a group in a group, as its approval says.",
        is_benign=True,
    )


def cluster_bound_as_approved(stage: Stage, at: int) -> Situation:
    worker = stage.worker("thumbnails")
    grant = approve(stage, worker.subject, at - DAY, "Keep the whole cluster", actions=("k8s:*",))
    return Situation(
        "cluster_bound_as_approved",
        (),
        worker.subject,
        (grant.node, _cluster_role_bound(stage, at, "mara.lind", worker, None).node),
        "A service account is bound in the whole cluster, as its approval says.",
        is_benign=True,
    )


def application_allowed_as_approved(stage: Stage, at: int) -> Situation:
    worker = stage.worker("mailer")
    client = directory_object(worker.name)
    grant = approve(
        stage,
        client,
        at - DAY,
        "Keep the applications of the directory",
        actions=(f"msgraph:{_DIRECTORY_WRITER}", f"msgraph:{_MORE_SCOPES}"),
    )
    role = _app_role_given(stage, at, "jonas.veit", client, _DIRECTORY_WRITER)
    scopes = _consent_given(stage, at + 2 * HOUR, "otto.brandt", client, _MORE_SCOPES)
    return Situation(
        "application_allowed_as_approved",
        (),
        worker.subject,
        (grant.node, role.node, scopes.node),
        "An application gets powerful permissions of Microsoft Graph, which its approval names one by one.",
        is_benign=True,
    )
