"""What a model did on N judged items, as counts: a bootstrap of it is one product of matrices.

An item is a text; K are the classes or labels. Weights [B, N] say how often each item stands in each of B
samples: ones [1, N] for the items themselves.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from training.algorithms.examples import Relation, Span

Mark = TypeVar("Mark", Span, Relation)  # what is marked in a text, under a label


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Counts float32 [N, K]: of each item and class, what was rightly found, wrongly found, and missed."""

    true_positives: np.ndarray
    false_positives: np.ndarray
    false_negatives: np.ndarray

    def __len__(self) -> int:
        return len(self.true_positives)

    def and_(self, other: "Outcomes") -> "Outcomes":
        """Return the items of both, one after the other, over the same classes."""
        pairs = [(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)]
        return Outcomes(*(np.concatenate(pair) for pair in pairs))

    def only(self, items: np.ndarray) -> "Outcomes":
        """Return the outcomes of some of the items, by their places or bool [N]."""
        return Outcomes(*(getattr(self, f.name)[items] for f in fields(self)))

    @property
    def hits(self) -> np.ndarray:
        """bool [N]: the items of which all was rightly found, and nothing else."""
        return ~(self.false_positives + self.false_negatives).any(axis=1)

    @property
    def f1_of_items(self) -> np.ndarray:
        """float64 [N]: how right each item is, from 0 to 1, over all classes together.

        1 where there is nothing to find and nothing was found. Where each item has one class and one is
        predicted, it is 1 or 0.

        >>> right = np.array([[True, True, False], [True, False, False], [False, False, False]])
        >>> chosen = np.array([[True, False, False], [False, True, True], [False, False, False]])
        >>> outcomes_of_sets(right, chosen).f1_of_items.round(4).tolist()
        [0.6667, 0.0, 1.0]
        """
        hits = self.true_positives.sum(axis=1, dtype=np.float64)
        errors = (self.false_positives + self.false_negatives).sum(axis=1, dtype=np.float64)
        return np.where(hits + errors > 0, _f1(hits, errors), 1.0)

    def to_dict(self) -> dict[str, Any]:
        """Return [item, class, count] of what is not zero, ready for JSON; from_dict takes it."""
        counts = {f.name: getattr(self, f.name) for f in fields(self)}
        return {"shape": list(self.true_positives.shape)} | {
            name: [[int(n), int(k), float(one[n, k])] for n, k in zip(*np.nonzero(one), strict=True)]
            for name, one in counts.items()
        }

    @classmethod
    def from_dict(cls, known: dict[str, Any]) -> "Outcomes":
        """Return what to_dict was called on.

        >>> one = outcomes_of_classes(np.array([0, 1, 1]), np.array([0, 1, 0]), 2)
        >>> again = Outcomes.from_dict(one.to_dict())
        >>> (again.false_negatives == one.false_negatives).all() and again.hits.tolist()
        [True, True, False]
        """
        counts = {f.name: np.zeros(known["shape"], dtype=np.float32) for f in fields(cls)}
        for name, one in counts.items():
            for n, k, count in known[name]:
                one[n, k] = count
        return cls(**counts)

    @property
    def occurs(self) -> np.ndarray:
        """bool [K]: the classes that are right for some item, or were found."""
        return (self.true_positives + self.false_positives + self.false_negatives).any(axis=0)

    def f1(self, weights: np.ndarray) -> np.ndarray:
        """Return [B, K]; 0 where a class neither occurs nor is found."""
        errors = self.false_positives + self.false_negatives
        return _f1(weights @ self.true_positives, weights @ errors)

    def recall(self, weights: np.ndarray) -> np.ndarray:
        """Return [B, K], the share of each class that was found; 0 where it does not occur."""
        hits = weights @ self.true_positives
        return _ratio(hits, hits + weights @ self.false_negatives)

    def macro_f1(self, weights: np.ndarray) -> np.ndarray:
        """Return [B], the mean F1 of the classes that occur in the items themselves; 1 if none does."""
        if not self.occurs.any():
            return np.ones(len(weights))
        return self.f1(weights)[:, self.occurs].mean(axis=1)

    def micro_f1(self, weights: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Return [B, S], F1 over all classes together of each group; groups bool [N, S].

        Where each item has one class and one is predicted, it is the share of items that are right.

        >>> one = outcomes_of_classes(np.array([0, 1, 1]), np.array([0, 1, 0]), 2)
        >>> one.micro_f1(np.ones((1, 3)), np.array([[True, True], [True, False], [True, True]])).tolist()
        [[0.6666666666666666, 0.5]]
        """
        hits = self.true_positives.sum(axis=1, keepdims=True)
        errors = (self.false_positives + self.false_negatives).sum(axis=1, keepdims=True)
        return _f1(weights @ (hits * groups), weights @ (errors * groups))

    def figures(self) -> dict[str, Any]:
        """Return macro_f1, micro_f1 and per_class (lists [K]) of the items themselves, ready for JSON."""
        everything, all_in_one = np.ones((1, len(self))), np.ones((len(self), 1), dtype=bool)
        hits, wrong, missed = (
            counts.sum(axis=0, dtype=np.float64)
            for counts in (self.true_positives, self.false_positives, self.false_negatives)
        )
        return {
            "macro_f1": float(self.macro_f1(everything)[0]),
            "micro_f1": float(self.micro_f1(everything, all_in_one)[0, 0]) if self.occurs.any() else 1.0,
            "per_class": {
                "precision": _ratio(hits, hits + wrong).tolist(),
                "recall": self.recall(everything)[0].tolist(),
                "f1": self.f1(everything)[0].tolist(),
                "support": (hits + missed).astype(int).tolist(),
            },
        }


@dataclass(frozen=True, slots=True)
class Trial:
    """What models like one did on further items, which had not learned from them.

    items: int [M], numbers of the items, none twice; outcomes: of each.
    """

    items: np.ndarray
    outcomes: Outcomes

    def on(self, items: np.ndarray) -> Outcomes:
        """Return the outcomes of those of the items that it was held to, by their numbers."""
        order = np.argsort(self.items)
        return self.outcomes.only(order[np.isin(self.items[order], items)])

    def to_dict(self) -> dict[str, Any]:
        return {"items": self.items.tolist()} | self.outcomes.to_dict()

    @classmethod
    def from_dict(cls, known: dict[str, Any]) -> "Trial":
        """Return what to_dict was called on."""
        return cls(np.array(known["items"], dtype=np.int64), Outcomes.from_dict(known))


def outcomes_of_classes(y_true: np.ndarray, y_predicted: np.ndarray, n_classes: int) -> Outcomes:
    """Return the outcomes of y_predicted [N] where y_true [N] is right.

    >>> outcomes_of_classes(np.array([0, 1, 1]), np.array([0, 1, 0]), 2).macro_f1(np.ones((1, 3))).round(4)
    array([0.6667])
    """
    classes = np.arange(n_classes)
    return outcomes_of_sets(
        np.asarray(y_true)[:, None] == classes, np.asarray(y_predicted)[:, None] == classes
    )


def outcomes_of_sets(targets: np.ndarray, chosen: np.ndarray) -> Outcomes:
    """Return the outcomes of the labels chosen, bool [N, K], where targets, bool [N, K], are right."""
    return _counted(targets & chosen, chosen & ~targets, targets & ~chosen)


def outcomes_of_marks(
    found: Sequence[Sequence[Mark]], right: Sequence[Sequence[Mark]], labels: Sequence[str]
) -> Outcomes:
    """Return the outcomes of N texts' spans or relations, each right if all of it is.

    All of a span: start, end and label; of a relation: both spans, in their order, and the label. That no
    pair is related is no outcome, as in the literature. What stands twice counts once.

    >>> one = outcomes_of_marks([[Span(0, 2, "a")]], [[Span(0, 2, "a"), Span(5, 9, "a")]], ["a"])
    >>> one.f1(np.ones((1, 1))).round(4)
    array([[0.6667]])
    """
    if len(found) != len(right):
        raise ValueError("found and right differ in length")
    place = {label: k for k, label in enumerate(labels)}
    counts = np.zeros((3, len(right), len(place)))
    for n, (ours, theirs) in enumerate(zip(map(set, found), map(set, right), strict=True)):
        for kind, marks in enumerate((ours & theirs, ours - theirs, theirs - ours)):
            for mark in marks:
                counts[kind, n, place[mark.label]] += 1
    return _counted(*counts)


def f1_of_sets(found: Set, right: Set) -> float:
    """Return F1 of what was found, 1 where there is nothing to find and nothing was found.

    >>> f1_of_sets({1, 2}, {2}), f1_of_sets(set(), set())
    (0.6666666666666666, 1.0)
    """
    return 2 * len(found & right) / (len(found) + len(right)) if found or right else 1.0


def _counted(*counts: np.ndarray) -> Outcomes:
    return Outcomes(*(np.asarray(one, dtype=np.float32) for one in counts))


def _f1(hits: np.ndarray, errors: np.ndarray) -> np.ndarray:
    return _ratio(2 * hits, 2 * hits + errors)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
