"""Builds the native scanner (`pipelines/native`) where the project is built or installed, if Rust is there.

Without it everything works, and reads by records instead of by columns: so a machine without Rust gets one line.
"""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
CRATE = ROOT / "pipelines" / "native"
SUFFIX = {"darwin": "dylib", "win32": "dll"}.get(sys.platform, "so")
BUILT = CRATE / "target" / "release" / f"{'' if SUFFIX == 'dll' else 'lib'}ultravires_native.{SUFFIX}"
LIBRARY = ROOT / "pipelines" / "ultravires" / "reading" / f"libultravires_native.{SUFFIX}"


class CustomBuildHook(BuildHookInterface[Any]):
    """Adds the library to the wheel, which then is one for this platform."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or not self._build():
            return
        build_data["artifacts"].append(LIBRARY.relative_to(ROOT).as_posix())
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform()}"

    def _build(self) -> bool:
        LIBRARY.unlink(missing_ok=True)  # of an earlier source
        if shutil.which("cargo") is None:
            self._say("Rust is not here (no cargo): logs will be read without the native scanner, more slowly")
            return False
        command = ["cargo", "build", "--release", "--locked", "--offline", "--quiet"]
        done = subprocess.run(command, cwd=CRATE, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            self._say(f"the native scanner does not build: logs will be read without it\n{done.stderr}")
            return False
        shutil.copyfile(BUILT, LIBRARY)
        return True

    def _say(self, line: str) -> None:
        self.app.display_warning(line)


def _platform() -> str:
    """The platform part of the wheel's tag: nothing but the machine's C library is linked to."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
