"""The agreement of a campaign's volunteers in all usual coefficients, with bootstrap intervals over tasks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from annotation.algorithms.agreement import (
    Scale,
    Sums,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    krippendorff_alpha_ordinal,
    mean_over_pairs,
    observed_agreement,
)
from annotation.algorithms.bootstrap import TAILS, mirrored_interval, resamples
from annotation.algorithms.free_text import mean_similarity
from annotation.algorithms.pair_agreement import KappaSums, keep_pairs_that_share, meetings
from annotation.algorithms.set_agreement import SetDistance, set_distances
from annotation.algorithms.unitised_agreement import Span, unitised_alpha, unitised_disagreements


class Measure(NamedTuple):
    """A coefficient with its 95 % interval, from n_tasks tasks with n_pairs pairs of answers."""

    value: float
    low: float
    high: float
    n_tasks: int
    n_pairs: int


def agreement_report(
    task: np.ndarray,
    worker: np.ndarray,
    label: np.ndarray,
    n_classes: int,
    *,
    scale: Scale = "nominal",
    rng: np.random.Generator,
) -> dict[str, Measure | None]:
    """All coefficients of labels given by several volunteers a task; None where one is undefined.

    task, worker, label: int [N], one answer a worker and task; label from 0 to n_classes - 1, in order where
    the scale is ordinal. `agreement` is the share of agreeing pairs, without any correction for chance;
    `cohen_kappa` is the mean over pairs of volunteers that share ten tasks or more, weighted by how much they
    share. The intervals are percentiles over N_RESAMPLES samples of whole tasks.
    """
    counts = label_counts(task, label, n_classes)
    met = keep_pairs_that_share(meetings(task, worker, label))
    return counts_report(counts, scale=scale, rng=rng) | {
        "cohen_kappa": _mean_kappa(KappaSums(met, n_classes, scale), len(met.task), rng)
    }


def agreement_by_label(
    task: np.ndarray, label: np.ndarray, n_classes: int, *, rng: np.random.Generator
) -> list[dict[str, Measure | None]]:
    """The coefficients of each label against the rest, K reports as `counts_report` gives them."""
    counts = label_counts(task, label, n_classes)
    return _each_against_the_rest(counts, counts.sum(axis=1), rng)


def sets_by_label(
    task: np.ndarray, chosen: np.ndarray, *, rng: np.random.Generator
) -> list[dict[str, Measure | None]]:
    """The coefficients of each label, chosen or not, from task int [N] and chosen bool [N, K]: K reports."""
    _, row = np.unique(task, return_inverse=True)
    n = np.bincount(row)
    counts = np.stack([np.bincount(row, chosen[:, k]) for k in range(chosen.shape[1])], axis=1)
    return _each_against_the_rest(counts.astype(int), n, rng)


def _each_against_the_rest(
    counts: np.ndarray, n: np.ndarray, rng: np.random.Generator
) -> list[dict[str, Measure | None]]:
    """counts [T, K]: how many of the n [T] answers of each task have the label."""
    return [
        counts_report(np.column_stack([n - counts[:, k], counts[:, k]]), rng=rng)
        for k in range(counts.shape[1])
    ]


def label_counts(task: np.ndarray, label: np.ndarray, n_classes: int) -> np.ndarray:
    """How many volunteers gave each task each label: int [T, K], T the tasks that have an answer.

    >>> label_counts(np.array([5, 5, 9]), np.array([0, 1, 1]), 3)
    array([[1, 1, 0],
           [0, 1, 0]])
    """
    label = np.asarray(label)
    if label.size and not (label.min() >= 0 and label.max() < n_classes):
        raise ValueError(f"labels must lie from 0 to {n_classes - 1}")
    tasks, row = np.unique(task, return_inverse=True)
    counts = np.bincount(row * n_classes + label, minlength=len(tasks) * n_classes)
    return counts.reshape(len(tasks), n_classes)


def counts_report(
    counts: np.ndarray, *, scale: Scale = "nominal", rng: np.random.Generator
) -> dict[str, Measure | None]:
    """The coefficients that do not ask who gave which label. counts: int [T, K], as `label_counts` has it."""
    alpha = krippendorff_alpha_ordinal if scale == "ordinal" else krippendorff_alpha
    # Tasks with the same counts are the same to every coefficient: a few patterns stand for thousands.
    patterns, n_alike = np.unique(np.asarray(counts), axis=0, return_counts=True)
    coefficients = {
        "agreement": observed_agreement(patterns),
        "alpha": alpha(patterns),
        "fleiss_kappa": fleiss_kappa(patterns, scale),
        "gwet_ac": gwet_ac(patterns, scale),
    }
    return measured(coefficients, n_alike, patterns.sum(axis=1), rng)


def set_sums(task: np.ndarray, chosen: np.ndarray, *, distance: SetDistance = "masi") -> dict[str, Sums]:
    """Agreement of answers that are sets of labels: task int [N]; chosen bool [N, K], the labels of each.

    `agreement` is the share of pairs with the same set; `alpha` counts sets that overlap as near.
    """
    sets, code = np.unique(np.asarray(chosen, dtype=bool), axis=0, return_inverse=True)
    counts = label_counts(task, code, len(sets))
    return {
        "agreement": observed_agreement(counts),
        "alpha": krippendorff_alpha(counts, set_distances(sets, distance)),
    }


def span_sums(
    lengths: Sequence[int], spans: Sequence[Sequence[Sequence[Span]]], labels: Sequence[str]
) -> tuple[Sums, dict[str, Sums]]:
    """Krippendorff's unitised alpha over all labels together, and of each label by its key.

    lengths [T] of the texts in code points; spans: per text, per volunteer who read it, their spans.
    """
    disagreement = unitised_disagreements(lengths, spans, labels)  # [T, labels, 2]
    of_each = {label: unitised_alpha(disagreement[:, k]) for k, label in enumerate(labels)}
    return unitised_alpha(disagreement.sum(axis=1)), of_each


def text_sums(texts: Sequence[Sequence[str]]) -> Sums:
    """The mean similarity of two free texts of the same task. texts: per task, all its answers."""
    n_answers = np.array([len(of_task) for of_task in texts], dtype=int)
    similarity = np.array([mean_similarity(of_task) or 0.0 for of_task in texts])
    return mean_over_pairs(similarity, n_answers * (n_answers - 1) / 2.0)


def measured_by_task(
    coefficients: dict[str, Sums], n_answers: np.ndarray, rng: np.random.Generator
) -> dict[str, Measure | None]:
    """Coefficients with their intervals, over tasks that have a row each, with n_answers int [T] answers."""
    return measured(coefficients, np.ones(len(n_answers), dtype=int), n_answers, rng)


def measured(
    coefficients: dict[str, Sums], n_alike: np.ndarray, n_answers: np.ndarray, rng: np.random.Generator
) -> dict[str, Measure | None]:
    """Coefficients over the same rows with their intervals: n_alike [P] tasks have a row, with n_answers [P]
    answers each. All are computed from the same resamples."""
    n_tasks = int(n_alike[n_answers > 1].sum())
    n_pairs = int((n_alike * (n_answers * (n_answers - 1) // 2)).sum())
    drawn = {name: [] for name in coefficients}
    for weights in resamples(n_alike, rng):
        for name, sums in coefficients.items():
            drawn[name].append(sums.resampled(weights))
    return {
        name: _measure(float(sums.resampled(n_alike.astype(float))), drawn[name], n_tasks, n_pairs)
        for name, sums in coefficients.items()
    }


def _mean_kappa(sums: KappaSums, n_pairs: int, rng: np.random.Generator) -> Measure | None:
    def figures(weights: np.ndarray) -> np.ndarray:
        return sums.mean_kappa(weights)[:, None]

    [[value], [low], [high]] = mirrored_interval(
        figures, sums.n_tasks, rng, n_columns=len(sums.pair)
    ).tolist()
    return None if np.isnan(value) else Measure(value, low, high, sums.n_tasks, n_pairs)


def _measure(value: float, drawn: list[np.ndarray], n_tasks: int, n_pairs: int) -> Measure | None:
    if np.isnan(value):
        return None
    defined = np.concatenate(drawn)
    low, high = np.quantile(defined[~np.isnan(defined)], TAILS)
    return Measure(value, float(low), float(high), n_tasks, n_pairs)
