"""The published tables of docs/tables.md as empty DuckDB tables, for tests of what reads them."""

_T, _V, _L, _B, _N, _D = "timestamptz", "varchar", "varchar[]", "boolean", "bigint", "double"

_STEP_GAPS = {"gaps": _L}


def _columns(kind: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), kind)


COLUMNS: dict[str, dict[str, str]] = {
    "events": _columns(_V, "event_id log source native_id")
    | {"source_version": "integer"}
    | _columns(_T, "event_at event_hour ingested_at")
    | {"file_id": _V, "record_no": _N, "kind": _V, "class_uid": "integer", "activity_id": "integer"}
    | _columns(_V, "actor_uid actor_kind actor_name on_behalf_of_uid via_service account_uid workload_uid action")
    | {"resource_uids": _L}
    | _columns(_V, "outcome error_code src_ip user_agent credential_uid issued_credential_uid")
    | {"issued_expires_at": _T}
    | _columns(_V, "revoked_credential_uid approval_uid decision_uid tool_call_uid task args_hash")
    | {"keys": "struct(kind varchar, value varchar, role varchar)[]", "detail": _V, "raw_hash": _V},
    "identities": _columns(_V, "identity_id identity_kind name owner risk_tier")
    | {"is_nonhuman": _B, "aliases": _L, "logs": _L, "first_seen_at": _T, "last_seen_at": _T, "n_events": _N},
    "approvals": _columns(_V, "approval_id approval_uid origin status subject_uid requested_by approved_by")
    | _columns(_T, "requested_at approved_at valid_from valid_until revoked_at ends_at event_at event_hour")
    | _columns(_L, "actions resources roles tools event_ids")
    | _columns(_V, "ticket risk task event_id log identity_id")
    | {"is_granted": _B},
    "decisions": _columns(_V, "decision_id decision_uid event_id log subject_uid action tool result approver")
    | _columns(_T, "decided_at event_hour")
    | {"resource_uids": _L, "is_human": _B, "args_hash": _V, "identity_id": _V},
    "tool_calls": _columns(_V, "tool_call_id tool_call_uid event_id log agent_uid agent_name operation tool action")
    | _columns(_T, "called_at ended_at event_hour")
    | _columns(_V, "outcome args_hash workload_uid identity_id"),
    "credentials": _columns(_V, "credential_id credential_uid credential_kind issued_event_id issued_by_uid")
    | _columns(_V, "issuer_credential_uid holder_uid role_arn session_name revoked_event_id issue_ip issue_network")
    | _columns(_T, "issued_at expires_at revoked_at first_used_at last_used_at")
    | {"n_uses": _N, "account_uid": _V, "log": _V, "identity_id": _V},
    "links": _columns(_V, "link_id child_id parent_id kind spine method key_kind key_value")
    | {"confidence": _D, "n_candidates": _N, "is_primary": _B}
    | _columns(_T, "child_at parent_at event_hour")
    | _columns(_V, "child_event_id parent_event_id"),
    "chain_steps": _columns(_V, "chain_id step_id node_kind event_id root_id root_kind slice spine parent_id")
    | _columns(_T, "step_at event_hour")
    | {"depth": _N, "intent_confidence": _D, "authority_confidence": _D, "n_hops": _N, "confidence": _D}
    | _columns(_V, "intent_root_id intent_parent_id authority_root_id authority_parent_id")
    | _columns(_V, "actor_uid identity_id label action outcome")
    | {"is_accounted": _B, "resource_uids": _L, "is_privileged": _B, "is_counted": _B}
    | _STEP_GAPS,
    "chains": _columns(_V, "chain_id root_id root_kind slice identity_id approval_uid task risk")
    | _columns(_T, "started_at ended_at")
    | _columns(_N, "n_steps n_decisions n_tool_calls n_credentials n_activities n_privileged n_denied max_hops")
    | {"confidence": _D, "is_accounted": _B}
    | _columns(_L, "actor_uids account_uids gaps logs"),
    "controls": _columns(_V, "chain_id identity_id approved_for_task decided_at_run_time credential_short_lived")
    | _columns(_V, "credential_bound credential_ended logs_joined approver_distinct human_approval evidence")
    | {"n_failed": _N},
    "accounted": {"identity_id": _V, "day": "date", "n_activities": _N, "n_accounted": _N, "share": _D},
    "usage": _columns(_V, "identity_id actor_uid action resource_uid")
    | {"event_hour": _T, "n": _N, "n_denied": _N, "first_at": _T, "last_at": _T},
    "drift": _columns(_V, "drift_id identity_id actor_uid kind action")
    | {"first_at": _T, "last_at": _T, "n_events": _N, "n_denied": _N, "is_certain": _B}
    | _columns(_L, "resource_uids approval_uids evidence_event_ids"),
    "sources": _columns(_V, "log state")
    | {"evidence_kinds": _L}
    | {"newest_event_at": _T, "complete_until": _T, "n_events": _N, "n_quarantined": _N}
    | _columns("interval", "expected_delay max_silence"),
    "findings": _columns(_V, "finding_id detector_id detector_kind title message subject_kind subject_uid slot")
    | _columns(_V, "identity_id chain_id state severity risk_parts remediation rule_version facts_hash")
    | {"risk_score": _D, "evidence_event_ids": _L, "n_evidence": _N, "first_at": _T, "last_at": _T}
    | {"is_historic": _B, "is_suppressed": _B, "frameworks": _L, "class_uid": "integer", "revision": _N}
    | _STEP_GAPS,
    "alerts": _columns(_V, "alert_id finding_id sink state last_error body")
    | {"revision": _N, "activity_id": "integer", "n_attempts": _N, "created_at": _T, "sent_at": _T},
    "chain_aliases": _columns(_V, "old_id new_id run_id"),
    "runs": _columns(_V, "run_id software rules_hash config_hash counts")
    | {"schema_version": "integer", "n_files": _N}
    | _columns(_T, "started_at finished_at as_of"),
    "files": _columns(_V, "file_id path sha256 source state message")
    | _columns(_N, "size n_records n_events n_duplicates n_quarantined")
    | {"loaded_at": _T},
    "frameworks": _columns(_V, "reference framework version title"),
}
