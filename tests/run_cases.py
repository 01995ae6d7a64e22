"""Runs folders of cases, `python tests/run_cases.py DIR [--bin ULTRAVIRES] [CASE ...]`; `make cases DIR=...` calls it.

A case is a folder with `in/` (what lies in the folder of logs), `expected.md` (what is right and why) and `check.sh`,
which is called with the command of Ultravires and exits 0 where that is right. Prints one line a case and a sum; the
exit code is 1 where one is wrong, 2 where there is none.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

LONGEST_SECONDS = 600


def cases_in(folder: Path, names: Sequence[str]) -> list[Path]:
    """The cases in their order; those whose name begins with one of `names`, where some are given."""
    found = sorted(check.parent for check in folder.glob("*/check.sh"))
    return [case for case in found if not names or case.name.startswith(tuple(names))]


def why_wrong(case: Path, command: Path) -> str | None:
    """The last line that the check printed, None where the case is right."""
    try:
        done = subprocess.run(
            ["bash", case / "check.sh", command], capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"took longer than {LONGEST_SECONDS} seconds"
    if done.returncode == 0:
        return None
    printed = (done.stdout + done.stderr).strip().splitlines()
    return printed[-1] if printed else f"exit code {done.returncode}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Run folders of cases.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="beginnings of the names of cases, all where none is given")
    parser.add_argument("--bin", type=Path, default=Path(sys.executable).parent / "ultravires")
    given = parser.parse_args(arguments)
    cases = cases_in(given.folder, given.names)
    n_right = 0
    for case in cases:
        wrong = why_wrong(case, given.bin)
        n_right += wrong is None
        print(f"right  {case.name}" if wrong is None else f"WRONG  {case.name}: {wrong}", flush=True)
    print(f"{n_right} of {len(cases)} right" if cases else f"no cases in {given.folder}: none has a check.sh")
    return 0 if cases and n_right == len(cases) else (1 if cases else 2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
