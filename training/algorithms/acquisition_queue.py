"""From how much each task would teach to the order in which tasks are asked. Linear in N, but for sorting."""

import numpy as np


def ranks(values: np.ndarray) -> np.ndarray:
    """Return each value's place among all, in (0, 1]: the highest has 1, equal values share their mean place.

    Two quantities on scales of their own can be added once they are places.

    >>> ranks(np.array([3.0, 10.0, 3.0, 7.0])).tolist()
    [0.375, 1.0, 0.375, 0.75]
    """
    if not len(values):
        return np.empty(0)
    _, member, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((last - (counts - 1) / 2) / len(values))[member]


def value_of_one_more(
    uncertainty: np.ndarray, n_answers: np.ndarray, crowd_disagrees: np.ndarray
) -> np.ndarray:
    """Return [N]: on one scale, what a first answer or one answer more would bring.

    ActiveLab (Goh and Mueller 2023) scores a task by how sure one is of its label once everybody was heard,
    the model as one of them, and so compares a task that has answers with one that has none. Here the doubt
    of a new task is the model's uncertainty; that of a task with n answers shrinks to 1 / (n + 1) of it, for
    each answer is one voice beside the model's; but where the crowd so far disagrees with the model
    (crowd_disagrees [N] in [0, 1], 0 for new tasks), one of them is wrong, and which is worth knowing.

    Uncertain and new; uncertain and answered as the model thought; certain, but contradicted:

    >>> doubt, n, disagrees = np.array([0.8, 0.8, 0.2]), np.array([0, 1, 1]), np.array([0.0, 0.0, 0.9])
    >>> value_of_one_more(doubt, n, disagrees).round(6).tolist()
    [0.8, 0.4, 0.9]
    """
    return np.maximum(uncertainty / (n_answers + 1.0), crowd_disagrees)


def patience(days: np.ndarray) -> np.ndarray:
    """Return the factor [N] by which a task counts more the longer it waits: a quarter more after 90 days.

    So that what is always a little less telling than what is imported after it is asked some day.

    >>> patience(np.array([0.0, 45.0, 900.0])).tolist()
    [1.0, 1.125, 1.25]
    """
    return 1.0 + 0.25 * np.clip(np.asarray(days, dtype=np.float64) / 90.0, 0.0, 1.0)


def smoothed(scores: np.ndarray, former: np.ndarray, *, weight: float = 0.5) -> np.ndarray:
    """Return [N] places in (0, 1] that follow the scores without jumping from model to model.

    An exponential mean over models: weight of the new place and 1 - weight of the former one, so a model's
    say halves with each that follows. former [N]: places before, NaN where there was none, which then do not
    hold back.

    >>> smoothed(np.array([0.1, 0.9]), np.array([1.0, 0.5])).tolist()
    [0.75, 0.75]
    """
    places = ranks(scores)
    return np.where(np.isnan(former), places, weight * places + (1 - weight) * former)


def with_head(places: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Return the places [N] in (0, 1] with the tasks of `head` lifted above all others, in its order.

    >>> with_head(np.array([0.5, 1.0, 0.25]), np.array([2])).tolist()
    [0.5, 1.0, 2.0]
    """
    lifted = places.copy()
    lifted[head] = 2.0 - np.arange(len(head)) / max(len(head), 1)
    return lifted


def queue_priorities(scores: np.ndarray, *, in_stream: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return priority [N] in (0, 1]: highest score first, with the random stream among them.

    in_stream: bool [N], the tasks that acquisition never touches, fixed by their records' places. They stand
    in an order and at ranks drawn by lot, so that about their share of every stretch of the queue is a fair
    sample: what a model is sure of, and wrong about, is found out too. The others fill the ranks between
    them by falling score; ties are broken by lot.

    priority = 1 - rank / N as float32, whose steps below 1 are 6e-8: ranks stay distinct up to 8 million.

    >>> rng = np.random.default_rng(0)
    >>> queue_priorities(np.array([0.1, 0.9]), in_stream=np.zeros(2, dtype=bool), rng=rng).tolist()
    [0.5, 1.0]
    """
    if np.isnan(scores).any():
        raise ValueError("scores hold NaN: the model's probabilities are not usable")
    n = len(scores)
    lot = rng.permutation(n)
    drawn, chosen = lot[in_stream[lot]], lot[~in_stream[lot]]
    chosen = chosen[np.argsort(-scores[chosen], kind="stable")]

    rank_is_drawn = np.zeros(n, dtype=bool)
    rank_is_drawn[rng.choice(n, size=len(drawn), replace=False)] = True
    task_at_rank = np.empty(n, dtype=np.int64)
    task_at_rank[rank_is_drawn] = drawn
    task_at_rank[~rank_is_drawn] = chosen

    priority = np.empty(n, dtype=np.float32)
    priority[task_at_rank] = 1.0 - np.arange(n) / max(n, 1)  # float64 until it is stored
    return priority
