"""The command `ultravires`, also as `python -m ultravires`.

It imports next to nothing before it listens for Ctrl-C: the libraries of the command line alone take half a second.
"""

import sys

from ultravires.errors import STOPPED, UltraviresError
from ultravires.runs.stopping import STOPPED_LINE, ctrl_c_stops
from ultravires.tracing.visible import LONGEST_LINE, visible


def main() -> None:
    """Run the command; an error of ours is one line on stderr and its exit code, never a traceback."""
    with ctrl_c_stops() as is_asked_to_stop:
        try:
            from ultravires.cli import app

            app()
        except BaseException as error:
            if not _is_success(error) and is_asked_to_stop():
                _say(STOPPED_LINE)
                _forget_the_interrupt()
                sys.exit(STOPPED)
            if isinstance(error, UltraviresError):
                _say(str(error))
                sys.exit(error.exit_code)
            raise


def _is_success(error: BaseException) -> bool:
    return isinstance(error, SystemExit) and not error.code


def _forget_the_interrupt() -> None:
    """CPython remembers a Ctrl-C that went through an `exec` of text (dataclasses use it on import) until the next one:
    at the end `python -m` kills itself by the signal, whatever its exit code.
    """
    exec("")  # noqa: S102


def _say(line: str) -> None:
    print(f"ultravires: {visible(line, LONGEST_LINE)}", file=sys.stderr)  # noqa: T201 - this is the place that prints errors


if __name__ == "__main__":
    main()
