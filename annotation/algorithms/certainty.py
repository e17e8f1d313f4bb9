"""What "sure" and "not sure" are worth, learned for each worker."""

from __future__ import annotations

import numpy as np

from annotation.algorithms.answer_matrix import NOT_SAID, SURE, Answers

# A worker's own rates count as much as the crowd's after so many answers with a certainty.
STRENGTH = 10.0
# The crowd's rates begin even and alike for right and wrong answers: worth nothing until seen otherwise.
CROWD_STRENGTH = 2.0


def certainty_rates(answers: Answers, posterior: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """P(sure | right) and P(sure | wrong): [W, 2] a worker, drawn to the crowd's [2]; None if nobody said.

    Each worker's rate is the mean of a Beta whose prior is the crowd's rate at STRENGTH answers; the crowd's
    own begins at one half. A worker who says "sure" to everything gets two equal rates: then it says nothing.
    """
    if answers.certain is None or not (answers.certain != NOT_SAID).any():
        return None
    said = answers.certain != NOT_SAID
    right = answers.soft_right(posterior)[said]
    worker, sure = answers.worker[said], answers.certain[said] == SURE

    def per_worker(weights: np.ndarray) -> np.ndarray:
        return np.bincount(worker, weights=weights, minlength=answers.n_workers)

    n = np.stack([per_worker(right), per_worker(1.0 - right)], axis=1)  # [W, 2]
    n_sure = np.stack([per_worker(right * sure), per_worker((1.0 - right) * sure)], axis=1)
    crowd = (n_sure.sum(axis=0) + CROWD_STRENGTH / 2) / (n.sum(axis=0) + CROWD_STRENGTH)
    return (n_sure + STRENGTH * crowd) / (n + STRENGTH), crowd
