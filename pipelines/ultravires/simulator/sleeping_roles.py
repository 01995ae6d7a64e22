"""Roles that act again after a time without use: one that was forgotten, and one of the end of the month."""

from ultravires.simulator import aws, aws_export
from ultravires.simulator.bystanders import instance_session
from ultravires.simulator.cast import PROD, Call, Role
from ultravires.simulator.changed_plans import DORMANT, RARE
from ultravires.simulator.moments import DAY
from ultravires.simulator.stage import Stage
from ultravires.simulator.truth import Situation

_A_QUARTER_AND_MORE, _A_MONTH = 97 * DAY, 31 * DAY


def _acts_again(stage: Stage, at: int, role: Role, after: int) -> tuple[str, str]:
    """An export says when somebody acted in the role last, and days later somebody does again; the nodes of that."""
    exported_at = at - 4 * DAY
    export = aws_export.role_exported(exported_at, role, used_at=at - after)
    stage.scribe.tell(aws_export.LOG, [export], exported_at, stage.rng)
    session = instance_session(stage.scribe, role, at)
    record = aws.call_record(stage.rng, at, session, Call("s3:ListObjects", "acme-archive"))
    return stage.scribe.record(record, at, session), session.node


def forgotten_role_wakes(stage: Stage, at: int) -> Situation:
    role = Role(PROD, f"archive-mover-{stage.copy + 1}")
    return Situation(
        "forgotten_role_wakes",
        (DORMANT,),
        role.arn,
        _acts_again(stage, at, role, _A_QUARTER_AND_MORE),
        "A role that nobody has used for more than a quarter, as an export of its account says, acts again.",
        (RARE,),
    )


# What looks like it and is right.


def role_of_the_month_acts(stage: Stage, at: int) -> Situation:
    role = Role(PROD, f"month-closer-{stage.copy + 1}")
    return Situation(
        "role_of_the_month_acts",
        (),
        role.arn,
        _acts_again(stage, at, role, _A_MONTH),
        "A role that is for the end of the month acts a month after it did so last.",
        is_benign=True,
    )
