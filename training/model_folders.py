"""A model's folder: it, or a file, appears whole or not at all, and its manifest says what it holds."""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from training.errors import model_damaged, model_missing

SETTLED_NANOSECONDS = 2_000_000_000  # since the last change: no file system's clock has longer ticks
_digests: dict[Path, tuple[tuple, str]] = {}  # folder: (stamp, SHA-256) of its weights, hundreds of megabytes


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
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise model_damaged() from error


def weight_files(folder: Path) -> list[Path]:
    """Return the files of model.safetensors: one, or its numbered shards."""
    single = folder / "model.safetensors"
    return [single] if single.is_file() else sorted(folder.glob("model-*-of-*.safetensors"))


def weights_stamp(folder: Path) -> tuple[tuple, ...]:
    """Return what the system says of each weight file; it is another as soon as one of them is changed."""
    files = [(path.name, path.stat()) for path in weight_files(folder)]
    return tuple((name, s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in files)


def weights_sha256(folder: Path) -> str:
    """Return the SHA-256 of the weight files, read one after the other; what was read stays known until
    a file is changed."""
    folder = folder.resolve()
    stamp = weights_stamp(folder)
    known = _digests.get(folder)
    if known is not None and known[0] == stamp:
        return known[1]
    # A file changed twice within a tick of the file system's clock has one stamp for two contents.
    changed_at = max((max(mtime, ctime) for *_, mtime, ctime in stamp), default=0)
    is_settled = time.time_ns() - changed_at > SETTLED_NANOSECONDS
    sha256 = sha256_of_files(weight_files(folder))
    if is_settled and weights_stamp(folder) == stamp:
        _digests[folder] = stamp, sha256
    return sha256


def sha256_of_files(paths: Iterable[Path]) -> str:
    """Return the SHA-256 of the files' bytes, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _flush(path: Path) -> None:
    """Make the system write a file or a folder's entries to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
