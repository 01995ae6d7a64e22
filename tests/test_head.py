"""The beginning of a file: which members its first objects have, whatever else it holds."""

import pytest
from ultravires.reading.head import Head


@pytest.mark.parametrize(
    ("data", "members"),
    [
        (b'{"a": {"x": [1, {"y": "}"}]}, "b": "{"}', {"a", "b"}),
        (b'{"a": 1, "b": 2}\n{"c": 3}\n', {"a", "b"}),
        (b'{\n  "a": {"x": "]"},\n  "b": [{"y": 1}]\n}', {"a", "b"}),
        (b'[{"a": 1}, {"b": 2}]', {"a"}),
        (b'{"a": {"x": "cut off he', {"a"}),
        (b'{"a": 1, "b" and no JSON', {"a"}),
        (b'{"a": ' + b"[" * 60_000, {"a"}),
        (b'{"a":' * 12_000, {"a"}),
        (b'{"\xff": 1}', {"\ufffd"}),
        (b'{"a": "\xff"}', {"a"}),
        (b"{1: 2}", set()),
        (b"{" + rb'"a": "\"b\": 1", "c\\": 2, "d": "\\", "e": "', {"a", rb"c\\".decode(), "d", "e"}),
        (b'{"a": "' + b'\\"' * 30_000, {"a"}),
    ],
)
def test_the_members_of_the_first_object_are_found_whole_or_cut_off(data: bytes, members: set[str]) -> None:
    """However deep, broken or spread over lines it is."""
    assert Head(data).first_keys()[0] == members


def test_objects_that_begin_a_line_are_looked_at_and_no_others() -> None:
    """Up to fifty of them; an object inside of a line is part of it."""
    lines = b'{"a": 1}\n  {"b": {"c": 1}}\nword {"d": 1}\n\n[{"e": 1}\n'
    assert [sorted(keys) for keys in Head(lines).first_keys()] == [["a"], ["b"], ["e"]]
    assert len(Head(b'{"a": 1}\n' * 100).first_keys()) == 50


@pytest.mark.parametrize(
    ("data", "members"),
    [
        (b'{\n "a": [\n  {"b": 1},\n  {\n   "c": {\n}}]}', [["a"]]),
        (b'[\n  {\n    "a": [\n      {"b": 1}\n    ]},\n  {"c": 1}]', [["a"], ["c"]]),
        (b' {\n  "a": [\n   {"b": 1}]}\n{"c": 1}\n {"d": 1}\n', [["a"], ["c"], ["d"]]),
    ],
)
def test_objects_inside_of_a_document_over_several_lines_are_not_its_first(
    data: bytes, members: list[list[str]]
) -> None:
    """They may be another log's, on a page; what follows the document at the margin is looked at."""
    assert [sorted(keys) for keys in Head(data).first_keys()] == members


def test_the_first_element_of_a_named_array_is_looked_at() -> None:
    """Both the wrapper's members and the record's."""
    head = Head(b'{"Records": [{"eventName": "x", "detail": {"y": 1}}, {"other": 1}]}')
    assert head.first_keys("Records") == ({"Records"}, {"eventName", "detail"})
