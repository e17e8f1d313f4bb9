"""What an encoder thought of the open tasks when it last ordered the queue, beside its weights.

Reading is what takes it long, and a task's text never changes: so whoever orders the queue anew, after a
refit of the fast models or another choice of what to ask, has it read only what has come since.
"""

import os
import tempfile
from pathlib import Path

import numpy as np

NAME = "remembered.npy"


def recall(folder: Path | str, ids: np.ndarray, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (bool [N], which of the tasks it knows; probabilities float32 [N, n_classes], theirs filled in).

    ids: V16 [N]. A file that cannot be read, or is of other classes, is as good as none.
    """
    probabilities = np.zeros((len(ids), n_classes), dtype=np.float32)
    try:
        kept = np.load(Path(folder) / NAME, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return np.zeros(len(ids), dtype=bool), probabilities
    if kept.dtype != _row(n_classes) or not len(kept):
        return np.zeros(len(ids), dtype=bool), probabilities
    rows = np.searchsorted(kept["id"].view("S16"), ids.view("S16")).clip(max=len(kept) - 1)
    known = kept["id"][rows] == ids
    probabilities[known] = kept["probabilities"][rows[known]]
    return known, probabilities


def remember(folder: Path | str, ids: np.ndarray, probabilities: np.ndarray) -> None:
    """Keep these in place of what was kept, all or none: ids V16 [N], probabilities float32 [N, K]."""
    order = np.argsort(ids.view("S16"), kind="stable")
    rows = np.empty(len(ids), dtype=_row(probabilities.shape[1]))
    rows["id"], rows["probabilities"] = ids[order], probabilities[order]
    handle, name = tempfile.mkstemp(prefix=f".{NAME}.", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, rows, allow_pickle=False)
        Path(name).replace(Path(folder) / NAME)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _row(n_classes: int) -> np.dtype:
    return np.dtype([("id", "V16"), ("probabilities", "<f4", (n_classes,))])
