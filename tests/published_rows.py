"""The rows of the small published home of published_fixture.py, a table's row a call."""

from datetime import date, timedelta

import duckdb
from published_putting import (
    ASK_CHAIN,
    CHAIN,
    FINDING,
    KEY_CHAIN,
    KEY_FINDING,
    ROLES,
    TRACE,
    at,
    put,
    put_link,
    put_step,
)


def fill_world(con: duckdb.DuckDBPyConnection) -> None:
    """Every table of the home; see published_fixture.py for the story."""
    _fill_ticket(con)
    _fill_credentials(con)
    _fill_rootless(con)
    _fill_judgements(con)
    _fill_overview(con)


# fmt: off
def _fill_ticket(con: duckdb.DuckDBPyConnection) -> None:
    put(con, "approvals", approval_id="approval:APR-1", approval_uid="APR-1", origin="ticket",
        status="approved", subject_uid="agent-invoice", requested_by="dana@example.com",
        approved_by="lee@example.com", valid_from=at("09:00"), valid_until=at("12:00"), ends_at=at("12:00"),
        ticket="OPS-7", risk="high", task="triage the invoices of October", actions=["s3:Get*"],
        event_ids=["ev-APR-1"], event_id="ev-APR-1")
    put_step(con, "approval:APR-1", "09:00", label="triage the invoices of October",
        action="approval:approved")
    read, write = (f"tool_call:{TRACE}/01", f"tool_call:{TRACE}/02")
    put_step(con, "decision:DEC-1", "09:05", "approval:APR-1", label="allow read_invoice",
        action="read_invoice")
    put(con, "decisions", decision_id="decision:DEC-1", decision_uid="DEC-1", result="allow",
        tool="read_invoice")
    put_step(con, read, "09:05:02", "decision:DEC-1", label="read_invoice", key=("decision", "DEC-1"))
    put_step(con, write, "09:40", "approval:APR-1", label="write_policy", gaps=["no decision"],
        is_privileged=True)
    for uid, tool in (("01", "read_invoice"), ("02", "write_policy")):
        put(con, "tool_calls", tool_call_id=f"tool_call:{TRACE}/{uid}", tool_call_uid=f"{TRACE}/{uid}",
            tool=tool, agent_name="Invoice triage", operation="execute_tool")
    put_step(con, "activity:e-assume-1", "09:05:03", read, key=("request", "r1"), action="sts:AssumeRole")
    put_step(con, "activity:e-get", "09:06", read, key=("request", "r2"), also="credential:ASIA1",
        action="s3:GetObject", resource_uids=["arn:aws:s3:::invoices/10.pdf"])


def _fill_credentials(con: duckdb.DuckDBPyConnection) -> None:
    parent = "approval:APR-1"
    for nth, (clock, role) in enumerate(zip(("09:05:03", "09:10", "09:20"), ROLES, strict=True), start=1):
        node, carried = (f"credential:ASIA{nth}", nth == 1)
        put_step(con, node, clock, parent, spine="authority", event_id=f"e-assume-{nth}", label=role,
            method="carried" if carried else "exact_key", confidence=0.8 if carried else 1.0,
            key=("source_identity", "APR-1") if carried else ("credential", f"ASIA{nth - 1}"))
        put(con, "credentials", credential_id=node, credential_uid=f"ASIA{nth}", credential_kind="session",
            issued_at=at(clock), expires_at=at("13:00"), role_arn=role, n_uses=2,
            account_uid=role.split(":")[4])
        parent = node
    acts = (("activity:e-assume-2", "09:10", 1, "sts:AssumeRole"),
            ("activity:e-assume-3", "09:20", 2, "sts:AssumeRole"),
            ("activity:e-list", "09:25", 3, "s3:ListBucket"), ("activity:e-late", "12:30", 3, "s3:GetObject"))
    for step_id, clock, nth, action in acts:
        put_step(con, step_id, clock, f"credential:ASIA{nth}", spine="authority",
            key=("credential", f"ASIA{nth}"), action=action, confidence=0.8,
            gaps=["no tool call"] if nth == 3 else [])
    put_step(con, "activity:e-policy", "09:40:02", f"tool_call:{TRACE}/02", also="credential:ASIA3",
        key=("request", "r9"), action="s3:PutBucketPolicy", is_privileged=True,
        resource_uids=["arn:aws:s3:::archive"])
    put_step(con, "activity:e-user", "09:50", "credential:ASIA3", spine="authority",
        key=("credential", "ASIA3"), action="iam:CreateUser", is_privileged=True, outcome="denied",
        gaps=["no tool call"])
    put_link(con, "credential:ASIA1", "approval:APR-0", "authority", method="attribute_window",
        key=("role", ROLES[0]), confidence=0.15, n_candidates=2, is_primary=False)


def _fill_rootless(con: duckdb.DuckDBPyConnection) -> None:
    put(con, "credentials", credential_id="credential:AKIA9", credential_uid="AKIA9",
        credential_kind="static", n_uses=1)
    batch = {"chain": KEY_CHAIN, "root": "credential:AKIA9", "spine": "authority",
             "actor_uid": "batch-export", "identity_id": "batch-export"}
    put_step(con, "credential:AKIA9", "02:00", label="AKIA9", gaps=["no approval"], event_id="never-issued",
        **batch)
    put_step(con, "activity:e-secret", "02:00", "credential:AKIA9", key=("credential", "AKIA9"),
        gaps=["no approval"], action="secretsmanager:GetSecretValue", **batch)
    ask = {"chain": ASK_CHAIN, "root": "approval:ask-1"}
    put(con, "approvals", approval_id="approval:ask-1", approval_uid="ask-1", origin="human_request",
        status="approved", approved_by="dana@example.com", task="send me the summary",
        event_ids=["ev-ask-1"])
    put_step(con, "approval:ask-1", "15:00", label="send me the summary", **ask)
    put_step(con, "tool_call:ffff/09", "15:01", "approval:ask-1", label="send_mail", gaps=["no decision"],
        **ask)


def _fill_judgements(con: duckdb.DuckDBPyConnection) -> None:
    shared = {"detector_kind": "rule", "slot": "", "state": "open", "gaps": [], "is_historic": False,
              "is_suppressed": False, "class_uid": 2004, "revision": 1, "rule_version": "0123456789ab"}
    put(con, "findings", finding_id=FINDING, detector_id="ultravires_activity_outside_approval",
        title="Activity outside the approved actions", message="s3:PutBucketPolicy is not among s3:Get*",
        subject_kind="activity", subject_uid="e-policy", identity_id="agent-invoice", chain_id=CHAIN,
        severity="high", risk_score=74.0, risk_parts='{"severity": 60, "privilege": 14}',
        evidence_event_ids=["e-policy", "ev-APR-1"], n_evidence=2, first_at=at("09:40:02"),
        last_at=at("09:40:02"), frameworks=["owasp-asi.asi03"],
        remediation="Widen the approval or take the permission away.", **shared)
    put(con, "findings", finding_id=KEY_FINDING, detector_id="rare_action", title="First use of an action",
        message="batch-export never read a secret before", subject_kind="actor_action",
        subject_uid="batch-export secretsmanager:GetSecretValue", severity="low",
        identity_id="batch-export", chain_id=KEY_CHAIN, risk_score=21.0,
        risk_parts='{"severity": 20, "anomaly": 1}', evidence_event_ids=["e-secret"], n_evidence=1,
        first_at=at("02:00"), last_at=at("02:00"), frameworks=[], remediation="Ask the owner.",
        **shared | {"detector_kind": "model", "is_historic": True})
    put(con, "frameworks", reference="owasp-asi.asi03", framework="OWASP Agentic Top 10", version="2026",
        title="Identity and privilege abuse")
    put(con, "drift", drift_id="d1", identity_id="agent-invoice", actor_uid="agent-invoice",
        kind="overreach", action="s3:PutBucketPolicy", first_at=at("09:40:02"), last_at=at("09:40:02"),
        n_events=1, n_denied=0, resource_uids=["arn:aws:s3:::archive"], approval_uids=["APR-1"],
        is_certain=True, evidence_event_ids=["e-policy"])
    for chain, verdict in ((CHAIN, "fail"), (KEY_CHAIN, "unknown"), (ASK_CHAIN, "pass")):
        put(con, "controls", chain_id=chain, identity_id="agent-invoice", approved_for_task=verdict,
            n_failed=1, decided_at_run_time=verdict, credential_short_lived="pass",
            credential_bound="unknown", credential_ended=verdict, logs_joined="pass",
            approver_distinct="pass", human_approval=verdict)


def _fill_overview(con: duckdb.DuckDBPyConnection) -> None:
    put(con, "chains", chain_id=CHAIN, root_id="approval:APR-1", root_kind="approval",
        identity_id="agent-invoice", approval_uid="APR-1", task="triage the invoices of October",
        risk="high", started_at=at("09:00"), ended_at=at("12:30"), n_steps=14, n_decisions=1,
        n_tool_calls=2, n_credentials=3, n_activities=8, n_privileged=3, n_denied=1, max_hops=3,
        confidence=0.8, is_accounted=True, gaps=["no decision", "no tool call"])
    put(con, "chains", chain_id=KEY_CHAIN, root_id="credential:AKIA9", root_kind="credential", n_steps=2,
        identity_id="batch-export", started_at=at("02:00"), ended_at=at("02:00"), n_credentials=1,
        n_activities=1, is_accounted=False, gaps=["no approval"])
    put(con, "chains", chain_id=ASK_CHAIN, root_id="approval:ask-1", root_kind="approval", n_steps=2,
        n_tool_calls=1, identity_id="agent-invoice", started_at=at("15:00"), ended_at=at("15:01"),
        is_accounted=True, gaps=["no decision"])
    put(con, "chain_aliases", old_id="ch_older", new_id="ch_old", run_id="r1")
    put(con, "chain_aliases", old_id="ch_old", new_id=CHAIN, run_id="r2")
    for day, identity, n, good in ((4, "agent-invoice", 10, 10), (5, "agent-invoice", 8, 6),
                                   (5, "batch-export", 1, 0)):
        put(con, "accounted", identity_id=identity, day=date(2026, 10, day), n_activities=n,
            n_accounted=good, n_by_task=good, n_by_standing=0, share=good / n)
    put(con, "accounted_by_method", identity_kind="agent", method="carried", is_standing=False, n_activities=16)
    put(con, "accounted_by_method", identity_kind="agent", method="none", is_standing=False, n_activities=2)
    for identity, kind in (("agent-invoice", "agent"), ("batch-export", "service")):
        put(con, "identities", identity_id=identity, identity_kind=kind, name=identity, is_nonhuman=True,
            n_events=9)
    put(con, "usage", identity_id="agent-invoice", action="s3:GetObject", event_hour=at("09:00"), n=4,
        n_denied=0)
    for log, kind, state in (("aws_cloudtrail", "activity", "complete"), ("otel_genai", "tool_call", "late"),
                             ("approvals", "approval", "complete"), ("opa_decisions", "decision", "silent"),
                             ("okta_system", "activity", "absent")):
        seen = None if state == "absent" else at("15:00")
        put(con, "sources", log=log, evidence_kinds=[kind], state=state, newest_event_at=seen,
            complete_until=seen, n_events=4 if seen else 0, n_quarantined=0,
            expected_delay=timedelta(minutes=15))
    put(con, "runs", run_id="r2", software="0.1.0", as_of=at("15:01"), started_at=at("16:00"),
        finished_at=at("16:01"))
    put(con, "files", file_id="file-activity", path="aws/one.json.gz", source="aws_cloudtrail",
        state="loaded")
# fmt: on
