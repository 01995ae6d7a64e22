"""Workers of the whole company: all day under one approval, with keys made in the office, under changes, or curious."""

from ultravires.simulator.aws_calls import LOOKS
from ultravires.simulator.cast import DATA, PLATFORM, PROD, Call, Human, Role, Worker

_ADMINISTRATOR = "priya.nair"


def further_workers() -> tuple[Worker, ...]:
    return (
        Worker(
            "workload",
            "access-sync",
            "identity-team",
            "Keep the readers' access as the directory has it",
            "system:serviceaccount:identity:access-sync",
            (Role(PROD, "k8s-access-sync"),),
            (Call("iam:GetRole", "directory-reader"), Call("iam:PutRolePolicy", "directory-reader")),
            runs_a_day=8,
        ),
        Worker(
            "batch",
            "inventory",
            "cloud-finance",
            "Look at something else in the account every night",
            f"arn:aws:iam::{PLATFORM}:user/svc-inventory",
            (),
            tuple(Call(action) for action in LOOKS),
            picks=2,
        ),
        _stacks(),
        _feed("statement-feed"),
        _feed("rating-feed"),
        _changed("role-sync", Call("iam:PutRolePolicy", "partner-reader"), Call("iam:GetRole", "partner-reader")),
        _changed("shelf-policy", Call("s3:PutBucketPolicy", "acme-shelf"), Call("s3:GetBucketPolicy", "acme-shelf")),
    )


def _stacks() -> Worker:
    """Keeps rights as code, and tries every kind of change in a laboratory of its own each day."""
    return Worker(
        "ci",
        "access-stacks",
        "delivery-team",
        "Deploy access-stacks",
        "repo:acme/access-stacks:ref:refs/heads/main",
        (Role(PLATFORM, "ci-access-stacks"), Role(DATA, "access-deploy"), Role(PROD, "access-deploy")),
        (
            Call("iam:CreateRole", "role/lab-{n}"),
            Call("iam:PutRolePolicy", "lab-reader"),
            Call("iam:CreatePolicyVersion", "policy/lab"),
            Call("iam:AttachRolePolicy", "role/lab-reader policy/lab"),
            Call("iam:CreatePolicy", "policy/lab-{n}"),
            Call("iam:PutRolePermissionsBoundary", "role/lab-reader policy/lab"),
            Call("iam:CreateGroup", "group/lab-{n}"),
            Call("iam:PutGroupPolicy", "group/lab-members"),
            Call("iam:AddUserToGroup", "group/lab-members user/svc-lab"),
        ),
        "transitive_tag",
    )


def further_humans() -> tuple[Human, ...]:
    """One more administrator where rights change most."""
    return (Human("lena.hoff@acme.example", "lena.hoff", PROD, (Call("iam:ListRoles"), Call("ec2:DescribeInstances"))),)


def _feed(name: str) -> Worker:
    calls = (Call("s3:ListObjects", f"acme-{name}"), Call("s3:GetObject", f"acme-{name}/in/{{n}}.csv"))
    subject = f"arn:aws:iam::{PLATFORM}:user/svc-{name}"
    task = f"Fetch {name} every night"
    return Worker("batch", name, "batch-operations", task, subject, (), calls, maker=_ADMINISTRATOR)


def _changed(name: str, *calls: Call) -> Worker:
    subject = f"arn:aws:iam::{PLATFORM}:user/svc-{name}"
    task = f"Nightly change of {name}"
    return Worker("change", name, "change-office", task, subject, (Role(DATA, f"change-{name}"),), calls)
