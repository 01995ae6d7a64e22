"""Which changes take something back: the smallest set, by brute force, and what is decided after it."""

from collections.abc import Sequence
from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lineage_rows import ACCOUNT, ALICE, ALL, BUCKET, IAM, OWN, TEAM, limit, row, said_by
from ultravires.lineage.changes import Change, after
from ultravires.lineage.entitlement import Entitlement
from ultravires.lineage.hitting import Cost, hit_all
from ultravires.lineage.judging import Asked, judge
from ultravires.lineage.revocation import Others, all_changes, answer, revoke, ways_of

GET = Asked((ALICE,), "s3:GetObject", f"{BUCKET}/x", ACCOUNT)
MANAGED = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/k"


def sentences(rows: Sequence[Entitlement], asked: Asked = GET, others: Others | None = None) -> list[str]:
    revocation = revoke(rows, [asked], others or {})
    assert revocation is not None and revocation.changes is not None
    assert revocation.is_smallest
    return [change.sentence(asked.action) for change in revocation.changes]


ELEMENTS = st.integers(0, 6)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.frozensets(ELEMENTS, min_size=1, max_size=4), max_size=8), st.lists(ELEMENTS, min_size=7, max_size=7)
)
def test_no_smaller_and_no_cheaper_choice_meets_every_way(ways: list[frozenset[int]], weights: list[int]) -> None:
    """As trying every choice there is says."""
    costs: dict[int, Cost] = {element: (weights[element], element) for element in range(7)}
    hit = hit_all(ways, costs)
    assert hit is not None and hit.is_smallest
    every = [
        (len(chosen), tuple(map(sum, zip(*(costs[each] for each in chosen), strict=True))))
        for size in range(8)
        for chosen in combinations(range(7), size)
        if all(way & set(chosen) for way in ways)
    ]
    assert (len(hit.chosen), tuple(map(sum, zip(*(costs[each] for each in hit.chosen), strict=True)))) == min(every)


@given(st.lists(st.frozensets(ELEMENTS, min_size=1), max_size=8), st.randoms())
def test_the_order_of_ways_changes_nothing(ways: list[frozenset[int]], random: Random) -> None:
    """Nor how often one is there."""
    costs: dict[int, Cost] = {element: (1, element) for element in range(7)}
    shuffled = [*ways, *ways]
    random.shuffle(shuffled)
    assert hit_all(ways, costs) == hit_all(shuffled, costs)


def test_a_way_that_nothing_ends_has_no_answer() -> None:
    """No set of changes meets an empty way."""
    assert hit_all([[], [1]], {1: (1,)}) is None


def test_a_search_that_takes_too_long_says_so() -> None:
    """What is found by then meets every way, and may not be the smallest."""
    ways = [frozenset({a, b, c}) for a, b, c in combinations(range(24), 3) if (a * 7 + b * 5 + c) % 5 == 0]
    hit = hit_all(ways, {element: (element,) for element in range(24)})
    assert hit is not None and all(way & set(hit.chosen) for way in ways)
    assert not hit.is_smallest


HOLDERS = st.sampled_from([(OWN,), (TEAM, OWN), (TEAM, MANAGED), (ALL, TEAM, OWN), (f"{ALICE}#x",), (MANAGED,)])
ACTIONS = st.sampled_from(["s3:*", "s3:Get*", "s3:GetObject", "sqs:*", "*"])
RESOURCES = st.sampled_from(["*", f"{BUCKET}/*", f"{BUCKET}/y"])
CONDITIONS = st.sampled_from([None, None, None, '[{"Bool": {"aws:MultiFactorAuthPresent": "true"}}]'])


@st.composite
def worlds(draw: st.DrawFn) -> list[Entitlement]:
    """Paths to policies, with some that deny, a boundary, a guardrail, and what the bucket itself says."""
    rows = []
    for number in range(draw(st.integers(0, 6))):
        effect = draw(st.sampled_from(["allow", "allow", "allow", "allow", "deny", "unknown"]))
        path, action, resource = draw(HOLDERS), draw(ACTIONS), draw(RESOURCES)
        patterns = {"action_pattern": action, "resource_pattern": resource, "condition": draw(CONDITIONS)}
        unread = {"action_pattern": None, "resource_pattern": None, "condition": None}
        rows.append(row(f"r{number}", *path, effect=effect, **(unread if effect == "unknown" else patterns)))
    if draw(st.booleans()):
        rows.append(said_by("b", BUCKET, draw(st.sampled_from([f"AWS:{ALICE}", "*", f"AWS:{ACCOUNT}"]))))
    if draw(st.booleans()):
        rows.append(limit("l", f"{IAM}policy/l", relation="boundary", action_pattern=draw(ACTIONS)))
    if draw(st.booleans()):
        rows.append(limit("g", "p-1", relation="guardrail", effect="deny", action_pattern="sqs:*"))
    return rows


@settings(deadline=None, max_examples=200)
@given(worlds())
def test_after_the_changes_it_is_no_longer_allowed(rows: list[Entitlement]) -> None:
    """With the set that is proposed, and with no smaller one: every smaller set of changes is tried."""
    first = judge(rows, GET).result
    revocation = revoke(rows, [GET], {})
    assert (revocation is None) == (first == "deny")
    if revocation is None or revocation.changes is None:
        return
    assert judge(after(rows, revocation.changes, GET.action), GET).result == revocation.result != "allow"
    if first == "allow":
        known = all_changes(ways_of(rows, [GET], ("allow",)))
        for chosen in combinations(known, len(revocation.changes) - 1):
            assert judge(after(rows, chosen, GET.action), GET).result == "allow"
    sure = [*revocation.changes, *revocation.to_be_sure]
    assert judge(after(rows, sure, GET.action), GET).result != "allow"


@settings(deadline=None, max_examples=50)
@given(worlds(), st.randoms())
def test_the_order_of_rows_changes_no_proposal(rows: list[Entitlement], random: Random) -> None:
    """Two people who ask are told the same."""
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert revoke(rows, [GET], {}) == revoke(shuffled, [GET], {})


def test_the_nearest_change_is_taken_first() -> None:
    """One path: at equal size and where nobody else loses, who holds it leaves the group."""
    assert sentences([row("1", ALL, TEAM, OWN)]) == [f"take {ALICE} out of {ALL}"]


def test_a_nested_group_is_left_where_both_ways_meet() -> None:
    """Two groups lead into one: two memberships, or the one between it and the next."""
    one, two = f"{IAM}group/one", f"{IAM}group/two"
    rows = [row("1", one, TEAM, MANAGED), row("2", two, TEAM, MANAGED)]
    assert sentences(rows) == [f"detach {MANAGED} from {TEAM}"]


def test_of_two_that_are_as_few_the_one_that_takes_less_from_others() -> None:
    """Leaving the group, where others have the policy too; not the document, by which all lose."""
    rows = [row("1", TEAM, OWN)]
    detach = Change("detach", TEAM, OWN)
    edit = Change("edit_document", document=OWN)
    leave = Change("leave", ALICE, TEAM)
    assert sentences(rows, others={detach: 0, edit: 0, leave: 3})[0] == f"detach {OWN} from {TEAM}"
    assert sentences(rows, others={detach: 5, edit: 9, leave: 3})[0] == f"take {ALICE} out of {TEAM}"


def test_what_is_the_vendors_is_not_changed() -> None:
    """Nobody edits a policy of AWS; two ways to it need two changes."""
    assert len(sentences([row("1", TEAM, MANAGED), row("2", MANAGED)])) == 2
    assert len(sentences([row("1", TEAM, OWN), row("2", OWN)])) == 1


def test_a_name_with_a_path_is_no_change() -> None:
    """That it means the name without is no membership that anybody could end."""
    pathed = f"{IAM}user/sales/alice"
    grants = [f"name {pathed}", "g1"]
    held = row("1", ALICE, f"{ALICE}#x", holder=pathed, grant_ids=grants)
    asked = Asked((ALICE, pathed), "s3:GetObject", f"{BUCKET}/x", ACCOUNT)
    assert sentences([held], asked) == [f"delete the policy x in {ALICE}"]


def test_a_binding_is_removed_by_its_id() -> None:
    """Of two bindings of one role at two places each is one of its own."""
    rows = [
        row("1", "roles/editor", holder="sa", binding_uids=["b-1"], scope_uid="projects/p", action_pattern="storage.*"),
        row("2", "roles/editor", holder="sa", binding_uids=[None], scope_uid="projects/q", action_pattern="storage.*"),
    ]
    asked = Asked(("sa",), "storage.objects.get", "projects/p")
    assert sentences(rows[:1], asked) == ["remove binding b-1, which gives roles/editor to sa at projects/p"]
    asked = Asked(("sa",), "storage.objects.get", "projects/q")
    assert sentences(rows[1:], asked) == ["detach roles/editor from sa at projects/q"]


def test_a_policy_of_the_resource_is_one_of_the_changes() -> None:
    """What the bucket says of her, and what it says of everybody, for whom anybody would lose."""
    rows = [row("1", OWN), said_by("2", BUCKET, f"AWS:{ALICE}", resource_pattern=f"{BUCKET}/*")]
    assert sentences(rows) == [
        f"detach {OWN} from {ALICE}",
        f"take {ALICE} out of what allows s3:GetObject in the policy of {BUCKET}",
    ]
    assert sentences([said_by("2", BUCKET, "*")]) == [
        f"take everybody out of what allows s3:GetObject in the policy of {BUCKET}"
    ]


def test_where_both_sides_have_to_allow_one_is_enough() -> None:
    """A key's policy names the account, and her policy allows: either change ends it."""
    rows = [
        row("1", OWN, action_pattern="kms:*"),
        row("2", TEAM, MANAGED, action_pattern="kms:Decrypt"),
        said_by("3", KEY, f"AWS:{IAM}root", action_pattern="kms:*", resource_pattern="*"),
    ]
    asked = Asked((ALICE,), "kms:Decrypt", KEY, ACCOUNT)
    assert judge(rows, asked).result == "allow"
    assert sentences(rows, asked) == [f"take {IAM}root out of what allows kms:Decrypt in the policy of {KEY}"]


@pytest.mark.parametrize(
    ("more", "result", "reason"),
    [
        ([limit("l", f"{IAM}policy/l", relation="boundary", action_pattern="sqs:*")], "deny", "boundary"),
        ([limit("l", f"{IAM}policy/l", relation="boundary", action_pattern="s3:Get*")], "allow", "identity policy"),
        ([limit("g", "p-1", relation="guardrail", effect="deny", action_pattern="s3:*")], "deny", "explicit deny"),
        ([limit("g", "ou-1", "p-1", relation="guardrail", effect="deny", action_pattern="sqs:*")], "allow", "policy"),
        ([row("d", TEAM, OWN, effect="deny", action_pattern="s3:Get*")], "deny", "explicit deny"),
        ([row("d", TEAM, OWN, effect="deny", resource_pattern=f"{BUCKET}/y")], "allow", "identity policy"),
        ([row("u", TEAM, OWN, effect="unknown", action_pattern=None, resource_pattern=None)], "unknown", "deny may"),
        ([said_by("d", BUCKET, "*", effect="deny")], "deny", "explicit deny"),
    ],
)
def test_what_limits_decides_with_what_is_held(more: list[Entitlement], result: str, reason: str) -> None:
    """A boundary, a guardrail of the account or of what it lies in, a deny, a policy that could not be read."""
    found = judge([row("1", MANAGED), *more], GET)
    assert (found.result, reason in found.reason) == (result, True)


def test_a_level_without_the_policy_that_allows_all_says_so_itself() -> None:
    """That an export lists what is attached, or that it was taken, shows that nothing else is."""
    allowed = limit("g", "p-1", relation="guardrail", action_pattern="sqs:*")
    assert judge([row("1", MANAGED), allowed], GET).result == "allow"
    listed = limit("g", "p-1", relation="guardrail", action_pattern="sqs:*", start_by="snapshot")
    assert judge([row("1", MANAGED), listed], GET).result == "deny"


def test_a_condition_that_no_log_decides_is_unknown_and_can_be_taken_back() -> None:
    """It may be allowed; the change ends that, too."""
    rows = [row("1", OWN, condition='[{"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}]', is_conditional=True)]
    revocation = revoke(rows, [GET], {})
    assert judge(rows, GET).result == "unknown"
    assert revocation is not None and revocation.changes is not None
    assert (revocation.changes[0].sentence(GET.action), revocation.result) == (f"detach {OWN} from {ALICE}", "deny")


def test_what_is_left_unknown_can_be_taken_too() -> None:
    """The certain way goes first; for the conditional one there is a change to be sure."""
    conditional = row("2", TEAM, MANAGED, condition='[{"Bool": {"aws:SecureTransport": "true"}}]')
    revocation = revoke([row("1", OWN), conditional], [GET], {})
    assert revocation is not None and revocation.changes is not None
    assert [each.sentence(GET.action) for each in revocation.changes] == [f"detach {OWN} from {ALICE}"]
    assert (revocation.result, [each.sentence(GET.action) for each in revocation.to_be_sure]) == (
        "unknown",
        [f"take {ALICE} out of {TEAM}"],
    )


def test_a_deny_of_all_but_some_of_a_pattern_is_unknown() -> None:
    """Without a resource, whether it is denied depends on which it is."""
    rows = [row("1", MANAGED), row("2", OWN, effect="deny", except_resources=[f"{BUCKET}/public/*"])]
    found, _ = answer(rows, [Asked((ALICE,), "s3:GetObject", "*", ACCOUNT)])
    assert (found.result, found.reason) == ("unknown", "it depends on the resource")


def test_everybodys_power_in_scopes_is_decided_there() -> None:
    """A role at a project counts in it and not beside it; a deny of the project for somebody else denies nothing."""
    held = row("1", "group:ops", "roles/editor", holder="sa", scope_uid="projects/p", action_pattern="storage.*")
    guard = limit("g", "deny-1", relation="guardrail", holder="projects/p", effect="deny", principal="user:x")
    asked = Asked(("sa",), "storage.objects.get", "projects/p/buckets/b")
    assert judge([held, guard], asked).result == "allow"
    assert judge([held], Asked(("sa",), "storage.objects.get", "projects/q")).result == "unknown"
    own = limit("g", "deny-1", relation="guardrail", holder="projects/p", effect="deny", principal="sa")
    assert judge([held, limit("g", "d", relation="guardrail", holder="projects/p", effect="deny", principal="sa",
                              action_pattern="storage.*")], asked).result == "deny"  # fmt: skip
    assert judge([held, own], asked).result == "allow"


@pytest.mark.parametrize(("plane", "result"), [("actions", "deny"), ("dataActions", "allow"), (None, "allow")])
def test_a_role_of_azure_gives_of_data_only_what_it_lists_there(plane: str | None, result: str) -> None:
    """`*` among its actions is of the resource and not of what is in it."""
    action = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
    named = row("1", "role-1", holder="x", scope_uid="/subscriptions/s", action_pattern=action, plane="dataActions",
                condition='["never"]')  # fmt: skip
    held = row("2", "role-2", holder="x", scope_uid="/subscriptions/s", action_pattern="*", plane=plane)
    found = judge([named, held], Asked(("x",), action, "/subscriptions/s/c"))
    assert found.result == ("unknown" if result == "deny" else result)
