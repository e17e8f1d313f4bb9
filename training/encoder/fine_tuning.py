"""One fine-tuning, from labelled texts to a measured model on disk. Read fine_tune from top to bottom."""

import hashlib
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
import torch.nn.functional as F
import transformers
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from training.algorithms.class_weights import class_weights
from training.algorithms.metrics import (
    evaluate,
    negative_log_likelihood,
    tempered_negative_log_likelihood,
)
from training.algorithms.splits import TEST, TRAIN, VALIDATION
from training.config import FineTuneConfig
from training.encoder.base_model import (
    checked_folder,
    load_classifier,
    load_tokenizer,
    weights_sha256,
)
from training.encoder.checkpoints import Checkpoints, Standing
from training.encoder.model_files import appearing_folder
from training.encoder.precision import best_device, resolve_precision
from training.encoder.progress import Progress, ProgressReporter
from training.encoder.refusals import TrainingRefused
from training.encoder.scoring import probabilities, ready_to_score
from training.encoder.tokens import Tokens, bucketed_batches, tokenise


@dataclass(frozen=True, slots=True)
class FineTuned:
    path: Path
    sha256: str  # of model.safetensors
    metrics: dict[str, Any]  # {"validation": evaluate(...), "test": evaluate(...)}
    history: list[dict[str, Any]]  # one entry an epoch
    manifest: dict[str, Any]  # what manifest.json in the folder says


def fine_tune(
    texts: Sequence[str],
    labels: Sequence[int],
    parts: Sequence[int],
    class_names: Sequence[str],
    config: FineTuneConfig,
    *,
    output_dir: Path,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoint_dir: Path | None = None,
) -> FineTuned:
    """Train on part 0, stop by part 1, measure on part 2 (split_by_group), save to output_dir; or refuse.

    Always from the pretrained weights: a model that goes on from the last one carries the mistakes of its
    labels along. With a checkpoint_dir, a call with equal arguments goes on after the last whole epoch and
    ends as if it had not been interrupted (a large checkpoint is not written after every epoch, so a few may
    be trained again). The caller removes that folder once the result is published.

    on_progress hears about once a second; what it raises stops the training and leaves no half-written model.
    """
    labels, parts, class_names = np.asarray(labels), np.asarray(parts), list(class_names)
    _refuse_unlearnable(labels, parts, class_names)
    base, output_dir = checked_folder(config.base_model_path), Path(output_dir)
    reporter = ProgressReporter(on_progress)

    reporter.tell(Progress("tokenising", 0.0))
    tokenizer = load_tokenizer(base)
    tokens = tokenise(
        tokenizer,
        texts,
        max_tokens=config.max_tokens,
        on_chunk=lambda n_done: reporter.tell(
            Progress("tokenising", 0.02 * n_done / len(texts), step=n_done)
        ),
    )
    _refuse_foreign_texts(tokens.unknown_share, config.max_unknown_share)
    base_sha256 = weights_sha256(base)

    device = best_device()
    cuda_devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda_devices):  # the caller's random state stays its own
        torch.manual_seed(config.seed)
        model = load_classifier(base, class_names).to(device)
        training = _Training(model, tokens, labels, parts, config, reporter)
        if checkpoint_dir is not None:
            fingerprint = _fingerprint(config, class_names, base_sha256, texts, labels, parts)
            training.keep_checkpoints(Path(checkpoint_dir), fingerprint)
        training.run()

    metrics = training.measure()
    manifest = {
        "format": 1,
        "class_names": class_names,
        "config": config.to_dict(),
        "derived": training.derived(),
        "base_model_sha256": base_sha256,
        "metrics": metrics,
        "history": training.standing.history,
        "unknown_token_share": tokens.unknown_share,
        "versions": _versions(),
    }
    before_it_appears = training.tell_saving
    with appearing_folder(output_dir, before_it_appears=before_it_appears) as folder:
        sha256 = _write_model(folder, model, tokenizer, manifest)
    return FineTuned(output_dir, sha256, metrics, training.standing.history, manifest)


class _Training:
    """The loop's state: model, optimiser, where it stands. Epochs count from 1."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokens: Tokens,
        labels: np.ndarray,
        parts: np.ndarray,
        config: FineTuneConfig,
        reporter: ProgressReporter,
    ) -> None:
        self.model, self.tokens, self.labels, self.config = model, tokens, labels, config
        self.reporter = reporter
        self.rows = {part: np.flatnonzero(parts == part) for part in (TRAIN, VALIDATION, TEST)}
        n_train = len(self.rows[TRAIN])
        self.n_epochs = config.epochs_for(n_train)
        self.steps_per_epoch = -(-n_train // config.batch_size)
        self.peak_learning_rate = config.learning_rate_for(model.config.hidden_size)
        weights = class_weights(
            labels[self.rows[TRAIN]], model.config.num_labels, imbalance_ratio=config.imbalance_ratio
        )
        self.class_weights = None if weights is None else torch.tensor(weights, dtype=torch.float32)
        self.weights = dict(model.named_parameters())
        self.optimiser = _optimiser(model, config)
        self.standing = Standing(precision=resolve_precision(config.precision, model.device))
        self.best_weights = {}
        self.checkpoints: Checkpoints | None = None

    def keep_checkpoints(self, folder: Path, fingerprint: str) -> None:
        """Go on from the last checkpoint in the folder, if there is one of this training, and write more."""
        self.checkpoints = Checkpoints(folder, fingerprint, self.model, self.optimiser)
        restored = self.checkpoints.restore()
        if restored is not None:
            self.standing, self.best_weights = restored

    def run(self) -> None:
        """Train until the epochs are used up or the validation loss stops falling; keep the best weights."""
        while not self._finished():
            train_loss = self._train_epoch(self.standing.epoch + 1)
            self._validate(train_loss)
            if self.checkpoints is not None:
                self.checkpoints.save_when_due(self.standing, self.best_weights)
        if self.checkpoints is not None:
            self.checkpoints.finish(self.standing, self.best_weights)
        with torch.no_grad():
            for name, tensor in self.best_weights.items():
                self.weights[name].copy_(tensor)

    def _finished(self) -> bool:
        n_without_gain = self.standing.epoch - self.standing.best_epoch
        return self.standing.epoch >= self.n_epochs or n_without_gain >= self.config.patience

    def _train_epoch(self, epoch: int) -> float:
        """Take one pass over the training part; return its mean loss."""
        # Seeded by the epoch, so that a run that goes on from a checkpoint sees the same batches and dropout.
        torch.manual_seed(self.config.seed * 1_000_003 + epoch)
        rng = np.random.default_rng([self.config.seed, epoch])
        batches = bucketed_batches(self.tokens.lengths, self.rows[TRAIN], self.config.batch_size, rng)
        self.model.train()
        losses = []
        for step, batch in enumerate(batches, start=(epoch - 1) * self.steps_per_epoch):
            losses.append(self._step(batch, step))
            self._tell("training", step + 1, train_loss=losses[-1])
        return float(np.average(losses, weights=[len(batch) for batch in batches]))

    def _step(self, batch: np.ndarray, step: int) -> float:
        """Change the weights once, by the loss of one batch, which is returned; step counts from 0."""
        device = self.model.device
        for group in self.optimiser.param_groups:
            group["lr"] = self.peak_learning_rate * group["factor"] * self._schedule(step)
        bf16 = self.standing.precision == "bf16"
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            logits = self.model(**self.tokens.padded(batch, device)).logits  # [B, K]
        targets = torch.from_numpy(self.labels[batch]).to(device)
        weights = None if self.class_weights is None else self.class_weights.to(device)
        loss = F.cross_entropy(logits.float(), targets, weight=weights)
        value = loss.item()
        if not np.isfinite(value):
            raise TrainingRefused(
                "loss_not_finite",
                "The training did not converge: its loss is no longer a number. "
                "A lower learning rate, or precision fp32, usually helps.",
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.max_grad_norm)
        self.optimiser.step()
        return value

    def _schedule(self, step: int) -> float:
        """Return the share of the peak learning rate: linear up during warm-up, then linear down to zero."""
        n_steps = self.n_epochs * self.steps_per_epoch
        n_warmup = max(1, round(self.config.warmup_share * n_steps))
        return min((step + 1) / n_warmup, (n_steps - step) / max(1, n_steps - n_warmup))

    def _validate(self, train_loss: float) -> None:
        """End the epoch: note the losses, and keep the weights if none were better."""
        standing, rows = self.standing, self.rows[VALIDATION]
        standing.epoch += 1
        predicted = self._probabilities(self.model, rows)
        tempered_loss = tempered_negative_log_likelihood(self.labels[rows], predicted)
        standing.history.append(
            {
                "epoch": standing.epoch,
                "step": standing.epoch * self.steps_per_epoch,
                "train_loss": train_loss,
                "validation_loss": negative_log_likelihood(self.labels[rows], predicted),
                "tempered_loss": tempered_loss,
                "validation_accuracy": float(np.mean(predicted.argmax(axis=1) == self.labels[rows])),
            }
        )
        # Not the plain loss: where a volunteers' label in ten is wrong, it rises as soon as the network is
        # sure of itself, while what the network knows of the truth still grows. And not from the start:
        # against few noisy labels, a network that only knows the classes' shares is hard to beat.
        if standing.epoch <= self.n_epochs // 4 or tempered_loss < standing.best_loss:
            standing.best_loss, standing.best_epoch = tempered_loss, standing.epoch
            self.best_weights = {name: weight.detach().cpu().clone() for name, weight in self.weights.items()}

    def _probabilities(self, model: PreTrainedModel, rows: np.ndarray) -> np.ndarray:
        return probabilities(
            ready_to_score(model, self.standing.precision),
            self.tokens,
            rows,
            batch_tokens=self.config.eval_batch_tokens,
            on_batch=lambda done: self._tell("evaluating", self.standing.epoch * self.steps_per_epoch),
        )

    def measure(self) -> dict[str, Any]:
        """Return the metrics of validation and test, computed as predict_proba will compute."""
        return {
            name: evaluate(self.labels[self.rows[part]], self._probabilities(self.model, self.rows[part]))
            for name, part in (("validation", VALIDATION), ("test", TEST))
        }

    def derived(self) -> dict[str, Any]:
        """Return what followed from config and examples, for the manifest."""
        return {
            "n_train": len(self.rows[TRAIN]),
            "n_validation": len(self.rows[VALIDATION]),
            "n_test": len(self.rows[TEST]),
            "max_epochs": self.n_epochs,
            "best_epoch": self.standing.best_epoch,
            "peak_learning_rate": self.peak_learning_rate,
            "class_weights": None if self.class_weights is None else self.class_weights.tolist(),
            "precision": self.standing.precision,
            "device": self.model.device.type,
        }

    def tell_saving(self) -> None:
        """Ask the listener for the last time; a worker that lost its run must not put its model in place."""
        self._tell("saving", self.n_epochs * self.steps_per_epoch)

    def _tell(self, stage: str, step: int, train_loss: float | None = None) -> None:
        n_steps, history = self.n_epochs * self.steps_per_epoch, self.standing.history
        last = history[-1] if history else {"train_loss": None, "validation_loss": None}
        self.reporter.tell(
            Progress(
                stage=stage,
                share_done=1.0 if stage == "saving" else 0.02 + 0.95 * step / n_steps,
                epoch=min(self.n_epochs, -(-step // self.steps_per_epoch)),
                n_epochs=self.n_epochs,
                step=step,
                n_steps=n_steps,
                train_loss=last["train_loss"] if train_loss is None else train_loss,
                validation_loss=last["validation_loss"],
                history=list(history),
            )
        )


def _optimiser(model: PreTrainedModel, config: FineTuneConfig) -> torch.optim.AdamW:
    """Return AdamW that decays matrices alone (biases and LayerNorm have one dimension) and hurries the head.

    Word embeddings are not decayed: the vectors of words that no example holds stay as they were pretrained.
    The head is the classifier and BERT's pooler, which was trained for another task, if at all.
    """
    words = model.get_input_embeddings().weight
    groups: dict[tuple[bool, bool], list[torch.Tensor]] = {}
    for name, weight in model.named_parameters():
        in_head = not name.startswith(f"{model.base_model_prefix}.") or ".pooler." in name
        decays = weight.dim() >= 2 and weight is not words
        groups.setdefault((in_head, decays), []).append(weight)
    return torch.optim.AdamW(
        [
            {
                "params": weights,
                "weight_decay": config.weight_decay if decays else 0.0,
                "factor": config.head_learning_rate_factor if in_head else 1.0,
            }
            for (in_head, decays), weights in groups.items()
        ]
    )


def _refuse_unlearnable(labels: np.ndarray, parts: np.ndarray, class_names: list[str]) -> None:
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(class_names):
        raise ValueError("a label index names no class")
    if len(np.unique(parts)) < 3:
        raise TrainingRefused(
            "too_few_examples",
            "There are too few labelled examples, or they come from too few different records, to train, "
            "validate and test apart. Collect labels on at least ten records.",
        )
    if len(np.unique(labels[parts == TRAIN])) < 2:
        raise TrainingRefused(
            "one_class",
            "All examples to train on have the same label, so there is nothing to tell apart. "
            "Collect examples of at least two labels.",
        )


def _refuse_foreign_texts(unknown_share: float, limit: float) -> None:
    if unknown_share > limit:
        raise TrainingRefused(
            "texts_not_readable",
            f"The base model does not know {unknown_share:.0%} of the texts' tokens (at most {limit:.0%} is "
            "accepted). It was probably made for another language; set a base model for this one.",
        )


def _fingerprint(
    config: FineTuneConfig,
    class_names: list[str],
    base_sha256: str,
    texts: Sequence[str],
    labels: np.ndarray,
    parts: np.ndarray,
) -> str:
    """Return a digest of all that a training's course depends on, but for the machine."""
    digest = hashlib.sha256(json.dumps([config.to_dict(), class_names, base_sha256, list(texts)]).encode())
    digest.update(labels.astype(np.int64).tobytes() + parts.astype(np.int64).tobytes())
    return digest.hexdigest()


def _write_model(folder: Path, model: PreTrainedModel, tokenizer: Tokenizer, manifest: dict[str, Any]) -> str:
    """Write weights, config, tokenizer and manifest; return the weights' SHA-256."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    sha256 = weights_sha256(folder)
    manifest["sha256"] = sha256
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return sha256


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "safetensors": safetensors.__version__,
        "numpy": np.__version__,
    }
