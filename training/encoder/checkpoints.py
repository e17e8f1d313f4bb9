"""The state of a training, as safetensors and JSON, so that a killed worker's run goes on where it was.

A training is found again by a few numbers (which turn, epoch and step, and into how many pieces a batch had
to be cut) and by its tensors: weights, the optimiser's moments, the best weights so far, predictions of what
was held out. The learning rate and the order of the data follow from the numbers. So does the random state:
each step seeds its own.
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
# A checkpoint is worth the minutes that it saves: MiniLM's 120 MB are written every two minutes.
BYTES_PER_SECOND = 1_000_000
ROWS = "rows of "
PARTS = ("best", "predicted", "weights", "moments")  # of a State
Tensors = dict[str, torch.Tensor]


@dataclass(slots=True)
class Standing:
    """How far a training has come; what cannot be had from the weights."""

    turn: int = 0  # turns done
    epoch: int = 0  # whole epochs of this turn
    step: int = 0  # batches of the next epoch that are done
    losses: list[float] = field(default_factory=list)  # of those batches
    best_epoch: int = 0  # of this turn
    best_loss: float = float("inf")  # tempered validation loss after it
    history: list[dict[str, Any]] = field(default_factory=list)
    precision: str = "fp32"  # found once a run: a second measurement might fall out otherwise
    n_pieces: int = 1  # that a batch is cut into, so that it fits the memory
    n_spares: int = 0  # that were asked for
    kept_seed: int | None = None  # of the start that is kept, where some learn from all


@dataclass(slots=True)
class State:
    """All that a checkpoint holds."""

    standing: Standing
    best: Tensors  # the weights to keep; empty while turns rehearse, and before the first epoch ends
    predicted: Tensors  # what networks made of the texts left out, by "turn/epoch"
    weights: Tensors  # as they are now; empty where they are the best
    moments: Tensors  # the optimiser's, by "moment/parameter"; empty where nothing is trained any more


class Checkpoints:
    """The folder in which one training keeps its state.

    Of word embeddings, half of a small model, only the rows are written that differ from the base model's:
    the others are in the base model, which the fingerprint knows, and have no moments.
    """

    def __init__(self, folder: Path, fingerprint: str, model: PreTrainedModel) -> None:
        """Take the pretrained model, its bottom frozen already, before its first step."""
        self.folder, self.fingerprint = folder, fingerprint
        words = model.get_input_embeddings().weight
        self._words = next(name for name, weight in model.named_parameters() if weight is words)
        self._base_words = words.detach().cpu().clone()
        learning = [w for w in model.parameters() if w.requires_grad and w is not words]
        n_bytes = 4 * sum(weight.nbytes for weight in learning)  # weights, best weights, two moments of each
        self._seconds_between = n_bytes / BYTES_PER_SECOND
        self._due_at = time.monotonic() + self._seconds_between

    @property
    def due(self) -> bool:
        return time.monotonic() >= self._due_at

    def save(self, state: State) -> None:
        """Write the state; the one before is removed once this one is whole."""
        standing = state.standing
        name = f"at-{standing.turn:02d}-{standing.epoch:04d}-{standing.step:07d}"
        with appearing_folder(self.folder / name) as folder:
            (folder / "state.json").write_text(
                json.dumps({"fingerprint": self.fingerprint, "standing": asdict(standing)})
            )
            for part in PARTS:
                if tensors := getattr(state, part):
                    self._write(folder / f"{part}.safetensors", tensors)
        for older in self.folder.iterdir():
            if older.name != name:
                shutil.rmtree(older, ignore_errors=True)
        self._due_at = time.monotonic() + self._seconds_between

    def last(self) -> State | None:
        """Return the last state of this training, or None.

        A checkpoint of another config, other examples or another base model is not ours. One that cannot be
        read is worth less than the minutes it would save.
        """
        for folder in sorted(self.folder.glob("at-*"), reverse=True):
            try:
                state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
                if state["fingerprint"] != self.fingerprint:
                    continue
                parts = [
                    self._read(path) if (path := folder / f"{part}.safetensors").exists() else {}
                    for part in PARTS
                ]
                return State(Standing(**state["standing"]), *parts)
            except (OSError, ValueError, SafetensorError):
                logger.warning("checkpoint %s cannot be read; it is passed over", folder.name)
        return None

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


def moments_of(optimiser: torch.optim.Optimizer, weights: Tensors) -> Tensors:
    """Return the optimiser's moments and step counts as "moment/parameter" -> tensor."""
    return {
        f"{kind}/{name}": tensor
        for name, weight in weights.items()
        for kind, tensor in optimiser.state[weight].items()
    }


def put_back(state: State, optimiser: torch.optim.Optimizer, weights: Tensors) -> None:
    """Load a state's weights and moments into a model's parameters and its optimiser."""
    copy_into(weights, state.weights or state.best)
    for key, tensor in state.moments.items():
        kind, name = key.split("/", 1)
        weight = weights[name]
        optimiser.state[weight][kind] = tensor.to(weight.device)


def copy_into(weights: Tensors, values: Tensors) -> None:
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(values[name])
