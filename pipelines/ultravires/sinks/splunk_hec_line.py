"""A deadline for a whole exchange over HTTP.

The timeouts of httpx are those of one read: a server that sends a byte before each is over can hold a run for good.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_CONNECTED = {"connection.connect_tcp.complete", "connection.start_tls.complete"}


class Line:
    """The connection of a client that uses one at a time."""

    def __init__(self) -> None:
        self.was_hung_up = False
        self._socket: socket.socket | None = None

    def watch(self, event: str, info: dict[str, Any]) -> None:
        """What httpx calls at each step of a request (its extension `trace`)."""
        if event in _CONNECTED:
            self._socket = info["return_value"].get_extra_info("socket")
            if self.was_hung_up:
                self._hang_up()

    @contextmanager
    def hung_up_after(self, seconds: float) -> Iterator[None]:
        """In the block the connection ends after that time, whatever is being read from it."""
        self.was_hung_up = False
        timer = threading.Timer(seconds, self._hang_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _hang_up(self) -> None:
        self.was_hung_up = True
        if self._socket is not None:
            with suppress(OSError):
                # That of the plain socket: a TLS socket would first forget what the other thread is reading with.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
