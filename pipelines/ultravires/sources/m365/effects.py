"""What only a record of the unified audit log says of its effects: whether mail is sent outside, whether a log is
turned off, with whom a file is shared (reading/effects.py).

An operation that is in no table here does what build/action_effects/m365.csv says. Cmdlets and their parameters:
https://learn.microsoft.com/en-us/powershell/module/exchangepowershell/. Sharing:
https://learn.microsoft.com/en-us/purview/audit-log-sharing. Whose domain is not that of who did it is outside.
"""

import re
from collections.abc import Callable
from itertools import islice

from ultravires.reading.effects import Effect, Json, Power, effect, no_effect
from ultravires.reading.values import label, mapping, sequence, text, texts
from ultravires.sources.azure.exports import filled

Effects = Callable[[Json], list[Json]]
"""Of a whole record."""
_MOST_ITEMS = 500
_MOST_OF_A_VALUE = 20_000
_ADDRESS = re.compile(r"[\w.+'#-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}", re.ASCII)
_GUEST = "#ext#"
_EVERYBODY = frozenset({"everyone", "anonymous"})
_EVERYBODY_OF_MAILBOX = frozenset({"anonymous", "default"})
_ONESELF = "nt authority\\self"
_ADMIN_GROUPS = frozenset({"organization management", "company administrator", "tenantadmins"})
_FORWARDS = ("ForwardTo", "ForwardAsAttachmentTo", "RedirectTo")
_SENDS_ON = ("RedirectMessageTo", "BlindCopyTo", "CopyTo", "AddToRecipients")
_PROTECTIONS = re.compile(
    r"^(enable(?!\w*(branding|notification))\w*|enabled|state|mode|\w*protectionenabled|\w*zapenabled|trackclicks)$"
)
_LETS_THROUGH = re.compile(r"^(allowed(senders|senderdomains)|whitelistedurls|donotrewriteurls|excluded\w+)$")
_OFF = frozenset({"false", "$false", "disable", "disabled", "off", "allow", "0"})


def effects_of(operation: str, record: Json) -> list[Json]:
    """What the record shows; nothing of most operations."""
    lowered = operation.lower()
    if make := _EFFECTS.get(lowered):
        return make(record)
    return _protection(record) if _POLICY.fullmatch(lowered) else []


def _parameters(record: Json) -> dict[str, str]:
    """Of a cmdlet, by their names in lower case."""
    found: dict[str, str] = {}
    for each in map(mapping, islice(sequence(record.get("Parameters")), _MOST_ITEMS)):
        name, value = text(each.get("Name")), each.get("Value")
        if name:
            written = "; ".join(texts(value)[:_MOST_ITEMS]) if type(value) is list else label(value)
            written = str(value) if type(value) is bool else written
            found.setdefault(name.lower(), (written or "")[:_MOST_OF_A_VALUE])
    return found


def _is(parameters: dict[str, str], name: str, value: str) -> bool:
    return parameters.get(name.lower(), "").strip("$ ").lower() == value


def _said(what: Effect, is_so: bool) -> list[Json]:
    return [effect(what)] if is_so else [no_effect(what)]


def _domain(address: str | None) -> str | None:
    return address.rpartition("@")[2].lower() if address and "@" in address else None


def _own_domains(record: Json) -> set[str]:
    names = (record.get("UserId"), record.get("MailboxOwnerUPN"), record.get("OrganizationName"))
    return {domain for name in names if (domain := _domain(text(name)) or text(name))}


def _outside(record: Json, written: str) -> list[str]:
    """Addresses of others; none where the record does not say what is our own."""
    own = {domain.lower() for domain in _own_domains(record)}
    found = islice(_ADDRESS.finditer(written[:_MOST_OF_A_VALUE]), _MOST_ITEMS)
    named = [match[0] for match in found]
    has_domain = any("." in domain for domain in own)
    is_strange = [each for each in named if _GUEST in each.lower() or (has_domain and _domain(each) not in own)]
    return list(dict.fromkeys(is_strange))


def _sent(record: Json, written: str) -> list[Json]:
    outside = _outside(record, written)
    return [effect("exposes", target="outside", uids=outside)] if outside else [no_effect("exposes")]


# Mail that is sent on


def _inbox_rule(record: Json) -> list[Json]:
    parameters = _parameters(record)
    return _sent(record, " ; ".join(parameters.get(name.lower(), "") for name in _FORWARDS))


def _rules_of_a_client(record: Json) -> list[Json]:
    """Rules made by Outlook: the actions stand as JSON in a text among the properties of the operation."""
    listed = [mapping(each) for each in islice(sequence(record.get("OperationProperties")), _MOST_ITEMS)]
    actions = [text(each.get("Value")) or "" for each in listed if each.get("Name") == "RuleActions"]
    return _sent(record, " ; ".join(each for each in actions if "orward" in each or "edirect" in each))


def _transport_rule(record: Json) -> list[Json]:
    parameters = _parameters(record)
    found = _sent(record, " ; ".join(parameters.get(name.lower(), "") for name in _SENDS_ON))
    return found + ([effect("weakens_guard")] if _is(parameters, "SetSCL", "-1") else [])


def _mailbox(record: Json) -> list[Json]:
    parameters = _parameters(record)
    forwards = " ; ".join(parameters.get(name, "") for name in ("forwardingsmtpaddress", "forwardingaddress"))
    outside = _outside(record, forwards)
    found = [effect("exposes", target="outside", uids=outside)] if outside else []
    if _is(parameters, "AuditEnabled", "false"):
        found.append(effect("weakens_evidence"))
    if filled(holder := parameters.get("grantsendonbehalfto")) and holder:
        found.append(effect("grants_power", target="identity", uids=[holder], power="data"))
    return found


# Who may open another's mailbox


def _holder(*names: str, power: Power | None = "data") -> Effects:
    def held(record: Json) -> list[Json]:
        parameters = _parameters(record)
        holder = next((value for name in names if (value := filled(parameters.get(name)))), None)
        if holder is None:
            return []
        if holder.lower() == _ONESELF:
            return [no_effect("grants_power")]
        if holder.lower() in _EVERYBODY_OF_MAILBOX:
            return [effect("grants_power", target="public", power=power)]
        return [effect("grants_power", target="identity", uids=[holder], power=power)]

    return held


def _role_group(record: Json) -> list[Json]:
    parameters = _parameters(record)
    member, group = filled(parameters.get("member")), parameters.get("identity", "")
    power: Power = "admin" if group.rpartition("\\")[2].lower() in _ADMIN_GROUPS else "permissions"
    return [effect("grants_power", target="identity", uids=[member], power=power)] if member else []


# Evidence and guards


def _audit_setting(record: Json) -> list[Json]:
    parameters = _parameters(record)
    names = ("UnifiedAuditLogIngestionEnabled", "AdminAuditLogEnabled")
    return _said("weakens_evidence", any(_is(parameters, name, "false") for name in names))


def _bypass(record: Json) -> list[Json]:
    return _said("weakens_evidence", _is(_parameters(record), "AuditBypassEnabled", "true"))


def _organisation(record: Json) -> list[Json]:
    parameters = _parameters(record)
    found = [effect("weakens_evidence")] if _is(parameters, "AuditDisabled", "true") else []
    is_old = _is(parameters, "OAuth2ClientProfileEnabled", "false")
    return [*found, effect("weakens_guard")] if is_old else found


def _protocols(record: Json) -> list[Json]:
    """Protocols by which a password alone is enough."""
    parameters = _parameters(record)
    is_on = any(_is(parameters, name, "true") for name in ("ImapEnabled", "PopEnabled"))
    return _said("weakens_guard", is_on or _is(parameters, "SmtpClientAuthenticationDisabled", "false"))


def _authentication_policy(record: Json) -> list[Json]:
    parameters = _parameters(record)
    is_basic = any(name.startswith("allowbasicauth") and _is(parameters, name, "true") for name in parameters)
    return _said("weakens_guard", is_basic)


def _forwarding_allowed(record: Json) -> list[Json]:
    parameters = _parameters(record)
    is_on = _is(parameters, "AutoForwardEnabled", "true") or _is(parameters, "AutoForwardingMode", "on")
    return [effect("weakens_guard")] if is_on else []


def _allowed_item(record: Json) -> list[Json]:
    """A sender, an address or a file that filters let through from now on, not one that they block."""
    return [effect("weakens_guard")] if _is(_parameters(record), "Allow", "true") else []


def _protection(record: Json) -> list[Json]:
    """A policy against phishing, malware, spam or the loss of data that is turned off, or lets more through."""
    parameters = _parameters(record)
    is_off = any(
        _PROTECTIONS.fullmatch(name) and value.strip().lower() in _OFF | {"testwithoutnotifications"}
        for name, value in parameters.items()
    )
    lets = any(_LETS_THROUGH.fullmatch(name) and filled(value) for name, value in parameters.items())
    return [effect("weakens_guard")] if is_off or lets else []


_POLICY = re.compile(
    r"set-(antiphish|safelinks|safeattachment|malwarefilter|hostedcontentfilter|dlp|dlpcompliance|atp|teamsprotection)"
    r"(policy|rule|policyforo365)"
)


# Sharing


def _shared(record: Json) -> list[Json]:
    """With a guest, with everybody, or inside; by the domain of the address only where the record says no kind."""
    name = text(record.get("TargetUserOrGroupName")) or ""
    kind = (text(record.get("TargetUserOrGroupType")) or "").lower()
    if not name and not kind:
        return []
    if name.lower() in _EVERYBODY:
        return [effect("exposes", target="public")]
    if kind == "guest" or _GUEST in name.lower() or (not kind and _outside(record, name)):
        return [effect("exposes", target="outside", uids=[name] if name else [])]
    return [no_effect("exposes")]


def _team_members(record: Json) -> list[Json]:
    members = [mapping(each) for each in islice(sequence(record.get("Members")), _MOST_ITEMS)]
    names = [name for each in members if (name := filled(each.get("UPN")))]
    guests = [name for name in names if _GUEST in name.lower()]
    found = [effect("grants_power", target="outside", uids=guests, power="data")] if guests else []
    inside = [name for name in names if name not in guests]
    return [*found, effect("grants_power", target="identity", uids=inside, power="data")] if inside else found


_EFFECTS: dict[str, Effects] = {
    "new-inboxrule": _inbox_rule,
    "set-inboxrule": _inbox_rule,
    "updateinboxrules": _rules_of_a_client,
    "new-transportrule": _transport_rule,
    "set-transportrule": _transport_rule,
    "set-mailbox": _mailbox,
    "add-mailboxpermission": _holder("user"),
    "add-mailboxfolderpermission": _holder("user"),
    "set-mailboxfolderpermission": _holder("user"),
    "add-recipientpermission": _holder("trustee"),
    "add-rolegroupmember": _role_group,
    "new-managementroleassignment": _holder("user", "app", "securitygroup", power="permissions"),
    "set-adminauditlogconfig": _audit_setting,
    "set-mailboxauditbypassassociation": _bypass,
    "set-organizationconfig": _organisation,
    "set-casmailbox": _protocols,
    "set-transportconfig": _protocols,
    "new-authenticationpolicy": _authentication_policy,
    "set-authenticationpolicy": _authentication_policy,
    "set-remotedomain": _forwarding_allowed,
    "new-remotedomain": _forwarding_allowed,
    "set-hostedoutboundspamfilterpolicy": _forwarding_allowed,
    "new-tenantallowblocklistitems": _allowed_item,
    "sharingset": _shared,
    "sharinginvitationcreated": _shared,
    "addedtosecurelink": _shared,
    "memberadded": _team_members,
}
"""What a record says of its own effects, by its operation in lower case."""
