"""What is known of a model that was judged: its outcomes, how well it knows them, and how fast it reads."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.algorithms.outcomes import (
    Mark,
    Outcomes,
    outcomes_of_classes,
    outcomes_of_marks,
    outcomes_of_sets,
)

FAMILIES = ("tfidf", "embedding", "combined", "encoder")  # the plainest first
N_BINS = 15
CHOSEN_FROM = 0.5


@dataclass(frozen=True, slots=True)
class Judged:
    """One model on N items.

    gaps            float32 [N, 15]: of each item's statements, by their bin of equal mass (least confident
                    first), the sum of [it is right] - confidence
    n_statements    float32 [N]: a class is one, each label of a multiple choice, each mark that was found
    losses          float32 [N] in nats, -log p of what is right; None for marks
    """

    outcomes: Outcomes
    gaps: np.ndarray
    n_statements: np.ndarray
    losses: np.ndarray | None
    texts_per_second: float
    family: str

    def __len__(self) -> int:
        return len(self.outcomes)

    def calibration_error(self, weights: np.ndarray) -> np.ndarray:
        """Return [B] the expected calibration error under weights [B, N]; the bins are those of the N items.

        Four statements of confidence 0.75, three of them right, are perfectly calibrated in one bin:

        >>> gaps = np.zeros((4, 15)); gaps[:, 0] = [0.25, 0.25, 0.25, -0.75]
        >>> nothing = outcomes_of_classes(np.zeros(4, int), np.zeros(4, int), 2)
        >>> Judged(nothing, gaps, np.ones(4), None, 1.0, "tfidf").calibration_error(np.ones((1, 4))).tolist()
        [0.0]
        """
        n = np.maximum(weights @ self.n_statements, 1e-9)
        return np.abs(weights @ self.gaps).sum(axis=1) / n


def judged_classes(
    y_true: np.ndarray, probabilities: np.ndarray, *, texts_per_second: float, family: str
) -> Judged:
    """Judge probabilities [N, K] where the classes y_true [N] are right."""
    predicted, p_true = probabilities.argmax(axis=1), probabilities[np.arange(len(y_true)), y_true]
    return _judged(
        outcomes_of_classes(y_true, predicted, probabilities.shape[1]),
        np.arange(len(y_true)), probabilities.max(axis=1), predicted == y_true,
        _losses(p_true), texts_per_second, family,
    )  # fmt: skip


def judged_sets(
    targets: np.ndarray, probabilities: np.ndarray, *, texts_per_second: float, family: str
) -> Judged:
    """Judge probabilities [N, K] where the labels of targets bool [N, K] are right, each on its own."""
    chosen, p_true = probabilities >= CHOSEN_FROM, np.where(targets, probabilities, 1 - probabilities)
    return _judged(
        outcomes_of_sets(targets, chosen),
        np.repeat(np.arange(len(targets)), targets.shape[1]),
        np.maximum(probabilities, 1 - probabilities).ravel(), (chosen == targets).ravel(),
        _losses(p_true).sum(axis=1), texts_per_second, family,
    )  # fmt: skip


def judged_marks(
    found: Sequence[Sequence[tuple[Mark, float]]],
    right: Sequence[Sequence[Mark]],
    labels: Sequence[str],
    *,
    texts_per_second: float,
    family: str,
) -> Judged:
    """Judge the spans or relations that were found in N texts, each with its probability."""
    marked = [[mark for mark, _ in marks] for marks in found]
    item = [n for n, marks in enumerate(found) for _ in marks]
    confidence = [probability for marks in found for _, probability in marks]
    hit = [mark in theirs for marks, theirs in zip(marked, map(set, right), strict=True) for mark in marks]
    return _judged(
        outcomes_of_marks(marked, right, labels),
        np.array(item, dtype=np.int64), np.array(confidence), np.array(hit, dtype=bool),
        None, texts_per_second, family,
    )  # fmt: skip


def _losses(p_true: np.ndarray) -> np.ndarray:
    return -np.log(np.maximum(p_true, 1e-6)).astype(np.float32)  # one confident miss does not decide alone


def _judged(
    outcomes: Outcomes,
    item: np.ndarray,
    confidence: np.ndarray,
    hit: np.ndarray,
    losses: np.ndarray | None,
    texts_per_second: float,
    family: str,
) -> Judged:
    """item, confidence, hit [M]: of M statements, whose they are, how sure, and whether right."""
    gaps = np.zeros((len(outcomes), N_BINS), dtype=np.float32)
    for b, rows in enumerate(np.array_split(np.argsort(confidence, kind="stable"), N_BINS)):
        np.add.at(gaps[:, b], item[rows], hit[rows] - confidence[rows])
    n_statements = np.bincount(item, minlength=len(outcomes)).astype(np.float32)
    return Judged(outcomes, gaps, n_statements, losses, texts_per_second, family)
