"""Whether answers depend on their tasks at all, where an answer is more than one label.

Of sets, marks, relations and texts no confusion matrix can be counted. But whoever reads a task answers
nearer to what it holds than to what other tasks hold.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from annotation.algorithms.skill import FEWEST, FEWEST_PEERS
from annotation.shares import percent

LEAST_FOLLOWING = 0.25  # of a typical volunteer's lead: what the poorest who tries has
LEAST_TOLD = 10.0  # perfect leads together, below which the tasks are too alike to tell anything
OTHER_TASKS = 3  # that each answer is held against
SURE = 2.576  # standard errors that bound 99 % of the middle
BEYOND_CHANCE = 3.0  # standard errors


@dataclass(frozen=True)
class Dependence:
    """How much nearer a volunteer's answers are to their own tasks than to others they answered.

    share: their lead over that of perfect answers to the same tasks, 1 at best, 0 for who ignores the task;
    high: the most it surely is; typical: the median of the volunteers. beyond_chance: whether the share is
    above 0 by BEYOND_CHANCE standard errors.
    """

    n_answers: int
    share: float
    high: float
    typical: float
    beyond_chance: bool

    @property
    def is_striking(self) -> bool:
        """Surely further from the task than the poorest who tries, and no nearer than chance brings them."""
        return not self.beyond_chance and self.high < LEAST_FOLLOWING * self.typical

    @property
    def sentence(self) -> str:
        share, typical = (percent(max(0.0, share)) for share in (self.share, self.typical))
        shares = (
            f"Of what sets their {self.n_answers:,} tasks apart from others their answers show {share}, "
            f"those of a typical volunteer {typical}"
        )
        if self.is_striking:
            return f"The answers do not depend on the task. {shares}."
        if self.beyond_chance:
            return f"The answers follow the task. {shares}."
        return f"Too little to tell whether the answers follow the task. {shares}."


def beside_others(
    said: np.ndarray, truth: np.ndarray, likeness: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Of one volunteer's answers, in order of time, what `dependences` takes: own, other, perfect [3, n].

    said, truth: [n] of anything that `likeness` compares, pair by pair, from 0 to 1. The other tasks are
    theirs too and lie far off in time, since neighbours may be sentences of one record.

    >>> beside_others(np.array([1, 2]), np.array([1, 2]), lambda a, b: (a == b).astype(float)).tolist()
    [[1.0, 1.0], [0.0, 0.0], [1.0, 1.0]]
    """
    shifts = [max(1, len(truth) * i // (OTHER_TASKS + 1)) for i in range(1, OTHER_TASKS + 1)]
    others = [np.roll(truth, -shift) for shift in shifts]
    to_others = np.mean([likeness(said, other) for other in others], axis=0)
    perfect = 1.0 - np.mean([likeness(truth, other) for other in others], axis=0)
    return np.stack([likeness(said, truth), to_others, perfect])


def dependences(
    worker: np.ndarray, own: np.ndarray, other: np.ndarray, perfect: np.ndarray, n_workers: int
) -> list[Dependence | None]:
    """Every volunteer's dependence; None below FEWEST answers, LEAST_TOLD, or FEWEST_PEERS such volunteers.

    Per answer [N]: worker int; own, its likeness to its task's truth, and other, its mean likeness to other
    tasks' truths, 0 to 1; perfect, the lead (own - other) of the truth itself. The share is a ratio of sums,
    its standard error by the residuals (Cochran, Sampling Techniques, 3rd ed. 1977, section 6.4). For `high`
    it is no less than for the poorest who tries, with answers that are wholly right or of no use: a few that
    happen to be alike are no proof. Tasks are taken as unrelated.
    """
    lead = np.asarray(own, dtype=float) - other
    n = np.bincount(worker, minlength=n_workers)
    told = np.bincount(worker, perfect, minlength=n_workers)
    is_known = (n >= FEWEST) & (told >= LEAST_TOLD)
    if is_known.sum() < FEWEST_PEERS:
        return [None] * n_workers
    told = np.maximum(told, LEAST_TOLD)
    share = np.bincount(worker, lead, minlength=n_workers) / told
    typical = float(np.median(share[is_known]))
    squares = np.bincount(worker, (lead - share[worker] * perfect) ** 2, minlength=n_workers)
    squares *= n / np.maximum(n - 1, 1)
    poorest = np.clip(LEAST_FOLLOWING * typical, 0.0, 1.0)
    noisiest = poorest * (1.0 - poorest) * np.bincount(worker, np.square(perfect), minlength=n_workers)
    error = np.sqrt(squares) / told
    high = share + SURE * np.sqrt(np.maximum(squares, noisiest)) / told
    return [
        Dependence(
            int(n[w]), float(share[w]), float(high[w]), typical, bool(share[w] > BEYOND_CHANCE * error[w])
        )
        if is_known[w]
        else None
        for w in range(n_workers)
    ]
