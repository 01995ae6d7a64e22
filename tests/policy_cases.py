"""How the cases of `tests/policies` are written, as questions and what is held."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ultravires_models.policies.decide_in_scopes import ScopedGrant, ScopedQuestion
from ultravires_models.policies.questions import Document, Documents, Held, Principal, Question

FOLDER = Path(__file__).parent / "policies"
ACCOUNT = "111111111111"
_LISTS = {
    "allow": "actions",
    "deny": "actions",
    "allow_all_but": "not_actions",
    "deny_all_but": "not_actions",
    "but": "not_actions",
    "of": "resources",
    "of_all_but": "not_resources",
    "to": "principals",
    "to_all_but": "not_principals",
}


def read(name: str) -> dict[str, Any]:
    """The cases, pages and principals of one file."""
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return found


def asked(case: Mapping[str, Any], principals: Mapping[str, Any]) -> Question:
    """The question of a case; who asks is a user, unless it says who."""
    return Question(
        Principal(**principals[case.get("who", "ann")]),
        case["do"],
        case["of"],
        case.get("in", ACCOUNT),
        case.get("given", {}),
        complete=case.get("complete", False),
    )


def held(case: Mapping[str, Any]) -> Held:
    """The policies of a case."""
    return Held(
        identity=_documents(case.get("identity", [])),
        boundary=_documents(case["boundary"]) if "boundary" in case else None,
        session=_documents(case["session"]) if "session" in case else None,
        guardrails=[_documents(level) for level in case.get("scps", [])],
        resource_guardrails=[_documents(level) for level in case.get("rcps", [])],
        resource=None if "resource" not in case else _documents(case["resource"]) if case["resource"] else (),
        management_account=case.get("management"),
    )


def asked_in_scopes(case: Mapping[str, Any]) -> ScopedQuestion:
    """The question of a case of `scope_cases.yml`."""
    return ScopedQuestion(
        frozenset(case.get("names", ["ann"])), case["do"], case["of"], case.get("in"), case.get("data")
    )


def granted(case: Mapping[str, Any]) -> list[ScopedGrant]:
    """The grants of such a case."""
    return [
        ScopedGrant(
            None if grant.get("unreadable") else [statement({**grant, "if": None})], grant.get("at"), grant.get("if")
        )
        for grant in case["grants"]
    ]


def statement(written: Mapping[str, Any]) -> dict[str, Any]:
    """A statement of a case in the words of `ultravires.reading.grants`; lists that are empty stay."""
    effect = "allow" if any(name.startswith("allow") for name in written) else "deny"
    lists = {
        _LISTS[name]: [value] if type(value) is str else value for name, value in written.items() if name in _LISTS
    }
    rest = {"condition": written.get("if"), "sid": written.get("sid")}
    return {"effect": effect, **lists, **{name: value for name, value in rest.items() if value is not None}}


def _documents(written: Any) -> Documents:
    one: Document = None if written == "unreadable" else [statement(each) for each in written]
    return [one]
