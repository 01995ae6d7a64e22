"""What entries of Google Workspace in Cloud Logging tell of: the events in their metadata.

https://cloud.google.com/logging/docs/audit/gsuite-audit-logging
"""

from typing import Any

import msgspec

from ultravires.reading.grants import Json
from ultravires.reading.values import label, mapping, sequence, text
from ultravires.sources.google_workspace.effects import effects_of
from ultravires.sources.google_workspace.iam_changes import grants_of
from ultravires.sources.google_workspace.meanings import (
    copy_keys,
    grant_ended,
    grant_made,
    happened,
    ocsf_class,
    second_factor_of,
    targets_of,
)

_SERVICES = frozenset({"admin.googleapis.com", "login.googleapis.com", "oauth2.googleapis.com"})


class WorkspaceEvents(msgspec.Struct, frozen=True, gc=False):
    """The class of the first event of an entry, and what all of them act on, make, end and change of grants,
    and their effects."""

    ocsf: tuple[int, int]
    resources: list[str]
    granted: str | None
    revoked: str | None
    keys: list[tuple[str, str, str]]
    grants: list[Json]
    effects: list[Json]
    second_factor: str | None


def workspace_events(payload: dict[str, Any], user: str | None) -> WorkspaceEvents | None:
    """None for entries of other services, and where the metadata tells of no event."""
    if text(payload.get("serviceName")) not in _SERVICES:
        return None
    metadata = mapping(payload.get("metadata"))
    found = [one for one in map(happened, map(mapping, sequence(metadata.get("event")))) if one is not None]
    if not found:
        return None
    activity = mapping(metadata.get("activityId"))
    unique = label(activity.get("uniqQualifier")) or text(activity.get("uniqueQualifier"))
    return WorkspaceEvents(
        ocsf=ocsf_class(found[0].name),
        resources=list(dict.fromkeys(target for one in found for target in targets_of(one))),
        granted=next((grant for one in found if (grant := grant_made(one, user))), None),
        revoked=next((grant for one in found if (grant := grant_ended(one, user))), None),
        keys=[key for one in found for key in copy_keys(unique, one)],
        grants=[change for one in found for change in grants_of(one, user)],
        effects=[each for one in found for each in effects_of(one, user)],
        second_factor=next((factor for one in found if (factor := second_factor_of(one))), None),
    )
