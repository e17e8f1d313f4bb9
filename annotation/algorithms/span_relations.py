"""Relations between spans of the consensus: who states which, and votes."""

from collections.abc import Sequence

import numpy as np

from annotation.algorithms.span_types import ScoredSpan, Span

Relation = tuple[int, int, str]  # index of the span it goes from, of the span it goes to, label key


def relation_votes(
    consensus: Sequence[ScoredSpan],
    answers: Sequence[tuple[Sequence[Span], Sequence[Relation]]],
    weights: Sequence[float],
) -> list[tuple[int, int, str, float]]:
    """(from, to, label, share) of every relation voted for, by consensus index, largest share first.

    Each answer holds one volunteer's spans and the relations between them. A relation votes for the pair of
    consensus spans that its own spans overlap best (most shared characters of all that either covers; at the
    same overlap the same label wins). It is no vote where one of them overlaps nothing or both the same span.
    share: the weight behind it of the weight of all answers; negative weights are refused with ValueError.

    >>> drug, rash = ScoredSpan(0, 7, "drug", 1, 1, 2), ScoredSpan(15, 19, "sign", 1, 1, 2)
    >>> mine, yours = [(15, 19, "sign"), (0, 7, "drug")], [(0, 7, "drug"), (13, 19, "sign")]
    >>> relation_votes([drug, rash], [(mine, [(1, 0, "causes")]), (yours, [])], [3.0, 1.0])
    [(0, 1, 'causes', 0.75)]
    """
    if any(weight < 0 for weight in weights):
        raise ValueError("a vote's weight is not negative")
    stated, says = relation_says(consensus, answers)
    votes = np.asarray(weights, dtype=float) @ (says == 1)
    ranked = sorted(zip(stated, votes, strict=True), key=lambda vote: (-vote[1], vote[0]))
    return [(*relation, float(weight / sum(weights))) for relation, weight in ranked if weight > 0]


def relation_says(
    consensus: Sequence[ScoredSpan], answers: Sequence[tuple[Sequence[Span], Sequence[Relation]]]
) -> tuple[list[Relation], np.ndarray]:
    """(the C relations that anybody states between consensus spans, what each of A answers says of them).

    says: int8 [A, C], 1 states it, 0 does not, -1 has no say: marked nothing at one of its ends.
    """
    placed = [_placed(consensus, spans, relations) for spans, relations in answers]
    stated = sorted(set().union(*(own for own, _ in placed)))
    says = [
        [1 if one in own else 0 if marked.issuperset(one[:2]) else -1 for one in stated]
        for own, marked in placed
    ]
    return stated, np.array(says, dtype=np.int8).reshape(len(answers), len(stated))


def _placed(
    consensus: Sequence[ScoredSpan], spans: Sequence[Span], relations: Sequence[Relation]
) -> tuple[set[Relation], set[int]]:
    """The relations by consensus index, and which consensus spans these spans mark."""
    places = [_best_overlap(span, consensus) for span in spans]
    stated = set()
    for i, j, label in relations:
        start, end = places[i], places[j]
        if start is not None and end is not None and start != end:
            stated.add((start, end, label))
    return stated, {place for place in places if place is not None}


def _best_overlap(span: Span, consensus: Sequence[ScoredSpan]) -> int | None:
    start, end, label = span
    best, best_score = None, (0.0, False)
    for i, candidate in enumerate(consensus):
        shared = min(end, candidate.end) - max(start, candidate.start)
        if shared > 0:
            either = max(end, candidate.end) - min(start, candidate.start)
            score = (shared / either, candidate.label == label)
            if score > best_score:
                best, best_score = i, score
    return best
