"""The tools that a server offers or an agent declares, as `detail["grants"]`: what could be called from now on.

A server's answer to tools/list: https://modelcontextprotocol.io/specification/2025-11-25/server/tools; an agent's
`gen_ai.tool.definitions`: https://github.com/open-telemetry/semantic-conventions-genai, or as a model's API has them.
"""

from typing import Any

from ultravires.reading.grants import Json, given, statement, written
from ultravires.reading.options import Options, keyed_hash
from ultravires.reading.values import canonical, mapping, text

MOST_TOOLS = 2_000
_INPUT = ("inputSchema", "parameters", "input_schema")


def offered(server: str, client: str | None, tools: list[Any], options: Options) -> list[Json]:
    """All tools of an MCP server, which the client that asked may call."""
    held = f"mcp:{server}"
    document = written(held, statements_of(tools, options))
    return [document, given("attached", client, held)] if client else [document]


def declared(agent: str, tools: Any, options: Options) -> list[Json] | None:
    """All tools that an agent gives its model to choose from; None where no list says so."""
    if type(tools) is not list:
        return None
    held = f"agent:{agent.removeprefix('agent:')}/tools"
    return [written(held, statements_of(tools, options)), given("attached", agent, held)]


def statements_of(tools: list[Any], options: Options) -> list[Json] | None:
    """One statement a tool, with a fingerprint of all that tells a model what it is for; None where one has no name, or
    a name that would stand for others too.
    """
    if len(tools) > MOST_TOOLS:
        return None
    found = [_statement(_definition(tool), options) for tool in tools]
    return None if None in found else [each for each in found if each is not None]


def _definition(tool: Any) -> Json:
    """The definition, which some APIs wrap once more."""
    found = mapping(tool)
    return mapping(found.get("function")) or found


def _statement(tool: Json, options: Options) -> Json | None:
    name = text(tool.get("name"))
    if name is None or "*" in name or "?" in name:
        return None
    told = {
        "name": name,
        "description": tool.get("description"),
        "input": next((tool[key] for key in _INPUT if tool.get(key) is not None), None),
        "output": tool.get("outputSchema"),
        "annotations": tool.get("annotations"),
    }
    return statement("allow", [f"tool:{name}"], ["*"], fingerprint=keyed_hash(canonical(told), options))
