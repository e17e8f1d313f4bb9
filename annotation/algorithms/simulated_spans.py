"""A simulated crowd that marks spans, each volunteer careless in a way of their own; randomness passed in."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from annotation.algorithms.span_types import Span
from annotation.algorithms.tokens import token_offsets


@dataclass(frozen=True)
class Carelessness:
    """What goes wrong, each from 0 to 1.

    drop: a true span is not marked. shift: one end of a mark is off by one token or more (each further token
    half as likely), outwards or inwards alike. mislabel: a mark has one of the other labels.
    spurious: marks where nothing is, for each true span.
    """

    drop: float
    shift: float
    spurious: float
    mislabel: float

    def __post_init__(self) -> None:
        for field in fields(self):
            if not 0.0 <= getattr(self, field.name) <= 1.0:
                raise ValueError(f"{field.name} must lie in [0, 1], not {getattr(self, field.name)}")


NOISE = {
    "low": Carelessness(drop=0.10, shift=0.05, spurious=0.10, mislabel=0.03),
    "medium": Carelessness(drop=0.25, shift=0.12, spurious=0.25, mislabel=0.08),
    "high": Carelessness(drop=0.45, shift=0.22, spurious=0.45, mislabel=0.15),
}


def make_span_crowd(n: int, typical: Carelessness, rng: np.random.Generator) -> list[Carelessness]:
    """n volunteers: careful or careless all in all (log-normal, 0.5), and more so in some ways (0.4)."""
    names = [field.name for field in fields(typical)]
    factors = np.exp(rng.normal(0.0, 0.5, (n, 1)) + rng.normal(0.0, 0.4, (n, len(names))))
    return [
        replace(
            typical,
            **{
                name: float(min(getattr(typical, name) * factor, 0.95))
                for name, factor in zip(names, own, strict=True)
            },
        )
        for own in factors
    ]


def mark_spans(
    text: str,
    truth: Sequence[Span],
    labels: Sequence[str],
    careless: Carelessness,
    rng: np.random.Generator,
    *,
    difficulty: Sequence[float] | None = None,
) -> list[Span]:
    """What this volunteer marks where truth is there; marks never overlap.

    difficulty: for each true span a factor on the chance that it is dropped, the same for everybody who reads
    the text, so that volunteers miss the same spans. Spurious marks are as long as true ones.
    """
    tokens = token_offsets(text)
    taken = np.zeros(len(tokens) + 1, dtype=bool)  # a true span or a mark lies here; never past the end
    taken[-1] = True
    runs = [(*np.searchsorted(tokens[:, 0], span[:2]).tolist(), span[2]) for span in truth]
    for first, end, _ in runs:
        taken[first:end] = True
    marks: list[Span] = []
    for i, (first, end, label) in enumerate(runs):
        if rng.random() < min(careless.drop * (1.0 if difficulty is None else difficulty[i]), 0.98):
            continue
        first, end = _shifted(first, end, taken, careless.shift, rng)
        if len(labels) > 1 and rng.random() < careless.mislabel:
            label = str(rng.choice([other for other in labels if other != label]))
        marks.append((int(tokens[first, 0]), int(tokens[end - 1, 1]), label))
    lengths = [end - first for first, end, _ in runs] or [1]
    for _ in range(rng.poisson(careless.spurious * max(len(runs), 1)) if len(tokens) else 0):
        first, end = int(rng.integers(len(tokens))), 0
        end = first + int(rng.choice(lengths))
        if end <= len(tokens) and not taken[first:end].any():
            taken[first:end] = True
            marks.append((int(tokens[first, 0]), int(tokens[end - 1, 1]), str(rng.choice(list(labels)))))
    return sorted(marks)


def _shifted(
    first: int, end: int, taken: np.ndarray, rate: float, rng: np.random.Generator
) -> tuple[int, int]:
    """The run of tokens with its ends moved, short of another run and never empty."""
    for is_end in (False, True):
        if rng.random() >= rate:
            continue
        outwards = rng.random() < 0.5
        for _ in range(int(rng.geometric(0.5))):
            beside = end if is_end else first - 1
            if outwards and beside >= 0 and not taken[beside]:
                taken[beside] = True
                first, end = (first, end + 1) if is_end else (first - 1, end)
            elif not outwards and end - first > 1:
                first, end = (first, end - 1) if is_end else (first + 1, end)
    return first, end
