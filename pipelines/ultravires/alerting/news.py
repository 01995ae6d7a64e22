"""What an update of a finding says first: the fact for which it is sent, the worst one where there are several."""

from collections.abc import Iterable, Sequence

_LONGEST = 160
_OF_KIND = (
    ("crown jewel ", "it reached the crown jewel {}", "crown jewels"),
    ("success", "it succeeded, which had failed before", ""),
    ("privileged action ", "it used the privileged action {}", "privileged actions"),
    ("more than ", "it touched more than {}", ""),
    ("resource ", "it touched {}", "resources"),
)


def news_of(
    raised_to: str | None, classes: Sequence[str], facts: Iterable[str], *, raised_by: str | None = None
) -> str:
    """One sentence that ends with a full stop, empty where nothing is new; `raised_by` is the title of the other
    finding of the same act for which it is more severe.
    """
    told = list(_of_facts(list(facts)))
    if raised_to is not None:
        told.append(f"it is {raised_to} now" + (f" ({raised_by})" if raised_by else ""))
    if classes:
        told.append(f"{_several(list(classes), 'logs')} shows it, too")
    return f"New: {'; '.join(told)}." if told else ""


def _of_facts(facts: list[str]) -> Iterable[str]:
    for start, words, plural in _OF_KIND:
        of_kind = [fact.removeprefix(start) for fact in facts if fact.startswith(start)]
        if of_kind:
            yield words.format(_several(of_kind, plural))


def _several(names: list[str], plural: str) -> str:
    first = names[0] if len(names[0]) <= _LONGEST else f"{names[0][:_LONGEST]}…"
    return first if len(names) == 1 else f"{first} and {len(names) - 1:,} more {plural}"
