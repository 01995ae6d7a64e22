"""Two systems of approvals: one is taken into use late and falls quiet, the other goes on speaking."""

from dataclasses import replace

from ultravires.simulator.cast import Call
from ultravires.simulator.changed_plans import RARE, UNAPPROVED, WEAK
from ultravires.simulator.stage import Stage
from ultravires.simulator.truth import Situation
from ultravires.simulator.worker_runs import run_batch, run_web_identity


def before_the_log_begins(stage: Stage, at: int) -> Situation:
    worker = stage.worker("role-sync")
    return Situation(
        "before_the_log_begins",
        (),
        worker.subject,
        tuple(run_batch(stage, worker, None, at)),
        "The change was approved before the change system was taken into use, so its log cannot show it.",
        is_benign=True,
    )


def quiet_system_in_doubt(stage: Stage, at: int) -> Situation:
    worker = stage.worker("shelf-policy")
    return Situation(
        "quiet_system_in_doubt",
        (),
        worker.subject,
        tuple(run_batch(stage, worker, None, at)),
        "The export of the change system has stopped: whether the change was approved is unknown.",
        is_benign=True,
    )


def unapproved_change(stage: Stage, at: int) -> Situation:
    worker = stage.worker("role-sync")
    return Situation(
        "unapproved_change",
        (),
        worker.subject,
        tuple(run_batch(stage, worker, None, at)),
        "A change in the afternoon, hours after the approved one, while the change system speaks.",
        (RARE,),
        one_of=(UNAPPROVED, WEAK),
    )


def unapproved_beside_quiet_system(stage: Stage, at: int) -> Situation:
    worker = stage.worker("network-stacks")
    acting = replace(worker, calls=(Call("iam:PutRolePolicy", "stack-reader"),), carries="window")
    return Situation(
        "unapproved_beside_quiet_system",
        (),
        worker.roles[0].arn,
        tuple(run_web_identity(stage, acting, None, at)),
        "A pipeline, whose deployments the other system approves, changes a role at night under no approval.",
        (RARE,),
        one_of=(UNAPPROVED, WEAK),
    )
