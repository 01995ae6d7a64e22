"""Drawn lines on whatever terminal there is.

Whatever is drawn may hold a name from a log. So that no place can forget it, the terminal itself writes out what would
steer it, on top of what each drawing makes visible.
"""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from ultravires.tracing.visible import visible_lines

_IN_ASCII = str.maketrans(
    {"◉": "A", "◆": "D", "▣": "T", "◈": "C", "●": "*", "│": "|", "├": "|", "└": "`", "─": "-"}
    | {"▶": ">", "←": "<-", "⚠": "!", "✖": "x", "…": "..."}
)


class Terminal(Console):
    """rich's console, on which text is text: no control characters, no markup, no names of emojis."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is drawn, without what its text would do; rich's own moves of the cursor are apart from text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible_lines(segment.text))


def print_lines(lines: Iterable[Text], console: Console) -> None:
    """Print `lines` unbroken; a terminal without Unicode gets letters for symbols, escapes else."""
    whole = Text("\n").join(lines)
    console.print(in_ascii(whole) if console.options.ascii_only else whole, soft_wrap=True)


def in_ascii(line: Text) -> Text:
    return Text(line.plain.translate(_IN_ASCII).encode("ascii", "backslashreplace").decode())
