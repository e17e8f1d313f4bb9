"""A crowd's answers in coordinate form, and the two products that every consensus method is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse

SURE, NOT_SURE, NOT_SAID = 1, 0, -1


@dataclass(frozen=True, eq=False)
class Answers:
    """N answers: worker[n] gave task[n] the label label[n].

    task, worker, label: int [N], numbered from 0; certain: int8 [N], 1 sure, 0 not sure, -1 not said, or
    None where nobody was asked. Tasks and workers without an answer are allowed, and so is N = 0.
    """

    task: np.ndarray
    worker: np.ndarray
    label: np.ndarray
    n_tasks: int
    n_workers: int
    n_classes: int
    certain: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.n_classes < 2:
            raise ValueError(f"a choice needs at least two classes, not {self.n_classes}")
        for name, size in (("task", self.n_tasks), ("worker", self.n_workers), ("label", self.n_classes)):
            values = getattr(self, name)
            if values.shape != self.task.shape or values.ndim != 1:
                raise ValueError("task, worker and label must be three columns of one length")
            if len(values) and (values.min() < 0 or values.max() >= size):
                raise ValueError(f"each {name} must lie between 0 and {size - 1}")
        if self.certain is not None and self.certain.shape != self.task.shape:
            raise ValueError("certain must have one value for each answer")

    def __len__(self) -> int:
        return len(self.task)

    @cached_property
    def n_per_task(self) -> np.ndarray:
        """int [T]"""
        return np.bincount(self.task, minlength=self.n_tasks)

    @cached_property
    def n_per_worker(self) -> np.ndarray:
        """int [W]"""
        return np.bincount(self.worker, minlength=self.n_workers)

    @cached_property
    def votes(self) -> np.ndarray:
        """float [T, K]: how many gave task t the label k."""
        return self.sum_at_label(np.ones(len(self)))

    @cached_property
    def vote_shares(self) -> np.ndarray:
        """float [T, K]; a task without answers has every label alike."""
        n = self.n_per_task[:, None]
        return np.where(n > 0, self.votes / np.maximum(n, 1), 1.0 / self.n_classes)

    def only(self, kept: np.ndarray) -> Answers:
        """The answers where kept (bool [N]); all tasks and workers keep their numbers."""
        certain = None if self.certain is None else self.certain[kept]
        return replace(
            self, task=self.task[kept], worker=self.worker[kept], label=self.label[kept], certain=certain
        )

    def sum_at_label(self, values: np.ndarray) -> np.ndarray:
        """float [N] -> [T, K]: each answer's value, added up where the answer points."""
        at = self.task.astype(np.int64) * self.n_classes + self.label
        sums = np.bincount(at, weights=values, minlength=self.n_tasks * self.n_classes)
        return sums.reshape(self.n_tasks, self.n_classes)

    def soft_right(self, posterior: np.ndarray) -> np.ndarray:
        """[T, K] -> [N]: how probable it is that each answer is right."""
        return posterior[self.task, self.label]

    def n_right(self, posterior: np.ndarray) -> np.ndarray:
        """[T, K] -> [W]: each worker's expected number of right answers."""
        return np.bincount(self.worker, weights=self.soft_right(posterior), minlength=self.n_workers)

    @cached_property
    def _said(self) -> sparse.csr_array:
        """[T, W * K]: 1 where worker w gave task t the label k. Both products below are one pass over it,
        many times as fast as np.add.at."""
        at = self.worker.astype(np.int64) * self.n_classes + self.label
        shape = (self.n_tasks, self.n_workers * self.n_classes)
        return sparse.csr_array((np.ones(len(self), np.float32), (self.task, at)), shape=shape)

    @cached_property
    def _said_by(self) -> sparse.csr_array:
        """[W * K, T]"""
        return self._said.T.tocsr()

    def confusion_counts(self, posterior: np.ndarray) -> np.ndarray:
        """[T, K] -> [W, K, K]: how often each worker is expected to have met truth k and answered label l."""
        by_answer = (self._said_by @ posterior).reshape(self.n_workers, self.n_classes, self.n_classes)
        return by_answer.transpose(0, 2, 1)

    def log_likelihood(self, log_rows: np.ndarray) -> np.ndarray:
        """[W, K truths, K answers] -> [T, K]: log P(all of task t's answers | its truth is k)."""
        by_answer = log_rows.transpose(0, 2, 1).reshape(-1, self.n_classes)
        return self._said @ by_answer
