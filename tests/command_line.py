"""The command `ultravires` as a process of its own that need not import: it parts from one that has imported already.

A new process imports, and compiles the rules, for longer than most commands then take. Only that is saved: arguments,
folder, environment, streams, signals and exit code are those of any process. Tests of what a process does while it
imports (Ctrl-C, modules in the folder of the logs) start `python -m ultravires`.
"""

import gc
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from functools import cache
from pathlib import Path
from typing import IO, Any

LONGEST_SECONDS = 120.0
MAIN = "from ultravires.__main__ import main; main()"


class Running:
    """A command at work. It leads a process group of its own, whose number is `pid`."""

    def __init__(self, arguments: list[str], told: socket.socket) -> None:
        self.arguments = arguments
        self.returncode: int | None = None
        self._told = told
        self.pid = int(_line(told))

    def poll(self) -> int | None:
        """Its exit code, minus the signal where one ended it; None while it is at work."""
        return self._ended(0)

    def wait(self, seconds: float = LONGEST_SECONDS) -> int:
        """Its exit code; after so many seconds it is killed, and an error raised."""
        code = self._ended(seconds)
        if code is None:
            os.killpg(self.pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(self.arguments, seconds)
        return code

    def _ended(self, seconds: float) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], seconds)[0]:
            self.returncode = int(_line(self._told))
            self._told.close()
        return self.returncode


def start(
    *arguments: str | Path,
    output: IO[bytes],
    errors: IO[bytes],
    cwd: Path | None = None,
    memory: int | None = None,
    program: str = MAIN,
    **variables: str,
) -> Running:
    """A command whose two streams go into these files. `memory` limits its address space, `program` is the Python that
    it is.
    """
    asked = {
        "arguments": list(map(str, arguments)),
        "cwd": str(cwd or Path.cwd()),
        "memory": memory,
        "program": program,
        "variables": {**os.environ, **variables},
    }
    ours, theirs = socket.socketpair()
    with theirs, Path(os.devnull).open("rb") as nothing:
        way, _ = _prepared()
        socket.send_fds(way, [b"\n"], [file.fileno() for file in (theirs, nothing, output, errors)])
        way.sendall(json.dumps(asked).encode() + b"\n")
    return Running(list(map(str, arguments)), ours)


def run(*arguments: str | Path, seconds: float = LONGEST_SECONDS, **how: Any) -> subprocess.CompletedProcess[str]:
    """What a command that was started so said, and how it ended."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        running = start(*arguments, output=output, errors=errors, **how)
        code = running.wait(seconds)
        return subprocess.CompletedProcess(running.arguments, code, text_of(output), text_of(errors))


def text_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="surrogateescape")


@cache
def _prepared() -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
    """The process that has imported, which ends with this one, and the way to it."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-c", "import command_line; command_line.serve()"]
    with theirs:
        return ours, subprocess.Popen(command, stdin=theirs, cwd=Path(__file__).parent, start_new_session=True)


def serve() -> None:
    """Import, then let a process part for each command that is asked for on stdin."""
    _import_what_commands_need()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(0)) as asking:
        while files := socket.recv_fds(asking, 1, 4)[1]:
            asked = json.loads(_line(asking))
            if os.fork() == 0:
                asking.close()
                _part(asked, *files)
            for file in files:
                os.close(file)
    os._exit(0)


def _import_what_commands_need() -> None:
    import ultravires.cli
    import ultravires.lineage.command
    import ultravires.lineage.drawing
    import ultravires.possible_paths.command
    import ultravires.possible_paths.drawing
    import ultravires.report.report
    import ultravires.runs.home
    import ultravires.runs.pruning
    import ultravires.runs.retrying
    import ultravires.runs.unbound
    import ultravires.runs.unchanged
    import ultravires.tracing.explain_drawing
    import ultravires.tracing.trace_drawing  # noqa: F401
    from ultravires import registry
    from ultravires.build import select_reads
    from ultravires.runs.steps import steps

    steps()
    registry.sources()
    registry.sinks()
    # The threads of a connection would not be there in the processes that part from this one.
    _parse_what_makes_tables()
    select_reads._parser().close()
    select_reads._parser.cache_clear()


def _parse_what_makes_tables() -> None:
    import duckdb
    from ultravires.build.duckdb_engine import made_anew
    from ultravires.build.pipeline import sql_tables
    from ultravires.store.queries import parsed

    with duckdb.connect() as con:
        for table in sql_tables().values():
            parsed(con, made_anew(table.name, table.sql))


def _part(asked: dict[str, Any], told: int, *streams: int) -> None:
    """The command in a process of its own; this one tells which that is, and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if pid := os.fork():
        for stream in streams:
            os.close(stream)
        with socket.socket(fileno=told) as telling:
            telling.sendall(f"{pid}\n".encode())
            telling.sendall(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())
        os._exit(0)
    os.close(told)
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["variables"])
    if asked["memory"] is not None:
        resource.setrlimit(resource.RLIMIT_AS, (asked["memory"], asked["memory"]))
    sys.argv = ["ultravires", *asked["arguments"]]
    _end_as(asked["program"])


def _end_as(program: str) -> None:
    """Run the program and end as Python would, but without tidying up a memory that is shared."""
    code = 0
    try:
        exec(program, {"__name__": "__main__"})
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _line(way: socket.socket) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        got = way.recv(1)
        assert got, "the process that has imported is gone"
        line += got
    return bytes(line)
