"""One request that a log tells in several records is one activity, in whatever files and order they arrive."""

import json
from pathlib import Path
from typing import Any

import ultravires
from source_samples import SAMPLES
from tables_compared import differences
from ultravires.runs.run import run_once

AS_OF = "2026-10-06T00:00:00+00:00"


def counted(home: Path) -> list[tuple[str, str]]:
    with ultravires.open(home) as con:
        return con.execute(
            "select label, outcome from chain_steps where node_kind = 'activity' order by all"
        ).fetchall()


def is_earlier(record: dict[str, Any]) -> bool:
    """Whether it tells of a request before its end, in Kubernetes' own words or in Google's."""
    operation = record.get("operation", {"last": True})
    return record.get("stage") in ("RequestReceived", "ResponseStarted") or not operation.get("last")


def test_stages_that_come_late_or_early_make_one_activity(tmp_path: Path) -> None:
    """The answer first and the question a run later ends in the tables of one load: the answer stands."""
    lines = SAMPLES["kubernetes_audit"].splitlines()
    earlier = [line for line in lines if is_earlier(json.loads(line))]
    inbox, home, whole = tmp_path / "inbox", tmp_path / "home", tmp_path / "whole"
    inbox.mkdir()
    for name, batch in (("a", [line for line in lines if line not in earlier]), ("b", earlier)):
        (inbox / name).write_bytes(b"\n".join(batch))
        run_once(inbox, home, config=None, as_of=AS_OF)
    run_once(inbox, whole, config=None, as_of=AS_OF)
    assert differences(whole, home) == []
    assert counted(home) == [
        ("k8s:clusterrolebindings:create", "success"),
        ("k8s:clusterrolebindings:create", "success"),
        ("k8s:configmaps:patch", "success"),
        ("k8s:namespaces:create", "failure"),
        ("k8s:nonresource:get", "success"),
        ("k8s:pods/exec:create", "success"),
        ("k8s:pods/exec:create", "success"),
        ("k8s:pods:watch", "success"),
        ("k8s:secrets:delete", "failure"),
        ("k8s:secrets:list", "denied"),
        ("k8s:secrets:list", "denied"),
        ("k8s:serviceaccounts/token:create", "success"),
        ("k8s:serviceaccounts/token:create", "success"),
    ]
    with ultravires.open(home) as con:
        assert con.execute("select count(*) from events").fetchone() == (16,)
