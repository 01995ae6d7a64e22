"""Secrets as logs hold them, and what looks like one and is none: each in a record of a source, as that source writes
it."""

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from small_logs import write_lines
from source_samples import approval, as_lines, cloudtrail, decision, export, replaced_at, sample_records, span


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SHAPES: dict[str, tuple[str, str, Any]] = {
    # by name, in all spellings
    "DB_PASSWORD": ("opa_decisions", "Tr0ub4dor-ay", {"env": {"DB_PASSWORD": "{}"}}),
    "dbPassword": ("aws_cloudtrail", "Tr0ub4dor-by", {"dbPassword": "{}"}),
    "database.password": ("opa_decisions", "Tr0ub4dor-cy", {"spring.datasource.password": "{}"}),
    "password with a number": ("aws_cloudtrail", "Tr0ub4dor-dy", {"password2": "{}"}),
    "password behind": ("aws_cloudtrail", "Tr0ub4dor-ey", {"passwordConfirmation": "{}"}),
    "lower case in one": ("aws_cloudtrail", "Tr0ub4dor-fy", {"mydbpassword": "{}"}),
    "a passphrase": ("aws_cloudtrail", "correct horse battery gy", {"sshKeyPassphrase": "{}"}),
    "pwd": ("opa_decisions", "Tr0ub4dor-hy", {"Pwd": "{}"}),
    "MYSQL_PASS": ("opa_decisions", "Tr0ub4dor-iy", {"MYSQL_PASS": "{}"}),
    "ghToken": ("opa_decisions", "v4t0k3n-aaaa-bbbb-a1", {"ghToken": "{}"}),
    "X-Auth-Token": ("aws_cloudtrail", "v4t0k3n-aaaa-bbbb-b1", {"headers": {"X-Auth-Token": "{}"}}),
    "TOKEN_GITHUB": ("kubernetes_audit", "v4t0k3n-aaaa-bbbb-c1", {"TOKEN_GITHUB": "{}"}),
    "githubtoken": ("okta_system", "v4t0k3n-aaaa-bbbb-d1", {"githubtoken": "{}"}),
    "openaiApiKey": ("opa_decisions", "v4k3y-aaaa-bbbb-e1", {"openaiApiKey": "{}"}),
    "Ocp-Apim-Subscription-Key": (
        "azure_activity",
        "0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c",
        {"Ocp-Apim-Subscription-Key": "{}"},
    ),
    "clientSecretValue": ("entra_audit", "Xy8Q~abcdef0123456789ghijklmnopqrs", {"clientSecretValue": "{}"}),
    "privateKeyData": ("gcp_audit", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", {"privateKeyData": "{}"}),
    "accountKey": ("azure_activity", "Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZg0912==", {"accountKey": "{}"}),
    "storage connection string": (
        "azure_activity",
        "c3RvcmFnZWtleTEyMzQ1Njc4OTBhYmNkZWY=",
        {"value": "DefaultEndpointsProtocol=https;AccountName=logs;AccountKey={};EndpointSuffix=core.windows.net"},
    ),
    "SQL connection string": (
        "azure_activity",
        "Tr0ub4dor-jy",
        {"text": "Server=tcp:db,1433;User ID=sa;Password={};Encrypt=true"},
    ),
    "a cookie of a session": ("aws_cloudtrail", "sid=8f7e6d5c4b3a2910", {"headers": {"X-Session-Cookie": "{}"}}),
    "a one-time code": ("okta_system", "829341", {"smsOtp": "{}"}),
    "a value in a wrapper": ("aws_cloudtrail", "Tr0ub4dor-ky", {"dbPassword": {"S": "{}"}}),
    "several values": ("aws_cloudtrail", "v4t0k3n-aaaa-bbbb-f1", {"X-Api-Token": ["{}", "x"]}),
    "a password of digits": ("aws_cloudtrail", "8273645190", {"adminPassword": 8273645190}),
    # by value
    "GitHub's token": ("aws_cloudtrail", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", {"note": "{}"}),
    "GitHub's fine token": ("opa_decisions", "github_pat_11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ", {"x": "use {} now"}),
    "GitLab's token": ("opa_decisions", "glpat-aBcDeFgHiJkLmNoPq123", {"x": "{}"}),
    "Slack's token": ("okta_system", "xoxb-123456789012-1234567890123-AbCdEfGhIjKl", {"x": "{}"}),
    "Slack's webhook": (
        "opa_decisions",
        "T00000000/B00000000/XXXXabcdXXXX1234",
        {"u": "https://hooks.slack.com/services/{}"},
    ),
    "Anthropic's key": ("otel_genai", "sk-ant-api03-AbCdEfGh1234567890-IjKlMnOp", {"x": "{}"}),
    "OpenAI's key": ("otel_genai", "sk-proj-AbCdEfGh1234567890IjKlMnOp", {"x": "{}"}),
    "Google's key": ("gcp_audit", "AIzaSyA-1234567890abcdefghijklmnopqrstu", {"x": "{}"}),
    "Google's access token": ("gcp_audit", "ya29.a0AfH6SMBx1234567890abcdefghij", {"x": "{}"}),
    "Vault's token": ("opa_decisions", "hvs.CAESIJ1234567890abcdefghijklmnop", {"x": "{}"}),
    "a JWT": (
        "aws_cloudtrail",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
        {"x": "assertion {} end"},
    ),
    "Stripe's key": ("opa_decisions", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", {"x": "{}"}),
    "SendGrid's key": ("opa_decisions", "SG.ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf09kqeF8tAmbihY", {"x": "{}"}),
    "npm's token": ("opa_decisions", "npm_aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789", {"x": "//registry/:_authToken={}"}),
    "a private key": (
        "kubernetes_audit",
        "MIIEpAIBAAKCAQEA1234567890",
        {"x": "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n"},
    ),
    "a private key that was cut": (
        "opa_decisions",
        "MIIEpAIBAAKCAQEA0987654321",
        {"x": "-----BEGIN EC PRIVATE KEY-----\n{}"},
    ),
    "AWS's secret beside its id": (
        "opa_decisions",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        {"x": "AKIAIOSFODNN7EXAMPLE,{},eu-central-1"},
    ),
    # in text
    "URL's user": ("aws_cloudtrail", "Tr0ub4dor-ly", {"repositoryUrl": "https://deploy:{}@git.example.org/x.git"}),
    "URL's query": (
        "aws_cloudtrail",
        "v4t0k3n-aaaa-bbbb-g1",
        {"url": "https://api.example.org/x?a=1&access_token={}&b=2"},
    ),
    "a presigned URL": (
        "aws_cloudtrail",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        {"url": "https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F2026&X-Amz-Signature={}"},
    ),
    "a shared access signature": (
        "azure_activity",
        "bHVja3lzaWduYXR1cmUxMjM0NTY3ODkw%3D",
        {"u": "https://a.blob.core.windows.net/c?sv=2024&se=x&sig={}"},
    ),
    "an encoded query": ("aws_cloudtrail", "Tr0ub4dor-my", {"next": "https%3A%2F%2Fx%3Fpassword%3D{}%26b%3D2"}),
    "export in a shell": (
        "otel_genai",
        "v4t0k3n-aaaa-bbbb-h1",
        {"command": "cd /x && export GH_TOKEN={} && gh pr list"},
    ),
    "an option": ("otel_genai", "Tr0ub4dor-ny", {"command": "docker login -u ci --password {} registry"}),
    "an option of two words": ("otel_genai", "v4t0k3n-aaaa-bbbb-i1", {"command": "tool --api-key {} run"}),
    "an option in a list": ("kubernetes_audit", "Tr0ub4dor-oy", {"args": ["--user", "ci", "--password", "{}"]}),
    "an option with a sign": ("kubernetes_audit", "v4t0k3n-aaaa-bbbb-j1", {"args": ["--token={}"]}),
    "a header of curl": (
        "otel_genai",
        "v4t0k3n.aaaa.bbbb-k1",
        {"command": "curl -H 'Authorization: Bearer {}' https://x"},
    ),
    "the user of curl": ("otel_genai", "Tr0ub4dor-py", {"command": "curl -s -u ci:{} https://x"}),
    "basic authorization": ("aws_cloudtrail", "Y2k6VHIwdWI0ZG9yLXF5", {"x": "Basic {}"}),
    "sshpass": ("teleport_audit", "Tr0ub4dor-ry", {"command": "sshpass -p {} ssh host"}),
    "mysql": ("teleport_audit", "Tr0ub4dor-sy", {"command": "mysql -u root -p{} -e 'select 1'"}),
    "SQL": ("teleport_audit", "Tr0ub4dor-ty", {"query": "ALTER USER app WITH PASSWORD '{}'"}),
    "YAML": ("kubernetes_audit", "correct horse uy", {"x": "db:\n  user: app\n  password: {}\n  port: 5432\n"}),
    "YAML pairs": ("kubernetes_audit", "Tr0ub4dor-vy", {"x": "env:\n- name: DB_PASSWORD\n  value: {}\n"}),
    "XML": ("aws_cloudtrail", "Tr0ub4dor-wy", {"x": "<server><password>{}</password></server>"}),
    "JSON in a string": ("aws_cloudtrail", "Tr0ub4dor-xy", {"x": '{"db": {"dbPassword": "{}"}}'}),
    "JSON in JSON in a string": (
        "opa_decisions",
        "Tr0ub4dor-yy",
        {"x": json.dumps({"y": json.dumps({"ghToken": "{}1234"})})},
    ),
    "JSON that was cut": ("aws_cloudtrail", "Tr0ub4dor-zy", {"x": '{"user": "a", "dbPassword": "{}", "mor'}),
    "Python's dict": ("otel_genai", "Tr0ub4dor-az", {"x": "{'user': 'a', 'dbPassword': '{}'}"}),
    "a list of headers in text": (
        "otel_genai",
        "v4t0k3n-aaaa-bbbb-l1",
        {"x": "Accept: */*\r\nX-Api-Key: {}\r\nHost: x\r\n"},
    ),
    # in pairs
    "an environment": ("kubernetes_audit", "Tr0ub4dor-bz", {"env": [{"name": "DB_PASSWORD", "value": "{}"}]}),
    "CloudFormation's parameter": (
        "aws_cloudtrail",
        "Tr0ub4dor-cz",
        {"parameters": [{"parameterKey": "DBPassword", "parameterValue": "{}"}]},
    ),
    "a tag": ("aws_cloudtrail", "v4t0k3n-aaaa-bbbb-m1", {"tags": [{"Key": "gh-token", "Value": "{}"}]}),
    "an attribute": ("otel_genai", "Tr0ub4dor-dz", {"http.request.header.x-db-password": "{}"}),
    "a patch": ("kubernetes_audit", "Tr0ub4dor-ez", {"x": [{"op": "add", "path": "/data/password", "value": "{}"}]}),
    "a changed property": (
        "entra_audit",
        "Xy8Q~zzzzzz0123456789ghijklmnopqrs",
        {"x": [{"displayName": "ClientSecret", "newValue": "{}"}]},
    ),
    "a list of headers": ("aws_cloudtrail", "Bearer v4t0k3n-aaaa-bbbb-n1", {"headers": [["Authorization", "{}"]]}),
    # packed
    "base64 of a script": (
        "aws_cloudtrail",
        "base64 a",
        {"userData": ("base64", "#!/bin/sh\nexport DB_PASSWORD=Tr0ub4dor-fz\n")},
    ),
    "base64 of JSON": (
        "opa_decisions",
        "base64 b",
        {"x": ("base64", '{"auths": {"ghcr.io": {"token": "v4t0k3n-aaaa-o1"}}}')},
    ),
    "base64 twice": (
        "opa_decisions",
        "base64 c",
        {"x": ("base64", "password: " + _base64("token=v4t0k3n-aaaa-bbbb-p1"))},
    ),
    "base64 of Windows": ("otel_genai", "base64 d", {"command": ("wide", "$env:password='Tr0ub4dor-gz'")}),
    "base64 of gzip": ("aws_cloudtrail", "base64 e", {"userData": ("gzip", "export DB_PASSWORD=Tr0ub4dor-hz")}),
}

_PACKING: dict[str, Callable[[str], bytes]] = {
    "base64": str.encode,
    "wide": lambda text: text.encode("utf-16-le"),
    "gzip": lambda text: gzip.compress(text.encode()),
}

HARMLESS: dict[str, tuple[str, Any]] = {
    name: ("aws_cloudtrail" if number % 2 else "opa_decisions", value)
    for number, (name, value) in enumerate(
        {
            "tokenType": "Bearer",
            "token_count": 1867,
            "max_tokens": 4096,
            "input_tokens": 512,
            "tokens": "128000",
            "secretName": "prod/orders-db-K1",
            "secretId": "arn:aws:secretsmanager:eu-central-1:1:secret:prod/db-Ab12Cd",
            "secretArn": "arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/db-Ab12Cd",
            "passwordLastUsed": "2026-10-05T08:00:00Z",
            "passwordResetRequired": "true",
            "passwordPolicy": "strict-14",
            "credentialId": "cred-0123456789abcdef",
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "AccessKey": "AKIAIOSFODNN7EXAMPL2",
            "tokenId": "tok_0123456789abcdef",
            "jti": "8d2f4a61-3c7b-4e95-b0d8-6a1e9f52c7d3",
            "sessionId": "s-0123456789abcdef",
            "nextToken": "AAEyMDI2LTEwLTA1VDA5OjAwOjAwWg",
            "pageToken": "CjIwMjYtMTAtMDU6MDEyMzQ1Njc4",
            "clientRequestToken": "7d0c8a4e-55b1-4a27-9f0e-2c8b4d1fa6e3",
            "continuationToken": "1ueGcxLPRx1Tr/XYExHnhbYLgv",
            "authorizationInfo": "storage.objects.get granted v2",
            "authorizationMode": "RBAC-2",
            "SignatureVersion": "SigV4",
            "certificateFingerprint": "5F3A9C0E7B2D4816A9D3C5E7F1B20486C8D2E4F6",
            "hashed_token": "a2V5c2FyZWV4YW1wbGU=",
            "tokenIssuer": "https://sts.windows.net/6f1d2c9e-8a40-4b57-9c3e-2f7b1a0d4e11",
            "passwordless": "fido2-only",
            "hasPassword": "true",
            "resetPassword": "on-next-logon-7",
            "authMethod": "AssumeRoleWithSAML2",
            "keyId": "1234abcd-12ab-34cd-56ef-1234567890ab",
            "kmsKeyArn": "arn:aws:kms:eu-central-1:1:key/1234abcd-12ab",
            "secretVersion": "v17-0123456789",
            "secretRotation": "30-days-1",
            "cookieConsent": "accepted-2026-10-05",
            "signatureAlgorithm": "SHA256WITHRSA2048",
            "apiKeyId": "apikey_01Invoices99",
            "api_key_name": "invoices-2026-10",
            "tokenEndpoint": "https://login.example.org/oauth2/v2.0/token",
            "bearerMethodsSupported": "header-1",
            "credentialType": "federated-identity-2",
            "otpEnabled": "yes-since-2024",
            "passwordExpiresAt": "2026-12-01",
            "encryptionKeyId": "alias/orders-2026-10-key",
            "author": "mira.example.2026@example.org",
            "privateKeyType": "rsa-2048-pkcs8",
            "secretsManagerEnabled": "eu-central-1-only",
            "tokenTtl": "3600s-max",
            "resource": "arn:aws:secretsmanager:eu-central-1:111122223333:secret:payroll/db-Ab12Cd",
            "commit": "9fceb02d0ae598e95dc970b74767f19372d61af8",
            "image": "ghcr.io/x/y@sha256:5f3a9c0e7b2d4816a9d3c5e7f1b20486",
            "etag": "d41d8cd98f00b204e9800998ecf8427e",
            "x-amz-id-2": "gk5r0Yv9Vw7mZc1Qe4uXo2Ht6Jb8Ns3Lp0Aa==",
            "note": "the password reset was asked for by mira",
            "reason": "token expired, please sign in again",
            "description": "Rotates the secret of the orders database",
            "url": "https://example.org/reset?next=/home&tab=2",
            "sql": "select token_count, password_last_used from users",
            "policy": "secretsmanager:GetSecretValue",
            "command": "aws secretsmanager get-secret-value --secret-id prod/orders-db-K2",
            "shell": "docker login --password-stdin registry.example.org",
            "pointer": "export GH_TOKEN=${GITHUB_TOKEN_FROM_CI}",
            "template": "password: {{ vault.db_password_2 }}",
            "header": "Authorization: Bearer <your-token-here>",
            "masked": "password=******** for mira7",
            "trace": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "git": "ssh://git@example.org:2222/x/y2.git",
            "docker": "docker run -u 1000:1000 app:2026",
            "time": "token expires: 2026-10-05T08:00:00Z",
            "base64": base64.b64encode(b"just some notes about the weather of October 2026").decode(),
        }.items()
    )
}


def filled(shape: Any, secret: str) -> Any:
    """A shape with the secret in it; what is packed is packed, and is then the secret itself."""
    if isinstance(shape, tuple):
        packing, text = shape
        return base64.b64encode(_PACKING[packing](text)).decode()
    if isinstance(shape, dict):
        return {name: filled(member, secret) for name, member in shape.items()}
    if isinstance(shape, list):
        return [filled(member, secret) for member in shape]
    return shape.replace("{}", secret) if isinstance(shape, str) else shape


def secrets_of(name: str) -> list[str]:
    """What may stand nowhere: the secret, or of a packed one the whole and what it hides."""
    _, secret, shape = SHAPES[name]
    packed = [member for member in shape.values() if isinstance(member, tuple)]
    return [filled(packed[0], ""), *_words_in(packed[0][1])] if packed else [secret]


def _words_in(text: str) -> list[str]:
    return [
        word
        for word in text.replace("'", "=").replace('"', "=").replace("\n", "=").split("=")
        if "Tr0ub" in word or "v4t0" in word
    ]


def record_with(source: str, value: dict[str, Any], number: int) -> dict[str, Any]:
    """A record of the source that holds the value where that source holds what somebody sent."""
    if source == "aws_cloudtrail":
        return cloudtrail(eventID=f"secret-{number}", requestParameters=value)
    if source == "opa_decisions":
        own = decision(decision_id=f"secret-{number}")
        return {**own, "input": {**own["input"], "arguments": value}}
    if source == "otel_genai":
        named = {name: each if isinstance(each, str) else json.dumps(each) for name, each in value.items()}
        call = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "shell"}
        arguments = {"gen_ai.tool.call.arguments": json.dumps(value)}
        return export(span(number, {**call, **named, **arguments}))
    record = json.loads(json.dumps(sample_records(source)[0]))
    path = {
        "azure_activity": ("properties", "requestbody"),
        "gcp_audit": ("protoPayload", "request"),
        "kubernetes_audit": ("requestObject",),
        "okta_system": ("debugContext", "debugData"),
    }.get(source, ("more",))
    held = json.dumps(value) if source == "azure_activity" else value
    if len(path) == 2 and not isinstance(record.get(path[0]), dict):
        record[path[0]] = {}
    return dict(replaced_at(record, path, held))


def write_shapes(folder: Path) -> None:
    """A file for each source with all its shapes, and one with all that is harmless."""
    of_source: dict[str, list[dict[str, Any]]] = {}
    for number, (source, secret, shape) in enumerate(SHAPES.values(), 1):
        of_source.setdefault(source, []).append(record_with(source, filled(shape, secret), number))
    for source, records in of_source.items():
        (folder / f"{source}.jsonl").write_bytes(as_lines(records) + b"\n")
    write_lines(folder / "approvals.jsonl", [approval()])


def everything_in(home: Path) -> str:
    """All that can be read in a home, as one text: Parquet and the warehouse unpacked, any other file as it is."""
    parts = []
    for path in sorted(path for path in home.rglob("*") if path.is_file()):
        data = path.read_bytes()
        parts.append(data.decode("latin-1"))
        if path.suffix == ".parquet":
            parts += map(str, pq.read_table(path).to_pylist())
        elif path.suffix in (".gz", ".zst"):
            parts.append(gzip.decompress(data).decode("latin-1") if path.suffix == ".gz" else "")
    for path in sorted(home.rglob("*.duckdb")):
        with duckdb.connect(str(path), read_only=True) as con:
            tables = con.execute("select table_schema, table_name from information_schema.tables").fetchall()
            for schema, table in tables:
                parts += map(str, con.execute(f'select * from "{schema}"."{table}"').fetchall())
    return "\n".join(parts)
