"""Text from logs, shown."""

from ultravires.tracing.visible import visible


def test_control_and_bidi_characters_are_written_out() -> None:
    """Nothing that moves a cursor or turns a line around survives."""
    assert visible("a\x1b[2J\u202eb\r\n\x00\u200b") == "a\\x1b[2J\\u202eb\\x0d\\x0a\\x00\\u200b"


def test_ordinary_letters_of_any_script_stay() -> None:
    """Names in Hebrew, Greek or Chinese are names."""
    assert visible("שלום Ωμέγα 审批") == "שלום Ωμέγα 审批"


def test_long_text_is_clipped_and_says_how_long_it_was() -> None:
    """A 10 KB resource name cannot push everything else off the page."""
    assert visible("x" * 10_000, 20) == "x" * 20 + "… (10,000 characters)"


def test_lone_surrogates_can_be_encoded_afterwards() -> None:
    """A broken UTF-16 pair in JSON must not fail the whole report."""
    assert visible("\ud800").encode("utf-8") == b"\\ud800"


def test_nothing_is_shown_as_nothing() -> None:
    """A missing value is empty, not the word None."""
    assert visible(None) == ""
