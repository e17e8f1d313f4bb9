"""What "not sure", "sure" and silence are worth, learned for each worker."""

from __future__ import annotations

import numpy as np

from annotation.algorithms.answer_matrix import NOT_SAID, Answers

N_SAYINGS = 3  # not sure, sure, nothing: a NOT_SAID of -1 points at the last
# A worker's own rates count as much as the expected ones after so many answers.
STRENGTH = 10.0
# The crowd's rates begin alike for right and wrong answers: worth nothing until seen otherwise.
CROWD_STRENGTH = 2.0


def certainty_rates(answers: Answers, posterior: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """How often each worker [W, 3, 2], and the crowd [3, 2], says what of right and of wrong answers; None if
    nobody said anything.

    Most people say nothing but of what they doubt, so their silence says something too. A worker is expected
    to say each as often as they do of all their answers, and as much oftener of right ones than of wrong
    ones as the crowd does; that counts for STRENGTH answers. So from one who says the same of every answer,
    or never anything, it is worth nothing.
    """
    if answers.certain is None or (answers.certain == NOT_SAID).all():
        return None
    right = answers.soft_right(posterior)
    place = answers.worker * N_SAYINGS + answers.certain % N_SAYINGS
    counted = [np.bincount(place, one, answers.n_workers * N_SAYINGS) for one in (right, 1.0 - right)]
    said = np.stack(counted, axis=1).reshape(answers.n_workers, N_SAYINGS, 2)

    share = said.sum(axis=(0, 2)) + 1.0
    share /= share.sum()  # [3]
    crowd = _shares(said.sum(axis=0) + CROWD_STRENGTH * share[:, None])
    own = _shares(said.sum(axis=2, keepdims=True) + STRENGTH * share[:, None])  # [W, 3, 1]
    expected = _shares(own * crowd / share[:, None])
    return _shares(said + STRENGTH * expected), crowd


def _shares(counts: np.ndarray) -> np.ndarray:
    """Of the sayings, whatever the answer was."""
    return counts / counts.sum(axis=-2, keepdims=True)
