"""What an act does to power, evidence and data: the words in which packaged tables and sources say it.

An action alone often says it (`build/action_effects`): who creates an access key issues a credential. Where only the
record says it (whether a rule of a firewall is for the whole internet), its source does, as `detail["effects"]`. What a
record changes of who holds what is said once, as `detail["grants"]` (`reading/grants.py`), and no second time here.

Only what was meant counts, not whether it came to pass: the outcome of the record says that.
"""

from collections.abc import Iterable
from typing import Any, Literal

from ultravires.reading.events import present

Json = dict[str, Any]
Effect = Literal[
    "grants_power",
    "takes_power",
    "issues_credential",
    "opens_trust",
    "exposes",
    "reads_secret",
    "runs_code",
    "changes_workload",
    "weakens_evidence",
    "weakens_guard",
    "destroys",
    "ransoms",
    "discovers",
]
EFFECTS: dict[Effect, str] = {
    "grants_power": "somebody may do more than before: a policy, a role, a membership, a role given to a service",
    "takes_power": "somebody may do less, or can no longer sign in",
    "issues_credential": "a key, password, token or session with which somebody can act",
    "opens_trust": "the word of another is believed: an identity provider, an account, a federation, a joined node",
    "exposes": "data or a way in is open to everybody or to outside",
    "reads_secret": "whoever did it has the secret, key or password now",
    "runs_code": "code or commands run with the identity of something that stands already",
    "changes_workload": "what runs, with what code, secrets or settings, is another than before",
    "weakens_evidence": "less is logged, kept or watched than before",
    "weakens_guard": "a protection is off or wider: a second factor, a guardrail, a boundary, a rule of a network",
    "destroys": "data, keys, backups or workloads are gone or will be",
    "ransoms": "data is made unreadable for its owner, by a key, a lock or a deletion that somebody else holds",
    "discovers": "whoever did it knows which identities, rights, secrets or guards there are",
}
TargetKind = Literal["self", "identity", "resource", "public", "outside"]
TARGET_KINDS: dict[TargetKind, str] = {
    "self": "the actor's own identity",
    "identity": "an identity; the actor's own counts as self where its name is the target",
    "resource": "anything else",
    "public": "everybody",
    "outside": "somebody who is not of the organisation",
}
Power = Literal["admin", "permissions", "data", "none"]
POWERS: dict[Power, str] = {
    "admin": "everything everywhere in an account, a directory, a cluster or an organisation",
    "permissions": "to manage permissions or credentials, or to take evidence away",
    "data": "anything else that is of use",
    "none": "nothing",
}
_MOST_TARGETS = 100


def effect(
    what: Effect,
    *,
    target: TargetKind = "resource",
    uids: Iterable[str] = (),
    power: Power | None = None,
    is_offer: bool = False,
) -> Json:
    """The record itself shows this effect. `uids` are its targets as the log names identities and resources; where
    there are none, what the record names. `power` is that of what it gives, None where only the logs together say it.
    `is_offer` is an invitation, which gives nothing until its receiver accepts. All this stands in place of what the
    tables say of the same effect.
    """
    named = list(dict.fromkeys(uids))[:_MOST_TARGETS]
    return {"effect": what, "target": target, **present(uids=named or None, power=power, offer=is_offer or None)}


def no_effect(what: Effect) -> Json:
    """The record itself shows that it has not this effect, although its action may have it."""
    return {"effect": what, "absent": True}
