"""How much volunteers agree beyond chance, from how many of them gave a task which label.

Every coefficient here is a function of sums over tasks. `Sums` keeps the summands per task apart, so that a
coefficient of another sample of the same tasks, as in a bootstrap, costs one matrix product.
"""

from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Literal

import numpy as np

Scale = Literal["nominal", "ordinal"]


@dataclass(frozen=True, eq=False)
class Sums:
    """A coefficient as summands [T, S] of its tasks and the function from their sums [..., S] to it [...].

    Where the coefficient is undefined the function gives nan.
    """

    summands: np.ndarray
    coefficient: Callable[[np.ndarray], np.ndarray]

    def value(self) -> float | None:
        """The coefficient over all tasks; None where it is undefined."""
        value = float(self.coefficient(self.summands.sum(axis=0)))
        return None if np.isnan(value) else value

    def resampled(self, weights: np.ndarray) -> np.ndarray:
        """The coefficient of B samples: weights [B, T] say how often each holds a task. nan if undefined."""
        return self.coefficient(weights @ self.summands)


def observed_agreement(counts: np.ndarray) -> Sums:
    """The share of pairs of answers that agree, as a mean over tasks with at least two answers.

    counts: [T, K], how many volunteers gave task t the label k.
    """
    agreeing, has_pair, _, _ = _agreement_within_tasks(counts, np.eye(np.shape(counts)[1]))
    return Sums(np.column_stack([agreeing, has_pair]), lambda s: _ratio(s[..., 0], s[..., 1]))


def mean_over_pairs(mean_of_task: np.ndarray, n_pairs: np.ndarray) -> Sums:
    """The mean of any measure of pairs of answers, from its mean within each task [T] and their pairs [T]."""
    return Sums(np.column_stack([mean_of_task * n_pairs, n_pairs]), lambda s: _ratio(s[..., 0], s[..., 1]))


def f1_over_pairs(stated: Sequence[Sequence[Set]]) -> Sums:
    """F1 of every two answers to the same task, all pairs together, where an answer is any number of facts.

    stated: per task, each answer's facts. Where there is no end to what could have been stated, as in a text,
    it is what kappa tends to (Hripcsak and Rothschild 2005). Undefined where nobody states anything.

    >>> f1_over_pairs([[{1, 2}, {2}], [{3}, {3}]]).value()
    0.8
    """
    times = [Counter(fact for facts in of_task for fact in facts) for of_task in stated]
    in_common = [sum(n * (n - 1) for n in of_task.values()) for of_task in times]
    of_both = [(len(of_task) - 1) * n.total() for of_task, n in zip(stated, times, strict=True)]
    return Sums(np.column_stack([in_common, of_both]), lambda s: _ratio(s[..., 0], s[..., 1]))


def krippendorff_alpha(counts: np.ndarray, distances: np.ndarray | None = None) -> Sums:
    """Krippendorff's alpha; tasks may have different numbers of answers.

    counts: [T, K]. distances: [K, K], symmetric, 0 on the diagonal, between any two labels; nominal (1
    between different labels) without it. Tasks with one answer carry no pair and are left out. Undefined
    when no two answers meet on a task, or when only one label was ever given (nothing could have
    disagreed, so agreement has no scale).

    alpha = 1 - observed / expected disagreement, with coincidences weighted by 1 / (n_t - 1)
    (Krippendorff, Content Analysis, 3rd ed. 2013, section 11.3).
    """
    counts = _pairable(counts)
    disagreements = _nominal_disagreements if distances is None else _Disagreements(distances)
    observed = disagreements(counts) / np.maximum(counts.sum(axis=1) - 1.0, 1.0)  # [T]

    def alpha(sums: np.ndarray) -> np.ndarray:
        n_per_label = sums[..., 1:]
        expected = _ratio(disagreements(n_per_label), n_per_label.sum(axis=-1) - 1.0)
        return 1.0 - _ratio(sums[..., 0], expected)

    return Sums(np.column_stack([observed, counts]), alpha)


def _nominal_disagreements(counts: np.ndarray) -> np.ndarray:
    """Ordered pairs of answers that differ, from counts [..., K]."""
    return counts.sum(axis=-1) ** 2 - (counts**2).sum(axis=-1)


@dataclass(frozen=True, eq=False)
class _Disagreements:
    """The summed distances of all ordered pairs of answers, from counts [..., K]."""

    distances: np.ndarray

    def __call__(self, counts: np.ndarray) -> np.ndarray:
        return ((counts @ self.distances) * counts).sum(axis=-1)


def krippendorff_alpha_ordinal(counts: np.ndarray) -> Sums:
    """Krippendorff's alpha for labels in order, columns from lowest to highest.

    Two labels are as far apart as the answers that lie between them: their squared distance is
    (m_c - m_k)^2, m_k the mid-rank of label k among all answers, so that it is not fixed but estimated with
    every sample (Krippendorff 2013, section 11.4.3).
    """
    counts = _pairable(counts)
    n_labels = counts.shape[1]
    pairs = counts[:, :, None] * counts[:, None, :]  # [T, K, K], ordered pairs within tasks
    pairs[:, np.arange(n_labels), np.arange(n_labels)] -= counts  # nobody is paired with themselves
    coincidences = pairs / np.maximum(counts.sum(axis=1) - 1.0, 1.0)[:, None, None]

    def alpha(sums: np.ndarray) -> np.ndarray:
        observed = sums.reshape(*sums.shape[:-1], n_labels, n_labels)
        n = observed.sum(axis=-1)  # [..., K]
        mid_rank = np.cumsum(n, axis=-1) - n / 2.0
        distance = (mid_rank[..., :, None] - mid_rank[..., None, :]) ** 2
        expected = _ratio(
            (n[..., :, None] * n[..., None, :] * distance).sum(axis=(-2, -1)), n.sum(axis=-1) - 1.0
        )
        return 1.0 - _ratio((observed * distance).sum(axis=(-2, -1)), expected)

    return Sums(coincidences.reshape(len(counts), n_labels**2), alpha)


def fleiss_kappa(counts: np.ndarray, scale: Scale = "nominal") -> Sums:
    """Fleiss' kappa (Psychol Bull 1971;76:378): chance gives labels as often as all volunteers together do.

    counts: [T, K]. Ordinal: near labels agree in part, with quadratic weights. Tasks may have different
    numbers of answers: agreement is taken over those with two or more, the labels' shares over all
    (Gwet, Handbook of Inter-Rater Reliability, 4th ed. 2014, chapter 2).
    """
    weights = agreement_weights(np.shape(counts)[1], scale)
    return _chance_corrected(counts, weights, lambda share: ((share @ weights) * share).sum(axis=-1))


def gwet_ac(counts: np.ndarray, scale: Scale = "nominal") -> Sums:
    """Gwet's AC1 and, for labels in order, AC2 with quadratic weights (Br J Math Stat Psychol 2008;61:29).

    Stays meaningful where nearly all answers are the same label, where kappa and alpha fall to 0 whatever
    the agreement. counts: [T, K], with a column for every label on offer, also one nobody gave.
    """
    n_labels = np.shape(counts)[1]
    weights = agreement_weights(n_labels, scale)
    factor = weights.sum() / (n_labels * (n_labels - 1)) if n_labels > 1 else np.nan
    return _chance_corrected(counts, weights, lambda share: factor * (share * (1.0 - share)).sum(axis=-1))


def agreement_weights(n_labels: int, scale: Scale) -> np.ndarray:
    """How far two labels agree, [K, K]: only the same ones, or 1 - ((k - l) / (K - 1))^2 for ordinal ones."""
    if scale == "nominal" or n_labels < 2:
        return np.eye(n_labels)
    steps = np.subtract.outer(np.arange(n_labels), np.arange(n_labels))
    return 1.0 - (steps / (n_labels - 1)) ** 2


def _chance_corrected(
    counts: np.ndarray, weights: np.ndarray, by_chance: Callable[[np.ndarray], np.ndarray]
) -> Sums:
    """(observed - expected) / (1 - expected) agreement, expected from the labels' mean shares [..., K]."""
    agreeing, has_pair, is_rated, share = _agreement_within_tasks(counts, weights)

    def coefficient(sums: np.ndarray) -> np.ndarray:
        observed = _ratio(sums[..., 0], sums[..., 1])
        expected = by_chance(_ratio(sums[..., 3:], sums[..., 2, None]))
        return _ratio(observed - expected, 1.0 - expected)

    return Sums(np.column_stack([agreeing, has_pair, is_rated, share]), coefficient)


def _agreement_within_tasks(
    counts: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Per task: the share of its pairs that agree (0 without a pair), whether it has a pair and an answer,
    and the shares of the labels: [T], [T], [T], [T, K]."""
    counts = np.asarray(counts, dtype=float)
    n = counts.sum(axis=1)
    agreeing = (counts * (counts @ weights - 1.0)).sum(axis=1) / np.maximum(n * (n - 1.0), 1.0)
    return np.where(n > 1, agreeing, 0.0), n > 1, n > 0, counts / np.maximum(n, 1.0)[:, None]


def _pairable(counts: np.ndarray) -> np.ndarray:
    """Counts as floats, with those of tasks that have less than two answers taken out."""
    counts = np.asarray(counts, dtype=float)
    return counts * (counts.sum(axis=1) > 1)[:, None]


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """nan where there is nothing to divide by, rounding errors included."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    is_defined = denominator > 1e-12
    return np.divide(numerator, denominator, out=np.full(denominator.shape, np.nan), where=is_defined)


def krippendorff_alpha_nominal(counts: np.ndarray) -> float | None:
    """Krippendorff's alpha for nominal labels, None where it is undefined. counts: int [T, K].

    >>> krippendorff_alpha_nominal(np.array([[2, 0], [0, 2]]))
    1.0
    """
    return krippendorff_alpha(counts).value()
