"""Agreement of every two volunteers on the tasks that both answered: Cohen's kappa."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from annotation.algorithms.agreement import Scale
from annotation.algorithms.bootstrap import mirrored_interval

FEWEST_SHARED = 10  # tasks in common below which a pair's kappa says nothing


@dataclass(frozen=True, eq=False)
class Meetings:
    """Every two answers that meet on a task, [M] each; `first` has the lower worker index of the two."""

    task: np.ndarray
    first_worker: np.ndarray
    second_worker: np.ndarray
    first_label: np.ndarray
    second_label: np.ndarray


def meetings(task: np.ndarray, worker: np.ndarray, label: np.ndarray) -> Meetings:
    """Pair up the answers of each task. task, worker, label: int [N], one answer a worker and task.

    >>> met = meetings(np.array([0, 0, 1]), np.array([7, 3, 7]), np.array([1, 0, 1]))
    >>> met.first_worker.tolist(), met.second_worker.tolist(), met.first_label.tolist()
    ([3], [7], [0])
    """
    order = np.lexsort((worker, task))
    task, worker, label = (np.asarray(column)[order] for column in (task, worker, label))
    most = int(np.unique(task, return_counts=True)[1].max()) if len(task) else 0
    # Answers of a task stand together, so those that meet are 1, 2, ... places apart.
    firsts = [np.flatnonzero(task[lag:] == task[:-lag]) for lag in range(1, most)]
    first = np.concatenate([np.zeros(0, dtype=np.intp), *firsts])
    second = np.concatenate([np.zeros(0, dtype=np.intp), *(at + lag for lag, at in enumerate(firsts, 1))])
    return Meetings(task[first], worker[first], worker[second], label[first], label[second])


class PairFigures(NamedTuple):
    """Of every two of W volunteers [W, W]: how they agree, the ends of its 95 % interval, and on how many
    tasks they met. nan where they met on none or it is undefined."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_tasks: np.ndarray

    @classmethod
    def of_pairs(
        cls, first: np.ndarray, second: np.ndarray, measured: np.ndarray, n_tasks: np.ndarray, n_workers: int
    ) -> "PairFigures":
        """first, second, n_tasks: [P]; measured: [3, P], the value and the ends of its interval."""
        squares = np.full((4, n_workers, n_workers), np.nan)
        for square, column in zip(squares, (*measured, n_tasks), strict=True):
            square[first, second] = square[second, first] = column
        return cls(*squares[:3], np.nan_to_num(squares[3]).astype(int))


def kappa_figures(
    task: np.ndarray,
    worker: np.ndarray,
    label: np.ndarray,
    n_classes: int,
    n_workers: int,
    *,
    scale: Scale = "nominal",
    rng: np.random.Generator,
) -> PairFigures:
    """Cohen's kappa of every two of the workers. task, worker, label: int [N].

    Nominal (Educ Psychol Meas 1960;20:37), or with quadratic weights for labels in order (Psychol Bull
    1968;70:213).
    """
    met = meetings(task, worker, label)
    sums = KappaSums(met, n_classes, scale)
    measured = mirrored_interval(sums.kappas, sums.n_tasks, rng, n_columns=len(met.task))
    n_tasks = sums.parts(np.ones((1, sums.n_tasks)))[0][0]
    return PairFigures.of_pairs(sums.first, sums.second, measured, n_tasks, n_workers)


class KappaSums:
    """What the kappas of P pairs of volunteers are made of, as sums over the T tasks where they meet.

    `first`, `second` [P] are the pairs' workers, `pair` [M] is each meeting's pair.
    """

    def __init__(self, met: Meetings, n_classes: int, scale: Scale):
        tasks, self._row = np.unique(met.task, return_inverse=True)
        self.n_tasks = len(tasks)
        (self.first, self.second), self.pair = np.unique(
            np.stack([met.first_worker, met.second_worker]), axis=1, return_inverse=True
        )
        self._shared = self._per_task(self.pair, np.ones(len(self.pair)), len(self.first))
        if scale == "ordinal":
            self.parts = self._ordinal_parts
            a, b = met.first_label.astype(float), met.second_label.astype(float)
            columns = ((a - b) ** 2, a, b, a * a + b * b)
            self._moments = [self._per_task(self.pair, column, len(self.first)) for column in columns]
        else:
            self.parts = self._nominal_parts
            self._count_labels(met, n_classes)

    def _per_task(self, column: np.ndarray, values: np.ndarray, n_columns: int) -> sparse.csr_array:
        """values [M] summed into [T, n_columns]."""
        return sparse.csr_array((values.astype(float), (self._row, column)), shape=(self.n_tasks, n_columns))

    def _count_labels(self, met: Meetings, n_classes: int) -> None:
        self._differ = self._per_task(self.pair, met.first_label != met.second_label, len(self.first))
        labels = np.concatenate([met.first_label, met.second_label])
        # A cell is a pair and a label that one of the two gave; all other labels add nothing by chance.
        cells, cell = np.unique(np.tile(self.pair, 2) * n_classes + labels, return_inverse=True)
        once = np.ones(len(self.pair))
        self._first_gave, self._second_gave = (
            self._per_task(half, once, len(cells)) for half in np.split(cell, 2)
        )
        self._pair_of_cell = sparse.csr_array(
            (np.ones(len(cells)), (np.arange(len(cells)), cells // n_classes)),
            shape=(len(cells), len(self.first)),
        )

    def _nominal_parts(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Shared tasks, disagreements, and disagreements by chance, each [B, P], for weights [B, T] of the
        tasks; kappa = 1 - the second / the third."""
        n = weights @ self._shared
        same_by_chance = ((weights @ self._first_gave) * (weights @ self._second_gave)) @ self._pair_of_cell
        return n, weights @ self._differ, n - same_by_chance / np.maximum(n, 1.0)

    def _ordinal_parts(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same with squared steps between labels as disagreement, for which moments are enough."""
        n = weights @ self._shared
        squared_steps, a, b, squares = (weights @ moment for moment in self._moments)
        return n, squared_steps, squares - 2.0 * a * b / np.maximum(n, 1.0)

    def kappas(self, weights: np.ndarray) -> np.ndarray:
        """Every pair's kappa [B, P]; nan where chance alone would always agree."""
        _, disagreement, by_chance = self.parts(weights)
        undefined = np.full(disagreement.shape, np.nan)
        return 1.0 - np.divide(disagreement, by_chance, out=undefined, where=by_chance > 1e-12)

    def mean_kappa(self, weights: np.ndarray) -> np.ndarray:
        """The mean of the pairs' kappas [B], each weighted by its disagreements by chance.

        So pairs that share more tasks weigh more, and one that chance alone would make agree, whose kappa is
        undefined, weighs nothing.
        """
        _, disagreement, by_chance = self.parts(weights)
        total = by_chance.sum(axis=-1)
        undefined = np.full(total.shape, np.nan)
        return 1.0 - np.divide(disagreement.sum(axis=-1), total, out=undefined, where=total > 1e-12)


def keep_pairs_that_share(met: Meetings, fewest: int = FEWEST_SHARED) -> Meetings:
    """The meetings of those pairs of volunteers alone that meet on `fewest` tasks or more."""
    _, pair, n = np.unique(
        np.stack([met.first_worker, met.second_worker]), axis=1, return_inverse=True, return_counts=True
    )
    kept = n[pair] >= fewest
    columns = (met.task, met.first_worker, met.second_worker, met.first_label, met.second_label)
    return Meetings(*(column[kept] for column in columns))
