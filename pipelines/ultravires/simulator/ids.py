"""Ids as the vendors shape them, drawn from one seeded stream."""

from random import Random

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def stream(*parts: object) -> Random:
    """A random stream of its own for what `parts` name, so that one change does not shift all others."""
    return Random("/".join(str(part) for part in parts))  # noqa: S311 - a simulation, not a secret


def hexadecimal(rng: Random, digits: int) -> str:
    return f"{rng.getrandbits(digits * 4):0{digits}x}"


def uuid(rng: Random) -> str:
    text = hexadecimal(rng, 32)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def access_key(rng: Random, prefix: str) -> str:
    """`ASIA...` for a session, `AKIA...` for a static key; 20 characters."""
    return prefix + "".join(rng.choices(_BASE32, k=16))


def principal_id(prefix: str, arn: str) -> str:
    """The unique id of a role (`AROA`) or user (`AIDA`): always the same for one ARN."""
    return prefix + "".join(stream("principal", arn).choices(_BASE32, k=17))


def session_token(rng: Random) -> str:
    return "IQoJb3JpZ2luX2Vj" + "".join(rng.choices(_BASE64, k=48)) + "="


def file_suffix(rng: Random) -> str:
    return "".join(rng.choices(_BASE32, k=16))
