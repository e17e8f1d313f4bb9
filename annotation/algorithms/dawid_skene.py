"""Dawid and Skene's model: one confusion matrix a worker, by maximum likelihood."""

from __future__ import annotations

import numpy as np

from annotation.algorithms.answer_matrix import Answers
from annotation.algorithms.expectation_maximisation import class_share, maximise
from annotation.algorithms.parameters import SMALLEST, Matrices, Parameters


def fit_dawid_skene(answers: Answers, gold: np.ndarray | None = None, **loop) -> Parameters:
    """Classic EM without any shrinkage, started at the vote shares; `loop` goes to `maximise`.

    A row that a worker never met (no task of that truth) is even over the labels they gave elsewhere. Source:
    Dawid and Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm", JRSS C
    28(1) 1979, eq. 2.3 to 2.5.
    """
    given = np.zeros((answers.n_workers, 1, answers.n_classes))
    given[answers.worker, 0, answers.label] = 1.0
    given[answers.n_per_worker == 0] = 1.0

    def estimate(posterior: np.ndarray) -> Matrices:
        counts = answers.confusion_counts(posterior)  # [W, K, K]
        return Matrices(
            prior=np.clip(class_share(answers, posterior), SMALLEST, None),
            rows=np.clip(as_rows(np.clip(counts, SMALLEST, None) * given), SMALLEST, None),
            crowd_rows=as_rows(np.clip(counts.sum(axis=0), SMALLEST, None)),
        )

    return maximise(answers, estimate, gold=gold, **loop)[0]


def as_rows(counts: np.ndarray) -> np.ndarray:
    """[..., K, K] counts, none of them a row of nothing, to probabilities that add up to 1 a row."""
    return counts / (counts @ np.ones(counts.shape[-1]))[..., None]
