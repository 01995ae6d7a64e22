"""Lines of an MCP gateway's log of messages: the tools that a server has, as a client asks for them.

Messages: https://modelcontextprotocol.io/specification/2025-11-25/server/tools. Envelope and values are our own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from ultravires.simulator import ids
from ultravires.simulator.grants import Json
from ultravires.simulator.moments import to_micros

LOG = "mcp_gateway"


@dataclass(frozen=True)
class ServerTool:
    """A tool as a server describes it: with the names of its arguments, which are texts."""

    name: str
    description: str
    arguments: tuple[str, ...] = ()

    def as_json(self, *, is_turned: bool = False) -> Json:
        """`is_turned`: the same with its members in another order."""
        properties = {name: {"type": "string"} for name in self.arguments}
        schema = {"type": "object", "properties": properties, "required": list(self.arguments)}
        said = {"name": self.name, "description": self.description, "inputSchema": schema}
        return dict(reversed(said.items())) if is_turned else said


def tools_listed(
    rng: Random, at: int, *, client: str, server: str, tools: Sequence[Json]
) -> tuple[str, int, tuple[Json, Json]]:
    """The node of the answer and its time, and the lines of the question and of the answer."""
    answered = at + rng.randrange(40, 900)
    envelope = {
        "session_id": f"sess-{ids.hexadecimal(rng, 12)}",
        "client": {"name": client, "version": "1.4.0"},
        "server": server,
    }
    asks = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    answers = {"jsonrpc": "2.0", "id": 1, "result": {"tools": list(tools)}}
    lines = (
        {"timestamp": to_micros(at), "direction": "IN", **envelope, "message": asks},
        {"timestamp": to_micros(answered), "direction": "OUT", **envelope, "message": answers},
    )
    return f"activity:{envelope['session_id']}/1/tools@{to_micros(answered)}", answered, lines
