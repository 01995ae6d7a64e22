"""Records of some hours taken out of a world's logs, to be put there later."""

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

Late = dict[datetime, dict[Path, bytes]]
"""Hour -> the new files that hold its records, by their names in the world."""
_NANOSECONDS = re.compile(r'"startTimeUnixNano":\s*"?(\d+)')
_WRITTEN = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}")
_LABELS = "labels"
SATURDAY = 5


def hold_back(world: Path, hours: Sequence[datetime]) -> Late:
    """Take the records of these hours (UTC) out of the lines of JSON and deliveries of CloudTrail in `world`."""
    late: Late = {hour: {} for hour in hours}
    for path in sorted(world.rglob("*.json*")):
        if _LABELS not in path.parts:
            _hold_back(path, late)
    return late


def put_back(late: dict[Path, bytes]) -> None:
    """Write the files of one hour."""
    for path, content in late.items():
        path.write_bytes(content)


def _hold_back(path: Path, late: Late) -> None:
    records = _records(path)
    hours = [_hour_of(record) for record in records]
    held = [hour for hour in late if hour in hours]
    for hour in held:
        of_hour = [record for record, at in zip(records, hours, strict=True) if at == hour]
        late[hour][path.with_name(f"late-{hour:%H}-{path.name}")] = _written(path, of_hour)
    if held:
        path.write_bytes(_written(path, [r for r, at in zip(records, hours, strict=True) if at not in late]))


def _records(path: Path) -> list[str]:
    if path.suffix == ".gz":
        document = json.loads(gzip.decompress(path.read_bytes()))
        return [json.dumps(record) for record in document.get("Records", [])]
    return path.read_text(encoding="utf-8").splitlines() if path.suffix == ".jsonl" else []


def _written(path: Path, records: Sequence[str]) -> bytes:
    if path.suffix == ".gz":
        return gzip.compress(f'{{"Records":[{",".join(records)}]}}'.encode(), mtime=0)
    return "".join(f"{record}\n" for record in records).encode()


def _hour_of(record: str) -> datetime | None:
    """The hour of the first time that the record states under the name by which its log tells when it happened."""
    if found := _NANOSECONDS.search(record):
        return datetime.fromtimestamp(int(found[1]) // 10**9 // 3600 * 3600, UTC)
    return next(_times(json.loads(record)), None)


def _times(record: object) -> Iterator[datetime]:
    if isinstance(record, dict):
        for name in ("eventTime", "timestamp", "updated_at", "sys_updated_on"):
            written = record.get(name)
            if isinstance(written, str) and (found := _WRITTEN.match(written.replace(" ", "T"))):
                yield datetime.fromisoformat(found[0] + ":00:00+00:00")


def busy_hours(first_day: datetime, days: int, n: int) -> list[datetime]:
    """So many hours of the working day before the last."""
    day = first_day + timedelta(days=days - 2)
    while day.weekday() >= SATURDAY:
        day -= timedelta(days=1)
    return [day.replace(hour=10 + number, tzinfo=UTC) for number in range(n)]
