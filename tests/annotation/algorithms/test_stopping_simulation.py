"""The simulator of stop rules: it takes what the rule asks for, no more, and the same with the same seed."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.algorithms.crowd import Answers, fit_crowd
from annotation.algorithms.online import task_posterior
from annotation.algorithms.simulated_crowd import answers, of_accuracy
from annotation.algorithms.stopping import Rule
from annotation.algorithms.stopping_simulation import (
    KNOWN_AFTER,
    Verdicts,
    cost_accuracy_curve,
    likeliest_label,
    simulate_rule,
    stored_posterior,
)

NO_AUDIT = Rule(audit_share=0.0)


def one_coin(n_tasks: int, n_classes: int = 2, accuracy: float = 0.8):
    """The posterior where everybody is right with the same known probability."""
    log_odds = np.log(accuracy * (n_classes - 1) / (1 - accuracy))

    def posterior(task, worker, label):
        votes = np.bincount(task * n_classes + label, minlength=n_tasks * n_classes)
        odds = np.exp(votes.reshape(n_tasks, n_classes) * log_odds)
        return odds / odds.sum(axis=1, keepdims=True)

    return posterior


def crowd(n_tasks: int, n_workers: int = 10, n_classes: int = 2, accuracy: float = 0.8, seed: int = 0):
    """Everybody answers every task: truths [T]; task, worker, label [T * W]."""
    rng = np.random.default_rng(seed)
    truths = rng.integers(0, n_classes, n_tasks)
    given = answers([of_accuracy(accuracy, n_classes)] * n_workers, truths, rng)
    worker, task = np.indices(given.shape)
    return truths, task.ravel(), worker.ravel(), given.ravel()


def simulate(task, worker, label, n_tasks, posterior, rule, **options):
    return simulate_rule(
        task, worker, n_tasks, likeliest_label(task, worker, label, posterior), rule, **options
    )


def curve_of(task, worker, label, n_tasks, posterior, rule, *, truth, **options):
    judge = likeliest_label(task, worker, label, posterior)
    return cost_accuracy_curve(
        task, worker, n_tasks, judge, rule, accuracy=lambda replay: replay.share_right(truth), **options
    )


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def everybody(n_workers: int = 10) -> np.ndarray:
    return np.ones(n_workers, dtype=bool)


def test_equal_answers_stop_a_task_and_unequal_ones_are_asked_on():
    """With 0.8 two equal answers are 0.941 sure, three of four only 0.941 again."""
    task = np.repeat([0, 1], [5, 4])
    label = np.array([1, 1, 1, 1, 1, 0, 0, 1, 1])
    replay = simulate(
        task, np.concatenate([np.arange(5), np.arange(4)]), label, 2, one_coin(2),
        Rule(certainty=0.94, audit_share=0), rng=rng(), is_known=everybody(),
    )  # fmt: skip
    assert replay.n_answers[0] == 2
    assert (replay.outcome[0], replay.certainty[0]) == (1, pytest.approx(16 / 17))
    assert not replay.is_reviewed[0] and not replay.has_run_out[0]


def test_a_task_at_the_cap_goes_to_a_reviewer_and_one_without_answers_left_has_run_out():
    task, worker = np.repeat([0, 1], [9, 4]), np.concatenate([np.arange(9), np.arange(4)])
    label = np.array([0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1, 1])
    rule = Rule(certainty=0.9999, most=7)
    replay = simulate(task, worker, label, 2, one_coin(2), rule, rng=rng(), is_known=everybody())
    assert replay.n_answers.tolist() == [7, 4]
    assert replay.is_reviewed.tolist() == [True, False]
    assert replay.has_run_out.tolist() == [False, True]
    assert replay.review_share == 0.5


def test_without_a_volunteer_of_known_skill_nothing_stops():
    _, *given_answers = crowd(20)
    nobody = np.zeros(10, dtype=bool)
    replay = simulate(*given_answers, 20, one_coin(20), NO_AUDIT, rng=rng(), is_known=nobody)
    assert replay.n_answers.tolist() == [7] * 20
    assert replay.is_reviewed.all()


def test_a_young_campaign_starts_with_more_answers_until_somebody_is_known():
    """Everybody is right, so each task stops at its first look, and is known after 20 answers."""
    _, *given_answers = crowd(400, accuracy=1.0)
    replay = simulate(*given_answers, 400, one_coin(400, accuracy=0.99), NO_AUDIT, rng=rng(), first_batch=10)
    n_young = (replay.n_answers == 3).sum()
    assert set(replay.n_answers) == {2, 3}
    assert KNOWN_AFTER / 3 <= n_young < 100


def test_all_tasks_are_young_where_they_start_at_once():
    _, *given_answers = crowd(400, accuracy=1.0)
    replay = simulate(*given_answers, 400, one_coin(400, accuracy=0.99), NO_AUDIT, rng=rng())
    assert (replay.n_answers == 3).all()


def test_audited_tasks_take_one_more_answer_and_show_whether_the_label_held():
    _, *given_answers = crowd(2000, accuracy=0.9)
    replay = simulate(
        *given_answers,
        2000,
        one_coin(2000, accuracy=0.9),
        Rule(audit_share=0.1),
        rng=rng(),
        is_known=everybody(),
    )
    plain = simulate(
        *given_answers, 2000, one_coin(2000, accuracy=0.9), NO_AUDIT, rng=rng(), is_known=everybody()
    )
    assert 150 < replay.is_audited.sum() < 250
    assert np.array_equal(replay.n_answers - replay.is_audited, plain.n_answers)
    assert replay.has_held.sum() > 0.95 * replay.is_audited.sum()
    assert not plain.is_audited.any()


def test_a_stopped_task_is_asked_again_when_a_later_posterior_is_not_sure_of_it():
    """The posterior is sure of everything until it has seen more than the first two answers of each task."""
    _, *given_answers = crowd(10)
    sober = one_coin(10, accuracy=0.6)

    def wavering(task, worker, label):
        probability = sober(task, worker, label)
        if len(task) <= 20:
            probability[:9] = [1.0, 0.0]  # all but the last
        return probability

    replay = simulate(*given_answers, 10, wavering, NO_AUDIT, rng=rng(), is_known=everybody())
    assert (replay.n_answers > 2).all()


def test_the_same_seed_takes_the_same_answers_and_the_order_of_the_file_does_not_matter_for_the_cost():
    _, *columns = crowd(500)
    options = {"is_known": everybody()}
    one = simulate(*columns, 500, one_coin(500), Rule(certainty=0.9), rng=rng(), **options)
    again = simulate(*columns, 500, one_coin(500), Rule(certainty=0.9), rng=rng(), **options)
    assert np.array_equal(one.n_answers, again.n_answers) and np.array_equal(one.outcome, again.outcome)
    turned = [column[::-1] for column in columns]
    other = simulate(*turned, 500, one_coin(500), Rule(certainty=0.9), rng=rng(), **options)
    assert other.answers_per_task == pytest.approx(one.answers_per_task, abs=0.3)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 1000),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(0, 4),
    st.floats(0.5, 1.0),
    st.sampled_from([None, 1, 7]),
)
def test_no_task_takes_more_than_the_cap_or_than_there_are(seed, first, more, to_cap, certainty, first_batch):
    draw = np.random.default_rng(seed)
    task, worker = np.nonzero(draw.random((30, 8)) < 0.6)
    label = draw.integers(0, 3, len(task))
    rule = Rule(certainty, first, first + more, first + more + to_cap, audit_share=0.0)
    replay = simulate(
        task,
        worker,
        label,
        30,
        one_coin(30, 3),
        rule,
        rng=draw,
        is_known=everybody(8),
        first_batch=first_batch,
    )
    n_given = np.bincount(task, minlength=30)
    assert (replay.n_answers <= np.minimum(rule.most, n_given)).all()
    assert (replay.n_answers >= np.minimum(first, n_given)).all()
    stops = ~replay.is_reviewed & ~replay.has_run_out
    assert (replay.certainty[stops] >= certainty).all()
    assert (replay.n_answers[replay.has_run_out] == n_given[replay.has_run_out]).all()


def test_a_task_nobody_answered_has_run_out():
    replay = simulate(
        np.array([0, 0]), np.array([0, 1]), np.array([1, 1]), 2, one_coin(2), Rule(certainty=0.9), rng=rng(),
        is_known=everybody(2),
    )  # fmt: skip
    assert replay.n_answers[1] == 0 and replay.has_run_out[1]
    nothing = np.zeros(0, dtype=int)
    assert len(simulate(nothing, nothing, nothing, 0, one_coin(0), Rule(), rng=rng()).outcome) == 0


def test_stopping_when_sure_beats_as_many_answers_for_all():
    truths, *columns = crowd(3000, accuracy=0.75)
    replay = simulate(
        *columns, 3000, one_coin(3000, accuracy=0.75), Rule(certainty=0.93, audit_share=0), rng=rng(),
        is_known=everybody(),
    )  # fmt: skip
    task, worker, label = columns
    votes = np.bincount(task[worker < 5] * 2 + label[worker < 5]).reshape(-1, 2)
    assert replay.answers_per_task < 5
    assert replay.share_right(truths) > (votes.argmax(axis=1) == truths).mean()


def test_the_stored_posterior_is_the_fits_own():
    _, task, worker, label = crowd(60, n_classes=3)
    fit = fit_crowd(Answers(task, worker, label, 60, 10, 3))
    posterior = stored_posterior(60, fit.workers, fit.crowd)
    prior = posterior(task[:0], worker[:0], label[:0])
    assert np.allclose(prior, task_posterior([], [], fit.crowd))
    of_three = worker < 3
    posterior(task[of_three], worker[of_three], label[of_three])  # all tasks have other answers afterwards
    assert np.allclose(posterior(task, worker, label), fit.posterior, atol=1e-6)


@pytest.mark.parametrize("method", ["majority", "one_coin", "dawid_skene", "engine"])
def test_the_stored_posterior_of_all_tasks_is_that_of_each_by_itself(method):
    _, task, worker, label = crowd(200, n_classes=3)
    fit = fit_crowd(Answers(task, worker, label, 200, 10, 3), method=method)
    workers = [*fit.workers[:9], None]
    warm = fit.crowd | {"temperature": 2.5, "log_lead": [-1.0, 0.0, 0.5]}
    found = stored_posterior(200, workers, warm)(task, worker, label)
    for t in range(200):
        own = task == t
        expected = task_posterior(label[own].tolist(), [workers[w] for w in worker[own]], warm)
        assert found[t] == pytest.approx(expected, abs=1e-9)


def test_a_curve_costs_more_and_is_right_more_often_the_surer_it_wants_to_be():
    truths, *columns = crowd(1500, accuracy=0.75)
    curve = curve_of(
        *columns, 1500, one_coin(1500, accuracy=0.75), NO_AUDIT,
        thresholds=[0.6, 0.85, 0.95, 0.99], seed=3, truth=truths, is_known=everybody(),
    )  # fmt: skip
    costs = [point.answers_per_task for point in curve]
    assert costs == sorted(costs) and costs[0] < 2.5 < 4 < costs[-1]
    assert curve[-1].accuracy > curve[0].accuracy + 0.05
    assert curve[0].review_share < curve[-1].review_share


def test_a_curve_of_outcomes_that_nothing_is_known_of_says_what_they_cost_alone():
    _, *columns = crowd(300)
    (point,) = curve_of(
        *columns, 300, one_coin(300), NO_AUDIT, thresholds=[0.9], seed=3, truth=np.full(300, -1),
        is_known=everybody(),
    )  # fmt: skip
    assert point.accuracy is None
    assert point.answers_per_task >= 2


def test_a_judge_sees_each_tasks_answers_in_one_order_however_many_have_been_drawn():
    """And may be of any kind: this one is sure once it has seen the answer that it waits for."""
    task, worker = np.repeat([0, 1], 6), np.tile(np.arange(6), 2)
    seen: list[list[int]] = []

    def waits(drawn):
        seen.append(drawn.tolist())
        certainty, outcome = np.zeros(2), np.full(2, -1)
        for t, awaited in ((0, 3), (1, 9)):
            if awaited in drawn:
                certainty[t], outcome[t] = 1.0, awaited
        return Verdicts(certainty, outcome)

    rule = Rule(first=1, first_while_young=1, most=6, audit_share=0.0)
    replay = simulate_rule(task, worker, 2, waits, rule, rng=rng(), is_known=everybody(6))
    assert replay.outcome.tolist() == [3, 9]
    orders = [[n for n in seen[-1] if task[n] == t] for t in (0, 1)]
    assert [order[-1] for order in orders] == [3, 9], "each stopped with the answer that it waited for"
    assert replay.n_answers.tolist() == [len(order) for order in orders]
    for drawn in seen:
        for t, order in enumerate(orders):
            own = [n for n in drawn if task[n] == t]
            assert own == order[: len(own)]


def test_a_hundred_thousand_answers_are_replayed_in_seconds():
    _, task, worker, label = crowd(20_000, n_workers=5)
    parameters = [{"accuracy": 0.8}] * 5
    shared = {
        "method": "one_coin", "n_classes": 2, "temperature": 1.0, "unknown_worker": {"accuracy": 0.8},
        "models": [{"weight": 1.0, "prior": [0.5, 0.5], "guess": [0.5, 0.5]}],
    }  # fmt: skip
    began = time.perf_counter()
    posterior = stored_posterior(20_000, parameters, shared)
    simulate(task, worker, label, 20_000, posterior, Rule(), rng=rng(), is_known=everybody(5))
    assert time.perf_counter() - began < 20
