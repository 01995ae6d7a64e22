"""What can be taken away from a way on which somebody holds something, and what else goes with it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from ultravires.lineage.entitlement import Entitlement
from ultravires.lineage.judging import Rows, speaks_of_action

Kind = Literal["leave", "detach", "remove_binding", "delete_policy", "edit_document", "edit_resource_policy"]
_VENDORS = (":iam::aws:", "roles/", "/providers/microsoft.authorization/roledefinitions/")
"""Documents of these names are the vendor's, and nobody else can change them."""


@dataclass(frozen=True, order=True)
class Change:
    """One change. `holder` no longer has `held`; or the `document` no longer says what allows it, of `principal` where
    it is a resource's. `scope` and `binding` tell bindings of one role apart.
    """

    kind: Kind
    holder: str = ""
    held: str = ""
    binding: str = ""
    scope: str = ""
    document: str = ""
    principal: str = ""

    def sentence(self, action: str) -> str:
        """The change as somebody would be asked to make it, who wants the action taken back."""
        at = f" at {self.scope}" if self.scope else ""
        match self.kind:
            case "leave":
                return f"take {self.holder} out of {self.held}"
            case "detach":
                return f"detach {self.held} from {self.holder}{at}"
            case "remove_binding":
                return f"remove binding {self.binding}, which gives {self.held} to {self.holder}{at}"
            case "delete_policy":
                return f"delete the policy {self.held.removeprefix(self.holder + '#')} in {self.holder}"
            case "edit_document":
                return f"take {action} out of the document of {self.document}"
            case "edit_resource_policy":
                whom = self.principal.removeprefix("AWS:")
                whom = "everybody" if whom in ("", "*") else whom
                return f"take {whom} out of what allows {action} in the policy of {self.document}"


def changes_of(row: Entitlement) -> dict[Change, int]:
    """The changes that end this row, each with how far it is from who holds it."""
    found: dict[Change, int] = {}
    for place, change in _edges(row):
        found.setdefault(change, place)
    if row.document_uid and row.effect == "allow" and not _is_vendors(row.document_uid):
        found.setdefault(_edit(row), len(row.path))
    return found


def _edges(row: Entitlement) -> list[tuple[int, Change]]:
    """The parts of the path that somebody can take away, by their place in it. That a name with a path means the one
    without is no such part.
    """
    holders = [row.holder_uid or "", *row.path]
    return [
        (place, _edge(row, place, holders[place], holders[place + 1]))
        for place, grant in enumerate(row.grant_ids)
        if row.relations[place] in ("member", "attached") and not grant.startswith("name ")
    ]


def _edge(row: Entitlement, place: int, holder: str, held: str) -> Change:
    relation, binding = row.relations[place], row.binding_uids[place]
    scope = (row.scope_uid or "") if relation == "attached" else ""
    if binding:
        return Change("remove_binding", holder, held, binding=binding, scope=scope)
    if relation == "member":
        return Change("leave", holder, held)
    kind: Kind = "delete_policy" if held.startswith(f"{holder}#") else "detach"
    return Change(kind, holder, held, scope=scope)


def _edit(row: Entitlement) -> Change:
    if row.resource:
        return Change("edit_resource_policy", document=row.document_uid or "", principal=row.principal or "")
    return Change("edit_document", document=row.document_uid or "")


def _is_vendors(document: str) -> bool:
    return _VENDORS[0] in document or document.lower().startswith(_VENDORS[1:])


def ends(change: Change, row: Entitlement, action: str) -> bool:
    """Whether the row is gone after the change. A document loses what it allows of the action, and keeps the rest."""
    if change.kind in ("edit_document", "edit_resource_policy"):
        is_it = row.effect == "allow" and row.document_uid == change.document
        of_whom = change.kind == "edit_document" or (row.principal or "") == change.principal
        return is_it and of_whom and speaks_of_action(row, action)
    return any(edge == change for _, edge in _edges(row))


def after(rows: Iterable[Entitlement], changes: Collection[Change], action: str) -> list[Entitlement]:
    """The rows that stand after these changes."""
    return [row for row in rows if not any(ends(change, row, action) for change in changes)]


def lost(rows: Rows, change: Change, action: str) -> list[Entitlement]:
    """The rows that the change takes."""
    return [row for row in rows if ends(change, row, action)]


def takes_from_anybody(change: Change) -> bool:
    """Whether the change is of a statement that names everybody, or everybody in an account."""
    name = change.principal.removeprefix("AWS:")
    return change.kind == "edit_resource_policy" and (name in ("", "*") or name.isdigit() or name.endswith(":root"))


def grants_of(rows: Rows, change: Change) -> list[str]:
    """The ids of what a change of an edge ends: who else has one of them loses too."""
    return sorted({row.grant_ids[place] for row in rows for place, edge in _edges(row) if edge == change})
