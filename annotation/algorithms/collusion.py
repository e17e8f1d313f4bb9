"""Volunteers who answer in lock-step: the same mistakes on the same tasks, more often than by chance."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from annotation.algorithms.pair_agreement import Meetings, meetings

FEWEST_SHARED = 20  # tasks below which two volunteers are not held against each other
FEWEST_SAME = 5  # mistakes in common below which a pair is none, however little chance would make them
LEAST_SAME = 0.5  # of the mistakes of either: two who read the guideline alike slip up apart as well
PRIOR_ANSWERS = 2.0  # that a volunteer's rate of a mistake is drawn towards the crowd's with


@dataclass(frozen=True)
class LockStep:
    """Two volunteers: where both were wrong on the tasks they share, how often they gave the same answer.

    n_wrong: tasks on which `first`, or `second` if that says less, was wrong. n_same: those on which the
    other gave the same wrong answer, of which `expected` by chance. p: of so many or more, for all pairs
    that were looked at together (Bonferroni).
    """

    first: int
    second: int
    n_shared: int
    n_wrong: int
    n_same: int
    expected: float
    p: float

    @property
    def sentence(self) -> str:
        return (
            f"Of {self.n_shared} tasks that both answered they gave the same wrong answer on {self.n_same}; "
            f"by chance it would be about {self.expected:.1f} ({_odds(self.p)})."
        )


def lock_steps(
    task: np.ndarray,
    worker: np.ndarray,
    label: np.ndarray,
    truth: np.ndarray,
    *,
    is_open: bool = False,
    fewest_shared: int = FEWEST_SHARED,
    highest_p: float = 0.01,
) -> list[LockStep]:
    """The pairs of volunteers that make the same mistakes too often, the most striking first.

    task, worker, label: int [N], one answer a worker and task. truth: int [T], gold or consensus, -1 where
    neither is sure: those tasks are left out. On each task that one of two got wrong the chance that the
    other makes the same mistake is taken as the greater of two: how often the other makes that mistake at
    all, and how many of the rest made it on this very task. So neither a poor volunteer nor a misleading
    task looks like collusion. Where answers are open (sets, marks, texts, each a number of its own) most
    mistakes are made but once, and the first of the two is drawn towards how often the other makes the
    mistakes of anybody else. Then the count has a binomial tail (the mean of its unequal chances makes it
    wider, hence more careful); a pair is as striking as the less striking of its two directions.
    """
    task, worker, label, truth = (np.asarray(column) for column in (task, worker, label, truth))
    is_known = truth[task] >= 0
    task, worker, label = task[is_known], worker[is_known], label[is_known]
    met = meetings(task, worker, label)
    pairs, pair, n_shared = np.unique(
        np.stack([met.first_worker, met.second_worker]), axis=1, return_inverse=True, return_counts=True
    )
    is_looked_at = n_shared >= fewest_shared
    if not is_looked_at.any():
        return []
    mistakes = _OpenMistakes if is_open else _Mistakes
    chances = mistakes(task, worker, label, truth)
    directions = [
        _counted(chances, met, pair, len(n_shared)),
        _counted(chances, _turned(met), pair, len(n_shared)),
    ]
    tails = np.stack([_tail(*direction) for direction in directions])  # [2, P]
    weaker = tails.argmax(axis=0)
    p = np.minimum(tails.max(axis=0) * is_looked_at.sum(), 1.0)
    n_same = directions[0][1]  # the same from either side
    n_wrong = np.maximum(*(direction[0] for direction in directions))
    is_same = (n_same >= FEWEST_SAME) & (n_same >= LEAST_SAME * n_wrong)
    striking = np.flatnonzero(is_looked_at & (p <= highest_p) & is_same)
    return [
        LockStep(
            *map(int, pairs[:, i]), int(n_shared[i]), *map(int, directions[weaker[i]][0:2, i]),
            float(directions[weaker[i]][2, i]), float(p[i]),
        )
        for i in striking[np.argsort(p[striking], kind="stable")]
    ]  # fmt: skip


class _OnTask:
    """How often each label is given on a task."""

    def __init__(self, task: np.ndarray, label: np.ndarray):
        self._on_task = _Counter(task, label)
        self._of_task = _Counter(task)

    def chance(self, met: Meetings, rate: np.ndarray) -> np.ndarray:
        """[M]: that the second of two gives the label of the first as they do at all, at a rate [M], or as
        those besides the two do on this very task, whichever is greater."""
        rest = self._of_task(met.task) - 2.0
        rest_made = self._on_task(met.task, met.first_label) - 1.0 - (met.first_label == met.second_label)
        return np.maximum(rate, (rest_made + rate) / (rest + 1.0))


class _Mistakes:
    """How often each mistake is made: by a volunteer, by the crowd, and on a task."""

    def __init__(self, task: np.ndarray, worker: np.ndarray, label: np.ndarray, truth: np.ndarray):
        self.truth = truth
        self._by_worker = _Counter(worker, truth[task], label)
        self._of_worker = _Counter(worker, truth[task])
        self._by_crowd = _Counter(truth[task], label)
        self._of_crowd = _Counter(truth[task])
        self._on_task = _OnTask(task, label)

    def chance(self, met: Meetings) -> np.ndarray:
        """[M]: that the second of two gives the label of the first, whose label is wrong."""
        truth = self.truth[met.task]
        crowd = self._by_crowd(truth, met.first_label) / self._of_crowd(truth)
        made = self._by_worker(met.second_worker, truth, met.first_label)
        rate = (made + PRIOR_ANSWERS * crowd) / (self._of_worker(met.second_worker, truth) + PRIOR_ANSWERS)
        return self._on_task.chance(met, rate)


class _OpenMistakes:
    """How often a volunteer makes the mistakes of others, whichever these are, where few are made twice.

    Every rate of a pair and a task leaves out what the two said there.
    """

    def __init__(self, task: np.ndarray, worker: np.ndarray, label: np.ndarray, truth: np.ndarray):
        self.truth = truth
        self._on_task = _OnTask(task, label)
        self._by_truth, self._of_truth = _Counter(worker, truth[task], label), _Counter(worker, truth[task])
        self._by_worker, self._of_worker = _Counter(worker, label), _Counter(worker)
        met, n_workers = meetings(task, worker, label), int(worker.max(initial=0)) + 1
        # Of each volunteer: the answers of others, wrong ones, that they met, and those that they gave too.
        self._n_wrong, self._n_same = np.zeros((2, n_workers))
        for one in (met, _turned(met)):
            wrong, same = self._said(one)
            self._n_wrong += np.bincount(one.second_worker, wrong, minlength=n_workers)
            self._n_same += np.bincount(one.second_worker, same, minlength=n_workers)
        self._crowd = (self._n_same.sum() + 0.5) / (self._n_wrong.sum() + 1.0)

    def _said(self, met: Meetings) -> tuple[np.ndarray, np.ndarray]:
        """[M] each: whether the first of two is wrong, and the second wrong in the same way."""
        wrong = met.first_label != self.truth[met.task]
        return wrong, wrong & (met.first_label == met.second_label)

    def chance(self, met: Meetings) -> np.ndarray:
        """[M]: that the second of two gives the label of the first, whose label is wrong."""
        second, label, truth = met.second_worker, met.first_label, self.truth[met.task]
        same = met.first_label == met.second_label
        habit = (self._by_worker(second, label) - same) / np.maximum(self._of_worker(second) - 1.0, 1.0)
        made, n = self._by_truth(second, truth, label) - same, self._of_truth(second, truth) - 1.0
        rate = (made + PRIOR_ANSWERS * self._of_anything(met)) / (n + PRIOR_ANSWERS)
        return self._on_task.chance(met, np.maximum(rate, habit))

    def _of_anything(self, met: Meetings) -> np.ndarray:
        """[M]: how often the second of two makes the mistakes of all but the first."""
        wrong, same = self._said(met)
        _, pair = np.unique(np.stack([met.first_worker, met.second_worker]), axis=1, return_inverse=True)
        n_wrong = self._n_wrong[met.second_worker] - np.bincount(pair, wrong)[pair]
        n_same = self._n_same[met.second_worker] - np.bincount(pair, same)[pair]
        return (n_same + PRIOR_ANSWERS * self._crowd) / (n_wrong + PRIOR_ANSWERS)


class _Counter:
    """How often a combination of indices stands in the columns; 0 for one that does not."""

    def __init__(self, *columns: np.ndarray):
        self._sizes = [int(column.max(initial=0)) + 1 for column in columns]
        self._codes, self._counts = np.unique(self._code(columns), return_counts=True)

    def __call__(self, *columns: np.ndarray) -> np.ndarray:
        code = self._code(columns)
        at = np.minimum(np.searchsorted(self._codes, code), len(self._codes) - 1)
        return np.where(self._codes[at] == code, self._counts[at], 0).astype(float)

    def _code(self, columns: tuple[np.ndarray, ...]) -> np.ndarray:
        return np.ravel_multi_index(tuple(column.astype(np.int64) for column in columns), self._sizes)


def _turned(met: Meetings) -> Meetings:
    return Meetings(met.task, met.second_worker, met.first_worker, met.second_label, met.first_label)


def _counted(
    mistakes: _Mistakes | _OpenMistakes, met: Meetings, pair: np.ndarray, n_pairs: int
) -> np.ndarray:
    """Per pair: tasks on which the first is wrong, those with the same label from the second, and how many
    of them chance makes: [3, P]."""
    is_wrong = met.first_label != mistakes.truth[met.task]
    is_same = is_wrong & (met.first_label == met.second_label)
    expected = np.where(is_wrong, mistakes.chance(met), 0.0)
    return np.stack(
        [np.bincount(pair, column, minlength=n_pairs) for column in (is_wrong, is_same, expected)]
    )


def _tail(n_wrong: np.ndarray, n_same: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """P(n_same or more of n_wrong)."""
    chance = np.minimum(expected / np.maximum(n_wrong, 1.0), 1.0)
    return binom.sf(n_same - 1.0, n_wrong, chance)


def _odds(p: float) -> str:
    if p < 1e-6:
        return "chance makes such a pair in less than one of a million crowds"
    return f"chance makes such a pair in about one of {1 / p:,.0f} crowds"
