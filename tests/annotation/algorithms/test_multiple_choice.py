"""Multiple choice: every label that applies, each with a probability of its own."""

import json
from dataclasses import replace

import numpy as np
import pytest

from annotation.algorithms.multiple_choice import LabelSets, fit_multiple, multiple_posterior


def crowd_of(sensitivity, specificity, truth, rng, per_task) -> LabelSets:
    """sensitivity, specificity: [W, K]; truth: bool [T, K]."""
    n_workers = len(sensitivity)
    task = np.repeat(np.arange(len(truth)), per_task)
    worker = np.concatenate([rng.permutation(n_workers)[:per_task] for _ in truth])
    chance = np.where(truth[task], sensitivity[worker], 1.0 - specificity[worker])
    return LabelSets(task, worker, rng.random(chance.shape) < chance, len(truth), n_workers)


def majority(answers: LabelSets) -> np.ndarray:
    n = np.bincount(answers.task, minlength=answers.n_tasks)[:, None]
    return answers.by_task @ answers.chosen.astype(float) / n > 0.5


def task_by_task(answers: LabelSets, fit) -> np.ndarray:
    rows = []
    for t in range(answers.n_tasks):
        at = np.flatnonzero(answers.task == t)
        chosen = [np.flatnonzero(answers.chosen[n]).tolist() for n in at]
        certain = None if answers.certain is None else answers.certain[at].tolist()
        workers = [fit.workers[w] for w in answers.worker[at]]
        rows.append(multiple_posterior(chosen, workers, fit.crowd, certain))
    return np.array(rows)


def test_careful_workers_and_rarely_chosen_labels_count_for_more_than_a_vote():
    """Half the crowd leaves out most of what applies: a vote misses it, their sensitivity excuses them."""
    rng = np.random.default_rng(1)
    truth = rng.random((500, 6)) < 0.3
    sensitivity = np.repeat([[0.92], [0.35]], 5, axis=0) * np.ones(6)
    answers = crowd_of(sensitivity, np.full((10, 6), 0.96), truth, rng, per_task=5)
    fit = fit_multiple(answers)
    by_vote = (majority(answers) == truth).mean()
    assert ((fit.posterior > 0.5) == truth).mean() > by_vote + 0.05
    learned = np.array([np.mean([rates[0] for rates in worker["rates"]]) for worker in fit.workers])
    assert learned[:5].min() > 0.85 and learned[5:].max() < 0.5


@pytest.mark.parametrize("is_asked", [False, True])
@pytest.mark.parametrize("n_labels", [3, 40])
def test_online_and_batch_agree_and_parameters_are_json(n_labels, is_asked):
    rng = np.random.default_rng(2)
    truth = rng.random((40, n_labels)) < 0.2
    rates = rng.uniform(0.6, 0.95, (7, n_labels))
    answers = crowd_of(rates, rates, truth, rng, per_task=3)
    if is_asked:
        answers = replace(answers, certain=rng.integers(-1, 2, len(answers.task)))
    fit = fit_multiple(answers)
    assert task_by_task(answers, fit) == pytest.approx(fit.posterior, abs=1e-6)
    assert json.loads(json.dumps([fit.crowd, fit.workers])) == [fit.crowd, fit.workers]
    assert max(len(json.dumps(worker)) for worker in fit.workers) < (400 if is_asked else 200)
    assert ("certain" in fit.crowd) == is_asked


def doubting_crowd(rng, *, is_worse: bool, truth: np.ndarray) -> LabelSets:
    """Ten say of a third of their answers that they are not sure; these are much worse, or as good as any."""
    rates = np.full((10, truth.shape[1]), 0.9)
    plain = crowd_of(rates, rates, truth, rng, per_task=3)
    doubts = rng.random(len(plain.task)) < 1 / 3
    if is_worse:
        worse = np.where(truth[plain.task], 0.6, 0.35)
        plain.chosen[doubts] = (rng.random(worse.shape) < worse)[doubts]
    return replace(plain, certain=np.where(doubts, 0, -1))


def share_right(fit, truth) -> float:
    return ((fit.posterior > 0.5) == truth).all(axis=1).mean()


def test_what_somebody_doubts_weighs_less_where_their_doubt_is_right():
    rng = np.random.default_rng(6)
    truth = rng.random((600, 5)) < 0.3
    answers = doubting_crowd(rng, is_worse=True, truth=truth)
    fit, without = fit_multiple(answers), fit_multiple(replace(answers, certain=None))
    assert share_right(fit, truth) > share_right(without, truth) + 0.03
    doubted, silent = (multiple_posterior([[0]], fit.workers[:1], fit.crowd, [said])[0] for said in (0, -1))
    assert silent > doubted + 0.3


def test_doubt_that_says_nothing_weighs_nothing():
    rng = np.random.default_rng(6)
    truth = rng.random((600, 5)) < 0.3
    answers = doubting_crowd(rng, is_worse=False, truth=truth)
    fit, without = fit_multiple(answers), fit_multiple(replace(answers, certain=None))
    assert share_right(fit, truth) == pytest.approx(share_right(without, truth), abs=0.01)
    assert np.abs(fit.crowd["certain"][0]).max() < 0.5, "not sure"
    nobody = fit_multiple(replace(answers, certain=np.full(len(answers.task), -1)))
    assert (nobody.crowd, nobody.workers) == (without.crowd, without.workers)
    assert (nobody.posterior == without.posterior).all()


def test_doubt_moves_the_rates_in_log_odds():
    """Four to one, and by a quarter as likely to be right when in doubt: one to one, which says nothing."""
    crowd = {"n_labels": 1, "prior": [0.3], "rates": [[0.8, 0.8]]}
    worker = {"rates": [[0.8, 0.8]], "certain": [[-np.log(4)] * 2, [np.log(4)] * 2, [0.0, 0.0]]}
    found = np.array([multiple_posterior([[0]], [worker], crowd, [said])[0] for said in (0, 1, -1)])
    assert found / (1 - found) == pytest.approx(np.array([1, 16, 4]) * 3 / 7)


def test_gold_is_kept_label_by_label_and_anchors_the_workers():
    rng = np.random.default_rng(3)
    truth = rng.random((60, 4)) < 0.5
    good, inverted = np.full(4, 0.9), np.full(4, 0.2)
    answers = crowd_of(
        np.array([good] * 2 + [inverted] * 3), np.array([good] * 2 + [inverted] * 3), truth, rng, 5
    )
    gold = np.full((60, 4), -1)
    gold[:30, :3] = truth[:30, :3]
    fit = fit_multiple(answers, gold=gold)
    assert (fit.posterior[:30, :3] == truth[:30, :3]).all()
    hidden = gold < 0
    assert ((fit.posterior > 0.5) == truth)[hidden].mean() > 0.9
    assert ((fit_multiple(answers).posterior > 0.5) == truth)[hidden].mean() < 0.5


def test_counts_say_how_each_label_was_met():
    answers = LabelSets(np.zeros(4, int), np.arange(4), np.array([[True, False]] * 4), 1, 4)
    gold = np.array([[1, 0]])
    counts = fit_multiple(answers, gold=gold).counts[0]
    assert counts[0].tolist() == [[1.0, 0.0], [0.0, 0.0]]  # applies, chosen
    assert counts[1].tolist() == [[0.0, 0.0], [0.0, 1.0]]  # does not apply, not chosen


def test_nobody_answered_and_nothing_chosen_are_defined():
    nothing = LabelSets(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 3), bool), 2, 1)
    assert fit_multiple(nothing).posterior == pytest.approx(np.full((2, 3), 0.5))
    empty_sets = LabelSets(np.repeat(np.arange(5), 2), np.tile([0, 1], 5), np.zeros((10, 3), bool), 5, 2)
    assert fit_multiple(empty_sets).posterior.max() < 0.1


def test_columns_of_different_length_are_refused():
    with pytest.raises(ValueError, match="one row for each answer"):
        LabelSets(np.zeros(2, int), np.zeros(2, int), np.zeros((1, 3), bool), 1, 1)
