"""A model's folder: appears whole or not at all, and is read only if it is one that we can read."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from training.encoder.base_model import weight_files, weights_sha256
from training.encoder.refusals import TrainingRefused, refuse_full_disk

FORMAT = 2  # of manifest.json


@contextmanager
def appearing_folder(target: Path, *, before_it_appears: Callable[[], None] = lambda: None) -> Iterator[Path]:
    """Yield a new folder beside `target`; at the end it is flushed to disk and takes the target's place.

    If anything is raised, before_it_appears included, the folder is removed and `target` is as it was. What a
    killed process left of an earlier try is removed first.
    """
    with refuse_full_disk():
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


def _flush(path: Path) -> None:
    """Make the system write a file or a folder's entries to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_model(folder: Path, model: PreTrainedModel, tokenizer: Tokenizer, manifest: dict[str, Any]) -> str:
    """Write weights, config, tokenizer and manifest; return the weights' SHA-256."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    manifest["sha256"] = weights_sha256(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return manifest["sha256"]


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what manifest.json says of a model that fine_tune made; or refuse."""
    if not (folder / "manifest.json").is_file() or not weight_files(folder):
        raise TrainingRefused(
            "model_missing",
            "The files of the campaign's model are not on the worker's disk. Start a new training.",
        )
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    if manifest["format"] != FORMAT:
        raise TrainingRefused(
            "model_outdated",
            "The campaign's model was made by another version of this program. Start a new training.",
        )
    return manifest
