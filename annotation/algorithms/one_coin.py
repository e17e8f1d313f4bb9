"""One coin a worker: right with probability a, otherwise any wrong label alike."""

from __future__ import annotations

import numpy as np

from annotation.algorithms.answer_matrix import Answers
from annotation.algorithms.expectation_maximisation import maximise
from annotation.algorithms.parameters import Parameters

# Each worker begins with so many answers at the crowd's accuracy, and the crowd with three of four right.
STRENGTH = 4.0
CROWD_RIGHT, CROWD_WRONG = 3.0, 1.0


def shrunk_accuracy(answers: Answers, posterior: np.ndarray) -> tuple[np.ndarray, float]:
    """[W] and the crowd's: the mean of each worker's Beta, whose prior is the crowd at STRENGTH answers."""
    right = answers.n_right(posterior)
    crowd = (right.sum() + CROWD_RIGHT) / (len(answers) + CROWD_RIGHT + CROWD_WRONG)
    return (right + STRENGTH * crowd) / (answers.n_per_worker + STRENGTH), float(crowd)


def fit_one_coin(answers: Answers, gold: np.ndarray | None = None) -> Parameters:
    """EM with even class shares: at few answers a task, learned shares feed on themselves.

    Source: Zhang, Chen, Zhou, Jordan, "Spectral methods meet EM", JMLR 17(102) 2016, section 2 (one-coin).
    """
    even = np.full(answers.n_classes, 1.0 / answers.n_classes)

    def estimate(posterior: np.ndarray) -> Parameters:
        accuracy, crowd = shrunk_accuracy(answers, posterior)
        return Parameters(prior=even, accuracy=accuracy, crowd_accuracy=crowd, guess=even)

    return maximise(answers, estimate, gold=gold)
