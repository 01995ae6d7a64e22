"""What holds of every policy: more denies and fewer allows never grant, no order matters, and `unknown` is honest."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from random import Random
from time import process_time
from typing import Any

import policy_random
import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_random import Case
from ultravires_models.policies.context import Missing
from ultravires_models.policies.decide import decide
from ultravires_models.policies.decide_in_scopes import ScopedGrant, ScopedQuestion, decide_in_scopes
from ultravires_models.policies.patterns import Style, covers, matches
from ultravires_models.policies.principals import context_of
from ultravires_models.policies.questions import Answer, Held, Principal, Question

RANK = {"deny": 0, "unknown": 1, "allow": 2}
GROUPS = ("identity", "boundary", "session", "resource", "guardrails", "resource_guardrails")
seeds = st.integers(0, 2**32)
Json = dict[str, Any]


def partly_known(random: Random) -> Case:
    """A random case, in half of which not every key of the request is known, or not every document."""
    case = policy_random.random_case(random)
    if random.random() < 0.5:
        case = replace(case, question=forgotten(case, random))
    if random.random() < 0.2:
        case = replace(case, held=replaced(case.held, lambda document: None if random.random() < 0.3 else document))
    return case


def forgotten(case: Case, random: Random) -> Any:
    """The question with some keys of the request not known."""
    known = context_of(case.question)
    kept = {key: value for key, value in case.question.context.items() if random.random() < 0.6}
    absent = {key: None for key in policy_random.KEYS if known.value(key) is Missing.ABSENT and random.random() < 0.6}
    return replace(case.question, context={**kept, **absent}, complete=False)


def replaced(held: Held, change: Callable[[Any], Any]) -> Held:
    """What is held, each document changed."""

    def documents(name: str) -> Any:
        group = getattr(held, name)
        if name.endswith("guardrails"):
            return [[change(document) for document in level] for level in group]
        return None if group is None else [change(document) for document in group]

    return replace(held, **{name: documents(name) for name in GROUPS})


def answered(case: Case) -> Answer:
    return decide(case.question, case.held)


@given(seeds)
def test_one_more_deny_never_grants(seed: int) -> None:
    """In whatever document it stands."""
    random = Random(seed)
    case = partly_known(random)
    statement = policy_random._Builder(random, case.question).statement()
    deny = {**statement, "effect": "deny", "principals": ["*"]}
    more = replaced(
        case.held, lambda each: None if each is None else [*each, *([deny] if random.random() < 0.4 else [])]
    )
    assert RANK[decide(case.question, more).result] <= RANK[answered(case).result]


@given(seeds)
def test_one_allow_less_never_grants(seed: int) -> None:
    """From whatever document it is taken."""
    random = Random(seed)
    case = partly_known(random)

    def fewer(document: list[Json] | None) -> list[Json] | None:
        kept = [each for each in document or () if each["effect"] == "deny" or random.random() < 0.6]
        return None if document is None else kept

    assert RANK[decide(case.question, replaced(case.held, fewer)).result] <= RANK[answered(case).result]


@given(seeds)
def test_no_order_matters(seed: int) -> None:
    """Of statements, of documents, of levels and of the members of lists, in reason and statements too."""
    random = Random(seed)
    case = partly_known(random)

    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shuffled(each) for key, each in random.sample(list(value.items()), len(value))}
        return random.sample([shuffled(each) for each in value], len(value)) if isinstance(value, list) else value

    other = replace(case.held, **{name: shuffled(getattr(case.held, name)) for name in GROUPS})
    before, after = answered(case), decide(case.question, other)
    assert (after.result, after.reason) == (before.result, before.reason)
    assert sorted(map(ordered, after.statements)) == sorted(map(ordered, before.statements))


def ordered(value: Any) -> str:
    """A statement as text, its lists in an order of their own."""
    if isinstance(value, dict):
        return str(sorted((key, ordered(each)) for key, each in value.items()))
    return str(sorted(map(ordered, value))) if isinstance(value, list) else str(value)


@given(seeds)
def test_what_is_known_of_a_part_holds_of_the_whole(seed: int) -> None:
    """With keys of the request or documents not known, the answer is the one with all of them, or unknown."""
    random = Random(seed)
    case = policy_random.random_case(random)
    whole = answered(case).result
    assert decide(forgotten(case, random), case.held).result in (whole, "unknown")
    lost = replaced(case.held, lambda document: None if random.random() < 0.4 else document)
    assert decide(case.question, lost).result in (whole, "unknown")


@given(seeds)
def test_at_scopes_the_same_holds(seed: int) -> None:
    """A grant less or a deny more never grants there either, and no order matters."""
    random = Random(seed)
    grants = [random_grant(random) for _ in range(random.randint(1, 5))]
    question = ScopedQuestion(frozenset({"ann"}), "storage.objects.get", "b", random.choice((None, ["projects/p"])))
    before = decide_in_scopes(question, grants)
    assert decide_in_scopes(question, random.sample(grants, len(grants))) == before
    allows = [each for each in grants if each.statements and each.statements[0]["effect"] == "allow"]
    fewer = [each for each in grants if each not in allows[:1]]
    assert RANK[decide_in_scopes(question, fewer).result] <= RANK[before.result]
    denied = [*grants, replace(random_grant(random), statements=[{"effect": "deny", "actions": ["*"]}])]
    assert RANK[decide_in_scopes(question, denied).result] <= RANK[before.result]


def random_grant(random: Random) -> ScopedGrant:
    actions = [random.choice(("*", "storage.*", "storage.objects.get", "compute.*"))]
    statement = {"effect": random.choice(("allow", "allow", "deny")), "actions": actions}
    document = None if random.random() < 0.1 else [statement]
    return ScopedGrant(
        document,
        random.choice(("projects/p", "folders/f", None)),
        random.choice((None, None, {"expression": "x"})),
    )


def deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = {"x": [value]}
    return value


ODD_STATEMENTS: tuple[Any, ...] = (
    {},
    None,
    7,
    ["allow"],
    {"effect": "Allow", "actions": ["*"], "resources": ["*"]},
    {"effect": ["allow"], "actions": ["*"], "resources": ["*"]},
    {"effect": "allow", "actions": "*", "resources": ["*"]},
    {"effect": "allow", "actions": [None], "resources": ["*"]},
    {"effect": "allow", "actions": [["*"]], "resources": ["*"]},
    {"effect": "allow", "actions": ["*"], "resources": {"x": "*"}},
    {"effect": "allow", "actions": ["*"], "resources": ["*"], "condition": "x"},
    {"effect": "allow", "actions": ["*"], "resources": ["*"], "condition": {"Bool": ["x"]}},
    {"effect": "allow", "actions": ["*"], "resources": ["*"], "condition": {"Bool": {"x": {"y": 1}}}},
    {"effect": "allow", "actions": ["*"], "resources": ["*"], "condition": {"Bool": {"x": []}}},
    {"effect": "allow", "actions": ["*"], "resources": ["*"], "condition": deep(400)},
    {
        "effect": "allow",
        "actions": ["*"],
        "resources": ["*"],
        "condition": {"IpAddress": {"aws:SourceIp": "x" * 10_000}},
    },
)


@pytest.mark.parametrize("odd", ODD_STATEMENTS, ids=range(len(ODD_STATEMENTS)))
@pytest.mark.parametrize("effect", ["allow", "deny"])
def test_what_is_no_statement_neither_grants_nor_raises(odd: Any, effect: str) -> None:
    """It could be anything: beside an allow a deny, and without one an allow."""
    statement = {**odd, "effect": effect} if isinstance(odd, dict) and odd.get("effect") == "allow" else odd
    user = Principal("arn:aws:iam::111111111111:user/ann", "user", "111111111111")
    question = Question(user, "s3:GetObject", "arn:aws:s3:::b/k", "111111111111", {"aws:SourceIp": "203.0.113.9"})
    everything = {"effect": "allow", "actions": ["*"], "resources": ["*"]}
    beside = [everything] if effect == "deny" else []
    assert decide(question, Held(identity=[[statement, *beside]])).result == "unknown"
    in_scopes = ScopedGrant([statement, *beside])
    assert decide_in_scopes(ScopedQuestion(frozenset(), "s3:GetObject", "b"), [in_scopes]).result == "unknown"


def test_hostile_patterns_take_time_in_proportion() -> None:
    """Patterns at which engines that go back take for ever: four times as long takes a small multiple of the time."""
    for pattern, text in (("*a", "aa"), ("a?*", "aaa"), ("*?", "ab"), ("**", "x"), ("${", "${"), ("*:", "::")):
        short, long = (measured(f"{pattern * n}b", text * n) for n in (500, 8_000))
        assert long < max(short, 0.01) * 16 * 8, (pattern, short, long)


def measured(pattern: str, text: str) -> float:
    began = process_time()
    matches(pattern, text)
    covers(pattern, text)
    return process_time() - began


patterns = st.text("ab:?*", max_size=7)
texts = st.text("ab:", max_size=6)
styles: st.SearchStrategy[Style] = st.sampled_from(("text", "resource", "arn"))


@given(patterns, texts)
def test_a_pattern_matches_what_its_definition_says(pattern: str, text: str) -> None:
    """Read from the left: a star takes nothing, or one character and then again."""
    assert matches(pattern, text) is defined(pattern, text)


@cache
def defined(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return defined(pattern[1:], text) or (bool(text) and defined(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and defined(pattern[1:], text[1:])


arns = st.lists(st.text("ab?*", max_size=3), min_size=1, max_size=7).map(lambda parts: ":".join(["arn", *parts]))
arn_texts = st.lists(st.text("ab", max_size=2), min_size=1, max_size=7).map(lambda parts: ":".join(["arn", *parts]))


@given(arns, arn_texts, styles)
def test_wildcards_of_an_arn_reach_as_far_as_the_page_says(pattern: str, text: str, style: Style) -> None:
    """As a regular expression would have it, written from that page."""
    assert matches(pattern, text, style) is (re.fullmatch(expression(pattern, style), text) is not None)


def expression(pattern: str, style: Style) -> str:
    """Up to the fifth colon a wildcard stays in its segment, save, in a Resource, a star at the segment's end."""
    parts = pattern.split(":", 5)
    within = [part.replace("?", "[^:]").replace("*", "[^:]*") for part in parts[:5]]
    if style == "resource":
        within = [f"{part[:-5]}.*" if part.endswith("[^:]*") else part for part in within]
    if style == "text":
        return pattern.replace("?", ".").replace("*", ".*")
    return ":".join([*within, *(part.replace("?", ".").replace("*", ".*") for part in parts[5:])])


@given(arns | patterns, arns | patterns, arn_texts | texts, styles)
def test_a_pattern_that_covers_another_matches_what_it_does(wide: str, narrow: str, text: str, style: Style) -> None:
    """Never too much; and every pattern covers itself and is covered by `*`."""
    if covers(wide, narrow, style) and matches(narrow, text, style):
        assert matches(wide, text, style)
    assert covers(narrow, narrow, style)
    assert covers("*", narrow, style)


@given(patterns, texts)
def test_a_pattern_covers_each_text_that_it_matches(pattern: str, text: str) -> None:
    """A text is a pattern of itself alone."""
    assert covers(pattern, text) is matches(pattern, text)
