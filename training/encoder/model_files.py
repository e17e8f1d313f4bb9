"""A model's folder: appears whole or not at all, and is read only if it is one that we can read."""

import json
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import accelerate
import numpy as np
import safetensors
import scipy
import tokenizers
import torch
import transformers
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from training import model_folders
from training.encoder.refusals import refuse_full_disk
from training.errors import TrainingRefused, model_damaged, model_missing
from training.model_folders import weights_sha256

FORMAT = 2  # of manifest.json


@contextmanager
def appearing_folder(target: Path, *, before_it_appears: Callable[[], None] = lambda: None) -> Iterator[Path]:
    """Yield a folder that appears whole or not at all (see model_folders); a full disk is a refusal."""
    with (
        refuse_full_disk(),
        model_folders.appearing_folder(target, before_it_appears=before_it_appears) as folder,
    ):
        yield folder


def write_model(folder: Path, model: PreTrainedModel, tokenizer: Tokenizer, manifest: dict[str, Any]) -> None:
    """Write weights, config, tokenizer, and the manifest with the weights' SHA-256."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    content = json.dumps({**manifest, "sha256": weights_sha256(folder)}, indent=1)
    (folder / "manifest.json").write_text(content, encoding="utf-8")


def versions() -> dict[str, str]:
    """Return the versions of all that a training computes with, for the manifest."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
        "accelerate": accelerate.__version__,
        "safetensors": safetensors.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }


def loadable_manifest(folder: Path) -> dict[str, Any]:
    """Return what manifest.json says of a model that fine_tune or pretrain made and this code can load;
    or refuse."""
    manifest = model_folders.read_manifest(folder)
    if not model_folders.weight_files(folder):
        raise model_missing()
    if manifest["format"] != FORMAT:
        raise TrainingRefused(
            "model_outdated",
            "The campaign's model was made by another version of this program. Start a new training.",
        )
    if manifest["sha256"] != weights_sha256(folder):
        raise model_damaged()
    return manifest
