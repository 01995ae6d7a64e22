"""Plug-ins are found by where they stand: a module that defines SOURCE, SINK or DETECTOR, a .sql file, a rule file.

No list of them is kept anywhere, so adding one is adding one file.
"""

import importlib
import pkgutil
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from ultravires.errors import ConfigError


def discover(package: ModuleType, attribute: str) -> dict[str, Any]:
    """Module name -> its `attribute`, for every module of `package` that defines it."""
    found = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        if hasattr(module, attribute):
            found[info.name] = getattr(module, attribute)
    return found


@cache
def sources() -> dict[str, Any]:
    import ultravires.sources as package

    found = discover(package, "SOURCE")
    for module, source in found.items():
        if source.name != module:
            raise ConfigError(f"sources/{module}.py defines the source '{source.name}'; the two names must be the same")
    return found


@cache
def sinks() -> dict[str, Any]:
    import ultravires.sinks as package

    return discover(package, "SINK")


@cache
def detectors() -> dict[str, Any]:
    import ultravires_models.detectors as package

    return discover(package, "DETECTOR")


def sql_root() -> Path:
    """The folder of SQL files: inside an installed wheel, or beside `pipelines/` in a checkout."""
    package = Path(__file__).parent
    for candidate in (package / "sql", package.parent.parent / "sql"):
        if candidate.is_dir():
            return candidate
    raise ConfigError("the sql/ folder is missing from this installation; install ultravires again")


def rules_root() -> Path:
    import ultravires_models

    return Path(next(iter(ultravires_models.__path__))) / "rules"
