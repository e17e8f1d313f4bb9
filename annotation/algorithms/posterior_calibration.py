"""How far a posterior's certainty can be trusted, and the few numbers that mend it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from annotation.algorithms.parameters import softmax
from annotation.algorithms.scores import calibration_error as binned_gap

SMALLEST = 1e-12
COOLEST, HOTTEST = 0.25, 20.0
N_PARTS = 5  # of the gold, to measure a calibration on what it did not see
# All begins at what changes nothing and moves only as far as gold shows: the logarithms of the temperature
# and of each label's lead have a normal prior of this spread around 0.
LOG_SPREAD = 1.0


class Calibration(NamedTuple):
    """temperature, and log_lead [K]: see `calibrated`."""

    temperature: float
    log_lead: np.ndarray


def calibrated(
    log_posterior: np.ndarray, temperature: float, log_lead: np.ndarray | None = None
) -> np.ndarray:
    """[..., K]: the posterior whose logarithms these are, up to a constant, made as sure as it should be.

    The temperature divides the logarithms. Then the lead of the label that wins, which is its odds against
    its closest rival less 1, is multiplied by exp(log_lead) of that label. Which label wins never changes: a
    label that is wrong as often as not when it wins ends in a tie with its rival.

    >>> calibrated(np.log([0.75, 0.25]), 1.0, np.log([0.5, 1.0])).round(3)  # odds of 3, a lead of 2, then 1
    array([0.667, 0.333])
    """
    scaled = log_posterior / temperature
    if log_lead is None:
        return softmax(scaled)
    winner = scaled.argmax(axis=-1, keepdims=True)
    others = scaled.copy()
    np.put_along_axis(others, winner, -np.inf, axis=-1)
    rival = others.max(axis=-1, keepdims=True)
    log_odds = np.take_along_axis(scaled, winner, axis=-1) - rival
    np.put_along_axis(scaled, winner, rival + _led(log_odds, np.asarray(log_lead)[winner]), axis=-1)
    return softmax(scaled)


def calibrate(posterior: np.ndarray, gold: np.ndarray) -> Calibration:
    """The calibration under which the winner is right as often as it says; without gold none.

    posterior: [T, K], of every task made without sight of its own gold; gold: int [T], -1 where unknown.
    Answers are multiplied as if independent, which makes them too sure of themselves, alike for all labels:
    hence a temperature, after Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2.
    Crowds are too sure of one label and not of another: hence the leads, after Gupta and Ramdas, "Top-label
    calibration and multiclass-to-binary reductions", ICLR 2022. The loss is that of "the winner is right",
    not the label's: a rule to stop reads the winner alone, and a label that nobody ever gives would outweigh
    all the rest. Maximum a posteriori, by L-BFGS with the exact gradient.
    """
    known = np.flatnonzero(gold >= 0)
    log_lead = np.zeros(posterior.shape[1])
    if len(known) == 0:
        return Calibration(1.0, log_lead)
    log_p = np.log(np.clip(posterior[known], SMALLEST, None))
    wins = np.arange(log_p.shape[1]) == log_p.argmax(axis=1)[:, None]  # [G, K]
    others = log_p[~wins].reshape(len(known), -1)
    rival = others.max(axis=1)
    others, log_odds = others - rival[:, None], log_p[wins] - rival
    right = log_p.argmax(axis=1) == gold[known]
    winners, winner = np.unique(log_p.argmax(axis=1), return_inverse=True)

    def cost(x: np.ndarray) -> tuple[float, np.ndarray]:
        """-log posterior density, and its gradient, of x = log temperature, then each winner's log lead."""
        coolness = np.exp(-x[0])
        behind, by_answers, lead = others * coolness, log_odds * coolness, x[1:][winner]
        led = _led(by_answers, lead)
        share = np.exp(behind)  # of the other labels, up to a constant a task
        log_odds_right = led - np.log(share.sum(axis=1))
        loss = np.logaddexp(0.0, np.where(right, -log_odds_right, log_odds_right)).sum()
        of_temperature = (share * behind).sum(axis=1) / share.sum(axis=1)
        of_temperature -= by_answers * np.exp(lead + by_answers - led)
        surplus = expit(log_odds_right) - right
        of_lead = np.bincount(winner, surplus * -np.expm1(-led))
        gradient = np.append(surplus @ of_temperature, of_lead)
        return loss + x @ x / (2.0 * LOG_SPREAD**2), gradient + x / LOG_SPREAD**2

    bounds = [(np.log(COOLEST), np.log(HOTTEST))] + [(None, None)] * len(winners)
    x = minimize(cost, np.zeros(len(bounds)), jac=True, method="L-BFGS-B", bounds=bounds).x
    log_lead[winners] = x[1:]
    return Calibration(float(np.exp(x[0])), log_lead)


def recalibrated(posterior: np.ndarray, calibration: Calibration) -> np.ndarray:
    """[T, K] -> [T, K]"""
    return calibrated(np.log(np.clip(posterior, SMALLEST, None)), *calibration)


def recalibrated_by_others(posterior: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """[T, K]: of each task with gold what the calibration by the others' gold makes of it; the rest as it is.

    By N_PARTS parts, drawn by lot, the same ones each time: so what certainty is worth is not measured on the
    gold that it was learned from. posterior, gold: as `calibrate` takes them.
    """
    found = posterior.copy()
    tasks = np.random.default_rng(0).permutation(np.flatnonzero(gold >= 0))
    for part in np.array_split(tasks, N_PARTS):
        others = gold.copy()
        others[part] = -1
        found[part] = recalibrated(posterior[part], calibrate(posterior, others))
    return found


def _led(log_odds: np.ndarray, log_lead: np.ndarray) -> np.ndarray:
    """log(1 + lead * (odds - 1)), for odds of 1 and above."""
    return np.maximum(0.0, log_odds + log_lead + np.log1p(np.expm1(-log_lead) * np.exp(-log_odds)))


def calibration_error(posterior: np.ndarray, gold: np.ndarray, n_bins: int = 15) -> float | None:
    """Expected calibration error of the winning label (see scores.calibration_error); None without gold."""
    known = np.flatnonzero(gold >= 0)
    if len(known) == 0:
        return None
    confidence = posterior[known].max(axis=1)
    right = posterior[known].argmax(axis=1) == gold[known]
    return binned_gap(confidence, right, n_bins)
