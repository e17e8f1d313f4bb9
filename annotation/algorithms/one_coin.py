"""One number a worker: right with probability a, otherwise any wrong label."""

from __future__ import annotations

import numpy as np

from annotation.algorithms.answer_matrix import Answers
from annotation.algorithms.expectation_maximisation import class_share, maximise
from annotation.algorithms.parameters import Coins, Parameters

# Each worker begins with so many answers at the crowd's accuracy, and the crowd with three of four right.
STRENGTH = 4.0
CROWD_RIGHT, CROWD_WRONG = 3.0, 1.0


def shrunk_accuracy(right: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, float]:
    """right of n answers, both [W] -> accuracies [W] and the crowd's.

    Each is the mean of the worker's Beta, whose prior is the crowd's accuracy at STRENGTH answers.

    >>> accuracy, crowd = shrunk_accuracy(np.array([8.0, 0.0]), np.array([8.0, 0.0]))
    >>> round(crowd, 3), accuracy.round(3).tolist()
    (0.917, [0.972, 0.917])
    """
    crowd = (right.sum() + CROWD_RIGHT) / (n.sum() + CROWD_RIGHT + CROWD_WRONG)
    return (right + STRENGTH * crowd) / (n + STRENGTH), float(crowd)


def fit_one_coin(answers: Answers, gold: np.ndarray | None = None) -> Parameters:
    """EM with even class shares: at few answers a task, learned shares feed on themselves.

    Source: Zhang, Chen, Zhou, Jordan, "Spectral methods meet EM", JMLR 17(102) 2016, section 2 (one-coin).
    """
    even = np.full(answers.n_classes, 1.0 / answers.n_classes)

    def estimate(posterior: np.ndarray) -> Coins:
        accuracy, crowd = shrunk_accuracy(answers.n_right(posterior), answers.n_per_worker)
        return Coins(prior=even, accuracy=accuracy, crowd_accuracy=crowd, guess=even)

    return maximise(answers, estimate, gold=gold)[0]


def fit_one_number_each(answers: Answers, gold: np.ndarray | None = None) -> Parameters:
    """For many classes, where no one's confusion matrix can be known: an accuracy a worker, mistakes that
    fall on labels as often as the crowd gives them, and learned class shares."""
    label_share = np.bincount(answers.label, minlength=answers.n_classes) + 1.0
    guess = label_share / label_share.sum()

    def estimate(posterior: np.ndarray) -> Coins:
        accuracy, crowd = shrunk_accuracy(answers.n_right(posterior), answers.n_per_worker)
        prior = class_share(answers, posterior, strength=float(answers.n_classes))
        return Coins(prior=prior, accuracy=accuracy, crowd_accuracy=crowd, guess=guess)

    return maximise(answers, estimate, gold=gold)[0]
