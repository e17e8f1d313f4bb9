"""How far a long computation has come."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

INTERVAL_SECONDS = 1.0  # between two reports of one stage; a listener may write each to the database


@dataclass(frozen=True, slots=True)
class Progress:
    stage: str  # "tokenising", "training", "evaluating" or "saving"; else "scoring" or "embedding"
    share_done: float  # of the whole computation, 0 to 1
    turn: int = 0  # from 1; see turns.py
    n_turns: int = 0
    epoch: int = 0  # from 1 while training
    n_epochs: int = 0  # at most; early stopping may end sooner
    step: int = 0
    n_steps: int = 0
    train_loss: float | None = None  # of the last step
    validation_loss: float | None = None  # after the last epoch
    history: list[dict[str, Any]] = field(default_factory=list)  # an entry an epoch, for the loss curve


class ProgressReporter:
    """Hands progress on at most once a second and stage; what the listener raises stops the computation."""

    def __init__(self, listener: Callable[[Progress], None] | None) -> None:
        self._listener = listener
        self._last: Progress | None = None
        self._told_at = 0.0

    def tell(self, progress: Progress) -> None:
        is_new_stage = self._last is None or progress.stage != self._last.stage
        now = time.monotonic()
        if self._listener is None or not (is_new_stage or now >= self._told_at + INTERVAL_SECONDS):
            return
        self._last, self._told_at = progress, now
        self._listener(progress)

    def again(self) -> None:
        """Give the listener its say where there is nothing new to tell, such as between two batches."""
        if self._last is not None:
            self.tell(self._last)
