"""Opening brackets of many texts, counted in all at once."""

from random import Random

import pytest
from ultravires.reading import nesting
from ultravires.reading.nesting import with_many_brackets
from ultravires.reading.redaction import json_texts

MOST = 3


@pytest.mark.parametrize("at_once", [1, 7, 16, 1 << 18])
def test_brackets_are_counted_of_each_text_wherever_it_lies(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nesting, "_AT_ONCE", at_once)
    rng = Random(3)
    texts = ["".join(rng.choices('{[}];"aé', k=rng.randrange(16))).encode() for _ in range(64)]
    expected = [place for place, text in enumerate(texts) if text.count(b"{") + text.count(b"[") > MOST]
    assert with_many_brackets(json_texts(texts), MOST) == expected


def test_a_part_of_an_array_is_counted_by_itself() -> None:
    texts = json_texts([b"[[[[", b"[", b"{{{{", b"[[[[["])
    assert with_many_brackets(texts[1:3], MOST) == [1]
    assert with_many_brackets(texts[:0], MOST) == []
