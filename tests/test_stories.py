"""What shares a home in the tests is judged as if it had one for itself: stories are told apart and see their own."""

from pathlib import Path

import pytest
from agent_world import CONFIG, HELPER, THIEF, TRACE, World, otlp, person_asks, put_policy, request, tool
from small_logs import approval, at
from stories import Names, Stories, Story

AROUND = [approval("APR-0", -30), approval("APR-9", 230)]
GIVEN = approval("APR-1", -10, subject="helper", roles=[HELPER], actions=["iam:PutRolePolicy"])
GUILTY = {
    "spans": otlp([person_asks(1, 0, "thief"), request(2, 1, "thief", "e1", 1)]),
    "trail": [put_policy("e1", 1, THIEF, "ASIA1")],
    "approvals": AROUND,
}
HONEST = {
    "spans": otlp([tool(1, 1, "helper", "put", gen_ai__tool__call__id="call_1"), request(2, 1, "helper", "e1", 1)]),
    "trail": [put_policy("e1", 1, HELPER, "ASIA1")],
    "approvals": [*AROUND, GIVEN],
}
told = Stories(config=CONFIG, as_of=at(300), words=("helper", "thief"))


@pytest.mark.parametrize(
    ("alone", "in_a_home_of_many"),
    [
        (HELPER, "arn:aws:iam::111122223312:role/helper12"),
        ("arn:aws:iam::111122223333:role/thief7", "arn:aws:iam::111122223312:role/thief127"),
        ("agent:helper", "agent:helper12"),
        ("the helpers", "the helpers"),
        (f"00-{TRACE}-0000000000000001-01", f"00-{TRACE[:-2]}12-0000000000000001-01"),
        ("APR-1 and TCK-22", "APR-121 and TCK-1222"),
        ("ASIAWORK", "ASIA12WORK"),
        ("'e1'", "'e121'"),
        ('{"requestID": "r-e1"}', '{"requestID": "r-e121"}'),
        (r'"{\"eventID\": \"e1\"}"', r'"{\"eventID\": \"e121\"}"'),
        ("call_1", "call_121"),
        ("ana@example.org", "ana12@example.org"),
        ("us-east-1", "us-east-1"),
        ("s3:GetObject", "s3:GetObject"),
    ],
)
def test_a_name_is_another_one_in_each_story(alone: str, in_a_home_of_many: str) -> None:
    names = Names(12, ("helper", "thief"))
    assert names.told_apart(alone) == in_a_home_of_many
    assert names.as_told([in_a_home_of_many]) == [alone]


SHOWN = """
    select detector_id, subject_uid, actor_uid, message from findings where state = 'open' order by all
"""
STEPS = """
    select native_id, chain_steps.actor_uid, identity_id, approval_id, is_accounted, gaps from chain_steps
    join events using (event_id) order by all
"""


told(**GUILTY)  # nobody asks for it, and nobody may see it


@told.each({"guilty": GUILTY, "honest": HONEST})
def test_a_story_is_judged_as_if_it_had_been_told_alone(story: Story, tmp_path: Path) -> None:
    """The same findings, word for word, and the same steps with the same names."""
    alone = World(tmp_path, **(HONEST if story.case == "honest" else GUILTY))
    assert story.ask(SHOWN) == alone.ask(SHOWN)
    assert bool(story.ask(SHOWN)) == (story.case == "guilty")
    assert story.ask(STEPS) == alone.ask(STEPS) != []
    assert story.is_accounted("e1") == alone.is_accounted("e1") == (story.case == "honest")


def test_of_an_act_that_was_not_told_nothing_is_said(tmp_path: Path) -> None:
    """A test that asks of another name must fail, whatever it expects."""
    world = World(tmp_path, **GUILTY)
    with pytest.raises(AssertionError, match="nothing is known of e7"):
        world.is_accounted("e7")
