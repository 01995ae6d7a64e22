"""Secrets are found in all rows at once, and none that taking a record apart would find is overlooked."""

import json
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ultravires.reading.options import DEFAULT_SECRETS, Options
from ultravires.reading.redaction import Redactor

OPTIONS = Options(hash_key=b"a key for the tests", redact=DEFAULT_SECRETS | {"kundennummer", "größe", 'odd"name'})
NAMES = st.one_of(
    st.sampled_from(["a", "key", "name", "value", "nextToken", "detail"]),
    st.sampled_from(sorted(OPTIONS.redact)).flatmap(
        lambda name: st.sampled_from([name, name.upper(), name.title(), f"a.b.{name}", name.replace("k", "\u212a")])
    ),
)


def _inside_strings(value: Any) -> Any:
    return st.sampled_from(
        [json.dumps(value), json.dumps(json.dumps(value)), json.dumps(value)[:-1], json.dumps({"x": value}, indent=1)]
    )


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=5), NAMES)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(NAMES, inner, max_size=3),
        st.builds(lambda name, value: {"key": name, "value": value}, NAMES, inner),
        st.builds(lambda name, value: {"name": name, "value": value}, NAMES, inner),
        st.dictionaries(NAMES, inner, max_size=2).flatmap(_inside_strings),
    ),
    max_leaves=8,
)


@given(VALUES)
def test_whatever_redaction_changes_was_suspected(value: Any) -> None:
    """A row that is not suspected is stored as it is: it must be one that redaction leaves alone."""
    redactor = Redactor(OPTIONS)
    if redactor.redact(value) is not value:
        text = msgspec.json.encode(value).decode()
        assert redactor.suspects(pa.array([text], pa.large_string())) == [0]


def test_an_ordinary_record_is_not_suspected() -> None:
    """The search is worth it because most records are passed over."""
    plain = {"nextToken": None, "eventName": "GetObject", "tokens": 3, "key": "in/secret.csv", "note": "password reset"}
    assert Redactor(OPTIONS).suspects(pa.array([json.dumps(plain)], pa.large_string())) == []


@pytest.mark.parametrize("member", ["key", "name"])
def test_the_value_of_a_pair_that_names_a_secret_goes(member: str) -> None:
    """Headers and tags are lists of pairs; the name stays to be seen."""
    found = Redactor(OPTIONS).redact({"headers": [{member: "Authorization", "value": "Bearer abc"}]})
    (pair,) = found["headers"]
    assert pair[member] == "Authorization" and pair["value"].startswith("redacted:")
