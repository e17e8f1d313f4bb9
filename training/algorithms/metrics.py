"""How good a classifier is, from y_true[N] (class indices) and probabilities[N, K] or y_predicted[N]."""

from typing import Any

import numpy as np


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


def expected_calibration_error(y_true: np.ndarray, probabilities: np.ndarray, *, n_bins: int = 15) -> float:
    """Return sum_b n_b / N * |accuracy_b - confidence_b| over bins of equal mass.

    Examples are sorted by confidence (their highest probability) and cut into n_bins bins of equal size;
    bins of equal width would be nearly empty at the low end. Source: Guo et al. 2017, eq. 3; equal mass:
    Nixon et al. 2019.

    Four predictions of confidence 0.75, three of them right, are perfectly calibrated in one bin:

    >>> p = np.array([[0.75, 0.25]] * 4)
    >>> expected_calibration_error(np.array([0, 0, 0, 1]), p, n_bins=1)
    0.0
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    hit = probabilities.argmax(axis=1) == y_true
    bins = np.array_split(np.argsort(confidence, kind="stable"), n_bins)
    gaps = [abs(hit[b].mean() - confidence[b].mean()) * len(b) for b in bins if len(b)]
    return float(sum(gaps) / len(y_true))


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
        "per_class": {name: values.tolist() for name, values in per_class(confusion).items()},
        "confusion_matrix": confusion.tolist(),
    }


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator > 0)
