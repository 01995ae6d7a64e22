"""A folder that every test of a file finds as it was built, and that is built once."""

import shutil
from collections.abc import Callable
from pathlib import Path


def restored(folder: Path, build: Callable[[Path], object]) -> Path:
    """`folder` as build(folder) leaves it. Always at one path and with the times of its files, by which a run knows
    the logs that it has read.
    """
    pristine = folder.with_name(f"{folder.name}-pristine")
    shutil.rmtree(folder, ignore_errors=True)
    if pristine.exists():
        shutil.copytree(pristine, folder)
    else:
        folder.mkdir()
        build(folder)
        shutil.copytree(folder, pristine)
    return folder
