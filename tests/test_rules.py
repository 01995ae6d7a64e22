"""The rule pack: every rule is complete, and does what its cases say."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
import ultravires_models
from relations import AWS_CLOUDTRAIL, RELATIONS
from rule_mutants import mutants
from ultravires_models.cases import (
    Case,
    cloudtrail_row,
    create_relation,
    failed_cases,
    failed_window_cases,
    fired_in,
    read_cases,
    read_window_cases,
)
from ultravires_models.correlation import Correlation
from ultravires_models.describe import DETECTORS, describe
from ultravires_models.detectors.rare_action import DETECTOR
from ultravires_models.errors import RuleError
from ultravires_models.frameworks import frameworks_table, load_frameworks
from ultravires_models.packs import read_pack
from ultravires_models.relation import Relation
from ultravires_models.rule import PLACEHOLDER, Rule, build_rule, read_documents, read_rule
from ultravires_models.rulebook import OURS, read_book
from ultravires_models.sigma.runner import compile_candidates, compile_probe, compile_rules

ROOT = Path(ultravires_models.__file__).parent / "rules"
DATA = Path(__file__).parents[2] / "shared" / "data"
BOOK = read_book([read_pack(ROOT, OURS)], RELATIONS)
RULES = BOOK.speaking()
WINDOWS = [each for each in BOOK.detectors() if isinstance(each, Correlation)]
FILES = {entry.detector_id: ROOT / entry.file for entry in BOOK.entries}
CASES_PER_RULE = [pytest.param(rule, id=rule.detector_id) for rule in RULES]
OF_EVERY_LOG = ("activity_effects", "step_facts", "sign_ins")
"""Tables in which one rule speaks for many logs."""

MINIMAL = """
title: A rule
name: a_rule
level: low
tags: [owasp-asi.asi03]
logsource: {product: ultravires, service: step_facts}
detection: {selection: {is_privileged: true}, condition: selection}
"""

TECHNIQUES = {
    "aws.credential-access.secretsmanager-batch-retrieve-secrets": {"aws_cloudtrail_secrets_read_in_bulk"},
    "aws.defense-evasion.cloudtrail-event-selectors": {"aws_cloudtrail_audit_logging_weakened"},
    "aws.defense-evasion.dns-delete-logs": {"aws_cloudtrail_audit_logging_weakened"},
    "aws.defense-evasion.vpc-remove-flow-logs": {"aws_cloudtrail_audit_logging_weakened"},
    "aws.execution.ssm-send-command": {"aws_cloudtrail_shell_command_sent"},
    "aws.exfiltration.ec2-security-group-open-port-22-ingress": {"aws_cloudtrail_admin_port_opened_to_world"},
    "aws.exfiltration.ec2-share-ebs-snapshot": {"aws_cloudtrail_snapshot_shared"},
    "aws.impact.bedrock-invoke-model": {"aws_cloudtrail_model_access_enabled"},
    "aws.lateral-movement.ec2-instance-connect": {"aws_cloudtrail_ssh_key_pushed"},
    "aws.persistence.iam-backdoor-role": {"aws_cloudtrail_role_trust_changed"},
    "aws.persistence.iam-create-admin-user": {"aws_cloudtrail_admin_policy_granted"},
    "aws.persistence.iam-create-user-login-profile": {"aws_cloudtrail_password_set_for_other_user"},
    "aws.persistence.rolesanywhere-create-trust-anchor": {"aws_cloudtrail_external_trust_added"},
    "aws.privilege-escalation.iam-update-user-login-profile": {"aws_cloudtrail_password_set_for_other_user"},
}
"""The other four of the 18 recorded techniques need counts of events, or a baseline of what is usual."""


def cases_of(rule: Rule) -> list[Case]:
    return read_cases(FILES[rule.detector_id].with_suffix(".cases.jsonl"), rule.relation)


def test_none_of_our_rules_is_refused() -> None:
    assert BOOK.refused() == []


@pytest.mark.parametrize("window", [pytest.param(each, id=each.detector_id) for each in WINDOWS])
def test_every_case_of_a_window_holds(window: Correlation) -> None:
    """Each has firing and silent cases, of which one leaves the bound by one event where events are counted."""
    cases = read_window_cases(FILES[window.detector_id].with_suffix(".cases.jsonl"), RELATIONS)
    assert {case.fires for case in cases} == {True, False}
    assert failed_window_cases(BOOK, window, cases) == []


@pytest.mark.parametrize("rule", CASES_PER_RULE)
def test_every_case_of_a_rule_holds(rule: Rule) -> None:
    """Each rule has a firing and a silent case, and the compiled SQL decides every one as the case says."""
    cases = cases_of(rule)
    assert {case.fires for case in cases} == {True, False}
    assert failed_cases(rule, cases, RELATIONS) == []


@pytest.mark.parametrize("name", [each.detector_id for each in (*RULES, *WINDOWS)])
def test_a_rule_that_speaks_for_several_logs_has_cases_of_two(name: str) -> None:
    """Firing and silent ones."""
    tables = {rule.detector_id: rule.relation.table_name for rule in RULES}
    logs: dict[bool, set[str]] = {True: set(), False: set()}
    for line in FILES[name].with_suffix(".cases.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        rows = case.get("rows") or [{"table": tables.get(name), "row": case.get("row", {})}]
        logs[case["fires"]] |= {
            row["row"]["log"] for row in rows if row["table"] in OF_EVERY_LOG and "log" in row["row"]
        }
        assert all("log" in row["row"] for row in rows if row["table"] in OF_EVERY_LOG)
    assert all(len(found) != 1 for found in logs.values()), logs


@pytest.mark.parametrize("rule", CASES_PER_RULE)
def test_the_cases_notice_each_fault_of_the_condition(rule: Rule) -> None:
    """Negated, with a part left out or a field left out, the rule does not do what its cases say."""
    (document,) = read_documents(FILES[rule.detector_id].read_bytes())
    unseen = {
        f"fault_{number}": (what, build_rule(each, f"fault_{number}", "1", RELATIONS))
        for number, (what, each) in enumerate(mutants(document))
    }
    assert unseen
    for case in cases_of(rule):
        if unseen:  # all that are left at once: planning costs more than what is asked of a row
            (fired,) = fired_in([faulty for _, faulty in unseen.values()], [case], RELATIONS)
            unseen = {name: fault for name, fault in unseen.items() if (name in fired) == case.fires}
    assert [what for what, _ in unseen.values()] == []


@pytest.mark.parametrize("rule", CASES_PER_RULE)
def test_the_probe_sees_every_row_that_fires(rule: Rule) -> None:
    """A run looks no further where the probe gives no row: it must give one for each row that any rule matches."""
    together = [other for other in RULES if other.relation is rule.relation]
    cases = cases_of(rule)
    for probe in (compile_probe([rule], rule.relation), compile_probe(together, rule.relation)):
        for case in (case for case in cases if case.fires):
            assert probed(probe, rule.relation, [case.row]), case.name


def probed(probe: str, relation: Relation, rows: list[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        create_relation(con, relation, rows)
        return con.execute(probe).fetchall()


@pytest.mark.parametrize("relation", sorted({rule.relation.table_name for rule in RULES}))
def test_a_rule_that_fires_is_among_the_candidates(relation: str) -> None:
    """Over few events only the candidates are asked: of the rows of all cases those must be found that fire, by what
    asks for all rules at once, and a row that fires one rule does not make a candidate of every rule.
    """
    rules = [rule for rule in RULES if rule.relation.table_name == relation]
    candidates = compile_candidates(rules, rules[0].relation)
    firing = {rule.detector_id: [case.row for case in cases_of(rule) if case.fires] for rule in rules}
    found = probed(candidates, rules[0].relation, [row for rows in firing.values() for row in rows])
    assert {name for (name,) in found} - {None} == firing.keys()
    name, rows = next(iter(firing.items()))
    of_one = {each for (each,) in probed(candidates, rules[0].relation, rows[:1])} - {None}
    assert name in of_one and (len(of_one) < len(rules) or len(rules) == 1)


@pytest.mark.parametrize("window", [pytest.param(window, id=window.detector_id) for window in WINDOWS])
def test_a_window_is_judged_where_any_of_its_rules_matches(window: Correlation) -> None:
    """With all that it names, each before whatever names it; where nothing matches that it names, it is left out."""
    by_name = {each.detector_id: each for each in BOOK.correlations}
    for name in window.rules:
        chosen = [each.detector_id for each in BOOK.correlations_over([name])]
        assert window.detector_id in chosen
        named = [each for each in window.rules if each in by_name]
        assert all(chosen.index(each) < chosen.index(window.detector_id) for each in named)
    others = {rule.detector_id for rule in BOOK.rules} - _named(window, by_name)
    assert window.detector_id not in {each.detector_id for each in BOOK.correlations_over(others)}


def _named(window: Correlation, by_name: Mapping[str, Correlation]) -> set[str]:
    """Of a window the rules of one event, and those of the windows that it names."""
    deeper = [_named(by_name[name], by_name) for name in window.rules if name in by_name]
    return {*window.rules}.union(*deeper)


def test_the_probe_passes_over_what_no_rule_is_about() -> None:
    """Else the long statement of all rules would be planned for every read of an object."""
    probe = compile_probe([rule for rule in RULES if rule.relation is AWS_CLOUDTRAIL], AWS_CLOUDTRAIL)
    read = {"eventSource": "s3.amazonaws.com", "eventName": "GetObject", "eventTime": "2026-11-02T10:30:00Z"}
    assert not probed(probe, AWS_CLOUDTRAIL, [cloudtrail_row(read)])
    assert probed(
        probe,
        AWS_CLOUDTRAIL,
        [cloudtrail_row(read | {"eventName": ["x", "StopLogging"], "eventSource": "cloudtrail.amazonaws.com"})],
    )


@pytest.mark.parametrize("rule", CASES_PER_RULE)
def test_a_rule_says_what_it_is_about_and_what_to_do(rule: Rule) -> None:
    """Description, false positives, subject, message, remediation and three frameworks are there."""
    assert rule.description
    assert rule.false_positives
    assert rule.subject_columns
    assert PLACEHOLDER.search(rule.message)
    assert rule.remediation.endswith(".")
    assert rule.detector_id.startswith({"aws": "aws_cloudtrail_", "ultravires": "ultravires_"}[rule.relation.product])
    assert len({load_frameworks()[reference].framework for reference in rule.frameworks}) >= 3


def test_every_cases_file_belongs_to_a_rule() -> None:
    """No cases are left behind when a rule goes or is renamed."""
    assert {path.name.removesuffix(".cases.jsonl") for path in ROOT.glob("*/*.cases.jsonl")} == {
        each.detector_id for each in BOOK.detectors()
    }


def test_chains_are_no_subjects() -> None:
    """Subjects are native and stable: never a chain, an identity, or what depends on later evidence."""
    forbidden = {"chain_id", "identity_id", "message", "confidence", "gaps", "drift_id"}
    assert not {column for rule in RULES for column in rule.subject_columns} & forbidden


@pytest.mark.parametrize("product", sorted({rule.relation.product for rule in RULES}))
def test_all_rules_of_a_relation_compile_together(product: str) -> None:
    """One statement holds all the rules of a relation, and DuckDB can plan and run it on an empty table."""
    by_relation: dict[str, list[Rule]] = defaultdict(list)
    for rule in RULES:
        if rule.relation.product == product:
            by_relation[rule.relation.service].append(rule)
    for rules in by_relation.values():
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            for relation in (*RELATIONS, rules[0].relation):  # a relation may look into other tables
                create_relation(con, relation, [])
            assert con.execute(compile_rules(rules, rules[0].relation)).fetchall() == []


@pytest.mark.skipif(not DATA.is_dir(), reason="third-party data is not here")
def test_recorded_attacks_are_found_by_technique() -> None:
    """14 of the 18 recorded attack techniques fire the rules meant for them, and no rule fires elsewhere."""
    records = (
        (path.stem, record)
        for path in sorted((DATA / "stratus_cloudtrail").glob("*.json"))
        for record in json.loads(path.read_text(encoding="utf-8"))["Records"]
    )
    assert fired_by_label(records) == TECHNIQUES


@pytest.mark.skipif(not DATA.is_dir(), reason="third-party data is not here")
def test_denied_calls_fire_only_where_a_try_counts() -> None:
    """Of 314 single calls, mostly denied, those against the audit logs fire, and one that succeeded."""
    with gzip.open(DATA / "traildiscover_cloudtrail.jsonl.gz", "rt", encoding="utf-8") as lines:
        records = [(f"{event['eventName']}", event) for event in (json.loads(line)["event"] for line in lines)]
    weakened = {"aws_cloudtrail_audit_logging_weakened"}
    assert fired_by_label(records) == {
        **dict.fromkeys(("DeleteTrail", "StopLogging", "DeleteFlowLogs", "DeleteDetector"), weakened),
        **dict.fromkeys(
            ("DeleteConfigurationRecorder", "DeleteDeliveryChannel", "StopConfigurationRecorder"), weakened
        ),
        "UpdateSAMLProvider": {"aws_cloudtrail_external_trust_added"},
    }


def fired_by_label(records: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, set[str]]:
    rules = [rule for rule in RULES if rule.relation is AWS_CLOUDTRAIL]
    rows = [{**cloudtrail_row(record), "event_id": label} for label, record in records]
    fired: dict[str, set[str]] = defaultdict(set)
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        create_relation(con, AWS_CLOUDTRAIL, rows)
        for hit in con.execute(compile_rules(rules, AWS_CLOUDTRAIL)).fetchall():
            fired[hit[9][0]].add(hit[0])
    return dict(fired)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (("name: a_rule", "name: other"), "must be the file's name"),
        (("owasp-asi.asi03", "owasp-asi.asi99"), "owasp-asi.asi99 do not stand in frameworks.csv"),
        (("level: low", "level: terrible"), "terrible"),
        (("is_privileged", "is_no_column"), None),
        (("service: step_facts", "service: nothing"), "no table for logsource ultravires/nothing"),
        (("detection:", "ultravires: {subjekt: 1}\ndetection:"), "unknown subjekt; known: class_uid"),
        (("detection:", "ultravires: {subject: {kind: x}}\ndetection:"), "exactly kind and column"),
        (("detection:", "ultravires: {subject: {kind: x, column: y}}\ndetection:"), "no column 'y'"),
        (("detection:", "ultravires: {slot: week}\ndetection:"), "slot is '' or day"),
        (("detection:", "ultravires: {class_uid: 1}\ndetection:"), "2004 or 2008"),
        (("title: A rule", "title: [A"), "a_rule.yml"),
        (("title: A rule", "- x"), "a_rule.yml"),
    ],
)
def test_a_wrong_rule_is_one_clear_line(tmp_path: Path, changed: tuple[str, str], words: str | None) -> None:
    """What is wrong with a rule file is one line that names it; columns are checked when it is compiled."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a_rule.yml").write_text(MINIMAL.replace(*changed), encoding="utf-8")
    if words is None:
        with pytest.raises(RuleError, match="a_rule: step_facts has no column"):
            rule = read_rule(tmp_path / "p" / "a_rule.yml", RELATIONS)
            compile_rules([rule], rule.relation)
        return
    (refused,) = read_book([read_pack(tmp_path, OURS)], RELATIONS).refused()
    assert words in refused and "a_rule.yml" in refused
    assert "\n" not in refused


def test_two_rules_of_one_name_are_refused(tmp_path: Path) -> None:
    """A detector id belongs to one file, whatever the product's folder."""
    for product in ("p", "q"):
        (tmp_path / product).mkdir()
        (tmp_path / product / "a_rule.yml").write_text(MINIMAL, encoding="utf-8")
    (refused,) = read_book([read_pack(tmp_path, OURS)], RELATIONS).refused()
    assert "is called a_rule already" in refused


def test_a_wrong_case_names_file_and_line(tmp_path: Path) -> None:
    """A case that names no column of the table is an error with its place, not a case that passes."""
    path = tmp_path / "a_rule.cases.jsonl"
    path.write_text('{"name": "x", "fires": true, "row": {"no_such": 1}}\n', encoding="utf-8")
    (tmp_path / "a_rule.yml").write_text(MINIMAL, encoding="utf-8")
    with pytest.raises(RuleError, match=r"a_rule\.cases\.jsonl:1: .*no_such"):
        read_cases(path, read_rule(tmp_path / "a_rule.yml", RELATIONS).relation)


def test_frameworks_hold_the_whole_lists() -> None:
    """The table holds both OWASP lists of ten, seven layers and four functions, and repeats none."""
    table = frameworks_table()
    references = table.column("reference").to_pylist()
    assert len(references) == len(set(references))
    counts = {prefix: sum(r.startswith(prefix) for r in references) for prefix in ("owasp-asi.", "owasp-nhi.")}
    assert counts == {"owasp-asi.": 10, "owasp-nhi.": 10}
    assert sum(reference.startswith("csa-maestro.") for reference in references) == 7
    assert sum(reference.startswith("nist-ai-rmf.") for reference in references) == 4
    assert all(value for column in table.column_names for value in table.column(column).to_pylist())


def test_describe_lists_rules_and_models() -> None:
    """The table `detectors` has one row per rule and model, with the version of its file."""
    table = describe(RULES, [DETECTOR])
    assert table.schema == DETECTORS
    rows = {row["detector_id"]: row for row in table.to_pylist()}
    assert len(rows) == len(RULES) + 1
    assert rows["rare_action"]["detector_kind"] == "model"
    assert rows["ultravires_self_approval"]["detector_kind"] == "rule"
    assert rows["ultravires_entitlement_overreach"]["class_uid"] == 2008
    assert all(len(row["version"]) == 12 and 0 < row["base_score"] <= 100 for row in rows.values())
