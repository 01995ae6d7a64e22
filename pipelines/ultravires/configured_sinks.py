"""Opens the sinks that the configuration names; the alerts file is always among them."""

from typing import Any

from pydantic import ValidationError

from ultravires import registry
from ultravires.errors import ConfigError
from ultravires.home import OpenHome
from ultravires.settings import environment
from ultravires.sink import Sink, SinkContext

ALWAYS = "alerts_file"


def open_sinks(home: OpenHome) -> dict[str, Sink]:
    """Sinks by name; ConfigError names the setting that is wrong and the sinks there are."""
    context = SinkContext(home=home.path, environ=environment())
    wanted: dict[str, dict[str, Any]] = {ALWAYS: {}, **home.settings.sinks}
    opened = {}
    for name, settings in wanted.items():
        kind = registry.sinks().get(name)
        if kind is None:
            raise ConfigError(f"sinks.{name}: there is no such sink; known: {', '.join(sorted(registry.sinks()))}")
        try:
            opened[name] = kind.open(kind.settings.model_validate(settings), context)
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(part) for part in problem["loc"])
            raise ConfigError(f"sinks.{name}.{where}: {problem['msg']}") from error
    return opened
