"""Text in another encoding than UTF-8, told by its byte order mark, or by the zeros beside its first character.

Windows tools (PowerShell's `>` and `Out-File`, exports of the event viewer and of spreadsheets) write UTF-16.
"""

import codecs
from collections.abc import Iterator

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""The first of UTF-32 begins as the first of UTF-16 does, so it is asked for before."""
CHARSETS = tuple(charset for _, charset in _MARKS)
_FIRST_CHARACTERS = tuple(
    (character.encode(charset), charset) for charset in ("utf-16-le", "utf-16-be") for character in ('{"', "[{", '"')
)


def charset_of(head: bytes) -> str | None:
    """The encoding of a file that begins so; None for UTF-8 and for what is no text."""
    for mark, charset in _MARKS:
        if head.startswith(mark):
            return charset
    return next((charset for first, charset in _FIRST_CHARACTERS if head.startswith(first)), None)


def in_utf8(chunks: Iterator[bytes], charset: str) -> Iterator[bytes]:
    """The same text in UTF-8, without its mark. What is no character becomes U+FFFD: it must not cost its record."""
    decoder = codecs.getincrementaldecoder(charset)("replace")
    is_first = True
    for chunk in chunks:
        text = decoder.decode(chunk)
        if text:
            yield (text.removeprefix("\ufeff") if is_first else text).encode()
            is_first = False
    if rest := decoder.decode(b"", final=True):
        yield rest.encode()
