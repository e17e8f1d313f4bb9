"""Does choosing tasks teach more than drawing them by lot? As many labels of each, judged alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from training.algorithms.clusters import effective_size
from training.algorithms.outcomes import outcomes_of_sets

Learner = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
LEAST = 20  # texts to learn from and to judge by, below which nothing can be said
N_ROUNDS = 4  # that have to bring nothing before choosing is given up


@dataclass(frozen=True, slots=True)
class Comparison:
    """How right the judging texts' labels were found, from 0 to 1, and the difference's standard error.

    Of one text: 1 or 0 where it has one label; where any may hold, the F1 of its labels. So the error is that
    of a mean over texts: the labels of one text hang together, and are no more evidence than the text is, and
    texts of one record are as many as they are worth.
    """

    n_learned: int
    n_judged: int
    acquired: float
    drawn: float
    deviation: float


def compare(
    targets: np.ndarray,
    in_stream: np.ndarray,
    half: np.ndarray,
    records: Sequence[object],
    learn: Learner,
    *,
    rng: np.random.Generator,
) -> Comparison | None:
    """Return what n chosen texts teach beside n drawn ones, or None while there are too few.

    targets: bool [N, K], the labels that hold of each text; records [N], whose it is. Cross-fitted: in_stream
    [N] bool is parted by half [N] bool (by record, so that none is on both sides). From each half in turn n
    texts are learned, and from the chosen ones as many; both are judged by the other half, which is a fair
    sample of all texts. So all of the stream judges, and nothing judges itself.

    learn(rows_learned, targets_learned, rows_judged) returns the labels chosen of the latter, bool [J, K].
    """
    chosen = np.flatnonzero(~in_stream)
    halves = [np.flatnonzero(in_stream & half), np.flatnonzero(in_stream & ~half)]
    n = min(len(chosen), *(len(one) for one in halves))
    if n < LEAST:
        return None
    rightness: dict[str, list[np.ndarray]] = {"acquired": [], "drawn": []}
    for learned, judged in (halves, halves[::-1]):
        for name, rows in (("acquired", chosen), ("drawn", learned)):
            rows = rng.choice(rows, n, replace=False)
            found = outcomes_of_sets(targets[judged], learn(rows, targets[rows], judged))
            rightness[name].append(found.f1_of_items)
    acquired, drawn = (np.concatenate(rightness[name]) for name in ("acquired", "drawn"))
    difference = acquired - drawn
    of_records = [records[row] for half in halves[::-1] for row in half.tolist()]
    return Comparison(
        n_learned=n,
        n_judged=len(difference),
        acquired=float(acquired.mean()),
        drawn=float(drawn.mean()),
        deviation=float(difference.std() / np.sqrt(effective_size(difference, of_records))),
    )


def brings_nothing(gains: list[float]) -> bool:
    """Return whether choosing was, on the mean of the newest N_ROUNDS rounds, no better than the lot.

    gains: of each round, newest first, the share found by what was chosen less that by what was drawn.

    >>> brings_nothing([0.02, -0.01, -0.02, 0.0]), brings_nothing([-0.5] * 3)
    (True, False)
    """
    return len(gains) >= N_ROUNDS and sum(gains[:N_ROUNDS]) <= 0


def gain_of_last(n_labels: list[int], scores: list[float], *, last: int) -> tuple[int, float] | None:
    """Return (labels, what they gained): the newest model against the newest that had `last` labels fewer.

    n_labels and scores by model, oldest first. None where no model is that far back.

    >>> gain_of_last([200, 400, 600, 850], [0.5, 0.7, 0.74, 0.742], last=400)
    (450, 0.042)
    """
    before = [i for i, n in enumerate(n_labels) if n_labels[-1] - n >= last] if n_labels else []
    if not before:
        return None
    return n_labels[-1] - n_labels[before[-1]], round(scores[-1] - scores[before[-1]], 6)
