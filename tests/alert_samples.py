"""Alerts to send in the tests of sinks."""

import hashlib
import json

from ultravires.alerting.sink import Alert


def sample_alert(name: str, *, text: str = "It did it.", chain: str | None = "ch_1") -> Alert:
    """An alert whose id follows from its name, with as much of a body as sinks read."""
    alert_id = hashlib.sha256(name.encode()).hexdigest()
    body = {"time": 1_795_176_000_123, "message": text, "metadata": {"uid": alert_id}}
    line = json.dumps(body, ensure_ascii=False)
    return Alert(alert_id=alert_id, finding_id=f"fi_{name}", chain_id=chain, activity_id=1, body=line)


def sample_alerts(n: int) -> list[Alert]:
    return [sample_alert(f"alert {i}") for i in range(n)]
