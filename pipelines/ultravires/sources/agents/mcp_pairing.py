"""Puts beside each MCP response the request that it answers: a response alone says neither the tool nor the trace.

Only within one file, and in its order; a response whose request stands in another file stays as it is.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from ultravires.reading.events import Frame
from ultravires.reading.values import iso, label, mapping, sequence, text
from ultravires.sources.agents.declared_tools import MOST_TOOLS
from ultravires.sources.agents.mcp_messages import (
    ANSWERED,
    ANSWERED_EACH,
    CALL,
    ELICITATION,
    ELICITED,
    LIST,
    LISTED,
    Exchange,
    exchange_of,
    singles_of,
)

_MOST_OPEN, _MOST_PAGES = 50_000, 100


class Pairing:
    """Open requests of one file by who asked, the oldest forgotten beyond 50,000."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[str, str, str], dict[str, Any]] = OrderedDict()
        self._calls: dict[str, set[str]] = {}
        self._pages: OrderedDict[tuple[str, str], list[Any]] = OrderedDict()
        """The tools on all pages of a list before the one that this cursor asks for."""

    def paired(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The same frames; responses with what they answer."""
        for frame in frames:
            if frame.reason is None and type(frame.value) is dict:
                yield self._paired(frame)
            else:
                yield frame

    def _paired(self, frame: Frame) -> Frame:
        answered = [self._answered(exchange_of(single)) for single in singles_of(frame.value)]
        if not any(answered):
            return frame
        is_batch = not exchange_of(frame.value).response
        added = {ANSWERED_EACH: answered} if is_batch else {ANSWERED: answered[0]}
        return frame._replace(value={**frame.value, **added})

    def _answered(self, exchange: Exchange) -> dict[str, Any] | None:
        """What this message answers; a question is kept open."""
        identifier = exchange.call_id
        if identifier is None:
            return None
        if exchange.response and not exchange.request:
            return self._close(exchange, identifier)
        if not exchange.response and exchange.method in (CALL, ELICITATION, LIST):
            self._ask(exchange, identifier)
        return None

    def _ask(self, exchange: Exchange, identifier: str) -> None:
        method, parties = str(exchange.method), exchange.parties
        asked = {"method": method, "params": exchange.request.get("params")}
        if exchange.at is not None:
            asked["at"] = iso(exchange.at)
        if method == ELICITATION and len(during := self._calls.get(parties, set())) == 1:
            (call,) = during
            open_call = self._open.get((parties, CALL, call), {})
            asked["during"] = {"id": call, "params": open_call.get("params"), "at": open_call.get("at")}
        if method == CALL:
            self._calls.setdefault(parties, set()).add(identifier)
        self._open[(parties, method, identifier)] = asked
        if len(self._open) > _MOST_OPEN:
            (oldest, method, forgotten), _ = self._open.popitem(last=False)
            self._forget(oldest, method, forgotten)

    def _close(self, exchange: Exchange, identifier: str) -> dict[str, Any] | None:
        """Client and server number their requests apart, so the shape of the answer says whose it answers."""
        action = label(mapping(exchange.response.get("result")).get("action"))
        methods = (ELICITATION, CALL, LIST) if action in ELICITED else (CALL, LIST)
        for method in methods:
            if (asked := self._open.pop((exchange.parties, method, identifier), None)) is not None:
                self._forget(exchange.parties, method, identifier)
                return self._with_pages(exchange, asked) if method == LIST else asked
        return None

    def _with_pages(self, exchange: Exchange, asked: dict[str, Any]) -> dict[str, Any]:
        """A list of tools may come in pages, and only all of them are the list."""
        cursor = text(mapping(asked["params"]).get("cursor"))
        before = self._pages.pop((exchange.parties, cursor), None) if cursor else []
        if before is None:
            return asked
        result = mapping(exchange.response.get("result"))
        tools = [*before, *sequence(result.get("tools"))]
        if (following := text(result.get("nextCursor"))) and len(tools) <= MOST_TOOLS:
            self._pages[(exchange.parties, following)] = tools
            if len(self._pages) > _MOST_PAGES:
                self._pages.popitem(last=False)
        return {**asked, LISTED: before} if cursor else asked

    def _forget(self, parties: str, method: str, identifier: str) -> None:
        if method == CALL and (calls := self._calls.get(parties)) is not None:
            calls.discard(identifier)
            if not calls:
                del self._calls[parties]
