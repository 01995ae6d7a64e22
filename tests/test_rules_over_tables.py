"""Rules over our own tables: a rule file is all that it takes, and a wrong one is one line and a row."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import ultravires
import ultravires_models
import yaml
from conftest import REPO, SAMPLES
from relations import RELATIONS
from ultravires.build.table_schemas import RUNS, table_schemas
from ultravires.store.warehouse import Warehouse, open_warehouse
from ultravires_models.cases import failed_cases, read_cases
from ultravires_models.hits import HITS
from ultravires_models.packs import read_pack
from ultravires_models.relation import Relation
from ultravires_models.rule import Rule, read_rule
from ultravires_models.rulebook import OURS as OUR_PACK
from ultravires_models.rulebook import read_book
from ultravires_models.sigma.runner import compile_rules

THROW_AWAY = {
    "denied_use": ("usage", {"n_denied|gte": 1, "action|startswith": "s3:"}),
    "key_that_lasts": ("credentials", {"credential_kind": "static"}),
    "two_controls_fail": ("controls", {"n_failed|gte": 2}),
    "drift_from_an_approval": ("drift", {"kind": "overreach", "approval_uids|contains": "APR-"}),
}
"""Rules that nobody ships: name -> table and selection."""

NOT_IN_THE_SAMPLES = {
    "conflicts",
    "denied_then_allowed",
    "emergency_uses",
    "habits",
    "new_uses",
    "quarantine",
    "replaced_files",
    "review_decisions",
    "tombstones",
    "unread_records",
}
"""Tables that a run over the samples leaves empty."""


def write_rule(folder: Path, name: str, table: str, selection: dict[str, object]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "title": f"Throw-away rule {name}",
        "name": name,
        "level": "low",
        "tags": ["owasp-nhi.nhi05"],
        "logsource": {"product": "ultravires", "service": table},
        "detection": {"selection": selection, "condition": "selection"},
    }
    path = folder / f"{name}.yml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def warehouse(sample_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """That of a copy of the home with the samples; every hour is to be looked at."""
    copy = tmp_path_factory.mktemp("tables") / "home"
    shutil.copytree(sample_home, copy)
    with open_warehouse(copy) as opened:
        opened.con.execute("create temp table touched_hours as select distinct event_hour from events")
        yield opened


def any_rule(folder: Path, relation: Relation) -> Rule:
    """A rule of which every row of the relation is a hit."""
    return read_rule(
        write_rule(folder, "any_row", relation.service, {f"{next(iter(relation.columns))}|exists": True}), RELATIONS
    )


OURS = [relation for relation in RELATIONS if relation.product == "ultravires"]


def test_every_published_table_from_before_the_rules_can_be_named() -> None:
    """What a run writes of findings and of itself comes after the rules; the rest needs no Python to be read."""
    wanted = {name for name, table in table_schemas().items() if table.is_published and table.layer != RUNS}
    assert {relation.service for relation in OURS} == wanted


@pytest.mark.parametrize("relation", OURS, ids=lambda relation: relation.service)
def test_a_row_of_any_published_table_becomes_a_whole_hit(
    tmp_path: Path, warehouse: Warehouse, relation: Relation
) -> None:
    """Subject, time, hour, evidence and gaps are there, without a section in the rule."""
    hits = warehouse.con.sql(compile_rules([any_rule(tmp_path, relation)], relation)).to_arrow_table().cast(HITS)
    required = [field.name for field in HITS if not field.nullable]
    assert {name: hits[name].null_count for name in required} == dict.fromkeys(required, 0)
    assert (hits.num_rows == 0) == (relation.service in NOT_IN_THE_SAMPLES)


@pytest.mark.parametrize("name", THROW_AWAY)
def test_cases_of_a_rule_over_any_table_can_be_checked(tmp_path: Path, name: str) -> None:
    """Also where the row's time or subject is looked up in another table."""
    rule = read_rule(write_rule(tmp_path, name, *THROW_AWAY[name]), RELATIONS)
    rows = {
        "denied_use": '{"n_denied": 3, "action": "s3:GetObject", "identity_id": "x"}',
        "key_that_lasts": '{"credential_kind": "static", "credential_uid": "AKIA1"}',
        "two_controls_fail": '{"chain_id": "ch_1", "n_failed": 2, "evidence": "{}"}',
        "drift_from_an_approval": '{"drift_id": "dr_1", "kind": "overreach", "approval_uids": ["APR-1"]}',
    }
    path = tmp_path / f"{name}.cases.jsonl"
    path.write_text(
        f'{{"name": "fires", "fires": true, "row": {rows[name]}}}\n{{"name": "silent", "fires": false, "row": {{}}}}\n',
        encoding="utf-8",
    )
    assert failed_cases(rule, read_cases(path, rule.relation), RELATIONS) == []


def run_with_rules(
    tmp_path: Path,
    home: Path,
    *write: tuple[str, str],
    logs: Path = SAMPLES,
    config: Path = SAMPLES / "ultravires.yaml",
) -> subprocess.CompletedProcess[str]:
    """`ultravires run` by an installation that has these rule files, too."""
    models = tmp_path / "models" / "ultravires_models"
    shutil.copytree(Path(next(iter(ultravires_models.__path__))), models, dirs_exist_ok=True)
    for name, text in write:
        (models / "rules" / "ultravires" / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "ultravires", "run", "--json"]
    command += ["--input", str(logs), "--home", str(home), "--config", str(config)]
    paths = os.pathsep.join([str(models.parent), str(REPO / "pipelines")])
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False)


def test_a_rule_file_over_a_published_table_is_all_it_takes(sample_home: Path, tmp_path: Path) -> None:
    """Four rules over four tables, one of them over `drift.approval_uids`, become findings in the next run."""
    home = tmp_path / "home"
    shutil.copytree(sample_home, home)
    paths = [write_rule(tmp_path / "rules", name, *rule) for name, rule in THROW_AWAY.items()]
    done = run_with_rules(tmp_path, home, *((path.name, path.read_text(encoding="utf-8")) for path in paths))
    assert done.returncode == 0, done.stderr
    with ultravires.open(home) as con:
        found = con.execute(
            "select detector_id, count(*), count(*) filter (where first_at is null or n_evidence = 0) "
            "from findings where list_contains($names, detector_id) group by all",
            {"names": list(THROW_AWAY)},
        ).fetchall()
    assert {row[0] for row in found} == set(THROW_AWAY)
    assert all(n > 0 and n_bare == 0 for _, n, n_bare in found)


def test_a_row_without_a_time_is_found_in_a_home_without_events(tmp_path: Path) -> None:
    """A declared identity that no log knows has no time at all; the hit has that of the run."""
    home, config = tmp_path / "home", tmp_path / "ultravires.yaml"
    config.write_text("identities: [{id: nobody, kind: agent}]", encoding="utf-8")
    rule = write_rule(tmp_path / "rules", "no_owner", "identities", {"owner": None}).read_text(encoding="utf-8")
    (tmp_path / "logs").mkdir()
    done = run_with_rules(tmp_path, home, ("no_owner.yml", rule), logs=tmp_path / "logs", config=config)
    assert done.returncode == 0, done.stderr
    with ultravires.open(home) as con:
        assert con.execute("select subject_uid, first_at is not null from findings").fetchall() == [("nobody", True)]


RIGHT = """
title: A rule
name: a_rule
level: low
tags: [owasp-asi.asi03]
logsource: {product: ultravires, service: usage}
detection: {selection: {n: 1}, condition: selection}
ultravires: {subject: {kind: action, column: action}, message: "{action} was used"}
"""

BROKEN = {
    "bad YAML": (("title: A rule", "title: [A"), "a_rule.yml"),
    "not a mapping": (("title: A rule", "- A rule\n- x"), "a_rule.yml"),
    "no UTF-8": (("A rule", "A \udcff rule"), "a_rule.yml"),
    "unknown log source": (
        ("service: usage", "service: findings"),
        "no table for logsource ultravires/findings; known",
    ),
    "no log source": (("logsource:", "log_source:"), "a_rule.yml"),
    "unknown column": (("{n: 1}", "{nn: 1}"), "a_rule: usage has no column 'nn'; known: access, action, actor_uid"),
    "unknown column of the subject": (("column: action", "column: act"), "usage has no column 'act'"),
    "unknown column of the message": (("{action} was", "{act} was"), "a_rule: usage has no column 'act'"),
    "unknown tag": (("asi03", "asi99"), "references owasp-asi.asi99 do not stand in frameworks.csv"),
    "tags of another kind": (("[owasp-asi.asi03]", "5"), "a_rule.yml"),
    "no detection": (("detection:", "detektion:"), "a_rule.yml"),
    "no condition": ((", condition: selection", ""), "a_rule.yml"),
    "condition without a selection": (("condition: selection", "condition: other"), "a_rule"),
    "section of another kind": (
        ('ultravires: {subject: {kind: action, column: action}, message: "{action} was used"}', "ultravires: [1]"),
        "ultravires: a mapping of class_uid, evidence",
    ),
    "message of another kind": (('"{action} was used"', "5"), "ultravires: message is 5; write a text"),
    "column of another kind": (("column: action", "column: {a: b}"), "usage has no column {'a': 'b'}"),
    "another name than the file's": (("name: a_rule", "name: b_rule"), "must be the file's name"),
}


@pytest.mark.parametrize(("changed", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_one_line_and_a_row(tmp_path: Path, changed: tuple[str, str], words: str) -> None:
    """The line names the rule and what is wrong, and the rule beside it works."""
    (tmp_path / "ours").mkdir()
    text = RIGHT.replace(*changed).encode("utf-8", "surrogateescape")
    (tmp_path / "ours" / "a_rule.yml").write_bytes(text)
    (tmp_path / "ours" / "good.yml").write_text(RIGHT.replace("name: a_rule", "name: good"), encoding="utf-8")
    book = read_book([read_pack(tmp_path, OUR_PACK)], RELATIONS)
    assert [rule.detector_id for rule in book.rules] == ["good"]
    (line,) = book.refused()
    assert words in line
    assert "a_rule" in line
    assert "\n" not in line
    assert [row["status"] for row in book.table().to_pylist()] == ["refused", "ok"]


def test_a_run_goes_on_beside_a_broken_rule(tmp_path: Path) -> None:
    """It is a line of the result and a row of the table `rules`; the others' rows stand there, too."""
    (tmp_path / "logs").mkdir()
    (old, new), words = BROKEN["unknown column"]
    broken = ("a_rule.yml", RIGHT.replace(old, new))
    done = run_with_rules(tmp_path, tmp_path / "home", broken, logs=tmp_path / "logs")
    assert done.returncode == 0, done.stderr
    (line,) = json.loads(done.stdout)["rules_refused"]
    assert words in line
    with ultravires.open(tmp_path / "home") as con:
        assert con.execute("select name, reason from rules where status = 'refused'").fetchall() == [
            ("a_rule", line.partition("a_rule.yml: ")[2])
        ]
        assert con.execute("select count(*) > 30 from rules where pack = 'ultravires'").fetchone() == (True,)
