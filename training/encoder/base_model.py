"""The pretrained model that every training starts from: found, checked and loaded from a local folder."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer
from transformers.utils import logging

from training.encoder.refusals import TrainingRefused
from training.encoder.tokens import tokenise

logging.set_verbosity_error()  # that a new head has fresh weights is what we want, not a warning
logging.disable_progress_bar()

MAX_TOKENS_FOR_SHARE = 512


def checked_folder(base_model_path: str | Path) -> Path:
    """Return the folder of a model that can be loaded without unpickling anything, or refuse."""
    folder = Path(base_model_path)
    if not base_model_path or not (folder / "config.json").is_file():
        raise TrainingRefused(
            "base_model_missing",
            "The campaign's base model is not there: its path holds no config.json. "
            "Set the path of a folder with a pretrained model on the worker's disk.",
        )
    if not weight_files(folder):
        raise TrainingRefused(
            "base_model_not_safetensors",
            "The campaign's base model has no safetensors weights. Pickled weights are not loaded; "
            "convert the model to safetensors first.",
        )
    return folder


def weight_files(folder: Path) -> list[Path]:
    """Return the files of model.safetensors: one, or its numbered shards."""
    single = folder / "model.safetensors"
    return [single] if single.is_file() else sorted(folder.glob("model-*-of-*.safetensors"))


def weights_sha256(folder: Path) -> str:
    """Return the SHA-256 of the weight files, read one after the other."""
    digest = hashlib.sha256()
    for path in weight_files(folder):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def load_tokenizer(folder: Path) -> Tokenizer:
    try:
        return AutoTokenizer.from_pretrained(  # nosec B615 # a local folder: nothing is downloaded
            str(folder), local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # transformers raises whatever the folder's files provoke
        raise _unreadable() from error


def load_classifier(folder: Path, class_names: list[str] | None = None) -> PreTrainedModel:
    """Return the model with a classification head; given class_names, a fresh one (torch's randomness)."""
    head = {}
    if class_names is not None:
        id2label = dict(enumerate(class_names))
        head = {"num_labels": len(class_names), "id2label": id2label, "ignore_mismatched_sizes": True}
        head["label2id"] = {name: index for index, name in id2label.items()}
    try:
        return AutoModelForSequenceClassification.from_pretrained(  # nosec B615 # a local folder
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            **head,
        )
    except Exception as error:  # as above
        raise _unreadable() from error


def unknown_token_share(base_model_path: str | Path, texts: Iterable[str]) -> float:
    """Return the share of tokens that the base model does not know ([UNK]), special tokens not counted."""
    tokenizer = load_tokenizer(checked_folder(base_model_path))
    return tokenise(tokenizer, texts, max_tokens=MAX_TOKENS_FOR_SHARE).unknown_share


def _unreadable() -> TrainingRefused:
    return TrainingRefused(
        "base_model_unreadable",
        "The campaign's base model could not be loaded. Check that its folder holds a complete text encoder "
        "that transformers knows (config, tokenizer, safetensors weights).",
    )
