"""Many stories in one home: each is written with names of its own and asked as if it had been told alone. A run costs
a second or two however little it reads; stories that do not disturb each other need only one.

    told = Stories(config=CONFIG, as_of=at(300))

    @told(trail=[...], approvals=[...])
    def test_it_is_seen(story: Story) -> None:
        assert "a_detector" in story.findings()

A story keeps a home of its own where it is about what a whole home has or lacks: a log that is missing or silent, the
configuration, the order of runs.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
import ultravires
from small_logs import write_lines
from ultravires.runs.run import run_once

Records = Sequence[Mapping[str, Any]]
Test = Callable[..., None]
FIRST, MOST = 10, 90
"""Stories have numbers of two digits, so that no name of one is the beginning of a name of another."""
_OF_STORY = {
    "event_id": "event_id in (from story_events)",
    "evidence_event_ids": "list_has_any(evidence_event_ids, (select list(event_id) from story_events))",
    "event_ids": "list_has_any(event_ids, (select list(event_id) from story_events))",
    "child_event_id": "child_event_id in (from story_events)",
    "cause_event_id": "cause_event_id in (from story_events)",
    "finding_id": "finding_id in (select finding_id from findings)",
    "clock_uid": "clock_uid in (select identity_id from chain_steps)",
    "path": "path like getvariable('story_path')",
}
"""By which column the rows of a table are a story's: by its events, which are those of its files."""

_ASKED_BY_OTHERS = ("chain_steps", "findings")


class Names:
    """How the names of one story are written in the home that it shares."""

    def __init__(self, number: int, words: Iterable[str]) -> None:
        # What stands before, what the number takes the place of, what stands behind.
        rules = [
            (r"\b1111222233", "33", r"\b"),  # the account
            (r"\b[0-9a-f]{30}", "9c", r"\b"),  # a trace
            (r"\b[A-Z]{3}-", "", r"\d"),  # a ticket
            (r"\b(?:AS|AK)IA", "", r"\w"),  # a key
            (r"(?<=[\"'])(?:r-)?[a-z]", "", r"\d+\\*[\"']"),  # an event, a decision, a session
            (r"\b(?:call_|sess-)", "", r"\d"),
            (r"\b[a-z]+", "", r"@example\.org\b"),  # a person
            (rf"\b(?:{'|'.join(words)})", "", r"\d*\b"),
        ]
        self._there = [(re.compile(f"({before}){old}(?={after})"), rf"\g<1>{number}") for before, old, after in rules]
        self._back = [(re.compile(f"({before}){number}(?={after})"), rf"\g<1>{old}") for before, old, after in rules]

    def told_apart(self, text: str) -> str:
        for pattern, written in self._there:
            text = pattern.sub(written, text)
        return text

    def as_told(self, value: Any) -> Any:
        """What an answer would be if the story had been told alone."""
        if isinstance(value, str):
            quoted = f"'{value}'"
            for pattern, written in self._back:
                quoted = pattern.sub(written, quoted)
            return quoted[1:-1]
        return type(value)(map(self.as_told, value)) if isinstance(value, (list, tuple)) else value


class Asked(ABC):
    """What tests ask of a world of agents."""

    @abstractmethod
    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """The rows that a query gives."""

    def findings(self) -> set[str]:
        return {row[0] for row in self.ask("select distinct detector_id from findings where state = 'open'")}

    def is_accounted(self, native_id: str) -> bool:
        query = "select bool_or(is_accounted) from chain_steps join events using (event_id) where native_id = "
        ((found,),) = self.ask(f"{query}'{native_id}' and node_kind in ('activity', 'tool_call')")
        assert found is not None, f"nothing is known of {native_id}"
        return bool(found)

    def borrowed(self) -> list[tuple[Any, ...]]:
        return self.ask("select actor_uid, named, reason from borrowed_approvals order by all")


@dataclass
class Story(Asked):
    """One story in the home of many: what is asked of it is answered by its own records."""

    stories: "Stories"
    number: int
    logs: Mapping[str, Records]
    config: Mapping[str, Any]
    case: str
    then: Mapping[str, Records] = field(default_factory=dict)
    """What comes with a second run."""
    is_before: bool = False
    """Whether it is asked about what the first run published."""
    _con: duckdb.DuckDBPyConnection | None = None
    _views: set[str] = field(default_factory=set)

    @property
    def before(self) -> "Story":
        """The story as it stood after the first run."""
        return replace(self, is_before=True, _con=None, _views=set())

    @property
    def names(self) -> Names:
        return Names(self.number, self.stories.words)

    def write(self, logs: Path, told: Mapping[str, Records]) -> None:
        for name, records in told.items():
            written = json.loads(self.names.told_apart(json.dumps(list(records))))
            write_lines(logs / str(self.number) / f"{name}.jsonl", written)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Of published tables only the rows that are of this story's events, with the names that it was told with."""
        con = self._con = self._con or self._open()
        for table in sorted({*re.findall(r"\b(?:from|join) (\w+)", query), *_ASKED_BY_OTHERS} - self._views):
            self._views.add(table)
            con.execute(f"create temp view {table} as select * from memory.main.{table} where {_of_story(con, table)}")
        rows = con.execute(self.names.told_apart(query)).fetchall()
        return [self.names.as_told(row) for row in rows]

    def _open(self) -> duckdb.DuckDBPyConnection:
        con = self.stories.published(self.is_before).cursor()
        con.execute("set variable story_path = ?", [f"%/logs/{self.number}/%"])
        con.execute(
            "create temp table story_events as select event_id from memory.main.events "
            "join memory.main.files using (file_id) where path like getvariable('story_path')"
        )
        return con


def _given(stories: list[Story]) -> Callable[[Test], Test]:
    return pytest.mark.parametrize("story", stories, ids=[story.case for story in stories], indirect=True)


def _of_story(con: duckdb.DuckDBPyConnection, table: str) -> str:
    columns = {row[0] for row in con.execute(f"describe memory.main.{table}").fetchall()}
    return next(condition for column, condition in _OF_STORY.items() if column in columns)


class Stories:
    """The stories of one module, and the home in which they are told when the first of them is asked."""

    def __init__(self, *, as_of: str, config: Mapping[str, Any] | None = None, words: Sequence[str] = ()) -> None:
        """`words` are the names that each story has for itself, besides accounts, ids, keys and people."""
        self.as_of, self.config, self.words = as_of, config or {}, words or ("no-such-name",)
        self._told: list[Story] = []
        self._published: list[duckdb.DuckDBPyConnection] = []

    def __call__(
        self,
        *,
        config: Mapping[str, Any] | None = None,
        then: Mapping[str, Records] | None = None,
        **logs: Records,
    ) -> Callable[[Test], Test]:
        """The test is given the story of these logs."""
        return _given([self._story("told", logs, config, then)])

    def each(self, cases: Mapping[str, Mapping[str, Records]]) -> Callable[[Test], Test]:
        """The test is given one story after the other, each with its name as `case`."""
        return _given([self._story(case, logs) for case, logs in cases.items()])

    def _story(
        self,
        case: str,
        logs: Mapping[str, Records],
        config: Mapping[str, Any] | None = None,
        then: Mapping[str, Records] | None = None,
    ) -> Story:
        said = self.config if config is None else config
        story = Story(self, FIRST + len(self._told), logs, said, case, then or {})
        assert story.number < FIRST + MOST
        self._told.append(story)
        return story

    def tell(self, folders: pytest.TempPathFactory) -> None:
        """All stories in one run, and what comes later of any in a second one."""
        if self._published:
            return
        folder = folders.mktemp("stories")
        config: dict[str, Any] = {}
        for story in self._told:
            for name, values in json.loads(story.names.told_apart(json.dumps(story.config))).items():
                known = config.setdefault(name, [])
                known += [value for value in values if value not in known]
        (folder / "ultravires.yaml").write_text(json.dumps(config), encoding="utf-8")
        self._run(folder, {story.number: story.logs for story in self._told})
        if any(story.then for story in self._told):
            self._run(folder, {story.number: story.then for story in self._told})

    def _run(self, folder: Path, logs: Mapping[int, Mapping[str, Records]]) -> None:
        for story in self._told:
            story.write(folder / "logs", logs[story.number])
        run_once(folder / "logs", folder / "home", config=folder / "ultravires.yaml", as_of=self.as_of)
        self._published.append(ultravires.open(folder / "home"))

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Of the whole home."""
        return self.published(False).execute(query).fetchall()

    def published(self, is_before: bool) -> duckdb.DuckDBPyConnection:
        """What is asked; it is there when the fixture `story` has let the stories be told."""
        return self._published[0 if is_before else -1]
