"""The loop that all of the crowd models share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from annotation.algorithms.answer_matrix import Answers
from annotation.algorithms.certainty import certainty_rates
from annotation.algorithms.parameters import Parameters, posterior_of

UNKNOWN = -1


def maximise(
    answers: Answers,
    estimate: Callable[[np.ndarray], Parameters],
    *,
    gold: np.ndarray | None = None,
    start: np.ndarray | None = None,
    n_rounds: int = 100,
    tolerance: float = 1e-4,
) -> Parameters:
    """Alternate `estimate` (posterior [T, K] -> Parameters) and the posterior that follows from it.

    Begins at the vote shares unless a `start` [T, K] is given. gold: int [T], -1 where unknown; known tasks
    keep their label throughout, and so anchor the workers who answered them. Ends after n_rounds, or when no
    posterior moved by more than the tolerance.
    """
    posterior = fix_gold(answers.vote_shares if start is None else start, gold)
    for _ in range(n_rounds):
        parameters = _with_certainty(answers, estimate(posterior), posterior)
        moved = fix_gold(posterior_of(answers, parameters), gold)
        change = np.abs(moved - posterior).max(initial=0.0)
        posterior = moved
        if change < tolerance:
            break
    return _with_certainty(answers, estimate(posterior), posterior)


def fix_gold(posterior: np.ndarray, gold: np.ndarray | None) -> np.ndarray:
    """The posterior with the known tasks at their label."""
    if gold is None:
        return posterior
    known = np.flatnonzero(gold != UNKNOWN)
    posterior = posterior.copy()
    posterior[known] = 0.0
    posterior[known, gold[known]] = 1.0
    return posterior


def class_share(answers: Answers, posterior: np.ndarray, strength: float = 0.0) -> np.ndarray:
    """[K]: the labels' shares among tasks with an answer, drawn to even shares by `strength` tasks."""
    answered = answers.n_per_task > 0
    totals = answered.astype(float) @ posterior + strength / answers.n_classes
    total = totals.sum()
    return totals / total if total > 0 else np.full(answers.n_classes, 1.0 / answers.n_classes)


def _with_certainty(answers: Answers, parameters: Parameters, posterior: np.ndarray) -> Parameters:
    rates = certainty_rates(answers, posterior)
    if rates is None:
        return parameters
    return replace(parameters, sure=rates[0], crowd_sure=rates[1])
