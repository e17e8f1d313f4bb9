"""What a consensus method learns of a crowd, and the posterior that follows from it.

A model says how probable it is that worker w answers l where the truth is k, in one of two forms:

Coins      one number a worker: right with probability a; otherwise a label drawn from `guess` among the wrong
           ones, (1 - a) * guess[l] / (1 - guess[k]). With an even guess that is the one-coin model.
Matrices   a confusion matrix a worker, for up to MAX_DENSE_CLASSES classes; and perhaps a share of tasks so
           hard that all workers answer alike, from the same rows.

Several models are blended by weighing their log probabilities. All know what it is worth that a worker says
"not sure", "sure" or nothing: P(says it | right) and P(says it | wrong).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from annotation.algorithms.answer_matrix import Answers

MAX_DENSE_CLASSES = 20
# Stored probabilities are rounded to this, and nothing is impossible: a row of consensus can then be computed
# again from what was stored, and one surprising answer cannot rule out a label for ever.
DECIMALS = 10
SMALLEST = 1e-10


@dataclass(frozen=True, eq=False)
class Coins:
    """prior [K], accuracy [W], crowd_accuracy: an unknown worker's, guess [K]."""

    prior: np.ndarray
    accuracy: np.ndarray
    crowd_accuracy: float
    guess: np.ndarray

    def log_states(self, answers: Answers) -> np.ndarray:
        """[T, K]: log P(task t's answers and truth k), up to a constant a task."""
        log_not = np.log1p(-self.guess)
        right = np.log(self.accuracy) - np.log1p(-self.accuracy)
        values = right[answers.worker] - (np.log(self.guess) - log_not)[answers.label]
        total = answers.sum_at_label(values) - answers.n_per_task[:, None] * log_not
        return total + np.log(self.prior)


@dataclass(frozen=True, eq=False)
class Matrices:
    """prior [K], rows [W, K truths, K answers], crowd_rows [K, K]: an unknown worker's; hard_share of the
    tasks are answered from hard_rows [K, K] by everybody."""

    prior: np.ndarray
    rows: np.ndarray
    crowd_rows: np.ndarray
    hard_share: float = 0.0
    hard_rows: np.ndarray | None = None

    def log_states(self, answers: Answers) -> np.ndarray:
        """[T, K] as above; with hard tasks [T, 2 K], the states (easy, k) before the states (hard, k)."""
        log_prior, n_classes = np.log(self.prior), answers.n_classes
        easy = answers.log_likelihood(np.log(self.rows))
        if self.hard_rows is None:
            easy += log_prior
            return easy
        states = np.empty((answers.n_tasks, 2 * n_classes))
        np.add(easy, log_prior + np.log1p(-self.hard_share), out=states[:, :n_classes])
        np.matmul(answers.votes, np.log(self.hard_rows).T, out=states[:, n_classes:])
        states[:, n_classes:] += log_prior + np.log(self.hard_share)
        return states


@dataclass(frozen=True, eq=False)
class Parameters:
    """Models with weights that add up to 1; certain [W, 3, 2] = P(says "not sure", "sure", nothing | right,
    wrong) with crowd_certain [3, 2], or None where nobody said either."""

    models: tuple[Coins | Matrices, ...]
    weights: tuple[float, ...] = (1.0,)
    certain: np.ndarray | None = None
    crowd_certain: np.ndarray | None = None

    def with_certainty(self, rates: tuple[np.ndarray, np.ndarray] | None) -> Parameters:
        """With the rates that certainty.certainty_rates found, if it found any."""
        return self if rates is None else replace(self, certain=rates[0], crowd_certain=rates[1])

    def rounded(self) -> Parameters:
        """As they are stored."""
        names = ("certain", "crowd_certain") if self.certain is not None else ()
        rates = {name: rounded(getattr(self, name)) for name in names}
        weights = tuple(round(weight, DECIMALS) for weight in self.weights)
        return replace(self, models=tuple(map(_rounded_model, self.models)), weights=weights, **rates)


def posterior_of(answers: Answers, parameters: Parameters) -> np.ndarray:
    """[T, K]: P(truth | the task's answers), from each task's own answers alone."""
    return softmax(log_posterior_of(answers, parameters))


def log_posterior_of(answers: Answers, parameters: Parameters) -> np.ndarray:
    """[T, K]: its logarithm, up to a constant a task."""
    total = sum(
        weight * _log_of_labels(model.log_states(answers), answers.n_classes)
        for weight, model in zip(parameters.weights, parameters.models, strict=True)
    )
    return total + certainty_evidence(answers, parameters.certain)


def certainty_evidence(answers: Answers, certain: np.ndarray | None) -> np.ndarray | float:
    """[T, K]: how far "not sure", "sure" and silence move the log odds that each label is right."""
    if certain is None:
        return 0.0
    log_rates = np.log(certain)
    worth = log_rates[..., 0] - log_rates[..., 1]  # [W, 3], silence last, at -1
    return answers.sum_at_label(worth[answers.worker, answers.certain])


def of_labels(states: np.ndarray, n_classes: int) -> np.ndarray:
    """[T, S K] -> [T, K]: a label's probability, whatever the task's state."""
    return states if states.shape[1] == n_classes else states[:, :n_classes] + states[:, n_classes:]


def softmax(log_weights: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """[..., K]; into `out`, which may be log_weights itself, if it is given.

    Column by column and in place: reductions along a short last axis are numpy's slow side.
    """
    n_classes = log_weights.shape[-1]
    largest = reduce(np.maximum, (log_weights[..., k] for k in range(n_classes)))
    weights = np.subtract(log_weights, largest[..., None], out=out)
    np.exp(weights, out=weights)
    weights /= (weights @ np.ones(n_classes))[..., None]
    return weights


def rounded(value: np.ndarray | float) -> np.ndarray:
    return np.clip(np.round(value, DECIMALS), SMALLEST, 1.0 - SMALLEST)


def _log_of_labels(log_states: np.ndarray, n_classes: int) -> np.ndarray:
    if log_states.shape[1] == n_classes:
        return log_states
    return np.logaddexp(log_states[:, :n_classes], log_states[:, n_classes:])


def _rounded_model(model: Coins | Matrices) -> Coins | Matrices:
    given = {name: rounded(value) for name, value in vars(model).items() if value is not None}
    if isinstance(model, Matrices) and model.hard_rows is None:
        given["hard_share"] = 0.0
    return replace(model, **given)
