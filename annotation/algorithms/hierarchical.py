"""Confusion matrices that borrow strength: each worker's rows are drawn to what the crowd does."""

from __future__ import annotations

import numpy as np

from annotation.algorithms.answer_matrix import Answers
from annotation.algorithms.dawid_skene import as_rows
from annotation.algorithms.expectation_maximisation import class_share, maximise
from annotation.algorithms.one_coin import shrunk_accuracy
from annotation.algorithms.parameters import MAX_DENSE_CLASSES, SMALLEST, Parameters

# A worker's own row weighs as much as the expected one after so many answers to tasks of that truth.
ROW_STRENGTH = 5.0
# On a scale: a near miss is so many times as likely as a miss by one step more.
BAND = 3.0


def fit_hierarchical(
    answers: Answers,
    gold: np.ndarray | None = None,
    *,
    ordinal: bool = False,
    row_strength: float = ROW_STRENGTH,
    **loop,
) -> Parameters:
    """MAP Dawid-Skene: row k of worker w has a Dirichlet prior around the row expected of w.

    The expected row has the worker's own accuracy (drawn to the crowd's) on the diagonal, and makes the
    crowd's mistakes with the rest. So a worker with few answers is a one-coin worker with the crowd's habits,
    and one with many is whoever the answers show. Paun et al., "Comparing Bayesian models of annotation",
    TACL 2018 (hierarchical Dawid-Skene) is the model; the strength here is fixed instead of sampled.
    """

    likely = likely_mistakes(answers.n_classes, ordinal)

    def estimate(posterior: np.ndarray) -> Parameters:
        counts = answers.confusion_counts(posterior)  # [W, K, K]
        accuracy, crowd_accuracy = shrunk_accuracy(answers, posterior)
        mistakes = crowd_mistakes(counts.sum(axis=0), likely)
        expected = moved_to_accuracy(mistakes, accuracy)
        return Parameters(
            prior=np.clip(class_share(answers, posterior, strength=1.0), SMALLEST, None),
            rows=as_rows(counts + row_strength * expected),
            crowd_rows=moved_to_accuracy(mistakes, np.array([crowd_accuracy]))[0],
        )

    return maximise(answers, estimate, gold=gold, **loop)


def fit_one_number_each(answers: Answers, gold: np.ndarray | None = None, **loop) -> Parameters:
    """For many classes, where no one's confusion matrix can be known: an accuracy a worker, and mistakes
    that fall on labels as often as the crowd gives them."""
    label_share = np.bincount(answers.label, minlength=answers.n_classes) + 1.0
    guess = label_share / label_share.sum()

    def estimate(posterior: np.ndarray) -> Parameters:
        accuracy, crowd_accuracy = shrunk_accuracy(answers, posterior)
        prior = class_share(answers, posterior, strength=float(answers.n_classes))
        return Parameters(prior=prior, accuracy=accuracy, crowd_accuracy=crowd_accuracy, guess=guess)

    return maximise(answers, estimate, gold=gold, **loop)


def likely_mistakes(n_classes: int, ordinal: bool) -> np.ndarray:
    """[K, K]: pseudo-counts of the crowd's wrong answers before any is seen; zero diagonal.

    All wrong labels alike, one answer a row; on a scale a label is BAND times as likely as the next one
    further from the truth, with as many answers a row as there are labels.
    """
    if ordinal:
        at = np.arange(n_classes)
        weights = BAND ** -np.abs(at[:, None] - at).astype(float)
    else:
        weights = np.ones((n_classes, n_classes))
    np.fill_diagonal(weights, 0.0)
    return weights / weights.sum(axis=1, keepdims=True) * (n_classes if ordinal else 1.0)


def crowd_mistakes(counts: np.ndarray, likely: np.ndarray) -> np.ndarray:
    """[K, K] the crowd's counts -> where its wrong answers fall: zero diagonal, rows add up to 1."""
    wrong = counts * (1.0 - np.eye(len(counts))) + likely
    return wrong / wrong.sum(axis=1, keepdims=True)


def moved_to_accuracy(mistakes: np.ndarray, accuracy: np.ndarray) -> np.ndarray:
    """[K, K] and [W] -> [W, K, K]: the crowd's mistakes, made as often as each worker errs."""
    accuracy = accuracy[:, None, None]
    return accuracy * np.eye(len(mistakes)) + (1.0 - accuracy) * mistakes


def fit_engine(answers: Answers, gold: np.ndarray | None, ordinal: bool) -> tuple[Parameters, dict]:
    """The engine's own choice, and why."""
    if answers.n_classes > MAX_DENSE_CLASSES:
        why = f"more than {MAX_DENSE_CLASSES} labels: one accuracy a volunteer"
        return fit_one_number_each(answers, gold), {"model": "one_number", "why": why}
    why = "confusion rows drawn to the crowd's"
    return fit_hierarchical(answers, gold, ordinal=ordinal), {"model": "hierarchical", "why": why}
