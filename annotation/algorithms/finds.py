"""How often a volunteer states what holds and what does not: labels of a text, marks, relations alike.

Both are shares of decisions: what somebody stated, and one did or did not. What nobody states is no decision.
"""

from collections.abc import Sequence

import numpy as np

from annotation.algorithms.intervals import credible_interval
from annotation.algorithms.multiple_choice import CROWD_RATE, CROWD_STRENGTH, LABEL_STRENGTH
from annotation.algorithms.span_types import Span, SpanAnswers


def finds(counts: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """[W, K, 2, 4]: of what holds, and of what does not, the share that is stated, the ends of its 90 %
    credible interval, and of how many decisions.

    counts [W, K, 2, 2]: decisions on what holds, does not; by stated, not stated. rates [W, K, 2]:
    sensitivity and specificity, drawn towards the crowd's as if by LABEL_STRENGTH decisions more.
    """
    n = counts.sum(axis=3)
    stated = np.stack([rates[..., 0], 1.0 - rates[..., 1]], axis=-1)
    interval = credible_interval(stated, n + LABEL_STRENGTH)
    return np.concatenate([stated[..., None], interval, n[..., None]], axis=-1)


def drawn_to_crowd(counts: np.ndarray) -> np.ndarray:
    """[W, K, 2]: sensitivity and specificity, each drawn towards the crowd's, from counts [W, K, 2, 2].

    One who found 8 of 8 among others who found 12 of 16; nothing that does not hold was stated by anybody.

    >>> counts = np.array([[[[8, 0], [0, 0]]], [[[4, 8], [0, 0]]]])
    >>> drawn_to_crowd(counts).round(2).tolist()
    [[[0.81, 0.9]], [[0.45, 0.9]]]
    """
    right, met = counts[:, :, [0, 1], [0, 1]], counts.sum(axis=3)  # [W, K, 2]
    crowd = (right.sum(axis=0) + CROWD_STRENGTH * CROWD_RATE) / (met.sum(axis=0) + CROWD_STRENGTH)
    return (right + LABEL_STRENGTH * crowd) / (met + LABEL_STRENGTH)


def span_finds(answers: SpanAnswers, consensus: Sequence[Sequence[Span]]) -> np.ndarray:
    """[W, L, 2, 2]: how often each volunteer marked, and did not mark, what is there and what is not.

    A span of the consensus is found by any mark of its label that overlaps it: boundaries are another matter.
    Marks that overlap none are of what is not there; those of a label that overlap are one stretch. All who
    read the text decided on each.

    >>> answers = SpanAnswers(["a rash"], [[(0, [(2, 6, "sign")]), (1, [(0, 1, "sign")])]], 2, ["sign"])
    >>> span_finds(answers, [[(0, 6, "sign")]]).tolist()
    [[[[1, 0], [0, 0]]], [[[1, 0], [0, 0]]]]
    >>> span_finds(answers, [[(2, 6, "sign")]]).tolist()
    [[[[1, 0], [0, 1]]], [[[0, 1], [1, 0]]]]
    """
    counts = np.zeros((answers.n_workers, len(answers.labels), 2, 2), dtype=int)
    column = {label: k for k, label in enumerate(answers.labels)}
    for given, true in zip(answers.answers, consensus, strict=True):
        for label in {span[2] for spans in (true, *(own for _, own in given)) for span in spans}:
            there = [span for span in true if span[2] == label]
            marks = [(worker, [span for span in spans if span[2] == label]) for worker, spans in given]
            nothing = [span for _, own in marks for span in own if not _overlaps(span, there)]
            for row, stretches in enumerate((there, _merged(nothing))):
                for worker, own in marks:
                    n_stated = sum(_overlaps(stretch, own) for stretch in stretches)
                    counts[worker, column[label], row] += (n_stated, len(stretches) - n_stated)
    return counts


def _merged(spans: Sequence[Span]) -> list[Span]:
    """Overlapping spans of one label as one."""
    merged: list[Span] = []
    for start, end, label in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), label)
        else:
            merged.append((start, end, label))
    return merged


def _overlaps(span: Span, others: Sequence[Span]) -> bool:
    return any(start < span[1] and span[0] < end for start, end, _ in others)
