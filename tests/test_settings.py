"""ultravires.yaml: what is understood, and what is refused with one line."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from source_samples import decision
from ultravires.build.reference import reference_tables
from ultravires.config_file import find_config, load_settings
from ultravires.errors import ConfigError, UsageError
from ultravires.reading.locations import LocalPlace
from ultravires.reading.options import Options
from ultravires.reading.pool import file_reader
from ultravires.registry import sources
from ultravires.runs.home import open_home, store_configuration
from ultravires.runs.run import run_once
from ultravires.settings import Expectation, Limits, Settings
from ultravires.store.load import Loader


def write(folder: Path, text: str) -> Path:
    path = folder / "ultravires.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_unknown_key_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """A typing error must not switch a control off."""
    with pytest.raises(ConfigError, match=r"unknown key 'supressions'; known keys there: .*suppressions"):
        load_settings(write(tmp_path, "supressions: []"))


def test_an_unknown_key_inside_an_identity_names_the_keys_of_identities(tmp_path: Path) -> None:
    """The known keys are those of the place where the error is."""
    with pytest.raises(
        ConfigError, match=r"unknown key 'identities.0.ownr'; known keys there: aliases, expires_at, id, kind"
    ):
        load_settings(write(tmp_path, "identities: [{id: a, kind: agent, ownr: x}]"))


def test_an_alias_claimed_twice_at_one_time_is_a_configuration_error(tmp_path: Path) -> None:
    """A name belongs to one identity at a time."""
    text = "identities:\n- {id: a, kind: agent, aliases: [shared]}\n- {id: b, kind: agent, aliases: [shared]}\n"
    with pytest.raises(ConfigError, match="alias 'shared' is claimed by identities 'a' and 'b'"):
        load_settings(write(tmp_path, text))


def test_an_alias_may_move_from_one_identity_to_another(tmp_path: Path) -> None:
    """Claims that follow each other do not overlap."""
    text = (
        "identities:\n"
        "- {id: a, kind: agent, aliases: [{uid: shared, valid_until: 2026-01-01T00:00:00Z}]}\n"
        "- {id: b, kind: agent, aliases: [{uid: shared, valid_from: 2026-01-01T00:00:00Z}]}\n"
    )
    assert len(load_settings(write(tmp_path, text)).identities) == 2


def test_durations_are_written_as_people_write_them(tmp_path: Path) -> None:
    """`15m` and `7d` are durations."""
    settings = load_settings(write(tmp_path, "sources: {opa_decisions: {expected_delay: 15m, max_silence: 7d}}"))
    assert settings.expectation("opa_decisions").max_silence.days == 7
    assert settings.expectation("opa_decisions").expected_delay.seconds == 900


def test_limits_are_written_with_units_and_reach_the_reader(tmp_path: Path) -> None:
    """What is not named keeps its default, and the defaults are those of the reader."""
    limits = load_settings(write(tmp_path, "limits: {max_record_bytes: 2 MB, max_ratio: 50}")).limits
    options = Options(hash_key=b"key", **limits.model_dump())
    assert options == Options(hash_key=b"key", max_record_bytes=2 << 20, max_ratio=50)
    assert Options(hash_key=b"key", **Limits().model_dump()) == Options(hash_key=b"key")


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 << 30), ("' 128 mb '", 128 << 20), ("2048KB", 2 << 20), ("3GiB", 3 << 30)],
)
def test_a_size_has_binary_units(text: str, size: int, tmp_path: Path) -> None:
    """As memory is counted: 1 KB is 1,024 bytes, also with its other name."""
    assert load_settings(write(tmp_path, f"limits: {{max_file_bytes: {text}}}")).limits.max_file_bytes == size


def test_a_limit_is_kept(tmp_path: Path) -> None:
    """A record beyond the configured size, or nested deeper, is put aside with the reason."""
    config = write(tmp_path, "limits: {max_record_bytes: 2KB, max_depth: 20}")
    logs = tmp_path / "logs"
    logs.mkdir()
    nested = json.loads("[" * 30 + "]" * 30)
    records = [decision(), decision(pad="x" * 3000), decision(input={"nested": nested}), decision(decision_id="last")]
    (logs / "opa.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    with open_home(LocalPlace(logs), tmp_path / "home", config=config) as home:
        store_configuration(home)
        with file_reader(home.options(), tmp_path / "reading") as read:
            counts = Loader(home.engine, home.settings, read, lambda what, done, total: None).load(home.input)
        reasons = home.warehouse.con.execute("select reason from quarantine order by record_no").fetchall()
    assert (counts.events, counts.quarantined) == (2, 2)
    assert reasons == [("record is longer than 2048 bytes",), ("nested too deeply",)]


def test_approvals_are_rare_by_nature() -> None:
    """A log that holds nothing but approvals may say nothing for a week; what is configured says otherwise."""
    settings = Settings(sources={"jira_approvals": Expectation(max_silence=timedelta(days=1))})
    assert settings.expectation("entra_pim", ("approval",)).max_silence.days == 7
    assert settings.expectation("teleport_audit", ("activity", "approval")).max_silence.days == 2
    assert settings.expectation("jira_approvals", ("approval",)).max_silence.days == 1
    week = timedelta(days=7)
    patient = {
        name for name, of in sources().items() if settings.expectation(name, of.evidence_kinds).max_silence == week
    }
    assert {"approvals", "aws_team", "entra_pim", "servicenow_approvals", "github_environment_approvals"} <= patient
    assert settings.expectation("aws_iam_snapshot", ("inventory",)).max_silence > timedelta(days=31)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "governs: {approvals: {acounts: [x]}}",
            "unknown key 'governs.approvals.acounts'; known keys there: accounts, id",
        ),
        ("governs: {approvals: {}}", "governs.approvals: Value error, name accounts, projects, identities or logs"),
        ("governs: {approvals: {accounts: ['']}}", "governs.approvals.accounts.0: String should have at least 1 char"),
        ("limits: {max_record_byte: 1MB}", "unknown key 'limits.max_record_byte'; known keys there: max_depth, max_fi"),
        ("limits: {max_file_bytes: 4 apples}", "limits.max_file_bytes: could not interpret byte unit: apples"),
        ("limits: {max_ratio: 0}", "limits.max_ratio: .* greater than or equal to 10"),
        (
            "tasks: {rotate: {action: [x]}}",
            "unknown key 'tasks.rotate.action'; known keys there: actions, resources, tools",
        ),
        (
            "tasks: {rotate: {resources: [x]}}",
            "tasks.rotate: Value error, name the actions or tools that the task needs",
        ),
        ("- a list", "expected a mapping"),
        ("a: [", "not valid YAML"),
        ("networks: {office: [10.0.0.0/99]}", "networks.office"),
        ("suppressions: [{detector: x, owner: me, expires: 2027-01-01T00:00:00Z}]", "reason"),
    ],
)
def test_a_broken_configuration_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    """Whatever is wrong, the message names the file and has no second line."""
    with pytest.raises(ConfigError, match=message) as caught:
        load_settings(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_what_a_log_governs_is_said_in_globs(tmp_path: Path) -> None:
    """Accounts and projects are one column of the logs; what is said reaches SQL as patterns."""
    path = tmp_path / "ultravires.yaml"
    path.write_text(
        "governs: {jira_approvals: {accounts: ['11_*'], projects: [p], identities: ['b?'], logs: [gcp_audit]}}"
    )
    tables = reference_tables(load_settings(path), sources().values())
    assert {tuple(row.values()) for row in tables["governed_scopes"].to_pylist()} == {
        ("jira_approvals", "account", r"11\_%"),
        ("jira_approvals", "account", "p"),
        ("jira_approvals", "identity", "b_"),
        ("jira_approvals", "log", r"gcp\_audit"),
    }
    rows = tables["source_expectations"].to_pylist()
    assert {row["log"] for row in rows if row["is_scoped"]} == {"jira_approvals"}


@pytest.mark.parametrize("log", ["jira", "aws_cloudtrail"])
def test_only_a_log_of_approvals_decisions_or_calls_governs(log: str, tmp_path: Path) -> None:
    """What names no such log governs nobody, which one line says before anything is read."""
    path = tmp_path / "ultravires.yaml"
    path.write_text(f"governs: {{{log}: {{logs: ['*']}}}}")
    (tmp_path / "logs").mkdir()
    with pytest.raises(ConfigError, match=f"governs: '{log}' is no log of approvals.*one of: approvals, aws_team"):
        run_once(tmp_path / "logs", tmp_path / "home", config=path, as_of="")


def test_a_missing_configuration_is_a_usage_error(tmp_path: Path) -> None:
    """--config must name a file."""
    with pytest.raises(UsageError, match="cannot read the configuration"):
        load_settings(tmp_path / "none.yaml")


def test_a_configuration_beside_the_logs_is_never_used_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who can write a log must not be able to write a suppression."""
    logs = tmp_path / "logs"
    logs.mkdir()
    write(logs, "suppressions: []")
    monkeypatch.chdir(tmp_path)
    assert find_config(None, tmp_path / "home") is None


def test_naming_one_tier_or_action_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    """A setting for one tier must not switch human approval off for another."""
    settings = load_settings(write(tmp_path, "risk_tiers: {high: {least_answer: 5m}}\nprivileged_actions: [tool:x]\n"))
    assert settings.risk_tiers["critical"].human_approval
    assert not settings.risk_tiers["high"].human_approval
    assert settings.privileged_actions == ("iam:PassRole", "tool:x")


def test_the_configuration_shown_in_the_readme_is_understood(tmp_path: Path) -> None:
    """Who copies it from there gets no error."""
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    shown = readme.split("```yaml\n")[1].split("```")[0]
    assert "splunk_hec" in load_settings(write(tmp_path, shown)).sinks
