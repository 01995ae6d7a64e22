"""What somebody wants who chooses names in a log: that a suppression which is there for others makes them quiet."""

from datetime import timedelta
from pathlib import Path

import pytest
from findings_world import AS_OF, World
from test_findings import world  # noqa: F401 - the fixture
from ultravires.config_file import load_settings
from ultravires.errors import ConfigError

TEXT = """\
identities: [{{id: agent-ci, kind: agent, aliases: ["arn:aws:iam::1:role/ci"]}}]
suppressions: [{{detector: x, subject: "{subject}", owner: me, reason: known, expires: 2027-01-01T00:00:00Z}}]
"""


def suppressed(world: World) -> bool:  # noqa: F811
    world.con.execute("insert into declared_identities(identity_id) values ('agent-ci')")
    until = AS_OF + timedelta(days=1)
    world.con.execute("insert into suppressions values ('key_made', '%ci%', 'sec', 'known', ?)", [until])
    world.update()
    return bool(world.one("from findings")["is_suppressed"])


def test_a_subject_with_the_name_of_a_quiet_one(world: World) -> None:  # noqa: F811
    """A user, session or tool that an attacker named after the pattern."""
    world.event("e1")
    world.hit("key_made", "ci-helper", ["e1"])
    assert not suppressed(world)


def test_an_identity_with_a_name_like_a_quiet_one(world: World) -> None:  # noqa: F811
    """Nobody declared it."""
    world.event("e1")
    world.hit("key_made", "AKIA1", ["e1"], identity="agent-ci-2")
    assert not suppressed(world)


def test_an_act_beside_one_of_a_quiet_identity(world: World) -> None:  # noqa: F811
    """One finding, two identities: the other one is told."""
    world.event("e1")
    world.hit("key_made", "AKIA1", ["e1"], identity="agent-ci")
    world.hit("key_made", "AKIA1", ["e1"], identity="mallory")
    assert not suppressed(world)


@pytest.mark.parametrize("subject", ["*ci-*", "arn:aws:iam::1:role/ci", "ci", "**x"])
def test_a_suppression_of_names_that_anybody_may_choose(subject: str, tmp_path: Path) -> None:
    """It is refused with a line that says what to declare."""
    path = tmp_path / "ultravires.yaml"
    path.write_text(TEXT.format(subject=subject))
    with pytest.raises(ConfigError, match="fits the id of no identity that is declared here"):
        load_settings(path)


@pytest.mark.parametrize("subject", ["*", "agent-ci", "AGENT-*", "agent-c?"])
def test_a_suppression_of_what_is_declared_is_taken(subject: str, tmp_path: Path) -> None:
    """And one of a whole detector."""
    path = tmp_path / "ultravires.yaml"
    path.write_text(TEXT.format(subject=subject))
    assert load_settings(path).suppressions[0].subject == subject
