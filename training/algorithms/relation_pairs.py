"""Relations as pairs of spans, each of one class: none, or one of the relations' labels.

A text's spans make a pair of each two of them in each order, most of which nobody would relate. A pair is a
candidate only if its two labels stood, in that order, at the ends of some relation that people stated; of a
text with many, the MOST_PAIRS nearest are. Learning and reading leave out the same, so that how often a
candidate is related, which the probabilities rest on, is the same in both.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from training.algorithms.examples import Examples, Relation, Span
from training.algorithms.marking import mark_pair
from training.algorithms.splits import LEARNED

NO_RELATION = "no relation"  # a class; with its blank, it is no label's key
MOST_PAIRS = 64  # of a text
HOLDS_FROM = 0.5

Ends = tuple[str, str]  # the labels of a head and of a tail


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model makes of one text.

    spans          S spans, each with the probability that it is right
    pairs          of a model of relations the P candidates among them: places of head and tail
    probabilities  float32 [P, 1 + R]: how likely each is unrelated, or related by each of R labels
    """

    spans: Sequence[tuple[Span, float]]
    pairs: Sequence[tuple[int, int]] = ()
    probabilities: np.ndarray = field(default_factory=lambda: np.empty((0, 1), dtype=np.float32))

    @property
    def sureness(self) -> np.ndarray:
        """float64 [P], how likely both spans of each pair are right."""
        return np.array([self.spans[head][1] * self.spans[tail][1] for head, tail in self.pairs])

    def relations(self, labels: Sequence[str]) -> list[tuple[Relation, float]]:
        """Return the pairs that are likelier related by one label than by another or not at all.

        Each with the probability that all of it is right, its spans included.

        >>> drug, sign = Span(0, 7, "drug"), Span(8, 12, "sign")
        >>> one = Reading([(drug, 0.9), (sign, 1.0)], [(0, 1)], np.array([[0.2, 0.8]]))
        >>> [(r.label, round(p, 2)) for r, p in one.relations(["causes"])]
        [('causes', 0.72)]
        """
        found = []
        for (head, tail), sure, row in zip(self.pairs, self.sureness, self.probabilities, strict=True):
            best = int(row.argmax())
            if best:
                relation = Relation(self.spans[head][0], self.spans[tail][0], labels[best - 1])
                found.append((relation, float(sure * row[best])))
        return found

    def unsure(self, measure: Callable[[np.ndarray], np.ndarray]) -> float:
        """Return how near the model is to saying otherwise, of the span or pair where it is nearest; or 0.

        measure: of probabilities [P, K] the uncertainties [P] in [0, 1], as in algorithms.acquisition. A pair
        counts as far as its spans are likely there at all; a span by 1 - |2p - 1|.

        >>> spans = [(Span(0, 7, "drug"), 0.9), (Span(8, 12, "sign"), 1.0)]
        >>> one = Reading(spans, [(0, 1)], np.array([[0.5, 0.5]]))
        >>> round(one.unsure(lambda p: 1 - abs(p[:, 0] - p[:, 1])), 2), round(Reading(spans).unsure(len), 2)
        (0.9, 0.2)
        """
        of_spans = max((1 - abs(2 * probability - 1) for _, probability in self.spans), default=0.0)
        if not self.pairs:
            return of_spans
        return max(of_spans, float((measure(self.probabilities) * self.sureness).max()))


def ends_that_join(relations: Iterable[Mapping[Relation, float]]) -> set[Ends]:
    """Return the labels that stand at the ends of a relation that more likely holds than not."""
    return {
        (one.head.label, one.tail.label)
        for stated in relations
        for one, probability in stated.items()
        if probability > HOLDS_FROM
    }


def candidate_pairs(spans: Sequence[Span], joined: Collection[Ends]) -> list[tuple[int, int]]:
    """Return (place of the head, place of the tail) in spans of each pair that may be related, by place.

    >>> spans = [Span(0, 7, "drug"), Span(8, 12, "sign"), Span(20, 24, "sign")]
    >>> candidate_pairs(spans, {("drug", "sign")})
    [(0, 1), (0, 2)]
    """
    pairs = [
        (head, tail)
        for head in range(len(spans))
        for tail in range(len(spans))
        if head != tail and (spans[head].label, spans[tail].label) in joined
    ]
    nearest_first = sorted(pairs, key=lambda pair: (_gap(spans[pair[0]], spans[pair[1]]), pair))
    return sorted(nearest_first[:MOST_PAIRS])


def pair_examples(examples: Examples, joined: Collection[Ends]) -> Examples:
    """Return M examples of one of 1 + R classes: the candidates of the texts that teach, marked.

    The first class is NO_RELATION. A pair's target is how likely people hold each label for it, and none of
    them otherwise; it weighs what its text does and is in its text's part.
    """
    assert examples.spans is not None and examples.relations is not None
    names = (NO_RELATION, *examples.class_names)
    texts: list[str] = []
    rows: list[int] = []
    targets = []
    for row in np.flatnonzero(np.isin(examples.parts, LEARNED)).tolist():
        spans, stated = examples.spans[row], examples.relations[row]
        for head, tail in ((spans[i], spans[j]) for i, j in candidate_pairs(spans, joined)):
            texts.append(mark_pair(examples.texts[row], head, tail))
            targets.append(_target(stated, head, tail, examples.class_names))
            rows.append(row)
    return Examples(
        head="single",
        class_names=names,
        texts=texts,
        targets=np.array(targets, dtype=np.float32).reshape(len(rows), len(names)),
        weights=np.asarray(examples.weights, dtype=np.float32)[rows],
        parts=np.asarray(examples.parts)[rows],
    )


def _target(stated: Mapping[Relation, float], head: Span, tail: Span, labels: Sequence[str]) -> np.ndarray:
    """Return [1 + R], summing to 1. Of two labels that hold for one pair, each has its share."""
    held = np.array([stated.get(Relation(head, tail, label), 0.0) for label in labels])
    mass = np.array([max(0.0, 1.0 - held.sum()), *held])
    return mass / mass.sum()


def _gap(one: Span, other: Span) -> int:
    """Return the code points between two spans, 0 where they touch or overlap."""
    return max(0, one.start - other.end, other.start - one.end)
