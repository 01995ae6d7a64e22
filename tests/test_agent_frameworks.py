"""Traces as the agent frameworks write them: their tool calls, agents' runs and handoffs become tool calls of ours."""

import json
from pathlib import Path
from typing import Any

import pytest
from source_samples import TRACE, export, keys, rows
from source_samples import span as make_span

RUN = f"{TRACE}/{1:016x}"
ARGUMENTS = '{"city": "Riga"}'


def read(folder: Path, name: str, named: dict[str, Any], parent: int | None = 1) -> dict[str, Any]:
    """The event of one span of this name, number 2, below span 1."""
    (row,) = rows("otel_genai", json.dumps(export(make_span(2, named, parent, name=name))).encode(), folder)
    return row


TOOL_SPANS = {
    "LangGraph, OpenInference": (
        "get_weather",
        {"openinference.span.kind": "TOOL", "tool.name": "get_weather", "input.value": ARGUMENTS, "session.id": "s"},
    ),
    "LangChain, OpenLLMetry": (
        "get_weather.tool",
        {
            "traceloop.span.kind": "tool",
            "traceloop.entity.name": "get_weather",
            "traceloop.entity.input": ARGUMENTS,
            "traceloop.workflow.name": "LangGraph",
        },
    ),
    "OpenAI Agents SDK, OpenInference": (
        "get_weather",
        {
            "openinference.span.kind": "TOOL",
            "llm.system": "openai",
            "tool.name": "get_weather",
            "input.value": ARGUMENTS,
        },
    ),
    "OpenAI Agents SDK, OpenLLMetry": (
        "get_weather.tool",
        {"traceloop.span.kind": "tool", "gen_ai.tool.name": "get_weather", "gen_ai.tool.call.arguments": ARGUMENTS},
    ),
    "CrewAI, OpenInference": (
        "get_weather",
        {"openinference.span.kind": "TOOL", "tool.name": "get_weather", "tool.parameters": ARGUMENTS},
    ),
    "Strands": (
        "execute_tool get_weather",
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.system": "strands-agents",
            "gen_ai.tool.name": "get_weather",
            "gen_ai.tool.call.id": "tooluse_1",
            "gen_ai.tool.call.arguments": ARGUMENTS,
        },
    ),
    "AutoGen": (
        "execute_tool get_weather",
        {"gen_ai.operation.name": "execute_tool", "gen_ai.system": "autogen", "gen_ai.tool.call.arguments": ARGUMENTS},
    ),
    "Google ADK": (
        "execute_tool get_weather",
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.system": "gcp.vertex.agent",
            "gen_ai.tool.name": "get_weather",
            "gen_ai.tool.call.id": "adk-1",
            "gcp.vertex.agent.tool_call_args": ARGUMENTS,
            "gcp.vertex.agent.session_id": "s",
        },
    ),
}


@pytest.mark.parametrize("framework", TOOL_SPANS)
def test_a_tool_call(framework: str, tmp_path: Path) -> None:
    """The tool and what it was given, below the span that called it; equal arguments have one hash everywhere."""
    row = read(tmp_path, *TOOL_SPANS[framework])
    assert (row["kind"], row["action"], row["detail"]["operation"]) == ("tool_call", "tool:get_weather", "execute_tool")
    assert row["detail"]["arguments"] == {"city": "Riga"}
    assert row["args_hash"] == read(tmp_path, *TOOL_SPANS["Strands"])["args_hash"]
    assert ("span", RUN, "uses") in keys(row)


AGENT_SPANS = {
    "LangGraph, OpenInference": ("planner", {"openinference.span.kind": "AGENT", "agent.name": "Planner"}),
    "LangChain, OpenLLMetry": ("Planner.agent", {"traceloop.span.kind": "agent", "gen_ai.agent.name": "Planner"}),
    "OpenAI Agents SDK, OpenLLMetry": (
        "Planner.agent",
        {"traceloop.span.kind": "agent", "gen_ai.agent.name": "Planner"},
    ),
    "CrewAI, OpenInference": ("Planner._execute_core", {"openinference.span.kind": "AGENT", "agent.name": "Planner"}),
    "Strands": ("invoke_agent Planner", {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "Planner"}),
    "AutoGen": ("invoke_agent Planner", {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "Planner"}),
    "Google ADK": ("invoke_agent Planner", {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "Planner"}),
}


@pytest.mark.parametrize("framework", AGENT_SPANS)
def test_an_agents_run(framework: str, tmp_path: Path) -> None:
    """By the agent's name, told apart from ids by a prefix."""
    row = read(tmp_path, *AGENT_SPANS[framework])
    assert (row["action"], row["detail"]["operation"]) == ("agent:invoke", "invoke_agent")
    assert (row["actor_uid"], row["actor_name"]) == ("agent:Planner", "Planner")


@pytest.mark.parametrize(
    ("name", "named", "actor"),
    [
        ("handoff to Payer", {"openinference.span.kind": "TOOL", "llm.system": "openai"}, "service:runner"),
        (
            "Planner -> Payer.handoff",
            {
                "traceloop.span.kind": "handoff",
                "gen_ai.handoff.from_agent": "Planner",
                "gen_ai.handoff.to_agent": "Payer",
            },
            "agent:Planner",
        ),
    ],
)
def test_a_handoff_is_a_delegation_to_the_other_agent(
    name: str, named: dict[str, Any], actor: str, tmp_path: Path
) -> None:
    """An agent invokes another; which one stands beside it."""
    row = read(tmp_path, name, named)
    assert (row["action"], row["detail"]["operation"], row["actor_uid"]) == ("agent:invoke", "invoke_agent", actor)
    assert row["detail"]["agent_id"] == "Payer"


def test_a_transfer_by_a_tool_keeps_the_tools_name(tmp_path: Path) -> None:
    """ADK and LangGraph's supervisors delegate by calling a tool, and the policy speaks of that tool."""
    named = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "transfer_to_agent"}
    row = read(
        tmp_path, "execute_tool transfer_to_agent", {**named, "gen_ai.tool.call.arguments": '{"agent_name": "P"}'}
    )
    assert (row["action"], row["detail"]["arguments"]) == ("tool:transfer_to_agent", {"agent_name": "P"})


@pytest.mark.parametrize(
    "named",
    [
        {"openinference.span.kind": "CHAIN"},
        {"openinference.span.kind": "GUARDRAIL"},
        {"traceloop.span.kind": "task", "traceloop.entity.name": "should_continue"},
        {"gen_ai.operation.name": "create_agent", "gen_ai.agent.name": "Planner"},
    ],
)
def test_a_graphs_own_steps_are_left_out(named: dict[str, Any], tmp_path: Path) -> None:
    """A node, an edge or the making of an agent calls nothing."""
    assert rows("otel_genai", json.dumps(export(make_span(2, named))).encode(), tmp_path) == []
