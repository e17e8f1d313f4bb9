"""Which texts a lesson learns from, which it leaves out and listens to, and what each counts."""

from dataclasses import dataclass

import numpy as np

from training.algorithms.examples import Examples
from training.algorithms.splits import CALIBRATION, TRAIN, VALIDATION, groups_of
from training.config import FineTuneConfig
from training.encoder.refusals import too_few_examples

FOLDS_OF_TRAIN = 3  # each about as large as what VALIDATION and CALIBRATION hold together: a quarter of all


@dataclass(frozen=True, slots=True)
class Turn:
    """One course from the pretrained weights: places of the texts that it learns from, and of those held out.

    What the network makes of those held out is kept after each epoch. A turn that holds none out learns for
    as long as suited the others.
    """

    seed: int
    train: np.ndarray
    held_out: np.ndarray


@dataclass(frozen=True, slots=True)
class Plan:
    """The turns of a fine-tuning; the last one's network is kept. Places are of examples that count.

    stopping: those by which it is decided how long to learn; calibration: those that teach how sure the
    network may be, both among what is held out. calibrated_from: "held out", in turn, or the part that stays
    out; VALIDATION stands in for no CALIBRATION part. weights: float32 [N], 1 on the mean of what the kept
    network learns from.
    """

    turns: list[Turn]
    stopping: np.ndarray
    calibration: np.ndarray
    calibrated_from: str
    weights: np.ndarray

    @property
    def learned(self) -> np.ndarray:
        """The places of what the kept network learns from."""
        return self.turns[-1].train

    @property
    def rehearses(self) -> bool:
        """Whether what is held out of some turns teaches the kept network."""
        return len(self.turns) > 1


def plan_of(examples: Examples, config: FineTuneConfig) -> Plan:
    """Refuses examples that leave nothing to train or to validate on."""
    train, validation, calibration = map(examples.counting, (TRAIN, VALIDATION, CALIBRATION))
    if not len(train) or not len(validation):
        raise too_few_examples()
    *seeds, last = config.seeds_for(len(train))
    apart = np.union1d(validation, calibration)
    if not seeds:
        turn = Turn(last, train, apart)
        calibrating, name = (calibration, "calibration") if len(calibration) else (validation, "validation")
        return Plan([turn], validation, calibrating, name, _weights(examples, train))
    everything = np.union1d(train, apart)
    held_out = [apart, *(_folds(examples, train, config.seed) if len(seeds) > 1 else [])]
    turns = [
        Turn(seed, np.setdiff1d(everything, rows), rows) for seed, rows in zip(seeds, held_out, strict=False)
    ]
    in_turn = np.concatenate([turn.held_out for turn in turns])
    turns.append(Turn(last, everything, np.empty(0, dtype=np.int64)))
    return Plan(turns, in_turn, in_turn, "held out", _weights(examples, everything))


def _folds(examples: Examples, train: np.ndarray, seed: int) -> list[np.ndarray]:
    """Return the places of each fold of the TRAIN part; a record or near-duplicates are in one.

    Groups are dealt out class by class, by that of their first text, and within a class by lot.
    """
    records = range(len(examples)) if examples.records is None else examples.records
    groups = groups_of([records[row] for row in train], [examples.texts[row] for row in train])
    _, first = np.unique(groups, return_index=True)
    lots = np.random.default_rng(seed).random(len(first))
    order = np.lexsort((lots, _classes(examples, train)[first]))
    fold_of_group = np.empty(len(first), dtype=np.int64)
    fold_of_group[order] = np.arange(len(first)) % FOLDS_OF_TRAIN
    fold_of = fold_of_group[groups]
    return [train[fold_of == fold] for fold in range(FOLDS_OF_TRAIN) if (fold_of == fold).any()]


def _classes(examples: Examples, rows: np.ndarray) -> np.ndarray:
    """Return int [rows]: the likeliest class of each, or whether anything is marked in it."""
    if examples.targets is not None:
        return examples.targets[rows].argmax(axis=1)
    assert examples.spans is not None
    return np.array([bool(examples.spans[row]) for row in rows], dtype=np.int64)


def _weights(examples: Examples, learned: np.ndarray) -> np.ndarray:
    return (examples.weights / examples.weights[learned].mean()).astype(np.float32)
