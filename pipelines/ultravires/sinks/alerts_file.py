"""`HOME/alerts.jsonl`: every alert as one line of OCSF JSON, exactly once per alert id.

The append and the outbox's note of it cannot be one transaction. So the file itself is asked: an id that
already stands in it is acknowledged without being written again, and a line that a kill cut off is cut
away first.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec
from pydantic import BaseModel, ConfigDict

from ultravires.alerting.sink import Alert, SendResult, SinkContext, SinkType
from ultravires.errors import DeliveryError

FILE_NAME = "alerts.jsonl"
_TAIL = 1 << 16


class Settings(BaseModel):
    """Nothing to set: the file is always on and always in the home."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Metadata(msgspec.Struct):
    uid: str


class _Line(msgspec.Struct):
    metadata: _Metadata


_decoder = msgspec.json.Decoder(_Line)


class AlertsFile:
    batch_size = 500
    max_per_hour = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written: set[bytes] | None = None

    def send(self, alerts: Sequence[Alert]) -> SendResult:
        """Append what is not there yet, force it to disk; DeliveryError (retryable) if the disk refuses."""
        try:
            with _open_private(self.path) as handle:
                self._append(handle, alerts)
        except OSError as error:
            # Part of the batch may have reached the file: look again before the next append.
            self._written = None
            raise DeliveryError(f"{self.path}: cannot write alerts ({error.strerror})", is_retryable=True) from error
        return SendResult(frozenset(alert.alert_id for alert in alerts))

    def close(self) -> None:
        self._written = None

    def _append(self, handle: IO[bytes], alerts: Sequence[Alert]) -> None:
        mend_last_line(handle)
        if self._written is None:
            self._written = {_short(uid) for uid in written_ids(handle)}
        for alert in alerts:
            if _short(alert.alert_id) not in self._written:
                handle.write(alert.body.encode() + b"\n")
                self._written.add(_short(alert.alert_id))
        handle.flush()
        os.fsync(handle.fileno())


def written_ids(handle: IO[bytes]) -> Iterator[str]:
    """The alert ids in the file, line by line; lines that are no alerts are passed over."""
    handle.seek(0)
    for line in handle:
        try:
            yield _decoder.decode(line).metadata.uid
        except msgspec.DecodeError:
            continue


def mend_last_line(handle: IO[bytes]) -> None:
    """End a whole last line that lacks its line feed; cut off one that a kill left half-written."""
    size = handle.seek(0, os.SEEK_END)
    start = _last_line_start(handle, size)
    if start == size:
        return
    handle.seek(start)
    try:
        _decoder.decode(handle.read())
    except msgspec.DecodeError:
        handle.truncate(start)
    else:
        handle.write(b"\n")
    handle.flush()


def _last_line_start(handle: IO[bytes], size: int) -> int:
    """Where the text after the last line feed begins; the file's size when it ends with one."""
    end = size
    while end > 0:
        begin = max(0, end - _TAIL)
        handle.seek(begin)
        found = handle.read(end - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def _open_private(path: Path) -> IO[bytes]:
    is_new = not path.exists()
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.fchmod(number, 0o600)
    if is_new:
        _sync_folder(path.parent)
    return os.fdopen(number, "a+b")


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _short(alert_id: str) -> bytes:
    # A million ids take some 50 MB this way, whatever somebody has written into the file.
    return hashlib.blake2b(alert_id.encode(), digest_size=16).digest()


def open_alerts_file(settings: Settings, context: SinkContext) -> AlertsFile:
    return AlertsFile(context.home / FILE_NAME)


SINK = SinkType("alerts_file", Settings, open_alerts_file)
