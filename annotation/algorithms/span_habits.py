"""A volunteer's habits in marking spans: what they do outside, at the beginning of and inside a true span."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

OUT, SAME, OTHER = range(3)  # the volunteer's tag before: outside, in a span of the true label, in another

# P(tag | state, before) of a crowd nobody knows yet, tags in the order outside, begins, goes on.
TYPICAL = np.array([
    [[0.98, 0.02, 0.00], [0.75, 0.03, 0.22], [0.75, 0.03, 0.22]],  # outside
    [[0.35, 0.65, 0.00], [0.05, 0.15, 0.80], [0.30, 0.40, 0.30]],  # begins
    [[0.70, 0.30, 0.00], [0.25, 0.03, 0.72], [0.25, 0.05, 0.70]],  # goes on
])  # fmt: skip
TYPICAL_RIGHT = 0.9  # share of marks that carry the right label
LEAST = 1e-6  # no tag is impossible


@dataclass(frozen=True, eq=False)
class Habits:
    """The habits of W volunteers, the crowd's in a last row.

    tags [W + 1, 3, 3, 3]: P(tag | state, tag before).
    right [W + 1, L]: share of the marks on label l that say l.
    mixed_up [L, L]: what the crowd's other marks on a label say; 0 on the diagonal.
    """

    tags: np.ndarray
    right: np.ndarray
    mixed_up: np.ndarray


def habits_when(worker: dict | None, crowd: dict, said: int) -> dict | None:
    """A worker's habits in what they are sure of (1), not sure of (0), or say nothing of (-1); None are those
    of the crowd at large."""
    known = crowd if worker is None else worker
    return known["certain"][said] if "certain" in known else worker


def typical_right(n_labels: int) -> float:
    return TYPICAL_RIGHT if n_labels > 1 else 1.0


def mixed_up_rows(counts: np.ndarray, row_totals: np.ndarray, n_labels: int) -> np.ndarray:
    """P(said | true, and it is wrong), one mark's worth of every wrong label of n_labels alike.

    counts [L, L], 0 on the diagonal, may be those of a few labels only; row_totals [L] are over all of them.
    """
    rows = (counts + 1.0 / n_labels) / (row_totals + (n_labels - 1.0) / n_labels + LEAST)[:, None]
    np.fill_diagonal(rows, 0.0)
    return rows


def label_log_likelihood(habits: Habits, worker: np.ndarray, said: np.ndarray) -> np.ndarray:
    """[M, L]: log P(said | label) of M marks for every true label."""
    likelihood = (1.0 - habits.right[worker]) * habits.mixed_up[:, said].T
    mark = np.arange(len(said))
    likelihood[mark, said] = habits.right[worker, said]
    return np.log(np.maximum(likelihood, LEAST))


def habits_to_json(
    habits: Habits, mixed_up_counts: np.ndarray, labels: Sequence[str]
) -> tuple[dict, list[dict]]:
    """(the crowd's, each worker's); of a worker's `right` only what differs from the crowd's."""
    crowd_right = habits.right[-1]
    crowd = {
        "tags": habits.tags[-1].tolist(),
        "right": dict(zip(labels, crowd_right.tolist(), strict=True)),
        "mixed_up": {
            labels[true]: {labels[said]: float(row[said]) for said in np.flatnonzero(row)}
            for true, row in enumerate(mixed_up_counts)
            if row.any()
        },
    }
    workers = []
    for tags, right in zip(habits.tags[:-1].tolist(), habits.right[:-1], strict=True):
        own = np.flatnonzero(right != crowd_right)
        workers.append({"tags": tags, "right": {labels[i]: float(right[i]) for i in own}})
    return crowd, workers


def habits_from_json(crowd: dict, workers: Sequence[dict | None], labels: Sequence[str]) -> Habits:
    """The habits for these labels only; leaving labels out changes nothing for the others.

    A worker who is None has the crowd's habits, a label that the crowd never saw those of its mean label.
    """
    n_labels = max(len(crowd["right"]), 1)
    typical = sum(crowd["right"].values()) / n_labels if crowd["right"] else TYPICAL_RIGHT
    crowd_right = [crowd["right"].get(label, typical) for label in labels]
    known = [worker or {} for worker in workers]
    right = [
        [worker.get("right", {}).get(label, p) for label, p in zip(labels, crowd_right, strict=True)]
        for worker in [*known, {}]
    ]
    rows = [crowd["mixed_up"].get(label, {}) for label in labels]
    counts = [[row.get(label, 0.0) for label in labels] for row in rows]
    return Habits(
        np.array([worker.get("tags", crowd["tags"]) for worker in [*known, {}]]),
        np.array(right).reshape(len(known) + 1, len(labels)),
        mixed_up_rows(
            np.array(counts).reshape(len(labels), len(labels)),
            np.array([sum(row.values()) for row in rows]),
            n_labels,
        ),
    )
