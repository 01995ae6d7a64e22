"""Teleport's audit log: who acted in which session, what was issued, and access requests as approvals."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import claimed_by, keys, only, quarantined, rows
from ultravires.reading.options import Options

CLUSTER = "teleport.northwind.example"
REQUEST = "018f6d1a-77aa-7c3e-9b1d-2f6f0c1d4e01"
NO_TIME = "0001-01-01T00:00:00Z"


def record(event: str, code: str = "T0000I", **members: Any) -> dict[str, Any]:
    own = {"ei": 0, "event": event, "code": code, "uid": "u-1", "time": "2026-10-05T08:00:00Z", "cluster_name": CLUSTER}
    return {**own, "user": "mira@northwind.example", "user_kind": 1, **members}


def read(folder: Path, event: str, code: str = "T0000I", **members: Any) -> dict[str, Any]:
    return only("teleport_audit", record(event, code, **members), folder)


def test_a_session_carries_its_access_requests(tmp_path: Path) -> None:
    """Teleport itself wrote the request's id into the session; the session's id is the credential used."""
    row = read(tmp_path, "session.start", "T2000I", sid="s-1", access_requests=[REQUEST], server_id="n-1")
    assert row["credential_uid"] == "teleport:s-1"
    assert keys(row) == {("approval", REQUEST, "carries")}
    assert row["resource_uids"] == [f"/{CLUSTER}/node/n-1"]
    assert row["revoked_credential_uid"] is None
    end = read(tmp_path, "session.end", "T2004I", sid="s-1")
    assert end["credential_uid"] == end["revoked_credential_uid"] == "teleport:s-1"


@pytest.mark.parametrize("event", ["session.join", "session.leave", "session.recording.access", "session.upload"])
def test_anothers_session_is_a_thing_acted_on_and_no_credential(event: str, tmp_path: Path) -> None:
    """Else the approval of who joins would be that of whose session it is."""
    row = read(tmp_path, event, sid="s-1", access_requests=[REQUEST])
    assert row["credential_uid"] is None
    assert row["resource_uids"] == [f"/{CLUSTER}/session/s-1"]


def test_a_certificate_is_issued_with_its_end_and_its_approval(tmp_path: Path) -> None:
    """The certificate is named by the record that issued it; its end and its access requests stand in `identity`."""
    identity = {
        "user": "mira",
        "roles": ["access", "dba"],
        "expires": "2026-10-05T09:00:00.5Z",
        "client_ip": "192.0.2.1",
    }
    row = read(tmp_path, "cert.create", "TC000I", identity={**identity, "access_requests": [REQUEST]})
    assert (row["actor_uid"], row["src_ip"]) == ("mira", "192.0.2.1")
    assert row["issued_credential_uid"] == "teleport:cert/u-1"
    assert row["issued_expires_at"].isoformat() == "2026-10-05T09:00:00.500000+00:00"
    assert row["detail"] == {"issued_duration_seconds": 3600, "event_type": "TC000I"}
    assert keys(row) == {("approval", REQUEST, "carries")}


def test_a_bots_certificates_hang_under_its_instance(tmp_path: Path) -> None:
    """Who joins shows a web identity and gets an instance; with that it asks for certificates."""
    attributes = {"sub": "repo:northwind/shop:environment:production", "repository": "northwind/shop"}
    bot = {"bot_name": "deployer", "bot_instance_id": "i-1", "user": None, "user_kind": None}
    join = read(tmp_path, "bot.join", success=True, method="github", attributes=attributes, **bot)
    assert (join["actor_uid"], join["actor_kind"], join["workload_uid"]) == ("bot-deployer", "workload", "i-1")
    assert join["issued_credential_uid"] == "teleport:bot-instance/i-1"
    assert keys(join) == {("federated_subject", "repo:northwind/shop:environment:production", "carries")}
    identity = {"user": "bot-deployer", "impersonator": "bot-deployer", "roles": ["deploy"], **bot}
    cert = read(tmp_path, "cert.create", identity={**identity, "user": "bot-deployer"}, user=None, user_kind=None)
    assert cert["credential_uid"] == "teleport:bot-instance/i-1"
    assert (cert["actor_kind"], cert["on_behalf_of_uid"]) == ("workload", None)
    assert cert["detail"]["role_arn"] == "teleport:deploy"
    failed = read(tmp_path, "bot.join", "TJ001E", success=False, **bot)
    assert (failed["outcome"], failed["issued_credential_uid"]) == ("failure", None)


def test_who_is_impersonated_and_by_whom(tmp_path: Path) -> None:
    """The record's user is whom somebody appears as; the impersonator stands behind."""
    row = read(tmp_path, "session.start", user="ci", impersonator="jon")
    assert (row["actor_uid"], row["on_behalf_of_uid"]) == ("ci", "jon")


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({"user_kind": 1}, "human"),
        ({"user_kind": 2}, "workload"),
        ({"user_kind": "USER_KIND_SYSTEM"}, "service"),
        ({"user_kind": None, "user": "bot-x"}, "workload"),
        ({"user_kind": 0}, "unknown"),
        ({"user_kind": 9}, "unknown"),
    ],
)
def test_kinds_of_actors(members: dict[str, Any], kind: str, tmp_path: Path) -> None:
    """The record says it; where an older cluster did not, only a bot's name shows."""
    assert read(tmp_path, "session.start", **members)["actor_kind"] == kind


@pytest.mark.parametrize(
    ("event", "code", "members", "outcome"),
    [
        ("user.login", "T1000I", {"success": True}, "success"),
        ("user.login", "T1000W", {"success": False, "error": "invalid username or password"}, "failure"),
        ("db.session.start", "TDB00W", {"success": False, "error": "access to db denied"}, "denied"),
        ("kube.request", "T3009I", {"response_code": 200}, "success"),
        ("kube.request", "T3009I", {"response_code": 403}, "denied"),
        ("kube.request", "T3009I", {"response_code": 404}, "failure"),
        ("session.rejected", "T1006W", {}, "denied"),
        ("session.command", "T4000I", {"return_code": 0}, "success"),
        ("session.command", "T4000I", {"return_code": -2}, "failure"),
        ("exec", "T3002E", {"exitError": "exit status 1"}, "failure"),
        ("session.data", "", {}, "unknown"),
    ],
)
def test_how_an_act_ended(event: str, code: str, members: dict[str, Any], outcome: str, tmp_path: Path) -> None:
    """The last letter of the code, the status of the service behind, or the error's words."""
    row = read(tmp_path, event, code, **members)
    assert row["outcome"] == outcome
    assert row["error_code"] == (code if outcome not in ("success", "unknown") else None)


@pytest.mark.parametrize(
    ("members", "resource"),
    [
        ({"db_service": "orders", "server_id": "s"}, f"/{CLUSTER}/db/orders"),
        ({"app_name": "grafana"}, f"/{CLUSTER}/app/grafana"),
        ({"kubernetes_cluster": "prod"}, f"/{CLUSTER}/kube_cluster/prod"),
        (
            {"kubernetes_cluster": "prod", "kubernetes_pod_namespace": "shop", "kubernetes_pod_name": "web-0"},
            f"/{CLUSTER}/pod/prod/shop/web-0",
        ),
        ({"server_id": f"n-1.{CLUSTER}"}, f"/{CLUSTER}/node/n-1"),
    ],
)
def test_resources_are_written_as_in_access_requests(members: dict[str, Any], resource: str, tmp_path: Path) -> None:
    """So that what was used and what was granted can be compared."""
    assert read(tmp_path, "session.start", **members)["resource_uids"] == [resource]


def test_a_join_tokens_secret_name_stands_in_no_column(tmp_path: Path) -> None:
    """Of the method `token` the name is the secret; of the others it is public."""
    secret = read(tmp_path, "join_token.create", name="abcdef0123456789", join_method="token")
    assert "abcdef0123456789" not in json.dumps({**secret, "raw": "", "event_at": "", "event_hour": ""}, default=str)
    public = read(tmp_path, "join_token.create", name="deployer-k8s", join_method="kubernetes")
    assert public["resource_uids"] == [f"/{CLUSTER}/join_token/deployer-k8s"]


def request(event: str, **members: Any) -> dict[str, Any]:
    return record(f"access_request.{event}", id=REQUEST, **members)


def test_an_access_request_is_an_approval_through_its_states(tmp_path: Path) -> None:
    """Who asked, who answered, when and until when; a record of it is one event and no activity besides."""
    resource = {"cluster": CLUSTER, "kind": "kube_cluster", "name": "prod"}
    asked = request(
        "create",
        state="PENDING",
        roles=["dba"],
        reason="OPS-7",
        expires="2026-10-05T12:00:00Z",
        assume_start_time="2026-10-05T09:00:00Z",
        resource_ids=[resource],
    )
    row = only("teleport_audit", asked, tmp_path)
    assert (row["kind"], row["approval_uid"], row["action"], row["task"]) == (
        "approval",
        REQUEST,
        "approval:requested",
        "OPS-7",
    )
    assert row["detail"] == {
        "status": "requested",
        "origin": "ticket",
        "subject": "mira@northwind.example",
        "requested_by": "mira@northwind.example",
        "requested_at": "2026-10-05T08:00:00.000000Z",
        "valid_from": "2026-10-05T09:00:00.000000Z",
        "valid_until": "2026-10-05T12:00:00.000000Z",
        "scope": ["dba", f"/{CLUSTER}/kube_cluster/prod"],
        "roles": ["teleport:dba"],
        "resources": [f"/{CLUSTER}/kube_cluster/prod", f"/{CLUSTER}/*/prod/*"],
    }
    states = {
        "approved": request("review", state="APPROVED", proposed_state="APPROVED", reviewer="ana", user="ana"),
        "denied": request("update", state="DENIED", updated_by="plugin", delegator="ana", user=None),
        "expired": request("expire", expires="2026-10-05T12:00:00Z", user=None, user_kind=None),
        "revoked": request("delete", user="ana"),
    }
    for status, answer in states.items():
        row = only("teleport_audit", answer, tmp_path)
        assert (row["kind"], row["action"]) == ("approval", f"approval:{status}")
        assert row["actor_uid"] == (None if status == "expired" else "ana")
        assert row["detail"].get("approved_by") == ("ana" if status in ("approved", "denied") else None)
        assert "subject" not in row["detail"]


def test_a_review_that_decides_nothing_is_an_act_of_the_reviewer(tmp_path: Path) -> None:
    """One vote of several: the request stays pending, and nobody approved it yet."""
    pending = request("review", state="PENDING", proposed_state="APPROVED", reviewer="jon", user="jon")
    row = only("teleport_audit", pending, tmp_path)
    assert (row["kind"], row["actor_uid"], row["approval_uid"]) == ("activity", "jon", None)
    assert row["resource_uids"] == [f"/{CLUSTER}/access_request/{REQUEST}"]
    assert keys(row) == set()


def test_the_configuration_says_what_a_role_means_elsewhere(tmp_path: Path) -> None:
    """`approval_scopes` turns Teleport's role into the words of the logs where it is used."""
    meant = {"dba*": {"actions": ("teleport:db.*",), "roles": ("arn:aws:iam::111122223333:role/dba",), "resources": ()}}
    options = Options(hash_key=b"k", approval_scopes={"teleport_audit": meant})
    data = json.dumps(request("create", state="PENDING", roles=["DBA-orders"])).encode()
    (row,) = rows("teleport_audit", data, tmp_path, options)
    assert row["detail"]["actions"] == ["teleport:db.*"]
    assert row["detail"]["roles"] == ["teleport:DBA-orders", "arn:aws:iam::111122223333:role/dba"]
    assert "resources" not in row["detail"]


def test_a_workload_identity_lets_its_holder_appear_as_its_spiffe_id(tmp_path: Path) -> None:
    """The SVID's serial number or token id is the credential; its SPIFFE id is whom others will see."""
    name = "spiffe://northwind.example/shop"
    row = read(tmp_path, "spiffe.svid.issued", "TSPIFFE000I", spiffe_id=name, svid_type="x509", serial_number="0a:1b")
    assert row["issued_credential_uid"] == "teleport:svid/0a:1b"
    assert keys(row) == {("bearer", name, "names")}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"event": None}, "no event: not a Teleport audit record"),
        ({"time": "2023-09-20T23:00:000.000000Z"}, "no time"),
        ({"time": NO_TIME}, "impossible time"),
        ({"event": "access_request.create", "id": None}, "no id of the access request"),
    ],
)
def test_what_a_record_needs(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    """A name, a time, and of an access request its id."""
    found = quarantined("teleport_audit", json.dumps({**record("user.login"), **change}).encode(), tmp_path)
    assert [row.reason for row in found] == [reason]


def test_an_array_of_events_is_read_like_lines(tmp_path: Path) -> None:
    """As the web interface's own answers hold them."""
    data = json.dumps({"events": [record("user.login", uid="a"), record("user.login", uid="b")], "startKey": ""})
    assert claimed_by(data.encode()) == ["teleport_audit"]
    assert [row["native_id"] for row in rows("teleport_audit", data.encode(), tmp_path)] == ["a", "b"]


def third_party_events(folder: Path) -> list[dict[str, Any]]:
    with gzip.open(folder / "panther_tests.jsonl.gz") as file:
        lines = [json.loads(line) for line in file]
    return [line["event"] for line in lines if line["log_type"] == "Gravitational.TeleportAudit"]


def test_real_events_are_read(third_party: Path, tmp_path: Path) -> None:
    """15 real events: 14 are read, one whose time was damaged is put aside, and each says who did what to what."""
    found = third_party_events(third_party)
    data = "\n".join(map(json.dumps, found)).encode()
    assert claimed_by(data) == ["teleport_audit"]
    read_ = rows("teleport_audit", data, tmp_path)
    put_aside = quarantined("teleport_audit", data, tmp_path)
    assert (len(found), len(read_), [row.reason for row in put_aside]) == (15, 14, ["no time"])
    timed = [event for event in found if event["event"] != "role.created"]
    for event, row in zip(timed, read_, strict=True):
        assert row["action"] == "teleport:" + event["event"]
        assert row["actor_uid"] == event.get("user", event.get("identity", {}).get("user"))
        assert row["outcome"] == "success"
        assert bool(row["resource_uids"]) == any(name in event for name in ("server_id", "name"))
        assert (row["issued_credential_uid"] is not None) == (event["event"] == "cert.create")
        assert row["detail"].get("mfa") == {
            "mfa_device": True,
            "local": False,
        }.get("mfa_device" if "mfa_device" in event else event.get("method", ""))
    long_lived = [row for row in read_ if row["detail"].get("issued_duration_seconds", 0) > 12 * 3600]
    assert [row["actor_uid"] for row in long_lived] == ["bot-application"]


@pytest.mark.parametrize("said", [["CHG-1"], "CHG-1"])
def test_an_approver_annotates_the_ticket(said: Any, tmp_path: Path) -> None:
    """The approval it names is another system's, so this one refers to it and does not bear its name."""
    answer = {"id": REQUEST, "state": "APPROVED", "annotations": {"ticket": said, "method": ["bot"]}}
    row = read(tmp_path, "access_request.update", "T5001I", **answer)
    assert keys(row) == {("approval", REQUEST, "names"), ("ticket", "CHG-1", "uses")}


def test_what_the_requester_annotates_or_writes_is_no_ticket(tmp_path: Path) -> None:
    """Before anybody answered, it is the requester's word."""
    asked = {"id": REQUEST, "state": "PENDING", "reason": "CHG-1", "annotations": {"ticket": ["CHG-1"]}}
    row = read(tmp_path, "access_request.create", "T5000I", **asked)
    assert keys(row) == {("approval", REQUEST, "names")}
