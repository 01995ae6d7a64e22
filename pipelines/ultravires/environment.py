"""What the environment says. This is the only file that reads it."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

DEFAULT_HOME = Path(".ultravires")
STARTED_IN = "ULTRAVIRES_STARTED_IN"
"""The variable that tells Dagster's processes, which stand in the home, where `ultravires dev` was started."""


def hash_key(home: Path) -> bytes:
    """Key of the hashes that replace arguments and secrets: ULTRAVIRES_HASH_KEY, else one made for this home."""
    if from_environment := os.environ.get("ULTRAVIRES_HASH_KEY"):
        return from_environment.encode()[:64]
    path = home / "hash.key"
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_bytes(secrets.token_bytes(32))
        fresh.replace(path)
    return path.read_bytes()


def environment() -> Mapping[str, str]:
    """The environment, for sinks that take a secret from the variable that their settings name."""
    return os.environ


def s3_endpoint() -> str | None:
    """A server of S3's protocol other than Amazon's, as AWS's own tools take it from the environment."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def has_s3_region() -> bool:
    """Whether the environment names a region for S3, so that none has to be looked up."""
    return any(os.environ.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION"))


def azure_storage() -> dict[str, str] | None:
    """The storage account that the environment names, as Azure's own tools have it; None where it names none.

    Without a key or a signature of its own the SDK looks for an identity.
    """
    account = os.environ.get("AZURE_STORAGE_ACCOUNT")
    if not account:
        return None
    given = {
        "account_name": account,
        "account_key": os.environ.get("AZURE_STORAGE_KEY"),
        "sas_token": os.environ.get("AZURE_STORAGE_SAS_TOKEN"),
    }
    return {name: value for name, value in given.items() if value}


def configured_run() -> tuple[str, Path, Path | None]:
    """(input, home, config) for Dagster's own processes, as `ultravires dev` leaves them in the environment."""
    config = os.environ.get("ULTRAVIRES_CONFIG")
    return (
        os.environ.get("ULTRAVIRES_INPUT", "data/samples"),
        Path(os.environ.get("ULTRAVIRES_HOME", str(DEFAULT_HOME))),
        Path(config) if config else None,
    )
