"""Batches give way to the memory there is, and each row is computed once."""

import numpy as np
import pytest
import torch

from training.encoder.batches import computed_batches
from training.errors import TrainingRefused

LENGTHS = np.array([3, 9, 5, 9, 1, 7, 5, 5])


def room_for(n_rows: int, tried: list[int]):
    def compute(batch: np.ndarray) -> np.ndarray:
        tried.append(len(batch))
        if len(batch) > n_rows:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return LENGTHS[batch]

    return compute


@pytest.mark.parametrize("n_rows", [1, 2, 3, 8])
def test_each_row_is_computed_once_however_little_fits(n_rows):
    tried: list[int] = []
    found = list(computed_batches(LENGTHS, 72, room_for(n_rows, tried)))
    rows = np.concatenate([batch for batch, _ in found])
    assert sorted(rows.tolist()) == list(range(len(LENGTHS)))
    assert (LENGTHS[rows] == np.concatenate([computed for _, computed in found])).all()
    assert (np.diff(LENGTHS[rows]) <= 0).all(), "longest first"
    assert tried[0] == 8 and max(len(batch) for batch, _ in found) <= n_rows


def test_what_does_not_fit_by_itself_is_refused_in_words():
    with pytest.raises(TrainingRefused) as refused:
        list(computed_batches(LENGTHS, 72, room_for(0, [])))
    assert refused.value.code == "out_of_memory"


def test_another_error_stays_what_it_is():
    def broken(batch: np.ndarray) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        list(computed_batches(LENGTHS, 72, broken))


def test_nothing_to_compute_is_no_batch():
    assert list(computed_batches(np.zeros(0, dtype=int), 72, room_for(8, []))) == []
