"""The state of a training after an epoch, as safetensors and JSON, so that a killed worker's run goes on.

No state of a random generator is kept: each epoch seeds its own from the config's seed and its number.
"""

import json
import logging
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from training.encoder.model_files import appearing_folder

logger = logging.getLogger(__name__)
# A checkpoint is worth the minutes that it saves: MiniLM's 180 MB are written every three minutes.
BYTES_PER_SECOND = 1_000_000
ROWS = "rows of "
Tensors = dict[str, torch.Tensor]


@dataclass(slots=True)
class Standing:
    """How far a training has come; what cannot be had from the weights."""

    epoch: int = 0  # epochs done
    best_epoch: int = 0
    best_loss: float = float("inf")  # tempered validation loss after the best epoch
    history: list[dict[str, Any]] = field(default_factory=list)
    precision: str = "fp32"  # found once a run: a second measurement might fall out otherwise


class Checkpoints:
    """The folder in which one training keeps its state. Make it before the first step.

    Of word embeddings, half of a small model, only the rows are written that differ from the base model's:
    the others are in the base model, which the fingerprint knows, and have no moments.
    """

    def __init__(
        self, folder: Path, fingerprint: str, model: PreTrainedModel, optimiser: torch.optim.Optimizer
    ) -> None:
        self.folder, self.fingerprint = folder, fingerprint
        self.weights, self.optimiser = dict(model.named_parameters()), optimiser
        words = model.get_input_embeddings().weight
        self._words = next(name for name, weight in self.weights.items() if weight is words)
        self._base_words = words.detach().cpu().clone()
        # The weights, the best weights and two moments of each.
        n_bytes = 4 * sum(weight.nbytes for weight in self.weights.values() if weight is not words)
        self._seconds_between = n_bytes / BYTES_PER_SECOND
        self._due_at = time.monotonic() + self._seconds_between

    def save_when_due(self, standing: Standing, best_weights: Tensors) -> None:
        """Write the state after an epoch; the one before is removed once this one is whole."""
        if time.monotonic() < self._due_at:
            return
        with appearing_folder(self.folder / f"epoch-{standing.epoch:04d}") as folder:
            self._write_best(folder, standing, best_weights)
            if standing.best_epoch < standing.epoch:  # else they are the best weights
                self._write(folder / "weights.safetensors", self.weights)
            self._write(folder / "optimiser.safetensors", self._moments())
        self._remove_all_but(f"epoch-{standing.epoch:04d}")
        self._due_at = time.monotonic() + self._seconds_between

    def finish(self, standing: Standing, best_weights: Tensors) -> None:
        """Keep the best weights alone: nothing is trained any more, and the model will want the room."""
        with appearing_folder(self.folder / "finished") as folder:
            self._write_best(folder, standing, best_weights)
        self._remove_all_but("finished")

    def restore(self) -> tuple[Standing, Tensors] | None:
        """Load the last state into weights and optimiser; return it with the best weights, or None.

        A checkpoint of another config, other examples or another base model is not ours. One that cannot be
        read is worth less than the minutes it would save. In both cases nothing has been changed.
        """
        finished, epochs = self.folder.glob("finished"), self.folder.glob("epoch-*")
        for folder in [*finished, *sorted(epochs, reverse=True)]:
            try:
                state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
                if state["fingerprint"] != self.fingerprint:
                    continue
                standing = Standing(**state["standing"])
                best_weights = self._read(folder / "best.safetensors")
                if folder.name == "finished":
                    return standing, best_weights
                is_best = standing.best_epoch == standing.epoch
                weights = best_weights if is_best else self._read(folder / "weights.safetensors")
                moments = self._read(folder / "optimiser.safetensors")
            except (OSError, ValueError, SafetensorError):
                logger.warning("checkpoint %s cannot be read; it is passed over", folder.name)
                continue
            self._load(weights, moments)
            return standing, best_weights
        return None

    def _load(self, weights: Tensors, moments: Tensors) -> None:
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(weights[name])
        for key, tensor in moments.items():
            kind, name = key.split("/", 1)
            weight = self.weights[name]
            # The step count stays on the CPU, as AdamW keeps it there; the moments live beside their weight.
            self.optimiser.state[weight][kind] = tensor if kind == "step" else tensor.to(weight.device)

    def _moments(self) -> Tensors:
        """Return the optimiser's moments and step counts as "moment/parameter" -> tensor."""
        return {
            f"{kind}/{name}": tensor
            for name, weight in self.weights.items()
            for kind, tensor in self.optimiser.state[weight].items()
        }

    def _write_best(self, folder: Path, standing: Standing, best_weights: Tensors) -> None:
        state = {"fingerprint": self.fingerprint, "standing": asdict(standing)}
        (folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
        self._write(folder / "best.safetensors", best_weights)

    def _write(self, path: Path, tensors: Tensors) -> None:
        written = {}
        for key, tensor in tensors.items():
            tensor = tensor.detach().cpu()
            if (untouched := self._untouched(key)) is not None:
                written[ROWS + key] = rows = (tensor != untouched).any(dim=1).nonzero().squeeze(1)
                tensor = tensor[rows]
            written[key] = tensor
        save_file(written, path)

    def _read(self, path: Path) -> Tensors:
        tensors = load_file(path)
        for key in [key for key in tensors if key.startswith(ROWS)]:
            rows, key = tensors.pop(key), key.removeprefix(ROWS)
            tensors[key] = self._untouched(key).index_copy(0, rows, tensors[key])
        return tensors

    def _untouched(self, key: str) -> torch.Tensor | None:
        """Return what a tensor with a row for each word, [V, D], holds where training changed nothing."""
        if key == self._words:
            return self._base_words
        is_moment = key.endswith(f"/{self._words}") and not key.startswith("step/")
        return torch.zeros_like(self._base_words) if is_moment else None

    def _remove_all_but(self, name: str) -> None:
        for older in self.folder.iterdir():
            if older.name != name:
                shutil.rmtree(older, ignore_errors=True)
