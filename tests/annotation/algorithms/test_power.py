"""Answers needed before any are given: exact, held against counting every outcome and simulated crowds."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.algorithms import power
from annotation.algorithms.power import answers_needed, majority_accuracy, rule_cost
from annotation.algorithms.stopping import Rule


@pytest.mark.parametrize("n_classes", [2, 3, 4])
@pytest.mark.parametrize("n_answers", [1, 2, 3, 5])
def test_the_majoritys_accuracy_is_what_counting_every_outcome_gives(n_answers, n_classes):
    probabilities = [0.55, *[0.45 / (n_classes - 1)] * (n_classes - 1)]
    total = 0.0
    for outcome in product(range(n_classes), repeat=n_answers):
        votes = np.bincount(outcome, minlength=n_classes)
        is_leading = votes == votes.max()
        total += np.prod([probabilities[k] for k in outcome]) * is_leading[0] / is_leading.sum()
    assert majority_accuracy(n_answers, 0.55, n_classes) == pytest.approx(total)


def test_a_second_answer_adds_nothing_to_one_where_there_are_two_classes():
    assert majority_accuracy(2, 0.8, 2) == pytest.approx(0.8)


def test_perfect_volunteers_need_one_answer():
    assert answers_needed(1.0, 5, 0.99).n_answers == 1


def test_more_classes_make_agreement_tell_more():
    assert answers_needed(0.7, 1000, 0.95).n_answers < answers_needed(0.7, 2, 0.95).n_answers


def test_a_wish_that_no_number_fulfils_has_no_number_and_still_its_table():
    needed = answers_needed(0.55, 2, 0.99)
    assert needed.n_answers is None
    assert len(needed.accuracies) == power.MOST_ANSWERS
    assert 0.55 < needed.accuracies[-1] < 0.99


@pytest.mark.parametrize(("accuracy", "n_classes"), [(0.5, 2), (0.2, 5), (1.1, 2), (0.9, 1)])
def test_a_crowd_that_guesses_is_refused(accuracy, n_classes):
    with pytest.raises(ValueError, match=r"an accuracy lies above|two classes"):
        answers_needed(accuracy, n_classes, 0.9)


@given(st.integers(1, 20), st.integers(2, 60), st.floats(0.01, 0.99))
def test_a_majority_is_never_worse_than_one_volunteer_and_odd_numbers_help(n, n_classes, above):
    accuracy = 1 / n_classes + above * (1 - 1 / n_classes)
    value = majority_accuracy(n, accuracy, n_classes)
    assert accuracy - 1e-9 <= value <= 1 + 1e-9
    assert majority_accuracy(n + 2, accuracy, n_classes) >= value - 1e-9


@pytest.mark.parametrize(("accuracy", "n_classes"), [(0.8, 2), (0.7, 4)])
def test_a_rules_cost_is_what_simulated_volunteers_give(accuracy, n_classes):
    rule = Rule(certainty=0.95, first=2, first_while_young=2, most=6)
    rng = np.random.default_rng(0)
    n_tasks = 20_000
    given = np.where(
        rng.random((n_tasks, 6)) < accuracy, 0, rng.integers(1, n_classes, (n_tasks, 6))
    )  # class 0 is true
    n_used, n_right, n_stopped = 0, 0.0, 0
    log_odds = np.log(accuracy * (n_classes - 1) / (1 - accuracy))
    for answers in given:
        for n in range(1, 7):
            votes = np.bincount(answers[:n], minlength=n_classes)
            posterior = np.exp(votes * log_odds) / np.exp(votes * log_odds).sum()
            if n >= 2 and posterior.max() >= 0.95:
                n_stopped += 1
                n_right += votes.argmax() == 0
                break
        n_used += n
    cost = rule_cost(rule, accuracy, n_classes)
    assert cost.answers_per_task == pytest.approx(n_used / n_tasks, abs=0.03)
    assert cost.accuracy == pytest.approx(n_right / n_stopped, abs=0.005)
    assert cost.review_share == pytest.approx(1 - n_stopped / n_tasks, abs=0.01)


def test_stopped_tasks_are_right_at_least_as_often_as_the_rule_is_sure():
    for n_classes in (2, 3, 7):
        for certainty in (0.8, 0.9, 0.97):
            assert rule_cost(Rule(certainty=certainty), 0.75, n_classes).accuracy >= certainty


def test_a_rule_that_can_never_be_sure_sends_everything_to_a_reviewer():
    cost = rule_cost(Rule(certainty=1.0, most=3), 0.7, 3)
    assert (cost.answers_per_task, cost.accuracy, cost.review_share) == (3.0, None, 1.0)
