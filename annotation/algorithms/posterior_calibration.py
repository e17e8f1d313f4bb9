"""How far a posterior's certainty can be trusted, and one number that mends it."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

from annotation.algorithms.parameters import softmax
from annotation.algorithms.scores import calibration_error as binned_gap

SMALLEST = 1e-12
COOLEST, HOTTEST = 0.25, 20.0
# The temperature begins at 1 and moves only as far as gold shows: log T has a normal prior of this spread.
LOG_SPREAD = 1.0


def calibrate(posterior: np.ndarray, gold: np.ndarray) -> float:
    """The temperature T under which the winner of posterior ** (1 / T) is right as often as it says; 1.0
    without gold.

    posterior: [T, K], made without sight of gold (CrowdFit.unanchored of a fit without gold); gold: int [T],
    -1 where unknown. Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2, with the
    log loss of "the winner is right" in place of the label's: a rule to stop reads the winner alone, and
    a label that nobody ever gives would outweigh all the rest. Answers are multiplied as if independent,
    which makes them too sure of themselves: T is above 1 as a rule.
    """
    known = np.flatnonzero(gold >= 0)
    if len(known) == 0:
        return 1.0
    right = posterior[known].argmax(axis=1) == gold[known]

    def cost(log_temperature: float) -> float:
        confidence = tempered(posterior[known], np.exp(log_temperature)).max(axis=1)
        p = np.where(right, confidence, 1.0 - confidence)
        return -np.log(np.clip(p, SMALLEST, None)).sum() + (log_temperature / LOG_SPREAD) ** 2 / 2

    bounds = (np.log(COOLEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(cost, bounds=bounds, method="bounded").x))


def tempered(posterior: np.ndarray, temperature: float) -> np.ndarray:
    return softmax(np.log(np.clip(posterior, SMALLEST, None)) / temperature)


def calibration_error(posterior: np.ndarray, gold: np.ndarray, n_bins: int = 15) -> float | None:
    """Expected calibration error of the winning label (see scores.calibration_error); None without gold."""
    known = np.flatnonzero(gold >= 0)
    if len(known) == 0:
        return None
    confidence = posterior[known].max(axis=1)
    right = posterior[known].argmax(axis=1) == gold[known]
    return binned_gap(confidence, right, n_bins)
