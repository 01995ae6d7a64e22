"""What an operation of Microsoft's directory changes of the permissions of APIs: app roles, and consents of people and
administrators.

App roles: https://learn.microsoft.com/en-us/graph/api/resources/approleassignment
Consents: https://learn.microsoft.com/en-us/graph/api/resources/oauth2permissiongrant

A permission is `msgraph/<value>`, or `<object id of the API>/<value>` where the record does not show that the API is
Microsoft Graph. What a person consents to counts for that person, what an administrator does for the directory, `/`;
the kind of consent is the binding, and both are the condition under which the client has it.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from ultravires.reading.events import present
from ultravires.reading.grants import Json, given, statement, taken, written
from ultravires.sources.azure.exports import filled
from ultravires.sources.entra.directory_change import Change

_MOST = 500
"""So many consents of a record are looked at; Microsoft writes fewer."""
_DIRECTORY = "/"
_GRAPH = "00000003-0000-0000-c000-000000000000"
"""The id of the application Microsoft Graph in every tenant."""
_CONSENT = re.compile(r"\[([^\[\]]*)\]")
_EVERYBODY = "AllPrincipals"


class Consent(NamedTuple):
    """One scope of an API that a client may use: for one person, or for all."""

    api: str
    scope: str
    kind: str | None
    person: str | None


def _api(change: Change) -> str | None:
    """What permissions of the API are called by that is a target of the record."""
    names = (change.said("TargetId.ServicePrincipalNames") or "").split(";")
    if _GRAPH in [name.partition("/")[0] for name in names]:
        return "msgraph"
    return _api_object(change)


def _api_object(change: Change) -> str | None:
    return next(iter(change.ids("ServicePrincipal")), None)


def _permission(api: str, value: str) -> Json:
    return written(f"{api}/{value}", [statement("allow", [f"{api}:{value}"], ["*"])])


def _app_role(change: Change, kind: str) -> tuple[str, str, str] | None:
    """(holder, API, app role)."""
    own = [uid for uid in change.ids(kind) if uid != _api_object(change)]
    holder = change.said(f"{kind}.ObjectID") or (own[0] if len(own) == 1 else None)
    value = change.said("AppRole.Value") or change.said("AppRole.Id") or "default access"
    api = _api(change)
    return (holder, api, value) if holder and api else None


def giving_app_role(kind: str) -> Callable[[Change], list[Json]]:
    def app_role_given(change: Change) -> list[Json]:
        if (found := _app_role(change, kind)) is None:
            return []
        holder, api, value = found
        return [_permission(api, value), given("attached", holder, f"{api}/{value}")]

    return app_role_given


def taking_app_role(kind: str) -> Callable[[Change], list[Json]]:
    def app_role_taken(change: Change) -> list[Json]:
        if (found := _app_role(change, kind)) is None:
            return []
        holder, api, value = found
        return [taken("attached", holder, f"{api}/{value}")]

    return app_role_taken


def delegated(change: Change) -> list[Json]:
    """The scopes of a client that came and went, of the API that is the target."""
    client, api, uid = change.said("ServicePrincipal.ObjectID"), _api(change), _api_object(change)
    if client is None or api is None or uid is None:
        return []
    kind = change.said("DelegatedPermissionGrant.ConsentType")
    person = next(iter(change.ids("User")), None) or change.said("User.ObjectID")
    old, new = (
        [Consent(api, scope, kind, person) for scope in (said.get("DelegatedPermissionGrant.Scope") or "").split()]
        for said in (change.old, change.new)
    )
    removed = [consent for consent in old if consent not in new]
    # A consent may have named the API by its object alone.
    removed += [consent._replace(api=uid) for consent in removed if api != uid]
    return _consented(client, [consent for consent in new if consent not in old], removed)


def consent(change: Change) -> list[Json]:
    """What a client was allowed: `[<consents before>] => [<consents now>]`."""
    client = next(iter(change.ids("ServicePrincipal")), None)
    before, arrow, now = (change.new.get("ConsentAction.Permissions") or "").partition("=>")
    if client is None or not arrow:
        return []
    old, new = list(dict.fromkeys(_consents_in(before))), list(dict.fromkeys(_consents_in(now)))
    known = set(old)
    return _consented(client, [consent for consent in new if consent not in known], [])


def _consents_in(written_down: str) -> Iterator[Consent]:
    for match in islice(_CONSENT.finditer(written_down), _MOST):
        said = {name.strip(): filled(value.strip()) for name, _, value in _fields(match[1])}
        if api := said.get("ResourceId"):
            for scope in (said.get("Scope") or "").split():
                yield Consent(api, scope, said.get("ConsentType"), said.get("PrincipalId"))


def _fields(consent: str) -> Iterator[tuple[str, str, str]]:
    return (field.partition(":") for field in consent.split(","))


def _consented(client: str, added: list[Consent], removed: list[Consent]) -> list[Json]:
    found: list[Json] = []
    for each in added[:_MOST]:
        terms = present(consentType=each.kind, principalId=each.person)
        edge = given(
            "attached",
            client,
            f"{each.api}/{each.scope}",
            scope=_where(each),
            binding=each.kind,
            condition=terms or None,
        )
        found += [_permission(each.api, each.scope), edge]
    for each in removed[: 2 * _MOST]:
        held = f"{each.api}/{each.scope}"
        found.append(taken("attached", client, held, scope=_where(each), binding=each.kind))
    return found


def _where(consent: Consent) -> str | None:
    return _DIRECTORY if consent.kind == _EVERYBODY else consent.person
