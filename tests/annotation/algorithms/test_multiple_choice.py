"""Multiple choice: every label that applies, each with a probability of its own."""

import json

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
        rows.append(multiple_posterior(chosen, [fit.workers[w] for w in answers.worker[at]], fit.crowd))
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


@pytest.mark.parametrize("n_labels", [3, 40])
def test_online_and_batch_agree_and_parameters_are_json(n_labels):
    rng = np.random.default_rng(2)
    truth = rng.random((40, n_labels)) < 0.2
    rates = rng.uniform(0.6, 0.95, (7, n_labels))
    answers = crowd_of(rates, rates, truth, rng, per_task=3)
    fit = fit_multiple(answers)
    assert task_by_task(answers, fit) == pytest.approx(fit.posterior, abs=1e-6)
    assert json.loads(json.dumps([fit.crowd, fit.workers])) == [fit.crowd, fit.workers]
    assert max(len(json.dumps(worker)) for worker in fit.workers) < 200


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
