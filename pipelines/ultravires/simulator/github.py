"""Entries of GitHub's audit log for the role of an account in the company's organization.

Shape: the JSON export and its fields, https://docs.github.com/en/enterprise-cloud@latest/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/audit-log-events-for-your-organization.
Values are our own.
"""

from random import Random

from ultravires.simulator import ids
from ultravires.simulator.aws import BROWSER
from ultravires.simulator.cast import Human
from ultravires.simulator.grants import Json
from ultravires.simulator.names_elsewhere import GITHUB_ORGANIZATION, github_login

LOG = "github_audit"
_MEMBER, _OWNER = "read", "admin"
"""How the log calls the two roles."""


def member_added(rng: Random, at: int, human: Human, *, login: str) -> Json:
    """An account belongs to the organization from now on."""
    return _entry(rng, at, human, "org.add_member", "create", user=login, permission=_MEMBER)


def made_owner(rng: Random, at: int, human: Human, *, login: str) -> Json:
    """A member is an owner of the organization from now on."""
    return _entry(rng, at, human, "org.update_member", "modify", user=login, permission=_OWNER, old_permission=_MEMBER)


def node_of(entry: Json) -> str:
    return f"activity:{entry['_document_id']}"


def _entry(rng: Random, at: int, human: Human, action: str, operation: str, **members: str) -> Json:
    return {
        "@timestamp": at,
        "_document_id": ids.hexadecimal(rng, 22),
        "action": action,
        "actor": github_login(human.user),
        "actor_id": _number("github account", human.user),
        "actor_ip": human.ip,
        "actor_is_bot": False,
        "actor_location": {"country_code": "DE"},
        "business": "acme",
        "created_at": at,
        "external_identity_nameid": human.email,
        "operation_type": operation,
        "org": GITHUB_ORGANIZATION,
        "org_id": _number("github organization", GITHUB_ORGANIZATION),
        "request_id": ids.hexadecimal(rng, 16).upper(),
        "user_agent": BROWSER,
        "user_id": _number("github account", members["user"]),
    } | members


def _number(*parts: str) -> int:
    return ids.stream(*parts).randrange(10_000_000, 99_999_999)
