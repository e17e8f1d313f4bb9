"""What a consensus teaches: a probability for each class, and how much the example counts."""

from collections.abc import Sequence
from itertools import product

import numpy as np

from training.algorithms.examples import Relation, Span

BELIEVED_ARROW = " → "  # between the places of a relation's two ends, where a consensus says what it believes


def chosen_labels(value: dict) -> list[str]:
    """Return the label keys that an answer gives, those that a model is to tell apart.

    >>> chosen_labels({"label": "a"}), chosen_labels({"labels": ["a", "b"]})
    (['a'], ['a', 'b'])
    >>> chosen_labels({"spans": [{"start": 0, "end": 3, "label": "drug"}]})
    ['drug']
    >>> chosen_labels({"spans": [], "relations": [{"from": 0, "to": 1, "label": "causes"}]})
    ['causes']
    """
    if "relations" in value:
        return [relation["label"] for relation in value["relations"]]
    if "spans" in value:
        return [span["label"] for span in value["spans"]]
    return value["labels"] if "labels" in value else [value["label"]]


def soft_target(beliefs: dict[str, float] | None, value: dict, class_names: Sequence[str]) -> np.ndarray:
    """Return float32 [K], summing to 1: beliefs by label key, or without any the answer itself.

    >>> soft_target({"a": 3, "b": 1, "gone": 4}, {"label": "a"}, ["a", "b"]).tolist()
    [0.75, 0.25]
    """
    believed = beliefs or {}
    mass = np.array([believed.get(name, 0.0) for name in class_names], dtype=np.float32)
    if mass.sum() <= 0:
        mass = np.array([name in chosen_labels(value) for name in class_names], dtype=np.float32)
    return mass / mass.sum()


def soft_targets_of_labels(
    beliefs: dict[str, float] | None, value: dict, class_names: Sequence[str]
) -> np.ndarray:
    """Return float32 [K], each in [0, 1]: how likely each label holds, or without beliefs the answer itself.

    >>> soft_targets_of_labels({"a": 0.75}, {"labels": ["a"]}, ["a", "b"]).tolist()
    [0.75, 0.0]
    """
    if beliefs is None:
        beliefs = dict.fromkeys(chosen_labels(value), 1.0)
    return np.array([min(beliefs.get(name, 0.0), 1.0) for name in class_names], dtype=np.float32)


def sureness(
    value: dict, votes: dict[str, int], posterior: dict[str, float] | None, certainty: float, n_answers: int
) -> float:
    """How sure people are of a consensus; of one with many parts, of a part on the mean, and not of all.

    >>> sureness({"labels": ["a"]}, {"a": 3, "b": 1}, None, 0.2, 4)
    0.75
    """
    if "labels" in value:
        shares = posterior or {key: n / n_answers for key, n in votes.items()}
        return float(np.mean([max(p, 1 - p) for p in shares.values()])) if shares else 1.0
    if "spans" in value and posterior:
        marked = {f"{span['start']}-{span['end']} {span['label']}" for span in value["spans"]}
        decided = [p if key in marked else max(p, 1 - p) for key, p in posterior.items()]
        return float(np.mean(decided))  # marks and relations that are believed in a little are none
    return certainty


def spans_of(value: dict) -> list[Span]:
    return sorted(Span(span["start"], span["end"], span["label"]) for span in value["spans"])


def span_beliefs_of(value: dict, beliefs: dict[str, float] | None) -> dict[Span, float]:
    """Return how likely each span holds: those of an answer, and others that somebody marked.

    beliefs: as a consensus has them, "0-7 drug" by place and label; what is of relations there is passed
    over. Without any, what the answer says is certain.

    >>> value = {"spans": [{"start": 0, "end": 7, "label": "drug"}]}
    >>> beliefs = {"0-7 drug": 0.9, "15-19 sign": 0.3, "0-7 → 15-19 causes": 0.2}
    >>> [(span.start, span.label, p) for span, p in span_beliefs_of(value, beliefs).items()]
    [(0, 'drug', 0.9), (15, 'sign', 0.3)]
    """
    found = dict.fromkeys(spans_of(value), 1.0)
    for key, p in (beliefs or {}).items():
        place, _, label = key.partition(" ")
        if BELIEVED_ARROW not in key:
            start, end = map(int, place.split("-"))
            found[Span(start, end, label)] = p
    return found


def marks_of(value: dict) -> list[Span] | list[Relation]:
    """Return what an answer of a campaign of spans or relations states, a model's answer too.

    >>> spans = [{"start": 0, "end": 7, "label": "drug", "probability": 0.9}]
    >>> marks_of({"spans": spans}), marks_of({"spans": spans, "relations": []})
    ([Span(start=0, end=7, label='drug')], [])
    """
    return list(relations_of(value, None)) if "relations" in value else spans_of(value)


def relations_of(value: dict, beliefs: dict[str, float] | None) -> dict[Relation, float]:
    """Return how likely each relation holds: those of an answer, and others that somebody stated.

    beliefs: as a consensus has them, "0-7 → 15-19 causes" by the places of both ends. Without any, what the
    answer says is certain. Where spans of two labels cover one place, a belief is the answer's relation's.

    >>> spans = [{"start": 0, "end": 7, "label": "drug"}, {"start": 15, "end": 19, "label": "sign"}]
    >>> value = {"spans": spans, "relations": [{"from": 0, "to": 1, "label": "causes"}]}
    >>> beliefs = {"0-7 drug": 1.0, "0-7 → 15-19 causes": 0.8, "0-7 → 15-19 treats": 0.3}
    >>> [(one.label, p) for one, p in relations_of(value, beliefs).items()]
    [('causes', 0.8), ('treats', 0.3)]
    """
    spans = [Span(span["start"], span["end"], span["label"]) for span in value["spans"]]
    found = {Relation(spans[one["from"]], spans[one["to"]], one["label"]): 1.0 for one in value["relations"]}
    at: dict[str, list[Span]] = {}
    for span in spans:
        at.setdefault(f"{span.start}-{span.end}", []).append(span)
    for key, p in (beliefs or {}).items():
        place, arrow, rest = key.partition(BELIEVED_ARROW)
        other, _, label = rest.partition(" ")
        heads, tails = at.get(place, []), at.get(other, [])
        for head, tail in product(heads, tails if arrow else []):
            relation = Relation(head, tail, label)
            if relation in found or (len(heads) == len(tails) == 1 and head != tail):
                found[relation] = p
    return found
