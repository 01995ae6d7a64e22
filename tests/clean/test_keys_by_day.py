"""A key that lasts serves a ticket a day: each day's acts stand under its ticket, and a day without one is seen."""

from pathlib import Path
from typing import Any

import pytest
import ultravires
from small_logs import approval, at, call, write_lines
from ultravires.runs.run import run_once
from ultravires.simulator.truth import OF_EFFECTS
from ultravires.tracing.trace import trace

DAYS = 6
OF_A_DAY = 24 * 60
BOT = "arn:aws:iam::111122223333:user/bot"
KEY = "AKIABOTBOTBOTBOT0001"
OPEN = "select detector_id, message from findings where state = 'open'"


def ticket(day: int) -> dict[str, Any]:
    """For the working hours of one day."""
    return approval(f"APR-{day}", day * OF_A_DAY, subject=BOT, roles=[], actions=["iam:PutRolePolicy"])


def acts(day: int, n: int = 3) -> list[dict[str, Any]]:
    identity = {"type": "IAMUser", "arn": BOT, "userName": "bot", "accountId": "111122223333", "accessKeyId": KEY}
    role = {"roleName": "nightly", "policyName": "p"}
    return [
        call(f"e-{day}-{i}", day * OF_A_DAY + 60 + i, "iam:PutRolePolicy", identity, requestParameters=role)
        for i in range(n)
    ]


class Keys:
    """A home to which one day after the other comes."""

    def __init__(self, folder: Path) -> None:
        self.logs, self.home = folder / "logs", folder / "home"

    def add(self, days: list[int], without_ticket: int | None = None) -> None:
        for day in days:
            if day != without_ticket:
                write_lines(self.logs / f"approvals-{day}.jsonl", [ticket(day)])
            write_lines(self.logs / f"trail-{day}.jsonl", acts(day))
        run_once(self.logs, self.home, config=None, as_of=at(days[-1] * OF_A_DAY + 600))

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with ultravires.open(self.home) as con:
            return con.execute(query).fetchall()

    def steps(self) -> list[tuple[Any, ...]]:
        return self.ask(
            "select native_id, approval_id, accounted_by, confidence, n_hops, chain_id from chain_steps "
            "join events using (event_id) where node_kind = 'activity' order by all"
        )


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    found = Keys(tmp_path_factory.mktemp("keys"))
    found.add([*range(DAYS)])
    return found


def test_each_day_stands_under_its_own_ticket(keys: Keys) -> None:
    """And accuses nobody."""
    assert [row[:5] for row in keys.steps()] == [
        (f"e-{day}-{i}", f"approval:APR-{day}", "standing", 0.5, 1) for day in range(DAYS) for i in range(3)
    ]
    assert keys.ask("select title, message from findings") == []


def test_the_days_of_a_key_are_one_key_to_whoever_looks(keys: Keys) -> None:
    """One credential in the table, whose trace leads to all it did, and that of an act to its key."""
    assert keys.ask("select credential_uid, n_uses from credentials") == [(KEY, 3 * DAYS)]
    with ultravires.open(keys.home) as con:
        assert {f"credential:{KEY}@2026-10-{5 + day:02}" for day in range(DAYS)} < set(trace(con, KEY).below)
        assert {f"credential:{KEY}", f"credential:{KEY}@2026-10-07", "approval:APR-2"} <= set(trace(con, "e-2-0").above)


def test_another_day_changes_nothing_of_the_days_before(tmp_path: Path) -> None:
    """What a new ticket approves begins with it."""
    keys = Keys(tmp_path)
    keys.add([0, 1, 2])
    before = keys.steps()
    keys.add([3])
    assert keys.steps()[: len(before)] == before


def test_a_day_without_a_ticket_is_under_none(tmp_path: Path) -> None:
    """The tickets of the day before and the day after do not excuse it."""
    keys = Keys(tmp_path)
    keys.add([0, 1, 2, 3], without_ticket=2)
    assert {row[0] for row in keys.steps() if row[2] is None} == {"e-2-0", "e-2-1", "e-2-2"}
    found = [row for row in keys.ask(OPEN) if row[0] not in OF_EFFECTS]
    assert [detector for detector, _ in found] == ["ultravires_unapproved_privileged_activity"]
    assert "3 privileged acts" in found[0][1]
