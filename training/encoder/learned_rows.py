"""Which examples a lesson learns from, stops by and calibrates on, and what each counts."""

from dataclasses import dataclass

import numpy as np

from training.algorithms.examples import Examples
from training.algorithms.splits import CALIBRATION, TRAIN, VALIDATION
from training.encoder.refusals import too_few_examples


@dataclass(frozen=True, slots=True)
class LearnedRows:
    """Places of the examples that count; what counts nothing is not computed.

    calibrated_from: the part that `calibration` is of; VALIDATION stands in for no CALIBRATION part.
    weights: float32 [N], 1 on the mean over `train`.
    """

    train: np.ndarray
    validation: np.ndarray
    calibration: np.ndarray
    calibrated_from: str
    weights: np.ndarray


def learned_rows(examples: Examples) -> LearnedRows:
    """Refuses examples that leave nothing to train or to validate on."""
    train, validation, calibration = map(examples.counting, (TRAIN, VALIDATION, CALIBRATION))
    if not len(train) or not len(validation):
        raise too_few_examples()
    weights = (examples.weights / examples.weights[train].mean()).astype(np.float32)
    if len(calibration):
        return LearnedRows(train, validation, calibration, "calibration", weights)
    return LearnedRows(train, validation, validation, "validation", weights)
