"""What a request to Vault does that its engine and operation alone do not say, as `detail["effects"]`.

Paths: https://developer.hashicorp.com/vault/api-docs. They are read below `sys/` and `identity/` as they are, below an
auth method as `auth/<type>/...` and below an engine as `<type>/...`, wherever it is mounted. What an audit device
hashed is not known.
"""

import re
from functools import lru_cache
from typing import Any

from ultravires.reading.effects import Power, effect, no_effect
from ultravires.reading.sign_ins import SecondFactor
from ultravires.reading.values import mapping, text, texts, truth
from ultravires.sources.vault.path_effects import PATH_RULES, WRITES, Said

Json = dict[str, Any]
_MOST_OF_A_POLICY = 65_536
_EVERYTHING = re.compile(r'path\s+"\*"\s*\{[^{}]*capabilities\s*=\s*\[[^\]]*"(?:sudo|create|update)"')
_MANAGING = re.compile(
    r'path\s+"(?:sys/(?:policies|policy|auth)[^"]*|auth/[^"]*|identity/[^"]*|sys/\*)"\s*\{[^{}]*'
    r'capabilities\s*=\s*\[[^\]]*"(?:sudo|create|update|patch)"'
)
_HASHED = "hmac-sha256:"
_ROOT = "root"


def effects_of(request: Json, response: Json) -> list[Json] | None:
    """The effects that this request shows or excludes, answered or not; None where its action says all."""
    path, operation = text(request.get("path")) or "", text(request.get("operation")) or ""
    known = _of_path(path, operation, text(request.get("mount_type")), text(request.get("mount_point")))
    found = [no_effect(each.what) if each.is_absent else _written(each) for each in known]
    if operation in WRITES and path.startswith(("sys/", "auth/token/")):
        found += _of_content(path, mapping(request.get("data")), mapping(response.get("auth")))
    return found or None


def second_factor_of(path: str, response: Json, outcome: str) -> SecondFactor | None:
    """A sign-in whose answer asks for one, and the answer to it:
    https://developer.hashicorp.com/vault/docs/auth/login-mfa
    """
    if mapping(mapping(response.get("auth")).get("mfa_requirement")):
        return "asked"
    if path != "sys/mfa/validate" or outcome not in ("success", "failure", "denied"):
        return None
    return "passed" if outcome == "success" else "failed"


def _written(said: Said) -> Json:
    return effect(said.what, target=said.target, power=said.power)


@lru_cache(maxsize=16384)
def _of_path(path: str, operation: str, mount_type: str | None, mount_point: str | None) -> tuple[Said, ...]:
    """Of the rules that fit the first one counts."""
    place = _place(path, mount_type, mount_point)
    fitting = (said for pattern, operations, said in PATH_RULES if operation in operations and pattern.fullmatch(place))
    return next(fitting, ())


def _place(path: str, mount_type: str | None, mount_point: str | None) -> str:
    """The path by the type of what is mounted, in place of where it is."""
    if path.startswith(("sys/", "identity/")) or mount_type is None:
        return path
    named = mount_point if mount_point and path.startswith(mount_point) else None
    if path.startswith("auth/"):
        named = named or "/".join(path.split("/", 2)[:2]) + "/"
        return f"auth/{mount_type}/{path[len(named) :]}"
    named = named or path.partition("/")[0] + "/"
    return f"{mount_type}/{path[len(named) :]}"


def _of_content(path: str, asked: Json, issued: Json) -> list[Json]:
    """What a policy allows, whose token was made, and what is written plainly into the audit log."""
    if path.startswith(("sys/policies/acl/", "sys/policy/")):
        power = _power_of(asked.get("policy", asked.get("rules")))
        return [effect("grants_power", target="identity", power=power)] if power else []
    if path.startswith("auth/token/create"):
        return _token(path, asked, issued)
    if path.startswith("sys/audit/"):
        raw = truth(mapping(asked.get("options")).get("log_raw"))
        return [effect("weakens_guard")] if raw else []
    is_plain = any(texts(value) for name, value in list(asked.items())[:100] if name.startswith("audit_non_hmac_"))
    return [effect("weakens_guard")] if is_plain else []


def _token(path: str, asked: Json, issued: Json) -> list[Json]:
    """A token of the policy `root` may do everything; one without a parent lives on when that ends, and one with an
    alias is another's.
    """
    policies = [*texts(asked.get("policies")), *texts(issued.get("policies"))]
    alias = text(asked.get("entity_alias"))
    is_orphan = path.startswith("auth/token/create-orphan") or truth(asked.get("no_parent")) is True
    power: Power | None = "admin" if _ROOT in policies else None
    if power is None and not alias and not is_orphan:
        return []
    return [effect("issues_credential", target="identity" if alias or is_orphan else "self", power=power)]


def _power_of(policy: Any) -> Power | None:
    """Of a policy in HCL or JSON whose text is known: all paths, or those by which rights are given."""
    if type(policy) is not str or policy.startswith(_HASHED):
        return None
    known = policy[:_MOST_OF_A_POLICY]
    return "admin" if _EVERYTHING.search(known) else "permissions" if _MANAGING.search(known) else None
