"""Which names name a secret, in every spelling: `DB_PASSWORD`, `dbPassword`, `X-Auth-Token`,
`spring.datasource.password`.

A name is taken apart into words. What tells stands at its end (`ghToken`), or before words that only say which one it
is (`token_value`, `TOKEN_GITHUB`); of passwords it stands anywhere. What only speaks of a secret is none:
`passwordLastUsed`, `tokenType`, `secretArn`, `nextToken`. Every pattern is written once for names taken apart, and
once more, looser, as a part of the search over all texts at once (`SEARCHED`).
"""

import re

NOT_SECRET = 0
LISTED = 1
"""A name of the list in `Options.redact`: its value goes, whatever it is."""
PASSWORD = 2
"""Anything that is written there goes."""
TOKEN = 3
"""What could be a token goes: no prose, no plain word."""
KEY = 4
"""Only what looks random goes: such names often stand beside ids of keys."""

LONGEST_NAME = 200
_PASSWORD = r"pass{s}(?:word|wd|phrase|code)"  # noqa: S105 - a pattern
_TOKEN = (
    r"token|secret|api{s}key|private{s}key|bearer|authorization|cookies?|connection{s}string|conn{s}str"  # noqa: S105
    r"|mfa{s}code|verification{s}code|recovery{s}codes?|web{s}hook{s}url"
)
_KEY = (
    r"(?:access|account|shared|encryption|signing|master|ssh|subscription|function|storage|session|license|deploy|auth)"
    r"{s}key|credentials?|signature|assertion|saml{s}response"
)
_SHORT_PASSWORD, _SHORT_TOKEN, _SHORT_KEY = ("pwd",), ("otp", "totp", "pass"), ("auth", "jwt", "sig", "sas")
"""These have to be words of their own: `pilotp` is nothing."""
_WHICH = (
    "string|text|plain|plaintext|clear|raw|data|binary|content|base64|b64|encoded|pem|base|key|header|new|old"
    "|current|previous|primary|secondary|production|prod|develop|dev|staging|stage|testing|test|main|default|admin"
)
"""Words behind what tells that only say which secret it is, or how it is written."""

_ABOUT = frozenset((
    "access", "age", "algorithm", "alg", "arn", "at", "attempts", "auth", "authentication", "change", "changed",
    "changes", "complexity", "count", "created", "date", "days", "description", "disabled", "enabled",
    "endpoint", "error", "exists", "expiration", "expired", "expires", "expire", "expiry", "failed", "field",
    "file", "force", "grant", "hint", "history", "id", "identifier", "ids", "issued", "issuer", "label", "last",
    "last4", "length", "lifetime", "len", "manager", "max", "message", "method", "min", "mode", "name", "names",
    "needed", "never", "on", "owner", "path", "policies", "policy", "prompt", "protected", "provider",
    "quality", "reason", "reference", "ref", "required", "requirements", "reset", "role", "rotated", "rotation",
    "scope", "scopes", "set", "source", "state", "status", "stdin", "strategy", "strength", "sync", "time",
    "title", "ttl", "type", "types", "update", "updated", "uri", "url", "usage", "use", "used", "validity",
    "verification", "version", "writeback", "less",
))  # fmt: skip
"""Words behind what tells that make the whole a fact about a secret."""
_NO_TOKEN_BEFORE = frozenset((
    "next", "page", "continuation", "pagination", "request", "client", "idempotency", "sync", "starting",
    "resume", "skip", "delta", "marker", "hashed", "hash", "change", "cancellation", "from", "concurrency",
    "revision", "fencing",
))  # fmt: skip
"""Tokens that open nothing: they say where a list goes on, or make a request unique."""
_NO_PASSWORD_BEFORE = frozenset({"reset", "forgot", "change", "has", "is", "requires", "require", "no", "get", "must"})
_HARMLESS = re.compile(r"subject_from_web_identity_token|old_?pwd|.*[eu]t_?secret_?value|.*sult_?signature")
"""Also GetSecretValue, PutSecretValue and Azure's resultSignature: what stands in very many records must not look like
a secret."""

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_WORD = re.compile(r"[^a-z0-9]+")
_SCREAMING = re.compile(r"[A-Z][A-Z0-9_]*")


def _of_words(long: str, short: tuple[str, ...]) -> str:
    """What tells, as it stands in a name taken apart."""
    return rf"(?:{long.format(s='_?')}|(?:(?<=_)|(?<![a-z0-9]))(?:{'|'.join(short)}))"


_TAIL = rf"(?:_?(?:{_WHICH}|value))*_?[0-9]{{0,4}}$"
_OF_PASSWORD = re.compile(_of_words(_PASSWORD, _SHORT_PASSWORD))
_OF_TOKEN = re.compile(_of_words(_TOKEN, _SHORT_TOKEN) + _TAIL)
_OF_KEY = re.compile(_of_words(_KEY, _SHORT_KEY) + _TAIL)
_OF_ANY = re.compile(f"{_of_words(_TOKEN, _SHORT_TOKEN)}|{_of_words(_KEY, _SHORT_KEY)}")

_SEPARATED = "[-_. ]?"
_LONG_PASSWORD, _LONG_OTHER = _PASSWORD.format(s=_SEPARATED), f"{_TOKEN}|{_KEY}".format(s=_SEPARATED)
_SHORT_OTHER = (*_SHORT_TOKEN, *_SHORT_KEY)


_ALL_PASSWORDS = "|".join((_LONG_PASSWORD, *_SHORT_PASSWORD))
_ALL_OTHERS = "|".join((_LONG_OTHER, *_SHORT_OTHER))
_OTHERS_SEARCHED = _ALL_OTHERS.replace("signature", "(?:[^t]|[^l]t|[^u]lt|[^s]ult)signature")
SEARCHED = (
    rf"(?:(?i:{_ALL_PASSWORDS})[A-Za-z0-9_.\-]*|(?i:{_OTHERS_SEARCHED})(?:[-_. ]?(?i:{_WHICH})"
    r"|[-_. ](?i:value)|_[A-Z0-9]*|[0-9])*[-_. ]*"
    r"|(?:(?:[^tT]|[^eEuU][tT])(?i:secret)|(?i:token|key))(?i:value[-_.0-9 ]*))"
)
"""RE2: the end of every name that `kind_of` calls a secret's, from what tells on. Written for few states: it is looked
for in every text, and the search slows down by half where these do not fit into the processor's cache."""
TELLING = re.compile(rf"(?:{_ALL_PASSWORDS}|{_ALL_OTHERS})[a-z0-9_.\-]{{0,64}}")
"""In lower-case text: what may be the end of such a name."""


def words_of(name: str) -> str:
    """The words of a name in lower case, joined by `_`; of a path its last part."""
    last = name[-LONGEST_NAME:].rsplit("/", 1)[-1]
    return _NO_WORD.sub("_", _HUMP.sub("_", last).lower()).strip("_")


def kind_of(name: str) -> int:
    """Whether the name is a secret's, and how sure that is."""
    words = words_of(name)
    if _HARMLESS.fullmatch(words):
        return NOT_SECRET
    if (found := _OF_PASSWORD.search(words)) is not None:
        return NOT_SECRET if _is_about_password(words[: found.start()], words[found.end() :]) else PASSWORD
    if (found := _OF_TOKEN.search(words)) is not None:
        opens_nothing = found[0].startswith("token") and _last_word(words[: found.start()]) in _NO_TOKEN_BEFORE
        return NOT_SECRET if opens_nothing else TOKEN
    if _OF_KEY.search(words) is not None:
        return KEY
    if _SCREAMING.fullmatch(name) and (found := _OF_ANY.search(words)) is not None:
        behind = words[found.end() :]
        return NOT_SECRET if behind[:1] not in ("_", "") or _ABOUT & set(behind.split("_")) else TOKEN
    return NOT_SECRET


def _is_about_password(before: str, behind: str) -> bool:
    if _last_word(before) in _NO_PASSWORD_BEFORE:
        return True
    is_one_word = not behind.startswith("_")
    return any(word in _ABOUT for word in behind.split("_")) or (
        is_one_word and any(len(word) > 2 and behind.startswith(word) for word in _ABOUT)
    )


def _last_word(before: str) -> str:
    return before.rstrip("_").rsplit("_", 1)[-1]
