"""Multiple choice: every label that applies. One yes-or-no question a label, answered by the same people.

A worker chooses a label that applies with their sensitivity, and one that does not with 1 - specificity. How
good they are is shared between labels: a label that a worker rarely met is taken to be as easy for them as
for the crowd, moved (in log odds) by how far the worker stands from the crowd on all labels together. Where
it is asked whether they are sure, "not sure", "sure" and silence move a worker's rates likewise, by how far
the answers that came with each stand from all of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.special import expit, logit

from annotation.algorithms.answer_matrix import NOT_SAID
from annotation.algorithms.certainty import N_SAYINGS
from annotation.algorithms.parameters import DECIMALS, SMALLEST

# A worker's own rate at a label weighs as much as the expected one after so many tasks.
LABEL_STRENGTH = 8.0
# A worker's rates on all labels together weigh as much as the crowd's after so many labels seen.
WORKER_STRENGTH = 4.0
# What "not sure" is worth from a worker weighs as much as what it is worth from the crowd after so many.
CERTAINTY_STRENGTH = 40.0
# The crowd's rates at a label begin at nine of ten right, the share of tasks it applies to at one half.
CROWD_STRENGTH, CROWD_RATE = 2.0, 0.9
MAX_RATES_EACH = 20  # labels; beyond, a worker keeps the two shifts alone


@dataclass(frozen=True, eq=False)
class LabelSets:
    """N answers: worker[n] chose for task[n] the labels where chosen[n] (bool [N, K]) is true.

    certain: int8 [N], 1 sure, 0 not sure, -1 not said, or None where nobody was asked.
    """

    task: np.ndarray
    worker: np.ndarray
    chosen: np.ndarray
    n_tasks: int
    n_workers: int
    certain: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.chosen.ndim != 2 or not len(self.task) == len(self.worker) == len(self.chosen):
            raise ValueError("task, worker and chosen must have one row for each answer")

    @cached_property
    def tells_certainty(self) -> bool:
        return self.certain is not None and bool((self.certain != NOT_SAID).any())

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
    """posterior [T, K]: P(label k applies to task t), the labels independent given the answers; unanchored
    [T, K]: the same from each task's answers alone, whatever gold says of it; crowd and workers: JSON, all
    that `multiple_posterior` needs; counts [W, K, 2, 2]: expected answers to labels that apply, do not; by
    label chosen, not chosen; rates [W, K, 2]: sensitivity and specificity."""

    posterior: np.ndarray
    unanchored: np.ndarray
    crowd: dict
    workers: list[dict]
    counts: np.ndarray
    rates: np.ndarray


def fit_multiple(
    answers: LabelSets, *, gold: np.ndarray | None = None, n_rounds: int = 50, tolerance: float = 1e-4
) -> MultipleFit:
    """EM over all labels at once. gold: int [T, K], 1 applies, 0 does not, -1 unknown (label by label)."""
    posterior = _fix_gold(_chosen_shares(answers), gold)
    for _ in range(n_rounds):
        moved = _fix_gold(_posterior(answers, _estimate(answers, posterior)), gold)
        change = np.abs(moved - posterior).max(initial=0.0)
        posterior = moved
        if change < tolerance:
            break
    learned = _estimate(answers, posterior).rounded()
    unanchored = _posterior(answers, learned)
    posterior = _fix_gold(unanchored, gold)
    crowd, workers = learned.as_json()
    return MultipleFit(posterior, unanchored, crowd, workers, _counts(answers, posterior), learned.rates)


def multiple_posterior(
    chosen: Sequence[Sequence[int]],
    workers: Sequence[dict | None],
    crowd: dict,
    certain: Sequence[int] | None = None,
) -> np.ndarray:
    """[K] of one task, from its answers alone: each is the list of chosen labels; None is an unknown worker.

    certain: for each answer 1 sure, 0 not sure, -1 not said.

    >>> crowd = {"n_labels": 2, "prior": [0.5, 0.5], "rates": [[0.8, 0.8], [0.8, 0.8]]}
    >>> multiple_posterior([[0], [0]], [None, None], crowd).round(3).tolist()
    [0.941, 0.059]
    """
    log_odds = logit(np.array(crowd["prior"]))
    certain = [NOT_SAID] * len(chosen) if certain is None else certain
    for labels, worker, said in zip(chosen, workers, certain, strict=True):
        is_chosen = np.zeros(crowd["n_labels"], dtype=bool)
        is_chosen[list(labels)] = True
        log_odds = log_odds + label_evidence(is_chosen, _rates_of(worker, crowd, said))
    return expit(log_odds)


def shifted(rates: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """[..., K, 2] and [..., 2] -> [..., K, 2]: rates at labels, all moved in log odds by one shift."""
    return np.clip(expit(logit(rates) + shifts[..., None, :]), SMALLEST, 1.0 - SMALLEST)


@dataclass(frozen=True, eq=False)
class _Learned:
    """prior [K]; rates [W, K, 2], sensitivity and specificity, crowd_rates [K, 2]; shifts [W, 2] of workers;
    certain [W, 3, 2], by what "not sure", "sure", silence move them, with crowd_certain [3, 2], or None."""

    prior: np.ndarray
    rates: np.ndarray
    crowd_rates: np.ndarray
    shifts: np.ndarray
    certain: np.ndarray | None = None
    crowd_certain: np.ndarray | None = None

    def rounded(self) -> _Learned:
        """As they are stored."""
        crowd_rates, shifts = _rounded(self.crowd_rates), np.round(self.shifts, DECIMALS)
        keeps_each = len(self.prior) <= MAX_RATES_EACH
        rates = _rounded(self.rates) if keeps_each else shifted(crowd_rates, shifts)
        certainty = () if self.certain is None else (self.certain, self.crowd_certain)
        worth = [np.round(moves, DECIMALS) for moves in certainty]
        return _Learned(_rounded(self.prior), rates, crowd_rates, shifts, *worth)

    def as_json(self) -> tuple[dict, list[dict]]:
        """What all workers share, and each worker's own."""
        n_labels = len(self.prior)
        crowd = {"n_labels": n_labels, "prior": self.prior.tolist(), "rates": self.crowd_rates.tolist()}
        if n_labels <= MAX_RATES_EACH:
            workers = [{"rates": own} for own in self.rates.tolist()]
        else:
            workers = [{"shift": own} for own in self.shifts.tolist()]
        if self.certain is not None:
            crowd["certain"] = self.crowd_certain.tolist()
            for worker, moves in zip(workers, self.certain.tolist(), strict=True):
                worker["certain"] = moves
        return crowd, workers


def _estimate(answers: LabelSets, posterior: np.ndarray) -> _Learned:
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
    learned = _Learned(prior, rates, crowd_rates, shifts)
    return _with_certainty(answers, posterior, learned) if answers.tells_certainty else learned


def _with_certainty(answers: LabelSets, posterior: np.ndarray, learned: _Learned) -> _Learned:
    """Over all labels, how right each worker was who said so, against how right they are there at large."""
    right, typical, met = np.zeros((3, answers.n_workers, N_SAYINGS, 2))
    for said in range(N_SAYINGS):
        counts = _counts(answers, posterior, answers.certain % N_SAYINGS == said)
        met_each = counts.sum(axis=3)  # [W, K, 2]
        right[:, said] = counts[:, :, [0, 1], [0, 1]].sum(axis=1)
        typical[:, said], met[:, said] = (met_each * learned.rates).sum(axis=1), met_each.sum(axis=1)
    pooled = (typical.sum(axis=0) + CROWD_RATE) / (met.sum(axis=0) + 1.0)  # [3, 2]

    def moved(right: np.ndarray, typical: np.ndarray, met: np.ndarray, by: np.ndarray | float) -> np.ndarray:
        n = met + CERTAINTY_STRENGTH
        own = (right + CERTAINTY_STRENGTH * expit(logit(pooled) + by)) / n
        return logit(own) - logit((typical + CERTAINTY_STRENGTH * pooled) / n)

    crowd = moved(right.sum(axis=0), typical.sum(axis=0), met.sum(axis=0), 0.0)
    return replace(learned, certain=moved(right, typical, met, crowd), crowd_certain=crowd)


def _posterior(answers: LabelSets, learned: _Learned) -> np.ndarray:
    if learned.certain is None:
        rates = learned.rates[answers.worker]
    else:
        rates = shifted(learned.rates[:, None], learned.certain)[answers.worker, answers.certain]
    return expit(logit(learned.prior) + answers.by_task @ label_evidence(answers.chosen, rates))


def label_evidence(chosen: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """[..., K] bool and [..., K, 2] -> [..., K]: log odds by which choosing or not speaks for each label."""
    sensitivity, specificity = rates[..., 0], rates[..., 1]
    for_it = np.log(sensitivity) - np.log1p(-specificity)
    against = np.log1p(-sensitivity) - np.log(specificity)
    return np.where(chosen, for_it, against)


def _counts(answers: LabelSets, posterior: np.ndarray, which: np.ndarray | None = None) -> np.ndarray:
    """[W, K, 2, 2]: expected answers to labels that apply, do not; by label chosen, not chosen. Of answers
    where which [N] is true, or of all."""
    applies, chosen = posterior[answers.task], answers.chosen  # [N, K]
    cells = [applies * chosen, applies * ~chosen, (1.0 - applies) * chosen, (1.0 - applies) * ~chosen]
    by_worker = answers.by_worker if which is None else answers.by_worker * which
    summed = np.stack([by_worker @ cell for cell in cells], axis=-1)
    return summed.reshape(*summed.shape[:2], 2, 2)


def _rates_of(worker: dict | None, crowd: dict, said: int) -> np.ndarray:
    worker = crowd if worker is None else worker
    rates = np.array(worker.get("rates", crowd["rates"]))
    if "shift" in worker:
        rates = shifted(rates, np.array(worker["shift"]))
    return shifted(rates, np.array(worker["certain"][said])) if "certain" in worker else rates


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
