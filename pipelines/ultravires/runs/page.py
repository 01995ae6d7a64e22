"""Dagster's page on this machine, for this machine's user alone: `python -m ultravires.runs.page PORT OPTIONS`.

It has no password. A page of another site, open in the same browser, could ask it by its address, or by a name of its
own that leads to 127.0.0.1 (DNS rebinding), and start runs. So it answers by its own name only, and to itself.
"""

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from dagster_webserver import cli

HOST = "127.0.0.1"
_MAKER = "create_app_from_workspace_process_context"
"""What Dagster's command makes its page with; it has no option for what the page asks of a request."""
_REFUSED = b"this page answers on this machine only\n"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


def is_own(headers: list[tuple[bytes, bytes]], path: str, port: int) -> bool:
    """Whether a request is by our name and comes from our page, from a person's address line, or from no browser."""
    names = {f"{name}:{port}".encode() for name in (HOST, "localhost")}
    by_name: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        by_name.setdefault(name.lower(), []).append(value)
    if len(by_name.get(b"host", [])) != 1 or by_name[b"host"][0] not in names:
        return False
    if any(origin.removeprefix(b"http://") not in names for origin in by_name.get(b"origin", [])):
        return False
    is_of_another_site = not {*by_name.get(b"sec-fetch-site", [])} <= {b"same-origin", b"none"}
    follows_a_link = by_name.get(b"sec-fetch-mode") == [b"navigate"] and not path.startswith("/graphql")
    return follows_a_link or not is_of_another_site


def guarded(app: App, port: int) -> App:
    """`app`, for requests that are its own; others are refused before it sees them."""

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or is_own(scope["headers"], scope["path"], port):
            await app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            plain = [(b"content-type", b"text/plain"), (b"content-length", str(len(_REFUSED)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": plain})
            await send({"type": "http.response.body", "body": _REFUSED})

    return answer


def main(arguments: list[str]) -> None:
    port, *options = arguments
    make = getattr(cli, _MAKER)

    def make_guarded(*words: Any, **named: Any) -> App:
        return guarded(make(*words, **named), int(port))

    setattr(cli, _MAKER, make_guarded)
    cli.dagster_webserver(["-h", HOST, "-p", port, *options])


if __name__ == "__main__":
    main(sys.argv[1:])
