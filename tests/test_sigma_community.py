"""The community's CloudTrail rules compile and run unmodified, on recorded attack events."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from conftest import REPO
from relations import AWS_CLOUDTRAIL, RELATIONS
from ultravires import registry
from ultravires.runs.run import run_once
from ultravires.store.warehouse import open_warehouse
from ultravires_models.cases import cloudtrail_row, create_relation
from ultravires_models.errors import RuleError
from ultravires_models.packs import Pack, PackFile, read_pack
from ultravires_models.rule import Rule, read_rule
from ultravires_models.rulebook import read_book
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


def test_a_log_without_a_table_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """A rule for a log that no relation holds says so and lists what there is."""
    path = tmp_path / "a.yml"
    detection = "detection: {s: {a: x}, condition: s}\n"
    path.write_text(f"title: one\nlogsource: {{product: windows, service: security}}\n{detection}", encoding="utf-8")
    with pytest.raises(RuleError, match=r"no table for logsource windows/security; known: .*aws/cloudtrail"):
        read_rule(path, RELATIONS)


@needs_data
def test_every_rule_of_the_community_runs_unmodified() -> None:
    """All 109 rules of the packaged folder, over four logs; none is refused."""
    book = read_book([read_pack(DATA / "sigmahq_rules", "community")], RELATIONS)
    assert book.refused() == []
    assert len(book.rules) == 109
    by_relation = {rule.relation.name: rule.relation for rule in book.rules}
    assert sorted(by_relation) == ["aws/cloudtrail", "github/audit", "kubernetes/audit", "okta/okta"]
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        for name, relation in by_relation.items():
            create_relation(con, relation, [])
            rules = [rule for rule in book.rules if rule.relation.name == name]
            assert con.execute(compile_rules(rules, relation)).fetchall() == []


NAMED = {
    ("okta", "okta"): ({"eventType|startswith": "user.", "actor.alternateId|exists": True}, "okta_system"),
    ("github", "audit"): ({"action": "personal_access_token.*"}, "github_audit"),
    ("kubernetes", "audit"): ({"verb": "create", "objectRef.resource|exists": True}, "kubernetes_audit"),
    ("gcp", "gcp.audit"): ({"gcp.audit.method_name|endswith": "ExchangeToken"}, "gcp_audit"),
    ("gcp", "audit"): ({"data.protoPayload.methodName|endswith": "ExchangeToken"}, "gcp_audit"),
    ("azure", "activitylogs"): ({"OperationName|endswith": "/START/ACTION"}, "azure_activity"),
    ("azure", "auditlogs"): ({"properties.message": "Add service principal"}, "entra_audit"),
    ("azure", "signinlogs"): ({"ResultType": 0}, "entra_signin"),
    ("azure", "pim"): ({"action": "selfActivate"}, "entra_pim"),
    ("m365", "audit"): ({"Operation|startswith": "Update application"}, "m365_audit"),
    ("vault", "audit"): ({"request.path|exists": True}, "vault_audit"),
    ("teleport", "audit"): ({"event|exists": True}, "teleport_audit"),
    ("anthropic", "audit"): ({"ultravires.action|exists": True}, "anthropic_audit"),
}


@pytest.fixture(scope="module")
def events_of_samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The events of every source's sample, as a run stores them."""
    home = tmp_path_factory.mktemp("samples") / "home"
    run_once(REPO / "data" / "sources", home, config=None, as_of="")
    with open_warehouse(home) as warehouse:
        warehouse.con.execute("create temp table touched_hours as select distinct event_hour from events")
        yield warehouse.con


@pytest.mark.parametrize("named", NAMED, ids="/".join)
def test_records_of_every_log_are_read_by_the_names_of_public_rules(
    named: tuple[str, str], events_of_samples: duckdb.DuckDBPyConnection
) -> None:
    """A rule over the vendor's fields finds records of that log, and of no other, in the samples of all sources."""
    (product, service), (selection, log) = named, NAMED[named]
    document = {
        "title": "x",
        "logsource": {"product": product, "service": service},
        "detection": {"s": selection, "condition": "s"},
    }
    book = read_book([Pack("p", (PackFile("x.yml", yaml.safe_dump(document).encode()),))], RELATIONS)
    assert book.refused() == []
    hits = events_of_samples.execute(compile_rules(book.rules, book.rules[0].relation)).fetchall()
    evidence = [event for hit in hits for event in hit[9]]
    found = events_of_samples.execute(
        "select distinct log from events where list_contains($ids, event_id)", {"ids": evidence}
    ).fetchall()
    assert found == [(log,)]


def test_every_log_has_a_name_in_rules() -> None:
    assert {source.log for source in registry.sources().values()} <= {relation.log for relation in RELATIONS}
    assert len({relation.name for relation in RELATIONS}) == len(RELATIONS)
