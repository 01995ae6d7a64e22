"""Settings of the Splunk sink: where, with which token, and how patiently."""

from ipaddress import ip_address
from pathlib import Path

import httpx
from pydantic import Field, field_validator

from ultravires.alerting.sink import SinkSettings

EVENT_PATH = "/services/collector/event"
ACK_PATH = "/services/collector/ack"


class SplunkSettings(SinkSettings):
    """`token_env` is the name of the environment variable that holds the token; times are in seconds."""

    url: str
    # A token itself has dashes: written here by mistake it is refused, and never repeated in a message.
    token_env: str = Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")
    index: str | None = None
    sourcetype: str = "ultravires:alert"
    source: str = "ultravires"
    verify_tls: bool = True
    ca_file: Path | None = None
    timeout: float = Field(default=30, gt=0, le=600)
    max_attempts: int = Field(default=4, ge=1, le=20)
    use_ack: bool = False
    ack_timeout: float = Field(default=60, gt=0, le=3600)

    @field_validator("url")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        try:
            url = httpx.URL(value)
        except httpx.InvalidURL:
            raise ValueError("must be a URL such as https://splunk.example.org:8088") from None
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError("must be a URL such as https://splunk.example.org:8088")
        if url.userinfo:
            raise ValueError("must not hold a user or a password; the token comes from the environment")
        if url.scheme == "http" and not _is_loopback(url.host):
            raise ValueError("must be https, because the token travels with every request")
        return value.rstrip("/").removesuffix(EVENT_PATH).removesuffix("/services/collector")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
