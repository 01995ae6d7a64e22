"""Takes secrets out of all records of a batch: searched at once, and only what the searches find is taken apart."""

from itertools import chain

import msgspec

from ultravires.reading.events import NotParsed
from ultravires.reading.plain_records import PlainRedactor
from ultravires.reading.redaction import LookedInto, Redactor, json_texts, strings_in

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class BatchCleaner:
    """Redacts JSON texts; those of plain records, where the log has them, without a dictionary of all they hold."""

    def __init__(self, redactor: Redactor, plain: PlainRedactor | None) -> None:
        self._redactor = redactor
        self._plain = plain

    def clean(
        self, written: list[bytes], suspects: list[int], is_plain: list[bool] | None = None
    ) -> tuple[dict[int, bytes], dict[int, dict[str, str]], list[int]]:
        """Of the suspects in `written`, in ascending order: those that changed; what was hidden in those that may hold
        something inside of a string or hold what no listed name tells of; and those that are nested too deeply.

        First what names alone tell of goes; that is cheap, and few texts are left in which something may stand inside
        of a string. Of all strings in these the telling ones are searched for at once, and only they are looked into.
        """
        cleaned: dict[int, bytes] = {}
        told: dict[int, dict[str, str]] = {}
        too_deep: list[int] = []

        def clean(place: int, raw: bytes, texts: LookedInto) -> None:
            plain = self._plain if is_plain and is_plain[place] else None
            try:
                cleaned[place] = self._without_secrets(raw, plain, texts)
            except (NotParsed, RecursionError, msgspec.DecodeError):
                too_deep.append(place)
                cleaned.pop(place, None)
            if self._redactor.hidden:
                told[place] = told.get(place, {}) | self._redactor.hidden
                self._redactor.hidden.clear()

        for place in suspects:
            clean(place, written[place], False)
        places = list(cleaned)
        found = self._redactor.suspects_in_texts(json_texts(list(cleaned.values()))) if places else []
        strings = {places[at]: [*strings_in(_decode(cleaned[places[at]]))] for at in found}
        telling = self._redactor.telling(chain.from_iterable(strings.values()))
        for place, held in strings.items():
            told.setdefault(place, {})
            if not telling.isdisjoint(held):
                clean(place, cleaned[place], telling)
        return {place: raw for place, raw in cleaned.items() if raw is not written[place]}, told, too_deep

    def _without_secrets(self, raw: bytes, plain: PlainRedactor | None, texts: LookedInto) -> bytes:
        if plain is not None:
            return plain.redact(raw, texts=texts)
        value = _decode(raw)
        redacted = self._redactor.redact(value, texts=texts)
        return raw if redacted is value else _encode(redacted)
