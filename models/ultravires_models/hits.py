"""HITS: what every rule and every anomaly model returns, one row per rule or model and matching row."""

import pyarrow as pa

UTC_MICROS = pa.timestamp("us", tz="UTC")

HITS = pa.schema(
    [
        pa.field("detector_id", pa.string(), nullable=False),
        pa.field("subject_kind", pa.string(), nullable=False),
        pa.field("subject_uid", pa.string(), nullable=False),
        pa.field("slot", pa.string(), nullable=False),
        pa.field("identity_id", pa.string()),
        pa.field("actor_uid", pa.string()),
        pa.field("chain_id", pa.string()),
        pa.field("hit_at", UTC_MICROS, nullable=False),
        pa.field("event_hour", UTC_MICROS, nullable=False),
        pa.field("evidence_event_ids", pa.list_(pa.string()), nullable=False),
        pa.field("message", pa.string(), nullable=False),
        pa.field("gaps", pa.list_(pa.string()), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
        pa.field("severity", pa.string()),
        pa.field("outcome", pa.string()),
        pa.field("act_event_ids", pa.list_(pa.string()), nullable=False),
    ]
)
"""score is 1.0 for rules, in [0, 1] for models; severity, where not null, overrides the detector's own; outcome is what
came of the act, where the hit is about one and a log says so that its subject cannot write to. act_event_ids are the
acts that the hit tells of, each of which is as bad without the others; empty where it says something else, such as how
a credential or an approval stands, or what several acts are together.
"""

SEVERITIES = ("informational", "low", "medium", "high", "critical")
