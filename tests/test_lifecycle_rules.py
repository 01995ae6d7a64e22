"""The rules over the life of identities, keys and secrets: a small company in which each fires once, and its twin in
which everything is in order and none does.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ultravires
import yaml
from small_logs import at, call, session, write_lines
from test_iam_changes_okta import log_event
from ultravires.runs.run import RunResult, run_once

Json = dict[str, Any]
ARN = "arn:aws:iam::111122223333:"
DAY = 24 * 60
HOME, OFFICE, AWAY = "198.51.100.7", "192.0.2.20", "203.0.113.9"
SECRET = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:orders-db-Kx71fQ"
RULES = {
    "ultravires_no_owner",
    "ultravires_owner_gone",
    "ultravires_expired_identity_acts",
    "ultravires_dormant_identity_woke",
    "ultravires_long_lived_credential",
    "ultravires_credential_never_rotated",
    "ultravires_shared_credential",
    "ultravires_credential_used_after_revocation",
    "ultravires_person_as_machine",
    "ultravires_secret_read_and_used",
}


def machine(name: str, *, owner: str | None = "ana@example.org", **more: Any) -> Json:
    """A declared service that acts as a user, or an agent that acts as a role, of its own name."""
    kind = "role" if name.startswith("agent-") else "user"
    named = {"owner": owner} if owner else {}
    return {"id": name, "kind": "service", "aliases": [f"{ARN}{kind}/{name}"], **named, **more}


def configuration(is_in_order: bool) -> Json:
    return {
        "identities": [
            {"id": "mara@example.org", "kind": "human", "aliases": [f"{ARN}user/mara"]},
            *(machine(name) for name in ("admin", "agent-exporter", "sleeper", "old", "shared", "taken", "in-secret")),
            machine("orphan", owner="ana@example.org" if is_in_order else None),
            machine("left", owner="bo@example.org"),
            machine("legacy", expires_at="2027-12-31" if is_in_order else "2026-10-20"),
            machine("keyed-agent"),
        ],
        "demand_short_lived": ["*-agent"],
        "secrets": [{"id": SECRET, "credential": "AKIAINSECRET"}],
    }


def user(name: str, key: str) -> Json:
    return {"type": "IAMUser", "arn": f"{ARN}user/{name}", "accountId": "111122223333", "accessKeyId": key}


def used(event_id: str, day: float, who: Json, address: str = HOME, action: str = "s3:GetObject", **more: Any) -> Json:
    return call(event_id, day * DAY, action, who, sourceIPAddress=address, **more)


def read(event_id: str, day: float, role: str, key: str, address: str = HOME) -> Json:
    asked = {"requestParameters": {"secretId": SECRET}, "readOnly": True}
    return used(event_id, day, session(f"{ARN}role/{role}", key), address, "secretsmanager:GetSecretValue", **asked)


def others() -> Iterator[Json]:
    """Somebody acts every day, with a session of that day: the log is read."""
    return (used(f"day-{n}", n, session(f"{ARN}role/daily", f"ASIADAY{n:03}")) for n in range(130))


def cloudtrail(is_in_order: bool) -> Iterator[Json]:
    """What happened; in order, everything stops one step before it is wrong."""
    yield from others()
    yield used("orphan", 1, user("orphan", "ASIAORPHAN"))
    yield used("left", 1, user("left", "ASIALEFT"))
    yield used("legacy", 20, user("legacy", "ASIALEGACY"))
    yield used("asleep", 1, user("sleeper", "ASIASLEEPER1"))
    if is_in_order:
        yield used("turning", 60, user("sleeper", "ASIASLEEPER2"))
    yield used("awake", 100, user("sleeper", "ASIASLEEPER3"))
    yield used("keyed", 1, user("keyed-agent", "ASIAKEYED" if is_in_order else "AKIAKEYED"))
    yield used("old-1", 1, user("old", "AKIAOLD"))
    yield used("old-2", 60, user("old", "AKIAOLD"))
    yield used("old-3", 80 if is_in_order else 95, user("old", "AKIAOLD"))
    yield used("shared-1", 1, user("shared", "AKIASHARED"))
    yield used("shared-2", 2, user("shared", "AKIASHARED"), OFFICE)
    yield used("shared-3", 3, user("shared", "AKIASHARED"), OFFICE if is_in_order else HOME)
    off = {"requestParameters": {"userName": "taken", "accessKeyId": "AKIATAKEN", "status": "Inactive"}}
    on = {"requestParameters": {**off["requestParameters"], "status": "Active"}}
    yield used("taken-1", 1, user("taken", "AKIATAKEN"))
    yield used("taken-off", 2, user("admin", "ASIAADMIN1"), action="iam:UpdateAccessKey", **off)
    if is_in_order:
        yield used("taken-on", 2.5, user("admin", "ASIAADMIN2"), action="iam:UpdateAccessKey", **on)
    yield used("taken-2", 3, user("taken", "AKIATAKEN"))
    taking = {
        "requestParameters": {"roleArn": f"{ARN}role/agent-exporter", "roleSessionName": "s1"},
        "responseElements": {"credentials": {"accessKeyId": "ASIATAKEN", "expiration": at(DAY + 60)}},
    }
    who = user("orphan", "ASIAORPHAN") if is_in_order else user("mara", "ASIAMARA")
    yield used("person", 1, who, action="sts:AssumeRole", **taking)
    yield read("read-1", 0, "agent-exporter", "ASIAREADER1")
    yield read("read-2", 40, "agent-exporter" if is_in_order else "stranger", "ASIAREADER2", AWAY)
    yield used("lies-in-it", 1, user("in-secret", "AKIAINSECRET"))
    yield used("came-out", 40.1, user("in-secret", "AKIAINSECRET"), AWAY)


def okta(is_in_order: bool) -> Iterator[Json]:
    """The directory disables the owner of one machine, and in order gives the account back."""
    bo = {"id": "00u9", "type": "User", "alternateId": "Bo@example.org", "displayName": "Bo"}
    yield log_event("user.lifecycle.deactivate", [bo], published="2026-10-08T08:00:00.000Z", uuid="okta-1")
    if is_in_order:
        yield log_event("user.lifecycle.reactivate", [bo], published="2026-10-09T08:00:00.000Z", uuid="okta-2")


def findings(folder: Path, is_in_order: bool) -> list[tuple[str, str, str, str]]:
    """Detector, severity, subject and message of what the rules of lifecycles find."""
    logs, home = folder / "logs", folder / "home"
    write_lines(logs / "cloudtrail.jsonl", list(cloudtrail(is_in_order)))
    write_lines(logs / "okta.jsonl", list(okta(is_in_order)))
    config = folder / "ultravires.yaml"
    config.write_text(yaml.safe_dump(configuration(is_in_order)), encoding="utf-8")
    result = run_once(logs, home, config=config, as_of="2027-02-20T00:00:00Z")
    assert isinstance(result, RunResult) and result.quarantined == 0
    with ultravires.open(home) as con:
        return con.execute(
            "select detector_id, severity, subject_uid, message from findings "
            "where list_contains($rules, detector_id) and state = 'open' order by all",
            {"rules": sorted(RULES)},
        ).fetchall()


def test_each_rule_fires_once(tmp_path: Path) -> None:
    """Each thing that is wrong is found, once, about the right subject."""
    found = findings(tmp_path, is_in_order=False)
    assert [(detector.removeprefix("ultravires_"), severity, subject) for detector, severity, subject, _ in found] == [
        ("credential_never_rotated", "low", "AKIAOLD"),
        ("credential_used_after_revocation", "high", "AKIATAKEN"),
        ("dormant_identity_woke", "low", "sleeper"),
        ("expired_identity_acts", "medium", "legacy"),
        ("long_lived_credential", "medium", "AKIAKEYED"),
        ("no_owner", "informational", "orphan"),
        ("owner_gone", "medium", "left"),
        ("person_as_machine", "medium", f"{ARN}user/mara {ARN}role/agent-exporter"),
        ("secret_read_and_used", "medium", f"{ARN}role/stranger {SECRET}"),
        ("shared_credential", "medium", "AKIASHARED"),
    ]
    messages = {detector: message for detector, _, _, message in found}
    assert messages["ultravires_owner_gone"] == "bo@example.org, who answers for left, is gone since 2026-10-08 08:00"
    assert (
        "after arn:aws:iam::111122223333:user/admin revoked it"
        in messages["ultravires_credential_used_after_revocation"]
    )


def test_nothing_is_said_where_all_is_in_order(tmp_path: Path) -> None:
    """The same company, with an owner, a return, an extension, sessions, a move, a key given back and known readers."""
    assert findings(tmp_path, is_in_order=True) == []


@pytest.mark.parametrize("writer", ["left", "admin"])
def test_an_identity_does_not_name_its_own_owner(writer: str, tmp_path: Path) -> None:
    """A tag counts where somebody else set it: the owner that an identity gives itself is nobody's word."""
    tags = {"requestParameters": {"userName": "orphan", "tags": [{"key": "Owner", "value": "cy@example.org"}]}}
    who = user("orphan", "ASIAORPHAN") if writer == "left" else user("admin", "ASIAADMIN")
    write_lines(
        tmp_path / "logs" / "cloudtrail.jsonl",
        [used("o", 1, user("orphan", "ASIAORPHAN")), used("t", 2, who, action="iam:TagUser", **tags)],
    )
    run_once(tmp_path / "logs", tmp_path / "home", config=None, as_of="2026-10-10T00:00:00Z")
    with ultravires.open(tmp_path / "home") as con:
        (found,) = con.execute(
            "select owner, owner_from from lifecycles where identity_id = $id", {"id": f"{ARN}user/orphan"}
        ).fetchall()
    assert found == ((None, None) if writer == "left" else ("cy@example.org", "tag"))
