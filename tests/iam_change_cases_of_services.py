"""More calls of AWS that change who may do what: single statements and grants of KMS."""

import json
from typing import Any

from iam_change_cases import (
    ACCOUNT,
    KEY,
    KEY_ID,
    OPEN_TEXT,
    QUEUE,
    QUEUE_URL,
    READER,
    TOPIC,
    Case,
    arn,
    closed,
    opened,
)
from ultravires.reading.grants import given, statement, taken, unwritten, written

Json = dict[str, Any]

# https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
FUNCTION = arn("lambda", "function:pay")
_API = arn("execute-api", "abc/*/POST/pay")
_ASKED = {
    "functionName": "pay",
    "statementId": "api",
    "action": "lambda:InvokeFunction",
    "principal": "apigateway.amazonaws.com",
    "sourceArn": _API,
}
_LIMITED = {"ArnLike": {"AWS:SourceArn": _API}}
_INVOKE = "lambda:InvokeFunction"
_ANSWER = {
    "Sid": "api",
    "Effect": "Allow",
    "Principal": {"Service": "apigateway.amazonaws.com"},
    "Action": _INVOKE,
    "Resource": f"{FUNCTION}:live",
    "Condition": _LIMITED,
}


def part(
    resource: str, sid: str, action: str | list[str], principals: list[str], condition: Json | None = None
) -> list[Json]:
    actions = [action] if isinstance(action, str) else action
    said = statement("allow", actions, [resource], principals=principals, condition=condition, sid=sid)
    return [written(f"{resource}#{sid}", [said], kind="resource")]


_BY_API = part(FUNCTION, "api", _INVOKE, ["Service:apigateway.amazonaws.com"], _LIMITED)
_LAYER = arn("lambda", "layer:tools:3")
_SHARED_LAYER = {"layerName": "tools", "versionNumber": 3, "statementId": "org", "action": "lambda:GetLayerVersion"}
_OF_ORGANIZATION = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
_BUS = arn("events", "event-bus/default")
_PERMITTED = {"statementId": "x", "action": "events:PutEvents", "principal": "*"}
_IN_ORGANIZATION = {"type": "StringEquals", "key": "aws:PrincipalOrgID", "value": "o-1"}
_STATEMENTS = [
    Case("lambda:AddPermission20150331v2", _ASKED, None, _BY_API),
    Case("lambda:AddPermission20150331", _ASKED | {"functionName": FUNCTION}, None, _BY_API),
    Case("lambda:AddPermission", _ASKED | {"functionName": f"{ACCOUNT}:function:pay"}, None, _BY_API),
    Case(
        "lambda:AddPermission20150331v2",
        {**_ASKED, "functionName": "pay:live"},
        {"statement": json.dumps(_ANSWER)},
        [
            written(
                f"{FUNCTION}:live#api",
                [
                    statement(
                        "allow",
                        [_INVOKE],
                        [f"{FUNCTION}:live"],
                        principals=["Service:apigateway.amazonaws.com"],
                        condition=_LIMITED,
                        sid="api",
                    )
                ],
                kind="resource",
            )
        ],
    ),
    Case(
        "lambda:AddPermission20150331v2",
        {"functionName": "pay", "qualifier": "live", "statementId": "all", "action": _INVOKE, "principal": "*"},
        None,
        part(f"{FUNCTION}:live", "all", _INVOKE, ["*"]),
    ),
    Case(
        "lambda:AddPermission20150331v2",
        {"functionName": "pay", "statementId": "x"},
        None,
        [written(f"{FUNCTION}#x", None, kind="resource")],
    ),
    *[
        Case(
            f"lambda:RemovePermission{version}",
            {"functionName": "pay", "statementId": "api"},
            None,
            closed(f"{FUNCTION}#api"),
        )
        for version in ("", "20150331", "20150331v2")
    ],
    *[
        Case(
            f"lambda:AddLayerVersionPermission{version}",
            _SHARED_LAYER | {"principal": "*", "organizationId": "o-1"},
            None,
            part(_LAYER, "org", "lambda:GetLayerVersion", ["*"], _OF_ORGANIZATION),
        )
        for version in ("", "20181031")
    ],
    *[
        Case(f"lambda:RemoveLayerVersionPermission{version}", _SHARED_LAYER, None, closed(f"{_LAYER}#org"))
        for version in ("", "20181031")
    ],
    Case("lambda:DeleteFunction", {"functionName": "pay"}, None, closed(FUNCTION)),
    Case("lambda:DeleteFunction20150331", {"functionName": "pay", "qualifier": "3"}, None, closed(f"{FUNCTION}:3")),
    # https://docs.aws.amazon.com/sns/latest/api/API_AddPermission.html and the same of SQS
    Case(
        "sns:AddPermission",
        {"topicArn": TOPIC, "label": "x", "aWSAccountIds": ["444455556666"], "actionNames": ["Publish", "Subscribe"]},
        None,
        part(TOPIC, "x", ["sns:Publish", "sns:Subscribe"], ["AWS:444455556666"]),
    ),
    Case("sns:AddPermission", {"topicArn": TOPIC, "label": "x"}, None, [written(f"{TOPIC}#x", None, kind="resource")]),
    Case("sns:RemovePermission", {"topicArn": TOPIC, "label": "x"}, None, closed(f"{TOPIC}#x")),
    Case(
        "sqs:AddPermission",
        {"queueUrl": QUEUE_URL, "label": "x", "aWSAccountIds": ["444455556666"], "actions": ["*"]},
        None,
        part(QUEUE, "x", "sqs:*", ["AWS:444455556666"]),
    ),
    Case("sqs:RemovePermission", {"queueUrl": QUEUE_URL, "label": "x"}, None, closed(f"{QUEUE}#x")),
    # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html
    Case(
        "events:PutPermission",
        _PERMITTED | {"condition": _IN_ORGANIZATION},
        None,
        part(_BUS, "x", "events:PutEvents", ["*"], _OF_ORGANIZATION),
    ),
    Case("events:PutPermission", {"eventBusName": "default", "policy": OPEN_TEXT}, None, opened(_BUS)),
    Case("events:RemovePermission", {"statementId": "x"}, None, closed(f"{_BUS}#x")),
    Case("events:RemovePermission", {"removeAllPermissions": True}, None, closed(_BUS)),
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySnapshotAttribute.html
    Case(
        "ec2:ModifySnapshotAttribute",
        {
            "snapshotId": "snap-1",
            "attributeType": "CREATE_VOLUME_PERMISSION",
            "createVolumePermission": {
                "add": {"items": [{"userId": "444455556666"}, {"group": "all"}]},
                "remove": {"items": [{"userId": "777788889999"}]},
            },
        },
        None,
        [
            written(
                f"{arn('ec2', 'snapshot/snap-1')}#{name}",
                [
                    statement(
                        "allow",
                        ["ec2:CreateVolume", "ec2:CopySnapshot"],
                        [arn("ec2", "snapshot/snap-1")],
                        principals=[principal],
                    )
                ],
                kind="resource",
            )
            for name, principal in (("444455556666", "AWS:444455556666"), ("all", "*"))
        ]
        + closed(f"{arn('ec2', 'snapshot/snap-1')}#777788889999"),
    ),
    Case(
        "ec2:ModifyImageAttribute",
        {"imageId": "ami-1", "launchPermission": {"remove": {"items": [{"group": "all"}]}}},
        None,
        closed(f"{arn('ec2', 'image/ami-1')}#all"),
    ),
    Case("ec2:ModifyImageAttribute", {"imageId": "ami-1", "description": {"value": "x"}}, None, []),
]

# https://docs.aws.amazon.com/kms/latest/developerguide/ct-creategrant.html and ct-retiregrant.html, ct-revokegrant.html
_GRANT = "f020fe75197b93991dc8491d6f19dd3cebb24ee62277a05914386724f3d48758"
_HELD = f"{KEY}#{_GRANT}"
_MADE = {"grantId": _GRANT, "keyId": KEY}
_CONSTRAINTS = {"encryptionContextSubset": {"ContextKey1": "Value1"}}
_OPERATIONS = ["kms:Encrypt", "kms:RetireGrant"]
_ENDED = [taken("attached", binding=_GRANT), unwritten(_HELD)]
_KEYS = [
    Case(
        "kms:CreateGrant",
        {
            "keyId": KEY,
            "constraints": _CONSTRAINTS,
            "operations": ["Encrypt", "RetireGrant"],
            "granteePrincipal": READER,
        },
        _MADE,
        [
            written(_HELD, [statement("allow", _OPERATIONS, [KEY], condition={"GrantConstraints": _CONSTRAINTS})]),
            given("attached", READER, _HELD, binding=_GRANT),
        ],
    ),
    Case(
        "kms:CreateGrant",
        {
            "keyId": KEY_ID,
            "operations": ["Decrypt"],
            "granteePrincipal": f"arn:aws:sts::{ACCOUNT}:assumed-role/Reader/run-7",
        },
        {"grantId": _GRANT},
        [
            written(_HELD, [statement("allow", ["kms:Decrypt"], [KEY])]),
            given("attached", READER, _HELD, binding=_GRANT),
        ],
    ),
    Case(
        "kms:CreateGrant",
        {"keyId": KEY, "granteeServicePrincipal": "rds.amazonaws.com"},
        _MADE,
        [written(_HELD, None), given("attached", "rds.amazonaws.com", _HELD, binding=_GRANT)],
    ),
    Case("kms:RevokeGrant", {"keyId": KEY, "grantId": _GRANT}, None, _ENDED),
    Case("kms:RetireGrant", {"grantId": _GRANT}, None, [taken("attached", binding=_GRANT)]),
    Case(
        "kms:RetireGrant",
        None,
        None,
        _ENDED,
        {"additionalEventData": {"grantId": _GRANT}, "resources": [{"type": "AWS::KMS::Key", "ARN": KEY}]},
    ),
]

OF_SERVICES = [*_STATEMENTS, *_KEYS]
