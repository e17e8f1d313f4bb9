"""Why a training cannot be done, in words that are safe to show."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from accelerate.utils.memory import should_reduce_batch_size
from safetensors import SafetensorError

from annotation.shares import percent
from training.errors import TrainingRefused

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk's end, the quota's, the process's limit


def too_few_examples() -> TrainingRefused:
    return TrainingRefused(
        "too_few_examples",
        "There are too few labelled examples, or they come from too few different records, to train, "
        "validate and test apart. Collect labels on at least ten records.",
    )


def texts_not_readable(unknown_share: float, at_most: float) -> TrainingRefused:
    return TrainingRefused(
        "texts_not_readable",
        f"The base model does not know {percent(unknown_share)} of the texts' tokens (at most "
        f"{percent(at_most)} is accepted). It was probably made for another language; set a base model for "
        "this one.",
    )


def out_of_memory() -> TrainingRefused:
    return TrainingRefused(
        "out_of_memory",
        "The memory does not suffice for a single text of this length under this base model. "
        "Choose fewer tokens a text or a smaller base model, or free memory that other programs hold.",
    )


def is_no_memory(error: Exception) -> bool:
    """Whether it is "out of memory", as a GPU or the system says it."""
    return isinstance(error, MemoryError) or should_reduce_batch_size(error)


@contextmanager
def refuse_no_memory() -> Iterator[None]:
    """Turn "out of memory" into a refusal."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_no_memory(error):
            raise
        raise out_of_memory() from error


@contextmanager
def refuse_full_disk() -> Iterator[None]:
    """Turn "no space left", as the system and as safetensors say it, into a refusal."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        if not _is_full_disk(error):
            raise
        raise TrainingRefused(
            "disk_full",
            "The disk is full, so the model could not be saved. Free some space and start a new training.",
        ) from error


def _is_full_disk(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in NO_ROOM
    # safetensors carries the number in its message alone
    return any(f"os error {number})" in str(error) for number in NO_ROOM)
