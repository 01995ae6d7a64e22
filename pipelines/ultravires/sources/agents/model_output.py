"""The tools that a model asked for, in what it answered: Bedrock Converse, Anthropic Messages, OpenAI-like choices.

Converse: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolUseBlock.html. A streamed answer is
logged as the list of its chunks, in which a tool's input arrives in pieces of JSON.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ultravires.formats.otlp import decoded
from ultravires.reading.values import label, mapping, sequence, text


class ToolUse(NamedTuple):
    """A tool that the model asked for, by the model's own id of the call."""

    call_id: str
    name: str
    arguments: Any


def tools_asked_for(body: Any) -> list[ToolUse]:
    """The tool calls in a model's answer; empty for answers of any other shape."""
    if type(body) is list:
        return list(_of_chunks(body))
    answer = mapping(body)
    message = mapping(mapping(answer.get("output")).get("message"))
    blocks = sequence(message.get("content")) or sequence(answer.get("content"))
    calls = [call for choice in sequence(answer.get("choices")) for call in _calls_of(choice)]
    return [found for block in (*blocks, *calls) if (found := _of_block(mapping(block)))]


def _calls_of(choice: Any) -> list[Any]:
    return sequence(mapping(mapping(choice).get("message")).get("tool_calls"))


def _of_block(block: dict[str, Any]) -> ToolUse | None:
    """A block `{toolUse: {toolUseId, ...}}`, `{type: tool_use, id, ...}` or `{id, function: {name, arguments}}`."""
    if inner := mapping(block.get("toolUse")):
        return _tool_use(inner.get("toolUseId"), inner.get("name"), inner.get("input"))
    if block.get("type") == "tool_use":
        return _tool_use(block.get("id"), block.get("name"), block.get("input"))
    function = mapping(block.get("function"))
    return _tool_use(block.get("id"), function.get("name"), decoded(function.get("arguments")))


def _tool_use(call_id: Any, name: Any, arguments: Any) -> ToolUse | None:
    known, tool = label(call_id), text(name)
    return ToolUse(known, tool, arguments) if known and tool else None


def _of_chunks(chunks: list[Any]) -> Iterator[ToolUse]:
    """Blocks that start a tool, each with the pieces of input that follow under its index."""
    started: dict[Any, ToolUse] = {}
    pieces: dict[Any, list[str]] = {}
    for chunk in map(mapping, chunks):
        start = mapping(chunk.get("contentBlockStart")) or chunk
        block = mapping(start.get("content_block")) or mapping(start.get("start"))
        index = label(start.get("index")) or label(start.get("contentBlockIndex"))
        if found := _of_block(block):
            started[index] = found
        delta = mapping(chunk.get("contentBlockDelta")) or chunk
        index = label(delta.get("index")) or label(delta.get("contentBlockIndex"))
        part = mapping(delta.get("delta"))
        piece = text(part.get("partial_json")) or text(mapping(part.get("toolUse")).get("input"))
        if piece:
            pieces.setdefault(index, []).append(piece)
    for index, tool in started.items():
        yield tool._replace(arguments=decoded("".join(pieces[index]))) if index in pieces else tool
