"""Scopes of OAuth, of which logs write several into one text.

https://datatracker.ietf.org/doc/html/rfc6749#section-3.3
"""

import re
from typing import Any

_SCOPES = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]*")
"""What scopes and the blanks between them are written with. A text with other characters is no list of scopes, and
what is a secret in it would not be known as one in its pieces."""


def scopes_in(written: Any, *, between: str | None = None) -> list[str]:
    """The scopes of a text or of a list of them, each once; `between` is what stands between them beside blanks."""
    listed = written if type(written) is list else [written]
    if not all(type(each) is str and _SCOPES.fullmatch(each) for each in listed):
        return []
    texts = (each.replace(between, " ") if between else each for each in listed)
    return list(dict.fromkeys(scope for each in texts for scope in each.split()))
