"""The model that was used last stays loaded, for a process that is asked again and again."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from training.model_folders import weights_stamp

Loaded = TypeVar("Loaded")
_kept: dict[tuple, object] = {}  # one entry at most


def kept(load: Callable[..., Loaded], folder: Path, *more: object) -> Loaded:
    """Return load(folder, *more): what it returned last, if it was asked the same and no file has changed.

    One model a process: the last one is let go of before another is loaded, since two may not fit the memory.
    """
    key = (load, folder.resolve(), *more, weights_stamp(folder))
    if key not in _kept:
        let_go()
        _kept[key] = load(folder, *more)
    return _kept[key]


def let_go() -> None:
    """Free the memory for something larger, such as a training."""
    _kept.clear()
