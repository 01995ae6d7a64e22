"""OTLP messages as the reference implementation (opentelemetry-proto 1.45) wrote them, and their JSON in its words.

The bytes stand here, so that the decoder is tested where that package is not installed.
"""

import base64
from typing import Any

TRACES = base64.b64decode(
    "CoEGChoKGAoMc2VydmljZS5uYW1lEggKBnJ1bm5lchK5BQorCg5oYXJib3VyLnRyYWNlchIBMhoWCgpzY29wZS5raW5kEggKBmFn"
    "ZW50cxKEBAoQCvdlGRbNQ92ESOshHIAxnBIIAAAAAAAAAAIaA2E9YiIIAAAAAAAAAAEqGGV4ZWN1dGVfdG9vbCByZWFkX29iamVj"
    "dDABOQDU4IbRmdsYQQA5rqTRmdsYSicKFWdlbl9haS5vcGVyYXRpb24ubmFtZRIOCgxleGVjdXRlX3Rvb2xKIQoQZ2VuX2FpLnRv"
    "b2wubmFtZRINCgtyZWFkX29iamVjdEofChNnZW5fYWkudG9vbC5jYWxsLmlkEggKBmNhbGxfMUojCg9nZW5fYWkuYWdlbnQuaWQS"
    "EAoOYWdlbnQtaW52b2ljZXNKCgoEZmxhZxICEAFKCQoDb2ZmEgIQAEoUCgVjb3VudBILGPn//////////wFKEQoDYmlnEgoYgICA"
    "gICAgIBASgoKBHplcm8SAhgAShIKBXJhdGlvEgkhAAAAAAAA0D9KDAoEZGF0YRIEOgIA/0oUCgRsaXN0EgwqCgoDCgF4CgMYrAJK"
    "GAoDbWFwEhEyDwoNCgVpbm5lchIECgLDqUozChpnZW5fYWkudG9vbC5jYWxsLmFyZ3VtZW50cxIVMhMKEQoDa2V5EgoKCGluL2Eu"
    "Y3N2UANaFAkBAAAAAAAAABIJZXhjZXB0aW9uahwKEAEBAQEBAQEBAQEBAQEBAQESCAICAgICAgICeggSBG5vcGUYAoUBAQEAABKC"
    "AQoQCvdlGRbNQ92ESOshHIAxnBIIAAAAAAAAAAMaA2E9YiIIAAAAAAAAAAEqGGV4ZWN1dGVfdG9vbCByZWFkX29iamVjdDABOQDU"
    "4IbRmdsYQQA5rqTRmdsYSh8KFWdlbl9haS5vcGVyYXRpb24ubmFtZRIGCgRjaGF0UAOFAQEBAAAaJ2h0dHBzOi8vb3BlbnRlbGVt"
    "ZXRyeS5pby9zY2hlbWFzLzEuNDAuMA=="
)
"""An ExportTraceServiceRequest: a failed tool call with every kind of attribute value, and a call of a model."""

LOGS = base64.b64decode(
    "CusECiAKHgoMc2VydmljZS5uYW1lEg4KDGNvZGV4X2NsaV9ycxLGBAoHCgVjb2RleBKgAgkAnnvC0ZnbGBAJGgRJTkZPKhUKE2Nv"
    "ZGV4LnRvb2xfZGVjaXNpb24yIwoKZXZlbnQubmFtZRIVChNjb2RleC50b29sX2RlY2lzaW9uMhsKD2NvbnZlcnNhdGlvbi5pZBII"
    "CgZjb252LTEyEwoHY2FsbF9pZBIICgZjYWxsXzkyFAoJdG9vbF9uYW1lEgcKBXNoZWxsMhYKCGRlY2lzaW9uEgoKCGFwcHJvdmVk"
    "MhAKBnNvdXJjZRIGCgR1c2VyMiAKCnVzZXIuZW1haWwSEgoQbWlyYUBleGFtcGxlLm9yZ0UBAAAAShAK92UZFs1D3YRI6yEcgDGc"
    "UggAAAAAAAAAAlkAf3HI0ZnbGGITY29kZXgudG9vbF9kZWNpc2lvbhKXAhAJGgRJTkZPKhUKE2NvZGV4LnRvb2xfZGVjaXNpb24y"
    "IwoKZXZlbnQubmFtZRIVChNjb2RleC50b29sX2RlY2lzaW9uMhsKD2NvbnZlcnNhdGlvbi5pZBIICgZjb252LTEyEwoHY2FsbF9p"
    "ZBIICgZjYWxsXzkyFAoJdG9vbF9uYW1lEgcKBXNoZWxsMhYKCGRlY2lzaW9uEgoKCGFwcHJvdmVkMhAKBnNvdXJjZRIGCgR1c2Vy"
    "MiAKCnVzZXIuZW1haWwSEgoQbWlyYUBleGFtcGxlLm9yZ0UBAAAAShAK92UZFs1D3YRI6yEcgDGcUggAAAAAAAAAAlkAf3HI0Znb"
    "GGITY29kZXgudG9vbF9kZWNpc2lvbg=="
)
"""An ExportLogsServiceRequest: an answered prompt, once with its time and once with the observed one only."""

TRACES_JSON: dict[str, Any] = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "runner"}}]},
            "scopeSpans": [
                {
                    "scope": {
                        "name": "harbour.tracer",
                        "version": "2",
                        "attributes": [{"key": "scope.kind", "value": {"stringValue": "agents"}}],
                    },
                    "spans": [
                        {
                            "traceId": "0af7651916cd43dd8448eb211c80319c",
                            "spanId": "0000000000000002",
                            "traceState": "a=b",
                            "parentSpanId": "0000000000000001",
                            "name": "execute_tool read_object",
                            "kind": 1,
                            "startTimeUnixNano": "1791194402000000000",
                            "endTimeUnixNano": "1791194402500000000",
                            "attributes": [
                                {"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}},
                                {"key": "gen_ai.tool.name", "value": {"stringValue": "read_object"}},
                                {"key": "gen_ai.tool.call.id", "value": {"stringValue": "call_1"}},
                                {"key": "gen_ai.agent.id", "value": {"stringValue": "agent-invoices"}},
                                {"key": "flag", "value": {"boolValue": True}},
                                {"key": "off", "value": {"boolValue": False}},
                                {"key": "count", "value": {"intValue": "-7"}},
                                {"key": "big", "value": {"intValue": "4611686018427387904"}},
                                {"key": "zero", "value": {"intValue": "0"}},
                                {"key": "ratio", "value": {"doubleValue": 0.25}},
                                {"key": "data", "value": {"bytesValue": "AP8="}},
                                {
                                    "key": "list",
                                    "value": {"arrayValue": {"values": [{"stringValue": "x"}, {"intValue": "300"}]}},
                                },
                                {
                                    "key": "map",
                                    "value": {
                                        "kvlistValue": {"values": [{"key": "inner", "value": {"stringValue": "é"}}]}
                                    },
                                },
                                {
                                    "key": "gen_ai.tool.call.arguments",
                                    "value": {
                                        "kvlistValue": {
                                            "values": [{"key": "key", "value": {"stringValue": "in/a.csv"}}]
                                        }
                                    },
                                },
                            ],
                            "status": {"message": "nope", "code": 2},
                        },
                        {
                            "traceId": "0af7651916cd43dd8448eb211c80319c",
                            "spanId": "0000000000000003",
                            "traceState": "a=b",
                            "parentSpanId": "0000000000000001",
                            "name": "execute_tool read_object",
                            "kind": 1,
                            "startTimeUnixNano": "1791194402000000000",
                            "endTimeUnixNano": "1791194402500000000",
                            "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}],
                        },
                    ],
                }
            ],
        }
    ]
}
"""What MessageToDict makes of TRACES, ids in hex as OTLP JSON wants, without what the decoder leaves out."""

LOGS_JSON: dict[str, Any] = {
    "resourceLogs": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "codex_cli_rs"}}]},
            "scopeLogs": [
                {
                    "scope": {"name": "codex"},
                    "logRecords": [
                        {
                            "timeUnixNano": "1791194403000000000",
                            "severityNumber": 9,
                            "severityText": "INFO",
                            "body": {"stringValue": "codex.tool_decision"},
                            "attributes": [
                                {"key": "event.name", "value": {"stringValue": "codex.tool_decision"}},
                                {"key": "conversation.id", "value": {"stringValue": "conv-1"}},
                                {"key": "call_id", "value": {"stringValue": "call_9"}},
                                {"key": "tool_name", "value": {"stringValue": "shell"}},
                                {"key": "decision", "value": {"stringValue": "approved"}},
                                {"key": "source", "value": {"stringValue": "user"}},
                                {"key": "user.email", "value": {"stringValue": "mira@example.org"}},
                            ],
                            "traceId": "0af7651916cd43dd8448eb211c80319c",
                            "spanId": "0000000000000002",
                            "observedTimeUnixNano": "1791194403100000000",
                            "eventName": "codex.tool_decision",
                        },
                        {
                            "severityNumber": 9,
                            "severityText": "INFO",
                            "body": {"stringValue": "codex.tool_decision"},
                            "attributes": [
                                {"key": "event.name", "value": {"stringValue": "codex.tool_decision"}},
                                {"key": "conversation.id", "value": {"stringValue": "conv-1"}},
                                {"key": "call_id", "value": {"stringValue": "call_9"}},
                                {"key": "tool_name", "value": {"stringValue": "shell"}},
                                {"key": "decision", "value": {"stringValue": "approved"}},
                                {"key": "source", "value": {"stringValue": "user"}},
                                {"key": "user.email", "value": {"stringValue": "mira@example.org"}},
                            ],
                            "traceId": "0af7651916cd43dd8448eb211c80319c",
                            "spanId": "0000000000000002",
                            "observedTimeUnixNano": "1791194403100000000",
                            "eventName": "codex.tool_decision",
                        },
                    ],
                }
            ],
        }
    ]
}
"""What MessageToDict makes of LOGS, ids in hex as OTLP JSON wants, without what the decoder leaves out."""
