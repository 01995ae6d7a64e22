"""The words for what became of a second factor, and ranges of addresses that keep nobody out."""

from typing import get_args

import pytest
from ultravires.reading.addresses import is_for_everybody
from ultravires.reading.sign_ins import SECOND_FACTORS, SecondFactor


def test_the_words_of_the_type_and_of_the_table_are_the_same() -> None:
    assert set(get_args(SecondFactor)) == set(SECOND_FACTORS)


@pytest.mark.parametrize(
    "address", ["0.0.0.0/0", " 0.0.0.0/0 ", "0.0.0.0", "::", "::/0", "0.0.0.0/1", "128.0.0.0/1", "2000::/3"]
)
def test_a_range_that_keeps_nobody_out(address: str) -> None:
    assert is_for_everybody(address)


@pytest.mark.parametrize(
    "address", ["", "192.0.2.7", "192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32", "a name", "0.0.0.0/0/0", "1" * 5_000]
)
def test_a_range_that_keeps_somebody_out_or_is_none(address: str) -> None:
    assert not is_for_everybody(address)
