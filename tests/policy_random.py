"""Random questions about AWS with all that is held, as we take them and as policies are written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from ultravires_models.policies.context import Missing
from ultravires_models.policies.principals import context_of
from ultravires_models.policies.questions import Document, Documents, Held, Principal, Question
from ultravires_models.policies.resource_policies import needs_resource_policy

Json = dict[str, Any]
OURS, THEIRS = "111111111111", "222222222222"
ASKED = (
    ("s3:GetObject", "arn:aws:s3:::data/ann/report[1].csv"),
    ("s3:GetObject", "arn:aws:s3:::data/red/a[b-c]"),
    ("s3:PutObject", "arn:aws:s3:::data/2026/1/x"),
    ("s3:ListBucket", "arn:aws:s3:::data"),
    ("s3:ListAllMyBuckets", "*"),
    ("sqs:SendMessage", "arn:aws:sqs:us-east-1:{account}:jobs"),
    ("dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:{account}:table/Jobs"),
    ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:{account}:secret:db/ann-a1B2c3"),
    ("kms:Decrypt", "arn:aws:kms:us-east-1:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
    ("sts:AssumeRole", "arn:aws:iam::{account}:role/reader"),
    ("iam:GetUser", "arn:aws:iam::{account}:user/ann"),
)
KEYS: dict[str, tuple[Any, ...]] = {
    "aws:PrincipalTag/team": ("red", "blue", "a*b"),
    "aws:SourceIp": ("203.0.113.9", "198.51.100.7", "2001:db8::1"),
    "aws:SecureTransport": ("true", "false"),
    "aws:CurrentTime": ("2026-03-01T12:00:00Z", "2026-09-01T00:00:00+02:00"),
    "aws:MultiFactorAuthAge": ("10", "300", "3600"),
    "aws:RequestedRegion": ("us-east-1", "eu-central-1"),
    "aws:CalledVia": (["athena.amazonaws.com"], ["cloudformation.amazonaws.com", "dynamodb.amazonaws.com"]),
    "aws:SourceArn": ("arn:aws:sns:us-east-1:111111111111:topic", "arn:aws:sns:eu-central-1:222222222222:topic"),
}
TESTS: tuple[tuple[tuple[str, ...], str, tuple[Any, ...]], ...] = (
    (
        ("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
        "aws:PrincipalTag/team",
        ("red", "RED", ["blue", "green"], "re?"),
    ),
    (
        ("StringLike", "StringNotLike"),
        "aws:PrincipalTag/team",
        ("r*", "?lue", ["x", "b*e"], "a${*}b", "${aws:username}"),
    ),
    (("StringEquals", "StringNotEquals"), "aws:RequestedRegion", ("us-east-1", ["eu-central-1", "us-east-1"])),
    (("IpAddress", "NotIpAddress"), "aws:SourceIp", ("203.0.113.0/24", ["198.51.100.7/32", "2001:db8::/32"])),
    (("Bool",), "aws:SecureTransport", ("true", "false")),
    (
        (
            "DateLessThan",
            "DateGreaterThan",
            "DateLessThanEquals",
            "DateGreaterThanEquals",
            "DateEquals",
            "DateNotEquals",
        ),
        "aws:CurrentTime",
        ("2026-03-01T12:00:00Z", "2026-06-01T00:00:00Z"),
    ),
    (
        ("NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericEquals", "NumericNotEquals"),
        "aws:MultiFactorAuthAge",
        ("300", "900"),
    ),
    (
        ("ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals"),
        "aws:SourceArn",
        ("arn:aws:sns:*:111111111111:*", "arn:aws:sns:us-east-?:*:topic"),
    ),
    (("ArnLike", "ArnNotEquals"), "aws:PrincipalArn", ("arn:aws:iam::111111111111:role/*", "arn:aws:iam::*:user/ann")),
    (
        (
            "ForAllValues:StringEquals",
            "ForAnyValue:StringEquals",
            "ForAllValues:StringNotLike",
            "ForAnyValue:StringLike",
        ),
        "aws:CalledVia",
        ("athena.amazonaws.com", ["cloudformation.*", "athena.amazonaws.com"], "dynamodb*"),
    ),
)


@dataclass(frozen=True)
class Case:
    """A question with what is held."""

    question: Question
    held: Held


def random_case(random: Random) -> Case:
    """A case in which answers of both kinds are likely."""
    principal = random_principal(random)
    account = random.choice((OURS, OURS, OURS, THEIRS))
    action, resource = random.choice(ASKED)
    resource = resource.format(account=account)
    given = {key: random.choice(values) for key, values in KEYS.items() if random.random() < 0.6}
    question = Question(principal, action, resource, account, given, complete=True)
    build = _Builder(random, question)
    in_account = principal.kind != "service"
    has_policy = needs_resource_policy(action, resource)
    is_session = principal.kind in ("session", "federated")
    held = Held(
        identity=[build.document() for _ in range(random.randint(0, 3))] if in_account else [],
        boundary=[build.document()] if in_account and random.random() < 0.3 else None,
        session=[build.document()] if principal.kind == "federated" or (is_session and random.random() < 0.3) else None,
        guardrails=[[build.wide()] for _ in range(random.randint(1, 2))]
        if in_account and random.random() < 0.4
        else [],
        resource_guardrails=[[build.denials()]] if random.random() < 0.2 else [],
        resource=[build.of_resource()] if random.random() < (0.98 if has_policy else 0.6) else [],
    )
    return Case(question, held)


def random_principal(random: Random) -> Principal:
    """A user, a session of a role, a federated user, or a service."""
    return random.choice(
        (
            Principal(f"arn:aws:iam::{OURS}:user/ann", "user", OURS),
            Principal(f"arn:aws:iam::{OURS}:user/ann", "user", OURS),
            Principal(
                f"arn:aws:sts::{OURS}:assumed-role/deploy/run", "session", OURS, f"arn:aws:iam::{OURS}:role/deploy"
            ),
            Principal(f"arn:aws:sts::{OURS}:federated-user/ann", "federated", OURS, f"arn:aws:iam::{OURS}:user/ann"),
            Principal("lambda.amazonaws.com", "service"),
        )
    )


@dataclass(frozen=True)
class _Builder:
    random: Random
    question: Question

    def document(self) -> list[Json]:
        return [self.statement() for _ in range(self.random.randint(1, 3))]

    def wide(self) -> list[Json]:
        """What allows most, as service control policies do."""
        everything = {"effect": "allow", "actions": ["*"], "resources": ["*"]}
        return [everything, *self.denials()] if self.random.random() < 0.8 else self.document()

    def denials(self) -> list[Json]:
        """Statements as both kinds of guardrails may have them: resource control policies know neither NotAction nor
        the actions of all services.
        """
        service = self.question.action.partition(":")[0]
        actions = self.random.choice((f"{service}:*", self.question.action, f"{service}:Put*", "kms:Encrypt"))
        return [{"effect": "deny", "actions": [actions], **self._place()} for _ in range(self.random.randint(1, 2))]

    def of_resource(self) -> list[Json]:
        return [{**each, **self._principals(each["effect"])} for each in self.document()]

    def statement(self) -> Json:
        random = self.random
        made: Json = {"effect": "deny" if random.random() < 0.12 else "allow"}
        made["actions" if random.random() < 0.85 else "not_actions"] = self._some(self._action)
        return made | self._place()

    def _place(self) -> Json:
        """Where a statement holds: resources and conditions."""
        random = self.random
        made: Json = {"resources" if random.random() < 0.85 else "not_resources": self._some(self._resource)}
        return made | ({"condition": self._condition()} if random.random() < 0.3 else {})

    def _some(self, one: Callable[[], str]) -> list[str]:
        return [one() for _ in range(self.random.randint(1, 2))]

    def _action(self) -> str:
        service, _, name = self.question.action.partition(":")
        return self.random.choice(
            (
                self.question.action,
                self.question.action.swapcase(),
                f"{service}:*",
                f"{service}:{name[:3]}*",
                f"{service}:?{name[1:]}",
                f"{service}:*{name[-4:]}",
                f"{service}:{name}?",
                "ec2:*",
                "*",
            )
        )

    def _resource(self) -> str:
        resource = self.question.resource
        name = sum(map(len, resource.split(":")[:5])) + 5  # where the part after the fifth colon begins
        service = self.question.action.partition(":")[0]
        return self.random.choice(
            (
                resource,
                "*",
                "*",
                f"{resource[: name + self.random.randrange(12)]}*" if resource != "*" else "*",
                f"{resource[:-1]}?" if resource != "*" else "*",
                f"arn:aws:{service}:*:*:*",
                f"arn:aws:{service}:::*" if service == "s3" else "arn:aws:s3:::other/*",
                resource.replace("ann", "${aws:username}"),
                resource.replace("red", "${aws:PrincipalTag/team, 'red'}"),
                resource.replace("us-east-1", "us-*-1"),
                resource.replace("/", "/*/"),
                resource.upper().replace("ARN:AWS", "arn:aws"),
            )
        )

    def _condition(self) -> Json:
        random, found = self.random, {}
        for operators, key, values in random.sample(TESTS, random.randint(1, 2)):
            operator = random.choice(operators)
            if random.random() < 0.2 and not operator.startswith("For"):
                operator += "IfExists"
            found.setdefault(operator, {})[key] = random.choice(values)
        if random.random() < 0.15:
            found["Null"] = {random.choice(tuple(KEYS)): random.choice(("true", "false"))}
        return found

    def _principals(self, effect: str) -> Json:
        """Whom a statement names. A NotPrincipal names all that the page on it says that it should."""
        principal = self.question.principal
        own = f"Service:{principal.arn}" if principal.kind == "service" else f"AWS:{principal.arn}"
        whole = [own, *([f"AWS:{principal.issuer}"] if principal.issuer else []), f"AWS:{OURS}"]
        other = [f"AWS:arn:aws:iam::{OURS}:user/bob"]
        if self.random.random() < 0.15:
            return {"not_principals": self.random.choice((whole, other))}
        named = self.random.choice(
            ([own], ["*"], [f"AWS:arn:aws:iam::{OURS}:root"], [f"AWS:{OURS}"], other, whole[1:2])
        )
        return {"principals": named or [own]}


def as_simulation(case: Case) -> Json:
    """The case as the simulator takes it, with what we know of the principal among the keys of the request."""
    question, held = case.question, case.held
    known = context_of(question).values
    principal_keys = {key: value for key, value in known.items() if not isinstance(value, Missing)}
    return {
        "request": {
            "principal": question.principal.arn,
            "action": question.action,
            "resource": {"resource": question.resource, "accountId": question.resource_account},
            "contextVariables": {
                key: list(value) if isinstance(value, tuple) else value for key, value in principal_keys.items()
            },
        },
        "identityPolicies": _policies(held.identity),
        "serviceControlPolicies": _levels(held.guardrails),
        "resourceControlPolicies": _levels(held.resource_guardrails, {"Principal": "*"}),
        **({"sessionPolicy": _policy(held.session[0])} if held.session else {}),
        **({"resourcePolicy": _policy(held.resource[0])} if held.resource else {}),
        **({"permissionBoundaryPolicies": _policies(held.boundary)} if held.boundary else {}),
    }


def _levels(levels: Sequence[Documents], more: Json | None = None) -> list[Json]:
    return [{"orgIdentifier": f"ou-{n}", "policies": _policies(level, more)} for n, level in enumerate(levels)]


def _policies(documents: Documents, more: Json | None = None) -> list[Json]:
    return [{"name": f"policy{n}", "policy": _policy(each, more)} for n, each in enumerate(documents)]


def _policy(document: Document, more: Json | None = None) -> Json:
    return {"Version": "2012-10-17", "Statement": [{**_written(each), **(more or {})} for each in document or ()]}


def _written(statement: Any) -> Json:
    """A statement as AWS writes it."""
    names = {"actions": "Action", "not_actions": "NotAction", "resources": "Resource", "not_resources": "NotResource"}
    made: Json = {"Effect": statement["effect"].title()}
    made |= {name: statement[ours] for ours, name in names.items() if ours in statement}
    for ours, name in (("principals", "Principal"), ("not_principals", "NotPrincipal")):
        if ours in statement:
            made[name] = _written_principals(statement[ours])
    return made | ({"Condition": statement["condition"]} if "condition" in statement else {})


def _written_principals(principals: Sequence[str]) -> Json | str:
    if "*" in principals:
        return "*"
    found: Json = {}
    for each in principals:
        kind, _, name = each.partition(":")
        found.setdefault(kind, []).append(name)
    return found
