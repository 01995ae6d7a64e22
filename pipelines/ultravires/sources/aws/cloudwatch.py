"""A record that CloudWatch Logs delivers inside an envelope: `{"timestamp": ..., "message": "<the record>"}`.

Subscriptions wrap such envelopes once more, in `{"messageType": "DATA_MESSAGE", "logEvents": [...]}`.
"""

from typing import Any

from ultravires.reading.mending import UNDECODABLE, decode_inner
from ultravires.reading.origins import CLOUDWATCH, note_place
from ultravires.reading.splitting import decode_object

ENVELOPES = ("logEvents", "events")
"""The names of arrays of envelopes: in subscriptions, and in what the command line writes."""


def decode_message(data: bytes) -> Any:
    """The record in the envelope's `message` where that is a JSON object, else the object itself."""
    record = decode_object(data)
    message = record.get("message")
    if type(message) is str and message.lstrip()[:1] == "{":
        try:
            inner = decode_inner(message.encode(), decode_object)
        except UNDECODABLE:
            return record
        note_place(CLOUDWATCH)
        return inner
    return record
