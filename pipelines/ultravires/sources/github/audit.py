"""GitHub audit log of an organization or enterprise: JSON export, API pages, git events, and streams.

Events: https://docs.github.com/en/enterprise-cloud@latest/admin/monitoring-activity-in-your-enterprise/reviewing-audit-logs-for-your-enterprise/audit-log-events-for-your-enterprise
Agents: https://docs.github.com/en/copilot/reference/enterprise-administrators/agentic-audit-log-events
"""

from functools import lru_cache
from typing import Any

from ultravires.reading.addresses import address_of
from ultravires.reading.events import Event, NotParsed, event_time, present
from ultravires.reading.framing import json_records
from ultravires.reading.head import Head, values_at
from ultravires.reading.options import Options
from ultravires.reading.source import Source
from ultravires.reading.values import label, mapping, text, texts
from ultravires.sources.github.access_changes import grants_of
from ultravires.sources.github.approvals import approval_of, carried_approvals
from ultravires.sources.github.credentials import Credentials, credentials_of
from ultravires.sources.github.effects import effects_of, second_factor_of
from ultravires.sources.github.ocsf_classes import ocsf_class, outcome_of

_TIMES = ("@timestamp", "at_sign_timestamp", "created_at")
_TYPICAL = frozenset(
    {
        "_document_id",
        "actor_id",
        "actor_ip",
        "actor_is_agent",
        "actor_is_bot",
        "actor_location",
        "business",
        "business_id",
        "hashed_token",
        "operation_type",
        "org",
        "org_id",
        "programmatic_access_type",
        "public_repo",
        "repo",
        "transport_protocol_name",
    }
)
_ENOUGH = 2
_MILLISECOND = 1000
_INSTALLATION = "GitHub App server-to-server"
_ACTIONS_BOT = "github-actions[bot]"


def recognise(head: Head) -> bool:
    """Objects with actor, a dotted action, a time and two more of the audit log's members."""
    is_like = any(
        "action" in keys and "actor" in keys and keys.intersection(_TIMES) and len(keys & _TYPICAL) >= _ENOUGH
        for keys in head.first_keys()
    )
    return is_like and any(_is_action(action) for action in values_at(head, "action"))


def _is_action(action: str) -> bool:
    return "." in action and action.replace(".", "").replace("_", "").isalnum() and action == action.lower()


def events(record: dict[str, Any], options: Options) -> list[Event]:
    """One record to one activity, and to the approval that it made. Raises NotParsed without a time or an action."""
    event_at = event_time(*map(record.get, _TIMES))
    action = text(record.get("action"))
    if action is None:
        raise NotParsed("no action: not a GitHub audit event")
    activity = _activity(record, action, event_at)
    approval = approval_of(record, action, event_at, activity.actor_kind, options)
    return [activity] if approval is None else [activity, approval]


def _activity(record: dict[str, Any], action: str, event_at: int) -> Event:
    actor, access = text(record.get("actor")), text(record.get("programmatic_access_type"))
    kind = _kind_of(actor, record.get("actor_is_agent") is True, record.get("actor_is_bot") is True, access)
    account = text(record.get("org")) or text(record.get("business"))
    credentials = credentials_of(record, action)
    outcome, error = outcome_of(record, action)
    class_uid, activity_id = ocsf_class(action, text(record.get("operation_type")))
    return Event(
        native_id=text(record.get("_document_id")),
        event_at=event_at,
        kind="activity",
        class_uid=class_uid,
        activity_id=activity_id,
        actor_uid=actor,
        actor_kind=kind,
        actor_name=text(record.get("external_identity_nameid")),
        on_behalf_of_uid=text(record.get("user")) if kind == "agent" else None,
        via_service=_application(record) if access else None,
        account_uid=account,
        workload_uid=text(record.get("job_workflow_ref")),
        action=f"github:{action}",
        resource_uids=_resources(record, actor, kind, account),
        outcome=outcome,
        error_code=error,
        src_ip=address_of(record.get("actor_ip")),
        user_agent=text(record.get("user_agent")),
        credential_uid=credentials.used,
        issued_credential_uid=credentials.issued,
        revoked_credential_uid=credentials.revoked,
        keys=_keys(record, action, account, credentials),
        detail=present(
            grants=grants_of(record, action) if outcome == "success" else None,
            effects=effects_of(record, action),
            second_factor=second_factor_of(action),
            issued_role_arn=credentials.appears_as,
            issued_kind="session" if credentials.run and not credentials.appears_as else None,
            credential_kind="session" if credentials.used and _is_short_lived(access) else None,
            read_only=True if record.get("operation_type") == "access" else None,
            event_type=access,
        ),
    )


@lru_cache(maxsize=65536)
def _kind_of(actor: str | None, is_agent: bool, is_bot: bool, access: str | None) -> str | None:
    """GitHub marks agents and bots; every other account is a user's, whatever it is used for."""
    if actor is None:
        return None
    if is_agent or actor == "Copilot":
        return "agent"
    if actor == _ACTIONS_BOT:
        return "workload"
    is_service = is_bot or actor.endswith("[bot]") or actor == "deploy_key"
    return "service" if is_service or _is_short_lived(access) else "human"


def _is_short_lived(access: str | None) -> bool:
    """The token of an installation of an app ends within the hour."""
    return access is not None and access.startswith(_INSTALLATION)


def _application(record: dict[str, Any]) -> str | None:
    names = ("application_name", "oauth_application_name", "oauth_application_id")
    return next((found for name in names if (found := label(record.get(name)))), None)


def _resources(record: dict[str, Any], actor: str | None, kind: str | None, account: str | None) -> list[str]:
    """Repositories, team and the user it was done to; else the organization. Older records keep some in `data`."""
    found = texts(record.get("repo")) or texts(record.get("repository"))
    found += texts(record.get("team") or mapping(record.get("data")).get("team"))
    if kind != "agent" and (user := text(record.get("user"))) and user != actor:
        found.append(user)
    return list(dict.fromkeys(found)) or ([account] if account else [])


def _keys(
    record: dict[str, Any], action: str, account: str | None, credentials: Credentials
) -> list[tuple[str, str, str]]:
    keys = []
    if request := text(record.get("request_id")):
        keys.append(("request", request, "names"))
        if account:
            keys.append(("request", f"{account}/{request}", "names"))
    keys += carried_approvals(record, action)
    if credentials.appears_as:
        keys.append(("bearer", credentials.appears_as, "names"))
    if credentials.run:
        keys.append(("run", credentials.run, "names"))
    if session := text(record.get("agent_session_id")):
        keys.append(("conversation", session, "carries"))
    return keys


SOURCE = Source(
    name="github_audit",
    log="github_audit",
    approval_system="github",
    version=6,
    title="GitHub audit log",
    reads="audit events of an organization or enterprise: JSON export, API pages, git events, streams",
    recognised_by="actor, a dotted action, a time and two more of the audit log's own members",
    grade="verified",
    documentation="https://docs.github.com/en/enterprise-cloud@latest/admin/monitoring-activity-in-your-enterprise/"
    "reviewing-audit-logs-for-your-enterprise/audit-log-events-for-your-enterprise",
    documented_at="2026-11-25",
    evidence_kinds=("activity", "approval"),
    voice="recorded",
    system="github",
    governs=("github",),
    delivered_in=(
        "elastic:github.audit",
        "splunk:github:cloud:audit",
        "splunk:github:enterprise:audit",
        "wazuh:github",
    ),
    join_keys=("request", "approval", "ticket", "bearer", "run", "conversation"),
    recognise=recognise,
    records=json_records,
    events=events,
    objects=(
        "repositories",
        "actor_location",
        "data",
    ),
)
