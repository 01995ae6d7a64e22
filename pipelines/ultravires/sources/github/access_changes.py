"""What an audited action on GitHub changes of who may do what, as `detail["grants"]`.

Actions and their fields:
https://docs.github.com/en/enterprise-cloud@latest/admin/monitoring-activity-in-your-enterprise/reviewing-audit-logs-for-your-enterprise/audit-log-events-for-your-enterprise
Roles are `github_role/<name>` within an organization or a repository, as `resource_uids` name them; the members of an
organization are `org/<name>`, those of a team `team/<organization>/<team>`. Where the log tells which permissions an
app or token has, each is `github:<permission>:<level>`.
"""

from collections.abc import Callable, Iterator
from typing import Any

from ultravires.reading.grants import Json, given, gone, made, statement, taken, unwritten, whole, written
from ultravires.reading.values import label, mapping, text, texts

_MOST = 2_000
_OF_REPOSITORIES = {"pull": "read", "push": "write"}
_OF_ORGANIZATIONS = {"admin": "owner", "read": "member"}
_LEVELS = frozenset({"read", "write", "admin"})
_OPEN_TO_ALL = ("github:git.clone", "github:git.fetch", "github:repo.download_zip")


def grants_of(record: Json, action: str) -> list[Json] | None:
    """What this action, which did not fail, changed; None where that is nothing that is known."""
    change = _CHANGES.get(action)
    return (list(change(record)) or None) if change else None


def _said(record: Json, name: str) -> str | None:
    """A field, which older records keep in `data`."""
    return text(record.get(name)) or text(mapping(record.get("data")).get(name))


def _role(name: str | None, also: dict[str, str]) -> str | None:
    """Roles by the names of today, in lower case as the log writes most of them."""
    return f"github_role/{also.get(name.lower(), name.lower())}" if name else None


def _new_role(record: Json) -> str | None:
    return _role(_said(record, "new_repo_permission") or _said(record, "permission"), _OF_REPOSITORIES)


def _team(record: Json) -> str | None:
    """`<organization>/<team>` in most records."""
    name, org = _said(record, "team"), text(record.get("org"))
    if name is None or "/" in name:
        return f"team/{name}" if name else None
    return f"team/{org}/{name}" if org else None


def _joined(record: Json) -> Iterator[Json]:
    user, org = _said(record, "user"), text(record.get("org"))
    if user and org:
        yield given("member", user, f"org/{org}", scope=org)
        if role := _role(_said(record, "permission"), _OF_ORGANIZATIONS):
            yield given("attached", user, role, scope=org)


def _left(record: Json) -> Iterator[Json]:
    """Who leaves an organization leaves its teams, too."""
    user, org = _said(record, "user"), text(record.get("org"))
    if user and org:
        yield taken("member", user, scope=org)
        yield taken("attached", user, scope=org)


def _promoted(record: Json) -> Iterator[Json]:
    user, org = _said(record, "user"), text(record.get("org"))
    role = _role(_said(record, "permission"), _OF_ORGANIZATIONS)
    if user and org and role:
        yield whole("attached", holder=user, scope=org)
        yield given("attached", user, role, scope=org)


def _base_permission(record: Json) -> Iterator[Json]:
    """What every member may do in every repository."""
    org, role = text(record.get("org")), _role(_said(record, "permission"), _OF_REPOSITORIES)
    if org and role:
        yield whole("attached", holder=f"org/{org}", scope=org)
        if role != "github_role/none":
            yield given("attached", f"org/{org}", role, scope=org)


def _team_made(record: Json) -> Iterator[Json]:
    if team := _team(record):
        yield made(team)


def _team_gone(record: Json) -> Iterator[Json]:
    if team := _team(record):
        yield gone(team)


def _team_joined(record: Json) -> Iterator[Json]:
    user, team = _said(record, "user"), _team(record)
    if user and team:
        yield given("member", user, team, scope=team.split("/")[1])


def _team_left(record: Json) -> Iterator[Json]:
    user, team = _said(record, "user"), _team(record)
    if user and team:
        yield taken("member", user, team)


def _with_access(holder: Callable[[Json], str | None], how: str) -> Callable[[Json], Iterator[Json]]:
    """Of a user or a team the one role in a repository: added, changed or removed."""

    def change(record: Json) -> Iterator[Json]:
        who, repo, role = holder(record), _said(record, "repo"), _new_role(record)
        if not who or not repo:
            return
        if how == "removed":
            yield taken("attached", who, scope=repo)
        elif role:
            if how == "changed":
                yield whole("attached", holder=who, scope=repo)
            yield given("attached", who, role, scope=repo)

    return change


def _user(record: Json) -> str | None:
    return _said(record, "user")


def _created(record: Json) -> Iterator[Json]:
    repo, org = _said(record, "repo"), text(record.get("org"))
    if repo:
        yield made(repo)
        if org:
            yield given("within", repo, f"org/{org}")
        yield from _open_to(record, repo)


def _destroyed(record: Json) -> Iterator[Json]:
    if repo := _said(record, "repo"):
        yield gone(repo)


def _visibility(record: Json) -> Iterator[Json]:
    if repo := _said(record, "repo"):
        yield from _open_to(record, repo)


def _open_to(record: Json, repo: str) -> Iterator[Json]:
    """Whom a repository lets read who has no role in it: everybody, or who belongs to the enterprise."""
    visibility, business = (_said(record, "visibility") or "").lower(), text(record.get("business"))
    if visibility == "public":
        yield written(repo, [statement("allow", _OPEN_TO_ALL, principals=["*"])], kind="resource")
    elif visibility == "internal":
        members = [f"business/{business}"] if business else []
        said = [statement("allow", _OPEN_TO_ALL, principals=members)] if members else None
        yield written(repo, said, kind="resource")
    elif visibility == "private":
        yield unwritten(repo, kind="resource")


def _places(record: Json, names: str) -> list[str]:
    """Where an app or token may act: the repositories that are listed; with all of them, the organization."""
    if listed := texts(record.get(names))[:_MOST]:
        return listed
    org = text(record.get("org"))
    return [org] if org and record.get("repository_selection") == "all" else []


def _permissions(record: Json) -> list[str]:
    """Those that the record tells, also by what they are of (`repository`, `organization`)."""
    found: list[str] = []
    for name, level in list(mapping(record.get("permissions")).items())[:_MOST]:
        inner = level if type(level) is dict else {name: level}
        found += [f"github:{each}:{how}" for each, how in inner.items() if type(how) is str and how in _LEVELS]
    return found


def _installed(record: Json) -> Iterator[Json]:
    yield from _app_given(record, _places(record, "repositories"))


def _app_given(record: Json, places: list[str]) -> Iterator[Json]:
    binding, app = _installation(record)
    if binding and app:
        for place in places:
            for held in _permissions(record) or ["github_role/app"]:
                yield given("attached", app, held, scope=place, binding=binding)


def _app_updated(record: Json) -> Iterator[Json]:
    """New permissions of an app count where it is installed already, if the record says where and which."""
    binding, _ = _installation(record)
    places = _places(record, "repositories")
    if binding and places and _permissions(record):
        yield whole("attached", binding=binding)
        yield from _app_given(record, places)


def _app_places_added(record: Json) -> Iterator[Json]:
    yield from _app_given(record, _places(record, "repositories_added_names"))


def _app_places_removed(record: Json) -> Iterator[Json]:
    binding, _ = _installation(record)
    if binding:
        for place in texts(record.get("repositories_removed_names"))[:_MOST]:
            yield taken("attached", binding=binding, scope=place)


def _uninstalled(record: Json) -> Iterator[Json]:
    binding, _ = _installation(record)
    if binding:
        yield taken("attached", binding=binding)


def _installation(record: Json) -> tuple[str | None, str | None]:
    """(the installation, the app) by their names; each is installed once in an organization."""
    name, org = _said(record, "name") or _said(record, "integration"), text(record.get("org"))
    return (f"org/{org}/app/{name}", f"github_app/{name}") if name and org else (None, None)


def _token_granted(record: Json) -> Iterator[Json]:
    """A fine-grained token, of which the user's own roles are the boundary, in the repositories that were asked for."""
    user, token = _said(record, "user"), label(record.get("user_programmatic_access_id"))
    if user and token:
        for place in _places(record, "repositories"):
            for held in _permissions(record) or [f"github_token/{token}"]:
                yield given("attached", user, held, scope=place, binding=f"github:{token}")


def _token_revoked(record: Json) -> Iterator[Json]:
    if token := label(record.get("user_programmatic_access_id")):
        yield taken("attached", binding=f"github:{token}")


_CHANGES: dict[str, Callable[[Json], Iterator[Any]]] = {
    "org.add_member": _joined,
    "org.remove_member": _left,
    "org.update_member": _promoted,
    "org.update_default_repository_permission": _base_permission,
    "team.create": _team_made,
    "team.destroy": _team_gone,
    "team.add_member": _team_joined,
    "team.remove_member": _team_left,
    "team.add_repository": _with_access(_team, "added"),
    "team.update_repository_permission": _with_access(_team, "changed"),
    "team.remove_repository": _with_access(_team, "removed"),
    "repo.add_member": _with_access(_user, "added"),
    "repo.update_member": _with_access(_user, "changed"),
    "repo.remove_member": _with_access(_user, "removed"),
    "repo.create": _created,
    "repo.destroy": _destroyed,
    "repo.access": _visibility,
    "integration_installation.create": _installed,
    "integration_installation.destroy": _uninstalled,
    "integration_installation.suspend": _uninstalled,
    "integration_installation.repositories_added": _app_places_added,
    "integration_installation.repositories_removed": _app_places_removed,
    "integration_installation.version_updated": _app_updated,
    "personal_access_token.access_granted": _token_granted,
    "personal_access_token.access_revoked": _token_revoked,
}
