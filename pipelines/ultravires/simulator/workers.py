"""CI pipelines, batch users, cluster workloads and humans."""

from ultravires.simulator.cast import DATA, PLATFORM, PROD, SANDBOX, Call, Human, Role, Worker

_DEPLOY = Role(PROD, "service-deploy")
_SHIP = (Call("ecr:GetAuthorizationToken"), Call("ecr:PutImage", "{name}"))


def base_workers() -> tuple[Worker, ...]:
    return _pipelines() + _batch_users() + _workloads()


def _pipelines() -> tuple[Worker, ...]:
    ship = (*_SHIP, Call("ecs:RegisterTaskDefinition", "{name}"), Call("ecs:UpdateService", "{name}"))
    stack = (Call("cloudformation:DescribeStacks", "{name}"), Call("cloudformation:UpdateStack", "{name}"))
    function = (
        Call("lambda:UpdateFunctionCode20150331v2", "{name}"),
        Call("lambda:GetFunction20150331v2", "{name}"),
    )
    return (
        _pipeline("web-shop", "transitive_tag", ship, hops=(_DEPLOY,)),
        _pipeline("checkout", "transitive_tag", ship, hops=(_DEPLOY,)),
        _pipeline("pricing", "session_tag", ship, hops=(_DEPLOY,)),
        _pipeline("network-stacks", "session_tag", stack),
        _pipeline("mail-functions", "transitive_tag", function),
        _pipeline("image-functions", "session_tag", function),
    )


def _pipeline(name: str, carries: str, calls: tuple[Call, ...], hops: tuple[Role, ...] = ()) -> Worker:
    named = tuple(Call(call.action, call.target.format(name=name)) for call in calls)
    return Worker(
        "ci",
        name,
        "delivery-team",
        f"Deploy {name}",
        f"repo:acme/{name}:ref:refs/heads/main",
        (Role(PLATFORM, f"ci-{name}"), *hops),
        named,
        carries,
    )


def _batch_users() -> tuple[Worker, ...]:
    copy = (Call("s3:ListObjects", "acme-{name}"), Call("s3:GetObject", "acme-{name}/in/{{n}}.csv"))
    load = (*copy, Call("dynamodb:PutItem", "{name}"))
    return (
        _batch("billing-load", load, Role(DATA, "batch-billing-load")),
        _batch("stock-sync", load, Role(DATA, "batch-stock-sync")),
        _batch("partner-feed", copy, Role(DATA, "batch-partner-feed")),
        _batch("backup-copy", (*copy, Call("s3:PutObject", "acme-{name}/out/{{n}}.tar"))),
        _batch("metrics-push", (Call("cloudwatch:PutMetricData"), Call("ec2:DescribeInstances"))),
        _batch("mail-export", copy),
    )


def _batch(name: str, calls: tuple[Call, ...], *roles: Role) -> Worker:
    named = tuple(Call(call.action, call.target.format(name=name)) for call in calls)
    subject = f"arn:aws:iam::{PLATFORM}:user/svc-{name}"
    return Worker("batch", name, "batch-operations", f"Run {name} every night", subject, roles, named)


def _workloads() -> tuple[Worker, ...]:
    queue = (Call("sqs:GetQueueAttributes", "{name}"), Call("ssm:GetParameter", "/{name}/settings"))
    store = (Call("s3:GetObject", "acme-{name}/state.json"), Call("s3:PutObject", "acme-{name}/state.json"))
    return (
        _workload("cart", "shop", queue, "transitive_tag"),
        _workload("catalog", "shop", store, "session_tag"),
        _workload("search", "shop", store, "window"),
        _workload("mailer", "comms", queue, "session_tag"),
        _workload("webhooks", "comms", queue, "window"),
        _workload("thumbnails", "media", store, "transitive_tag"),
    )


def _workload(name: str, namespace: str, calls: tuple[Call, ...], carries: str) -> Worker:
    named = tuple(Call(call.action, call.target.format(name=name)) for call in calls)
    subject = f"system:serviceaccount:{namespace}:{name}"
    task = f"Serve {name} in the shop cluster"
    return Worker("workload", name, f"{namespace}-team", task, subject, (Role(PROD, f"k8s-{name}"),), named, carries)


_LOOK = (Call("ec2:DescribeInstances"), Call("iam:ListRoles"), Call("cloudtrail:DescribeTrails"))
_ADMINISTER = (*_LOOK, Call("iam:PutRolePolicy", "oncall-reader"), Call("s3:PutBucketPolicy", "acme-archive"))


def base_humans() -> tuple[Human, ...]:
    return (
        Human("mara.lind@acme.example", "mara.lind", PROD, _ADMINISTER),
        Human("jonas.veit@acme.example", "jonas.veit", DATA, _LOOK),
        Human("priya.nair@acme.example", "priya.nair", PLATFORM, _ADMINISTER),
        Human("tomas.ruiz@acme.example", "tomas.ruiz", SANDBOX, _LOOK),
        Human("ines.falk@acme.example", "ines.falk", PROD, _LOOK, is_on_call=True),
        Human("otto.brandt@acme.example", "otto.brandt", DATA, _LOOK, is_on_call=True),
    )
