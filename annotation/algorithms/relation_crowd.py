"""Whose word on relations can be trusted: each relation that anybody states is one yes-or-no decision.

A decision is answered by all who marked both of its ends, stating it or not. It is the model of multiple
choice with a single label: a volunteer states a true relation with their sensitivity, leaves a wrong one out
with their specificity, and both are shrunk to the crowd's. Relations that nobody states are no decisions, so
specificity is that on wrong ones which somebody stated, and lower than on all.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from annotation.algorithms.multiple_choice import LabelSets, MultipleFit, fit_multiple, multiple_posterior


class Decisions(NamedTuple):
    """The C relations stated in a text by any of its A volunteers.

    says: int8 [A, C], 1 states it, 0 does not, -1 has no say; worker: [A]; gold: int [C], 1 true, 0 wrong,
    -1 unknown; certain: [A], whether each is sure of the answer, 1 or 0, -1 not said.
    """

    says: np.ndarray
    worker: Sequence[int]
    gold: np.ndarray
    certain: Sequence[int]


def fit_relation_crowd(texts: Sequence[Decisions], n_workers: int) -> MultipleFit:
    """What `relation_posterior` needs, and how each volunteer did, from the decisions of all texts."""
    n_before = np.cumsum([0, *(text.says.shape[1] for text in texts)])
    columns: list[np.ndarray] = [np.zeros((4, 0), dtype=np.int64)]
    for text, first in zip(texts, n_before[:-1], strict=True):
        row, column = np.nonzero(text.says >= 0)
        worker, certain = np.asarray(text.worker, dtype=np.int64), np.asarray(text.certain, dtype=np.int64)
        columns.append(np.stack([first + column, worker[row], text.says[row, column], certain[row]]))
    decision, worker, says, certain = np.concatenate(columns, axis=1)
    gold = np.concatenate([np.zeros(0, dtype=np.int64), *(text.gold for text in texts)])
    answers = LabelSets(decision, worker, says[:, None] == 1, int(n_before[-1]), n_workers, certain)
    return fit_multiple(answers, gold=gold[:, None])


def relation_posterior(
    says: np.ndarray, workers: Sequence[dict | None], crowd: dict, certain: Sequence[int] | None = None
) -> tuple[np.ndarray, list[float]]:
    """One text's P(true) of each relation [C], and by how many log odds each answer moved those that it had
    a say on, on the mean, towards what was found; None is a worker nobody knows yet. certain: as Decisions'.

    One who is right nine times of ten states it, one who is right six times of ten does not: 9 / 1.5 to 1.

    >>> crowd = {"n_labels": 1, "prior": [0.5], "rates": [[0.6, 0.6]]}
    >>> p, weights = relation_posterior(np.array([[1], [0]]), [{"rates": [[0.9, 0.9]]}, None], crowd)
    >>> p.round(3).tolist(), [round(weight, 3) for weight in weights]
    ([0.857], [2.197, -0.405])
    """
    log_odds = np.zeros(says.shape)  # [A, C]
    prior = logit(crowd["prior"][0])
    for row, worker in enumerate(workers):
        said = None if certain is None else [certain[row]]
        alone = [multiple_posterior([own], [worker], crowd, said)[0] for own in ([], [0])]
        silent, states = logit(alone) - prior
        log_odds[row] = np.choose(says[row] + 1, [0.0, silent, states])
    total = prior + log_odds.sum(axis=0)
    towards = log_odds * np.where(total > 0, 1.0, -1.0)
    n_said = np.maximum((says >= 0).sum(axis=1), 1)
    return expit(total), (towards.sum(axis=1) / n_said).tolist()
