"""What a tool call is to run, in words that `build/action_effects` knows: of all others nothing is kept.

- A program is `cli:` and its words (`cli:git push`), also with each of its options (`cli:git push -f`).
- AWS's CLI calls operations as IAM names them, and kubectl does what an audit log has as verb and resource: they are
  those (`iam:CreateAccessKey`, `k8s:secrets:get`). https://docs.aws.amazon.com/cli/latest/reference/
- A statement of SQL is `sql:` and its first words; a tool of an MCP server is `mcp:server/tool`.

A line is what an agent says of itself: it is taken apart within bounds and never run. What
cannot be read is nothing.
"""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

from ultravires.build.action_effects import action_effects
from ultravires.reading.values import mapping, text

_MOST_COMMANDS, _MOST_WORDS, _DEEPEST, _LONGEST = 20, 12, 3, 10_000
_COMMANDS = ("command", "cmd", "full_command", "bash_command", "script")
_STATEMENTS = ("sql", "query", "statement")
_SHELLS = frozenset({"bash", "sh", "zsh", "dash", "ksh"})
_BEFORE = frozenset({"sudo", "env", "nohup", "time", "exec", "command", "doas", "nice"})
"""What runs the command behind it."""
_SPLITS = re.compile(r"[;&|()\n<>]+")
_SETS = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_MCP = re.compile(r"mcp__([^_](?:_?[^_])*)__(.+)")
_SQL = re.compile(r"\s*(?:(drop|create|alter)\s+(\w+)|(truncate|grant))\b", re.IGNORECASE)
_WITH_VALUE = {
    "aws": frozenset({"--profile", "--region", "--output", "--endpoint-url", "--query", "--color", "--ca-bundle"}),
    "kubectl": frozenset(
        {
            "-n",
            "--namespace",
            "--context",
            "--kubeconfig",
            "--cluster",
            "--user",
            "-s",
            "--server",
            "--as",
            "--as-group",
        }
    ),
    "git": frozenset({"-C", "-c", "--git-dir", "--work-tree"}),
    "gcloud": frozenset({"--project", "--account", "--configuration"}),
}
"""Options of a program that stand before its subcommand and take the next word."""
_CLI_SERVICES = {"s3api": "s3", "elbv2": "elasticloadbalancing", "emr": "elasticmapreduce", "efs": "elasticfilesystem"}
"""Services that AWS's CLI calls otherwise than IAM does."""
_SHORT = {
    "po": "pods",
    "ns": "namespaces",
    "deploy": "deployments",
    "sa": "serviceaccounts",
    "ds": "daemonsets",
    "sts": "statefulsets",
    "cm": "configmaps",
    "pv": "persistentvolumes",
    "pvc": "persistentvolumeclaims",
    "netpol": "networkpolicies",
    "networkpolicy": "networkpolicies",
}
"""https://kubernetes.io/docs/reference/kubectl/#resource-types"""
_WITHIN_POD = {"exec": "pods/exec", "attach": "pods/attach", "port-forward": "pods/portforward"}
_VERBS = {"get": "get", "create": "create", "delete": "delete", "patch": "patch", "edit": "patch"}


def commands_of(tool: str | None, arguments: Any, server: str | None = None) -> list[str]:
    """The known words of what a call of a tool is to run, each once."""
    given = mapping(arguments)
    found = [word for name in _COMMANDS for word in _of_command(given.get(name), 0)]
    found += [word for name in _STATEMENTS for word in _of_statement(text(given.get(name)))]
    words = dict.fromkeys([*found, *_of_server(tool, server)])
    return [word for word in words if word.lower() in _known()]


@cache
def _known() -> frozenset[str]:
    """All actions that have an effect and are no pattern."""
    return frozenset(row.action.lower() for row in action_effects() if "*" not in row.action)


def _of_server(tool: str | None, server: str | None) -> Iterator[str]:
    named = _MCP.fullmatch(tool) if tool and len(tool) <= _LONGEST else None
    if named:
        yield f"mcp:{named[1]}/{named[2]}"
    elif tool and server:
        yield f"mcp:{server}/{tool}"


def _of_statement(said: str | None) -> Iterator[str]:
    if said and len(said) <= _LONGEST and (found := _SQL.match(said)):
        yield f"sql:{' '.join(word.lower() for word in found.groups() if word)}"


def _of_command(said: Any, depth: int) -> Iterator[str]:
    """Of a line for a shell, or of the list of words that a program is started with."""
    if type(said) is list and all(type(word) is str for word in said[:_MOST_WORDS]):
        yield from _of_words(said[:_MOST_WORDS], depth)
    elif type(said) is str and len(said) <= _LONGEST and depth < _DEEPEST:
        for words in _simple_commands(said):
            yield from _of_words(words, depth)


def _simple_commands(line: str) -> list[list[str]]:
    """The words of each command of a line, none where its quotes do not end."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|()<>\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    commands: list[list[str]] = [[]]
    try:
        for word in lexer:
            if _SPLITS.fullmatch(word):
                commands.append([])
            elif len(commands[-1]) < _MOST_WORDS:
                commands[-1].append(word)
            if len(commands) > _MOST_COMMANDS:
                break
    except ValueError:
        return []
    return commands


def _of_words(words: list[str], depth: int) -> Iterator[str]:
    at = next((nth for nth, word in enumerate(words) if not _comes_before(word)), None)
    if at is None:
        return
    program, rest = words[at].rpartition("/")[2], words[at + 1 :]
    if program in _SHELLS:
        of_line = next((nth for nth, word in enumerate(rest) if re.fullmatch(r"-\w*c", word)), None)
        if of_line is not None and of_line + 1 < len(rest):
            yield from _of_command(rest[of_line + 1], depth + 1)
        return
    named, options = _apart(program, rest)
    for n in range(1, min(len(named), 5) + 1):
        yield f"cli:{' '.join([program, *named[:n]])}"
    for option in options:
        yield f"cli:{program} {option}"
        yield f"cli:{' '.join([program, *named[:1], option])}"
    if program == "aws" and len(named) > 1:
        service = _CLI_SERVICES.get(named[0], named[0])
        yield f"{service}:{''.join(part.capitalize() for part in named[1].split('-'))}"
    elif program in ("kubectl", "oc") and named:
        yield from _of_kubectl(named)


def _comes_before(word: str) -> bool:
    return word in _BEFORE or word.startswith("-") or _SETS.fullmatch(word) is not None


def _apart(program: str, words: list[str]) -> tuple[list[str], list[str]]:
    """The words that name what is done, and the options among them without their values."""
    named, options, is_value = [], [], False
    takes = _WITH_VALUE.get("kubectl" if program == "oc" else program, frozenset())
    for word in words:
        if word == "--":
            break
        if not is_value and not word.startswith("-"):
            named.append(word)
        elif not is_value:
            options.append(word.partition("=")[0])
        is_value = not is_value and word in takes
    return named, options


def _of_kubectl(named: list[str]) -> Iterator[str]:
    verb = named[0]
    if verb in _WITHIN_POD:
        yield f"k8s:{_WITHIN_POD[verb]}:create"
    elif verb == "create" and named[1:2] == ["token"]:
        yield "k8s:serviceaccounts/token:create"
    elif verb in _VERBS and len(named) > 1:
        for resource in named[1].lower().split(",")[:5]:
            kind = resource.partition("/")[0].partition(".")[0]
            plural = _SHORT.get(kind) or (kind if kind.endswith("s") else f"{kind}s")
            yield f"k8s:{plural}:{_VERBS[verb]}"
