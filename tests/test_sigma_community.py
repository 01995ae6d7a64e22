"""The community's CloudTrail rules compile and run unmodified, on recorded attack events."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from relations import AWS_CLOUDTRAIL, RELATIONS
from ultravires_models.cases import cloudtrail_row, create_relation
from ultravires_models.errors import RuleError
from ultravires_models.rule import Rule, read_rule
from ultravires_models.sigma.runner import compile_rules

DATA = Path(__file__).parents[2] / "shared" / "data"
RULES = DATA / "sigmahq_rules" / "cloud" / "aws" / "cloudtrail"
needs_data = pytest.mark.skipif(not RULES.is_dir(), reason="third-party data is not here")

EXPECTED = {
    ("aws.defense-evasion.vpc-remove-flow-logs", "aws_cloudtrail_vpc_flow_logs_deleted"),
    ("aws.execution.ssm-send-command", "aws_cloudtrail_ssm_malicious_usage"),
    (
        "aws.exfiltration.ec2-security-group-open-port-22-ingress",
        "aws_cloudtrail_security_group_change_ingress_egress",
    ),
    ("aws.exfiltration.ec2-share-ebs-snapshot", "aws_snapshot_backup_exfiltration"),
    ("aws.persistence.iam-create-admin-user", "aws_iam_backdoor_users_keys"),
    ("aws.persistence.lambda-layer-extension", "aws_new_lambda_layer_attached"),
    ("aws.privilege-escalation.iam-update-user-login-profile", "aws_update_login_profile"),
}


@pytest.fixture(scope="module")
def rules() -> list[Rule]:
    return [read_rule(path, RELATIONS) for path in sorted(RULES.glob("*.yml"))]


@pytest.fixture(scope="module")
def attacks() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        create_relation(con, AWS_CLOUDTRAIL, list(_recorded()))
        yield con


def _recorded() -> Iterator[dict[str, Any]]:
    for path in sorted((DATA / "stratus_cloudtrail").glob("*.json")):
        for record in json.loads(path.read_text(encoding="utf-8"))["Records"]:
            yield {**cloudtrail_row(record), "event_id": path.stem}


@needs_data
def test_all_rules_run_in_one_statement(rules: list[Rule], attacks: duckdb.DuckDBPyConnection) -> None:
    """All 57 rules compile to one statement, and find what their authors wrote them for."""
    assert len(rules) == 57
    hits = attacks.execute(compile_rules(rules, AWS_CLOUDTRAIL)).fetchall()
    assert {(row[9][0], row[0]) for row in hits} >= EXPECTED


@needs_data
def test_together_they_say_what_each_says_alone(rules: list[Rule], attacks: duckdb.DuckDBPyConnection) -> None:
    """One pass for all rules gives exactly the hits of one pass for each."""
    together = sorted(attacks.execute(compile_rules(rules, AWS_CLOUDTRAIL)).fetchall(), key=repr)
    alone = [hit for rule in rules for hit in attacks.execute(compile_rules([rule], AWS_CLOUDTRAIL)).fetchall()]
    assert together == sorted(alone, key=repr)


def test_a_correlation_is_refused_in_one_line(tmp_path: Path) -> None:
    """A rule file with a correlation is refused by name, instead of running half of it."""
    path = tmp_path / "many.yml"
    path.write_text(
        "title: one\nname: one\nlogsource: {product: aws, service: cloudtrail}\n"
        "detection: {s: {eventName: x}, condition: s}\n---\n"
        "title: many\ncorrelation: {type: event_count, rules: [one], group-by: [a],"
        " timespan: 1h, condition: {gte: 5}}\n",
        encoding="utf-8",
    )
    with pytest.raises(RuleError, match=r"many\.yml: holds more than one rule of one event") as raised:
        read_rule(path, RELATIONS)
    assert "\n" not in str(raised.value)


@pytest.mark.skipif(not DATA.is_dir(), reason="third-party data is not here")
def test_a_log_without_a_table_is_refused_with_the_known_ones() -> None:
    """A rule for a log that no relation holds says so and lists what there is."""
    path = next(iter(sorted((DATA / "sigmahq_rules" / "application" / "github" / "audit").glob("*.yml"))))
    with pytest.raises(RuleError, match=r"no table for logsource github/audit; known: .*aws/cloudtrail"):
        read_rule(path, RELATIONS)
