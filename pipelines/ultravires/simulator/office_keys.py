"""Keys of workloads that an administrator makes or takes away in the office; one is stolen, one taken away in vain."""

from dataclasses import replace

from ultravires.simulator import aws, aws_rights
from ultravires.simulator.bystanders import human_session
from ultravires.simulator.cast import Call, Worker
from ultravires.simulator.changed_plans import ELSEWHERE, REVOKED, SHARED, THIEF_IP, THIEF_PROGRAM
from ultravires.simulator.moments import HOUR, MINUTE
from ultravires.simulator.rights_changed import by_hand
from ultravires.simulator.stage import Stage
from ultravires.simulator.truth import Situation
from ultravires.simulator.worker_runs import run_batch, static_session

_PLACES = ("192.0.2.61", "198.51.100.17", "10.40.12.90", "203.0.113.40")
"""An address of the office, of the runners, of the clusters, and of nobody here."""


def make_key(stage: Stage, worker: Worker, at: int) -> None:
    """The administrator signs in at the console, and makes the worker's key."""
    scribe, human = stage.scribe, stage.human(worker.maker)
    scribe.record(aws.console_login_record(stage.rng, at, human), at)
    session = human_session(stage, human, at, aws.BROWSER)
    key, at = static_session(scribe, worker), at + 3 * MINUTE
    user = worker.subject.rpartition("/")[2]
    scribe.record(aws.new_key_record(stage.rng, at, session, user, key.key), at, session)
    scribe.link(key.node, session.node, "credential>credential")


def key_made_in_the_office(stage: Stage, at: int) -> Situation:
    worker = stage.worker("statement-feed")
    nodes = run_batch(stage, worker, stage.standing[worker.subject], at)
    return Situation(
        "key_made_in_the_office",
        (),
        worker.subject,
        (*nodes, static_session(stage.scribe, worker).node),
        "The key was made in the office, and its workload uses it from the batch hosts, as ever.",
        is_benign=True,
    )


def key_used_from_a_second_place(stage: Stage, at: int) -> Situation:
    worker = stage.worker("rating-feed")
    stolen = replace(static_session(stage.scribe, worker), ip=THIEF_IP, user_agent=THIEF_PROGRAM)
    record = aws.call_record(stage.rng, at, stolen, Call("s3:ListObjects", worker.calls[0].target))
    node = stage.scribe.record(record, at, stolen)
    return Situation(
        "key_used_from_a_second_place",
        (ELSEWHERE,),
        worker.subject,
        (node, stolen.node),
        "The key of the batch hosts is used from an outside network.",
        # Once its holder goes on with it, it lies in two places.
        (SHARED,),
    )


def key_used_from_five_networks(stage: Stage, at: int) -> Situation:
    """No log shows the making of this key, so only its use can tell where it is at home."""
    worker = stage.worker("backup-copy")
    own, call = static_session(stage.scribe, worker), Call("s3:ListObjects", worker.calls[0].target)
    nodes = []
    for number, ip in enumerate((own.ip, *_PLACES)):
        moment, session = at + number * 7 * MINUTE, replace(own, ip=ip)
        nodes.append(stage.scribe.record(aws.call_record(stage.rng, moment, session, call), moment, session))
    return Situation(
        "key_used_from_five_networks",
        (SHARED,),
        worker.subject,
        (*nodes, own.node),
        "The key of a batch user is used from its hosts, the office, a runner, the clusters and from outside.",
        (ELSEWHERE,),
    )


def _of_key(stage: Stage, worker: Worker, at: int, operation: str, **parameters: str) -> str:
    """An administrator does this to the worker's key; the node of it."""
    key, user = static_session(stage.scribe, worker).key, worker.subject.rpartition("/")[2]
    return by_hand(stage, stage.human("otto.brandt"), at, aws_rights.of_key(operation, user, key, **parameters))


def _lists(stage: Stage, worker: Worker, at: int) -> str:
    own, call = static_session(stage.scribe, worker), Call("s3:ListObjects", worker.calls[0].target)
    return stage.scribe.record(aws.call_record(stage.rng, at, own, call), at, own)


def revocation_without_effect(stage: Stage, at: int) -> Situation:
    """The log says that the key is deleted; where it is used nobody heard of it."""
    worker = stage.worker("partner-feed")
    deleted = _of_key(stage, worker, at, "DeleteAccessKey")
    used = _lists(stage, worker, at + 2 * HOUR)
    return Situation(
        "revocation_without_effect",
        (REVOKED,),
        worker.subject,
        (deleted, used, static_session(stage.scribe, worker).node),
        "The key of a batch user is deleted, and two hours later a call with it succeeds.",
    )


def key_given_back(stage: Stage, at: int) -> Situation:
    worker = stage.worker("mail-export")
    off = _of_key(stage, worker, at, "UpdateAccessKey", status="Inactive")
    on = _of_key(stage, worker, at + HOUR, "UpdateAccessKey", status="Active")
    used = _lists(stage, worker, at + 2 * HOUR)
    return Situation(
        "key_given_back",
        (),
        worker.subject,
        (off, on, used, static_session(stage.scribe, worker).node),
        "The key of a batch user is switched off and on again, and used after that.",
        is_benign=True,
    )
