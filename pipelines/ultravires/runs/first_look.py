"""A first look at logs that nobody has configured: `ultravires init` writes down what it finds, for a person to check.

What the logs say of themselves is no reason to trust them, so what is written says where each log lies now, and asks
who can write there.
"""

import json
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

import pyarrow as pa

from ultravires import registry
from ultravires.build.reference import provider_services
from ultravires.errors import UsageError
from ultravires.progress import watcher
from ultravires.reading.input_file import InputFile, LostFile, read_file
from ultravires.reading.locations import InputPlace, Location, Skipped
from ultravires.reading.options import Options
from ultravires.reading.origins import below
from ultravires.runs.bindings import suggest
from ultravires.tracing.visible import visible

LOOKED_AT = 1 << 20
"""Unpacked bytes of each file: enough to know whose it is and who acts in it."""
_MOST_IDENTITIES = 200
_MOST_NAMED = 20
_COLUMNS = ("source", "voice", "place", "log", "account_uid", "actor_uid", "actor_kind")
_HEAD = """\
# What `ultravires init` found below {where}.
# Check it before you trust it: who can write to these places decides what is believed.
"""
_ORIGINS = """
# Approvals and decisions are believed only where they are bound; elsewhere they are shown and account for nothing, and
# a record in the place of another log is refused. Ask of each place: can anybody but its own system write there?
# A place is a glob below the input, or {path: ..., log_group: ...} (google_log, azure_category) inside of deliveries.
"""
_IDENTITIES = """
# Who acted, with the kind that the logs say. Name who answers for each (owner), and put the names of one identity
# together as aliases; agents often look like the role or service account under which they run.
"""


@dataclass
class Seen:
    """What lies in a place. By path below the input the sources that can be believed there, none where it is another's
    file; `told` are recorded logs in places of applications.
    """

    files: dict[str, frozenset[str]] = field(default_factory=dict)
    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    actors: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    """By name, kind and whether a recorded log names them."""
    accounts: Counter[tuple[str, str]] = field(default_factory=Counter)
    unread: list[Skipped] = field(default_factory=list)


def write_configuration(where: InputPlace, path: Path) -> Seen:
    """Look at the logs and write what was found to the new file `path`. UsageError where that stands already."""
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path}: stands already and is left as it is; name another file with --config")
    seen = look(where)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(as_yaml(seen, str(where)))
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); name another file with --config") from error
    return seen


def look(where: InputPlace) -> Seen:
    """The beginning of every file. Raises UsageError or RunError where nothing can be listed."""
    seen, root = Seen(), where.absolute()
    options = replace(Options(hash_key=secrets.token_bytes(32)), max_file_bytes=LOOKED_AT)
    found = list(where.files())
    for done, location in enumerate(found):
        watcher().step("looking at files", done, len(found))
        if isinstance(location, Skipped):
            seen.unread.append(location)
            continue
        try:
            for file, events in _files(location, options):
                _note(seen, file, events, root)
        except LostFile as lost:
            seen.unread.append(Skipped(str(location), lost.reason))
    return seen


def _files(location: Location, options: Options) -> Iterator[tuple[InputFile, pa.Table | None]]:
    """Each file or member with its events, None where it gave none."""
    file: InputFile | None = None
    batches: list[pa.RecordBatch] = []
    for current in read_file(location, list(registry.sources().values()), options):
        if file is not None and current is not file:
            yield file, pa.Table.from_batches(batches) if batches else None
            batches = []
        file = current
        batches += file.pending
        file.pending, file.refused = [], []
    if file is not None:
        yield file, pa.Table.from_batches(batches) if batches else None


def _note(seen: Seen, file: InputFile, events: pa.Table | None, root: str) -> None:
    path = below(file.stored_path, root)
    if file.state == "archive":
        return
    if path is None or events is None:
        reason = (
            "no source recognises it" if file.source is None else f"{file.source} recognises it, and found no event"
        )
        seen.unread.append(Skipped(file.path, reason))
        if path is not None:
            seen.files[path] = frozenset()
        return
    counted = events.group_by(list(_COLUMNS)).aggregate([([], "count_all")]).to_pylist()
    known = registry.sources()
    own = set()
    for row in counted:
        n, is_recorded = row["count_all"], row["voice"] == "recorded"
        if row["voice"] == known[row["source"]].voice:
            own.add(row["source"])
        else:
            seen.told[row["source"], f"{path} ({row['place']})"] += n
        if row["actor_uid"]:
            seen.actors[row["actor_uid"], row["actor_kind"] or "unknown", is_recorded] += n
        if row["account_uid"]:
            seen.accounts[row["log"], row["account_uid"]] += n
    seen.files[path] = frozenset(own)


def as_yaml(seen: Seen, where: str) -> str:
    """The configuration, with what nobody but a person can tell as comments."""
    parts = [_HEAD.format(where=_said(where)), _origins(seen), _identities(seen), *_rest(seen)]
    return "".join(parts)


def _origins(seen: Seen) -> str:
    places = suggest(seen.files)
    if not places:
        return '\n# No log was found in a place where it can be believed.\n# origins: {approvals: ["approvals/**"]}\n'
    lines = [f"  {source}: [{', '.join(map(_quoted, patterns))}]\n" for source, patterns in places.items()]
    return f"{_ORIGINS}origins:\n{''.join(lines)}"


def _identities(seen: Seen) -> str:
    kinds: dict[str, Counter[str]] = {}
    is_recorded: set[str] = set()
    for (uid, kind, recorded), n in seen.actors.items():
        kinds.setdefault(uid, Counter())[kind] += n
        is_recorded |= {uid} if recorded else set()
    lines: list[str] = []
    left: list[str] = []
    names: set[str] = set()
    of_providers = [pattern.lower() for pattern in provider_services()]
    for uid in sorted(kinds, key=lambda uid: (-kinds[uid].total(), uid)):
        likely = [kind for kind, _ in kinds[uid].most_common() if kind != "unknown"]
        if any(fnmatchcase(uid.lower(), pattern) for pattern in of_providers):
            continue  # nobody here answers for it
        is_sure = len(likely) == 1 and uid in is_recorded and uid.lower() not in names
        if is_sure and len(lines) < _MOST_IDENTITIES:
            names.add(uid.lower())
            lines.append(f"  - {{id: {_quoted(uid)}, kind: {likely[0]}}}\n")
        else:
            left.append(f"{_said(uid)} ({' or '.join(likely) or 'unknown'})")
    text = f"{_IDENTITIES}identities:\n{''.join(lines)}" if lines else "\n# No recorded log named anybody.\n"
    return text + "".join(_listed("Not told for sure, or by an agent of itself only:", left))


def _rest(seen: Seen) -> Iterator[str]:
    yield from _listed("Accounts, projects and subscriptions, by log:", _of_accounts(seen))
    told = [f"{source} in {_said(where)}, {n:,} events" for (source, where), n in sorted(seen.told.items())]
    yield from _listed("Only told, where applications write too; bind what its own system wrote:", told)
    yield from _listed("Not read:", [_said(str(skipped)) for skipped in seen.unread])
    yield (
        "\n# What no log says: your own networks (networks), what must not be lost (crown_jewels), what the words of\n"
        "# your approval systems mean (approval_scopes), how late each log may be (sources).\n"
    )


def _of_accounts(seen: Seen) -> list[str]:
    return [f"{log}: {_said(account)} ({n:,} events)" for (log, account), n in seen.accounts.most_common()]


def _listed(title: str, lines: Iterable[str]) -> Iterator[str]:
    every = list(lines)
    if every:
        yield f"\n# {title}\n"
        yield from (f"#   {line}\n" for line in every[:_MOST_NAMED])
    if len(every) > _MOST_NAMED:
        yield f"#   and {len(every) - _MOST_NAMED:,} more\n"


def _quoted(text: str) -> str:
    """As YAML reads it, whatever is in it."""
    return json.dumps(text.encode(errors="replace").decode())


def _said(text: str) -> str:
    return visible(text.encode(errors="backslashreplace").decode())
