"""What goes into a consensus and what comes out of it, the same for every kind of task."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

MAJORITY = "majority"


@dataclass(frozen=True, slots=True)
class Given:
    """One answer that counts. `skill` is its volunteer's by the latest fit; None for who has none yet."""

    value: dict
    skill: dict | None = None
    certain: bool | None = None

    @property
    def said(self) -> int:
        """1 sure, 0 not sure, -1 not said."""
        return -1 if self.certain is None else int(self.certain)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a task's answers add up to.

    `value` is the consensus in the form of an answer, None when the vote is tied; `label` is its label where
    an answer is one label, else empty. `certainty` is the probability of `value` as the method has it.
    """

    method: str
    label: str
    value: dict | None
    share: float
    votes: dict[str, int]
    certainty: float
    entropy: float  # bits
    posterior: dict[str, float] | None = None  # None where it is the votes' shares
    weights: list[float] | None = None  # one an answer; None where each counts once
    model_weight: float | None = None  # likewise, where a model was heard as one more annotator


@dataclass(frozen=True)
class Table:
    """All answers that count of a campaign, in coordinates: answer n is values[code[n]]."""

    task: np.ndarray  # int32 [N]
    worker: np.ndarray  # int32 [N]
    code: np.ndarray  # int32 [N]
    certain: np.ndarray  # int8 [N]: 1 sure, 0 not sure, -1 not said
    values: list[dict]  # the distinct answers
    n_tasks: int
    n_workers: int
    gold: dict[int, dict] = field(default_factory=dict)  # task: its right answer
    reviewed: frozenset[int] = frozenset()  # whose gold a reviewer gave: doubtful tasks, no fair sample
    texts: Sequence[str] = ()  # [T] where the kind needs them
    opinions: dict[int, dict] = field(default_factory=dict)  # task: a model's, out of fold

    @property
    def n_answers(self) -> np.ndarray:
        """int [T]"""
        return np.bincount(self.task, minlength=self.n_tasks)

    @property
    def fair_gold(self) -> dict[int, dict]:
        """Of files alone: what reviewers decided teaches who is right, but says nothing of how sure to be."""
        return {task: value for task, value in self.gold.items() if task not in self.reviewed}

    def opinions_on(self, keys: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The tasks of which a model thinks something [N], and each label's probability there [N, K]."""
        tasks = np.array(sorted(self.opinions), dtype=np.int64)
        said = np.array([[self.opinions[task].get(key, 0.0) for key in keys] for task in tasks.tolist()])
        return tasks, said.reshape(len(tasks), len(keys))

    def given(self, answers: Iterable[int], skills: Sequence[dict | None]) -> list[Given]:
        """These answers as they go into a decision; skills: each worker's, None for who has none yet."""
        certain = {1: True, 0: False, -1: None}
        return [
            Given(self.values[self.code[n]], skills[self.worker[n]], certain[int(self.certain[n])])
            for n in answers
        ]

    def text_of(self, task: int) -> str:
        return self.texts[task] if self.texts else ""


class SkillRow(NamedTuple):
    """A volunteer's skill by a fit. low and high bound the accuracy with 90 %.

    What answers of one label each have is a confusion; other kinds have finds, one row a label:
    {"label", "found", "invented"}, each of these [share, low, high, number of decisions].
    """

    parameters: dict
    accuracy: float
    low: float
    high: float
    confusion: list[list[float]] | None = None
    finds: list[dict] | None = None


@dataclass(frozen=True)
class Fit:
    """A batch fit: `crowd` is shared by all, `skills` has one row a worker."""

    crowd: dict
    skills: list[SkillRow]


def find_rows(keys: Sequence[str], finds: np.ndarray) -> list[dict]:
    """A SkillRow's finds from those of one volunteer [K, 2, 4], without labels that nothing is known of."""
    rounded = np.round(finds, 4).tolist()
    return [
        {"label": key, "found": found, "invented": invented}
        for key, (found, invented) in zip(keys, rounded, strict=True)
        if found[3] or invented[3]
    ]


def entropy_bits(probabilities: Sequence[float]) -> float:
    """Shannon's entropy in bits.

    >>> entropy_bits([0.5, 0.5])
    1.0
    """
    p = np.asarray(probabilities, dtype=float)
    p = p[p > 0]
    return float(-(p * np.log2(p)).sum()) + 0.0
