"""A double of Splunk's HTTP Event Collector: a real HTTP server on loopback that answers as Splunk does.

It keeps what it takes, so that a test, or somebody trying the sink without a Splunk, can look at it. Like
the original it reads a batch as a stream: what stands before a bad event is taken. It neither indexes nor
searches.

    with HecDouble(tokens={"11111111-2222-3333-4444-555555555555": Token()}) as splunk:
        ...  # sinks.splunk_hec.url = splunk.url
        splunk.events

Source of endpoints, codes and texts: Splunk's documentation of the HTTP Event Collector.
"""

import contextlib
import gzip
import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

CODES = {
    0: (200, "Success"),
    1: (403, "Token disabled"),
    2: (401, "Token is required"),
    3: (401, "Invalid authorization"),
    4: (403, "Invalid token"),
    5: (400, "No data"),
    6: (400, "Invalid data format"),
    7: (400, "Incorrect index"),
    9: (503, "Server is busy"),
    10: (400, "Data channel is missing"),
    11: (400, "Invalid data channel"),
    12: (400, "Event field is required"),
    13: (400, "Event field cannot be blank"),
    14: (400, "ACK is disabled"),
    15: (400, "Error in handling indexed fields"),
    16: (400, "Query string authorization is not enabled"),
    17: (200, "HEC is healthy"),
    18: (503, "HEC is unhealthy, queues are full"),
}


@dataclass(frozen=True)
class Token:
    """What one token may do; `indexes` empty means every index."""

    is_enabled: bool = True
    use_ack: bool = False
    indexes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Answer:
    code: int
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class Rejected(Exception):
    """The request, or one event of it, is not acceptable."""

    def __init__(self, code: int, *, event_number: int | None = None) -> None:
        super().__init__(CODES[code][1])
        self.answer = Answer(code, {} if event_number is None else {"invalid-event-number": event_number})


class HecDouble:
    """The collector; its modes may be changed while it runs.

    busy: this many next requests are answered 503 (with `retry_after`, if set). lose_acks: nothing is ever
    acknowledged. crash_after_accept: this many next batches are kept and then left without an answer.
    bad_marker: an event whose text holds it is refused. max_bytes: larger requests are answered 413. always_bad: the
    event with this number is refused in every batch. drip: seconds before each byte of an answer, headers too.
    """

    def __init__(self, tokens: Mapping[str, Token], *, max_bytes: int = 1_000_000) -> None:
        self.tokens = dict(tokens)
        self.max_bytes = max_bytes
        self.busy = 0
        self.retry_after: str | None = None
        self.lose_acks = False
        self.crash_after_accept = 0
        self.bad_marker: str | None = None
        self.always_bad: int | None = None
        self.drip = 0.0
        self.events: list[dict[str, Any]] = []
        self.raw: list[str] = []
        self.requests: list[str] = []
        self.lock = threading.Lock()
        self._acks: dict[str, int] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """What a POST is answered; None when the connection breaks instead."""
        where = urlsplit(path)
        self.requests.append(where.path)
        if self.busy > 0:
            self.busy -= 1
            return Answer(9, headers={"Retry-After": self.retry_after} if self.retry_after else {})
        try:
            token = self._token(headers, where.query)
            channel = _channel(headers, where.query)
            if where.path.endswith("/ack"):
                return self._answer_acks(token, channel, body)
            return self._take(token, channel, where.path, body)
        except Rejected as rejected:
            return rejected.answer

    def _token(self, headers: Mapping[str, str], query: str) -> Token:
        given = headers.get("Authorization")
        if given is None:
            raise Rejected(16 if "token" in parse_qs(query) else 2)
        scheme, _, value = given.partition(" ")
        if scheme != "Splunk" or not value.strip():
            raise Rejected(3)
        token = self.tokens.get(value.strip())
        if token is None:
            raise Rejected(4)
        if not token.is_enabled:
            raise Rejected(1)
        return token

    def _take(self, token: Token, channel: str | None, path: str, body: bytes) -> Answer | None:
        if channel is None and (token.use_ack or path.endswith("/raw")):
            raise Rejected(10)
        if not body.strip():
            raise Rejected(5)
        if path.endswith("/raw"):
            self.raw.extend(body.decode(errors="replace").splitlines())
        else:
            if self.always_bad is not None:
                raise Rejected(6, event_number=self.always_bad)
            self._take_events(token, body.decode(errors="replace"))
        if self.crash_after_accept > 0:
            self.crash_after_accept -= 1
            return None
        return Answer(0, {"ackId": self._next_ack(channel)} if token.use_ack and channel else {})

    def _take_events(self, token: Token, text: str) -> None:
        for number, event in enumerate(_events(text)):
            self.events.append(self._checked(token, event, number))

    def _checked(self, token: Token, event: object, number: int) -> dict[str, Any]:
        if not isinstance(event, dict):
            raise Rejected(6, event_number=number)
        if "event" not in event:
            raise Rejected(12, event_number=number)
        if event["event"] in ("", None):
            raise Rejected(13, event_number=number)
        if token.indexes and event.get("index", "main") not in token.indexes:
            raise Rejected(7, event_number=number)
        fields = event.get("fields", {})
        if not isinstance(fields, dict) or any(isinstance(value, dict) for value in fields.values()):
            raise Rejected(15, event_number=number)
        if self.bad_marker and self.bad_marker in json.dumps(event, ensure_ascii=False):
            raise Rejected(6, event_number=number)
        return event

    def _next_ack(self, channel: str) -> int:
        with self.lock:
            ack_id = self._acks.get(channel, -1) + 1
            self._acks[channel] = ack_id
        return ack_id

    def _answer_acks(self, token: Token, channel: str | None, body: bytes) -> Answer:
        if not token.use_ack:
            raise Rejected(14)
        if channel is None:
            raise Rejected(10)
        asked = json.loads(body)["acks"]
        known = -1 if self.lose_acks else self._acks.get(channel, -1)
        return Answer(0, {"acks": {str(number): number <= known for number in asked}})


def _events(text: str) -> Iterator[object]:
    """JSON values one after another, or one array of them, as the collector reads them."""
    decoder = json.JSONDecoder()
    position, number = 0, 0
    text = text.strip()
    while position < len(text):
        try:
            value, position = decoder.raw_decode(text, position)
        except (json.JSONDecodeError, RecursionError):
            raise Rejected(6, event_number=number) from None
        values = value if isinstance(value, list) else [value]
        yield from values
        number += len(values)
        while position < len(text) and text[position].isspace():
            position += 1


def _channel(headers: Mapping[str, str], query: str) -> str | None:
    given = headers.get("X-Splunk-Request-Channel") or next(iter(parse_qs(query).get("channel", [])), None)
    if given is None:
        return None
    try:
        return str(uuid.UUID(given))
    except ValueError:
        raise Rejected(11) from None


_NONE: Mapping[str, str] = {}


def _handler(double: HecDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if len(body) > double.max_bytes:
                self._reply(413, {"text": "Content-Length too large", "code": 27})
                return
            known = ("", "/event", "/event/1.0", "/raw", "/raw/1.0", "/ack")
            if urlsplit(self.path).path.removeprefix("/services/collector") not in known:
                self._reply(404, {"text": "The requested URL was not found on this server.", "code": 404})
                return
            answer = double.answer(self.path, dict(self.headers), body)
            if answer is None:
                self.close_connection = True
                return
            self._send(answer)

        def do_GET(self) -> None:
            if urlsplit(self.path).path.startswith("/services/collector/health"):
                self._send(Answer(18 if double.busy else 17))
            else:
                self._reply(404, {"text": "The requested URL was not found on this server.", "code": 404})

        def _send(self, answer: Answer) -> None:
            status, text = CODES[answer.code]
            # Acknowledgements come without code and text.
            body = dict(answer.extra) if "acks" in answer.extra else {"text": text, "code": answer.code, **answer.extra}
            self._reply(status, body, answer.headers)

        def _reply(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
            content = json.dumps(body).encode()
            if double.drip:
                self._drip(content)
                return
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _drip(self, content: bytes) -> None:
            whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content
            self.close_connection = True
            with contextlib.suppress(OSError):  # the sender hung up
                for place in range(len(whole)):
                    time.sleep(double.drip)
                    self.wfile.write(whole[place : place + 1])

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: a test's output is the test's."""

    return Handler
