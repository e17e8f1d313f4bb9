"""How well spans and relations are found: strictly (all of it is right), and relaxed (the places overlap)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from training.algorithms.examples import Relation, Span
from training.algorithms.metrics import calibration_error
from training.algorithms.outcomes import Mark, outcomes_of_marks


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
    strict, micro_f1 = _strict(found, right, labels)
    return strict | {"strict_f1": micro_f1, "relaxed_f1": relaxed_f1(_marks(found), right, spans_overlap)}


def evaluate_relations(
    found: Sequence[Sequence[tuple[Relation, float]]],
    right: Sequence[Sequence[Relation]],
    labels: Sequence[str],
) -> dict[str, Any]:
    """Return metrics of N texts' relations as of spans; relation_f1 is micro-averaged, macro_f1 by label.

    A relation is right if its label and both of its spans are, places and labels ("strict" in Taille et al.
    2020, "Let's stop incorrect comparisons in end-to-end relation extraction!"). Pairs without a relation
    don't count. relaxed: spans of the right labels that overlap the right places.
    """
    strict, micro_f1 = _strict(found, right, labels)
    relaxed = relaxed_f1(_marks(found), right, relations_overlap)
    return strict | {"relation_f1": micro_f1, "relaxed_relation_f1": relaxed}


def relaxed_f1(
    found: Sequence[Sequence[Mark]],
    right: Sequence[Sequence[Mark]],
    alike: Callable[[Mark, Mark], bool],
) -> float:
    """Return F1 over all texts where a mark is right if it is alike a right one; each counts once.

    Two spans found within a right one are one hit. As many are matched as can be. 1 where there is nothing
    to find and nothing was found.

    >>> relaxed_f1([[Span(0, 2, "a"), Span(3, 5, "a")]], [[Span(0, 5, "a")]], spans_overlap)
    0.6666666666666666
    """
    pairs = [(sorted(set(a)), sorted(set(b))) for a, b in zip(found, right, strict=True)]
    n = sum(len(a) + len(b) for a, b in pairs)
    return 2 * sum(_n_matched(a, b, alike) for a, b in pairs) / n if n else 1.0


def spans_overlap(one: Span, other: Span) -> bool:
    return one.label == other.label and one.start < other.end and other.start < one.end


def relations_overlap(one: Relation, other: Relation) -> bool:
    ends = spans_overlap(one.head, other.head) and spans_overlap(one.tail, other.tail)
    return one.label == other.label and ends


def _strict(
    found: Sequence[Sequence[tuple[Mark, float]]], right: Sequence[Sequence[Mark]], labels: Sequence[str]
) -> tuple[dict[str, Any], float]:
    """Return (figures of marks that are right if all of them is, their micro-averaged F1)."""
    marked = _marks(found)
    outcomes = outcomes_of_marks(marked, right, labels)
    figures = outcomes.figures()
    hit = [mark in theirs for marks, theirs in zip(marked, map(set, right), strict=True) for mark in marks]
    confidence = [probability for marks in found for _, probability in marks]
    strict = {
        "n_examples": len(right),
        "accuracy": float(outcomes.hits.mean()),
        "macro_f1": figures["macro_f1"],
        "expected_calibration_error": calibration_error(np.array(confidence), np.array(hit, dtype=bool)),
        "per_class": figures["per_class"],
    }
    return strict, figures["micro_f1"]


def _marks(found: Sequence[Sequence[tuple[Mark, float]]]) -> list[list[Mark]]:
    return [[mark for mark, _ in marks] for marks in found]


def _n_matched(found: Sequence[Mark], right: Sequence[Mark], alike: Callable[[Mark, Mark], bool]) -> int:
    matches = [[alike(a, b) for b in right] for a in found]
    if not any(map(any, matches)):
        return 0
    return int((maximum_bipartite_matching(csr_array(np.array(matches))) >= 0).sum())
