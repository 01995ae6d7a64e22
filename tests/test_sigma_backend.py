"""What Sigma's values and modifiers mean, each case run as SQL on one record in DuckDB."""

from base64 import b64encode
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from relations import AWS_CLOUDTRAIL, RELATIONS, STEP_FACTS
from ultravires_models.cases import cloudtrail_row, create_relation, table_row
from ultravires_models.errors import RuleError
from ultravires_models.relation import Relation
from ultravires_models.rule import read_rule
from ultravires_models.sigma.runner import compile_rules

RECORD: dict[str, Any] = {
    "eventName": "PutObject",
    "eventSource": "s3.amazonaws.com",
    "sourceIPAddress": "10.1.2.3",
    "note": '50% off_now a\\b it\'s "q"',
    "lines": "first\nsecond",
    "empty": "",
    "nothing": None,
    "readOnly": False,
    "size": 12.5,
    "count": "007",
    "notNumber": "nan",
    "eventTime": "2026-11-02T10:30:00Z",
    "userIdentity": {"type": "IAMUser", "userName": "Ann", "arn": "arn:aws:iam::1:user/ann"},
    "requestParameters": {
        "userName": "ann",
        "names": ["Alpha", "beta"],
        "emptyList": [],
        "items": [
            {"ports": {"from": 22}, "ranges": [{"cidr": "10.0.0.0/8"}, {"cidr": "0.0.0.0/0"}]},
            {"ports": {"from": 443}, "ranges": []},
            {"other": 1},
        ],
        "policyDocument": '{"Action": "*"}',
    },
    "ip6": "2001:DB8::8:800:200C:417A",
    "mapped": "::ffff:192.0.2.7",
    "ips": ["203.0.113.9", "not an address"],
    "encoded": b64encode(b"whoami").decode(),
    "encodedWide": b64encode("whoami".encode("utf-16-le")).decode(),
    "encodedBig": b64encode("whoami".encode("utf-16-be")).decode(),
    "encodedMarked": b64encode(b"\xff\xfe" + "whoami".encode("utf-16-le")).decode(),
    "encodedInside": b64encode(b"a secret word").decode(),
    "encodedWideInside": b64encode("my secret".encode("utf-16-le")).decode(),
    "command": "tool /enc x -nop",
    "prefix": "S3",
}


def write_rule(path: Path, detection: dict[str, Any], relation: Relation = AWS_CLOUDTRAIL) -> Path:
    document = {
        "title": "A test",
        "logsource": {"product": relation.product, "service": relation.service},
        "detection": detection,
    }
    file = path / "a_test.yml"
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return file


def fires(path: Path, detection: dict[str, Any], record: dict[str, Any] | None = None) -> bool:
    statement = compile_rules([read_rule(write_rule(path, detection), RELATIONS)], AWS_CLOUDTRAIL)
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        create_relation(con, AWS_CLOUDTRAIL, [cloudtrail_row(RECORD if record is None else record)])
        return bool(con.execute(statement).fetchall())


MATCHES: list[dict[str, Any]] = [
    {"eventName": "putobject"},
    {"eventName": "Put*"},
    {"eventName": "PutObjec?"},
    {"eventName": ["GetObject", "PutObject"]},
    {"eventName|startswith": "put"},
    {"eventName|endswith": "OBJECT"},
    {"eventName|contains": "tobj"},
    {"eventName|contains|all": ["put", "object"]},
    {"eventName|re": "^Put[A-Z]\\w+$"},
    {"eventName|re|i": "^put"},
    {"lines|re|m": "^second"},
    {"lines|re|s": "first.second"},
    {"lines": "first*second"},
    {"eventName|cased": "PutObject"},
    {"note|contains": "50% off"},
    {"note|contains": "off_now"},
    {"note|contains": "a\\b"},
    {"note|contains": "it's"},
    {"empty": ""},
    {"empty|exists": True},
    {"nothing": None},
    {"neverThere": None},
    {"neverThere|exists": False},
    {"nothing|exists": False},
    {"requestParameters.emptyList": None},
    {"userIdentity.type|exists": True},
    {"readOnly": False},
    {"readOnly": "false"},
    {"size": 12.5},
    {"count": 7},
    {"size|gt": 12},
    {"size|gte": 12.5},
    {"size|lt": 13},
    {"size|lte": 12.5},
    {"size|neq": 12},
    {"neverThere|neq": 1},
    {"eventTime|hour|gte": 10},
    {"sourceIPAddress|cidr": "10.0.0.0/8"},
    {"sourceIPAddress|cidr": ["192.0.2.0/24", "10.1.2.2/31"]},
    {"ips|cidr": "203.0.113.0/24"},
    {"mapped|cidr": "192.0.2.0/29"},
    {"ip6|cidr": "2001:db8::/32"},
    {"ip6|cidr": "2001:db8::8:800:200c:417a/128"},
    {"userIdentity.userName|fieldref": "requestParameters.userName"},
    {"userIdentity.arn|fieldref|endswith": "requestParameters.userName"},
    {"eventTime|hour": 10},
    {"eventTime|day": 2},
    {"eventTime|minute": 30},
    {"eventTime|week": 45},
    {"eventTime|month|gte": 11},
    {"eventTime|year": 2026},
    {"eventTime|hour|neq": 11},
    {"eventName|contains|neq": "get"},
    {"eventName|re|neq": "^Get"},
    {"sourceIPAddress|cidr|neq": "192.0.2.0/24"},
    {"userIdentity.type|fieldref|neq": "requestParameters.userName"},
    {"nothing": [None, "x"]},
    {"eventName": [None, "PutObject"]},
    {"eventName|neq": None},
    {"encoded|base64": "whoami"},
    {"encodedWide|wide|base64": "whoami"},
    {"encodedWide|utf16le|base64": "whoami"},
    {"encodedBig|utf16be|base64": "whoami"},
    {"encodedMarked|utf16|base64": "whoami"},
    {"encodedInside|base64offset|contains": "secret"},
    {"encodedWideInside|wide|base64offset|contains": "secret"},
    {"command|windash|contains": " -enc"},
    {"command|windash|contains|all": [" -enc", " -nop"]},
    {"lines|re|i|m": "^SECOND"},
    {"lines|re|multiline|dotall|ignorecase": "^FIRST.second"},
    {"userIdentity.arn|fieldref|contains": "requestParameters.userName"},
    {"eventSource|fieldref|startswith": "prefix"},
    {"eventName|cased|startswith": "Put"},
    {"requestParameters.names": "BETA"},
    {"requestParameters.names|contains|all": ["alph", "bet"]},
    {"requestParameters.items.ports.from": 443},
    {"requestParameters.items.ports.from|lt": 100},
    {"requestParameters.items.ranges.cidr|endswith": "/0"},
    {"requestParameters|contains": '"Action": "*"'},
    {"requestParameters.items|contains": '"cidr":"0.0.0.0/0"'},
]

MISSES: list[dict[str, Any]] = [
    {"eventName": "Put"},
    {"eventName": "PutObject?"},
    {"eventName|cased": "putobject"},
    {"eventName|re": "^put"},
    {"lines|re": "^second"},
    {"lines|re": "first.second"},
    {"note|contains": "50x off"},
    {"note|contains": "off.now"},
    {"note|contains": "offXnow"},
    {"eventName": ""},
    {"nothing": ""},
    {"neverThere": "*"},
    {"neverThere|exists": True},
    {"nothing|exists": True},
    {"empty": None},
    {"readOnly": True},
    {"size|gt": 12.5},
    {"size|neq": 12.5},
    {"notNumber|gt": 5},
    {"eventName|gt": 5},
    {"sourceIPAddress|cidr": "10.1.2.4/30"},
    {"eventName|cidr": "0.0.0.0/0"},
    {"ip6|cidr": "0.0.0.0/0"},
    {"ip6|cidr": "2001:db9::/32"},
    {"userIdentity.type|fieldref": "requestParameters.userName"},
    {"neverThere|fieldref": "nothing"},
    {"eventTime|hour": 11},
    {"eventTime|week|lt": 45},
    {"eventName|hour": 10},
    {"eventName|neq": [None, "PutObject"]},
    {"encoded|base64": "whoamI"},
    {"encoded|wide|base64": "whoami"},
    {"command|windash|contains": " -dec"},
    {"eventName|cased|startswith": "put"},
    {"eventTime|hour|lt": 10},
    {"requestParameters.names|contains|all": ["alph", "gamma"]},
    {"requestParameters.items.ports.from": 80},
    {"requestParameters.items.ranges.other": "x"},
]


@pytest.mark.parametrize("selection", MATCHES, ids=str)
def test_a_selection_matches_and_its_negation_does_not(tmp_path: Path, selection: dict[str, Any]) -> None:
    """A condition that holds fires, and the same under `not` is silent."""
    assert fires(tmp_path, {"selection": selection, "condition": "selection"})
    assert not fires(tmp_path, {"selection": selection, "condition": "not selection"})


@pytest.mark.parametrize("selection", MISSES, ids=str)
def test_a_selection_misses_and_its_negation_matches(tmp_path: Path, selection: dict[str, Any]) -> None:
    """A condition that fails, or whose field is missing, is silent; the same under `not` fires."""
    assert not fires(tmp_path, {"selection": selection, "condition": "selection"})
    assert fires(tmp_path, {"selection": selection, "condition": "not selection"})


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        (["tobjec"], True),
        (['it\'s "q"'], True),
        (["a\\b"], True),
        (["Put*arn:aws"], True),
        (["50x off"], False),
        (["not there", "IAMUSER"], True),
        ({"|all": ["PutObject", "IAMUser"]}, True),
        ({"|all": ["PutObject", "nowhere"]}, False),
        ({"|cased": "PutObject"}, True),
        ({"|cased": "putobject"}, False),
        ({"|re": '"readOnly":(false|0)'}, True),
        (["nowhere", 12.5], True),
    ],
)
def test_keywords_search_the_whole_record(tmp_path: Path, keywords: Any, expected: bool) -> None:
    """A keyword is found anywhere in the raw record, also where JSON writes it with escapes."""
    assert fires(tmp_path, {"keywords": keywords, "condition": "keywords"}) is expected


def test_a_filter_on_a_missing_field_hides_nothing(tmp_path: Path) -> None:
    """`selection and not filter` fires where the filter's field is absent: null swallows no event."""
    detection = {
        "selection": {"eventName": "PutObject"},
        "filter": {"errorCode": "AccessDenied", "userAgent|contains": "health"},
        "condition": "selection and not filter",
    }
    assert fires(tmp_path, detection)
    assert not fires(tmp_path, detection, {**RECORD, "errorCode": "accessdenied", "userAgent": "HealthCheck"})


def test_a_negated_expansion_negates_all_of_it(tmp_path: Path) -> None:
    """`not` before a modifier that expands into alternatives covers every alternative."""
    detection = {"selection": {"note|base64offset|contains": "secret"}, "condition": "not selection"}
    assert not fires(tmp_path, detection, {**RECORD, "note": "YSBzZWNyZXQ="})
    assert fires(tmp_path, detection)


def test_several_conditions_are_alternatives(tmp_path: Path) -> None:
    """A list of conditions fires when any of them does."""
    detection = {"a": {"eventName": "No"}, "b": {"eventName": "PutObject"}, "condition": ["a", "b"]}
    assert fires(tmp_path, detection)


@pytest.mark.parametrize("value", ["'; DROP TABLE events; --", '"', "\\", "%", "_", "'||1||'", "$$", "{x}"])
def test_values_stay_values(tmp_path: Path, value: str) -> None:
    """SQL, LIKE and JSON characters in a rule's value match themselves and nothing else."""
    detection = {"selection": {"note": value}, "condition": "selection"}
    assert fires(tmp_path, detection, {**RECORD, "note": value})
    assert not fires(tmp_path, detection, {**RECORD, "note": "x" * len(value)})


def test_hostile_records_do_not_break_the_statement(tmp_path: Path) -> None:
    """Quotes, NUL characters, odd types and lists in lists are data: the rule runs and decides."""
    detection = {"selection": {"requestParameters.names": "x"}, "condition": "selection"}
    for names in ("'; --", "a\x00b", [[["x"]]], {"x": "x"}, 5, True, [None, 1], "\N{PILE OF POO}"):
        assert not fires(tmp_path, detection, {**RECORD, "requestParameters": {"names": names}})
    assert fires(tmp_path, detection, {**RECORD, "requestParameters": [{"names": [None, "X"]}]})


@pytest.mark.parametrize(
    ("detection", "words"),
    [
        ({"selection": {"a": "x"}, "condition": "other"}, "other"),
        ({"selection": {"eventName|re": "a(?=b)"}, "condition": "selection"}, "invalid perl operator"),
        ({"selection": {'a"b': "x"}, "condition": "selection"}, "dot path"),
        ({"selection": {"a.*.b": "x"}, "condition": "selection"}, "dot path"),
        ({"selection": {"a|expand": "%placeholder%"}, "condition": "selection"}, "placeholder"),
        ({"selection": {"a|base64offset|contains": "x"}, "condition": "selection"}, "at least three characters"),
        ({"selection": {"a|nosuch": "x"}, "condition": "selection"}, "nosuch"),
        ({"selection": {"a": "x\x00"}, "condition": "selection"}, "NUL"),
    ],
)
def test_what_cannot_be_expressed_is_refused_in_one_line(tmp_path: Path, detection: dict[str, Any], words: str) -> None:
    """A rule that the compiler cannot do is an error that names the rule, never a rule that stays silent."""
    with pytest.raises(RuleError, match=words) as raised:
        compile_rules([read_rule(write_rule(tmp_path, detection), RELATIONS)], AWS_CLOUDTRAIL)
    assert "\n" not in str(raised.value)
    assert "a_test" in str(raised.value)


@pytest.mark.parametrize(
    ("selection", "row", "expected"),
    [
        ({"is_privileged": True}, {"is_privileged": True}, True),
        ({"is_privileged": True}, {"is_privileged": False}, False),
        ({"is_privileged": True}, {"is_privileged": None}, False),
        ({"is_privileged": "true"}, {"is_privileged": True}, True),
        ({"is_privileged": None}, {"is_privileged": None}, True),
        ({"gaps|contains": "SILENT"}, {"gaps": ["source silent:opa", "x"]}, True),
        ({"gaps|contains": "silent"}, {"gaps": []}, False),
        ({"gaps": None}, {"gaps": []}, True),
        ({"gaps": None}, {"gaps": ["x"]}, False),
        ({"confidence|lt": 0.5}, {"confidence": 0.3}, True),
        ({"confidence": 1}, {"confidence": 1.0}, True),
        ({"action": "iam:*"}, {"action": "IAM:CreateUser"}, True),
        ({"actor_uid|fieldref": "identity_id"}, {"actor_uid": "a", "identity_id": "A"}, True),
        ({"step_at|hour": 10}, {}, True),
        ({"step_at|contains": "2026-11-02"}, {}, True),
    ],
)
def test_columns_of_every_kind(tmp_path: Path, selection: dict[str, Any], row: dict[str, Any], expected: bool) -> None:
    """Text, boolean, number, time and list columns of our tables take Sigma's values by their kind."""
    rule = read_rule(write_rule(tmp_path, {"selection": selection, "condition": "selection"}, STEP_FACTS), RELATIONS)
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        create_relation(con, STEP_FACTS, [table_row({"event_id": "e1", **row}, STEP_FACTS)])
        assert bool(con.execute(compile_rules([rule], STEP_FACTS)).fetchall()) is expected


@pytest.mark.parametrize("detection", [{"s": {"no_such": 1}, "condition": "s"}, {"s": ["word"], "condition": "s"}])
def test_a_table_has_only_its_columns(tmp_path: Path, detection: dict[str, Any]) -> None:
    """A field that the table has not, and a keyword without a raw record, are refused."""
    with pytest.raises(RuleError, match=r"no column 'no_such'; known: .*action|keywords need a raw record"):
        compile_rules([read_rule(write_rule(tmp_path, detection, STEP_FACTS), RELATIONS)], STEP_FACTS)
