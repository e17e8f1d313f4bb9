"""The model as one more annotator: its predictions weigh what they proved to be worth, and never much.

Its probabilities must be out-of-fold (made by a model that never saw the task) and calibrated. The evidence
they bring is their log ratio to the labels' shares, times an exponent that says how well it fits what people
found, and cut off at CAP typical volunteers. After Goh, Tkachenko, Mueller, "CROWDLAB", 2022, where the
weight of the classifier is likewise measured against the annotators; the cap is ours.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from annotation.algorithms.parameters import SMALLEST, softmax

# One and a half typical volunteers: the model alone can never outvote two people who agree.
CAP = 1.5
# The exponent is measured where at least so many people answered, on at least so many tasks.
N_PEOPLE, N_TASKS = 2, 20
# A gain on gold must be this many standard errors above nothing, on at least so many gold tasks.
STANDARD_ERRORS, N_GOLD = 1.64, 20


def measured_annotator(
    probabilities: np.ndarray, posterior: np.ndarray, n_people: np.ndarray, typical_accuracy: float
) -> dict | None:
    """JSON for crowd["annotator"], or None where the model is worth nothing or too little is known.

    probabilities: [T, K], out-of-fold; posterior: [T, K] of people alone; n_people: int [T], answers a task;
    typical_accuracy: CrowdFit.crowd["typical_accuracy"]. The exponent is the one under which the people's
    answers are most probable, with the model as prior: between 0 (worth nothing) and 1 (as good as it says).
    """
    n_classes = posterior.shape[1]
    seen = n_people >= N_PEOPLE
    odds = typical_accuracy * (n_classes - 1) / (1.0 - typical_accuracy)
    if seen.sum() < N_TASKS or odds <= 1.0:
        return None
    share = np.clip(posterior[seen].mean(axis=0), SMALLEST, None)
    likelihood = posterior[seen] / share  # of the answers, up to a constant a task
    ratio = _log_ratio(probabilities[seen], share)

    def cost(exponent: float) -> float:
        predicted = softmax(np.log(share) + exponent * ratio)
        return -np.log(np.clip((predicted * likelihood).sum(axis=1), SMALLEST, None)).sum()

    exponent = float(minimize_scalar(cost, bounds=(0.0, 1.0), method="bounded").x)
    if cost(exponent) >= cost(0.0):
        return None
    return {"share": share.tolist(), "exponent": exponent, "cap": float(CAP * np.log(odds))}


def model_evidence(probabilities: np.ndarray, annotator: dict) -> np.ndarray:
    """[..., K] -> [..., K]: log odds to add to a posterior; no two labels differ by more than the cap.

    >>> annotator = {"share": [0.5, 0.5], "exponent": 1.0, "cap": 2.0}
    >>> model_evidence(np.array([0.999, 0.001]), annotator).tolist()
    [0.0, -2.0]
    """
    evidence = annotator["exponent"] * _log_ratio(probabilities, np.array(annotator["share"]))
    return np.maximum(evidence - evidence.max(axis=-1, keepdims=True), -annotator["cap"])


def with_model(posterior: np.ndarray, probabilities: np.ndarray, annotator: dict) -> np.ndarray:
    """[T, K]: the people's posterior and the model's evidence together."""
    log_posterior = np.log(np.clip(posterior, SMALLEST, None))
    return softmax(log_posterior + model_evidence(probabilities, annotator))


@dataclass(frozen=True, slots=True)
class Earned:
    """Whether the model is to be heard.

    gain: on the mean over gold tasks, with its standard error; right: how many are without it and with it.
    """

    earned: bool
    n_gold: int
    gain: float
    standard_error: float
    right: tuple[float, float]

    def as_json(self) -> dict:
        error = self.standard_error if np.isfinite(self.standard_error) else None  # JSON knows no infinity
        return asdict(self) | {"standard_error": error}


def earns_its_place(gain: np.ndarray, right_without: np.ndarray, right_with: np.ndarray) -> Earned:
    """Earned when on N gold tasks the gain [N], in whatever is measured, is above nothing by more than chance
    explains, and no fewer tasks are right (bool [N], or how much of each is)."""
    right = right_without.sum().item(), right_with.sum().item()
    if len(gain) < N_GOLD:
        return Earned(False, len(gain), 0.0, float("inf"), right)
    error = float(gain.std(ddof=1) / np.sqrt(len(gain)))
    earned = bool(gain.mean() > STANDARD_ERRORS * error and right[1] >= right[0])
    return Earned(earned, len(gain), float(gain.mean()), error, right)


def model_earns_its_place(without: np.ndarray, with_it: np.ndarray, gold: np.ndarray) -> Earned:
    """Compare two posteriors [T, K], both made without sight of gold, on int [T] gold (-1 unknown): the log
    probability of gold in nats."""
    known = np.flatnonzero(gold >= 0)
    log_p = [np.log(np.clip(p[known, gold[known]], SMALLEST, None)) for p in (without, with_it)]
    right = [p[known].argmax(axis=1) == gold[known] for p in (without, with_it)]
    return earns_its_place(log_p[1] - log_p[0], *right)


def heard(annotator: dict, verdict: Earned) -> dict:
    """What a fit keeps of a model: how it did on gold; in force (`annotator`) only if it earned its place."""
    figures = {"model": verdict.as_json() | {"exponent": annotator.get("exponent")}}
    return figures | {"annotator": annotator} if verdict.earned else figures


def _log_ratio(probabilities: np.ndarray, share: np.ndarray) -> np.ndarray:
    return np.log(np.clip(probabilities, SMALLEST, None)) - np.log(share)
