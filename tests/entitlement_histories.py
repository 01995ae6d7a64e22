"""Random histories of who may do what, and a plain replay of them that says who held what at a moment.

A history is a few holders, groups, policies and records of changes and exports about them, few names so that they meet.
The replay knows nothing of stretches of time: it goes through the words on each edge and document up to the moment that
is asked for, and walks the paths that hold then.
"""

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
from sql_cases import assumed, empty_columns, fill, tables, with_hour
from ultravires.build.by_key import TOUCHED_IDS
from ultravires.reading.grants import chosen, given, gone, made, statement, taken, unwritten, whole, written

Json = dict[str, Any]
START = datetime(2026, 1, 1, tzinfo=UTC)
N_HOURS = 60
LONGEST = 12
MADE = (
    "int_grants__named",
    "int_grants",
    "int_documents",
    "int_statements",
    "int_powers",
    "int_holdings",
    "entitlements",
)


@dataclass(frozen=True)
class Record:
    """One event and what it says. What one export says is one batch, at one time."""

    event_id: str
    batch_id: str
    at: datetime
    grants: Sequence[Json]
    account: str
    is_snapshot: bool = False
    is_lower_bound: bool = False
    is_reported: bool = False


class Edge(NamedTuple):
    relation: str
    holder: str
    held: str
    scope: str | None
    binding: str | None
    condition: str | None
    is_reported: bool


class Word(NamedTuple):
    """What is said of an edge at a moment; takes come before gives."""

    at: datetime
    place: int
    event_id: str
    is_held: bool
    shows_before: bool
    """Whether, as the first word, it shows that the edge was held before."""


class Held(NamedTuple):
    holder: str
    layer: str
    effect: str
    action: str | None
    resource: str | None
    scope: str | None
    conditions: tuple[str, ...]
    path: tuple[str, ...]
    is_reported: bool


@dataclass
class Replay:
    """What one history says of any moment."""

    records: Sequence[Record]
    edges: dict[Edge, list[Word]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.records = sorted(self.records, key=lambda record: (record.at, record.event_id))
        adds = [(record, grant) for record, grant in self.said() if grant["op"] == "add" and _is_edge(grant)]
        accounts: dict[Edge, str] = {}
        batches: dict[Edge, set[str]] = defaultdict(set)
        for record, grant in adds:
            edge = edge_of(record, grant)
            accounts[edge] = min(accounts.get(edge, record.account), record.account)
            batches[edge].add(record.batch_id)
        self.edges = {edge: list(self._words_on(edge, accounts[edge], batches[edge])) for edge in accounts}
        for edge, words in self._only_taken().items():
            self.edges[edge] = words

    def said(self) -> Iterator[tuple[Record, Json]]:
        return ((record, grant) for record in self.records for grant in record.grants)

    def _words_on(self, edge: Edge, account: str, batches: set[str]) -> Iterator[Word]:
        gives = [(r, g) for r, g in self.said() if g["op"] == "add" and _is_edge(g) and edge_of(r, g) == edge]
        for number, (record, grant) in enumerate(gives):
            end = _moment(grant.get("expires_at"))
            if end is not None and end <= record.at:
                continue
            yield Word(record.at, 2, record.event_id, is_held=True, shows_before=record.is_snapshot)
            again = gives[number + 1][0].at if number + 1 < len(gives) else None
            if end is not None and (again is None or again > end):
                yield Word(end, 0, record.event_id, is_held=False, shows_before=False)
        for record, grant in self.said():
            if record.is_reported != edge.is_reported or not ends(grant, record, edge, account):
                continue
            if grant["op"] == "whole" and record.batch_id in batches:
                continue
            shows = grant["op"] == "remove" and "held" in grant and "holder" in grant
            yield Word(record.at, 1, record.event_id, is_held=False, shows_before=shows)

    def _only_taken(self) -> dict[Edge, list[Word]]:
        """Edges that no record ever gave, by those that took them."""
        found: dict[Edge, list[Word]] = defaultdict(list)
        for record, grant in self.said():
            if grant["op"] != "remove" or not _is_edge(grant):
                continue
            edge = edge_of(record, grant)
            if not any(
                other[:3] == edge[:3]
                and other.is_reported == edge.is_reported
                and edge.scope in (None, other.scope)
                and edge.binding in (None, other.binding)
                for other in self.edges
            ):
                found[edge].append(Word(record.at, 1, record.event_id, is_held=False, shows_before=True))
        return found

    def held(self, at: datetime) -> set[Edge]:
        return {edge for edge, words in self.edges.items() if _state(words, at)}

    @cached_property
    def documents(self) -> dict[tuple[str, str, bool], list[tuple[datetime, str, str | None, bool]]]:
        """Of each document in time order: when, the event, the text (None where there is none), if by an export."""
        keys = {(g["held"], g["kind"], r.is_reported) for r, g in self.said() if g["relation"] == "document"}
        # of what one record says at once, what it writes stands
        return {key: sorted(self._texts(*key), key=lambda told: (*told[:2], told[2] is not None)) for key in keys}

    def _texts(self, held: str, kind: str, is_reported: bool) -> Iterator[tuple[datetime, str, str | None, bool]]:
        said = [(record, grant) for record, grant in self.said() if record.is_reported == is_reported]
        writes = [(r, g) for r, g in said if g["op"] == "write" and g["held"] == held]
        for record, grant in said:
            is_whole = kind == "resource" and "#" in held and grant.get("held") == held.split("#", maxsplit=1)[0]
            if grant["relation"] == "exists":
                if grant["op"] == "remove" and grant["holder"] == held:
                    yield record.at, record.event_id, None, record.is_snapshot
            elif grant["relation"] != "document" or grant["kind"] != kind or not (is_whole or grant["held"] == held):
                continue
            elif is_whole or grant["op"] == "remove":
                yield record.at, record.event_id, None, record.is_snapshot
            elif grant["op"] == "choose":
                versions = [_text(g) for r, g in writes if r.at <= record.at and g.get("version") == grant["version"]]
                yield record.at, record.event_id, versions[-1] if versions else "", record.is_snapshot
            elif grant.get("in_force", True):
                yield record.at, record.event_id, _text(grant), record.is_snapshot

    def text(self, key: tuple[str, str, bool], at: datetime) -> str | None:
        """What the document says at a moment: nothing where there is none, the empty text where nobody can read it."""
        points = self.documents[key]
        before = [text for moment, _, text, _ in points if moment <= at]
        if before or not points:
            return before[-1] if before else None
        _, _, text, is_snapshot = [point for point in points if point[0] == points[0][0]][-1]
        return text if is_snapshot else None

    def holds(self, at: datetime) -> set[Held]:
        """Who may do what through what at this moment."""
        by_holder: dict[str, list[Edge]] = defaultdict(list)
        for edge in self.held(at):
            by_holder[edge.holder].append(edge)
        found: set[Held] = set()
        for edge in [edge for edges in by_holder.values() for edge in edges]:
            for path in _paths([edge], by_holder):
                found |= set(self._through(path, at))
        for held, kind, is_reported in self.documents:
            if kind != "permissions":
                found |= set(self._of_document(held, kind, is_reported, at))
        return found

    def _through(self, path: Sequence[Edge], at: datetime) -> Iterator[Held]:
        last, limits = path[-1], path[-1].relation in ("boundary", "guardrail")
        layer = "limit" if limits else "granted"
        scope = next((edge.scope for edge in reversed(path) if edge.scope is not None), None)
        conditions = [edge.condition for edge in path if edge.condition is not None]
        way, is_reported = tuple(edge.held for edge in path), any(edge.is_reported for edge in path)
        documents = [key for key in self.documents if key[:2] == (last.held, "permissions")]
        if (limits or last.relation == "attached") and not any(self._was_known(key, at) for key in documents):
            yield Held(path[0].holder, layer, "unknown", None, None, scope, tuple(sorted(conditions)), way, is_reported)
        for key in documents:
            for effect, action, resource, _, condition in _patterns(self.text(key, at), None):
                under = tuple(sorted([*conditions, *([condition] if condition else [])]))
                yield Held(path[0].holder, layer, effect, action, resource, scope, under, way, is_reported or key[2])

    def _was_known(self, key: tuple[str, str, bool], at: datetime) -> bool:
        moments = [START - timedelta(days=1), *(moment for moment, *_ in self.documents[key] if moment <= at)]
        return any(self.text(key, moment) is not None for moment in moments)

    def _of_document(self, held: str, kind: str, is_reported: bool, at: datetime) -> Iterator[Held]:
        for effect, action, resource, principal, condition in _patterns(self.text((held, kind, is_reported), at), held):
            under = (condition,) if condition else ()
            path = (f"{kind} policy of {held}",)
            yield Held(principal, "granted", effect, action, resource, None, under, path, is_reported)


def edge_of(record: Record, grant: Json) -> Edge:
    condition = grant.get("condition")
    return Edge(
        grant["relation"],
        grant["holder"],
        grant["held"],
        grant.get("scope"),
        grant.get("binding"),
        _dumped(condition) if condition is not None else None,
        record.is_reported,
    )


def ends(grant: Json, record: Record, edge: Edge, account: str) -> bool:
    """Whether the word, of the same voice, ends the edge."""
    if grant["relation"] == "exists":
        return grant["holder"] in (edge.holder, edge.held)
    if grant["op"] not in ("remove", "whole") or grant["relation"] != edge.relation:
        return False
    if grant["op"] == "whole" and record.is_lower_bound:
        return False
    if "among" in grant and not (edge.holder.startswith(grant["among"]) and edge.held.startswith(grant["among"])):
        return False
    own = {"holder": edge.holder, "held": edge.held, "scope": edge.scope, "binding": edge.binding, "account": account}
    return all(grant[name] == value for name, value in own.items() if name in grant)


def _is_edge(grant: Json) -> bool:
    if grant["relation"] in ("document", "exists") or "holder" not in grant or "held" not in grant:
        return False
    return grant["relation"] != "member" or grant["holder"] != grant["held"]


def _state(words: Iterable[Word], at: datetime) -> bool:
    in_order = sorted(words, key=lambda word: (*word[:3], not word.shows_before))
    before = [word for word in in_order if word.at <= at]
    return before[-1].is_held if before else bool(in_order) and in_order[0].shows_before


def _paths(path: list[Edge], by_holder: dict[str, list[Edge]]) -> Iterator[list[Edge]]:
    yield path
    ways_on = {"member": ("member", "attached"), "attached": ("member", "attached"), "within": ("within", "guardrail")}
    seen = {path[0].holder, *(edge.held for edge in path)}
    for edge in by_holder.get(path[-1].held, ()):
        if edge.relation in ways_on.get(path[-1].relation, ()) and edge.held not in seen and len(path) < LONGEST:
            yield from _paths([*path, edge], by_holder)


def _patterns(text: str | None, of: str | None) -> Iterator[tuple[str, str | None, str | None, str, str | None]]:
    """Effect, action, resource, principal and condition of each pattern; `of` is the resource that has the document."""
    if text is None:
        return
    for said in json.loads(text) if text else [{}]:
        effect = said.get("effect", "unknown")
        resources = said.get("resources") or [of or (None if effect == "unknown" else "*")]
        actions = said.get("actions") or ([None] if effect == "unknown" else ["*"] if said.get("not_actions") else [])
        condition = _dumped(said["condition"]) if "condition" in said else None
        for action in actions:
            for resource in resources:
                for principal in said.get("principals") or ["*"]:
                    yield effect, action, resource, principal, condition


def _text(grant: Json) -> str:
    return "" if grant.get("statements") is None else _dumped(grant["statements"])


def _dumped(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def random_history(rng: random.Random, name: str, *, events_only: bool = False) -> list[Record]:
    """Some 30 records over 60 hours in which names, and often moments, are the same; all names are of this history."""
    world = _World(rng, name)
    records = [world.change(number) for number in range(rng.randrange(5, 40))]
    if not events_only:
        for number in range(rng.randrange(4)):
            records += world.export(number)
    return records


class _World:
    def __init__(self, rng: random.Random, name: str) -> None:
        self.rng, self.name = rng, name

    def pick(self, kind: str, n: int) -> str:
        return f"{self.name}/{kind}{self.rng.randrange(n)}"

    def at(self) -> datetime:
        return START + timedelta(hours=self.rng.randrange(N_HOURS))

    def holder(self) -> str:
        return self.rng.choice((self.pick("user", 3), self.pick("group", 3), self.pick("role", 2)))

    def relation(self) -> tuple[Any, str, str]:
        """A relation with who holds and what is held."""
        policy = self.rng.choice((self.pick("policy", 3), self.pick("role", 2)))
        account, unit = self.pick("account", 2), self.pick("unit", 3)
        return self.rng.choice(
            (
                ("member", self.holder(), self.pick("group", 3)),
                ("attached", self.holder(), policy),
                ("attached", self.holder(), policy),
                ("boundary", self.holder(), self.pick("policy", 3)),
                ("guardrail", self.rng.choice((account, unit)), self.pick("policy", 3)),
                ("within", self.rng.choice((account, unit)), unit),
            )
        )

    def seldom(self, value: Any, share: float = 0.2) -> Any:
        return value if self.rng.random() < share else None

    def give(self) -> Json:
        relation, holder, held = self.relation()
        return given(
            relation,
            holder,
            held,
            scope=self.seldom(self.pick("scope", 2)),
            binding=self.seldom(self.pick("binding", 2)),
            condition=self.seldom({"before": self.rng.randrange(2)}, 0.1),
            expires_at=self.seldom(self.at().isoformat(), 0.15),
        )

    def names(self, least: int) -> Json:
        """Some of the names that an edge has."""
        _, holder, held = self.relation()
        names = {
            "holder": holder,
            "held": held,
            "scope": self.pick("scope", 2),
            "binding": self.pick("binding", 2),
        }
        kept = self.rng.choice(
            (("holder", "held"), ("holder",), ("held",), ("scope",), ("binding",), ("holder", "scope"))
        )
        return {name: names[name] for name in kept} if least else names

    def statements(self) -> list[Json] | None:
        actions = self.rng.choice((["s3:Get*"], ["s3:*"], ["iam:*", "sqs:*"], ["*"]))
        said = statement(
            self.rng.choice(("allow", "allow", "deny")),
            actions,
            self.rng.choice(([], ["x"], ["x", "y"])),
            condition=self.seldom({"is": 1}),
        )
        return self.rng.choice((None, [], [said], [said, statement("deny", ["kms:*"], principals=["boss"])]))

    def document(self) -> Json:
        held = self.rng.choice((self.pick("policy", 3), self.pick("role", 2)))
        bucket = self.rng.choice((self.pick("bucket", 2), f"{self.name}/bucket0#one"))
        kind: Any
        held, kind = self.rng.choice(
            ((held, "permissions"), (held, "permissions"), (bucket, "resource"), (held, "trust"))
        )
        version = f"v{self.rng.randrange(3)}"
        if kind == "permissions" and self.rng.random() < 0.3:
            return self.rng.choice(
                (chosen(held, version), written(held, self.statements(), version=version, in_force=False))
            )
        if self.rng.random() < 0.15:
            return unwritten(held, kind=kind)
        return written(held, self.statements(), kind=kind, version=self.seldom(version))

    def grant(self) -> Json:
        relation = self.relation()[0]
        makers = (
            self.give,
            self.give,
            self.give,
            lambda: taken(relation, **self.names(1)),
            lambda: whole(relation, **self.names(1)),
            lambda: whole(relation, account=self.pick("account", 2), among=self.pick("group", 3)),
            self.document,
            self.document,
            lambda: self.rng.choice((made, gone))(self.rng.choice((self.holder(), self.pick("policy", 3)))),
        )
        return self.rng.choice(makers)()

    def change(self, number: int) -> Record:
        event_id = f"{self.name}/e{number:02}"
        said = [self.grant() for _ in range(self.rng.randrange(1, 4))]
        about = [grant.get("held") or grant.get("holder") for grant in said]
        # what one record says of one thing it says once
        grants = [grant for number, grant in enumerate(said) if about[number] not in about[:number]]
        account = self.pick("account", 2)
        return Record(event_id, event_id, self.at(), grants, account, is_reported=self.rng.random() < 0.1)

    def export(self, number: int) -> Iterator[Record]:
        """A list of all there is in an account, in several records."""
        at, account, batch = self.at(), self.pick("account", 2), f"{self.name}/s{number}"
        relation = self.rng.choice(("member", "attached"))
        said: list[list[Json]] = [[whole(relation, account=account)]]
        said += [[self.rng.choice((self.give, self.document))()] for _ in range(self.rng.randrange(5))]
        is_lower_bound = self.rng.random() < 0.2
        for line, grants in enumerate(said):
            yield Record(f"{batch}-{line}", batch, at, grants, account, is_snapshot=True, is_lower_bound=is_lower_bound)


def as_stg_grants(records: Iterable[Record]) -> pa.Table:
    """The rows that `stg_grants` has of these records, in their order."""
    rows = [_row(record, number, grant) for record in records for number, grant in enumerate(record.grants)]
    return pa.table({column: [row.get(column) for row in rows] for column in empty_columns()["stg_grants"]})


def _row(record: Record, number: int, grant: Json) -> Json:
    condition = grant.get("condition")
    return {
        "event_id": record.event_id,
        "grant_no": number,
        "event_at": record.at.isoformat(),
        "event_hour": record.at.isoformat(),
        "voice": "reported" if record.is_reported else "recorded",
        "account_uid": record.account,
        "actor_uid": f"actor of {record.event_id}",
        "is_snapshot": record.is_snapshot,
        "batch_id": record.batch_id,
        "is_lower_bound": record.is_lower_bound,
        "op": grant["op"],
        "relation": grant["relation"],
        "holder_uid": grant.get("holder"),
        "held_uid": grant.get("held"),
        "scope_uid": grant.get("scope"),
        "binding_uid": grant.get("binding"),
        "of_account_uid": grant.get("account"),
        "among": grant.get("among"),
        "condition": None if condition is None else _dumped(condition),
        "expires_at": grant.get("expires_at"),
        "document_kind": grant.get("kind"),
        "version": grant.get("version"),
        "is_in_force": grant.get("in_force", True),
        "statements": None if grant.get("statements") is None else _dumped(grant["statements"]),
    }


def made_of(stg_grants: pa.Table) -> duckdb.DuckDBPyConnection:
    """The tables of entitlements, made of these rows and of nothing else."""
    con = duckdb.connect(config={"threads": 2})
    con.execute("set timezone = 'UTC'")
    con.execute(tables()["int_grants"].macros)
    read = set().union(*(tables()[name].inputs for name in MADE)) - {*MADE}
    for name in sorted(read):
        fill(
            con, name, empty_columns()[name], [with_hour(row, empty_columns()[name]) for row in assumed().get(name, ())]
        )
    con.register("told", stg_grants)
    columns = ", ".join(f'cast("{column}" as {kind})' for column, kind in empty_columns()["stg_grants"].items())
    con.execute(f"insert into stg_grants select {columns} from told")
    for name in MADE:
        if by_key := tables()[name].by_key:
            con.execute(f"create or replace table {TOUCHED_IDS} as from ({by_key.units}) as units(id)")
        con.execute(f'create table "{name}" as {tables()[name].sql}')
    return con
