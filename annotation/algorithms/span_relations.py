"""Relations between spans of the consensus, by votes."""

from collections.abc import Sequence

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
    total = sum(weights)
    votes: dict[Relation, float] = {}
    for (spans, relations), weight in zip(answers, weights, strict=True):
        place = {i: _best_overlap(spans[i], consensus) for relation in relations for i in relation[:2]}
        voted = {(place[i], place[j], label) for i, j, label in relations if place[i] != place[j]}
        for relation in voted:
            if None not in relation:
                votes[relation] = votes.get(relation, 0.0) + weight
    ranked = sorted(votes.items(), key=lambda vote: (-vote[1], vote[0]))
    return [(i, j, label, weight / total) for (i, j, label), weight in ranked if weight > 0]


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
