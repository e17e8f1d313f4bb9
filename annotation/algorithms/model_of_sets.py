"""The model as one more annotator of sets of labels: what it thinks of each label is evidence on that one.

As in model_annotator, its probabilities are out-of-fold, weighed by an exponent that people's answers
measure, and cut off: on no label, for or against, does it say more than CAP volunteers of the crowd's typical
rates who all choose it, or all leave it out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, logit

from annotation.algorithms.model_annotator import CAP, N_PEOPLE, N_TASKS, Earned, earns_its_place
from annotation.algorithms.multiple_choice import label_evidence
from annotation.algorithms.parameters import SMALLEST


def measured_annotator_of_sets(
    probabilities: np.ndarray, posterior: np.ndarray, n_people: np.ndarray, crowd: dict
) -> dict | None:
    """JSON for crowd["annotator"], or None where the model is worth nothing or too little is known.

    probabilities: [T, K], out-of-fold; posterior: [T, K] of people alone; n_people: int [T], answers a task;
    crowd: MultipleFit.crowd. The exponent is the one under which the people's answers are most probable, with
    the model as prior: between 0 (worth nothing) and 1 (as good as it says).
    """
    seen = n_people >= N_PEOPLE
    if seen.sum() < N_TASKS:
        return None
    prior = logit(np.array(crowd["prior"]))
    people, ratio = _log_odds(posterior[seen]) - prior, _log_odds(probabilities[seen]) - prior

    def cost(exponent: float) -> float:
        predicted = prior + exponent * ratio
        return -np.logaddexp(log_expit(predicted) + people, log_expit(-predicted)).sum()

    exponent = float(minimize_scalar(cost, bounds=(0.0, 1.0), method="bounded").x)
    if cost(exponent) >= cost(0.0):
        return None
    rates = np.array(crowd["rates"])
    least, most = (CAP * label_evidence(np.full(len(rates), is_chosen), rates) for is_chosen in (False, True))
    return {
        "share": crowd["prior"],
        "exponent": exponent,
        "least": np.minimum(least, 0.0).tolist(),
        "most": np.maximum(most, 0.0).tolist(),
    }


def evidence_on_labels(probabilities: Sequence[float] | np.ndarray, annotator: dict) -> np.ndarray:
    """[..., K] -> [..., K]: what to add to each label's log odds.

    Four to one where half of the tasks have the label, and the crowd's typical volunteer could say no more.

    >>> annotator = {"share": [0.5, 0.5], "exponent": 1.0, "least": [-3.0, -1.0], "most": [1.0, 3.0]}
    >>> evidence_on_labels([0.8, 0.8], annotator).round(2).tolist()
    [1.0, 1.39]
    """
    ratio = _log_odds(np.asarray(probabilities)) - logit(np.array(annotator["share"]))
    return np.clip(annotator["exponent"] * ratio, annotator["least"], annotator["most"])


def sets_with_model(posterior: np.ndarray, probabilities: np.ndarray, annotator: dict) -> np.ndarray:
    """[T, K]: the people's posterior and the model's evidence together."""
    return expit(_log_odds(posterior) + evidence_on_labels(probabilities, annotator))


def model_of_sets_earns_its_place(without: np.ndarray, with_it: np.ndarray, gold: np.ndarray) -> Earned:
    """Compare two posteriors [T, K], both made without sight of gold, on int [T, K] gold (-1 unknown).

    By the log probability of each task's whole set in nats, and by how many sets are right.
    """
    known = (gold >= 0).all(axis=1)
    applies = gold[known] == 1
    chances = [np.where(applies, p[known], 1.0 - p[known]) for p in (without, with_it)]
    log_p = [np.log(np.clip(chance, SMALLEST, None)).sum(axis=1) for chance in chances]
    right = [((p[known] > 0.5) == applies).all(axis=1) for p in (without, with_it)]
    return earns_its_place(log_p[1] - log_p[0], *right)


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    return logit(np.clip(probabilities, SMALLEST, 1.0 - SMALLEST))
