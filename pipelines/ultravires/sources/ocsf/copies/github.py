"""An OCSF copy of an event of GitHub's audit log back to the event, so that the native reader reads both.

Mappings, read 2026-11-25: `mappings/markdown/GitHub/v1.3.0` of https://github.com/ocsf/examples, whose places are those
of https://github.com/grp-db/e2e-ocsf-cyber-lakehouse-blueprint too (which keeps the record in `unmapped.raw_data`).
"""

from typing import Any

from ultravires.reading.events import present
from ultravires.reading.values import integer, mapping, text
from ultravires.sources.ocsf.fields import at, first_resource, original_id, restore, time_text
from ultravires.sources.ocsf.products import Copy, Product

_CONCLUDED = "workflows.completed_workflow_run"


def is_github(product: Product) -> bool:
    """Whether the record says that GitHub reported it."""
    return product.name.startswith("github") or product.vendor.startswith("github")


def github_record(record: dict[str, Any]) -> dict[str, Any] | None:
    """The audit event that an OCSF record tells of; None without its id or action, or how a completed run ended."""
    action = text(at(record, "metadata", "event_code")) or text(at(record, "api", "operation"))
    uid = original_id(record)
    if action is None or "." not in action or uid is None:
        return None
    user = mapping(at(record, "actor", "user"))
    account = mapping(user.get("account") or at(record, "actor", "account"))
    native = present(
        _document_id=uid,
        action=action,
        actor=text(user.get("name")),
        actor_id=integer(user.get("uid")),
        actor_ip=text(at(record, "src_endpoint", "ip")),
        actor_session=text(at(record, "actor", "session", "uid")),
        external_identity_nameid=text(user.get("email_addr")),
        org=text(account.get("name")),
        org_id=integer(account.get("uid")),
        repo=_repository(record),
        status_code=integer(at(record, "http_response", "code")),
        team=text(at(record, "group", "name")),
        user=text(at(record, "user", "name")),
        user_agent=text(at(record, "http_request", "user_agent")),
    )
    native["@timestamp"] = time_text(record)
    restore(native, record.get("unmapped"))
    return None if action == _CONCLUDED and "conclusion" not in native else native


def _repository(record: dict[str, Any]) -> str | None:
    """The resource where it is one: tokens stand in the same place, without an owner before their name."""
    name = text(first_resource(record).get("name"))
    return name if name and "/" in name else None


COPY = Copy("github_audit", is_github, github_record)
