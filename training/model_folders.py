"""A model's folder: it, or a file, appears whole or not at all, and its manifest says what it holds."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from training.errors import model_missing


@contextmanager
def appearing_folder(target: Path, *, before_it_appears: Callable[[], None] = lambda: None) -> Iterator[Path]:
    """Yield a new folder beside `target`; at the end it is flushed to disk and takes the target's place.

    If anything is raised, before_it_appears included, the folder is removed and `target` is as it was. What a
    killed process left of an earlier try is removed first.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for leftover in target.parent.glob(f".{target.name}.writing-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.writing-", dir=target.parent))
    try:
        yield folder
        for path in [*folder.rglob("*"), folder]:
            _flush(path)
        before_it_appears()
        if target.exists():
            shutil.rmtree(target)
        folder.replace(target)
        _flush(target.parent)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@contextmanager
def appearing_file(target: Path) -> Iterator[TextIO]:
    """Yield a new text file beside `target` that takes its place at the end; the owner alone may read it."""
    for leftover in target.parent.glob(f".{target.name}.writing-*"):
        leftover.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.writing-", dir=target.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            yield file
        _flush(Path(name))
        Path(name).replace(target)
        _flush(target.parent)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_manifest(folder: Path | str) -> dict[str, Any]:
    """What manifest.json says of the model in the folder, whatever its family; or refuse."""
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        raise model_missing()
    return json.loads(path.read_text(encoding="utf-8"))


def _flush(path: Path) -> None:
    """Make the system write a file or a folder's entries to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
