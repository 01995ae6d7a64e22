"""Secrets are found in all rows at once, and none that taking a record apart would find is overlooked; no file of a
home holds one, and what only looks like one stays.
"""

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from secret_shapes import HARMLESS, SHAPES, everything_in, filled, record_with, secrets_of, write_shapes
from source_samples import as_lines, batches
from ultravires.reading.options import DEFAULT_SECRETS, Options
from ultravires.reading.redaction import Redactor
from ultravires.runs.run import run_once

OPTIONS = Options(hash_key=b"a key for the tests", redact=DEFAULT_SECRETS | {"kundennummer", "größe", 'odd"name'})
SPELLINGS = [
    "DB_PASSWORD",
    "dbPassword",
    "ghToken",
    "X-Auth-Token",
    "TOKEN_GITHUB",
    "clientSecretValue",
    "AccountKey",
    "auth",
]
NAMES = st.one_of(
    st.sampled_from(["a", "key", "name", "value", "nextToken", "detail", "Value", "parameterKey", "path"]),
    st.sampled_from(SPELLINGS),
    st.builds(
        lambda a, joint, b: a + joint + b,
        st.sampled_from(["x", "Db", "MY"]),
        st.sampled_from(["", "_", "-", "."]),
        st.sampled_from(["password", "Token", "SECRET", "apiKey", "Pwd", "otp", "Auth", "secretValue", "cookie1"]),
    ),
    st.sampled_from(sorted(OPTIONS.redact)).flatmap(
        lambda name: st.sampled_from([name, name.upper(), name.title(), f"a.b.{name}", name.replace("k", "\u212a")])
    ),
)


def _inside_strings(value: Any) -> Any:
    return st.sampled_from(
        [json.dumps(value), json.dumps(json.dumps(value)), json.dumps(value)[:-1], json.dumps({"x": value}, indent=1)]
    )


SECRETS = st.sampled_from(["Tr0ub4dor-3", "correct horse", "v4t0k3n-aaaa-bbbb-01", "0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c"])
TEXTS = st.one_of(
    st.sampled_from(
        [text for _, secret, shape in SHAPES.values() for text in filled(shape, secret).values() if type(text) is str]
    ),
    st.builds(
        lambda before, name, between, secret, after: before + name + between + secret + after,
        st.sampled_from(["", " ", "x\n", "?", "--", "<", "-", ":", "{'", 'a "', "\t", "é", "\x01"]),
        NAMES,
        st.sampled_from(
            ["=", ": ", ":", '": "', "': '", " ", ">", "\n", "=>", "%3D", '", "', " '", "\t=\t", "-: ", "\x01"]
        ),
        SECRETS,
        st.sampled_from(["", "'", '"', "\n", "&b=2", "</a>", ";", "\\n"]),
    ),
    st.builds(lambda text: f"https://user:{text}@host/", SECRETS),
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=5), NAMES, SECRETS, TEXTS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(NAMES, inner, max_size=3),
        st.builds(lambda name, value: {"key": name, "value": value}, NAMES, inner),
        st.builds(lambda name, value: {"name": name, "value": value}, NAMES, inner),
        st.builds(lambda name, value: {"Value": value, "Key": name}, NAMES, inner),
        st.dictionaries(NAMES, inner, max_size=2).flatmap(_inside_strings),
        inner.flatmap(_inside_strings),
    ),
    max_leaves=8,
)


def _written(value: Any) -> pa.Array:
    return pa.array([msgspec.json.encode(value).decode()], pa.large_string())


@settings(deadline=None)
@given(VALUES)
def test_whatever_redaction_changes_was_suspected(value: Any) -> None:
    """A row that is not suspected is stored as it is: it must be one that redaction leaves alone."""
    redactor = Redactor(OPTIONS)
    if redactor.redact(value) is not value:
        assert redactor.suspects(_written(value)) == [0]


@settings(deadline=None)
@given(VALUES)
def test_whatever_stands_inside_of_a_string_was_suspected(value: Any) -> None:
    """As the first search, so the second, over what is left when names have been looked at."""
    redactor = Redactor(OPTIONS)
    by_names = redactor.redact(value, texts=False)
    whole = redactor.redact(by_names)
    if whole is not by_names:
        assert redactor.suspects_in_texts(_written(by_names)) == [0]
    assert redactor.redact(value) == whole


@settings(deadline=None)
@given(VALUES)
def test_what_was_redacted_stays(value: Any) -> None:
    """Records are read again, and must not change by it."""
    redactor = Redactor(OPTIONS)
    once = redactor.redact(value)
    assert redactor.redact(once) == once


TELLING = ["secretValue", "signature", "password", 'a"password', "x.resultSignature.token", "api key", "apiKey", "otp"]
RANDOM = "0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c"


@pytest.mark.parametrize(
    "name", [*TELLING, "SIGNATURE", "ghToken", "clientSecretValue", "tsecretvalue", "kundennummer"]
)
def test_a_telling_word_is_found_wherever_it_can_tell(name: str) -> None:
    """Beside its value, in a pair, before the next element, as an option and in a text."""
    shapes: list[Any] = [
        {name: RANDOM},
        {"key": name, "value": RANDOM},
        {"Name": name, "Value": RANDOM},
        {"parameterKey": name, "parameterValue": {"string": RANDOM}},
        [name, RANDOM],
        ["x", name, RANDOM],
        ["-" + name, RANDOM],
        {"cmd": f"run -{name} {RANDOM}"},
        {"cmd": f"run --{name} {RANDOM} x"},
        {"note": f"{name} '{RANDOM}'"},
        {"note": f"{name} = {RANDOM}"},
        {"note": f"{name}\t=\t{RANDOM}"},
        {"note": f"x {name}: {RANDOM}"},
        {"note": f"name={name}, value={RANDOM}"},
        {"note": f"- name: {name},\n  'stringValue': {RANDOM}"},
        {"note": json.dumps({"key": name, "value": RANDOM})},
    ]
    redactor = Redactor(OPTIONS)
    found = _suspected(redactor, shapes)
    for at, shape in enumerate(shapes):
        assert at in found or redactor.redact(shape) == shape, shape


def _suspected(redactor: Redactor, values: list[Any]) -> set[int]:
    """Which of the values are suspected."""
    written = [msgspec.json.encode(value).decode() for value in values]
    return set(redactor.suspects(pa.array(written, pa.large_string())))


def test_what_only_speaks_of_a_secret_is_not_suspected() -> None:
    """A telling word at the end of a value, where no neighbour is meant by it, and in prose."""
    plain = {
        "methodName": "GenerateAccessToken",
        "type": "OAuth",
        "note": "rotate the secret of invoice-sync",
        "credentialType": "clientSecret",
        "displayName": "Access Token",
        "methods": "pwd,mfa",
        "keys": "[KeyIdentifier=1,KeyType=Password,KeyUsage=Verify]",
        "words": ["password", 1],
    }
    pair = {"key": "AccessToken", "value": "rotate the secret of invoice-sync"}
    assert _suspected(Redactor(OPTIONS), [plain, pair]) == {1}


def test_a_mask_is_not_suspected_and_what_only_begins_as_one_is() -> None:
    """Storage of Azure logs `sig=XXXXX` for each request that was signed for its bearer."""
    masks = ["/c/b?sv=2024&sig=XXXXX", "/c/b?sig=XXXXX&se=x", "password=*** given"]
    others = ["/c/b?sig=XXhunter2", "password=**hunter2", "password=X,hunter2", 'token="XX77hunter2"', "pwd=XXXx"]
    assert _suspected(Redactor(OPTIONS), [{"uri": text} for text in masks]) == set()
    assert _suspected(Redactor(OPTIONS), [{"uri": text} for text in others]) == set(range(len(others)))


def test_an_ordinary_record_is_not_suspected() -> None:
    """The search is worth it because most records are passed over."""
    plain = {
        "nextToken": None,
        "SignatureVersion": "SigV4",
        "action": "GetSecretValue",
        "eventName": "GetObject",
        "tokens": 3,
        "key": "in/secret.csv",
        "note": "a reset",
    }
    assert Redactor(OPTIONS).suspects(pa.array([json.dumps(plain)], pa.large_string())) == []


@pytest.mark.parametrize("member", ["key", "name"])
def test_the_value_of_a_pair_that_names_a_secret_goes(member: str) -> None:
    """Headers and tags are lists of pairs; the name stays to be seen."""
    found = Redactor(OPTIONS).redact({"headers": [{member: "Authorization", "value": "Bearer abc"}]})
    (pair,) = found["headers"]
    assert pair[member] == "Authorization" and pair["value"].startswith("redacted:")


@pytest.fixture(scope="module")
def home_text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """All that stands in a home which has read every shape."""
    place = tmp_path_factory.mktemp("shapes")
    (place / "logs").mkdir()
    write_shapes(place / "logs")
    run_once(place / "logs", place / "home", config=None, as_of="")
    return everything_in(place / "home")


@pytest.mark.parametrize("name", SHAPES)
def test_no_file_of_the_home_holds_the_secret(name: str, home_text: str) -> None:
    """Segments, warehouse, published tables, report, alerts: looked through unpacked."""
    assert [secret for secret in secrets_of(name) if secret in home_text] == []


def test_all_shapes_were_read(home_text: str) -> None:
    """Else it would be no wonder that nothing was found."""
    assert len(SHAPES) >= 60 and home_text.count("secret-") >= 30 and home_text.count("redacted:") >= len(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_the_record_stays_an_event(name: str, tmp_path: Path) -> None:
    source, secret, shape = SHAPES[name]
    (batch,) = batches(source, as_lines([record_with(source, filled(shape, secret), 7)]) + b"\n", tmp_path)
    assert batch.events.num_rows >= 1 and not batch.quarantined
    assert all("redacted:" in raw for raw in batch.events["raw"].to_pylist())


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_looks_like_a_secret_stays(name: str, tmp_path: Path) -> None:
    source, value = HARMLESS[name]
    (batch,) = batches(source, as_lines([record_with(source, {name: value}, 7)]) + b"\n", tmp_path)
    (raw,) = batch.events["raw"].to_pylist()
    assert msgspec.json.encode({name: value}).decode()[1:-1] in raw


def test_at_least_sixty_are_harmless() -> None:
    assert len(HARMLESS) >= 60


HOSTILE = {
    "a word without end": "token" * 200_000,
    "names without values": "password=" * 100_000,
    "quotes that do not close": "password='" * 100_000,
    "escapes": '\\"password\\"' * 70_000,
    "base64 of base64": "cGFzc3dvcmQ9" * 80_000,
    "tokens that do not end": "eyJhbGciOiJI" * 80_000,
    "tokens of two parts": "eyJhbGciOiJI.eyJhbGciOiJI " * 40_000,
    "commands": "curl mysql sshpass " * 50_000,
    "URLs": "https://user:" * 80_000,
    "keys that do not end": "-----BEGIN PRIVATE KEY-----" * 40_000,
    "ids of keys": "AKIAIOSFODNN7EXAMPLE" * 50_000,
    "dashes": "--password-" * 90_000,
    "blanks": "password" + " " * 1_000_000,
    "new lines": "password\n" * 100_000,
    "brackets": '{"password":' * 80_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_costs_no_more_than_its_length(name: str) -> None:
    """A megabyte in less than some seconds, and twice as much in about twice the time."""
    text, redactor = HOSTILE[name], Redactor(OPTIONS)
    started = time.process_time()
    redactor.redact({"note": text})
    redactor.redact_bytes(text.encode())
    assert time.process_time() - started < 10


def test_a_text_that_is_nested_too_deeply_is_not_the_records_fault() -> None:
    """It cannot be taken apart, so it goes whole; the record stays an event."""
    deep = '{"a":' * 500 + '{"password":"Tr0ub4dor-3"}' + "}" * 500
    assert Redactor(OPTIONS).redact({"note": deep})["note"].startswith("redacted:")


def test_equal_secrets_stay_comparable_wherever_they_stand() -> None:
    redactor = Redactor(OPTIONS)
    beside = redactor.redact({"dbPassword": "Tr0ub4dor-3"})["dbPassword"]
    assert redactor.redact({"x": "export DB_PASSWORD=Tr0ub4dor-3; id"})["x"] == f"export DB_PASSWORD={beside}; id"


@pytest.mark.parametrize("secret", ['"half \\ud83d"', '{"b": "\\ud83d", "a": 1}', '["\\udc00"]'])
def test_half_a_character_in_a_secret_within_a_text_is_hidden(secret: str) -> None:
    """An escape in a JSON text within a string names half a character, of which no bytes can be made."""
    text = f'{{"password": {secret}, "user": "ann"}}'
    found = Redactor(OPTIONS).redact({"message": text})
    assert "ud83d" not in json.dumps(found) and "udc00" not in json.dumps(found)
    assert "redacted:" in json.dumps(found)
