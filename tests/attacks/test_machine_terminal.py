"""What somebody wants who chooses names in a log: that a terminal shows something else than what happened."""

import io
import json
import unicodedata
from pathlib import Path

import pytest
from command_line import run as ultravires
from rich.progress import Progress
from rich.table import Table
from rich.text import Text
from small_logs import approval, write_lines
from ultravires.progress import Bar
from ultravires.tracing.terminal import Terminal
from ultravires.tracing.visible import json_line

EVIL = "x\x1b[2J\x1b]0;t\x07\x9b31m\u202ey\u200b\x7f\r[bold red]:skull:"
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def unseen(text: str) -> set[str]:
    return {character for character in text if character != "\n" and unicodedata.category(character) in UNSEEN}


def on_a_terminal(*parts: object) -> str:
    out = io.StringIO()
    terminal = Terminal(file=out, width=200, color_system=None, force_terminal=False)
    for part in parts:
        terminal.print(part)
    return out.getvalue()


def test_names_in_whatever_is_drawn() -> None:
    """Plain text, styled text and a table's cells and title, as no place that draws can forget it."""
    table = Table(title=EVIL)
    table.add_row(EVIL, Text(EVIL, style="bold"))
    shown = on_a_terminal(EVIL, Text(EVIL), table)
    assert unseen(shown) == set()
    assert shown.count("[bold red]:skull:") >= 2
    assert "\\u202e" in shown


def test_the_name_of_a_step_in_the_progress_bar() -> None:
    """Also while a run is at work."""
    out = io.StringIO()
    with Progress(console=Terminal(file=out, width=200, color_system=None)) as progress:
        bar = Bar(progress)
        bar.step(EVIL, 1, 2)
        bar.say(EVIL)
    assert unseen(out.getvalue()) == set()


def test_names_in_json() -> None:
    """What is piped to another program is often looked at."""
    line = json_line({"name": EVIL})
    assert unseen(line) == set()
    assert json.loads(line) == {"name": EVIL}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every name in it that somebody else may choose is an attack, of files, subjects and tasks too."""
    folder = tmp_path_factory.mktemp("evil")
    logs = folder / "logs"
    logs.mkdir()
    name = EVIL.replace("/", "")
    words = {
        "task": EVIL,
        "subject": EVIL,
        "requested_by": EVIL,
        "approved_by": EVIL,
        "roles": [EVIL],
        "actions": [EVIL],
    }
    write_lines(logs / f"{name}.jsonl", [approval(f"APR-{EVIL}", 0, **words), approval("APR-2", 0, **words)])
    with (logs / f"{name}.jsonl").open("ab") as handle:
        handle.write(b'{"approval_id": "\x1b[2J\xe2\x80\xae' + b"\n")
    (logs / f"none{name}.txt").write_text("nothing of ours")
    done = ultravires("run", "--input", logs, "--home", folder / "home")
    assert done.returncode == 0, done.stderr
    assert "no source recognises" in done.stderr
    assert unseen(done.stdout + done.stderr) == set()
    return folder / "home"


COMMANDS = {
    "run_again": ["run", "--input", "{home}/../logs"],
    "trace": ["trace", "APR-2"],
    "trace_of_nothing": ["trace", EVIL],
    "trace_as_json": ["trace", "APR-2", "--json"],
    "explain_of_nothing": ["explain", EVIL],
    "query": ["query", "from approvals"],
    "query_of_files": ["query", "select path from files", "--json"],
    "an_error_of_sql": ["query", f"select 1 as {EVIL}"],
    "quarantine": ["quarantine"],
    "quarantine_as_json": ["quarantine", "--json"],
    "quarantine_again": ["quarantine", "--retry"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_names_in_what_a_command_says(name: str, home: Path) -> None:
    """Everything that a command prints, on both streams."""
    done = ultravires(*(part.replace("{home}", str(home)) for part in COMMANDS[name]), "--home", home)
    assert done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert unseen(done.stdout + done.stderr) == set()


@pytest.mark.parametrize(
    "arguments", [["run", "--input", "logs", EVIL], [EVIL], ["run", f"--{EVIL}"], ["dev", "--port", EVIL]]
)
def test_names_of_files_that_the_shell_made_arguments(arguments: list[str]) -> None:
    """`ultravires run --input *` in a folder of somebody else's names."""
    done = ultravires(*arguments)
    assert done.returncode == 2
    assert unseen(done.stdout + done.stderr) == set()
