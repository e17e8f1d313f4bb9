"""What a consensus method learns of a crowd, and the posterior that follows from it.

The probability that worker w answers l where the truth is k stands in one of two forms:

rows       a full confusion matrix a worker, for up to MAX_DENSE_CLASSES classes;
accuracy   one number a worker: right with probability a; otherwise a label l drawn from `guess` among the
           wrong ones, (1 - a) * guess[l] / (1 - guess[k]). With an even guess that is the one-coin model.

Both also know what it is worth that a worker says "sure": P(sure | right) and P(sure | wrong).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from annotation.algorithms.answer_matrix import NOT_SURE, SURE, Answers

MAX_DENSE_CLASSES = 20
# Stored probabilities are rounded to this, and nothing is impossible: a row of consensus can then be computed
# again from what was stored, and one surprising answer cannot rule out a label for ever.
DECIMALS = 10
SMALLEST = 1e-10


@dataclass(frozen=True, eq=False)
class Parameters:
    """prior [K]; rows [W, K, K] with crowd_rows [K, K], or accuracy [W] with crowd_accuracy and guess [K];
    sure [W, 2] = P(sure | right), P(sure | wrong) with crowd_sure [2], or None where nobody was asked."""

    prior: np.ndarray
    rows: np.ndarray | None = None
    crowd_rows: np.ndarray | None = None
    accuracy: np.ndarray | None = None
    crowd_accuracy: float | None = None
    guess: np.ndarray | None = None
    sure: np.ndarray | None = None
    crowd_sure: np.ndarray | None = None

    def rounded(self) -> Parameters:
        """As they are stored."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        return replace(self, **{name: _rounded(value) for name, value in given.items()})


def posterior_of(answers: Answers, parameters: Parameters, temperature: float = 1.0) -> np.ndarray:
    """[T, K]: P(truth | the task's answers), from each task's own answers alone."""
    log_posterior = log_likelihood(answers, parameters) + np.log(parameters.prior)
    return softmax(log_posterior / temperature)


def log_likelihood(answers: Answers, parameters: Parameters) -> np.ndarray:
    """[T, K], up to a constant a task where certainty plays a part."""
    if parameters.rows is not None:
        total = answers.log_likelihood(np.log(parameters.rows))
    else:
        total = _one_number_log_likelihood(answers, parameters.accuracy, parameters.guess)
    if parameters.sure is not None:
        total = total + answers.sum_at_label(certainty_log_odds(answers, parameters.sure))
    return total


def _one_number_log_likelihood(answers: Answers, accuracy: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """[T, K], without the terms that are equal for every truth."""
    log_not = np.log1p(-guess)
    moved = np.log(accuracy) - np.log1p(-accuracy)
    values = moved[answers.worker] - (np.log(guess) - log_not)[answers.label]
    return answers.sum_at_label(values) - answers.n_per_task[:, None] * log_not


def certainty_log_odds(answers: Answers, sure: np.ndarray) -> np.ndarray:
    """[N]: how far "sure" or "not sure" moves the log odds that the answer is right; 0 where not said."""
    right, wrong = sure[answers.worker].T
    said_sure = np.log(right) - np.log(wrong)
    said_not = np.log1p(-right) - np.log1p(-wrong)
    return np.select([answers.certain == SURE, answers.certain == NOT_SURE], [said_sure, said_not], 0.0)


def softmax(log_weights: np.ndarray) -> np.ndarray:
    """[..., K]. Column by column and in place: reductions along a short last axis are numpy's slow side."""
    n_classes = log_weights.shape[-1]
    largest = reduce(np.maximum, (log_weights[..., k] for k in range(n_classes)))
    weights = log_weights - largest[..., None]
    np.exp(weights, out=weights)
    weights /= (weights @ np.ones(n_classes))[..., None]
    return weights


def _rounded(value: np.ndarray | float) -> np.ndarray:
    return np.clip(np.round(value, DECIMALS), SMALLEST, 1.0 - SMALLEST)
