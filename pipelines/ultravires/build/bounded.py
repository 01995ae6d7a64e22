"""No query runs without end: what stands still, or takes much longer than anything honest, is ended."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from ultravires.errors import RunError

_LEAST_SECONDS = 300.0
"""Whatever the machine is busy with: over few events a table takes less than one of them."""
_SECONDS_OF_EVENT = 0.001
"""All tables of a home together take less than a tenth of it for each event."""
_AGAIN = 5.0
"""An interrupt between two queries ends neither, so it is told again."""


def most_seconds(n_events: int) -> float:
    """What one table may take in a home of so many events."""
    return _LEAST_SECONDS + n_events * _SECONDS_OF_EVENT


@contextmanager
def ended_after(con: duckdb.DuckDBPyConnection, seconds: float, table: str) -> Iterator[None]:
    """In the block, which makes `table`, queries are interrupted when these seconds are over; RunError says so."""
    done, is_over = threading.Event(), threading.Event()

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            is_over.set()
            con.interrupt()
            wait = _AGAIN

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    except duckdb.InterruptException as error:
        if not is_over.is_set():
            raise
        raise RunError(f"table {table}: ended after {seconds:,.0f} seconds") from error
    finally:
        done.set()
        watching.join()
