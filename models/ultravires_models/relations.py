"""The relations that rules can name in `logsource`: our own tables, and raw CloudTrail."""

from collections.abc import Mapping, Sequence

from ultravires_models.errors import RuleError
from ultravires_models.relation import ColumnKind, Relation

NO_LIST = "[]::VARCHAR[]"
NO_TEXT = "NULL::VARCHAR"


def _columns(**names_by_kind: str) -> Mapping[str, ColumnKind]:
    kinds: dict[str, ColumnKind] = {
        "text": "text",
        "lists": "list",
        "bools": "bool",
        "numbers": "number",
        "times": "time",
    }
    return {name: kinds[group] for group, names in names_by_kind.items() for name in names.split()}


STEP_FACTS = Relation(
    product="ultravires",
    service="step_facts",
    table="step_facts",
    columns=_columns(
        text="chain_id step_id node_kind event_id actor_uid actor_kind identity_id action outcome "
        "approval_id approval_event_id approval_status decision_id decision_event_id tool_call_id "
        "tool_call_event_id credential_uid held_credential_uid issued_event_id role_arn risk",
        lists="resource_uids gaps evidence_event_ids",
        bools="is_nonhuman is_privileged has_no_approval is_after_approval_end is_outside_actions "
        "is_outside_resources is_denied_by_decision has_no_decision has_changed_arguments is_after_task_end "
        "is_outside_roles is_other_network mints_credential is_confused_deputy",
        numbers="confidence",
        times="step_at event_hour task_ended_at",
    ),
    hit_at_sql="step_at",
    event_hour_sql="event_hour",
    row_kind="event",
    row_uid_sql="coalesce(event_id, step_id)",
    evidence="evidence_event_ids",
)

APPROVAL_FACTS = Relation(
    product="ultravires",
    service="approval_facts",
    table="approval_facts",
    columns=_columns(
        text="approval_id approval_uid event_id chain_id identity_id subject_uid requested_by approved_by "
        "status origin risk task",
        lists="evidence_event_ids",
        bools="is_self_approved is_high_risk is_hasty",
        numbers="answer_seconds",
        times="event_at event_hour",
    ),
    hit_at_sql="event_at",
    event_hour_sql="event_hour",
    row_kind="event",
    row_uid_sql="event_id",
    evidence="evidence_event_ids",
    actor_sql="subject_uid",
    gaps_sql=NO_LIST,
)

DRIFT = Relation(
    product="ultravires",
    service="drift",
    table="drift",
    columns=_columns(
        text="drift_id identity_id actor_uid kind action",
        lists="resource_uids approval_ids evidence_event_ids",
        bools="is_certain",
        numbers="n_events n_denied",
        times="first_at last_at",
    ),
    hit_at_sql="first_at",
    event_hour_sql="date_trunc('hour', first_at)",
    row_kind="drift",
    row_uid_sql="drift_id",
    evidence="evidence_event_ids",
    chain_sql=NO_TEXT,
    gaps_sql=NO_LIST,
)

CHAIN_STEPS = Relation(
    product="ultravires",
    service="chain_steps",
    table="chain_steps",
    columns=_columns(
        text="chain_id step_id node_kind event_id root_id root_kind slice spine parent_id intent_root_id "
        "intent_parent_id authority_root_id authority_parent_id actor_uid identity_id label action outcome",
        lists="resource_uids gaps",
        bools="is_accounted is_privileged is_counted",
        numbers="depth n_hops confidence intent_confidence authority_confidence",
        times="step_at event_hour",
    ),
    hit_at_sql="step_at",
    event_hour_sql="event_hour",
    row_kind="event",
    row_uid_sql="coalesce(event_id, step_id)",
    evidence="event_id",
)

AWS_CLOUDTRAIL = Relation(
    product="aws",
    service="cloudtrail",
    table="events",
    columns=_columns(
        text="event_id actor_uid actor_kind actor_name account_uid action outcome error_code src_ip "
        "user_agent credential_uid issued_credential_uid",
        lists="resource_uids",
        times="event_at event_hour",
    ),
    hit_at_sql="event_at",
    event_hour_sql="event_hour",
    row_kind="event",
    row_uid_sql="event_id",
    evidence="event_id",
    identity_sql="actor_uid",
    chain_sql=NO_TEXT,
    gaps_sql=NO_LIST,
    where_sql="log = 'aws_cloudtrail'",
    raw_column="raw",
    is_by_hour=True,
)

RELATIONS: Sequence[Relation] = (STEP_FACTS, APPROVAL_FACTS, DRIFT, CHAIN_STEPS, AWS_CLOUDTRAIL)


def find_relation(product: str | None, service: str | None) -> Relation:
    """The relation of a log source. RuleError, listing the known ones, where there is none."""
    for relation in RELATIONS:
        if (relation.product, relation.service) == (product, service):
            return relation
    known = ", ".join(f"{relation.product}/{relation.service}" for relation in RELATIONS)
    raise RuleError(f"no table for logsource {product}/{service}; known: {known}")
