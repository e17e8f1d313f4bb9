"""The model as one more annotator of sets: heard label by label, never above one and a half people."""

import numpy as np
import pytest
from scipy.special import expit, logit

from annotation.algorithms.model_of_sets import (
    evidence_on_labels,
    measured_annotator_of_sets,
    model_of_sets_earns_its_place,
    sets_with_model,
)
from annotation.algorithms.multiple_choice import LabelSets, fit_multiple

N_LABELS = 5


def human_sets(truth, rng, per_task, sensitivity=0.75, specificity=0.9) -> LabelSets:
    task = np.repeat(np.arange(len(truth)), per_task)
    worker = np.concatenate([rng.permutation(12)[:per_task] for _ in truth])
    chance = np.where(truth[task], sensitivity, 1.0 - specificity)
    return LabelSets(task, worker, rng.random(chance.shape) < chance, len(truth), 12)


def predictions(truth, rng, spread) -> np.ndarray:
    """[T, K], calibrated: a normal score whose mean is one standard deviation off by `spread` either way."""
    score = rng.normal(np.where(truth, 1.0, -1.0) * spread / 2)
    return expit(logit(truth.mean(axis=0)) + spread * score)


def annotator_for(fit, answers, probabilities):
    n_people = np.bincount(answers.task, minlength=answers.n_tasks)
    return measured_annotator_of_sets(probabilities, fit.posterior, n_people, fit.crowd)


def share_right(posterior, truth) -> float:
    return float(((posterior > 0.5) == truth).all(axis=1).mean())


def crowd_and_truth(seed, per_task=2):
    rng = np.random.default_rng(seed)
    truth = rng.random((1500, N_LABELS)) < 0.3
    answers = human_sets(truth, rng, per_task)
    return rng, truth, answers, fit_multiple(answers)


def test_a_useful_model_brings_most_of_what_it_could_to_two_answers():
    rng, truth, two, fit = crowd_and_truth(1)
    probabilities = predictions(truth, rng, spread=2.0)
    together = sets_with_model(fit.posterior, probabilities, annotator_for(fit, two, probabilities))
    assert share_right(together, truth) > share_right(fit.posterior, truth) + 0.05
    ideal = expit(logit(fit.posterior) + logit(probabilities) - logit(truth.mean(axis=0)))
    assert share_right(together, truth) > share_right(ideal, truth) - 0.03
    assert model_of_sets_earns_its_place(fit.posterior, together, truth.astype(int)).earned


def test_a_model_that_guesses_is_worth_nothing_and_does_not_earn_its_place():
    rng, truth, answers, fit = crowd_and_truth(2, per_task=3)
    confident = predictions(rng.permutation(truth), rng, spread=3.0)
    annotator = annotator_for(fit, answers, confident)
    assert annotator is None or annotator["exponent"] < 0.05
    believed = {"share": [0.3] * 5, "exponent": 1.0, "least": [-2.0] * 5, "most": [2.0] * 5}
    together = sets_with_model(fit.posterior, confident, believed)
    verdict = model_of_sets_earns_its_place(fit.posterior, together, truth.astype(int))
    assert not verdict.earned
    assert verdict.gain < 0 and verdict.right[1] < verdict.right[0]


def test_a_perfect_model_weighs_no_more_than_one_and_a_half_typical_people():
    rng, truth, answers, fit = crowd_and_truth(3)
    annotator = annotator_for(fit, answers, predictions(truth, rng, spread=6.0))
    certain = evidence_on_labels(np.array([1.0, 0.0, 1.0, 0.0, 0.5]), annotator)
    sensitivity, specificity = np.array(fit.crowd["rates"]).T
    chosen, left_out = np.log(sensitivity / (1 - specificity)), np.log((1 - sensitivity) / specificity)
    assert certain[[0, 2]] == pytest.approx(1.5 * chosen[[0, 2]])
    assert certain[[1, 3]] == pytest.approx(1.5 * left_out[[1, 3]])


def test_too_few_tasks_measure_nothing_and_a_label_of_unknown_gold_is_left_out():
    _, truth, _, fit = crowd_and_truth(4)
    few = np.array([2] * 19 + [1] * (len(truth) - 19))
    assert measured_annotator_of_sets(fit.posterior, fit.posterior, few, fit.crowd) is None
    gold = np.full(truth.shape, -1)
    gold[:30, :4] = 0
    assert model_of_sets_earns_its_place(fit.posterior, fit.posterior, gold).n_gold == 0
