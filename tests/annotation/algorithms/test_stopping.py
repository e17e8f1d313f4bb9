"""The stop rule: never past the cap, never without somebody whose skill is known, and readable both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.algorithms.stopping import Rule, decide, parse_rule

SURE, UNSURE = [0.99, 0.01], [0.7, 0.3]


@st.composite
def rules(draw):
    first = draw(st.integers(1, 5))
    young = draw(st.integers(first, 7))
    return Rule(
        certainty=draw(st.integers(1, 1000)) / 1000,
        first=first,
        first_while_young=young,
        most=draw(st.integers(young, 20)),
        audit_share=draw(st.integers(0, 1000)) / 1000,
    )


def test_a_sure_task_stops_once_it_has_its_first_answers():
    assert decide(SURE, 1, Rule(), knows_skill=True, young=False) == "ask"
    assert decide(SURE, 2, Rule(), knows_skill=True, young=False) == "stop"


def test_a_young_campaign_waits_for_one_more_answer():
    assert decide(SURE, 2, Rule(), knows_skill=True, young=True) == "ask"
    assert decide(SURE, 3, Rule(), knows_skill=True, young=True) == "stop"


def test_an_unsure_task_is_asked_again_until_the_cap_and_then_goes_to_a_reviewer():
    verdicts = [decide(UNSURE, n, Rule(), knows_skill=True, young=False) for n in range(1, 9)]
    assert verdicts == ["ask"] * 6 + ["review"] * 2


def test_a_sure_task_at_the_cap_stops():
    assert decide(SURE, 7, Rule(), knows_skill=True, young=False) == "stop"


def test_a_sure_task_without_a_volunteer_of_known_skill_goes_to_a_reviewer_at_the_cap():
    assert decide(SURE, 6, Rule(), knows_skill=False, young=False) == "ask"
    assert decide(SURE, 7, Rule(), knows_skill=False, young=False) == "review"


@given(
    rules(),
    st.lists(st.floats(0.001, 1), min_size=1, max_size=6),
    st.integers(0, 30),
    st.booleans(),
    st.booleans(),
)
def test_nothing_is_asked_past_the_cap_or_stopped_too_soon(rule, odds, n_answers, knows_skill, young):
    posterior = [odd / sum(odds) for odd in odds]
    verdict = decide(posterior, n_answers, rule, knows_skill=knows_skill, young=young)
    if n_answers >= rule.most:
        assert verdict != "ask"
    else:
        assert verdict != "review"
    if verdict == "stop":
        assert knows_skill
        assert max(posterior) >= rule.certainty
        assert n_answers >= (rule.first_while_young if young else rule.first)


@given(rules(), st.floats(0, 1), st.integers(1, 20), st.booleans())
def test_a_surer_task_never_asks_where_a_less_sure_one_stops(rule, p, n_answers, young):
    lower, higher = sorted([p, 1 - p])
    state = {"knows_skill": True, "young": young}
    if decide([lower], n_answers, rule, **state) == "stop":
        assert decide([higher], n_answers, rule, **state) == "stop"


@given(rules())
def test_a_rule_in_words_reads_back_as_the_same_rule(rule):
    assert parse_rule(str(rule)) == rule


def test_a_rule_is_read_from_clauses_in_any_order_and_case_and_in_per_cent():
    assert parse_rule("At most 1 answer") == Rule(first=1, first_while_young=1, most=1)
    assert parse_rule("audit 5%, stop at 95 % sure, start with 4 answers") == Rule(
        certainty=0.95, first=4, first_while_young=4, audit_share=0.05
    )
    assert parse_rule("start with 9") == Rule(first=9, first_while_young=9, most=9)
    assert parse_rule("") == Rule()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("stop when sure", "a rule cannot say 'stop when sure'"),
        ("at most 5 answers, at most 7 answers", "says twice what 'at most 7 answers' says"),
        ("stop at 1.5 sure", "certainty must lie above 0 and not above 1, not 1.5"),
        ("stop at 0 sure", "certainty must lie above 0"),
        ("start with 5 answers, at most 3 answers", "1 <= first <= first_while_young <= most"),
        ("at most 0 answers", "1 <= first"),
        ("audit 200 %", "audit_share must lie in"),
    ],
)
def test_words_that_make_no_rule_are_refused_with_the_reason(words, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse_rule(words)
