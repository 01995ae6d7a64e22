"""The modifier `expand`: `%name%` in a rule's value stands for the values that the configuration gives that name."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sigma.exceptions import SigmaError
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule
from sigma.types import Placeholder, SigmaRegularExpression, SigmaString, SigmaType

from ultravires_models.errors import RuleError, one_line

Replacement = Callable[[Placeholder], Iterator[str]]


def fill_placeholders(rule: SigmaRule, values: Mapping[str, Sequence[str]]) -> None:
    """Put the values in the places of their names. RuleError for a name that has none."""

    def replacement(placeholder: Placeholder) -> Iterator[str]:
        if not values.get(placeholder.name):
            raise RuleError(
                f"placeholder %{placeholder.name}% has no value; give it some under placeholders: in ultravires.yaml"
            )
        yield from values[placeholder.name]

    try:
        for item in _items(rule.detection.detections.values()):
            item.value = [new for old in item.value for new in _filled(old, replacement)]
    except SigmaError as error:
        raise RuleError(one_line(error)) from error


def _items(detections: Iterable[SigmaDetection | SigmaDetectionItem]) -> Iterator[SigmaDetectionItem]:
    for detection in detections:
        if isinstance(detection, SigmaDetection):
            yield from _items(detection.detection_items)
        else:
            yield detection


def _filled(value: SigmaType, replacement: Replacement) -> Sequence[SigmaType]:
    if isinstance(value, SigmaString | SigmaRegularExpression) and value.contains_placeholder():
        return value.replace_placeholders(replacement)
    return [value]
