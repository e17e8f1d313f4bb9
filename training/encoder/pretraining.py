"""Further pretraining on texts without labels, so that the encoder knows their words. Read pretrain first."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from training.algorithms.splits import record_places
from training.config import PretrainConfig
from training.encoder.base_model import checked_folder, load_encoder, load_tokenizer
from training.encoder.checkpoints import Checkpoints
from training.encoder.kept_model import let_go
from training.encoder.masked_words import (
    MaskedWords,
    too_few_texts,
    vocabulary_of,
    windows_as_texts,
    words_of_tokens,
)
from training.encoder.model_files import FORMAT, appearing_folder, loadable_manifest, versions, write_model
from training.encoder.precision import cuda_devices, this_process
from training.encoder.progress import Progress, ProgressReporter
from training.encoder.refusals import refuse_no_memory, texts_not_readable
from training.encoder.tokens import Tokens, tokenise
from training.encoder.training_loop import Training
from training.model_folders import weights_sha256

STOP_SEED = 3  # of the places of the records to stop by; by those of seed 0 records judge, and are not read


@dataclass(frozen=True, slots=True)
class Pretrained:
    path: Path  # a folder that fine_tune and embed take as their base model
    sha256: str  # of model.safetensors
    history: list[dict[str, Any]]  # one entry an epoch
    manifest: dict[str, Any]  # what manifest.json in the folder says


def pretrain(
    texts: Sequence[str],
    records: Sequence[object],
    config: PretrainConfig,
    *,
    output_dir: Path,
    origin: dict[str, str] | None = None,
    checkpoint_dir: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Pretrained:
    """Learn to find masked words in the texts (of the records, [N] each), save the encoder; or refuse.

    A share of the records is kept apart: the loss on their texts, behind masks that never change, decides
    when to stop and which weights are kept. Texts are not joined to fill a window: what fine_tune and embed
    will read is one text at a time, and batches of equal lengths waste little. Where the base model has no
    head for masked words, a fresh one is trained along, over the word embeddings; it is not saved.

    origin: what the manifest is to say of the base model's name and licence.

    Checkpoints, progress, interruptions and `accelerate launch` are as in fine_tune.
    """
    base, output_dir = checked_folder(config.base_model_path), Path(output_dir)
    process = this_process()
    reporter = ProgressReporter(on_progress if process.is_main_process else None)
    let_go()
    tokenizer = load_tokenizer(base)
    vocabulary = vocabulary_of(tokenizer)
    tokens = _tokens(tokenizer, texts, config, reporter)
    words = words_of_tokens(tokens, texts, tokenizer.unk_token_id)
    is_validation = np.repeat(
        record_places(records, seed=STOP_SEED + config.seed) < config.validation_share, tokens.n_windows
    )
    base_sha256, texts_sha256 = weights_sha256(base), _sha256(texts, records)

    # The caller's random state stays its own.
    with torch.random.fork_rng(devices=cuda_devices()), refuse_no_memory():
        lesson = MaskedWords(
            windows_as_texts(tokens), words, is_validation, vocabulary, base, config, on_batch=reporter.again
        )
        training = Training(lesson, config, reporter)
        if checkpoint_dir is not None:
            fingerprint = json.dumps([config.to_dict(), base_sha256, texts_sha256])
            training.keep_checkpoints(Checkpoints(Path(checkpoint_dir), fingerprint, training.model))
        encoder = _adapted(base, training.run())

    manifest = {
        "format": FORMAT,
        "family": "pretrained",
        "config": config.to_dict(),
        "derived": {**training.derived(), **lesson.derived()},
        "seed": config.seed,
        "base_model_sha256": base_sha256,
        "base_origin": origin,
        "texts_sha256": texts_sha256,
        "n_texts": len(texts),
        "history": training.standing.history,
        "unknown_token_share": tokens.unknown_share,
        "versions": versions(),
    }
    if process.is_main_process:
        with appearing_folder(output_dir, before_it_appears=training.tell_saving) as folder:
            write_model(folder, encoder, tokenizer, manifest)
    process.wait_for_everyone()
    manifest = loadable_manifest(output_dir)
    return Pretrained(output_dir, manifest["sha256"], manifest["history"], manifest)


def _tokens(
    tokenizer: Any, texts: Sequence[str], config: PretrainConfig, reporter: ProgressReporter
) -> Tokens:
    """Tokenise once, in windows that do not overlap; refuse texts that the base model cannot read."""
    if not len(texts):
        raise too_few_texts(0, config.min_windows)
    reporter.tell(Progress("tokenising", 0.0))
    tokens = tokenise(
        tokenizer,
        texts,
        max_tokens=config.max_tokens,
        with_offsets=True,
        on_chunk=lambda n: reporter.tell(Progress("tokenising", 0.02 * n / len(texts), step=n)),
    )
    if tokens.unknown_share > config.max_unknown_share:
        raise texts_not_readable(tokens.unknown_share, config.max_unknown_share)
    return tokens


def _adapted(base: Path, model: PreTrainedModel) -> PreTrainedModel:
    """Return the base model's encoder with the trained weights; what was not trained (a pooler) stays."""
    encoder = load_encoder(base)
    encoder.load_state_dict(model.base_model.state_dict(), strict=False)
    return encoder


def _sha256(texts: Sequence[str], records: Sequence[object]) -> str:
    """Return a digest of the texts in their order and of the records that they belong to."""
    digest = hashlib.sha256()
    for text, record in zip(texts, records, strict=True):
        digest.update(json.dumps([str(record), text]).encode())
    return digest.hexdigest()
