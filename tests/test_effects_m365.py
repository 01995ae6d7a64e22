"""What records of the unified audit log of Microsoft 365 say of their effects.

Records follow https://learn.microsoft.com/en-us/office/office-365-management-api/office-365-management-activity-api-schema,
parameters of cmdlets https://learn.microsoft.com/en-us/powershell/module/exchangepowershell/, sharing
https://learn.microsoft.com/en-us/purview/audit-log-sharing.
"""

from typing import Any

import pytest
from source_samples import OPTIONS, source
from ultravires.reading.effects import effect, no_effect

Json = dict[str, Any]
MIRA, GUEST = "mira@fjordline.example", "drop@elsewhere.example"
OUTSIDE = [effect("exposes", target="outside", uids=[GUEST])]
EVERYBODY = [effect("exposes", target="public")]
INSIDE: list[Json] = [no_effect("exposes")]
WEAKER, NOT_WEAKER = [effect("weakens_guard")], [no_effect("weakens_guard")]
UNSEEN, SEEN = [effect("weakens_evidence")], [no_effect("weakens_evidence")]


def detail(operation: str, workload: str = "Exchange", **members: Any) -> Json:
    record = {
        "CreationTime": "2026-10-05T09:00:00",
        "Id": "40a1c7e2-9b35-4f68-8d17-2e6b5a9c0100",
        "Operation": operation,
        "OrganizationId": "6f1d2c9e-8a40-4b57-9c3e-2f7b1a0d4e11",
        "RecordType": 1,
        "ResultStatus": "True",
        "UserId": MIRA,
        "UserType": 2,
        "Workload": workload,
        **members,
    }
    (event,) = source("m365_audit").events(record, OPTIONS)
    return event.detail


def cmdlet(operation: str, **parameters: Any) -> list[Json]:
    listed = [{"Name": name, "Value": value} for name, value in parameters.items()]
    found: list[Json] = detail(operation, Parameters=listed).get("effects", [])
    return found


@pytest.mark.parametrize("name", ["ForwardTo", "RedirectTo", "ForwardAsAttachmentTo"])
@pytest.mark.parametrize("operation", ["New-InboxRule", "Set-InboxRule"])
def test_a_rule_of_an_inbox_sends_mail_outside(operation: str, name: str) -> None:
    assert cmdlet(operation, Name="x", **{name: f"smtp:{GUEST}"}) == OUTSIDE
    assert cmdlet(operation, Name="x", **{name: [GUEST, "noa@fjordline.example"]}) == OUTSIDE
    assert cmdlet(operation, **{name: "noa@fjordline.example"}) == INSIDE
    assert cmdlet(operation, MoveToFolder="Archive") == INSIDE


def test_a_rule_that_outlook_makes() -> None:
    actions = f'[{{"ActionType":"Forward","Recipients":["{GUEST}"],"ForwardFlags":"None"}}]'
    listed = [{"Name": "RuleOperation", "Value": "AddMailboxRule"}, {"Name": "RuleActions", "Value": actions}, None]
    assert detail("UpdateInboxRules", OperationProperties=listed)["effects"] == OUTSIDE
    moved = [{"Name": "RuleActions", "Value": '[{"ActionType":"Move"}]'}]
    assert detail("UpdateInboxRules", OperationProperties=moved)["effects"] == INSIDE


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("New-TransportRule", {"BlindCopyTo": GUEST}, OUTSIDE),
        ("New-TransportRule", {"BlindCopyTo": "noa@fjordline.example"}, INSIDE),
        ("Set-TransportRule", {"SetSCL": "-1"}, [*INSIDE, *WEAKER]),
        ("Set-Mailbox", {"ForwardingSmtpAddress": f"smtp:{GUEST}"}, OUTSIDE),
        ("Set-Mailbox", {"ForwardingSmtpAddress": "smtp:noa@fjordline.example"}, []),
        ("Set-Mailbox", {"AuditEnabled": "False"}, UNSEEN),
        ("Set-Mailbox", {"AuditEnabled": "True"}, []),
        (
            "Set-Mailbox",
            {"GrantSendOnBehalfTo": "noa"},
            [effect("grants_power", target="identity", uids=["noa"], power="data")],
        ),
        ("Set-AdminAuditLogConfig", {"UnifiedAuditLogIngestionEnabled": "False"}, UNSEEN),
        ("Set-AdminAuditLogConfig", {"UnifiedAuditLogIngestionEnabled": True}, SEEN),
        ("Set-MailboxAuditBypassAssociation", {"AuditBypassEnabled": "True"}, UNSEEN),
        ("Set-MailboxAuditBypassAssociation", {"AuditBypassEnabled": "False"}, SEEN),
        ("Set-OrganizationConfig", {"AuditDisabled": "$true"}, UNSEEN),
        ("Set-OrganizationConfig", {"MailTipsAllTipsEnabled": "True"}, []),
        ("Set-CASMailbox", {"ImapEnabled": "True"}, WEAKER),
        ("Set-CASMailbox", {"ImapEnabled": "False"}, NOT_WEAKER),
        ("Set-TransportConfig", {"SmtpClientAuthenticationDisabled": "False"}, WEAKER),
        ("New-AuthenticationPolicy", {"AllowBasicAuthImap": "True"}, WEAKER),
        ("New-AuthenticationPolicy", {"Name": "modern"}, NOT_WEAKER),
        ("Set-RemoteDomain", {"AutoForwardEnabled": "True"}, WEAKER),
        ("Set-HostedOutboundSpamFilterPolicy", {"AutoForwardingMode": "On"}, WEAKER),
        ("Set-HostedOutboundSpamFilterPolicy", {"AutoForwardingMode": "Off"}, []),
        ("Set-AntiPhishPolicy", {"Enabled": "False"}, WEAKER),
        ("Set-AntiPhishPolicy", {"EnableMailboxIntelligence": "True"}, []),
        ("Set-SafeLinksPolicy", {"EnableSafeLinksForEmail": "False"}, WEAKER),
        ("Set-SafeLinksPolicy", {"EnableOrganizationBranding": "False"}, []),
        ("New-TenantAllowBlockListItems", {"Allow": "True"}, WEAKER),
        ("New-TenantAllowBlockListItems", {"Block": "True"}, []),
        ("Set-DlpCompliancePolicy", {"Mode": "Disable"}, WEAKER),
        ("Set-DlpCompliancePolicy", {"Mode": "Enable"}, []),
        ("Set-HostedContentFilterPolicy", {"AllowedSenderDomains": "elsewhere.example"}, WEAKER),
    ],
)
def test_settings_of_exchange_and_defender(operation: str, parameters: Json, expected: list[Json]) -> None:
    assert cmdlet(operation, **parameters) == expected


def test_who_may_open_another_s_mailbox() -> None:
    noa = [effect("grants_power", target="identity", uids=["noa@fjordline.example"], power="data")]
    assert cmdlet("Add-MailboxPermission", User="noa@fjordline.example", AccessRights="FullAccess") == noa
    assert cmdlet("Add-RecipientPermission", Trustee="noa@fjordline.example") == noa
    everybody = [effect("grants_power", target="public", power="data")]
    assert cmdlet("Add-MailboxFolderPermission", User="Anonymous") == everybody
    assert cmdlet("Add-MailboxPermission", User="NT AUTHORITY\\SELF") == [no_effect("grants_power")]
    assert cmdlet("Add-MailboxPermission", AccessRights="FullAccess") == []


@pytest.mark.parametrize(
    ("group", "power"), [("Organization Management", "admin"), ("View-Only Recipients", "permissions")]
)
def test_a_member_of_a_role_group_has_its_power(group: str, power: Any) -> None:
    given = [effect("grants_power", target="identity", uids=["noa"], power=power)]
    assert cmdlet("Add-RoleGroupMember", Identity=group, Member="noa") == given
    assert cmdlet("Add-RoleGroupMember", Identity=group) == []


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"TargetUserOrGroupName": GUEST, "TargetUserOrGroupType": "Guest"}, OUTSIDE),
        ({"TargetUserOrGroupName": GUEST}, OUTSIDE),
        ({"TargetUserOrGroupName": "noa@fjordline.example", "TargetUserOrGroupType": "Member"}, INSIDE),
        ({"TargetUserOrGroupName": "noa@group.example", "TargetUserOrGroupType": "Member"}, INSIDE),
        (
            {"TargetUserOrGroupName": "Everyone", "TargetUserOrGroupType": "SecurityGroup"},
            [effect("exposes", target="public")],
        ),
        ({}, []),
        ({"TargetUserOrGroupName": [GUEST], "TargetUserOrGroupType": 7}, []),
    ],
)
def test_with_whom_a_file_is_shared(members: Json, expected: list[Json]) -> None:
    for operation in ("SharingSet", "AddedToSecureLink"):
        assert detail(operation, "SharePoint", **members).get("effects", []) == expected


def test_guests_of_a_team() -> None:
    guest = "drop_elsewhere.example#EXT#@fjordline.example"
    added = detail("MemberAdded", "MicrosoftTeams", Members=[{"UPN": guest}, {"UPN": "noa@fjordline.example"}, None])
    assert added["effects"] == [
        effect("grants_power", target="outside", uids=[guest], power="data"),
        effect("grants_power", target="identity", uids=["noa@fjordline.example"], power="data"),
    ]


def test_copies_of_the_directory_s_records_say_what_those_say() -> None:
    user = "91d3e6a4-2b78-4c05-9f1e-6a8b7c5d3e44"
    target = [{"ID": f"User_{user}", "Type": 2}]
    changed = [{"Name": "StrongAuthenticationMethod", "OldValue": '[{"MethodType":6}]', "NewValue": "[]"}]
    said = detail("Update user.", "AzureActiveDirectory", Target=target, ModifiedProperties=changed)
    assert said["effects"] == [effect("weakens_guard", target="identity", uids=[user])]
    asked = [{"Name": "Role.TemplateId", "NewValue": '"62e90394-69f5-4237-9190-012177145e10"'}]
    members = {"Target": target, "ModifiedProperties": asked, "ResultStatus": "Failure"}
    given = [effect("grants_power", target="identity", uids=[user], power="admin")]
    assert detail("Add member to role.", "AzureActiveDirectory", **members)["effects"] == given


@pytest.mark.parametrize(("number", "expected"), [("500121", "failed"), (50074, "asked"), ("50126", None), ({}, None)])
def test_a_second_factor_by_the_number_of_the_error(number: Any, expected: Any) -> None:
    said = detail("UserLoginFailed", "AzureActiveDirectory", ErrorNumber=number, LogonError=7)
    assert said.get("second_factor") == expected


@pytest.mark.parametrize(
    "parameters", [None, "x", [None, 3], [{"Name": 3}], [{"Name": "ForwardTo", "Value": {"a": 1}}]]
)
def test_odd_records_raise_nothing(parameters: Any) -> None:
    for operation in ("New-InboxRule", "Set-Mailbox", "Set-AntiPhishPolicy", "Add-RoleGroupMember", "MemberAdded"):
        assert isinstance(detail(operation, Parameters=parameters, Members=parameters).get("effects", []), list)
