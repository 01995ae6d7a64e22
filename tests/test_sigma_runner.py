"""The statement that runs all rules of a relation, and the HITS rows it gives."""

from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from relations import APPROVAL_FACTS, AWS_CLOUDTRAIL, CHAIN_STEPS, DRIFT, RELATIONS, STEP_FACTS
from ultravires_models.cases import cloudtrail_row, create_relation, table_row
from ultravires_models.errors import RuleError
from ultravires_models.hits import HITS
from ultravires_models.relation import Relation
from ultravires_models.rule import Rule, read_rule
from ultravires_models.sigma.runner import compile_probe, compile_rules

ANY_SELECTION = {"selection": {"event_id|exists": True}, "condition": "selection"}


def make_rule(
    path: Path,
    name: str,
    relation: Relation,
    detection: dict[str, Any],
    section: dict[str, Any] | None = None,
) -> Rule:
    document: dict[str, Any] = {
        "title": f"Title of {name}",
        "name": name,
        "logsource": {"product": relation.product, "service": relation.service},
        "detection": detection,
    }
    if section is not None:
        document["ultravires"] = section
    file = path / f"{name}.yml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return read_rule(file, RELATIONS)


def run(rules: list[Rule], relation: Relation, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        create_relation(con, relation, rows)
        return con.sql(compile_rules(rules, relation)).to_arrow_table().to_pylist()


def step(**row: Any) -> dict[str, Any]:
    return table_row({"event_id": "e1", "step_id": "activity:e1", **row}, STEP_FACTS)


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.name)
def test_every_relation_gives_the_columns_of_hits(tmp_path: Path, relation: Relation) -> None:
    """Names, order and types of the answer are those of HITS, so the engine can materialise it as it is."""
    field = "eventName" if relation.raw_column else next(iter(relation.columns))
    rule = make_rule(tmp_path, "a", relation, {"s": {f"{field}|exists": True}, "condition": "s"})
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        for table in RELATIONS:
            create_relation(con, table, [])
        answer = con.sql(compile_rules([rule], relation)).to_arrow_table()
    assert answer.schema.names == HITS.names
    assert answer.cast(HITS).num_rows == 0
    assert answer.schema.field("hit_at").type == HITS.field("hit_at").type
    assert answer.schema.field("score").type == HITS.field("score").type


def test_one_row_per_rule_and_matching_row(tmp_path: Path) -> None:
    """Two rules over three rows give a hit for each pair that matches, from one read of the table."""
    rules = [
        make_rule(tmp_path, "a", STEP_FACTS, {"s": {"action": "s3:*"}, "condition": "s"}),
        make_rule(tmp_path, "b", STEP_FACTS, {"s": {"is_privileged": True}, "condition": "s"}),
    ]
    rows = [
        step(event_id="e1", action="s3:GetObject", is_privileged=False),
        step(event_id="e2", action="s3:PutBucketPolicy", is_privileged=True),
        step(event_id="e3", action="ec2:RunInstances"),
    ]
    hits = run(rules, STEP_FACTS, rows)
    assert sorted((hit["detector_id"], hit["subject_uid"]) for hit in hits) == [
        ("a", "e1"),
        ("a", "e2"),
        ("b", "e2"),
    ]
    assert compile_rules(rules, STEP_FACTS).count('FROM "step_facts"') == 1


def test_a_hit_carries_what_the_section_names(tmp_path: Path) -> None:
    """Subject, slot, evidence and message come from the rule's section, the rest from the relation."""
    section = {
        "subject": {"kind": "actor_action", "column": ["actor_uid", "action"]},
        "slot": "day",
        "evidence": "evidence_event_ids",
        "message": "{actor_uid} did {action} on {resource_uids} at {step_at}, {risk}",
        "remediation": "Stop it.",
        "class_uid": 2004,
    }
    rule = make_rule(tmp_path, "a", STEP_FACTS, ANY_SELECTION, section)
    row = step(
        actor_uid="bot",
        action="s3:GetObject",
        resource_uids=["r1", "r2"],
        evidence_event_ids=["e1", "a1", None],
        chain_id="ch_1",
        identity_id="bot-identity",
        gaps=["no decision"],
    )
    (hit,) = run([rule], STEP_FACTS, [row])
    assert (hit["subject_kind"], hit["subject_uid"], hit["slot"]) == (
        "actor_action",
        "bot s3:GetObject",
        "2026-11-02",
    )
    assert hit["message"] == "bot did s3:GetObject on r1, r2 at 2026-11-02T10:30:00Z, unknown"
    assert hit["evidence_event_ids"] == ["e1", "a1"]
    assert (hit["chain_id"], hit["identity_id"], hit["actor_uid"]) == ("ch_1", "bot-identity", "bot")
    assert (hit["gaps"], hit["score"], hit["severity"]) == (["no decision"], 1.0, None)


def test_a_hit_names_the_act_that_it_tells_of(tmp_path: Path) -> None:
    """The row's own event; none where the rule is about a credential or an approval; of drift only what was used."""
    of_action = make_rule(
        tmp_path, "a", STEP_FACTS, ANY_SELECTION, {"subject": {"kind": "event", "column": "event_id"}}
    )
    of_key = {"subject": {"kind": "credential", "column": "credential_uid"}}
    rules = [of_action, make_rule(tmp_path, "b", STEP_FACTS, ANY_SELECTION, of_key)]
    rows = [step(credential_uid="AKIA1", evidence_event_ids=["a1", "e1"])]
    hits = run(rules, STEP_FACTS, rows)
    assert {hit["detector_id"]: hit["act_event_ids"] for hit in hits} == {"a": ["e1"], "b": []}
    drift = make_rule(tmp_path, "c", DRIFT, {"s": {"drift_id": "dr_1"}, "condition": "s"})
    for kind, acts in (("overreach", ["e1"]), ("over_grant", [])):
        row = table_row({"drift_id": "dr_1", "kind": kind, "n_events": 1, "evidence_event_ids": ["e1"]}, DRIFT)
        (hit,) = run([drift], DRIFT, [row])
        assert hit["act_event_ids"] == acts


def test_a_row_may_say_how_severe_it_is(tmp_path: Path) -> None:
    """Where the column is null, the rule's level counts."""
    rule = make_rule(tmp_path, "a", STEP_FACTS, ANY_SELECTION, {"severity": "risk"})
    hits = run([rule], STEP_FACTS, [step(step_id="a", risk="medium"), step(step_id="b", risk=None)])
    assert sorted(str(hit["severity"]) for hit in hits) == ["None", "medium"]


def test_a_row_without_its_subject_is_about_the_row(tmp_path: Path) -> None:
    """A null subject column loses no hit: the row's own id becomes the subject, and its kind says so."""
    credential = {"subject": {"kind": "credential", "column": "credential_uid"}}
    rule = make_rule(tmp_path, "a", STEP_FACTS, ANY_SELECTION, credential)
    (hit,) = run([rule], STEP_FACTS, [step(credential_uid=None)])
    assert (hit["subject_kind"], hit["subject_uid"]) == ("event", "e1")
    pair = {"subject": {"kind": "actor_action", "column": ["actor_uid", "action"]}}
    drift = make_rule(tmp_path, "b", DRIFT, {"s": {"kind": "overreach"}, "condition": "s"}, pair)
    row = table_row({"drift_id": "dr_1", "kind": "overreach", "action": "a:B", "actor_uid": None}, DRIFT)
    (hit,) = run([drift], DRIFT, [row])
    assert (hit["subject_kind"], hit["subject_uid"]) == ("drift", "dr_1")


def test_each_relation_maps_time_and_actor(tmp_path: Path) -> None:
    """The moment, the hour and the actor of a hit come from the columns that the relation has for them."""
    approval = make_rule(tmp_path, "a", APPROVAL_FACTS, ANY_SELECTION)
    row = {
        "event_id": "a1",
        "subject_uid": "bot",
        "event_at": "2026-11-02T10:30:00Z",
        "event_hour": "2026-11-02T10:00:00Z",
    }
    (hit,) = run([approval], APPROVAL_FACTS, [row])
    assert (hit["actor_uid"], hit["hit_at"].minute, hit["event_hour"].minute) == ("bot", 30, 0)
    drift = make_rule(tmp_path, "b", DRIFT, {"s": {"kind": "overreach"}, "condition": "s"})
    (hit,) = run([drift], DRIFT, [{"drift_id": "dr_1", "kind": "overreach", "first_at": "2026-11-02T10:30:00Z"}])
    assert (hit["hit_at"].minute, hit["event_hour"].minute, hit["chain_id"]) == (30, 0, None)
    chain_step = make_rule(tmp_path, "c", CHAIN_STEPS, ANY_SELECTION)
    (hit,) = run([chain_step], CHAIN_STEPS, [table_row({"event_id": "e1", "chain_id": "ch_1"}, CHAIN_STEPS)])
    assert (hit["evidence_event_ids"], hit["chain_id"]) == (["e1"], "ch_1")


def test_only_touched_hours_of_the_log_are_read(tmp_path: Path) -> None:
    """Over raw CloudTrail a row counts when its hour is touched and its log is CloudTrail."""
    rule = make_rule(tmp_path, "a", AWS_CLOUDTRAIL, {"s": {"eventName": "X"}, "condition": "s"})
    times = {"in": "2026-11-02T10:10:00Z", "out": "2026-11-02T11:10:00Z", "other log": "2026-11-02T10:10:00Z"}
    rows = [cloudtrail_row({"eventID": name, "eventName": "X", "eventTime": at}) for name, at in times.items()]
    rows[2]["log"] = "otel_genai"
    statement = compile_rules([rule], AWS_CLOUDTRAIL)
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        create_relation(con, AWS_CLOUDTRAIL, rows)
        con.execute("DELETE FROM touched_hours WHERE event_hour <> '2026-11-02T10:00:00Z'")
        assert [row[2] for row in con.execute(statement).fetchall()] == ["in"]
    assert statement.startswith("WITH hours AS (SELECT event_hour FROM touched_hours)")


def test_messages_bound_and_flatten_log_values(tmp_path: Path) -> None:
    """A log value in a message is cut at 200 characters and cannot start a new line."""
    section = {"message": "{userAgent} with '{{requestParameters.name}'"}
    rule = make_rule(tmp_path, "a", AWS_CLOUDTRAIL, {"s": {"eventName": "X"}, "condition": "s"}, section)
    record = {"eventName": "X", "userAgent": "a\r\n\x1b[31m" + "b" * 500, "requestParameters": {"name": "n"}}
    (hit,) = run([rule], AWS_CLOUDTRAIL, [cloudtrail_row(record)])
    assert hit["message"].startswith("a [31mbbb")
    assert hit["message"].endswith("b with '{n'")
    assert len(hit["message"]) == 200 + len(" with '{n'")


def test_compiling_is_pure(tmp_path: Path) -> None:
    """The same rules give the same statement again, also after they were compiled beside others."""
    rules = [make_rule(tmp_path, name, STEP_FACTS, {"s": {"action": name}, "condition": "s"}) for name in ("a", "b")]
    alone = compile_rules(rules[:1], STEP_FACTS)
    compile_rules(rules, STEP_FACTS)
    assert compile_rules(rules[:1], STEP_FACTS) == alone


def test_rules_of_another_relation_and_no_rules_are_refused(tmp_path: Path) -> None:
    """A statement is for the rules of one relation, and for at least one of them."""
    rule = make_rule(tmp_path, "a", STEP_FACTS, ANY_SELECTION)
    with pytest.raises(RuleError, match="a: is not a rule of ultravires/drift"):
        compile_rules([rule], DRIFT)
    with pytest.raises(RuleError, match="no rules for ultravires/drift"):
        compile_rules([], DRIFT)


@pytest.mark.parametrize(
    ("detection", "passes_over"),
    [
        ({"a": {"node_kind": "activity"}, "condition": "a"}, True),
        ({"a": {"node_kind": ["activity", "credential"]}, "condition": "a"}, True),
        ({"a": {"node_kind": "activity", "is_privileged": True}, "condition": "a"}, True),
        ({"a": {"node_kind": "activity"}, "b": {"is_privileged": True}, "condition": "a or b"}, True),
        ({"a": {"node_kind": "activity"}, "b": {"is_privileged": False}, "condition": "a or b"}, False),
        ({"a": {"node_kind": "activity"}, "b": {"is_privileged": True}, "condition": "a and not b"}, True),
        ({"a": {"node_kind": "activity"}, "b": {"is_privileged": True}, "condition": "a or not b"}, False),
        ({"a": {"is_privileged": True}, "condition": "not a"}, False),
    ],
)
def test_a_probe_passes_over_only_what_cannot_match(
    detection: dict[str, Any], passes_over: bool, tmp_path: Path
) -> None:
    """Of a negation it knows nothing; and where it passes over a row, no rule matches it."""
    rules = [make_rule(tmp_path, "a_rule", STEP_FACTS, detection)]
    rows = [step(node_kind="tool_call", is_privileged=False)]
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        create_relation(con, STEP_FACTS, rows)
        assert (con.execute(compile_probe(rules, STEP_FACTS)).fetchall() == []) == passes_over
    if passes_over:
        assert run(rules, STEP_FACTS, rows) == []
