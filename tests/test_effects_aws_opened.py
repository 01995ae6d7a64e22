"""What calls of AWS open to whom, and what they do with what runs, where their parameters say it. Requests are in the
form in which CloudTrail writes them, after the pages of the API that sources/aws names beside each function.
"""

import json
from typing import Any

import pytest
from aws_effects import ACCOUNT, denied, effects_of, said
from aws_effects import OTHER_ACCOUNT as OTHER
from ultravires.reading.effects import Power

OWN_KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1"
FOREIGN_KEY = f"arn:aws:kms:eu-central-1:{OTHER}:key/1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Runner"


def test_a_database_gets_a_password_or_an_address_for_everybody() -> None:
    assert said("rds:ModifyDBInstance", {"masterUserPassword": "HIDDEN"}) == {"issues_credential"}
    assert said("rds:ModifyDBInstance", {"publiclyAccessible": True}) == {"exposes public"}
    assert said("rds:CreateDBInstance", {"publiclyAccessible": False}) == set()


def rule(network: str, port: int, protocol: str = "tcp") -> dict[str, Any]:
    ranges = {"items": [{"cidrIp": network}]}
    return {"items": [{"ipProtocol": protocol, "fromPort": port, "toPort": port, "ipRanges": ranges}]}


@pytest.mark.parametrize(
    ("request_", "is_public"),
    [
        ({"groupId": "sg-1", "ipPermissions": rule("0.0.0.0/0", 22)}, True),
        ({"groupId": "sg-1", "ipPermissions": rule("198.51.100.7/0", 3389)}, True),
        ({"groupId": "sg-1", "ipPermissions": {}, "cidrIp": "0.0.0.0/0", "fromPort": 0, "toPort": 65535}, True),
        ({"ipPermissions": {"items": [{"ipProtocol": "-1", "ipv6Ranges": {"items": [{"cidrIpv6": "::/0"}]}}]}}, True),
        ({"groupId": "sg-1", "ipPermissions": rule("0.0.0.0/0", 443)}, False),
        ({"groupId": "sg-1", "ipPermissions": rule("0.0.0.0/0", -1, "icmp")}, False),
        ({"groupId": "sg-1", "ipPermissions": rule("10.0.0.0/8", 22)}, False),
        ({"groupId": "sg-1", "ipPermissions": {"items": [{"ipProtocol": "tcp", "groups": {"items": []}}]}}, False),
    ],
)
def test_a_port_of_administration_that_is_open_to_the_internet(request_: Any, is_public: bool) -> None:
    assert ("exposes public" in said("ec2:AuthorizeSecurityGroupIngress", request_)) is is_public


def test_a_rule_that_is_changed_is_read_as_one_that_is_added() -> None:
    changed = {"SecurityGroupRuleId": "sgr-1", "SecurityGroupRule": {"IpProtocol": "-1", "CidrIpv4": "0.0.0.0/0"}}
    request = {"ModifySecurityGroupRulesRequest": {"GroupId": "sg-1", "SecurityGroupRule": changed}}
    assert effects_of("ec2:ModifySecurityGroupRules", request) == [
        {"effect": "exposes", "target": "public", "uids": ["sg-1"]}
    ]
    changed["SecurityGroupRule"]["CidrIpv4"] = "10.0.0.0/8"  # type: ignore[index]
    assert effects_of("ec2:ModifySecurityGroupRules", request) == []


def test_other_networks_that_are_open_to_everybody() -> None:
    entry = {"ruleAction": "allow", "egress": False, "cidrBlock": "0.0.0.0/0", "aclProtocol": "-1"}
    assert said("ec2:CreateNetworkAclEntry", entry) == {"exposes public"}
    assert said("ec2:CreateNetworkAclEntry", {**entry, "ruleAction": "deny"}) == set()
    assert said("ec2:CreateNetworkAclEntry", {**entry, "egress": True}) == set()
    assert said("rds:AuthorizeDBSecurityGroupIngress", {"cIDRIP": "0.0.0.0/0"}) == {"exposes public"}
    assert said("rds:AuthorizeDBSecurityGroupIngress", {"cIDRIP": "10.0.0.0/8"}) == set()
    ports = {"fromPort": 22, "toPort": 22, "protocol": "tcp"}
    assert said("lightsail:OpenInstancePublicPorts", {"portInfo": ports}) == {"exposes public"}
    assert said("lightsail:OpenInstancePublicPorts", {"portInfo": {**ports, "cidrs": ["192.0.2.0/24"]}}) == set()
    to_internet = {"destinationCidrBlock": "0.0.0.0/0", "gatewayId": "igw-1"}
    assert said("ec2:CreateRoute", to_internet) == {"exposes"}
    assert said("ec2:CreateRoute", {**to_internet, "gatewayId": "vgw-1"}) == set()
    cluster = {"resourcesVpcConfig": {"endpointPublicAccess": True}}
    assert "exposes public" in said("eks:UpdateClusterConfig", cluster)
    cluster["resourcesVpcConfig"]["publicAccessCidrs"] = ["192.0.2.0/24"]  # type: ignore[assignment]
    assert "exposes public" not in said("eks:UpdateClusterConfig", cluster)


def test_what_is_open_to_all_or_not() -> None:
    assert said("lambda:CreateFunctionUrlConfig", {"authType": "NONE"}) == {"exposes public"}
    assert denied("lambda:CreateFunctionUrlConfig", {"authType": "AWS_IAM"}) == {"exposes"}
    assert said("codebuild:UpdateProjectVisibility", {"projectVisibility": "PUBLIC_READ"}) == {"exposes public"}
    assert denied("codebuild:UpdateProjectVisibility", {"projectVisibility": "PRIVATE"}) == {"exposes"}
    assert denied("sqs:SetQueueAttributes", {"attributes": {"DelaySeconds": "1"}}) == {"exposes"}
    assert effects_of("sqs:SetQueueAttributes", {"attributes": {"Policy": "{}"}}) == []
    assert denied("sns:SetTopicAttributes", {"attributeName": "DisplayName"}) == {"exposes"}
    assert effects_of("sns:SetTopicAttributes", {"attributeName": "Policy"}) == []


def shared_with(name: str, member: str) -> dict[str, Any]:
    return {"snapshotId": "snap-1", "createVolumePermission": {name: {"items": [{member: "all"}]}}}


def test_snapshots_images_and_documents_are_shared_with_all_or_with_accounts() -> None:
    account = [{"effect": "exposes", "target": "identity", "uids": [OTHER]}]
    added = {"snapshotId": "snap-1", "createVolumePermission": {"add": {"items": [{"userId": OTHER}]}}}
    assert effects_of("ec2:ModifySnapshotAttribute", added) == account
    assert said("ec2:ModifySnapshotAttribute", shared_with("add", "group")) == {"exposes public"}
    assert denied("ec2:ModifySnapshotAttribute", shared_with("remove", "group")) == {"exposes"}
    image = {"imageId": "ami-1", "launchPermission": {"add": {"items": [{"group": "all"}]}}}
    assert said("ec2:ModifyImageAttribute", image) == {"exposes public"}
    assert denied("ec2:ModifyImageAttribute", {"imageId": "ami-1", "description": {"value": "d"}}) == {"exposes"}
    assert said("rds:ModifyDBSnapshotAttribute", {"valuesToAdd": ["all"]}) == {"exposes public"}
    assert effects_of("rds:ModifyDBClusterSnapshotAttribute", {"valuesToAdd": [OTHER]}) == account
    assert denied("rds:ModifyDBSnapshotAttribute", {"valuesToRemove": [OTHER]}) == {"exposes"}
    assert effects_of("redshift:AuthorizeSnapshotAccess", {"accountWithRestoreAccess": OTHER}) == account
    assert said("ssm:ModifyDocumentPermission", {"accountIdsToAdd": ["All"]}) == {"exposes public"}
    assert denied("ssm:ModifyDocumentPermission", {"accountIdsToRemove": [OTHER]}) == {"exposes"}
    service = {"ModifyVpcEndpointServicePermissionsRequest": {"AddAllowedPrincipals": "*"}}
    assert said("ec2:ModifyVpcEndpointServicePermissions", service) == {"exposes public"}


def test_shares_copies_and_domains_that_go_to_another_account() -> None:
    unit = f"arn:aws:organizations::{ACCOUNT}:ou/o-1/ou-1"
    assert said("ram:CreateResourceShare", {"principals": [OTHER, unit]}) == {"exposes identity"}
    assert said("ram:CreateResourceShare", {"principals": [unit]}) == {"exposes"}
    to_other, to_own = (
        {"ReplicationConfiguration": {"Rule": [{"Destination": {"Account": owner}}]}} for owner in (OTHER, ACCOUNT)
    )
    assert said("s3:PutBucketReplication", to_other) == {"exposes identity"}
    assert said("s3:PutBucketReplication", to_own) == set()
    moved = effects_of("route53domains:TransferDomainToAnotherAwsAccount", {"domainName": "d", "accountId": OTHER})
    assert moved == [{"effect": "grants_power", "target": "identity", "uids": [OTHER], "power": "data"}]


def test_a_network_of_another_account_is_trusted() -> None:
    assert said("ec2:CreateVpcPeeringConnection", {"peerOwnerId": OTHER}) == {"opens_trust identity"}
    assert denied("ec2:CreateVpcPeeringConnection", {"peerVpcId": "vpc-2"}) == {"opens_trust"}
    answer = {"vpcPeeringConnection": {"requesterVpcInfo": {"ownerId": OTHER}}}
    assert said("ec2:AcceptVpcPeeringConnection", {"id": "pcx-1"}, answer) == {"opens_trust identity"}
    assert effects_of("ec2:AcceptVpcPeeringConnection", {"id": "pcx-1"}) == []
    request = {"CreateTransitGatewayPeeringAttachmentRequest": {"PeerAccountId": ACCOUNT}}
    assert denied("ec2:CreateTransitGatewayPeeringAttachment", request) == {"opens_trust"}


@pytest.mark.parametrize(
    ("policy", "power"), [("ClusterAdmin", "admin"), ("Admin", "permissions"), ("View", "data"), ("Unheard", None)]
)
def test_what_an_access_policy_gives_in_a_cluster(policy: str, power: Power | None) -> None:
    arn = f"arn:aws:eks::aws:cluster-access-policy/AmazonEKS{policy}Policy"
    name = ROLE.replace(":", "%3A").replace("/", "%2F")
    (given,) = effects_of("eks:AssociateAccessPolicy", {"principalArn": name, "policyArn": arn})
    assert given["target"] == "identity" and given["uids"] == [ROLE] and given.get("power") == power


def test_an_access_entry_gives_what_its_groups_have() -> None:
    (without,) = effects_of("eks:CreateAccessEntry", {"principalArn": ROLE})
    (with_groups,) = effects_of("eks:CreateAccessEntry", {"principalArn": ROLE, "kubernetesGroups": ["ops"]})
    assert (without["power"], with_groups.get("power")) == ("none", None)


def test_a_role_that_is_handed_to_what_runs_gives_power_and_runs_code() -> None:
    both = {"runs_code", "grants_power"}
    assert said("ec2:RunInstances", {"iamInstanceProfile": {"name": "P"}}) == both
    assert said("ec2:RunInstances", {"instanceType": "t3.micro"}) == set()
    assert said("ec2:RequestSpotInstances", {"launchSpecification": {"iamInstanceProfile": {"name": "P"}}}) == both
    assert said("cloudformation:CreateStack", {"roleARN": ROLE}) == both
    assert said("cloudformation:CreateStack", {"stackName": "s"}) == set()
    assert said("ecs:RegisterTaskDefinition", {"taskRoleArn": ROLE}) == both
    assert said("ecs:RegisterTaskDefinition", {"executionRoleArn": ROLE}) == set()
    assert said("ecs:RunTask", {"overrides": {"taskRoleArn": ROLE}}) == both
    assert said("ecs:RunTask", {"overrides": {"containerOverrides": [{"command": ["sh"]}]}}) == {"runs_code"}
    assert said("ecs:RunTask", {"overrides": {"containerOverrides": []}}) == set()
    assert said("codebuild:StartBuild", {"projectName": "p", "buildspecOverride": "x"}) == {"runs_code"}
    assert said("codebuild:StartBuild", {"projectName": "p"}) == set()


def test_machines_with_much_computing_power_are_of_use_by_themselves() -> None:
    launched = [{"effect": "changes_workload", "target": "resource", "power": "data"}]
    assert effects_of("ec2:RunInstances", {"instanceType": "p2.xlarge"}) == launched
    assert effects_of("ec2:RequestSpotInstances", {"launchSpecification": {"instanceType": "g4dn.metal"}}) == launched
    assert effects_of("ec2:RunInstances", {"instanceType": "m5.large"}) == []
    assert effects_of("ec2:RunInstances", {"instanceType": "g" * 5_000}) == []


def test_only_user_data_of_a_machine_and_code_of_a_function_run_code() -> None:
    assert effects_of("ec2:ModifyInstanceAttribute", {"instanceId": "i-1", "userData": {"value": "x"}}) == []
    assert said("ec2:ModifyInstanceAttribute", {"instanceType": {"value": "t3.micro"}}) == {"changes_workload"}
    assert "weakens_guard" in said("ec2:ModifyInstanceAttribute", {"disableApiTermination": {"value": False}})
    function = "lambda:UpdateFunctionConfiguration20150331v2"
    assert effects_of(function, {"functionName": "f", "layers": ["arn:aws:lambda:x:1:layer:l:1"]}) == []
    assert said(function, {"functionName": "f", "role": ROLE}) == {"grants_power"}
    assert said(function, {"functionName": "f", "timeout": 3}) == {"changes_workload"}
    assert denied(function, {"functionName": "f", "timeout": 3}) == {"runs_code"}


def test_a_key_is_turned_on_or_off() -> None:
    assert effects_of("iam:UpdateAccessKey", {"userName": "u", "status": "Active"}) == []
    assert said("iam:UpdateAccessKey", {"userName": "u", "status": "Inactive"}) == {"takes_power identity"}


@pytest.mark.parametrize("name", ["GetParameter", "GetParameters", "GetParametersByPath", "GetParameterHistory"])
def test_only_a_parameter_that_is_decrypted_is_a_secret(name: str) -> None:
    assert said(f"ssm:{name}", {"name": "/p", "withDecryption": True}) == {"reads_secret"}
    assert said(f"ssm:{name}", {"name": "/p", "withDecryption": False}) == set()


def test_data_under_a_key_of_somebody_else_is_held_to_ransom() -> None:
    header = "x-amz-server-side-encryption-aws-kms-key-id"
    assert said("s3:CopyObject", {header: FOREIGN_KEY}) == {"ransoms"}
    assert said("s3:PutObject", {"x-amz-server-side-encryption-customer-algorithm": "AES256"}) == {"ransoms"}
    assert said("s3:PutObject", {header: OWN_KEY}) == set()
    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": FOREIGN_KEY}}
    assert said("s3:PutBucketEncryption", {"ServerSideEncryptionConfiguration": {"Rule": default}}) == {"ransoms"}
    default["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] = OWN_KEY
    assert said("s3:PutBucketEncryption", {"ServerSideEncryptionConfiguration": {"Rule": default}}) == set()
    assert said("ec2:CopySnapshot", {"kmsKeyId": FOREIGN_KEY}) == {"ransoms"}
    assert said("ec2:ModifyEbsDefaultKmsKeyId", {"kmsKeyId": "alias/ours"}) == set()


def policy(**members: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", **members}
    return {"roleName": "Runner", "policyName": "p", "policyDocument": json.dumps({"Statement": [statement]})}


@pytest.mark.parametrize(
    ("members", "power"),
    [
        ({}, "admin"),
        ({"Action": "s3:*"}, None),
        ({"Effect": "Deny"}, None),
        ({"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}, None),
    ],
)
def test_a_policy_of_everything_asks_for_the_power_of_administrators(members: Any, power: Power | None) -> None:
    (asked,) = effects_of("iam:PutRolePolicy", policy(**members))
    assert (asked["target"], asked["uids"], asked.get("power")) == ("identity", [ROLE], power)


def test_a_managed_policy_that_is_asked_for() -> None:
    def power(arn: str) -> Power | None:
        (asked,) = effects_of("iam:AttachRolePolicy", {"roleName": "Runner", "policyArn": arn})
        assert asked["uids"] == [ROLE]
        found: Power | None = asked.get("power")
        return found

    assert power("arn:aws:iam::aws:policy/AdministratorAccess") == "admin"
    assert power("arn:aws:iam::aws:policy/ReadOnlyAccess") is None
    # of that name, and of the account's own making
    assert power(f"arn:aws:iam::{ACCOUNT}:policy/AdministratorAccess") is None
    assert effects_of("iam:AttachRolePolicy", {"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}) == []
