"""Plug-ins are found by where they stand: a module that defines SOURCE, RENAMING, SINK or DETECTOR, a .sql file, a rule
file.

No list of them is kept anywhere, so adding one is adding one file.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ultravires.errors import ConfigError

if TYPE_CHECKING:
    from ultravires_models.detector import Detector

    from ultravires.alerting.sink import SinkType
    from ultravires.reading.renaming import Renaming
    from ultravires.reading.source import Source


def discover(package: ModuleType, attribute: str) -> dict[str, Any]:
    """Dotted name below `package` -> its `attribute`, for every module in it, however deep, that defines it."""
    found = {}
    for name in _modules(package):
        module = importlib.import_module(f"{package.__name__}.{name}")
        if hasattr(module, attribute):
            found[name] = getattr(module, attribute)
    return found


def _modules(package: ModuleType) -> Iterator[str]:
    prefix = f"{package.__name__}."
    for info in pkgutil.walk_packages(package.__path__, prefix):
        if not info.ispkg:
            yield info.name.removeprefix(prefix)


@cache
def sources() -> "dict[str, Source]":
    """Name -> log source. `aws/cloudtrail.py` is the source `aws_cloudtrail`, `tickets/approvals.py` is `approvals`:
    the name ends as the file does, with the vendor before it or not. ConfigError where it does not, or is taken.
    """
    import ultravires.sources as package

    found: dict[str, Source] = {}
    for module, source in discover(package, "SOURCE").items():
        vendor, _, file = module.rpartition(".")
        where = f"sources/{module.replace('.', '/')}.py"
        if source.name not in (file, f"{vendor}_{file}"):
            raise ConfigError(f"{where} defines the source '{source.name}'; name it '{vendor}_{file}' or '{file}'")
        if source.name in found:
            raise ConfigError(f"{where} defines the source '{source.name}', and so does another file; a name is one's")
        found[source.name] = source
    return dict(sorted(found.items()))


@cache
def renamings() -> "dict[str, Renaming]":
    """Module name -> how an export's own words become the vendor's record, for every such export."""
    import ultravires.sources as package

    return dict(sorted(discover(package, "RENAMING").items()))


@cache
def sinks() -> "dict[str, SinkType]":
    """Module name -> sink, for every sink there is."""
    import ultravires.sinks as package

    return discover(package, "SINK")


@cache
def detectors() -> "dict[str, Detector]":
    """Module name -> anomaly model, for every detector there is."""
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
    """The folder of Sigma rules that comes with the product."""
    import ultravires_models

    return Path(next(iter(ultravires_models.__path__))) / "rules"
