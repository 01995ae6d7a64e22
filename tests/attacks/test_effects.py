"""Attacks by what acts do: an attacker hides an effect, gives it a harmless form, or tells of acts of somebody else."""

from agent_world import CONFIG
from small_logs import WORKER, approval, at, call, session
from stories import Stories, Story
from test_grants import ADMIN, AROUND, BOSS, attach, told_by_function
from ultravires.simulator.truth import OF_EFFECTS

EFFECTS = "select effect, target_kind, severity from activity_effects order by all"
LOUD = "select distinct detector_id from findings where state = 'open' and severity in ('medium', 'high', 'critical')"
THIEF = session(WORKER, "ASIATHIEF")
told = Stories(config=CONFIG, as_of=at(300), words=("helper", "thief"))


def spoken(story: Story) -> set[str]:
    return {row[0] for row in story.ask(LOUD)}


SWEPT = [
    call(f"s{n}", n, "secretsmanager:GetSecretValue", BOSS, requestParameters={"secretId": f"secret-{n}"})
    for n in range(40)
]
STOPPED = {"requestParameters": {"name": "trail"}}
PRINTED = [*SWEPT, call("t1", 41, "cloudtrail:StopLogging", BOSS, **STOPPED), attach("g1", 42, BOSS, "worker")]


@told(
    trail=[call("e1", 0, "s3:GetObject", BOSS)],
    function=[told_by_function(record) for record in PRINTED],
    approvals=AROUND,
)
def test_a_function_prints_what_somebody_else_is_to_have_done(story: Story) -> None:
    """Forty secrets swept, the trail stopped, everything given away: what anybody could write accuses of little."""
    assert story.ask("select count(*) from events where voice = 'reported'") == [(42,)]
    assert {row[2] for row in story.ask(EFFECTS)} <= {"informational", "low"}
    assert not spoken(story) & {*OF_EFFECTS, "ultravires_secrets_swept"}


@told(
    trail=[call("t1", 30, "cloudtrail:StopLogging", THIEF, **STOPPED)],
    approvals=[*AROUND, approval("APR-1", 0, subject=WORKER, roles=[WORKER], actions=["s3:Get*"])],
)
def test_evidence_is_weakened_under_an_approval_of_something_else(story: Story) -> None:
    """An approval excuses what it lists, and not what is done beside it."""
    assert ("weakens_evidence", "resource", "high") in story.ask(EFFECTS)
    assert "ultravires_evidence_weakened" in spoken(story)


READS = [call(f"r{n}", n / 60, "iam:GetRole", THIEF, requestParameters={"roleName": f"r-{n}"}) for n in range(1_000)]


@told(trail=[*READS, attach("g1", 20, THIEF, "other")], approvals=AROUND)
def test_a_flood_of_harmless_acts_hides_none(story: Story) -> None:
    """Among a thousand reads the one that gives everything is told, as an act of its own."""
    told = story.ask(
        "select message from findings where detector_id = 'ultravires_admin_power_given' and state = 'open'"
    )
    assert len(told) == 1 and "over everything" in told[0][0]


EVIL = {"roleName": "x%' ; drop table events; --\n\x1b[2J*", "policyArn": ADMIN}
"""What an attacker calls a role."""


@told(trail=[call("e1", 0, "iam:AttachRolePolicy", THIEF, requestParameters=EVIL)], approvals=AROUND)
def test_names_full_of_signs_are_text(story: Story) -> None:
    """It is neither a pattern nor SQL, and stays one line."""
    assert [row[0] for row in story.ask(EFFECTS)] == ["grants_power"]
    messages = [row[0] for row in story.ask("select message from findings")]
    assert messages and not [each for each in messages if not each.isprintable()]
