"""The model as one more annotator: heard as far as it proved right, never above one and a half people."""

import numpy as np
import pytest

from annotation.algorithms.crowd import Answers, fit_crowd
from annotation.algorithms.model_annotator import (
    measured_annotator,
    model_earns_its_place,
    model_evidence,
    with_model,
)
from annotation.algorithms.online import task_posterior

N_CLASSES = 4


def human_answers(truth, rng, per_task, accuracy=0.75) -> Answers:
    task = np.repeat(np.arange(len(truth)), per_task)
    worker = np.concatenate([rng.permutation(12)[:per_task] for _ in truth])
    wrong = (truth[task] + rng.integers(1, N_CLASSES, len(task))) % N_CLASSES
    label = np.where(rng.random(len(task)) < accuracy, truth[task], wrong)
    return Answers(task, worker, label, len(truth), 12, N_CLASSES)


def predictions(truth, rng, accuracy) -> np.ndarray:
    """[T, K], calibrated: the label it names has probability `accuracy` and is right as often."""
    wrong = (truth + rng.integers(1, N_CLASSES, len(truth))) % N_CLASSES
    named = np.where(rng.random(len(truth)) < accuracy, truth, wrong)
    p = np.full((len(truth), N_CLASSES), (1.0 - accuracy) / (N_CLASSES - 1))
    p[np.arange(len(truth)), named] = accuracy
    return p


def annotator_for(fit, answers, probabilities):
    return measured_annotator(probabilities, fit.posterior, answers.n_per_task, fit.crowd["typical_accuracy"])


def share_right(posterior, truth) -> float:
    return float((posterior.argmax(axis=1) == truth).mean())


def test_a_model_right_in_six_of_ten_brings_all_that_it_could_to_two_answers():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, N_CLASSES, 3000)
    two = human_answers(truth, rng, 2)
    fit, probabilities = fit_crowd(two), predictions(truth, rng, 0.6)
    together = with_model(fit.posterior, probabilities, annotator_for(fit, two, probabilities))
    assert share_right(together, truth) > share_right(fit.posterior, truth) + 0.03
    likelihood = 9.0**two.votes  # a person gives the right label 9 times as often as a given wrong one
    ideal = likelihood * probabilities
    assert share_right(together, truth) > share_right(ideal, truth) - 0.02
    assert model_earns_its_place(fit.posterior, together, truth).earned


def test_a_model_that_guesses_is_worth_nothing_and_does_not_earn_its_place():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, N_CLASSES, 1500)
    answers = human_answers(truth, rng, 3)
    fit = fit_crowd(answers)
    confident = predictions(rng.permutation(truth), rng, 0.9)
    annotator = annotator_for(fit, answers, confident)
    assert annotator is None or annotator["exponent"] < 0.05
    annotator = {"share": [0.25] * 4, "exponent": 1.0, "cap": 3.0}  # as if it were believed
    verdict = model_earns_its_place(fit.posterior, with_model(fit.posterior, confident, annotator), truth)
    assert not verdict.earned
    assert verdict.gain < 0 and verdict.right[1] < verdict.right[0]


def test_even_a_perfect_model_weighs_no_more_than_one_and_a_half_typical_people():
    rng = np.random.default_rng(3)
    truth = rng.integers(0, N_CLASSES, 800)
    answers = human_answers(truth, rng, 4)
    fit = fit_crowd(answers)
    annotator = annotator_for(fit, answers, predictions(truth, rng, 0.99))
    evidence = model_evidence(np.array([1.0, 0.0, 0.0, 0.0]), annotator)
    accuracy = fit.crowd["typical_accuracy"]
    assert evidence[0] - evidence[1] == pytest.approx(1.5 * np.log(accuracy / ((1 - accuracy) / 3)))
    against = task_posterior([1, 1], [None, None], fit.crowd | {"annotator": annotator}, model=[1, 0, 0, 0])
    assert against.argmax() == 1


def test_online_and_batch_agree_and_the_model_is_not_heard_until_it_is_measured():
    rng = np.random.default_rng(4)
    truth = rng.integers(0, N_CLASSES, 100)
    answers = human_answers(truth, rng, 2)
    fit, probabilities = fit_crowd(answers), predictions(truth, rng, 0.7)
    annotator = annotator_for(fit, answers, probabilities)
    at = answers.task == 5
    labels, workers = answers.label[at].tolist(), [fit.workers[w] for w in answers.worker[at]]
    silent = task_posterior(labels, workers, fit.crowd, model=probabilities[5])
    assert silent == pytest.approx(fit.posterior[5], abs=1e-6)
    heard = task_posterior(labels, workers, fit.crowd | {"annotator": annotator}, model=probabilities[5])
    assert heard == pytest.approx(with_model(fit.posterior, probabilities, annotator)[5], abs=1e-6)


def test_too_few_tasks_or_a_crowd_that_guesses_measure_nothing():
    posterior = np.full((30, 2), 0.5)
    few = np.array([2] * 19 + [1] * 11)
    assert measured_annotator(posterior, posterior, few, 0.8) is None
    assert measured_annotator(posterior, posterior, np.full(30, 2), 0.5) is None
    assert not model_earns_its_place(posterior, posterior, np.array([0] * 19 + [-1] * 11)).earned
