"""Packs of the user: read within limits, beside ours, one bad rule a line and a row."""

import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import ultravires
import yaml
from relations import RELATIONS
from ultravires.config_file import load_settings
from ultravires.runs.rule_packs import pack_places
from ultravires.runs.run import run_once
from ultravires.runs.verifying import verify_home
from ultravires.settings import Settings
from ultravires_models import packs
from ultravires_models.packs import Pack, PackFile, read_pack
from ultravires_models.rulebook import RuleBook, read_book

CONSOLE = {"eventName": "ConsoleLogin"}


def rule(called: str, **changes: Any) -> dict[str, Any]:
    document = {
        "title": f"Rule {called}",
        "name": called,
        "level": "low",
        "logsource": {"product": "aws", "service": "cloudtrail"},
        "detection": {"selection": dict(CONSOLE), "condition": "selection"},
    }
    return {key: value for key, value in {**document, **changes}.items() if value is not None}


def book_of(*documents: dict[str, Any], placeholders: dict[str, list[str]] | None = None) -> RuleBook:
    files = [PackFile(f"{n}.yml", yaml.safe_dump(document).encode()) for n, document in enumerate(documents)]
    return read_book([Pack("mine", tuple(files))], RELATIONS, placeholders)


def names(book: RuleBook) -> list[str]:
    return [each.detector_id for each in book.rules]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"titel": "x"}, "unknown key titel; known: author"),
        ({"logsource": {"product": "aws", "servise": "cloudtrail"}}, "logsource: unknown key servise"),
        ({"logsource": {"product": "windows"}}, "no table for logsource windows/None; known: anthropic/audit"),
        ({"level": "terrible"}, "terrible"),
        ({"id": "no uuid"}, "UUID"),
        ({"detection": {"s": CONSOLE, "condition": "s", "timeframe": "5m"}}, "correlation with a timespan"),
        ({"detection": {"s": {"a|re": "(a{1000}){1000}"}, "condition": "s"}}, "invalid repetition size"),
        ({"detection": {"s": {"a|re": "a" * 4_001}, "condition": "s"}}, "at most 4,000 characters"),
        ({"detection": {"s": CONSOLE, "condition": "(" * 40 + "s" + ")" * 40}}, "8 parentheses in each other"),
        ({"detection": {"s": CONSOLE, "condition": "s and " * 1_000 + "s"}}, "at most 4,000 characters"),
        ({"detection": {"s": {"a|re": "a(?=b)"}, "condition": "s"}}, "invalid perl operator"),
        ({"detection": [1]}, "mine: 1.yml"),
    ],
)
def test_a_bad_rule_is_one_line_and_the_others_work(changes: dict[str, Any], words: str) -> None:
    book = book_of(rule("good"), rule("bad", **changes))
    assert names(book) == ["good"]
    (line,) = book.refused()
    assert line.startswith("mine: 1.yml: ")
    assert words in line
    assert "\n" not in line


def test_tags_that_we_do_not_package_are_kept() -> None:
    """Only our own pack is held to the packaged frameworks."""
    (kept,) = book_of(rule("a", tags=["attack.t9999", "cve.2026-1"])).rules
    assert kept.frameworks == ("attack.t9999", "cve.2026-1")


def test_a_regular_expression_that_would_backtrack_runs() -> None:
    assert names(book_of(rule("a", detection={"s": {"a|re": "(a+)+$"}, "condition": "s"}))) == ["a"]


def test_ids_and_names_are_unique_and_the_later_one_is_refused() -> None:
    uid = "11111111-2222-4333-8444-555555555555"
    book = book_of(rule("a", id=uid), rule("b", id=uid.upper()), rule("a"), rule("c"))
    assert names(book) == ["a", "c"]
    assert [line.partition(" is called ")[2].split()[0] for line in book.refused()] == [uid, "a"]
    ours = Pack("ultravires", (PackFile("aws/a.yml", yaml.safe_dump(rule("a")).encode()),))
    theirs = Pack("mine", (PackFile("x.yml", yaml.safe_dump(rule("a", title="other")).encode()),))
    both = read_book([ours, theirs], RELATIONS)
    assert [each.title for each in both.rules] == ["Rule a"]


def test_a_rule_without_a_name_has_that_of_its_file() -> None:
    text = "\n---\n".join(yaml.safe_dump(rule("x", name=None)) for _ in range(2))
    book = read_book([Pack("mine", (PackFile("deep/er/one.yml", text.encode()),))], RELATIONS)
    assert names(book) == ["one", "one_2"]


def test_placeholders_take_the_values_of_the_configuration() -> None:
    """`expand` without a value is refused by the placeholder's name; with some, each is an alternative."""
    wanted = rule("a", detection={"s": {"userAgent|contains|expand": "x%agents%"}, "condition": "s"})
    (line,) = book_of(wanted).refused()
    assert "placeholder %agents% has no value" in line
    (filled,) = book_of(wanted, placeholders={"agents": ["one", "t*o"]}).rules
    from ultravires_models.sigma.runner import compile_rules

    statement = compile_rules([filled], filled.relation)
    assert "'%xone%'" in statement
    assert "'%xt%o%'" in statement or "'%xt*o%'" in statement


def a_filter(**changes: Any) -> dict[str, Any]:
    document = {
        "title": "Not the admins",
        "logsource": {"product": "aws", "service": "cloudtrail"},
        "filter": {"rules": ["a"], "selection": {"userName|startswith": "adm_"}, "condition": "not selection"},
    }
    return {**document, **changes}


def test_a_filter_narrows_the_rules_that_it_names() -> None:
    plain = {each.detector_id: each for each in book_of(rule("a"), rule("b")).rules}
    filtered = {each.detector_id: each for each in book_of(rule("a"), rule("b"), a_filter()).rules}
    from ultravires_models.sigma.runner import compile_rules

    assert "adm" in compile_rules([filtered["a"]], filtered["a"].relation)
    assert filtered["a"].version != plain["a"].version
    assert filtered["b"].version == plain["b"].version
    of_any = a_filter(filter={"rules": "any", "selection": {"userName": "x"}, "condition": "not selection"})
    assert all(each.version != plain[each.detector_id].version for each in book_of(rule("a"), rule("b"), of_any).rules)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"filter": {"rules": ["nobody"], "s": CONSOLE, "condition": "not s"}}, "filters no rule that there is"),
        ({"filter": {"rules": ["a"], "s": CONSOLE}}, "condition"),
        ({"filter": {"rules": ["a"], "s": {"x|re": "a(?=b)"}, "condition": "not s"}}, "perl"),
        ({"filter": 5}, "2.yml"),
        ({"filters": {}}, "unknown key filters"),
    ],
)
def test_a_wrong_filter_changes_nothing(changes: dict[str, Any], words: str) -> None:
    book = book_of(rule("a"), rule("b"), a_filter(**changes))
    assert names(book) == ["a", "b"]
    (line,) = book.refused()
    assert words in line
    assert [each.version for each in book.rules] == [each.version for each in book_of(rule("a"), rule("b")).rules]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"#" * (packs.LONGEST_FILE + 1), "longer than 256 KB"),
        (b"a: &x [1]\nb: *x\n", "YAML alias"),
        (b"[" * 100_000, "nested deeper"),
        (b"\xff\xfe", "decode"),
        (b"", "at least one"),
        (b"- 1", "mappings"),
    ],
)
def test_hostile_files_are_refused_one_by_one(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "bad.yml").write_bytes(content)
    (tmp_path / "good.yml").write_text(yaml.safe_dump(rule("good")), encoding="utf-8")
    book = read_book([read_pack(tmp_path, "mine")], RELATIONS)
    assert names(book) == ["good"]
    (line,) = book.refused()
    assert words in line


def zipped(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


def test_a_zip_is_read_within_limits_and_written_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb, a way out and what is no rule file: the one rule that is right works."""
    good = yaml.safe_dump(rule("good")).encode()
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "pack.zip"
    path.write_bytes(zipped({"bomb.yml": b"\n" * (50 << 20), "../../out.yml": good, "README.md": b"x"}))
    pack = read_pack(path, "mine")
    assert [(file.name, file.refused is None) for file in pack.files] == [("../../out.yml", True), ("bomb.yml", False)]
    assert names(read_book([pack], RELATIONS)) == ["good"]
    assert [each.name for each in tmp_path.rglob("*")] == ["in", "pack.zip"]
    monkeypatch.setattr(packs, "MOST_FILES", 2)
    path.write_bytes(zipped({f"{n}.yml": yaml.safe_dump(rule(f"r{n}")).encode() for n in range(5)}))
    book = read_book([read_pack(path, "mine")], RELATIONS)
    assert names(book) == ["r0", "r1"]
    (line,) = book.refused()
    assert "at most 2 files" in line


@pytest.mark.parametrize("content", [b"no zip", b"", b"PK\x03\x04 broken"])
def test_a_broken_pack_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pack.zip").write_bytes(content)
    for path in (tmp_path / "pack.zip", tmp_path / "nowhere"):
        (line,) = read_book([read_pack(path, "mine")], RELATIONS).refused()
        assert line.startswith("mine: neither a folder nor a zip")


def test_a_link_out_of_a_pack_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "secret.yml").write_text(yaml.safe_dump(rule("secret")), encoding="utf-8")
    (tmp_path / "pack" / "link.yml").symlink_to(tmp_path / "secret.yml")
    (line,) = read_book([read_pack(tmp_path / "pack", "mine")], RELATIONS).refused()
    assert "leads out of the pack" in line


def test_two_thousand_bad_rules_are_a_line_each_in_time() -> None:
    bad = rule("x", detection={"s": {"a|nosuch": "x"}, "condition": "s"}, name=None)
    files = [PackFile(f"{n}.yml", yaml.safe_dump(bad).encode()) for n in range(2_000)]
    started = time.process_time()
    book = read_book([Pack("mine", tuple(files))], RELATIONS)
    assert len(book.refused()) == 2_000
    assert time.process_time() - started < 60


def test_packs_of_the_configuration_begin_beside_it(tmp_path: Path) -> None:
    """A path in ultravires.yaml is seen from that file, one of the command line from where it is given; each once."""
    config = tmp_path / "ultravires.yaml"
    config.write_text("rules: [mine, /srv/rules.zip]\nplaceholders: {admins: [ann]}\n", encoding="utf-8")
    settings = load_settings(config)
    places = pack_places(settings, config, [Path("/srv/rules.zip"), Path("here")])
    assert [place.path for place in places] == [tmp_path / "mine", Path("/srv/rules.zip"), Path.cwd() / "here"]
    assert settings.placeholders == {"admins": ("ann",)}
    assert Settings().rules == ()


RECORD = {
    "eventVersion": "1.11",
    "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ann", "accountId": "111122223333"},
    "eventTime": "2026-11-02T10:30:00Z",
    "eventSource": "signin.amazonaws.com",
    "eventName": "ConsoleLogin",
    "awsRegion": "us-east-1",
    "sourceIPAddress": "192.0.2.1",
    "userAgent": "x",
    "eventID": "00000000-0000-4000-8000-000000000001",
    "eventType": "AwsConsoleSignIn",
    "recipientAccountId": "111122223333",
    "responseElements": {"ConsoleLogin": "Success"},
}


def test_a_run_takes_packs_and_the_home_remembers_them(tmp_path: Path) -> None:
    """A pack of the command line finds; what other commands build is built with it; without it its findings end; and a
    pack among the logs is refused.
    """
    logs, pack, home = tmp_path / "logs", tmp_path / "pack", tmp_path / "home"
    logs.mkdir()
    pack.mkdir()
    (logs / "trail.json").write_text(json.dumps({"Records": [RECORD]}), encoding="utf-8")
    (pack / "login.yml").write_text(yaml.safe_dump(rule("my_login")), encoding="utf-8")
    result = run_once(logs, home, config=None, as_of="", rules=[pack, logs])
    assert [line.partition(": ")[2] for line in result.rules_refused] == [
        "lies in the folder of the logs, from where no rules are taken; move it"
    ]
    assert states(home) == [("my_login", "open")]
    assert all(table.is_right for table in verify_home(home))
    run_once(logs, home, config=None, as_of="", rules=None)
    assert states(home) == [("my_login", "open")]
    run_once(logs, home, config=None, as_of="")
    assert states(home) == [("my_login", "withdrawn")]


def states(home: Path) -> list[tuple[str, str]]:
    with ultravires.open(home) as con:
        return con.execute("select detector_id, state from findings where detector_id = 'my_login'").fetchall()


def test_a_run_follows_correlations_from_log_to_log(tmp_path: Path) -> None:
    """Three logins within an hour are one finding about their user; a fourth adds to it, by the same id."""
    logs, pack, home = tmp_path / "logs", tmp_path / "pack", tmp_path / "home"
    logs.mkdir()
    pack.mkdir()
    many = {
        "title": "Many logins",
        "name": "many_logins",
        "level": "high",
        "correlation": {
            "type": "event_count",
            "rules": ["my_login"],
            "group-by": ["userIdentity.arn"],
            "timespan": "1h",
            "condition": {"gte": 3},
        },
    }
    (pack / "login.yml").write_text(
        f"{yaml.safe_dump(rule('my_login'))}\n---\n{yaml.safe_dump(many)}", encoding="utf-8"
    )
    ids: set[str] = set()
    for n in range(4):
        record = {**RECORD, "eventID": f"{RECORD['eventID'][:-1]}{n}", "eventTime": f"2026-11-02T10:3{n}:00Z"}
        (logs / f"{n}.json").write_text(json.dumps({"Records": [record]}), encoding="utf-8")
        result = run_once(logs, home, config=None, as_of="", rules=[pack])
        assert result.rules_refused == []
        with ultravires.open(home) as con:
            found = con.execute(
                "select finding_id, subject_uid, slot, severity, n_evidence, actor_uid from findings "
                "where detector_id in ('my_login', 'many_logins')"
            ).fetchall()
        arn = RECORD["userIdentity"]["arn"]  # type: ignore[index]
        assert [row[1:] for row in found] == ([(arn, "2026-11-02", "high", n + 1, arn)] if n >= 2 else [])
        ids.update(row[0] for row in found)
    assert len(ids) == 1
    assert all(table.is_right for table in verify_home(home))
