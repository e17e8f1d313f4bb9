"""A simulated crowd of differing skill, for the demo and for simulations. All randomness is passed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Worker:
    """One simulated volunteer.

    confusion [K, K]: row = true class, column = answered class, each row sums to 1.
    Seconds per answer are log-normal: exp(Normal(seconds_log_mean, seconds_log_std)), so
    the median is exp(seconds_log_mean).
    """

    name: str
    confusion: np.ndarray
    seconds_log_mean: float
    seconds_log_std: float

    def __post_init__(self) -> None:
        confusion = self.confusion
        if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
            raise ValueError(f"confusion must be [K, K], not {list(confusion.shape)}")
        if (confusion < 0).any() or not np.allclose(confusion.sum(axis=1), 1.0):
            raise ValueError("each row of confusion must be a distribution that sums to 1")


@dataclass(frozen=True)
class _Skill:
    lowest: float  # accuracy is drawn between lowest and highest, once per worker
    highest: float
    median_seconds: float
    seconds_log_std: float


_EXPERT = _Skill(0.92, 0.98, median_seconds=8.0, seconds_log_std=0.35)
_ORDINARY = _Skill(0.78, 0.90, median_seconds=11.0, seconds_log_std=0.45)
_HURRIED = _Skill(0.62, 0.74, median_seconds=4.0, seconds_log_std=0.50)
_SPAMMER_MEDIAN_SECONDS = 1.5
_SMALLEST_CROWD_WITH_SPAMMER = 6  # below that one spammer would outweigh the rest


def of_accuracy(accuracy: float, n_classes: int, *, name: str = "simulated") -> Worker:
    """A one-coin worker: right with probability `accuracy`, otherwise any wrong class alike.

    of_accuracy(0.8, 3).confusion == [[.8, .1, .1], [.1, .8, .1], [.1, .1, .8]]
    """
    if not 0.0 <= accuracy <= 1.0:
        raise ValueError(f"accuracy must lie in [0, 1], not {accuracy}")
    if n_classes < 2:
        raise ValueError(f"a worker needs at least two classes to choose from, not {n_classes}")
    confusion = np.full((n_classes, n_classes), (1.0 - accuracy) / (n_classes - 1))
    np.fill_diagonal(confusion, accuracy)
    return Worker(name, confusion, float(np.log(_ORDINARY.median_seconds)), _ORDINARY.seconds_log_std)


def make_crowd(
    n: int, *, n_classes: int, rng: np.random.Generator, accuracies: Sequence[float] | None = None
) -> list[Worker]:
    """n workers in random order: a quarter experts, a quarter hurried, the rest ordinary.

    From six workers on, one ordinary worker's place goes to a spammer, whose answers ignore the
    truth: make_crowd(8, ...) holds 2 experts, 2 hurried, 3 ordinary, 1 spammer. With `accuracies`
    (one per worker) every worker is one-coin at exactly that accuracy, in the given order.
    """
    names = [f"simulated-{number:02d}" for number in range(1, n + 1)]
    if accuracies is not None:
        return [of_accuracy(a, n_classes, name=name) for name, a in zip(names, accuracies, strict=True)]
    skills: list[_Skill | None] = [*[_EXPERT] * (n // 4), *[_HURRIED] * (n // 4)]
    if n >= _SMALLEST_CROWD_WITH_SPAMMER:
        skills.append(None)
    skills += [_ORDINARY] * (n - len(skills))
    order = rng.permutation(n)
    return [_draw_worker(name, skills[i], n_classes, rng) for name, i in zip(names, order, strict=True)]


def _draw_worker(name: str, skill: _Skill | None, n_classes: int, rng: np.random.Generator) -> Worker:
    if skill is None:
        favourite_class = rng.dirichlet(np.ones(n_classes))
        confusion = np.tile(favourite_class, (n_classes, 1))
        return Worker(name, confusion, float(np.log(_SPAMMER_MEDIAN_SECONDS)), 0.2)
    confusion = _draw_confusion(rng.uniform(skill.lowest, skill.highest), n_classes, rng)
    return Worker(name, confusion, float(np.log(skill.median_seconds)), skill.seconds_log_std)


def _draw_confusion(accuracy: float, n_classes: int, rng: np.random.Generator) -> np.ndarray:
    """[K, K]: a diagonal within 0.05 of `accuracy`; errors unevenly spread, as people's are."""
    confusion = np.zeros((n_classes, n_classes))
    for true_class in range(n_classes):
        right = np.clip(accuracy + rng.uniform(-0.05, 0.05), 0.0, 0.99)
        wrong = rng.dirichlet(np.ones(n_classes - 1))
        confusion[true_class] = np.insert((1.0 - right) * wrong, true_class, right)
    return confusion


def answers(workers: Sequence[Worker], truths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What each worker says about each task: truths [T] of class indices -> [W, T] of class indices.

    Inverse-transform sampling: with row (.8, .1, .1) a uniform draw of .85 lies past .8 and
    below .9, so the answer is class 1. A worker of accuracy 1 repeats the truths.
    """
    truths = np.asarray(truths, dtype=np.intp)
    confusions = np.stack([worker.confusion for worker in workers])  # [W, K, K]
    n_classes = confusions.shape[-1]
    if truths.size and not (truths.min() >= 0 and truths.max() < n_classes):
        raise ValueError(f"truths must be class indices from 0 to {n_classes - 1}")
    # The last edge is 1 up to rounding; without it no draw can fall past the last class.
    edges = np.cumsum(confusions, axis=-1)[:, truths, :-1]  # [W, T, K-1]
    draws = rng.random((len(workers), len(truths)))  # [W, T]
    return (draws[:, :, None] >= edges).sum(axis=-1)


def answer(worker: Worker, true_class: int, rng: np.random.Generator) -> int:
    """One worker's answer to one task, a class index."""
    return int(answers([worker], np.array([true_class]), rng)[0, 0])


def answer_seconds(worker: Worker, rng: np.random.Generator) -> float:
    """How long the worker takes over one answer, in seconds."""
    return float(rng.lognormal(worker.seconds_log_mean, worker.seconds_log_std))
