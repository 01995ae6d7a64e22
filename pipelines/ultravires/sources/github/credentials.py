"""Which credential an audited action on GitHub used, and which it issued or took away.

The log names a token by its id and by a hash, a key by its fingerprint, never by the value. What a record says of a
token without a `programmatic_access_type` is about the token that was made or removed in the browser, not of a token
that was used: https://docs.github.com/enterprise-cloud@latest/admin/monitoring-activity-in-your-enterprise/reviewing-audit-logs-for-your-enterprise/identifying-audit-log-events-performed-by-an-access-token
"""

from typing import Any

import msgspec

from ultravires.reading.values import label, text
from ultravires.sources.github.runs import job_of, run_name, run_of
from ultravires.sources.issuing import issuing_of

_JOB_STARTS = "workflows.prepared_workflow_job"
_RUN_STARTS = "workflows.created_workflow_run"
_ISSUES = frozenset(action.removeprefix("github:") for action in issuing_of("github_audit")) - {
    _JOB_STARTS,
    _RUN_STARTS,
}
_REVOKES = frozenset(
    {
        "oauth_access.destroy",
        "oauth_access.revoke",
        "oauth_authorization.destroy",
        "org_credential_authorization.deauthorize",
        "org_credential_authorization.revoke",
        "personal_access_token.access_revoked",
        "personal_access_token.credential_revoked",
        "personal_access_token.destroy",
        "public_key.delete",
    }
)
_SHA256 = "SHA256:"


class Credentials(msgspec.Struct, frozen=True, gc=False):
    """Ids with the prefix `github:`, or None; `appears_as` is the subject that a job's own tokens carry, `run` its
    run.
    """

    used: str | None = None
    issued: str | None = None
    revoked: str | None = None
    appears_as: str | None = None
    run: str | None = None


def credentials_of(record: dict[str, Any], action: str) -> Credentials:
    """What happened to credentials in this record. A job that starts is issued its own token, and a run those of its
    jobs, where the log does not tell of each.
    """
    token = _token_id(record)
    is_used = text(record.get("programmatic_access_type")) is not None
    if action in _ISSUES or action in _REVOKES:
        named = _named(record, None if is_used else token)
        used = token if is_used else None
        return Credentials(used=used, issued=named) if action in _ISSUES else Credentials(used=used, revoked=named)
    job = job_of(record) if action == _JOB_STARTS else None
    if job is not None:
        return Credentials(used=token, issued=f"github:{job.uid}", appears_as=job.subject, run=job.run_name)
    repo, run, _ = run_of(record) if action == _RUN_STARTS else (None, None, None)
    if repo and run:
        return Credentials(used=token, issued=run_name(repo, run), run=run_name(repo, run))
    return Credentials(used=token)


def _token_id(record: dict[str, Any]) -> str | None:
    """The id before the hash: events that make or remove a token may lack the hash. 0 is how git events write none."""
    found = label(record.get("token_id"))
    found = found if found and found != "0" else text(record.get("hashed_token"))
    return f"github:{found}" if found else None


def _named(record: dict[str, Any], token: str | None) -> str | None:
    if access := label(record.get("user_programmatic_access_id")):
        return f"github:{access}"
    if fingerprint := text(record.get("fingerprint")):
        return f"github:{_hash_of(fingerprint)}"
    application, user = label(record.get("oauth_application_id")), text(record.get("user"))
    return token or (f"github:oauth_application/{application}/{user}" if application and user else None)


def _hash_of(fingerprint: str) -> str:
    """`SHA256:...` as the base64 with padding that `hashed_token` is written in."""
    found = fingerprint.removeprefix(_SHA256)
    return found + "=" * (-len(found) % 4) if fingerprint.startswith(_SHA256) else found
