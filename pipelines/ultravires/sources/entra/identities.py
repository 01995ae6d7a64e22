"""Who acted in a log of Microsoft Entra: people, service principals, managed identities, and agents of Entra Agent ID.

The subject is the object id, which every Entra log has and which is never given twice; the readable name goes with it.
Agents: https://learn.microsoft.com/en-us/graph/api/resources/agentic-agentsignin?view=graph-rest-beta
"""

from typing import Any

import msgspec

from ultravires.reading.values import mapping, text
from ultravires.sources.azure.exports import filled

AGENTS = frozenset(
    {"agenticApp", "agenticAppBuilder", "agenticAppInstance", "agentIdentityBlueprintPrincipal", "agentIDuser"}
)
"""Values of agentType and agentSubjectType that mean an agent."""

_PLATFORM = frozenset({"Azure AD PIM", "MS-PIM", "MS-PIM-Fairfax", "Microsoft Azure AD", "Microsoft Entra PIM"})


class Subject(msgspec.Struct, frozen=True, gc=False):
    """The subject of a record, and for whom it acts."""

    uid: str | None
    kind: str | None
    name: str | None = None
    on_behalf_of: str | None = None


NOBODY = Subject(None, None)


def initiator_of(initiated_by: Any) -> Subject:
    """`initiatedBy` of a directory audit to its Subject; a user without a name is a service of the platform."""
    by = mapping(initiated_by)
    user, app = mapping(by.get("user")), mapping(by.get("app"))
    name = filled(user.get("userPrincipalName"))
    if user_id := filled(user.get("id")) or name:
        shown = name or filled(user.get("displayName"))
        return Subject(user_id, _kind_of_user(user, shown, has_name=name is not None), shown)
    app_name = filled(app.get("displayName")) or filled(app.get("servicePrincipalName"))
    uid = filled(app.get("servicePrincipalId")) or filled(app.get("appId")) or app_name
    kind = "agent" if _is_agent(app.get("agentType")) else "service"
    return Subject(uid, kind, app_name) if uid else NOBODY


def _kind_of_user(user: dict[str, Any], shown: str | None, *, has_name: bool) -> str:
    if _is_agent(user.get("agentType")):
        return "agent"
    if has_name:
        return "human"
    return "service" if shown in _PLATFORM else "unknown"


def _is_agent(value: Any) -> bool:
    return type(value) is str and value in AGENTS


def signed_in(sign_in: dict[str, Any], event_type: str) -> Subject:
    """The properties of a sign-in to its Subject.

    Where an agent signs in with a person's delegation the token's subject is the person and the client is the agent:
    then the agent acted, on behalf of the person.
    """
    agent = mapping(sign_in.get("agent"))
    is_agent, is_agent_subject = _is_agent(agent.get("agentType")), _is_agent(agent.get("agentSubjectType"))
    user = filled(sign_in.get("userId")) or filled(sign_in.get("userPrincipalName"))
    principal = filled(sign_in.get("servicePrincipalId"))
    if user and event_type in ("interactiveUser", "nonInteractiveUser"):
        name = filled(sign_in.get("userPrincipalName")) or filled(sign_in.get("userDisplayName"))
        if is_agent_subject:
            return Subject(user, "agent", name)
        client = principal or filled(sign_in.get("appId"))
        if is_agent and client:
            return Subject(client, "agent", _client_name(sign_in), on_behalf_of=user)
        return Subject(user, "human", name)
    uid = principal or filled(sign_in.get("appId"))
    if uid is None:
        return NOBODY
    if is_agent or is_agent_subject:
        return Subject(uid, "agent", _client_name(sign_in))
    return Subject(uid, "workload" if event_type == "managedIdentity" else "service", _client_name(sign_in))


def _client_name(sign_in: dict[str, Any]) -> str | None:
    return filled(sign_in.get("servicePrincipalName")) or text(sign_in.get("appDisplayName"))
