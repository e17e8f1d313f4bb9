"""Which texts a lesson learns from, which it leaves out and listens to, and what each counts."""

from dataclasses import dataclass

import numpy as np

from training.algorithms.examples import Examples
from training.algorithms.rehearsals import held_out_in_turn
from training.algorithms.splits import CALIBRATION, TRAIN, VALIDATION
from training.config import FineTuneConfig
from training.encoder.refusals import too_few_examples


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

    spares: as the last of several turns, from other seeds, if it should learn next to nothing.
    stopping: those by which it is decided how long to learn; calibration: those that teach how sure the
    network may be, both among what is held out. calibrated_from: "held out", in turn, or the part that stays
    out; VALIDATION stands in for no CALIBRATION part. weights: float32 [N], 1 on the mean of what the kept
    network learns from.
    """

    turns: list[Turn]
    spares: list[Turn]
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
    if not seeds:
        turn = Turn(last, train, np.union1d(validation, calibration))
        calibrating, name = (calibration, "calibration") if len(calibration) else (validation, "validation")
        return Plan([turn], [], validation, calibrating, name, _weights(examples, train))
    in_turn = held_out_in_turn(examples, len(seeds), seed=config.seed)
    turns = [
        Turn(seed, np.setdiff1d(examples.learned, rows), rows)
        for seed, rows in zip(seeds, in_turn, strict=False)  # of few records there are fewer parts
    ]
    all_of_them, nothing = examples.learned, np.empty(0, dtype=np.int64)
    turns.append(Turn(last, all_of_them, nothing))
    spares = [Turn(last + 1 + n, all_of_them, nothing) for n in range(config.spare_seeds)]
    held_out = np.concatenate(in_turn)
    return Plan(turns, spares, held_out, held_out, "held out", _weights(examples, examples.learned))


def _weights(examples: Examples, learned: np.ndarray) -> np.ndarray:
    return (examples.weights / examples.weights[learned].mean()).astype(np.float32)
