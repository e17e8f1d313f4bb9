"""How well spans agree, and whatever else is any number of facts: F1 of all that is stated."""

from collections import Counter
from collections.abc import Sequence, Set
from itertools import combinations

import numpy as np
from scipy import sparse

from annotation.algorithms.bootstrap import mirrored_interval
from annotation.algorithms.pair_agreement import PairFigures
from annotation.algorithms.span_types import Span


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


def overlap_f1(spans: Sequence[Span], others: Sequence[Span]) -> float:
    """F1 of the code points that both mark with the same label; 1 where neither marks any.

    >>> overlap_f1([(0, 4, "sign")], [(0, 6, "sign"), (9, 12, "drug")]), overlap_f1([], [])
    (0.6153846153846154, 1.0)
    """
    n_marked = _n_covered(spans) + _n_covered(others)
    return 2 * (n_marked - _n_covered([*spans, *others])) / n_marked if n_marked else 1.0


def without_near_misses(spans: Sequence[Span], truth: Sequence[Span]) -> list[Span]:
    """The spans in order, each that overlaps true ones of its label as the first of these: what is left to be
    wrong is what was invented and what was missed, whatever somebody's style of drawing boundaries.

    >>> without_near_misses([(0, 9, "drug"), (20, 24, "drug")], [(0, 4, "drug"), (12, 16, "sign")])
    [(0, 4, 'drug'), (20, 24, 'drug')]
    """
    found = set()
    for start, end, label in spans:
        near = [true for true in truth if true[2] == label and true[0] < end and start < true[1]]
        found.add(min(near) if near else (start, end, label))
    return sorted(found)


def _n_covered(spans: Sequence[Span]) -> int:
    """Code points that are marked, of each label by itself."""
    n, at, current = 0, 0, None
    for label, start, end in sorted((label, start, end) for start, end, label in spans):
        if label != current:
            current, at = label, 0
        n += max(0, end - max(start, at))
        at = max(at, end)
    return n


def pairwise_f1(
    task: np.ndarray, worker: np.ndarray, stated: Sequence[Set], n_workers: int, *, rng: np.random.Generator
) -> PairFigures:
    """F1 of every two of the workers over the tasks that both answered. nan where they stated nothing there.

    task, worker: int [N]; stated: N sets of facts.

    >>> stated, rng = [{1, 2}, {2}, {3}, {3}], np.random.default_rng(0)
    >>> pairwise_f1(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), stated, 2, rng=rng).value.tolist()
    [[nan, 0.8], [0.8, nan]]
    """
    rows, codes, in_common, of_both = [], [], [], []
    order = np.lexsort((worker, task))
    of_tasks = np.split(order, np.flatnonzero(np.diff(task[order])) + 1)
    for row, own in enumerate(of_tasks):
        for i, j in combinations(own.tolist(), 2):
            rows.append(row)
            codes.append(worker[i] * n_workers + worker[j])
            in_common.append(2 * len(stated[i] & stated[j]))
            of_both.append(len(stated[i]) + len(stated[j]))
    pairs, pair = np.unique(np.array(codes, dtype=np.int64), return_inverse=True)
    shape = (len(of_tasks), len(pairs))
    common, both, met = (
        sparse.csr_array((np.array(values, dtype=float), (rows, pair)), shape=shape)
        for values in (in_common, of_both, np.ones(len(rows)))
    )

    def figures(weights: np.ndarray) -> np.ndarray:
        stated_by_both = weights @ both
        undefined = np.full(stated_by_both.shape, np.nan)
        return np.divide(weights @ common, stated_by_both, out=undefined, where=stated_by_both > 0)

    measured = mirrored_interval(figures, len(of_tasks), rng, n_columns=len(rows))
    n_tasks = np.ones(len(of_tasks)) @ met
    return PairFigures.of_pairs(pairs // n_workers, pairs % n_workers, measured, n_tasks, n_workers)


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
