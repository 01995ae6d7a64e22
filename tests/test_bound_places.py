"""Which places are bound to which sources: the settings, the globs, and what the summary says of them."""

import json
from pathlib import Path

import pytest
from small_logs import RUNNER, approval, call, session, write_lines
from source_samples import OPTIONS, SAMPLES
from ultravires import registry
from ultravires.config_file import load_settings
from ultravires.errors import ConfigError
from ultravires.reading.input_file import read_file
from ultravires.reading.locations import local_file
from ultravires.reading.origins import BoundPlace, Origins, below
from ultravires.runs.bindings import suggest
from ultravires.runs.run import run_once
from ultravires.runs.summary import print_summary

ROOT = "/logs"


def is_bound(pattern: str, path: str) -> bool:
    return bool(Origins((BoundPlace("s", pattern),), ROOT).of_file(path).bound)


@pytest.mark.parametrize("name", sorted(registry.sources()))
def test_a_sample_as_its_vendor_delivers_it_is_believed(name: str, tmp_path: Path) -> None:
    """Every event of it has the voice of its source, while nothing is bound."""
    path = tmp_path / "a-file"
    path.write_bytes(SAMPLES[name])
    source = registry.sources()[name]
    for file in read_file(local_file(path), list(registry.sources().values()), OPTIONS):
        for batch in file.pending:
            assert set(batch["voice"].to_pylist()) == {source.voice}
        file.pending = []


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("a/**", "/logs/a/b.json", True),
        ("a/**", "/logs/a/b/c.json", True),
        ("a/", "/logs/a/b/c.json", True),
        ("a/*", "/logs/a/b/c.json", False),
        ("a/*.json", "/logs/a/b.json", True),
        ("**/b.json", "/logs/b.json", True),
        ("**/b.json", "/logs/a/c/b.json", True),
        ("**", "/logs/a", True),
        ("a/**", "/other/a/b.json", False),
        ("a/**", "/logs/aa/b.json", False),
        ("a/b-?.json", "/logs/a/b-1.json", True),
        ("a/[b].json", "/logs/a/b.json", False),
        ("a.tar!x/*", "/logs/a.tar!x/b.json", True),
        ("*", "/logs/a.tar!b.json", False),
        ("a.b", "/logs/axb", False),
        ("s3://bucket/trail/**", "s3://bucket/trail/b.json", True),
        ("s3://bucket/trail/**", "s3://bucket/other/trail/b.json", False),
    ],
)
def test_globs_of_paths(pattern: str, path: str, fits: bool) -> None:
    """They are of the whole path below the input, or of a whole URL."""
    assert is_bound(pattern, path) is fits


@pytest.mark.parametrize(
    ("path", "root", "seen"),
    [
        ("/logs/a/b", "/logs", "a/b"),
        ("/logs/a/b", "/logs/", "a/b"),
        ("/logs/a", "/logs/a", "a"),
        ("/logs/a.tar!b", "/logs/a.tar", "a.tar!b"),
        ("/logsb/a", "/logs", None),
        ("s3://b/p/k", "s3://b/p", "k"),
        ("bytes:/logs/a", "/logs", None),
    ],
)
def test_paths_below_the_input(path: str, root: str, seen: str | None) -> None:
    """A file that is the input itself has its name."""
    assert below(path, root) == seen


@pytest.mark.parametrize(
    ("origins", "words"),
    [
        ({"approvals": [{"paths": "a"}]}, "unknown key 'origins.approvals.0.paths'; known keys there: azure_category"),
        ({"approvals": [{}]}, "origins.approvals.0: Value error, name a path, log_group"),
        ({"approvals": [""]}, "none of them empty"),
        ({"approvals": "/abs/**"}, "a path is seen from the input"),
        ({"approvals": "../a"}, "a path is seen from the input"),
        ({"approvals": {"log_group": "a", "google_log": "b"}}, "a record lies in one of"),
        ({"approvals": 7}, "origins.approvals.0"),
        (["approvals"], "origins: Input should be a valid dictionary"),
    ],
)
def test_what_is_no_origin(origins: object, words: str, tmp_path: Path) -> None:
    """One line says what is wrong and where."""
    path = tmp_path / "ultravires.yaml"
    path.write_text(json.dumps({"origins": origins}), encoding="utf-8")
    with pytest.raises(ConfigError) as said:
        load_settings(path)
    assert words in str(said.value)
    assert "\n" not in str(said.value)


def test_origins_of_a_source_that_there_is_not(tmp_path: Path) -> None:
    """It is refused with the names of those that there are: a typing error would bind nothing."""
    path = tmp_path / "ultravires.yaml"
    path.write_text(json.dumps({"origins": {"aprovals": "a/**"}}), encoding="utf-8")
    (tmp_path / "logs").mkdir()
    with pytest.raises(ConfigError, match="there is no source 'aprovals'; one of: anthropic_audit, approvals"):
        run_once(tmp_path / "logs", tmp_path / "home", config=path, as_of="")


def test_the_summary_says_what_to_bind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, also as JSON; nothing where it is bound, or where nothing grants or decides."""
    write_lines(tmp_path / "logs" / "trail" / "t.json", [call("e1", 1, "s3:GetObject", session(RUNNER, "ASIARUNNER"))])
    assert run_once(tmp_path / "logs", tmp_path / "home", config=None, as_of="").origins is None
    write_lines(tmp_path / "logs" / "approvals" / "a.jsonl", [approval("APR-A", 0)])
    result = run_once(tmp_path / "logs", tmp_path / "home", config=None, as_of="")
    line = (
        'approvals are believed wherever they lie; bind them: origins: {approvals: ["approvals/**"]} in ultravires.yaml'
    )
    assert result.as_dict()["origins"].startswith(line)
    print_summary(result, tmp_path / "home")
    assert "origins: {approvals:" in " ".join(capsys.readouterr().out.replace("│", " ").split())
    path = tmp_path / "ultravires.yaml"
    path.write_text(json.dumps({"origins": {"aws_cloudtrail": "trail/**"}}), encoding="utf-8")
    result = run_once(tmp_path / "logs", tmp_path / "home", config=path, as_of="")
    assert str(result.origins).startswith("approvals are believed in no place; bind them")
    path.write_text(json.dumps({"origins": {"approvals": "approvals/**"}}), encoding="utf-8")
    assert run_once(tmp_path / "logs", tmp_path / "home", config=path, as_of="").origins is None


def test_places_that_could_be_bound() -> None:
    """A folder of one source is named whole; a file beside others is named so that it fits nothing else."""
    one, other = frozenset({"one"}), frozenset({"other"})
    assert suggest({"a/x.json": one, "a/b/y.json": one, "c/z.json": other}) == {"one": ["a/**"], "other": ["c/**"]}
    assert suggest({"x.json": one}) == {"one": ["**"]}
    mixed = {"a-2026-01-01.json": one, "a-2026-01-02.json": one, "b-2026-01-01.json": other}
    assert suggest(mixed) == {"one": ["a-*.json"], "other": ["b-*.json"]}
    assert suggest({"1.json": one, "2.json": other}) == {"one": ["1.json"], "other": ["2.json"]}
    assert suggest({"m/1.json": one | other, "n/1.json": other}) == {"one": ["m/**"], "other": ["m/**", "n/**"]}
