"""Batches that are computed in as many pieces as the memory asks for."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import torch

from training.encoder.refusals import is_no_memory, out_of_memory
from training.encoder.tokens import sorted_batches

Computed = TypeVar("Computed")


def computed_batches(
    lengths: np.ndarray, batch_tokens: int, compute: Callable[[np.ndarray], Computed]
) -> Iterator[tuple[np.ndarray, Computed]]:
    """Yield batches of rows [B] of `lengths`, longest first, each with what `compute` makes of it.

    Where memory runs out the rest is computed in batches of half as many tokens. Raises TrainingRefused where
    it does not suffice for a single row.
    """
    rows = np.arange(len(lengths))
    while len(rows):
        n_done, batch = 0, rows[:0]
        for batch in sorted_batches(lengths, rows, batch_tokens):
            try:
                computed = compute(batch)
            except (RuntimeError, MemoryError) as error:
                if not is_no_memory(error):
                    raise
                if len(batch) == 1:
                    raise out_of_memory() from error
                break  # out of here what the error holds on to is let go of
            n_done += len(batch)
            yield batch, computed
        # The longest first, and of equal ones those that stand first: what is left keeps that order.
        rows = rows[np.argsort(-lengths[rows], kind="stable")][n_done:]
        batch_tokens = max(1, len(batch) // 2) * int(lengths[batch].max(initial=1))
        if len(rows) and torch.cuda.is_available():
            torch.cuda.empty_cache()
