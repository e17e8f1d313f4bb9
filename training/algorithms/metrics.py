"""How good a classifier is, from y_true[N] (class indices) and probabilities[N, K] or y_predicted[N]."""

from typing import Any

import numpy as np
from scipy.stats import rankdata


def accuracy(y_true: np.ndarray, y_predicted: np.ndarray) -> float:
    """Return the share of examples whose class was found."""
    return float(np.mean(y_true == y_predicted))


def confusion_matrix(y_true: np.ndarray, y_predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Return counts[K, K]; row: true class, column: predicted class.

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    return np.bincount(y_true * n_classes + y_predicted, minlength=n_classes**2).reshape(n_classes, n_classes)


def per_class(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Return precision, recall, f1 and support, each [K], of confusion[K, K]; 0 where undefined."""
    hits, support, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return {
        "precision": _ratio(hits, predicted),
        "recall": _ratio(hits, support),
        "f1": _ratio(2 * hits, support + predicted),
        "support": support,
    }


def macro_f1(confusion: np.ndarray) -> float:
    """Return the mean F1 of the classes that occur, as truth or as prediction (scikit-learn's convention)."""
    occurs = (confusion.sum(axis=0) + confusion.sum(axis=1)) > 0
    return float(per_class(confusion)["f1"][occurs].mean())


def negative_log_likelihood(y_true: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean of -log p(true class) in nats; p is at least 1e-12, so one miss costs at most 27.6."""
    p_true = probabilities[np.arange(len(y_true)), y_true].astype(np.float64)
    return float(-np.log(np.maximum(p_true, 1e-12)).mean())


def brier(y_true: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean over examples of sum_k (p_k - [k is true])^2, between 0 and 2.

    Source: Brier 1950, in its original form for K classes.

    >>> round(brier(np.array([0]), np.array([[0.8, 0.2]])), 6)
    0.08
    """
    error = probabilities.astype(np.float64)
    error[np.arange(len(y_true)), y_true] -= 1.0
    return float(np.square(error).sum(axis=1).mean())


def reliability(confidence: np.ndarray, hit: np.ndarray, *, n_bins: int = 15) -> list[dict[str, float]]:
    """Return n, mean confidence and share right (accuracy) of each bin of equal mass, least confident first.

    confidence [M] of M statements, hit bool [M]: which of them are right. Bins of equal width would be nearly
    empty at the low end. Source: Nixon et al. 2019.

    >>> reliability(np.array([0.9, 0.5, 0.9, 0.5]), np.array([True, True, True, False]), n_bins=2)
    [{'n': 2, 'confidence': 0.5, 'accuracy': 0.5}, {'n': 2, 'confidence': 0.9, 'accuracy': 1.0}]
    """
    confidence = np.asarray(confidence, dtype=np.float64)
    bins = np.array_split(np.argsort(confidence, kind="stable"), n_bins)
    return [
        {"n": len(b), "confidence": float(confidence[b].mean()), "accuracy": float(hit[b].mean())}
        for b in bins
        if len(b)
    ]


def calibration_error(confidence: np.ndarray, hit: np.ndarray, *, n_bins: int = 15) -> float:
    """Return sum_b n_b / M * |accuracy_b - confidence_b| over the bins of reliability; 0 of no statement.

    Source: Guo et al. 2017, eq. 3.
    """
    bins = reliability(confidence, hit, n_bins=n_bins)
    return sum(b["n"] * abs(b["accuracy"] - b["confidence"]) for b in bins) / max(len(confidence), 1)


def expected_calibration_error(y_true: np.ndarray, probabilities: np.ndarray, *, n_bins: int = 15) -> float:
    """Return the calibration error of the likeliest classes; the confidence is their probability.

    Four predictions of confidence 0.75, three of them right, are perfectly calibrated in one bin:

    >>> p = np.array([[0.75, 0.25]] * 4)
    >>> expected_calibration_error(np.array([0, 0, 0, 1]), p, n_bins=1)
    0.0
    """
    hit = probabilities.argmax(axis=1) == y_true
    return calibration_error(probabilities.max(axis=1), hit, n_bins=n_bins)


def auroc(y_true: np.ndarray, probabilities: np.ndarray) -> float | None:
    """Return the area under the ROC curve of each class against the rest, on the mean of the classes.

    The chance that an example of the class has a higher probability of it than one of another class; a tie
    counts half. None where all examples are of one class.

    >>> auroc(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6]]))
    0.75
    """
    return mean_auroc(np.asarray(y_true)[:, None] == np.arange(probabilities.shape[1]), probabilities)


def mean_auroc(targets: np.ndarray, probabilities: np.ndarray) -> float | None:
    """Return the mean area under the ROC curve of the columns of targets bool [N, K] that hold yes and no.

    From the ranks of the yes (Mann and Whitney 1947). None where no column holds both.
    """
    n_yes = targets.sum(axis=0)
    n_pairs = n_yes * (len(targets) - n_yes)
    if not n_pairs.any():
        return None
    ranks = rankdata(probabilities, axis=0)  # ties share the mean of their places
    wins = np.where(targets, ranks, 0).sum(axis=0) - n_yes * (n_yes + 1) / 2
    return float((wins[n_pairs > 0] / n_pairs[n_pairs > 0]).mean())


def evaluate(y_true: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    """Return every metric above as plain numbers and lists, ready for JSON; lists per class have length K."""
    y_true, n_classes = np.asarray(y_true), probabilities.shape[1]
    confusion = confusion_matrix(y_true, probabilities.argmax(axis=1), n_classes)
    return {
        "n_examples": len(y_true),
        "accuracy": accuracy(y_true, probabilities.argmax(axis=1)),
        "macro_f1": macro_f1(confusion),
        "negative_log_likelihood": negative_log_likelihood(y_true, probabilities),
        "expected_calibration_error": expected_calibration_error(y_true, probabilities),
        "brier": brier(y_true, probabilities),
        "auroc": auroc(y_true, probabilities),
        "per_class": {name: values.tolist() for name, values in per_class(confusion).items()},
        "confusion_matrix": confusion.tolist(),
    }


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator > 0)
