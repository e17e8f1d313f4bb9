"""Dawid and Skene's model: one confusion matrix a worker, by maximum likelihood."""

from __future__ import annotations

import numpy as np

from annotation.algorithms.answer_matrix import Answers
from annotation.algorithms.expectation_maximisation import class_share, maximise
from annotation.algorithms.parameters import SMALLEST, Parameters


def fit_dawid_skene(answers: Answers, gold: np.ndarray | None = None, **loop) -> Parameters:
    """Classic EM without any shrinkage, started at the vote shares; `loop` goes to `maximise`.

    Rows that a worker never met (no task of that truth) are even. Source: Dawid and Skene, "Maximum
    likelihood estimation of observer error-rates using the EM algorithm", JRSS C 28(1) 1979, eq. 2.3 to 2.5.
    """

    def estimate(posterior: np.ndarray) -> Parameters:
        counts = answers.confusion_counts(posterior)  # [W, K, K]
        return Parameters(
            prior=np.clip(class_share(answers, posterior), SMALLEST, None),
            rows=as_rows(counts),
            crowd_rows=as_rows(counts.sum(axis=0)),
        )

    return maximise(answers, estimate, gold=gold, **loop)


def as_rows(counts: np.ndarray) -> np.ndarray:
    """[..., K, K] counts to probabilities that add up to 1 over the last axis; a row of nothing is even."""
    counts = np.clip(counts, SMALLEST, None)
    return counts / counts.sum(axis=-1, keepdims=True)
