"""Rights that come to machines beyond what was approved: widened, joined, unbound, or kept too long."""

from ultravires.simulator import aws_rights
from ultravires.simulator.agent_runs import perform
from ultravires.simulator.cast import PLATFORM, Role
from ultravires.simulator.changed_plans import ADMIN_GRANTED, EXPIRED, OVER_GRANT, WIDENED, grant_of, plan_of
from ultravires.simulator.moments import DAY, DAYS, HOUR, MINUTE, to_seconds
from ultravires.simulator.rights_changed import by_hand, by_pipeline, drifted
from ultravires.simulator.stage import Stage
from ultravires.simulator.truth import Drifted, Situation

_OPERATE = ("iam:CreateAccessKey", "iam:ListAccessKeys")


def role_widened_in_three_steps(stage: Stage, at: int) -> Situation:
    """A fifth of the world lies between each step and the next."""
    worker, apart = stage.worker("catalog"), stage.scribe.extent.n_days * 2 // DAYS * DAY
    role = worker.roles[0]
    policy = f"policy/{role.name}-base"
    setup = [
        aws_rights.new_policy(role.account, policy, ("s3:GetObject",)),
        aws_rights.attach(role, policy),
    ]
    nodes = by_pipeline(stage, role.account, at, setup)
    steps = (
        ("mara.lind", aws_rights.new_version(policy, "v2", ("s3:GetObject",), ("s3:GetObject*", "s3:PutObject*"))),
        ("ines.falk", aws_rights.put_inline(role, "quick-fix", ("dynamodb:*",))),
        ("lena.hoff", aws_rights.attach(role, "aws:policy/IAMFullAccess")),
    )
    drift = []
    for number, (user, change) in enumerate(steps):
        human, moment = stage.human(user), at + HOUR + number * apart
        drift.append(drifted("widened_after_approval", role.arn, by_hand(stage, human, moment, change), human, moment))
    return Situation(
        "role_widened_in_three_steps",
        (WIDENED,),
        worker.subject,
        (*nodes, *(each.cause for each in drift)),
        "Three people widen one role over weeks: a policy's new version, an inline policy, an attached policy.",
        (ADMIN_GRANTED, OVER_GRANT),
        drift=tuple(drift),
    )


def user_joins_powerful_group(stage: Stage, at: int) -> Situation:
    worker, human = stage.worker("mail-export"), stage.human("priya.nair")
    group = f"group/mail-operators-{stage.copy + 1}"
    setup = [aws_rights.new_group(group), aws_rights.put_group_inline(group, "operate", _OPERATE)]
    nodes, moment = by_pipeline(stage, PLATFORM, at, setup), at + 2 * HOUR
    join = aws_rights.join(group, f"user/{worker.subject.rpartition('/')[2]}")
    cause = by_hand(stage, human, moment, join)
    return Situation(
        "user_joins_powerful_group",
        (OVER_GRANT,),
        worker.subject,
        (*nodes, cause),
        "A batch user becomes a member of a group that may make keys for everybody.",
        drift=(drifted("over_grant", worker.subject, cause, human, moment),),
    )


def boundary_removed(stage: Stage, at: int) -> Situation:
    worker, human = stage.worker("partner-feed"), stage.human("otto.brandt")
    role = worker.roles[0]
    boundary, policy = f"policy/{role.name}-boundary", f"policy/{role.name}-wide"
    setup = [
        aws_rights.new_policy(role.account, boundary, ("s3:*",)),
        aws_rights.bound(role, boundary),
        aws_rights.new_policy(role.account, policy, ("s3:GetObject",), ("iam:PassRole", "ec2:*")),
        aws_rights.attach(role, policy),
    ]
    nodes, moment = by_pipeline(stage, role.account, at, setup), at + DAY
    cause = by_hand(stage, human, moment, aws_rights.unbound(role))
    return Situation(
        "boundary_removed",
        (WIDENED,),
        worker.subject,
        (*nodes, cause),
        "A person takes the boundary from a role, which then may do what it was given long before.",
        (OVER_GRANT,),
        drift=(drifted("widened_after_approval", role.arn, cause, human, moment),),
    )


def role_widened_after_approval(stage: Stage, at: int) -> Situation:
    worker, human = stage.worker("billing-load"), stage.human("jonas.veit")
    role = worker.roles[0]
    cause = by_hand(stage, human, at, aws_rights.attach(role, "aws:policy/AmazonDynamoDBFullAccess"))
    return Situation(
        "role_widened_after_approval",
        (WIDENED,),
        worker.subject,
        (cause,),
        "A person attaches a policy to a role weeks after it was approved as it was.",
        drift=(drifted("widened_after_approval", role.arn, cause, human, at),),
    )


def role_changed_on_the_day_of_its_approval(stage: Stage, at: int) -> Situation:
    agent, human = stage.agent("agent-ledger-exporter"), stage.human("jonas.veit")
    run = perform(stage, plan_of(stage, agent, at))
    role, moment = agent.roles[0], at + 40 * MINUTE
    cause = by_hand(stage, human, moment, aws_rights.put_inline(role, "more-tables", ("dynamodb:*",)))
    return Situation(
        "role_changed_on_the_day_of_its_approval",
        (WIDENED,),
        agent.uid,
        (cause, run.approval_node),
        "The approval names a role, and within the hour the role holds more than was approved.",
        drift=(drifted("widened_after_approval", role.arn, cause, human, moment),),
    )


def rights_kept_after_approval(stage: Stage, at: int) -> Situation:
    """Its next run of that kind takes them back, a day late."""
    agent = stage.agent("agent-lease-reader")
    plan = plan_of(stage, agent, at, agent.tools[:2])
    run = perform(stage, plan)
    cause = run.made[0].activities[-1]
    role = agent.roles[0]
    return Situation(
        "rights_kept_after_approval",
        (EXPIRED,),
        agent.uid,
        (cause, run.approval_node),
        "The agent takes a right for its task, as its approval says, and does not give it back.",
        (OVER_GRANT, WIDENED),
        drift=(Drifted("expired_but_held", role.arn, cause, role.arn, to_seconds(grant_of(plan).valid_until)),),
    )


# What looks like it and is right.


def role_widened_under_tickets(stage: Stage, at: int) -> Situation:
    worker, apart = stage.worker("search"), stage.scribe.extent.n_days * 2 // DAYS * DAY
    role = worker.roles[0]
    policy = f"policy/{role.name}-base"
    steps = (
        (
            aws_rights.new_policy(role.account, policy, ("s3:GetObject",)),
            aws_rights.attach(role, policy),
        ),
        (aws_rights.new_version(policy, "v2", ("s3:GetObject",), ("s3:GetObject*", "s3:PutObject*")),),
        (aws_rights.put_inline(role, "more-tables", ("dynamodb:*",)),),
    )
    nodes = [
        node
        for number, changes in enumerate(steps)
        for node in by_pipeline(stage, role.account, at + number * apart, changes)
    ]
    return Situation(
        "role_widened_under_tickets",
        (),
        worker.subject,
        tuple(nodes),
        "The pipeline that keeps rights as code widens a role over weeks, each time under a ticket that says so.",
        is_benign=True,
    )


def user_joins_group_under_ticket(stage: Stage, at: int) -> Situation:
    worker, group = stage.worker("metrics-push"), f"group/metrics-operators-{stage.copy + 1}"
    user = f"user/{worker.subject.rpartition('/')[2]}"
    changes = [
        aws_rights.new_group(group),
        aws_rights.put_group_inline(group, "operate", _OPERATE),
        aws_rights.join(group, user),
    ]
    return Situation(
        "user_joins_group_under_ticket",
        (),
        worker.subject,
        tuple(by_pipeline(stage, PLATFORM, at, changes)),
        "A batch user becomes a member of a powerful group, as a ticket says.",
        is_benign=True,
    )


def boundary_narrowed(stage: Stage, at: int) -> Situation:
    worker, human = stage.worker("stock-sync"), stage.human("otto.brandt")
    role = worker.roles[0]
    wide, narrow, policy = (f"policy/{role.name}-{name}" for name in ("wide", "narrow", "base"))
    setup = [
        aws_rights.new_policy(role.account, wide, ("s3:*", "iam:PassRole")),
        aws_rights.new_policy(role.account, narrow, ("s3:*",)),
        aws_rights.bound(role, wide),
        aws_rights.new_policy(role.account, policy, ("s3:GetObject",), ("iam:PassRole",)),
        aws_rights.attach(role, policy),
    ]
    nodes = by_pipeline(stage, role.account, at, setup)
    cause = by_hand(stage, human, at + DAY, aws_rights.bound(role, narrow))
    return Situation(
        "boundary_narrowed",
        (),
        worker.subject,
        (*nodes, cause),
        "A person exchanges the boundary of a role for a narrower one: nobody may do more than before.",
        is_benign=True,
    )


def role_made_with_its_rights(stage: Stage, at: int) -> Situation:
    role = Role(PLATFORM, f"report-loader-{stage.copy + 1}")
    changes = [
        aws_rights.new_role(role),
        aws_rights.put_inline(role, "make-keys", _OPERATE),
        aws_rights.attach(role, "aws:policy/AmazonDynamoDBFullAccess"),
    ]
    return Situation(
        "role_made_with_its_rights",
        (),
        role.arn,
        tuple(by_pipeline(stage, role.account, at, changes)),
        "A new role gets its first rights with it, under the ticket that asks for it.",
        is_benign=True,
    )


def role_changed_under_ticket_on_the_day(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-report-writer")
    run = perform(stage, plan_of(stage, agent, at))
    role = agent.roles[0]
    changes = [aws_rights.put_inline(role, "more-tables", ("dynamodb:*",))]
    return Situation(
        "role_changed_under_ticket_on_the_day",
        (),
        agent.uid,
        (run.approval_node, *by_pipeline(stage, role.account, at + 40 * MINUTE, changes)),
        "The role of an approval is widened within the hour, under a ticket of its own.",
        is_benign=True,
    )


def rights_given_back(stage: Stage, at: int) -> Situation:
    agent = stage.agent("agent-lease-reader")
    run = perform(stage, plan_of(stage, agent, at))
    return Situation(
        "rights_given_back",
        (),
        agent.uid,
        run.nodes(),
        "The agent takes a right for its task, as its approval says, and gives it back before the approval ends.",
        is_benign=True,
    )
