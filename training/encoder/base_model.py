"""The pretrained model that every training starts from: found, checked and loaded from a local folder."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    PreTrainedModel,
)
from transformers import PreTrainedTokenizerBase as Tokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES
from transformers.utils import logging

from training.algorithms.token_tags import TAGS
from training.encoder.first_token import read_first_token_only
from training.encoder.heads import HEADS
from training.encoder.tokens import tokenise
from training.errors import TrainingRefused
from training.model_folders import weight_files

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
    _refuse_other_architectures(folder)
    return folder


def _refuse_other_architectures(folder: Path) -> None:
    """Text encoders are the models that transformers can train to fill in masked words, and no more."""
    try:
        config = AutoConfig.from_pretrained(  # nosec B615 # a local folder
            str(folder), local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # transformers raises whatever the file provokes
        raise _unreadable() from error
    if config.model_type not in MODEL_FOR_MASKED_LM_MAPPING_NAMES or config.is_encoder_decoder:
        raise TrainingRefused(
            "base_model_not_an_encoder",
            f"The campaign's base model is of the kind {config.model_type}, which is not a text encoder. "
            "Set one of the BERT, RoBERTa, DeBERTa or ModernBERT families.",
        )


def load_tokenizer(folder: Path) -> Tokenizer:
    try:
        return AutoTokenizer.from_pretrained(  # nosec B615 # a local folder: nothing is downloaded
            str(folder), local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # transformers raises whatever the folder's files provoke
        raise _unreadable() from error


def fresh_classifier(folder: Path, head: str, class_names: list[str]) -> PreTrainedModel:
    """Return the pretrained model under a new head, whose weights are torch's randomness."""
    names = HEADS[head].output_names(class_names)
    model = load_classifier(
        folder,
        num_labels=len(names),
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
        problem_type=HEADS[head].problem_type,
        ignore_mismatched_sizes=True,  # a base model may have been given a head before
    )
    HEADS[head].prepare(model)
    read_first_token_only(model)
    return model


def fresh_tagger(folder: Path, labels: list[str]) -> PreTrainedModel:
    """Return the pretrained model under a new head that gives each token a layer of BIO for each label."""
    names = [f"{tag}-{label}" for label in labels for tag in TAGS]
    return load_tagger(
        folder,
        num_labels=len(names),
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
        ignore_mismatched_sizes=True,
    )


def load_tagger(folder: Path, **changes: Any) -> PreTrainedModel:
    return _load(AutoModelForTokenClassification, folder, **changes)


def load_classifier(folder: Path, **changes: Any) -> PreTrainedModel:
    """Return the model of a folder with its classification head."""
    return _load(AutoModelForSequenceClassification, folder, **changes)


def load_masked_lm(folder: Path) -> PreTrainedModel:
    """Return the encoder under a head that names masked words; a fresh one where the folder holds none."""
    return _load(AutoModelForMaskedLM, folder)


def load_encoder(folder: Path) -> PreTrainedModel:
    """Return the encoder alone: its outputs are hidden states."""
    return _load(AutoModel, folder)


def _load(kind: type, folder: Path, **changes: Any) -> PreTrainedModel:
    try:
        return kind.from_pretrained(  # nosec B615 # a local folder
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            **changes,
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
