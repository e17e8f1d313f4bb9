"""One fine-tuning, from labelled texts to a calibrated model on disk. Read fine_tune from top to bottom."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.algorithms.examples import Examples
from training.config import FineTuneConfig
from training.encoder.base_model import checked_folder, load_tokenizer
from training.encoder.checkpoints import Checkpoints
from training.encoder.classifying import Classifying
from training.encoder.heads import fold
from training.encoder.kept_model import let_go
from training.encoder.model_files import FORMAT, appearing_folder, loadable_manifest, versions, write_model
from training.encoder.precision import cuda_devices, this_process
from training.encoder.progress import Progress, ProgressReporter
from training.encoder.refusals import refuse_no_memory, texts_not_readable
from training.encoder.tagging import Tagging
from training.encoder.tokens import Tokens, tokenise
from training.encoder.training_loop import Training
from training.model_folders import weights_sha256


@dataclass(frozen=True, slots=True)
class FineTuned:
    path: Path
    sha256: str  # of model.safetensors
    history: list[dict[str, Any]]  # one entry an epoch
    manifest: dict[str, Any]  # what manifest.json in the folder says

    @property
    def out_of_fold(self) -> tuple[np.ndarray, np.ndarray] | None:
        """(rows int [M] of the examples, [M, K] what networks like it thought of them that had not learned
        from them), if what was held out in turn taught it in the end."""
        if "out_of_fold" not in self.manifest:
            return None
        found = self.manifest["out_of_fold"]
        return np.array(found["rows"], dtype=np.int64), np.array(found["probabilities"])


def fine_tune(
    examples: Examples,
    config: FineTuneConfig,
    *,
    output_dir: Path,
    checkpoint_dir: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> FineTuned:
    """Train on TRAIN, stop by VALIDATION, calibrate on CALIBRATION, save to output_dir; or refuse.

    While examples are few, these parts and others are held out in turn instead, and the network that is saved
    learns from all of them (see turns.py). TEST is not looked at: whoever promotes models judges by it.
    Always from the pretrained weights: a model that goes on from the last one carries the mistakes of its
    labels along. With a checkpoint_dir, a call with equal arguments goes on from the last checkpoint and ends
    as if it had not been interrupted. The caller removes that folder once the result is published.

    on_progress hears about once a second; what it raises stops the training and leaves no half-written model.
    Started by `accelerate launch`, the call shares the work among its processes; the first of them alone
    reports and writes.
    """
    base, output_dir = checked_folder(config.base_model_path), Path(output_dir)
    let_go()
    process = this_process()
    reporter = ProgressReporter(on_progress if process.is_main_process else None)
    tokenizer = load_tokenizer(base)
    tokens = _tokens(tokenizer, examples, config, reporter)
    base_sha256 = weights_sha256(base)

    # The caller's random state stays its own.
    with torch.random.fork_rng(devices=cuda_devices()), refuse_no_memory():
        marks = examples.head == "spans"
        lesson = (Tagging if marks else Classifying)(examples, tokens, base, config, on_batch=reporter.again)
        training = Training(lesson, config.for_marks() if marks else config, reporter)
        if checkpoint_dir is not None:
            fingerprint = _fingerprint(examples, config, base_sha256)
            training.keep_checkpoints(Checkpoints(Path(checkpoint_dir), fingerprint, training.model))
        model = fold(training.run())
        rows, predicted = training.predicted_at_best()
        calibration = lesson.calibrate(predicted, rows)

    manifest = {
        "format": FORMAT,
        "family": "encoder",
        "head": examples.head,
        "class_names": list(examples.class_names),
        **calibration,
        "config": config.to_dict(),
        "derived": {**training.derived(), **lesson.derived()},
        "seed": config.seed,
        "base_model_sha256": base_sha256,
        "history": training.standing.history,
        "unknown_token_share": tokens.unknown_share,
        "versions": versions(),
    }
    if process.is_main_process:
        with appearing_folder(output_dir, before_it_appears=training.tell_saving) as folder:
            write_model(folder, model, tokenizer, manifest)
    process.wait_for_everyone()
    manifest = loadable_manifest(output_dir)
    return FineTuned(output_dir, manifest["sha256"], manifest["history"], manifest)


def _tokens(tokenizer: Any, examples: Examples, config: FineTuneConfig, reporter: ProgressReporter) -> Tokens:
    """Tokenise once, and refuse texts that the base model cannot read."""
    n = max(1, len(examples))
    reporter.tell(Progress("tokenising", 0.0))
    tokens = tokenise(
        tokenizer,
        examples.texts,
        examples.seconds,
        max_tokens=config.max_tokens,
        overlap=config.window_overlap,
        with_offsets=examples.head == "spans",
        on_chunk=lambda n_done: reporter.tell(Progress("tokenising", 0.02 * n_done / n, step=n_done)),
    )
    if tokens.unknown_share > config.max_unknown_share:
        raise texts_not_readable(tokens.unknown_share, config.max_unknown_share)
    return tokens


def _fingerprint(examples: Examples, config: FineTuneConfig, base_sha256: str) -> str:
    """Return a digest of all that a training's course depends on, but for the machine."""
    content = [
        config.to_dict(),
        base_sha256,
        examples.head,
        examples.class_names,
        list(examples.texts),
        None if examples.seconds is None else list(examples.seconds),
        None if examples.spans is None else [list(spans) for spans in examples.spans],
        examples.span_beliefs and [list(spans.items()) for spans in examples.span_beliefs],
    ]
    digest = hashlib.sha256(json.dumps(content).encode())
    for column in (examples.targets, examples.weights, examples.parts):
        if column is not None:
            digest.update(np.asarray(column, dtype=np.float32).tobytes())
    return digest.hexdigest()
