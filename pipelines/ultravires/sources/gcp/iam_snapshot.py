"""Allow policies as `gcloud asset search-all-iam-policies --format=json` prints them.

https://cloud.google.com/asset-inventory/docs/reference/rest/v1/TopLevel/searchAllIamPolicies. Cloud Asset Inventory has
answered, and nobody who is named in it speaks; who may write where the file lies writes what it says, so it is
`recorded` in its place only, as IAM's export of AWS is.

A search with a query holds only the bindings that fit it, and nothing in the answer says that there was one. So an edge
that is not listed is not said to be gone. The answer shows the number of a project and not its id; only the policy of a
project itself is of an account that other logs know.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from ultravires.reading.events import Event, Frame, NotParsed
from ultravires.reading.grants import Json, given
from ultravires.reading.head import Head
from ultravires.reading.options import Options
from ultravires.reading.snapshots import NO_PART, SNAPSHOT, Described, Export, event_of, snapshot_records
from ultravires.reading.source import Source
from ultravires.reading.values import mapping, sequence, text
from ultravires.sources.gcp.iam_changes import policy_grants, resource_name

_PART = "IamPolicySearchResult"
_PROJECT = "projects/"
_BUCKET = re.compile(r"//storage\.googleapis\.com/([^/]+)")


def recognise(head: Head) -> bool:
    """Results with a resource and its policy, or a record as it is kept."""
    return any(
        (keys.issuperset(("resource", "policy")) and not keys.isdisjoint(("assetType", "project", "organization")))
        or keys.issuperset((SNAPSHOT, _PART))
        for keys in head.first_keys("results")
    )


def records(chunks: Iterator[bytes], options: Options) -> Iterator[Frame]:
    """The results, of the list that the command prints or of the answers of the API."""
    return snapshot_records(chunks, options, _EXPORT)


def events(value: dict[str, Any], options: Options) -> Iterable[Event]:
    """The policy of one resource to one event. Raises NotParsed where the export has no time."""
    result = mapping(value.get(_PART))
    scope = _scope(result)
    if scope is None:
        raise NotParsed(NO_PART)
    edges = [grant for grant in policy_grants(scope, mapping(result.get("policy"))) if grant["op"] != "whole"]
    account = scope.removeprefix(_PROJECT) if scope.startswith(_PROJECT) else None
    return (event_of(value, _PART, Described("policy", scope, [*_within(scope, result), *edges], account)),)


def _scope(result: dict[str, Any]) -> str | None:
    """The resource in the form of the entries of Cloud Audit Logs, which name a bucket otherwise."""
    named = text(result.get("resource"))
    scope = resource_name(named, None, {}) if named else None
    bucket = _BUCKET.fullmatch(scope) if scope else None
    return f"//storage.googleapis.com/projects/_/buckets/{bucket[1]}" if bucket else scope


def _within(scope: str, result: dict[str, Any]) -> list[Json]:
    """Where a project lies. Of several folders nothing says which lies in which."""
    folders = [text(each) for each in sequence(result.get("folders"))]
    organization = text(result.get("organization"))
    if not scope.startswith(_PROJECT) or len(folders) > 1 or None in folders:
        return []
    above = [place for place in (scope, *folders, organization) if place is not None]
    return [given("within", low, high) for low, high in pairwise(above)]


def _part_of(record: dict[str, Any]) -> str | None:
    return _PART if _scope(record) is not None and type(record.get("policy")) is dict else None


_EXPORT = Export(
    source="gcp_iam_snapshot",
    opens=frozenset({"results"}),
    part_of=_part_of,
    dates_in=lambda _result: (),
)

SOURCE = Source(
    name="gcp_iam_snapshot",
    log="gcp_iam_snapshot",
    version=1,
    title="Google Cloud's allow policies, as exported",
    reads="`gcloud asset search-all-iam-policies --format=json`, and the answers of that API (`results`)",
    recognised_by="resource and policy, beside assetType, project or organization",
    grade="documentation",
    documentation="https://cloud.google.com/asset-inventory/docs/reference/rest/v1/TopLevel/searchAllIamPolicies",
    documented_at="2026-11-30",
    evidence_kinds=("inventory",),
    voice="recorded",
    join_keys=(),
    recognise=recognise,
    records=records,
    events=events,
    grants=True,
    dated_by_file=True,
    joins_lines=True,
)
