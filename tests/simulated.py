"""Answers of a simulated crowd whose skill is known, as arrays."""

from collections.abc import Sequence

import numpy as np

from annotation.algorithms.simulated_crowd import answers, of_accuracy


def skilled_crowd(
    accuracies: Sequence[float], *, n_tasks: int, n_classes: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(task, worker, label) of workers of these accuracies who have all answered every task.

    The right label of task t is t modulo the number of classes.
    """
    workers = [of_accuracy(accuracy, n_classes) for accuracy in accuracies]
    said = answers(workers, np.arange(n_tasks) % n_classes, np.random.default_rng(seed))  # [W, T]
    worker, task = np.divmod(np.arange(said.size), n_tasks)
    return task.astype(np.int32), worker.astype(np.int32), said.ravel().astype(np.int32)
