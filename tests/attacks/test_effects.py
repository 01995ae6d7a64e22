"""Attacks by what acts do: an attacker hides an effect, gives it a harmless form, or tells of acts of somebody else."""

from pathlib import Path

from agent_world import World
from small_logs import WORKER, approval, call, session
from test_grants import ADMIN, AROUND, BOSS, attach, told_by_function
from ultravires.simulator.truth import OF_EFFECTS

EFFECTS = "select effect, target_kind, severity from activity_effects order by all"
LOUD = "select distinct detector_id from findings where state = 'open' and severity in ('medium', 'high', 'critical')"
THIEF = session(WORKER, "ASIATHIEF")


def spoken(world: World) -> set[str]:
    return {row[0] for row in world.ask(LOUD)}


def test_a_function_prints_what_somebody_else_is_to_have_done(tmp_path: Path) -> None:
    """Forty secrets swept, the trail stopped, everything given away: what anybody could write accuses of little."""
    secrets = [
        call(f"s{n}", n, "secretsmanager:GetSecretValue", BOSS, requestParameters={"secretId": f"secret-{n}"})
        for n in range(40)
    ]
    stopped = call("t", 41, "cloudtrail:StopLogging", BOSS, requestParameters={"name": "trail"})
    printed = [told_by_function(record) for record in (*secrets, stopped, attach("g", 42, BOSS, "worker"))]
    world = World(tmp_path, trail=[call("e1", 0, "s3:GetObject", BOSS)], function=printed, approvals=AROUND)
    assert {row[2] for row in world.ask(EFFECTS)} <= {"informational", "low"}
    assert not spoken(world) & {*OF_EFFECTS, "ultravires_secrets_swept"}


def test_evidence_is_weakened_under_an_approval_of_something_else(tmp_path: Path) -> None:
    """An approval excuses what it lists, and not what is done beside it."""
    ticket = approval("APR-1", 0, subject=WORKER, roles=[WORKER], actions=["s3:Get*"])
    stopped = call("t", 30, "cloudtrail:StopLogging", THIEF, requestParameters={"name": "trail"})
    world = World(tmp_path, trail=[stopped], approvals=[*AROUND, ticket])
    assert ("weakens_evidence", "resource", "high") in world.ask(EFFECTS)
    assert "ultravires_evidence_weakened" in spoken(world)


def test_a_flood_of_harmless_acts_hides_none(tmp_path: Path) -> None:
    """Among a thousand reads the one that gives everything is told, as an act of its own."""
    reads = [
        call(f"r{n}", n / 60, "iam:GetRole", THIEF, requestParameters={"roleName": f"r-{n}"}) for n in range(1_000)
    ]
    world = World(tmp_path, trail=[*reads, attach("g", 20, THIEF, "other")], approvals=AROUND)
    told = world.ask(
        "select message from findings where detector_id = 'ultravires_admin_power_given' and state = 'open'"
    )
    assert len(told) == 1 and "over everything" in told[0][0]


def test_names_full_of_signs_are_text(tmp_path: Path) -> None:
    """What an attacker calls a policy is neither a pattern nor SQL, and stays one line."""
    evil = "x%' ; drop table events; --\n\x1b[2J*"
    wanted = {"roleName": evil, "policyArn": ADMIN}
    given = call("e", 0, "iam:AttachRolePolicy", THIEF, requestParameters=wanted)
    world = World(tmp_path, trail=[given], approvals=AROUND)
    assert [row[0] for row in world.ask(EFFECTS)] == ["grants_power"]
    messages = [row[0] for row in world.ask("select message from findings")]
    assert messages and not [each for each in messages if not each.isprintable()]
