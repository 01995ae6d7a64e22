"""Where the logs, the home and the configuration are, for the runs that Dagster starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from ultravires.reading.input_place import input_place
from ultravires.runs.home import OpenHome, open_home


class HomeResource(dg.ConfigurableResource[OpenHome]):
    """Opens the home for one run of Dagster's."""

    input: str
    home: str
    config: str = ""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[OpenHome]:
        config = Path(self.config) if self.config else None
        with open_home(input_place(self.input), Path(self.home), config=config) as home:
            yield home
