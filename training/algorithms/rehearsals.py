"""Which examples are held out in turn, so that models can be held to what they had not learned from."""

import numpy as np

from training.algorithms.examples import Examples
from training.algorithms.splits import CALIBRATION, TRAIN, VALIDATION, groups_of

FOLDS_OF_TRAIN = 3  # each about as large as what VALIDATION and CALIBRATION hold together: a quarter of all


def held_out_in_turn(examples: Examples, n_turns: int, *, seed: int) -> list[np.ndarray]:
    """Return the places of what is held out in each of n_turns rehearsals, 1 to 4; fewer if parts are empty.

    First VALIDATION and CALIBRATION together, then a third of TRAIN each time; no example is held out twice,
    and a record or near-duplicates are in one part. The same for each family of models: they are compared on
    what none of them had learned from, having learned from the same others.
    """
    apart = np.union1d(examples.counting(VALIDATION), examples.counting(CALIBRATION))
    folds = _folds_of_train(examples, seed) if n_turns > 1 else []
    return [rows for rows in (apart, *folds[: n_turns - 1]) if len(rows)]


def _folds_of_train(examples: Examples, seed: int) -> list[np.ndarray]:
    """Groups are dealt out class by class, by that of their first text, and within a class by lot."""
    train = examples.counting(TRAIN)
    records = range(len(examples)) if examples.records is None else examples.records
    groups = groups_of([records[row] for row in train], [examples.texts[row] for row in train])
    _, first = np.unique(groups, return_index=True)
    lots = np.random.default_rng(seed).random(len(first))
    order = np.lexsort((lots, _classes(examples, train)[first]))
    fold_of_group = np.empty(len(first), dtype=np.int64)
    fold_of_group[order] = np.arange(len(first)) % FOLDS_OF_TRAIN
    fold_of = fold_of_group[groups]
    return [train[fold_of == fold] for fold in range(FOLDS_OF_TRAIN)]


def _classes(examples: Examples, rows: np.ndarray) -> np.ndarray:
    """Return int [rows]: the likeliest class of each, or whether anything is marked in it."""
    if examples.targets is not None:
        return examples.targets[rows].argmax(axis=1)
    assert examples.spans is not None
    return np.array([bool(examples.spans[row]) for row in rows], dtype=np.int64)
