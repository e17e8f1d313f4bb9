"""How far answers to the same tasks agree, whatever their form.

Each form has several measures, one of them followed from week to week, and a figure for each two volunteers.
"""

from collections.abc import Set
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from annotation.algorithms.agreement import Sums, krippendorff_alpha, krippendorff_alpha_ordinal
from annotation.algorithms.agreement_report import (
    Measure,
    agreement_by_label,
    agreement_report,
    label_counts,
    measured_by_task,
)
from annotation.algorithms.pair_agreement import PairFigures, kappa_figures
from annotation.algorithms.span_scores import pairwise_f1


class LabelAgreement(NamedTuple):
    """Alpha of a label against the rest or, where it marks text, of its marks; F1 of marks and relations."""

    name: str
    alpha: Measure | None
    f1: Measure | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """N answers to T tasks, each with at least one. task, worker: int [N], every number below theirs used."""

    task: np.ndarray
    worker: np.ndarray
    values: list[dict]
    lengths: list[int]  # [T] of the texts, code points
    labels: list[dict]

    @property
    def n_answers(self) -> np.ndarray:
        """[T]"""
        return np.bincount(self.task, minlength=len(self.lengths))

    def by_task(self, said: list) -> list[list]:
        """What the answers say [N], parted by task."""
        of_tasks: list[list] = [[] for _ in self.lengths]
        for task, one in zip(self.task, said, strict=True):
            of_tasks[task].append(one)
        return of_tasks


class Comparison(Protocol):
    """How answers of one form are compared. `pairs`: every two of n volunteers; among these int [N] is the
    place of each answer's, -1 of the others'."""

    weekly: str  # the name of the figure that is followed from week to week
    paired: str  # and of the one for two volunteers

    def measures(self, rng: np.random.Generator) -> dict[str, Measure | None]: ...

    def by_label(self, rng: np.random.Generator) -> list[LabelAgreement]: ...

    def weekly_sums(self) -> Sums:
        """A row a task."""
        ...

    def pairs(self, among: np.ndarray, n: int, rng: np.random.Generator) -> PairFigures: ...


class OneLabel:
    weekly, paired = "alpha", "kappa"

    def __init__(self, compared: Compared, *, is_ordinal: bool):
        self._names = [label["name"] for label in compared.labels]
        index = {label["key"]: k for k, label in enumerate(compared.labels)}
        label = np.array([index[value["label"]] for value in compared.values], dtype=np.int64)
        self._answers = (compared.task, compared.worker, label)
        self._scale = "ordinal" if is_ordinal else "nominal"

    def measures(self, rng: np.random.Generator) -> dict[str, Measure | None]:
        return agreement_report(*self._answers, len(self._names), scale=self._scale, rng=rng)

    def by_label(self, rng: np.random.Generator) -> list[LabelAgreement]:
        task, _, label = self._answers
        return named(self._names, agreement_by_label(task, label, len(self._names), rng=rng))

    def weekly_sums(self) -> Sums:
        task, _, label = self._answers
        alpha = krippendorff_alpha_ordinal if self._scale == "ordinal" else krippendorff_alpha
        return alpha(label_counts(task, label, len(self._names)))

    def pairs(self, among: np.ndarray, n: int, rng: np.random.Generator) -> PairFigures:
        task, _, label = (column[among >= 0] for column in self._answers)
        worker = among[among >= 0]
        return kappa_figures(task, worker, label, len(self._names), n, scale=self._scale, rng=rng)


class Facts:
    """Answers that are any number of facts: each two volunteers by F1 of what they state."""

    weekly = "alpha"

    def __init__(self, compared: Compared, stated: list[Set], coefficients: dict[str, Sums]):
        self._compared = compared
        self._stated = stated
        self._coefficients = coefficients

    def measures(self, rng: np.random.Generator) -> dict[str, Measure | None]:
        return measured_by_task(self._coefficients, self._compared.n_answers, rng)

    def weekly_sums(self) -> Sums:
        return self._coefficients[self.weekly]

    def pairs(self, among: np.ndarray, n: int, rng: np.random.Generator) -> PairFigures:
        stated = [facts for facts, place in zip(self._stated, among, strict=True) if place >= 0]
        task, worker = self._compared.task[among >= 0], among[among >= 0]
        return pairwise_f1(task, worker, stated, n, rng=rng)


def named(names: list[str], reports: list[dict[str, Measure | None]]) -> list[LabelAgreement]:
    return [LabelAgreement(name, report["alpha"]) for name, report in zip(names, reports, strict=True)]
