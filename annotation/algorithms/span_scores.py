"""How well spans agree: F1 with exact boundaries, and F1 for any overlap."""

from collections import Counter
from collections.abc import Sequence, Set

import numpy as np

from annotation.algorithms.span_types import Span, SpanAnswers


def span_f1(
    predicted: Sequence[Sequence[Span]], gold: Sequence[Sequence[Span]]
) -> dict[str, dict[str, float]]:
    """{"strict", "relaxed"}: {"precision", "recall", "f1"} over all texts together (micro-average).

    Strict: start, end and label are the same. Relaxed: a predicted span is right if it overlaps a gold span
    of its label, a gold span is found if a predicted span of its label overlaps it. A span given twice
    counts once. Nothing predicted where there is nothing to find is right: 1.

    >>> span_f1([[(0, 4, "sign"), (9, 12, "sign")]], [[(0, 6, "sign")]])["relaxed"]
    {'precision': 0.5, 'recall': 1.0, 'f1': 0.6666666666666666}
    """
    exact = overlapping = found = n_predicted = n_gold = 0
    for ours, theirs in zip(map(set, predicted), map(set, gold), strict=True):
        n_predicted += len(ours)
        n_gold += len(theirs)
        exact += len(ours & theirs)
        overlapping += _n_overlapping(ours, theirs)
        found += _n_overlapping(theirs, ours)
    return {
        "strict": _scores(exact, exact, n_predicted, n_gold),
        "relaxed": _scores(overlapping, found, n_predicted, n_gold),
    }


def set_f1(found: Set, true: Set) -> float:
    """F1 of what was found against what is true: what both hold, twice, of what either holds.

    >>> set_f1({1, 2}, {2}), set_f1(set(), set())
    (0.6666666666666666, 1.0)
    """
    return 2 * len(found & true) / (len(found) + len(true)) if found or true else 1.0


def pairwise_span_f1(answers: SpanAnswers) -> dict[tuple[int, int], dict[str, float]]:
    """{(worker, worker): {"strict", "relaxed", "n_texts"}}: F1 of every two who share texts, all together.

    F1 is the same both ways; the smaller worker comes first.
    """
    shared: dict[tuple[int, int], tuple[list, list]] = {}
    for given in answers.answers:
        in_order = sorted(given, key=lambda answer: answer[0])
        for i, (one, ours) in enumerate(in_order):
            for other, theirs in in_order[i + 1 :]:
                pair = shared.setdefault((one, other), ([], []))
                pair[0].append(ours)
                pair[1].append(theirs)
    return {
        pair: {kind: score["f1"] for kind, score in span_f1(*texts).items()} | {"n_texts": len(texts[0])}
        for pair, texts in sorted(shared.items())
    }


def _n_overlapping(ours: set[Span], theirs: set[Span]) -> int:
    """How many of ours overlap one of theirs of the same label.

    That is where more of theirs begin before ours ends than end before ours begins.
    """
    n = 0
    for label, _ in Counter(span[2] for span in ours).items():
        own = np.array([span[:2] for span in ours if span[2] == label])
        other = np.array([span[:2] for span in theirs if span[2] == label]).reshape(-1, 2)
        begun = np.searchsorted(np.sort(other[:, 0]), own[:, 1], side="left")
        ended = np.searchsorted(np.sort(other[:, 1]), own[:, 0], side="right")
        n += int((begun > ended).sum())
    return n


def _scores(right: int, found: int, n_predicted: int, n_gold: int) -> dict[str, float]:
    precision = right / n_predicted if n_predicted else float(not n_gold)
    recall = found / n_gold if n_gold else float(not n_predicted)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}
