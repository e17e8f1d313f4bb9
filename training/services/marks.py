"""Models that mark: for each head of theirs how one is made, reads, is judged, and says what it found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from training import encoder
from training.algorithms.examples import Relation, Span
from training.algorithms.metrics_of_marks import evaluate_relations, evaluate_spans
from training.algorithms.outcomes import Mark
from training.algorithms.relation_pairs import Reading

Found = list[tuple[Mark, float]]  # a text's marks, each with the probability that all of it is right


@dataclass(frozen=True, slots=True)
class MarkingHead:
    """`labels` are those of the head's marks, by key.

    fine_tune       makes a model's folder of examples and a config
    read            what a model's folder makes of texts; of relations, also between spans that are given
    marks           what of a reading its figures are about
    answer          a reading in the form of the campaign's answers
    said            a mark by places and label keys, ready for JSON
    evaluate        figures of marks found [N] where others are right [N]
    """

    fine_tune: Callable[..., encoder.FineTuned]
    read: Callable[..., list[Reading]]
    marks: Callable[[Reading, Sequence[str]], Found]
    answer: Callable[[Reading, Sequence[str]], dict]
    said: Callable[[Any], list]
    evaluate: Callable[..., dict]


def _read_spans(
    folder: str,
    texts: Sequence[str],
    given: Sequence[None] | None = None,
    *,
    on_progress: Callable[[float], None] = lambda share_done: None,
) -> list[Reading]:
    return [Reading(spans) for spans in encoder.predict_spans(folder, texts, on_progress=on_progress)]


def _spans(reading: Reading, labels: Sequence[str]) -> list[tuple[Span, float]]:
    return list(reading.spans)


def _span_answer(reading: Reading, labels: Sequence[str]) -> dict:
    return {"spans": [span._asdict() | {"probability": round(p, 5)} for span, p in reading.spans]}


def _relation_answer(reading: Reading, labels: Sequence[str]) -> dict:
    """Relations go from place to place in the list of spans; each with how likely it and both ends are."""
    place = {span: n for n, (span, _) in enumerate(reading.spans)}
    relations = [
        {"from": place[one.head], "to": place[one.tail], "label": one.label, "probability": round(p, 5)}
        for one, p in reading.relations(labels)
    ]
    return _span_answer(reading, labels) | {"relations": relations}


def _relation_said(relation: Relation) -> list:
    return [list(relation.head), list(relation.tail), relation.label]


MARKING = {
    "spans": MarkingHead(encoder.fine_tune, _read_spans, _spans, _span_answer, list, evaluate_spans),
    "relations": MarkingHead(
        encoder.fine_tune_relations,
        encoder.read_relations,
        Reading.relations,
        _relation_answer,
        _relation_said,
        evaluate_relations,
    ),
}
