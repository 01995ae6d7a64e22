"""Drawn lines on whatever terminal there is."""

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

_IN_ASCII = str.maketrans(
    {"◉": "A", "◆": "D", "▣": "T", "◈": "C", "●": "*", "│": "|", "├": "|", "└": "`", "─": "-"}
    | {"▶": ">", "←": "<-", "⚠": "!", "✖": "x", "…": "..."}
)


def print_lines(lines: Iterable[Text], console: Console) -> None:
    """Print `lines` unbroken; a terminal without Unicode gets letters for symbols, escapes else."""
    whole = Text("\n").join(lines)
    console.print(in_ascii(whole) if console.options.ascii_only else whole, soft_wrap=True)


def in_ascii(line: Text) -> Text:
    return Text(line.plain.translate(_IN_ASCII).encode("ascii", "backslashreplace").decode())
