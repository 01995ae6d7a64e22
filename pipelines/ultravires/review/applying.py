"""Taking a reviewer's decisions into the home: all or nothing, once, with who and when.

They are declared facts, as the configuration is: from a file that the user names and never from the logs.
"""

import hashlib
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from ultravires.build.reference import last_run_context
from ultravires.build.table_schemas import table_schemas
from ultravires.config_file import lies_in, load_settings
from ultravires.errors import UsageError
from ultravires.progress import watcher
from ultravires.review.answers import Answer, Read, Wrong, read_answers
from ultravires.review.facts import RIGHT_COLUMNS, Right
from ultravires.runs import clock
from ultravires.runs.run import run_once
from ultravires.runs.run_result import RunResult
from ultravires.runs.unchanged import forget_result
from ultravires.store.home_folder import known_inputs
from ultravires.store.queries import fetch_row, registered
from ultravires.store.snapshot import open_published
from ultravires.store.warehouse import Warehouse, open_warehouse
from ultravires.tracing.rows import fetch_rows

TABLE = "review_answers"
_LARGEST_FILE = 64 << 20
_LATEST = f"""
select entitlement_id, arg_max(struct_pack(decision, until_at, reviewer, reason), decided_at)
from {TABLE}
group by entitlement_id
"""


@dataclass(frozen=True)
class Applied:
    """`n_new` decisions were taken, `n_same` stood already, `n_unanswered` rows have none yet."""

    n_new: int = 0
    n_same: int = 0
    n_unanswered: int = 0

    def sentence(self) -> str:
        return (
            f"{self.n_new:,} decisions taken, {self.n_same:,} stood already, {self.n_unanswered:,} rows without one; "
            "see the table review_decisions"
        )


class WrongRows(UsageError):
    """Rows of a file of decisions that cannot be taken; nothing of it was."""

    def __init__(self, path: Path, wrong: list[Wrong]) -> None:
        super().__init__(f"{path}: {len(wrong):,} rows are wrong, and nothing was applied")
        self.wrong = wrong


def apply_and_run(path: Path, home: Path, *, config: Path | None) -> tuple[Applied, RunResult | None]:
    """Take the decisions in the CSV at `path`, then run without new files, so that readers see what they change; no run
    where nothing is new.
    """
    open_published(home).close()  # a home that never ran is refused before a warehouse is made in it
    load_settings(config)  # what is wrong with it is said before anything is taken
    content = _read(path, home)
    with open_warehouse(home, say=watcher().say) as warehouse:
        applied = apply(warehouse, content, path=path, now=clock.now())
        if applied.n_new:
            forget_result(home)
    if not applied.n_new:
        return applied, None
    with tempfile.TemporaryDirectory(prefix="ultravires-no-logs-") as nothing_new:
        return applied, run_once(Path(nothing_new), home, config=config, as_of="")


def apply(warehouse: Warehouse, content: bytes, *, path: Path, now: datetime) -> Applied:
    """Store the decisions of a file, in one transaction. The file that was taken before changes nothing, and so does an
    answer that stands.
    """
    file_hash = hashlib.sha256(content).hexdigest()
    read = _answers(warehouse, content, path, now)
    if read.wrong:
        raise WrongRows(path, read.wrong)
    if fetch_row(warehouse.con, f"select 1 from {TABLE} where file_hash = ? limit 1", [file_hash]):
        return Applied(n_same=len(read.answers), n_unanswered=read.n_unanswered)
    latest = dict(warehouse.con.execute(_LATEST).fetchall())
    new = [answer for answer in read.answers if latest.get(answer.right.entitlement_id) != _said(answer)]
    if new:
        with warehouse.transaction(), registered(warehouse.con, "new_answers", _rows(new, now, file_hash)):
            warehouse.con.execute(f"insert into {TABLE} by name from new_answers")
            warehouse.bump_version(TABLE)
    return Applied(len(new), len(read.answers) - len(new), read.n_unanswered)


def _answers(warehouse: Warehouse, content: bytes, path: Path, now: datetime) -> Read:
    if not fetch_row(warehouse.con, "select 1 from duckdb_tables() where table_name = 'entitlements'"):
        raise UsageError(f"{warehouse.home}: an older version made this home; run it once with this one")
    rows = fetch_rows(warehouse.con, f"select {RIGHT_COLUMNS} from entitlements where layer = 'granted'")
    try:
        as_of = last_run_context(warehouse, "as_of")
        return read_answers(content, [Right(**row) for row in rows], now=now, as_of=as_of)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _said(answer: Answer) -> dict[str, object]:
    return {
        "decision": answer.decision,
        "until_at": answer.until_at,
        "reviewer": answer.reviewer,
        "reason": answer.reason,
    }


def _rows(answers: list[Answer], now: datetime, file_hash: str) -> pa.Table:
    rows = []
    for answer in answers:
        right = answer.right
        said = (right.entitlement_id, answer.decision, answer.until_at, answer.reviewer, answer.reason, now)
        digest = hashlib.sha256("\x1f".join(map(str, said)).encode("utf-8", "replace")).hexdigest()
        rows.append(
            {
                "answer_id": f"ra_{digest[:20]}",
                **{name: getattr(right, name) for name in _OF_RIGHT},
                **_said(answer),
                "decided_at": now,
                "file_hash": file_hash,
            }
        )
    return pa.Table.from_pylist(rows, schema=table_schemas()[TABLE].arrow())


_OF_RIGHT = (
    "entitlement_id", "holder_uid", "effect", "action_pattern", "resource_pattern", "except_actions",
    "except_resources", "scope_uid", "condition", "path",
)  # fmt: skip


def _read(path: Path, home: Path) -> bytes:
    """The file's bytes, from outside of the logs: who can write a log must not be able to approve anything."""
    if any(lies_in(path, root.resolve()) for root in known_inputs(home)):
        raise UsageError(f"{path}: lies in the logs, from where no decision is taken; move it elsewhere")
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise UsageError(f"{path}: larger than {_LARGEST_FILE >> 20} MB; apply it in parts")
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check --apply") from error
