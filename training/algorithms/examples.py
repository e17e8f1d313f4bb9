"""What every learner takes: texts, what people said of them, and the part that each belongs to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from training.algorithms.splits import LEARNED

HEADS = ("single", "ordinal", "multiple", "spans", "relations")
MARKING_HEADS = ("spans", "relations")  # what is right of a text is what is marked in it, not a class
WHOLE_TEXT_HEADS = tuple(head for head in HEADS if head not in MARKING_HEADS)


class Span(NamedTuple):
    """[start, end) in the text's code points."""

    start: int
    end: int
    label: str


class Relation(NamedTuple):
    """How two spans of a text belong together, from the head to the tail."""

    head: Span
    tail: Span
    label: str


@dataclass(frozen=True, slots=True)
class Examples:
    """N labelled texts.

    head        single: one of K classes. ordinal: the same, classes in their order. multiple: any of K, each
                on its own. spans: stretches of the text, class_names are their labels. relations: spans and
                how they belong together, class_names are the relations' labels.
    texts       N of them; seconds: the second text of each pair, or None where there is one text.
    targets     float32 [N, K]: what people said, as probabilities (rows sum to 1; for multiple each entry is
                a probability of its own). For spans and relations None.
    spans       for spans and relations N lists of Span, sorted; else None.
    relations   for relations N mappings from Relation to how likely it holds (not in: 0); else None.
    weights     float32 [N], at least 0: what an example counts in the loss.
    parts       int8 [N]: TRAIN, VALIDATION, TEST, CALIBRATION or ASIDE of algorithms.splits.
    records     the record that each text is of; None where each is of its own.
    span_beliefs  N mappings from Span to how likely it holds, those that were left out too (not in: 0); None
                where what is in spans is certain.
    """

    head: str
    class_names: tuple[str, ...]
    texts: Sequence[str]
    targets: np.ndarray | None
    weights: np.ndarray
    parts: np.ndarray
    seconds: Sequence[str] | None = None
    spans: Sequence[Sequence[Span]] | None = None
    relations: Sequence[Mapping[Relation, float]] | None = None
    records: Sequence[object] | None = None
    span_beliefs: Sequence[Mapping[Span, float]] | None = None

    def __post_init__(self) -> None:
        if self.head not in HEADS:
            raise ValueError(f"no such head: {self.head!r}")
        n = len(self.texts)
        marks = self.head in MARKING_HEADS
        if (self.spans is not None) != marks or (self.targets is None) != marks:
            raise ValueError("spans and relations have spans, every other head has targets")
        if (self.relations is not None) != (self.head == "relations"):
            raise ValueError("relations, and they alone, have relations")
        if self.span_beliefs is not None and not marks:
            raise ValueError("beliefs in spans are of spans and relations alone")
        columns = (
            self.weights, self.parts, self.targets, self.spans, self.span_beliefs, self.relations,
            self.seconds, self.records,
        )  # fmt: skip
        if any(column is not None and len(column) != n for column in columns):
            raise ValueError("texts, targets, weights and parts differ in length")
        if self.targets is not None and self.targets.shape != (n, len(self.class_names)):
            raise ValueError("targets are [N, K]")

    def __len__(self) -> int:
        return len(self.texts)

    def rows(self, part: int) -> np.ndarray:
        """Return the places of a part's examples."""
        return np.flatnonzero(self.parts == part)

    def counting(self, part: int) -> np.ndarray:
        """Return the places of those whose weight is not zero."""
        return np.flatnonzero((self.parts == part) & (self.weights > 0))

    @property
    def learned(self) -> np.ndarray:
        """The places of all that count and do not judge."""
        return np.flatnonzero(np.isin(self.parts, LEARNED) & (self.weights > 0))

    @property
    def labels(self) -> np.ndarray:
        """The likeliest class of each example, int64 [N]; not for spans, relations and multiple."""
        if self.targets is None or self.head == "multiple":
            raise ValueError(f"{self.head} has no one label an example")
        return self.targets.argmax(axis=1)
