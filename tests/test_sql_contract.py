"""What every SQL table owes, whatever it holds: a header, one SELECT, a grain that is kept, and rows that depend
on the events and not on how and when they came.
"""

import json
import random
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from sql_cases import build_all, prepare, tables
from sql_climb import climb, on_spines, primary_parents
from sql_world import AS_OF, random_events
from ultravires.build.duckdb_engine import DuckDBEngine
from ultravires.build.pipeline import sql_tables
from ultravires.build.reference import reference_tables
from ultravires.build.sql_tables import LAYERS, TOUCHED_HOURS
from ultravires.build.table_schemas import table_schemas
from ultravires.registry import sql_root
from ultravires.settings import Settings
from ultravires.store.deduplicate import store_events
from ultravires.store.warehouse import open_warehouse

KEYS = {name: table_schemas()[name].key for name in tables()}
HOURLY = [name for name, table in tables().items() if table.mode == "by_hour"]
OUT_OF_REACH = {
    "int_approvals__standing": "of random approvals several fit a role, or none",
    "clocks": "in a random world no six calls of one agent are joined to acts by ids that stand once",
    "int_corrections": "where no clock is measured, none is corrected",
    "int_approvals__tasks": "a random call seldom stands under an approval of its own agent",
    "int_activities__retried": "no act of a random world fails and is tried again",
    "habits": "three days are no eight weeks",
    "int_findings__grouped": "no rule speaks in this world",
    "int_silences": "three days are no silence to any log",
    "int_drift__expired": "random changes are seldom made under an approval of who is given something",
    "int_drift__unused": "three days are not long enough to call a right unused",
    "int_answers": "nobody reviews a random world",
    "int_drift__reviewed": "nobody reviews a random world",
    "review_decisions": "nobody reviews a random world",
    "unapproved_acts": "of random acts few are privileged, and those may have failed or be accounted for",
    "int_lifecycle__people": "no random person takes the role of a machine that is declared or taken by a service",
    "int_lifecycle__secrets": "three days are too short for a new reader of a secret",
    "denied_then_allowed": "no random identity gives itself a right",
    "emergency_uses": "nobody in a random world is root",
    "new_uses": "three days are no two weeks",
    "sign_ins": "nobody signs in to a random world",
    "int_holders": "who holds rights in a random world lies in no account, project or scope",
    "int_escalations": "of random rights nobody holds all that a way needs",
    "escalation_paths": "of random rights nobody holds all that a way needs",
    "int_steps__fitting": "few acts of a random world are weakly linked, and fewer to what lists them",
}
"""Tables that some random world leaves empty, each with the reason."""

VENDOR_WORDS = re.compile(
    r"aws|amazon|arn:|sts:|iam:|akia|asia|google|gcp|gserviceaccount|azure|microsoft|entra|okta|k8s|kubernetes|github|vault|teleport",
    re.IGNORECASE,
)
LONGEST_WAY = 23
"""Each step makes something that a later one needs whole: keys, clocks, subjects, links, paths, steps, callers,
scopes, rights, rights within limits and beyond approvals, drift, hits."""
ONLY_DUCKDB = {
    "by name": r"\b(union|all)\s+by\s+name\b",
    "replace of columns": r"\*\s*(exclude\s*\([^)]*\)\s*)?replace\s*\(",
    "slice": r"(?<=[\w)\]])\[[^\[\]]*(?<!:):(?!:)[^\[\]]*\]",
    "list comprehension": r"\bfor\s+\w+\s+in\b",
    "list_position": r"\blist_position\(",
    "len of a list": r"\blen\(",
    "epoch": r"\bepoch\(",
}
"""What Spark has not, or means otherwise; there is a way to say each that both have."""
UNION_NEEDED = {
    "int_paths": "a node is reached by several spines, and UNION ALL would climb every way to it again",
}
"""Recursive tables that end only because UNION drops what was there already, each with the reason."""
SEEDS = (1, *(pytest.param(seed, marks=pytest.mark.stress) for seed in (2, 8)))
FILES = [path for layer in LAYERS for path in sorted((sql_root() / layer).glob("*.sql"))]


@contextmanager
def open_world(home: Path) -> Iterator[DuckDBEngine]:
    with open_warehouse(home) as warehouse:
        yield prepare(warehouse, AS_OF)


def load(engine: DuckDBEngine, events: pa.Table) -> None:
    with engine.warehouse.transaction():
        store_events(engine, Settings(), events)


@pytest.fixture(scope="module", params=SEEDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBEngine]:
    """A random world, loaded at once and built; tests only read it."""
    with open_world(tmp_path_factory.mktemp("world") / "home") as engine:
        load(engine, random_events(random.Random(request.param), 160))
        build_all(engine)
        yield engine


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_starts_with_its_grain_and_says_build_and_why(path: Path) -> None:
    """The first three lines are the grain, the build mode and the reason, each with words behind it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("-- grain: one row per ")
    assert re.fullmatch(r"-- build: (full|by_hour|by_key \w+)", lines[1])
    assert lines[2].startswith("-- why: ") and len(lines[2].split()) > 5


@pytest.mark.parametrize("name", tables())
def test_file_is_one_select(name: str) -> None:
    """A file holds exactly one statement, and DuckDB's parser calls it a SELECT."""
    assert len(syntax(tables()[name].sql)["statements"]) == 1


@pytest.mark.parametrize("name", tables())
def test_no_cte_bears_the_name_of_a_table(name: str) -> None:
    """A CTE that shadowed a table would hide what the file depends on."""
    known = {*table_schemas(), "hits"}
    names = set(cte_names(syntax(tables()[name].sql)))
    assert names & known == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_text_in_sql_is_a_word_of_one_vendor(path: Path) -> None:
    """How a vendor writes its ids, actions and names stands in packaged tables, beside the vendor and the reason."""
    text = re.sub(r"--.*", "", path.read_text(encoding="utf-8"))
    assert [literal for literal in re.findall(r"'([^']*)'", text) if VENDOR_WORDS.search(literal)] == []


@pytest.mark.parametrize("path", [*FILES, sql_root() / "macros.sql"], ids=lambda path: path.stem)
def test_sql_is_written_in_words_that_engines_share(path: Path) -> None:
    """What Spark has not is said in a way that both have, where DuckDB loses nothing by it."""
    assert only_duckdb(path.read_text(encoding="utf-8")) == []


def test_words_of_duckdb_alone_are_noticed() -> None:
    """Each word that is refused, in the form in which it would come back."""
    examples = (
        "select 1 union all by name select 2",
        "select t.* exclude (a) replace (1 as b) from t",
        "select path[1:n + 1]",
        "select [x + 1 for x in path if x > 1]",
        "select list_position(path, 'a')",
        "select len(path)",
        "select epoch(tolerance)",
    )
    assert [only_duckdb(example) for example in examples] == [[word] for word in ONLY_DUCKDB]
    assert only_duckdb("select replace(a, ':', ''), path[-1], []::varchar[], {'a': b[1]}, length(a) -- [1:2]") == []


def test_recursion_is_by_union_all() -> None:
    """Other engines have no recursion by UNION; what needs it says why."""
    recursive = {name: recursions(syntax(table.sql)) for name, table in tables().items()}
    assert any(recursive.values())
    assert {name for name, by_all in recursive.items() if not all(by_all)} == set(UNION_NEEDED)


def test_no_vendor_prefix_begins_with_another_that_says_the_same() -> None:
    """A word that two of them fitted would make two rows of the one that it is joined to."""
    rows = reference_tables(Settings(), ())["vendor_prefixes"].to_pylist()
    pairs = [(a, b) for a in rows for b in rows if a is not b and (a["names"], a["says"]) == (b["names"], b["says"])]
    assert rows
    assert [a["prefix"] for a, b in pairs if a["prefix"].startswith(b["prefix"])] == []


def test_each_macro_is_used_in_several_places() -> None:
    """What is asked once stands where it is asked; the dirty lines of a file and its SELECT are two places."""
    macros = re.findall(r"temp macro (\w+)\(", (sql_root() / "macros.sql").read_text(encoding="utf-8"))
    texts = [path.read_text(encoding="utf-8") for path in FILES]
    assert macros
    assert [name for name in macros if sum(text.count(f"{name}(") for text in texts) < 2] == []


def test_no_file_reads_a_later_layer() -> None:
    """The folders are read one way; what SQL makes of rules stands between marts and findings."""
    rank = {layer: place for place, layer in enumerate((*LAYERS[:-1], "rules", LAYERS[-1]))}
    made = sql_tables()
    backwards = [
        f"{table.layer}/{name} reads {made[read].layer}/{read}"
        for name, table in made.items()
        for read in sorted(table.inputs & made.keys())
        if rank[made[read].layer] > rank[table.layer]
    ]
    assert backwards == []


def test_the_longest_way_from_events_to_findings_does_not_grow() -> None:
    """A change of one event passes at most this many tables, one after the other; each is a wait in every run. A mart
    that only readers, rules and models ask stands beside the way.
    """
    ways: dict[str, tuple[str, ...]] = {}
    for name, table in sql_tables().items():
        ways[name] = (*max((ways[read] for read in table.inputs if read in ways), key=len, default=()), name)
    read_by_sql = {read for table in sql_tables().values() for read in table.inputs}
    longest = max((way for name, way in ways.items() if name in read_by_sql), key=len)
    print(f"{len(longest)} tables: {' -> '.join(longest)}")
    assert len(longest) <= LONGEST_WAY, " -> ".join(longest)


def test_every_table_builds_on_an_empty_warehouse(tmp_path: Path) -> None:
    """Without one event all tables stand, and those whose rows come from events are empty."""
    with open_world(tmp_path / "home") as engine:
        assert set(build_all(engine)) == {"built"}
        filled = [name for name in tables() if count(engine.con, name)]
    assert filled == ["sources"]


def test_every_table_has_a_stated_key() -> None:
    """Each table's grain is a list of columns, watched here and in every run."""
    assert [name for name, key in KEYS.items() if not key] == []


@pytest.mark.parametrize("name", KEYS)
def test_key_stands_once(name: str, world: DuckDBEngine) -> None:
    """No two rows of a table share its key, and no part of a node's id is missing."""
    columns = ", ".join(KEYS[name])
    repeated = world.con.execute(f'select {columns} from "{name}" group by all having count(*) > 1').fetchall()
    assert repeated == []


def test_the_random_world_reaches_every_table(world: DuckDBEngine) -> None:
    """Were a table empty, the checks over the random world would say nothing about it."""
    empty = [name for name in tables() if count(world.con, name) == 0]
    assert set(empty) <= set(OUT_OF_REACH)


def test_building_again_finds_everything_fresh(world: DuckDBEngine) -> None:
    """A second build without news does no work."""
    assert set(build_all(world)) == {"fresh"}


@pytest.mark.parametrize("name", HOURLY)
def test_hours_in_any_order_equal_the_whole(name: str, world: DuckDBEngine) -> None:
    """An hourly table built hour by hour, in random order and some hours twice, is the table built at once."""
    con, sql = world.con, tables()[name].sql
    hours = [row[0] for row in con.execute("select distinct event_hour from events order by 1").fetchall()]
    again = hours + hours[:9]
    random.Random(7).shuffle(again)
    con.execute(f'create or replace temp table by_hours as select * from "{name}" limit 0')
    for hour in again:
        con.execute(f"create or replace temp table {TOUCHED_HOURS} as select ?::timestamptz as event_hour", [hour])
        con.execute(f"delete from by_hours where event_hour in (select event_hour from {TOUCHED_HOURS})")
        con.execute(f"insert into by_hours by name {sql}")
    assert rows(con, "by_hours") == rows(con, name)


@pytest.mark.parametrize("seed", SEEDS)
def test_arrival_in_parts_ends_in_the_tables_of_one_load(seed: int, tmp_path: Path) -> None:
    """Two batches in random order, with everything built after each, leave what one load leaves."""
    events = random_events(random.Random(seed), 160)
    order = list(range(events.num_rows))
    random.Random(-seed).shuffle(order)
    with open_world(tmp_path / "whole") as engine:
        load(engine, events)
        build_all(engine)
        whole = {name: rows(engine.con, name) for name in tables()}
    with open_world(tmp_path / "parts") as engine:
        for part in (order[:70], order[70:]):
            load(engine, events.take(part))
            build_all(engine)
        different = [name for name in tables() if rows(engine.con, name) != whole[name]]
    assert different == []


def test_no_node_is_ever_dropped(world: DuckDBEngine) -> None:
    """Every approval, decision, call, credential and activity stands in exactly one chain, circles or not."""
    con = world.con
    steps = "select step_id from chain_steps order by 1"
    assert con.execute(steps).fetchall() == con.execute("select node_id from int_nodes order by 1").fetchall()
    lengths = con.execute("select chain_id, count(*) from chain_steps group by all order by 1").fetchall()
    assert lengths == con.execute("select chain_id, n_steps from chains order by 1").fetchall()


def test_a_child_has_one_primary_parent_a_spine_and_never_by_a_guess(world: DuckDBEngine) -> None:
    """One primary link per child and spine; more than one candidate stays below the bar of proof."""
    con = world.con
    primary = "select child_id, spine from links where is_primary group by all having count(*) <> 1"
    assert con.execute(primary).fetchall() == []
    orphans = """
        select child_id, spine from links where spine is not null
        except select child_id, spine from links where is_primary
    """
    assert con.execute(orphans).fetchall() == []
    guesses = "select * from links where n_candidates > 1 and confidence >= 0.5 or confidence not between 0.0001 and 1"
    assert con.execute(guesses).fetchall() == []


def test_paths_are_those_that_climbing_by_hand_finds(world: DuckDBEngine) -> None:
    """Root, depth and least confidence of every node and spine agree with a climb over the primary links in Python."""
    con = world.con
    found = con.execute("select node_id, spine, root_id, depth, confidence, n_credentials from int_paths").fetchall()
    climbed = {(node, spine): (root, depth, confidence, n) for node, spine, root, depth, confidence, n in found}
    assert climbed == {key: climb(*key, primary_parents(con)) for key in on_spines(con)}


def test_only_a_granted_approval_accounts_for_a_step(world: DuckDBEngine) -> None:
    """A step is accounted for only where the root it was given is a granted approval at 0.5 or more."""
    wrong = world.con.execute(
        """
        select step_id from chain_steps
        left join stg_approvals on stg_approvals.approval_id = chain_steps.root_id
        where is_accounted and not (coalesce(is_granted, false) and confidence >= 0.5)
        """
    ).fetchall()
    assert wrong == []


def rows(con: duckdb.DuckDBPyConnection, table: str) -> list[tuple[Any, ...]]:
    """The rows of a table as text, in a fixed order."""
    columns = [row[0] for row in con.execute(f'describe "{table}"').fetchall() if row[0] != "ingested_at"]
    shown = ", ".join(f'"{column}"::varchar as "{column}"' for column in columns)
    return con.execute(f'select {shown} from "{table}" order by all').fetchall()


def count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(con.execute(f'select count(*) from "{table}"').fetchall()[0][0])


def syntax(sql: str) -> dict[str, Any]:
    with duckdb.connect() as con:
        tree = json.loads(con.execute("select json_serialize_sql(?::varchar)", [sql]).fetchall()[0][0])
    assert tree["error"] is False
    return dict(tree)


def only_duckdb(text: str) -> list[str]:
    """The words of `ONLY_DUCKDB` that stand in a file, outside of comments and of texts."""
    sql = re.sub(r"'[^']*'", "''", re.sub(r"--.*", "", text))
    return [word for word, pattern in ONLY_DUCKDB.items() if re.search(pattern, sql, re.IGNORECASE)]


def recursions(tree: Any) -> list[bool]:
    """Of each recursion anywhere in a syntax tree, whether it is by UNION ALL."""
    if isinstance(tree, list):
        return [by_all for child in tree for by_all in recursions(child)]
    if not isinstance(tree, dict):
        return []
    # Beside a recursion DuckDB calls every union so; only one of them reads itself.
    is_one = "union_all" in tree and f'"table_name": "{tree["cte_name"]}"' in json.dumps(tree)
    return ([tree["union_all"]] if is_one else []) + recursions(list(tree.values()))


def cte_names(tree: Any) -> Iterable[str]:
    """Names of the common table expressions anywhere in a syntax tree."""
    if isinstance(tree, dict):
        found = tree.get("cte_map")
        if isinstance(found, dict):
            yield from (entry["key"] for entry in found.get("map", []))
        for child in tree.values():
            yield from cte_names(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from cte_names(child)
