"""How well spans are found: strictly (start, end, label), and relaxed (same label, and they overlap)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from training.algorithms.examples import Span
from training.algorithms.metrics import calibration_error
from training.algorithms.outcomes import outcomes_of_spans


def evaluate_spans(
    found: Sequence[Sequence[tuple[Span, float]]], right: Sequence[Sequence[Span]], labels: Sequence[str]
) -> dict[str, Any]:
    """Return metrics of N texts' spans, each found with a probability, ready for JSON.

    The keys are those of metrics.evaluate where they mean the same. accuracy is the share of texts whose
    spans are all right, macro_f1 the mean strict F1 of the labels, and the calibration error holds a span's
    probability against how often such spans are strictly right.

    >>> found = [[(Span(0, 4, "drug"), 0.9)], [(Span(3, 9, "drug"), 0.6)]]
    >>> one = evaluate_spans(found, [[Span(0, 4, "drug")], [Span(5, 9, "drug")]], ["drug"])
    >>> one["strict_f1"], one["relaxed_f1"], one["accuracy"]
    (0.5, 1.0, 0.5)
    """
    marked = [[span for span, _ in spans] for spans in found]
    outcomes = outcomes_of_spans(marked, right, labels)
    figures = outcomes.figures()
    hit = [span in theirs for spans, theirs in zip(marked, map(set, right), strict=True) for span in spans]
    confidence = [probability for spans in found for _, probability in spans]
    all_right = ~(outcomes.false_positives + outcomes.false_negatives).any(axis=1)
    return {
        "n_examples": len(right),
        "accuracy": float(all_right.mean()),
        "macro_f1": figures["macro_f1"],
        "strict_f1": figures["micro_f1"],
        "relaxed_f1": relaxed_f1(marked, right),
        "expected_calibration_error": calibration_error(np.array(confidence), np.array(hit, dtype=bool)),
        "per_class": figures["per_class"],
    }


def relaxed_f1(found: Sequence[Sequence[Span]], right: Sequence[Sequence[Span]]) -> float:
    """Return F1 over all texts where a span is right if it overlaps one of its label; each counts once.

    Two spans found within a right one are one hit. As many are matched as can be. 1 where there is nothing
    to find and nothing was found.

    >>> relaxed_f1([[Span(0, 2, "a"), Span(3, 5, "a")]], [[Span(0, 5, "a")]])
    0.6666666666666666
    """
    pairs = [(sorted(set(a)), sorted(set(b))) for a, b in zip(found, right, strict=True)]
    n = sum(len(a) + len(b) for a, b in pairs)
    return 2 * sum(_n_matched(a, b) for a, b in pairs) / n if n else 1.0


def _n_matched(found: Sequence[Span], right: Sequence[Span]) -> int:
    overlap = [[a.label == b.label and a.start < b.end and b.start < a.end for b in right] for a in found]
    if not any(map(any, overlap)):
        return 0
    return int((maximum_bipartite_matching(csr_array(np.array(overlap))) >= 0).sum())
