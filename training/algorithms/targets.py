"""What a consensus teaches: a probability for each class, and how much the example counts."""

from collections.abc import Sequence

import numpy as np

from training.algorithms.examples import Span

HEAD_OF_KIND = {
    "choice": "single",
    "pairs": "single",
    "ordinal": "ordinal",
    "multiple": "multiple",
    "spans": "spans",
}


def chosen_labels(value: dict) -> list[str]:
    """Return the label keys that an answer gives.

    >>> chosen_labels({"label": "a"}), chosen_labels({"labels": ["a", "b"]})
    (['a'], ['a', 'b'])
    >>> chosen_labels({"spans": [{"start": 0, "end": 3, "label": "drug"}]})
    ['drug']
    """
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

    >>> soft_targets_of_labels({"a": 0.9}, {"labels": ["a"]}, ["a", "b"]).round(1).tolist()
    [0.9, 0.0]
    """
    if beliefs is None:
        beliefs = dict.fromkeys(chosen_labels(value), 1.0)
    return np.array([min(beliefs.get(name, 0.0), 1.0) for name in class_names], dtype=np.float32)


def spans_of(value: dict) -> list[Span]:
    return sorted(Span(span["start"], span["end"], span["label"]) for span in value["spans"])
