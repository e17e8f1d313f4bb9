"""How good a classifier is where any of K labels may be right: each is a question, answered yes or no."""

from typing import Any

import numpy as np

from training.algorithms.metrics import calibration_error, mean_auroc
from training.algorithms.outcomes import outcomes_of_sets

CHOSEN_FROM = 0.5  # the probability from which on a label is chosen


def evaluate_labels(targets: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    """Return metrics of probabilities [N, K] where targets bool [N, K] are right, ready for JSON.

    The keys are those of metrics.evaluate. accuracy is the share of examples whose labels are all right. Loss
    (nats), Brier score (0 to 2) and calibration error are means over the N x K questions.

    >>> found = evaluate_labels(np.array([[True, False], [True, True]]), np.array([[0.9, 0.1], [0.8, 0.4]]))
    >>> found["accuracy"], found["micro_f1"], found["macro_f1"]
    (0.5, 0.8, 0.5)
    """
    targets, probabilities = np.asarray(targets, dtype=bool), np.asarray(probabilities, dtype=np.float64)
    chosen = probabilities >= CHOSEN_FROM
    p_true = np.where(targets, probabilities, 1 - probabilities)
    confidence = np.maximum(probabilities, 1 - probabilities)
    return {
        "n_examples": len(targets),
        "accuracy": float((targets == chosen).all(axis=1).mean()),
        "negative_log_likelihood": float(-np.log(np.maximum(p_true, 1e-12)).mean()),
        "expected_calibration_error": calibration_error(confidence.ravel(), (targets == chosen).ravel()),
        "brier": float(2 * np.square(1 - p_true).mean()),
        "auroc": mean_auroc(targets, probabilities),
        **outcomes_of_sets(targets, chosen).figures(),
    }
