"""The register of identities: a CSV that the configuration names, read before any log; each mistake is one line."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from ultravires.build.reference import reference_tables
from ultravires.config_file import load_settings
from ultravires.errors import ConfigError
from ultravires.registry import sources
from ultravires.runs.run import run_once


def configured(folder: Path, register: str | bytes, rest: str = "") -> Path:
    data = register if isinstance(register, bytes) else register.encode()
    (folder / "register.csv").write_bytes(data)
    path = folder / "ultravires.yaml"
    path.write_text(f"identity_register: register.csv\n{rest}", encoding="utf-8")
    return path


def test_the_register_and_the_configuration_reach_sql(tmp_path: Path) -> None:
    """Columns stand in any order and may be missing; a day that ends something lasts until it is over everywhere."""
    path = configured(
        tmp_path,
        "\ufeffOwner, identity,expires_at,reviewed_at\nana,role/a,2026-12-31,2026-09-01T10:00:00Z\n\n,role/b,,\n",
        "identities:\n- {id: c, kind: agent, owner: bo, purpose: exports, expires_at: 2026-12-31, "
        "reviewed_at: 2026-09-01}\n"
        "demand_short_lived: ['agent_*']\nsecrets: [{id: s, credential: AKIA1}]\n",
    )
    tables = reference_tables(load_settings(path), sources().values())
    over = datetime(2027, 1, 1, 12, tzinfo=UTC)
    assert [tuple(row.values()) for row in tables["identity_facts"].to_pylist()] == [
        ("c", "configuration", "bo", "exports", datetime(2026, 9, 1, tzinfo=UTC), over),
        ("role/a", "register", "ana", None, datetime(2026, 9, 1, 10, tzinfo=UTC), over),
        ("role/b", "register", None, None, None, None),
    ]
    assert tables["demanded_short_lived"].to_pylist() == [{"pattern_like": r"agent\_%"}]
    assert tables["secret_contents"].to_pylist() == [{"secret_uid": "s", "credential_uid": "AKIA1"}]


@pytest.mark.parametrize(
    ("register", "message"),
    [
        ("", "row 1: no column 'identity'"),
        ("name,owner\na,b\n", "row 1: unknown column 'name'; the columns are identity, owner"),
        ("owner\nb\n", "row 1: no column 'identity'"),
        ("identity,owner,owner\na,b,c\n", "row 1: a column stands there twice"),
        ("identity,owner\na\n", "row 2: 1 cells, and the header names 2"),
        ("identity,owner\n,b\n", "row 2: no identity"),
        ("identity,owner\na,b\nc,d\na,e\n", "row 4: 'a' stands in row 2 already"),
        ("identity,expires_at\na,soon\n", "row 2: expires_at: 'soon' is no time"),
        ("identity,reviewed_at\na,31.12.2026\n", "row 2: reviewed_at: '31.12.2026' is no time"),
        (b"identity\n\xff\xfe\n", "not a CSV in UTF-8"),
        ('identity\n"a\n', "not a CSV in UTF-8"),
    ],
)
def test_each_mistake_is_one_line(register: str | bytes, message: str, tmp_path: Path) -> None:
    """The message names the file and the row."""
    with pytest.raises(ConfigError, match=message) as raised:
        load_settings(configured(tmp_path, register))
    assert "register.csv" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("identity_register: none.csv", "cannot read the register of identities"),
        ("identity_register: [a]", "expected the name of a CSV file"),
        ("identity_register: ''", "expected the name of a CSV file"),
        ("secrets: [{id: s}]", "secrets.0.credential"),
        ("demand_short_lived: ['']", "demand_short_lived"),
        ("identities: [{id: a, kind: agent, expires_at: soon}]", "identities.0.expires_at"),
    ],
)
def test_a_wrong_setting_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "ultravires.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as raised:
        load_settings(path)
    assert "\n" not in str(raised.value)


def test_a_register_among_the_logs_is_refused(tmp_path: Path) -> None:
    """Who can write a log must not be able to write who answers for whom, whatever link leads there."""
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "register.csv").write_text("identity,owner\na,eve\n")
    (tmp_path / "link.csv").symlink_to(logs / "register.csv")
    path = tmp_path / "ultravires.yaml"
    for name in ("logs/register.csv", "link.csv"):
        path.write_text(f"identity_register: {name}\n")
        with pytest.raises(ConfigError, match="lies in the logs"):
            run_once(logs, tmp_path / "home", config=path, as_of="")
