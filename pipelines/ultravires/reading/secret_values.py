"""What looks like a secret, whatever it is called: known formats of tokens, and values that could be one.

A value beside a telling name is no secret where it only points at one (`${TOKEN}`, an ARN), is hidden already, or is a
plain word. Ids of access keys (AKIA, ASIA) are no secrets: chains are joined by them.
"""

import re
from math import log2

from ultravires.reading.secret_names import KEY, LISTED, PASSWORD

MARKER = r"redacted:[0-9a-f]{16}"

_FORMATS = (
    r"gh[pousr]_[A-Za-z0-9]{20,255}",
    r"github_pat_[A-Za-z0-9_]{22,255}",
    r"gl(?:pat|dt|ptt|rt|cbt|soat|ft)-[A-Za-z0-9_\-]{20,255}",
    r"xox[abeoprs]-[A-Za-z0-9\-]{10,255}",
    r"xapp-[0-9]-[A-Za-z0-9\-]{10,255}",
    r"sk-(?<![A-Za-z0-9_].{3})(?:ant|proj|svcacct|or|admin|lf)-[A-Za-z0-9_\-]{16,255}",
    r"sk-(?<![A-Za-z0-9_].{3})(?=[A-Za-z]{0,64}[0-9])[A-Za-z0-9]{20,255}",
    r"AIza(?<![A-Za-z0-9_].{4})[A-Za-z0-9_\-]{30,50}",
    r"ya29\.[A-Za-z0-9_\-]{20,2048}",
    r"GOCSPX-[A-Za-z0-9_\-]{20,64}",
    r"hv[sbr]\.[A-Za-z0-9_\-]{20,512}",
    r"eyJ(?<![A-Za-z0-9_\-].{3})[A-Za-z0-9_\-]{8,8192}\.[A-Za-z0-9_\-]{8,65536}\.[A-Za-z0-9_\-]{0,8192}(?:\.[A-Za-z0-9_\-]{1,8192}){0,2}",
    r"SG\.(?<![A-Za-z0-9_].{3})[A-Za-z0-9_\-]{16,64}\.[A-Za-z0-9_\-]{16,128}",
    r"[rs]k_(?:live|test)_[A-Za-z0-9]{10,255}",
    r"whsec_[A-Za-z0-9+/=]{16,255}",
    r"npm_[A-Za-z0-9]{30,64}",
    r"pypi-[A-Za-z0-9_\-]{30,512}",
    r"do[opr]_v1_[a-f0-9]{40,80}",
    r"dckr_(?:pat|oat)_[A-Za-z0-9_\-]{20,64}",
    r"hf_(?<![A-Za-z0-9_].{3})[A-Za-z0-9]{30,64}",
    r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}",
    r"dapi(?<![A-Za-z0-9_].{4})[a-f0-9]{32}",
    r"ATATT3x[A-Za-z0-9_\-=]{20,512}",
    r"AGE-SECRET-KEY-1[A-Z0-9]{20,80}",
    r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_\-]{16,128}",
    r"discord(?:app)?\.com/api/webhooks/[0-9]{10,24}/[A-Za-z0-9_\-]{20,128}",
    r"s\.(?<![A-Za-z0-9_\-/].{2})(?=[A-Za-z]{0,23}[0-9])[A-Za-z0-9]{24}(?![A-Za-z0-9])",
)
_PEM = r"-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----"
_KEY_ID = r"(?:AKIA|ASIA)[A-Z0-9]{12,20}"
FORMATS = re.compile("|".join((*_FORMATS, _PEM, _KEY_ID)))
"""Each of them begins with letters, so that the search skips what begins with others."""
END_OF_PEM = re.compile(r"-----END [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----")
SECRET_BESIDE_ID = re.compile(r"[ \t\r\n,:;|\"'\\]{1,6}([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])")
"""The secret of an access key that stands behind its id."""

SEARCHED_FORMATS = (
    r"gh[pousr]_[A-Za-z0-9]{8}|github_pat_|gl(?:pat|dt|ptt|rt|cbt|soat|ft)-|xox[abeoprs]-|xapp-[0-9]"
    r"|sk-(?:ant|proj|svcacct|or|admin|lf)-|sk-[A-Za-z0-9]{20}|AIza[A-Za-z0-9_\-]{8}|ya29\.|GOCSPX-|hv[sbr]\."
    r"|eyJ[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+\.|SG\.[A-Za-z0-9_\-]{8}|[rs]k_(?:live|test)_|whsec_|npm_[A-Za-z0-9]{8}"
    r"|pypi-|do[opr]_v1_|dckr_|hf_[A-Za-z0-9]{8}|shp(?:at|ca|pa|ss)_|dapi[a-f0-9]{8}|ATATT3x|AGE-SECRET"
    r"|hooks\.slack|webhooks/[0-9]|s\.[A-Za-z0-9]{24}|PRIVATE KEY"
    r"|(?:AKIA|ASIA)[A-Z0-9]+(?:[ ,:;|']|\\+[\"'nrt])+[A-Za-z0-9/+]{40}"
)
"""RE2: where one of them may begin. Ids of keys are in very many records, so their letters are not counted: each would
be a state of its own, beside all else that the search looks for at the same place."""

_POINTS_AT_ONE = re.compile(
    r"(?i)|true|false|yes|no|on|off|null|none|nil|undefined|n/?a|unknown|redacted|hidden|masked|filtered|required"
    r"|optional"
    r"|enabled|disabled|string|secure_?string|bearer|basic|[*x.\-?#]+|<[\w .:\-]*>|\[[\w .:\-]*\]"
    r"|\(?sensitive(?: value)?\)?"
    r"|hidden_due_to_\w+|\$[a-z_]\w*|%\w+%|[a-z]+\.(?:env|environ)\S*"
)
_POINTER_BEGINNINGS = (
    "redacted:", "arn:", "${", "$(", "$$", "{{", "%{", "hmac-sha256:", "sha256:", "vault:", "op://", "projects/",
    "secrets/", "file://", "@/", "/run/secrets", "urn:", "secret://", "ssm:", "env:",
)  # fmt: skip
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]?\S*")
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]{1,20}://")
_ID = re.compile(r"A(?:KIA|SIA|ROA|IDA|GPA|NPA|NVA|BIA|CCA|SCA|IPA)[A-Z0-9]{8,}.*")
_NUMBER = re.compile(r"[0-9.,:\-]*")
_CAMEL = re.compile(r"(?:[A-Z]?[a-z]+)+")
_SCHEME = re.compile(r"(?i)(?:bearer|basic|token|digest|negotiate|apikey|splunk|aws4-hmac-sha256)[ :]+")
_PAIR = re.compile(r"[^\s:/]{1,128}:[^\s:/]{5,}")
_LEAST_TOKEN, _LEAST_KEY, _WORD = 6, 16, 16
_LEAST_BITS = 3.0
_MEASURED = 512


def is_secret(kind: int, words: str, value: str) -> bool:
    """Whether a text beside a name of this kind, which consists of these words, is a secret."""
    bare = value.strip()
    scheme = _SCHEME.match(bare)
    bare = bare[scheme.end() :] if scheme is not None else bare
    if kind == LISTED:
        return True
    if not bare or bare.startswith(_POINTER_BEGINNINGS) or (len(bare) < 64 and _POINTS_AT_ONE.fullmatch(bare)):
        return False
    if kind == PASSWORD:
        return not (words.endswith("pwd") and (bare[0] in "/~" or bare[1:3] == ":\\"))
    if _is_something_else(kind, bare):
        return False
    if kind == KEY:
        return _looks_random(bare) or _is_pair(words, bare)
    return _could_be_token(words, bare, has_scheme=scheme is not None)


def _is_something_else(kind: int, bare: str) -> bool:
    """JSON, in which what it holds is found; a time; the id of a key."""
    if _is_json(bare):
        return True
    if len(bare) >= 256:
        return False
    is_id = _ID.fullmatch(bare) or (kind == KEY and _UUID.fullmatch(bare))
    return bool(is_id) or _TIME.fullmatch(bare) is not None


def _is_json(bare: str) -> bool:
    return bare.lstrip('"\\')[:1] in ("{", "[")


def looks_random(value: str) -> bool:
    """Whether a text that no name tells of, but its neighbour, is a secret; behind a scheme as in a header too."""
    scheme = _SCHEME.match(value)
    bare = value[scheme.end() :] if scheme else value
    return _looks_random(bare) and not bare.startswith(_POINTER_BEGINNINGS) and not _ID.fullmatch(bare[:256])


def _could_be_token(words: str, bare: str, *, has_scheme: bool) -> bool:
    if _URL.match(bare) and "hook" not in words:
        return False  # what a URL holds is found in it
    if any(char.isspace() for char in bare):
        return has_scheme or "=" in bare or "cookie" in words
    if _NUMBER.fullmatch(bare[:64]) and len(bare) < 64:
        return words.endswith(("otp", "code", "codes")) and len(bare) >= _LEAST_TOKEN
    has_digit = any(char.isdigit() for char in bare[:_MEASURED])
    return len(bare) >= _LEAST_TOKEN and (has_digit or has_scheme or len(bare) >= _WORD or not _CAMEL.fullmatch(bare))


def _is_pair(words: str, bare: str) -> bool:
    """`user:password`, as programs take credentials."""
    return words.endswith(("credential", "credentials", "auth")) and _PAIR.fullmatch(bare[:_MEASURED]) is not None


def _looks_random(bare: str) -> bool:
    if len(bare) < _LEAST_KEY or any(char.isspace() for char in bare):
        return False
    if _URL.match(bare) or bare.startswith("/") or _is_json(bare):
        return False
    sample = bare[:_MEASURED]
    if not any(char.isdigit() for char in sample) or not any(char.isalpha() for char in sample):
        return False
    counts = [sample.count(char) / len(sample) for char in set(sample)]
    return -sum(share * log2(share) for share in counts) >= _LEAST_BITS
