"""Logs in object stores: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`.

Read through Arrow's own file systems, with the credentials that the vendor's SDK finds by itself (environment, profile,
instance or workload identity) and with TLS verified. AWS_ENDPOINT_URL and STORAGE_EMULATOR_HOST lead to another server
that speaks the same protocol; AZURE_STORAGE_ACCOUNT names an Azure account. A prefix ends at a `/`, like a folder.
"""

import atexit
import errno
import io
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, BinaryIO, TypeVar, cast

import pyarrow as pa
from pyarrow import fs

from ultravires.environment import azure_storage, has_s3_region, s3_endpoint
from ultravires.errors import STOPPED, RunError, UsageError
from ultravires.reading.locations import SIDECAR, SIDECAR_BYTES, FileStat, Location, Skipped, is_beside

SCHEMES = ("s3", "gs", "az")
READ_AT_ONCE = 8 << 20
"""Bytes of one request: what most log objects hold, so that one request reads them."""
CONNECT_SECONDS = 10
REQUEST_SECONDS = 30
_ATTEMPTS = 3
_DENIED = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY|SIGNATURE|EXPIRED_TOKEN|INVALID_CLIENT_TOKEN|PERMISSION_DENIED|UNAUTHENTICATED"
    r"|HTTP (?:status|response code) 40[13]|\b40[13]\b|AuthenticationException|credentials",
    re.IGNORECASE,
)
_NO_BUCKET = re.compile(
    r"NO_SUCH_BUCKET|bucket does not exist|container does not exist|ContainerNotFound", re.IGNORECASE
)
_UNREACHABLE = re.compile(
    r"NETWORK_CONNECTION|curlCode|couldn.t connect|could not (?:connect|resolve)|timed? ?out|resolve host",
    re.IGNORECASE,
)
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object. `path` is `bucket/key`, as Arrow wants it."""

    scheme: str
    path: str
    listed: FileStat
    captured: str | None = None

    @property
    def is_remote(self) -> bool:
        return True

    @property
    def stored_path(self) -> str:
        return str(self)

    def open(self) -> BinaryIO:
        file = _plainly(lambda: _file_system_of(self.scheme, self.path).open_input_file(self.path))
        return cast(BinaryIO, io.BufferedReader(_ObjectStream(file), READ_AT_ONCE))

    def stat(self) -> FileStat:
        info = _plainly(lambda: _file_system_of(self.scheme, self.path).get_file_info(self.path))
        if info.type != fs.FileType.File:
            raise FileNotFoundError(errno.ENOENT, "No such object", str(self))
        return _standing(info)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"


@dataclass(frozen=True)
class ObjectPrefix:
    """Every object below a prefix, or the one object of that name."""

    scheme: str
    path: str

    def refuse_missing(self) -> None:
        """Only the store knows: `files` tells."""

    def files(self) -> Iterator[Location | Skipped]:
        """Objects in the order of their names; names with a part that begins with a dot are left out."""
        try:
            found = _plainly(self._list)
        except OSError as error:
            raise self._refused(error) from error
        names = {str(info.path) for info in found}
        for info in sorted(found, key=lambda info: str(info.path)):
            parts = info.path[len(self.path) :].strip("/").split("/")
            is_hidden = any(part.startswith(".") for part in parts)
            if info.type == fs.FileType.File and not is_hidden and not is_beside(str(info.path), names):
                captured = self._said_beside(f"{info.path}{SIDECAR}") if f"{info.path}{SIDECAR}" in names else None
                yield StoredObject(self.scheme, info.path, _standing(info), captured)

    def absolute(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"

    def _said_beside(self, path: str) -> str | None:
        """The beginning of the object that says when another one was taken; None where it cannot be read."""
        try:
            with StoredObject(self.scheme, path, FileStat(0, 0)).open() as stream:
                return stream.read(SIDECAR_BYTES).decode("utf-8", "replace")
        except OSError:
            return None

    def _list(self) -> list[fs.FileInfo]:
        file_system = _file_system_of(self.scheme, self.path)
        try:
            return list(file_system.get_file_info(fs.FileSelector(self.path, recursive=True)))
        except (FileNotFoundError, NotADirectoryError):
            info = file_system.get_file_info(self.path)
            if info.type != fs.FileType.File:
                raise
            return [info]

    def _refused(self, error: OSError) -> UsageError | RunError:
        if isinstance(error, FileNotFoundError):
            return UsageError(f"{self}: {error.strerror or 'there is no such prefix or object'}; check --input")
        return RunError(f"{self}: {error.strerror or error}")


def object_prefix(url: str) -> ObjectPrefix:
    """The prefix that `url` names. Raises UsageError, which never repeats what may be a credential."""
    scheme, _, path = url.partition("://")
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise UsageError(f"--input {scheme}://: not a place that can be read; give a path, or one of {known}")
    bucket = path.partition("/")[0]
    if "@" in bucket or ":" in bucket:
        raise UsageError(f"--input {scheme}://: credentials do not belong into the URL; set them as the SDK expects")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", bucket):
        raise UsageError(f"--input {url}: it must be {scheme}://bucket or {scheme}://bucket/prefix")
    return ObjectPrefix(scheme, path.rstrip("/"))


class _ObjectStream(io.RawIOBase):
    """A seekable stream over Arrow's file; each read is one request."""

    def __init__(self, file: pa.NativeFile) -> None:
        self._file = file
        self._size: int = _plainly(file.size)
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        data = _plainly(lambda: self._file.read_at(wanted, self._at))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def _standing(info: fs.FileInfo) -> FileStat:
    return FileStat(info.size or 0, info.mtime_ns or 0)


def _file_system_of(scheme: str, path: str) -> fs.FileSystem:
    return _file_system(scheme, path.partition("/")[0])


@lru_cache(maxsize=8)
def _file_system(scheme: str, bucket: str) -> fs.FileSystem:
    if scheme == "s3":
        return _s3(bucket)
    if scheme == "gs":
        return fs.GcsFileSystem(retry_time_limit=timedelta(seconds=REQUEST_SECONDS))
    azure = azure_storage()
    if azure is None:
        raise OSError(errno.EINVAL, "set AZURE_STORAGE_ACCOUNT to the storage account that holds the container")
    return fs.AzureFileSystem(**azure)


def _s3(bucket: str) -> fs.S3FileSystem:
    options: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "request_timeout": REQUEST_SECONDS,
        "retry_strategy": fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
    }
    if endpoint := s3_endpoint():
        return fs.S3FileSystem(**options, endpoint_override=endpoint)
    return fs.S3FileSystem(**options, region=None if has_s3_region() else _region(bucket))


def _region(bucket: str) -> str | None:
    """Where the bucket is; None leaves it to the SDK."""
    try:
        return str(fs.resolve_s3_region(bucket))
    except (OSError, pa.ArrowException):
        return None


def _plainly(call: Callable[[], _Result]) -> _Result:
    """What `call` returns; its errors as OSError with a short reason and without a request's particulars.

    On the main thread the call is made by another one, because a call into Arrow cannot be interrupted and Ctrl-C
    must not wait for a store that does not answer.
    """
    try:
        if threading.current_thread() is threading.main_thread():
            return _aside(call)
        return call()
    except (OSError, pa.ArrowException) as error:
        raise _plain_error(error) from error


def _aside(call: Callable[[], _Result]) -> _Result:
    results: list[_Result] = []
    errors: list[Exception] = []

    is_done = threading.Event()

    def work() -> None:
        try:
            results.append(call())
        except Exception as error:  # raised again below, by who waits
            errors.append(error)
        is_done.set()

    threading.Thread(target=work, daemon=True).start()
    try:
        is_done.wait()
    except BaseException:
        atexit.register(_leave_behind, is_done)
        raise
    if errors:
        raise errors[0]
    return results[0]


def _leave_behind(is_done: threading.Event) -> None:
    """At the end of a process that was stopped: Arrow would wait for the store's answer before it lets go."""
    if not is_done.is_set():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(STOPPED)


def _plain_error(error: Exception) -> OSError:
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.errno == errno.EINVAL and error.strerror:
        return error
    if _NO_BUCKET.search(text):
        return FileNotFoundError(errno.ENOENT, "there is no such bucket")
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, "there is no such prefix or object")
    if _DENIED.search(text):
        return PermissionError(errno.EACCES, "access denied; check the credentials and that they may list and read")
    if _UNREACHABLE.search(text):
        return ConnectionError(errno.EHOSTUNREACH, "the store cannot be reached; check the network and the endpoint")
    return OSError(errno.EIO, re.sub(r"\(?Request ID: .*", "", text).strip()[:300])
