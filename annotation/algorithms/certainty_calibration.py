"""How far the certainty of a whole answer, whatever its parts, can be trusted; two numbers that mend it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

SMALLEST = 1e-4  # of doubt: no rule asks for less, and gold could not tell
# All begins at what changes nothing and moves only as far as gold shows: the logarithm of the scale and the
# shift have a normal prior of this spread around 0.
SPREAD = 0.5
N_PARTS = 5  # of the gold, to measure a calibration on what it did not see


class CertaintyCalibration(NamedTuple):
    """P(right) = sigmoid(scale * logit(certainty) + shift), scale above 0: who is surer stays so."""

    scale: float
    shift: float


def calibrated_certainty(certainty: np.ndarray | float, calibration: CertaintyCalibration) -> np.ndarray:
    """[N] -> [N]

    >>> calibrated_certainty(0.9, CertaintyCalibration(0.5, 0.0)).round(3).item()  # odds of 9, then of 3
    0.75
    """
    return expit(calibration.scale * _log_odds(certainty) + calibration.shift)


def calibrate_certainty(certainty: np.ndarray, right: np.ndarray) -> CertaintyCalibration:
    """The calibration under which answers are right as often as it says: [G] of certainties, bool [G].

    After Platt, "Probabilistic outputs for support vector machines", 1999, on the log odds of a probability:
    parts are multiplied as if independent, which makes their product too sure or, where they stand and fall
    together, not sure enough (the scale), and what all overlook is no part at all (the shift). Maximum a
    posteriori, by L-BFGS with the exact gradient.
    """
    log_odds, right = _log_odds(certainty), np.asarray(right, dtype=float)

    def cost(x: np.ndarray) -> tuple[float, np.ndarray]:
        """-log posterior density, and its gradient, of x = log scale, shift."""
        scaled = np.exp(x[0]) * log_odds
        z = scaled + x[1]
        surplus = expit(z) - right
        gradient = np.array([surplus @ scaled, surplus.sum()])
        return np.logaddexp(0.0, np.where(right > 0, -z, z)).sum() + x @ x / (2 * SPREAD**2), (
            gradient + x / SPREAD**2
        )

    x = minimize(cost, np.zeros(2), jac=True, method="L-BFGS-B").x
    return CertaintyCalibration(float(np.exp(x[0])), float(x[1]))


def calibrated_by_others(certainty: np.ndarray, right: np.ndarray) -> np.ndarray:
    """[G]: of each task what the calibration by the others makes of its certainty.

    By N_PARTS parts, drawn by lot, the same ones each time: so what certainty is worth is not measured on the
    gold that it was learned from.
    """
    found = np.empty(len(certainty))
    tasks = np.random.default_rng(0).permutation(len(certainty))
    for part in np.array_split(tasks, N_PARTS):
        others = np.setdiff1d(tasks, part)
        found[part] = calibrated_certainty(
            certainty[part], calibrate_certainty(certainty[others], right[others])
        )
    return found


def is_better(certainty: np.ndarray, before: np.ndarray, right: np.ndarray) -> bool:
    """Whether one certainty foretells better what is right than another did: all [G].

    By log loss, the mean gain above its own standard error: a crowd that is as right as it says is left as
    it is, where two numbers learned on little gold would only add their noise.
    """
    gain = _log_loss(before, right) - _log_loss(certainty, right)
    return bool(gain.mean() > gain.std() / np.sqrt(len(gain)))


def _log_loss(certainty: np.ndarray, right: np.ndarray) -> np.ndarray:
    log_odds = _log_odds(certainty)
    return np.logaddexp(0.0, np.where(right, -log_odds, log_odds))


def _log_odds(certainty: np.ndarray | float) -> np.ndarray:
    return logit(np.clip(certainty, SMALLEST, 1.0 - SMALLEST))
