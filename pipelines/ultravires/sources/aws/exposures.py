"""Which calls of AWS open data or a way in, and to whom, where only their parameters say it. Policies of resources are
said as grants, once they are in force; what is shared with accounts is said here too, for a call that failed.
"""

from typing import Any
from urllib.parse import unquote

from ultravires.reading.effects import Json, Power, effect, no_effect
from ultravires.reading.values import integer, mapping, text
from ultravires.sources.aws.asked import (
    Effects,
    exposes_to,
    exposes_to_all,
    is_everywhere,
    is_on,
    items,
    names_in,
)
from ultravires.sources.aws.changes import Change, identifier, inner, member

_ADMIN_PORTS = (22, 23, 135, 445, 1433, 1521, 2375, 3306, 3389, 5432, 5985, 5986, 6379, 9200, 11211, 27017)
"""Ports of shells, remote desktops and databases: on these the whole internet has no business."""
_WITHOUT_PORTS = ("icmp", "icmpv6", "1", "58")
_CLUSTER_POLICIES: dict[str, Power] = {
    "AmazonEKSClusterAdminPolicy": "admin",
    "AmazonEKSAdminPolicy": "permissions",
    "AmazonEKSAdminViewPolicy": "data",
    "AmazonEKSEditPolicy": "data",
    "AmazonEKSViewPolicy": "data",
}
"""https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html"""


# Networks


def _ingress(change: Change) -> list[Json]:
    """The whole internet on ports of administration, on all ports, or by any protocol. Any other rule opens a way in,
    too, to somebody: that is what the action does.
    """
    rules = [*items(member(change.request, "ipPermissions")), change.request]
    return _opened([place for rule in rules for place in _places(rule)], _group(change))


def _changed_rules(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySecurityGroupRules.html"""
    request = inner(change.request, "ModifySecurityGroupRulesRequest") or change.request
    listed = items(member(request, "securityGroupRule", "securityGroupRules"))
    rules = [inner(each, "securityGroupRule") for each in listed]
    group = identifier(request, "groupId")
    return _opened([place for rule in rules for place in _places(rule)], [group] if group else [])


def _opened(places: list[tuple[Any, bool]], named: list[str]) -> list[Json]:
    if any(is_everywhere(network) and is_of_admin for network, is_of_admin in places):
        return [effect("exposes", target="public", uids=named)]
    return []


def _places(rule: dict[str, Any]) -> list[tuple[Any, bool]]:
    """(network, whether on a port of administration) for each network that a rule lets in."""
    is_of_admin = _has_admin_port(rule)
    networks = [
        *(member(each, "cidrIp") for each in items(member(rule, "ipRanges"))),
        *(member(each, "cidrIpv6") for each in items(member(rule, "ipv6Ranges"))),
        *(member(rule, name) for name in ("cidrIp", "cidrIpv4", "cidrIpv6")),
    ]
    return [(network, is_of_admin) for network in networks if network is not None]


def _group(change: Change) -> list[str]:
    name = identifier(change.request, "groupId", "groupName")
    return [name] if name else []


def _has_admin_port(rule: dict[str, Any]) -> bool:
    protocol = (text(member(rule, "ipProtocol")) or "").lower()
    if protocol in _WITHOUT_PORTS:
        return False
    if protocol == "-1":
        return True
    first, last = integer(member(rule, "fromPort")), integer(member(rule, "toPort"))
    if first is None or first < 0:
        return True
    return any(first <= port <= (first if last is None else last) for port in _ADMIN_PORTS)


def _acl_entry(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAclEntry.html"""
    request = change.request
    is_allowed = text(member(request, "ruleAction")) == "allow" and not is_on(request, "egress")
    ports = inner(request, "portRange")
    rule = {
        "ipProtocol": member(request, "aclProtocol"),
        "fromPort": member(ports, "from"),
        "toPort": member(ports, "to"),
    }
    networks = [member(request, name) for name in ("cidrBlock", "ipv6CidrBlock")]
    is_public = is_allowed and any(map(is_everywhere, networks)) and _has_admin_port(rule)
    return [effect("exposes", target="public")] if is_public else []


def _database_group(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_AuthorizeDBSecurityGroupIngress.html"""
    network = member(change.request, "cIDRIP")
    return [effect("exposes", target="public")] if is_everywhere(network) else []


def _public_ports(change: Change) -> list[Json]:
    """Without networks Lightsail opens ports to all:
    https://docs.aws.amazon.com/lightsail/2016-11-28/api-reference/API_PortInfo.html
    """
    ports = [*items(member(change.request, "portInfo")), *items(member(change.request, "portInfos"))]
    is_open = any(
        _has_admin_port(port) and (not _networks(port) or any(map(is_everywhere, _networks(port)))) for port in ports
    )
    return [effect("exposes", target="public")] if is_open else []


def _networks(port: dict[str, Any]) -> list[str]:
    return [*names_in(member(port, "cidrs")), *names_in(member(port, "ipv6Cidrs"))]


def _route(change: Change) -> list[Json]:
    """A way to the internet for whatever is in the network."""
    network = member(change.request, "destinationCidrBlock", "destinationIpv6CidrBlock")
    gateway = text(member(change.request, "gatewayId")) or ""
    return [effect("exposes")] if is_everywhere(network) and gateway.startswith("igw-") else []


def _peering(change: Change) -> list[Json]:
    """Who asks names the account of the other network, if that is another one:
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcPeeringConnection.html
    """
    return _trusts(identifier(change.request, "peerOwnerId") or change.account, change)


def _peering_accepted(change: Change) -> list[Json]:
    """Who accepts sees it in the answer:
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AcceptVpcPeeringConnection.html
    """
    return _trusts(identifier(inner(change.response, "vpcPeeringConnection", "requesterVpcInfo"), "ownerId"), change)


def _gateway_peering(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTransitGatewayPeeringAttachment.html"""
    request = inner(change.request, "CreateTransitGatewayPeeringAttachmentRequest") or change.request
    return _trusts(identifier(request, "peerAccountId"), change)


def _trusts(account: str | None, change: Change) -> list[Json]:
    if account is None:
        return []
    is_own = account == change.account
    return [no_effect("opens_trust")] if is_own else [effect("opens_trust", target="identity", uids=[account])]


def _endpoint_service(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcEndpointServicePermissions.html"""
    request = inner(change.request, "ModifyVpcEndpointServicePermissionsRequest") or change.request
    return exposes_to(names_in(member(request, "addAllowedPrincipals")))


# What is public or not


def _function_url(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"""
    return exposes_to_all(text(member(change.request, "authType")) == "NONE")


def _project_visibility(change: Change) -> list[Json]:
    return exposes_to_all(text(member(change.request, "projectVisibility")) == "PUBLIC_READ")


def _if_public(change: Change) -> list[Json]:
    return [effect("exposes", target="public")] if is_on(change.request, "publiclyAccessible") else []


def _queue(change: Change) -> list[Json]:
    has_policy = member(inner(change.request, "attributes"), "Policy") is not None
    return [] if has_policy else [no_effect("exposes")]


def _topic(change: Change) -> list[Json]:
    return [] if text(member(change.request, "attributeName")) == "Policy" else [no_effect("exposes")]


# Shared with accounts


def _image(permission: str, change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySnapshotAttribute.html, and of images"""
    added = items(member(inner(change.request, permission), "add"))
    return exposes_to([name for each in added if (name := identifier(each, "userId", "group"))])


def _snapshot(change: Change) -> list[Json]:
    return _image("createVolumePermission", change)


def _machine_image(change: Change) -> list[Json]:
    return _image("launchPermission", change)


def _database_snapshot(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBSnapshotAttribute.html"""
    return exposes_to(names_in(member(change.request, "valuesToAdd")))


def _warehouse_snapshot(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/redshift/latest/APIReference/API_AuthorizeSnapshotAccess.html"""
    return exposes_to(names_in(member(change.request, "accountWithRestoreAccess")))


def _document(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ModifyDocumentPermission.html"""
    return exposes_to([name.lower() for name in names_in(member(change.request, "accountIdsToAdd"))])


def _share(change: Change) -> list[Json]:
    """A share goes to accounts, organisations and units, and may be of others only if that is allowed:
    https://docs.aws.amazon.com/ram/latest/APIReference/API_CreateResourceShare.html
    """
    named = names_in(member(change.request, "principals"))
    accounts = [name for name in named if not name.startswith("arn:") or ":iam::" in name]
    return [effect("exposes", target="identity", uids=accounts)] if accounts else [effect("exposes")]


def _replication(change: Change) -> list[Json]:
    """Copies in a bucket of another account: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Destination.html"""
    rules = items(member(inner(change.request, "ReplicationConfiguration"), "Rule", "Rules"))
    owners = [identifier(mapping(member(each, "Destination")), "Account") for each in rules]
    others = [owner for owner in owners if owner and owner != change.account]
    return [effect("exposes", target="identity", uids=others)] if others else []


def _domain(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/Route53/latest/APIReference/API_domains_TransferDomainToAnotherAwsAccount.html"""
    account = identifier(change.request, "accountId")
    return [effect("grants_power", target="identity", uids=[account], power="data")] if account else []


# Clusters


def _access_policy(change: Change) -> list[Json]:
    """https://docs.aws.amazon.com/eks/latest/APIReference/API_AssociateAccessPolicy.html"""
    policy = (text(member(change.request, "policyArn")) or "").rpartition("/")[2]
    return [_given(change, _CLUSTER_POLICIES.get(policy))]


def _access_entry(change: Change) -> list[Json]:
    """Without groups an entry gives nothing before a policy is associated:
    https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAccessEntry.html
    """
    has_groups = bool(names_in(member(change.request, "kubernetesGroups")))
    return [_given(change, None if has_groups else "none")]


def _given(change: Change, power: Power | None) -> Json:
    """Where the entry is named in the address of the request, it is written as there."""
    name = identifier(change.request, "principalArn")
    principal = [unquote(name)] if name else []
    return effect("grants_power", target="identity" if principal else "resource", uids=principal, power=power)


EXPOSURES: dict[str, Effects] = {
    "codebuild:UpdateProjectVisibility": _project_visibility,
    "ec2:AcceptVpcPeeringConnection": _peering_accepted,
    "ec2:AuthorizeSecurityGroupIngress": _ingress,
    "ec2:CreateNetworkAclEntry": _acl_entry,
    "ec2:CreateRoute": _route,
    "ec2:CreateTransitGatewayPeeringAttachment": _gateway_peering,
    "ec2:CreateVpcPeeringConnection": _peering,
    "ec2:ModifyImageAttribute": _machine_image,
    "ec2:ModifySecurityGroupRules": _changed_rules,
    "ec2:ModifySnapshotAttribute": _snapshot,
    "ec2:ModifyVpcEndpointServicePermissions": _endpoint_service,
    "ec2:ReplaceNetworkAclEntry": _acl_entry,
    "ec2:ReplaceRoute": _route,
    "eks:AssociateAccessPolicy": _access_policy,
    "eks:CreateAccessEntry": _access_entry,
    "eks:UpdateAccessEntry": _access_entry,
    "lambda:CreateFunctionUrlConfig": _function_url,
    "lambda:UpdateFunctionUrlConfig": _function_url,
    "lightsail:OpenInstancePublicPorts": _public_ports,
    "lightsail:PutInstancePublicPorts": _public_ports,
    "ram:AssociateResourceShare": _share,
    "ram:CreateResourceShare": _share,
    "rds:AuthorizeDBSecurityGroupIngress": _database_group,
    "rds:CreateDBCluster": _if_public,
    "rds:CreateDBInstance": _if_public,
    "rds:ModifyDBClusterSnapshotAttribute": _database_snapshot,
    "rds:ModifyDBSnapshotAttribute": _database_snapshot,
    "rds:RestoreDBInstanceFromDBSnapshot": _if_public,
    "rds:RestoreDBInstanceToPointInTime": _if_public,
    "redshift:AuthorizeClusterSecurityGroupIngress": _database_group,
    "redshift:AuthorizeSnapshotAccess": _warehouse_snapshot,
    "redshift:CreateCluster": _if_public,
    "redshift:ModifyCluster": _if_public,
    "route53domains:TransferDomainToAnotherAwsAccount": _domain,
    "s3:PutBucketReplication": _replication,
    "sns:SetTopicAttributes": _topic,
    "sqs:SetQueueAttributes": _queue,
    "ssm:ModifyDocumentPermission": _document,
}
"""Action -> what its call says of whom something is opened to."""
