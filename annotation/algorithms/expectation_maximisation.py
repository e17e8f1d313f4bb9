"""The loop that all of the crowd models share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from annotation.algorithms.answer_matrix import Answers
from annotation.algorithms.certainty import certainty_rates
from annotation.algorithms.parameters import (
    Coins,
    Matrices,
    Parameters,
    certainty_evidence,
    of_labels,
    softmax,
)

UNKNOWN = -1


def maximise(
    answers: Answers,
    estimate: Callable[[np.ndarray], Coins | Matrices],
    *,
    gold: np.ndarray | None = None,
    start: np.ndarray | None = None,
    n_rounds: int = 100,
    tolerance: float = 1e-4,
) -> tuple[Parameters, np.ndarray]:
    """Alternate `estimate` (states [T, S K] -> a model) and the states that follow; return the last of both.

    A state is a label, or a label and whether the task is hard (see Matrices.log_states). Begins at the vote
    shares unless a `start` is given. gold: int [T], -1 where unknown; known tasks keep their label
    throughout, and so anchor the workers who answered them. Ends after n_rounds, or when no probability
    moved by more than the tolerance.
    """
    states = fix_gold(answers.vote_shares if start is None else start, gold, answers.n_classes)
    states = states.copy()  # the loop works in place: at a million tasks, new arrays are most of the time
    for _ in range(n_rounds):
        moved = _states_of(answers, _estimated(answers, estimate, states), gold)
        states -= moved
        change = np.abs(states, out=states).max(initial=0.0)
        states = moved
        if change < tolerance:
            break
    return _estimated(answers, estimate, states), states


def fix_gold(states: np.ndarray, gold: np.ndarray | None, n_classes: int) -> np.ndarray:
    """States in which the known tasks have their label for certain; how hard they are stays open."""
    if gold is None:
        return states
    known = np.flatnonzero(gold != UNKNOWN)
    n_states = states.shape[1] // n_classes
    allowed = np.tile(np.arange(n_classes) == gold[known, None], n_states)
    kept = np.where(allowed, np.maximum(states[known], np.finfo(float).tiny), 0.0)
    states = states.copy()
    states[known] = kept / kept.sum(axis=1, keepdims=True)
    return states


def class_share(answers: Answers, states: np.ndarray, strength: float = 0.0) -> np.ndarray:
    """[T, S K] -> [K]: the labels' shares among answered tasks, drawn to even ones by `strength` tasks."""
    answered = answers.n_per_task > 0
    of_states = answered.astype(float) @ states
    totals = of_states.reshape(-1, answers.n_classes).sum(axis=0) + strength / answers.n_classes
    total = totals.sum()
    return totals / total if total > 0 else np.full(answers.n_classes, 1.0 / answers.n_classes)


def _estimated(answers: Answers, estimate, states: np.ndarray) -> Parameters:
    parameters = Parameters((estimate(states),))
    if answers.certain is None:
        return parameters
    return parameters.with_certainty(certainty_rates(answers, of_labels(states, answers.n_classes)))


def _states_of(answers: Answers, parameters: Parameters, gold: np.ndarray | None) -> np.ndarray:
    states = parameters.models[0].log_states(answers)
    if parameters.certain is not None:
        evidence = certainty_evidence(answers, parameters.certain)
        states += np.tile(evidence, states.shape[1] // answers.n_classes)
    return fix_gold(softmax(states, out=states), gold, answers.n_classes)
