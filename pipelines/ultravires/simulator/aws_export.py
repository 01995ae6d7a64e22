"""What `aws iam get-account-authorization-details --filter Role` prints of a role.

Shape: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html. Values are our own.
"""

from ultravires.simulator import ids
from ultravires.simulator.cast import REGION, Role
from ultravires.simulator.grants import Json
from ultravires.simulator.moments import DAY, to_seconds

LOG = "aws_iam_snapshot"
_MADE_BEFORE = 400 * DAY


def role_exported(at: int, role: Role, *, used_at: int) -> Json:
    """An export of one role, taken at `at`; `used_at`: when somebody acted in it last."""
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    detail = {
        "Path": "/",
        "RoleName": role.name,
        "RoleId": ids.principal_id("AROA", role.arn),
        "Arn": role.arn,
        "CreateDate": to_seconds(at - _MADE_BEFORE),
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
        "InstanceProfileList": [],
        "RolePolicyList": [],
        "AttachedManagedPolicies": [
            {"PolicyName": "AmazonS3ReadOnlyAccess", "PolicyArn": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}
        ],
        "Tags": [],
        "RoleLastUsed": {"LastUsedDate": to_seconds(used_at), "Region": REGION},
    }
    return {"captured_at": to_seconds(at), "UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [detail]}
