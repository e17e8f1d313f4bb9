"""Majority vote: the label that most people gave."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Majority:
    """`label` is None on a tie; `leaders` are the labels with the most votes, in the order given."""

    label: str | None
    leaders: tuple[str, ...]
    share: float
    votes: dict[str, int]


def majority_vote(answers: Iterable[str], label_order: Iterable[str]) -> Majority:
    """Count one vote an answer. A tie stays a tie: no label is invented for it.

    answers: label keys, in any order; at least one. label_order: all label keys, most to least preferred.

    >>> majority_vote(["yes", "no", "yes"], ["yes", "no"])
    Majority(label='yes', leaders=('yes',), share=0.6666666666666666, votes={'yes': 2, 'no': 1})
    >>> majority_vote(["no", "yes"], ["yes", "no"]).label is None
    True
    """
    counts = Counter(answers)
    if not counts:
        raise ValueError("a majority needs at least one answer")
    votes = {label: counts[label] for label in label_order if counts[label]}
    votes |= {label: counts[label] for label in sorted(counts) if label not in votes}
    most = max(votes.values())
    leaders = tuple(label for label, n in votes.items() if n == most)
    return Majority(leaders[0] if len(leaders) == 1 else None, leaders, most / counts.total(), votes)
