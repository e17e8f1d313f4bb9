"""What volunteers mark in texts, and what is made of it."""

from dataclasses import dataclass, field

import numpy as np

from annotation.algorithms.answer_matrix import NOT_SAID

Span = tuple[int, int, str]  # start, end (code points, end exclusive), label key


@dataclass(frozen=True)
class SpanAnswers:
    """Everybody's spans in every text. Spans may overlap and nest; nothing marked is an answer too.

    answers: for each text the (worker, spans) pairs; a worker is an index from 0 to n_workers - 1.
    certain: for each answer 1 sure, 0 not sure, -1 not said; empty where nobody was asked.
    Raises ValueError where a span does not lie in its text, a label is unknown or a worker is out of range.
    """

    texts: list[str]
    answers: list[list[tuple[int, list[Span]]]]
    n_workers: int
    labels: list[str]
    certain: list[list[int]] = field(default_factory=list)

    @property
    def tells_certainty(self) -> bool:
        return any(said != NOT_SAID for given in self.certain for said in given)

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.answers):
            raise ValueError(f"{len(self.texts)} texts need as many answer lists, not {len(self.answers)}")
        for text, given in zip(self.texts, self.answers, strict=True):
            for worker, spans in given:
                if not 0 <= worker < self.n_workers:
                    raise ValueError(f"worker {worker} is none of the {self.n_workers}")
                check_spans(text, spans, self.labels)


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """One span of the consensus.

    confidence: probability that its text carries this label, the mean over its tokens.
    boundary: probability that it starts and ends exactly here, given that a span of this label lies here.
    support: how many volunteers marked something of this label that overlaps it.
    """

    start: int
    end: int
    label: str
    confidence: float
    boundary: float
    support: int

    @property
    def span(self) -> Span:
        return self.start, self.end, self.label


@dataclass(frozen=True, slots=True)
class RejectedSpan:
    """A stretch that somebody marked and no span of the consensus with its label overlaps.

    Marks of the label that overlap are one stretch.
    probability: that some of it carries this label, at its surest place.
    doubt: the same where no other span was found in its place; under one, it is doubt of that one already.
    """

    start: int
    end: int
    label: str
    probability: float
    doubt: float


@dataclass(frozen=True, slots=True)
class SpanReading:
    """What one text's answers add up to: rejected, the likeliest first.

    weights: by how many nats, on the mean over all of consensus and rejected, each answer speaks for what was
    found there against the contrary (nothing there, or the span that was rejected); None where each answer
    counts once, and where nobody marked anything. model_weight: the same, where a model was heard.
    """

    consensus: list[ScoredSpan]
    rejected: list[RejectedSpan]
    weights: list[float] | None = None
    model_weight: float | None = None


@dataclass(frozen=True, eq=False)
class SpanFit:
    """consensus, rejected: a list of spans a text. crowd and workers [W]: JSON-able, what task_spans needs.

    accuracy [W]: expected token F1 of each worker's marks against the consensus; interval [W, 2]: its 90 %
    credible interval.
    """

    consensus: list[list[ScoredSpan]]
    rejected: list[list[RejectedSpan]]
    crowd: dict
    workers: list[dict]
    accuracy: np.ndarray = field(repr=False)
    interval: np.ndarray = field(repr=False)


def check_spans(text: str, spans: list[Span], labels: list[str] | None = None) -> None:
    for start, end, label in spans:
        if not 0 <= start < end <= len(text):
            raise ValueError(f"[{start}, {end}) is no span of a text of {len(text)} code points")
        if labels is not None and label not in labels:
            raise ValueError(f"the label {label!r} is none of {labels}")
