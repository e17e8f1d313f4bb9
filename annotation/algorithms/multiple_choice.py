"""Multiple choice: every label that applies. One yes-or-no question a label, answered by the same people.

A worker chooses a label that applies with their sensitivity, and one that does not with 1 - specificity. How
good they are is shared between labels: a label that a worker rarely met is taken to be as easy for them as
for the crowd, moved (in log odds) by how far the worker stands from the crowd on all labels together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.special import expit, logit

from annotation.algorithms.parameters import DECIMALS, SMALLEST

# A worker's own rate at a label weighs as much as the expected one after so many tasks.
LABEL_STRENGTH = 8.0
# A worker's rates on all labels together weigh as much as the crowd's after so many labels seen.
WORKER_STRENGTH = 4.0
# The crowd's rates at a label begin at nine of ten right, the share of tasks it applies to at one half.
CROWD_STRENGTH, CROWD_RATE = 2.0, 0.9
MAX_RATES_EACH = 20  # labels; beyond, a worker keeps the two shifts alone


@dataclass(frozen=True, eq=False)
class LabelSets:
    """N answers: worker[n] chose for task[n] the labels where chosen[n] (bool [N, K]) is true."""

    task: np.ndarray
    worker: np.ndarray
    chosen: np.ndarray
    n_tasks: int
    n_workers: int

    def __post_init__(self) -> None:
        if self.chosen.ndim != 2 or not len(self.task) == len(self.worker) == len(self.chosen):
            raise ValueError("task, worker and chosen must have one row for each answer")

    @cached_property
    def by_task(self) -> sparse.csr_array:
        """[T, N]: adds up the answers of each task."""
        return _grouping(self.task, self.n_tasks)

    @cached_property
    def by_worker(self) -> sparse.csr_array:
        """[W, N]: adds up the answers of each worker."""
        return _grouping(self.worker, self.n_workers)


@dataclass(frozen=True, eq=False)
class MultipleFit:
    """posterior [T, K]: P(label k applies to task t), the labels independent given the answers; crowd and
    workers: JSON, all that `multiple_posterior` needs; counts [W, K, 2, 2]: expected answers to labels that
    apply, do not; by label chosen, not chosen; rates [W, K, 2]: sensitivity and specificity."""

    posterior: np.ndarray
    crowd: dict
    workers: list[dict]
    counts: np.ndarray
    rates: np.ndarray


def fit_multiple(
    answers: LabelSets, *, gold: np.ndarray | None = None, n_rounds: int = 50, tolerance: float = 1e-4
) -> MultipleFit:
    """EM over all labels at once. gold: int [T, K], 1 applies, 0 does not, -1 unknown (label by label)."""
    n_labels = answers.chosen.shape[1]
    posterior = _fix_gold(_chosen_shares(answers), gold)
    for _ in range(n_rounds):
        prior, rates, crowd_rates, shifts = _estimate(answers, posterior)
        moved = _fix_gold(_posterior(answers, prior, rates), gold)
        change = np.abs(moved - posterior).max(initial=0.0)
        posterior = moved
        if change < tolerance:
            break
    prior, rates, crowd_rates, shifts = _estimate(answers, posterior)
    prior, crowd_rates, shifts = _rounded(prior), _rounded(crowd_rates), np.round(shifts, DECIMALS)
    crowd = {"n_labels": n_labels, "prior": prior.tolist(), "rates": crowd_rates.tolist()}
    if n_labels <= MAX_RATES_EACH:
        rates = _rounded(rates)
        workers = [{"rates": own} for own in rates.tolist()]
    else:
        rates = shifted(crowd_rates, shifts)
        workers = [{"shift": own} for own in shifts.tolist()]
    posterior = _fix_gold(_posterior(answers, prior, rates), gold)
    return MultipleFit(posterior, crowd, workers, _counts(answers, posterior), rates)


def multiple_posterior(
    chosen: Sequence[Sequence[int]], workers: Sequence[dict | None], crowd: dict
) -> np.ndarray:
    """[K] of one task, from its answers alone: each is the list of chosen labels; None is an unknown worker.

    >>> crowd = {"n_labels": 2, "prior": [0.5, 0.5], "rates": [[0.8, 0.8], [0.8, 0.8]]}
    >>> multiple_posterior([[0], [0]], [None, None], crowd).round(3).tolist()
    [0.941, 0.059]
    """
    log_odds = logit(np.array(crowd["prior"]))
    for labels, worker in zip(chosen, workers, strict=True):
        is_chosen = np.zeros(crowd["n_labels"], dtype=bool)
        is_chosen[list(labels)] = True
        log_odds = log_odds + _evidence(is_chosen, _rates_of(worker, crowd))
    return expit(log_odds)


def shifted(crowd_rates: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """[K, 2] and [W, 2] -> [W, K, 2]: the crowd's rates, moved in log odds by each worker's shift."""
    return np.clip(expit(logit(crowd_rates) + shifts[:, None, :]), SMALLEST, 1.0 - SMALLEST)


def _estimate(answers: LabelSets, posterior: np.ndarray):
    """The labels' prior [K], the workers' rates [W, K, 2] (sensitivity, specificity), the crowd's [K, 2] and
    the workers' shifts [W, 2]."""
    counts = _counts(answers, posterior)
    right, met = counts[:, :, [0, 1], [0, 1]], counts.sum(axis=3)  # [W, K, 2]
    crowd_rates = (right.sum(axis=0) + CROWD_STRENGTH * CROWD_RATE) / (met.sum(axis=0) + CROWD_STRENGTH)
    # Over all labels: right answers of each worker, and as many as the crowd would have given in their place.
    typical = (met * crowd_rates).sum(axis=1)  # [W, 2]
    pooled = (typical.sum(axis=0) + CROWD_RATE) / (met.sum(axis=(0, 1)) + 1.0)
    n_met = met.sum(axis=1) + WORKER_STRENGTH
    own = (right.sum(axis=1) + WORKER_STRENGTH * pooled) / n_met
    expected = (typical + WORKER_STRENGTH * pooled) / n_met
    shifts = logit(own) - logit(expected)
    rates = (right + LABEL_STRENGTH * shifted(crowd_rates, shifts)) / (met + LABEL_STRENGTH)
    answered = np.unique(answers.task)
    prior = (posterior[answered].sum(axis=0) + 1.0) / (len(answered) + 2.0)
    return prior, rates, crowd_rates, shifts


def _posterior(answers: LabelSets, prior: np.ndarray, rates: np.ndarray) -> np.ndarray:
    evidence = _evidence(answers.chosen, rates[answers.worker])  # [N, K]
    return expit(logit(prior) + answers.by_task @ evidence)


def _evidence(chosen: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """[..., K] bool and [..., K, 2] -> [..., K]: log odds by which choosing or not speaks for each label."""
    sensitivity, specificity = rates[..., 0], rates[..., 1]
    for_it = np.log(sensitivity) - np.log1p(-specificity)
    against = np.log1p(-sensitivity) - np.log(specificity)
    return np.where(chosen, for_it, against)


def _counts(answers: LabelSets, posterior: np.ndarray) -> np.ndarray:
    """[W, K, 2, 2]: expected answers to labels that apply, do not; by label chosen, not chosen."""
    applies, chosen = posterior[answers.task], answers.chosen  # [N, K]
    cells = [applies * chosen, applies * ~chosen, (1.0 - applies) * chosen, (1.0 - applies) * ~chosen]
    summed = np.stack([answers.by_worker @ cell for cell in cells], axis=-1)
    return summed.reshape(*summed.shape[:2], 2, 2)


def _rates_of(worker: dict | None, crowd: dict) -> np.ndarray:
    if worker is None:
        return np.array(crowd["rates"])
    if "rates" in worker:
        return np.array(worker["rates"])
    return shifted(np.array(crowd["rates"]), np.array([worker["shift"]]))[0]


def _chosen_shares(answers: LabelSets) -> np.ndarray:
    n = np.bincount(answers.task, minlength=answers.n_tasks)[:, None]
    return np.where(n > 0, (answers.by_task @ answers.chosen.astype(float)) / np.maximum(n, 1), 0.5)


def _fix_gold(posterior: np.ndarray, gold: np.ndarray | None) -> np.ndarray:
    return posterior if gold is None else np.where(gold >= 0, gold, posterior)


def _grouping(group: np.ndarray, n_groups: int) -> sparse.csr_array:
    at = np.arange(len(group))
    return sparse.csr_array((np.ones(len(group)), (group, at)), shape=(n_groups, len(group)))


def _rounded(value: np.ndarray) -> np.ndarray:
    return np.clip(np.round(value, DECIMALS), SMALLEST, 1.0 - SMALLEST)
