"""The state of a training after an epoch, as safetensors and JSON, so that a killed worker's run goes on.

No state of a random generator is kept: each epoch seeds its own from the config's seed and its number.
"""

import json
import logging
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from training.encoder.model_files import appearing_folder

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Standing:
    """How far a training has come; what cannot be had from the weights."""

    epoch: int = 0  # epochs done
    best_epoch: int = 0
    best_loss: float = float("inf")  # tempered validation loss after the best epoch
    history: list[dict[str, Any]] = field(default_factory=list)
    precision: str = "fp32"  # found once a run: a second measurement might fall out otherwise


def save_checkpoint(
    folder: Path,
    fingerprint: str,
    standing: Standing,
    weights: dict[str, torch.Tensor],
    best_weights: dict[str, torch.Tensor],
    optimiser: torch.optim.Optimizer,
) -> None:
    """Write the state after an epoch; the one before is removed once this one is whole."""
    target = folder / f"epoch-{standing.epoch:04d}"
    with appearing_folder(target) as temporary:
        save_file(
            {name: tensor.detach() for name, tensor in weights.items()}, temporary / "weights.safetensors"
        )
        if standing.best_epoch < standing.epoch:  # else they are the weights just written
            save_file(best_weights, temporary / "best.safetensors")
        save_file(_optimiser_tensors(weights, optimiser), temporary / "optimiser.safetensors")
        state = {"fingerprint": fingerprint, "standing": asdict(standing)}
        (temporary / "state.json").write_text(json.dumps(state), encoding="utf-8")
    for older in folder.glob("epoch-*"):
        if older != target:
            shutil.rmtree(older, ignore_errors=True)


def restore_checkpoint(
    folder: Path,
    fingerprint: str,
    weights: dict[str, torch.Tensor],
    optimiser: torch.optim.Optimizer,
) -> tuple[Standing, dict[str, torch.Tensor]] | None:
    """Load the last state into weights and optimiser; return it with the best weights, or None to start anew.

    A checkpoint of another config, other examples or another base model is not ours. One that cannot be read
    is worth less than the minutes it would save. In both cases nothing has been changed.
    """
    for checkpoint in sorted(folder.glob("epoch-*"), reverse=True):
        try:
            state = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
            if state["fingerprint"] != fingerprint:
                continue
            standing = Standing(**state["standing"])
            saved = load_file(checkpoint / "weights.safetensors")
            is_best = standing.best_epoch == standing.epoch
            best_weights = saved if is_best else load_file(checkpoint / "best.safetensors")
            moments = load_file(checkpoint / "optimiser.safetensors")
        except (OSError, ValueError, SafetensorError):
            logger.warning("checkpoint %s cannot be read; it is passed over", checkpoint.name)
            continue
        with torch.no_grad():
            for name, tensor in weights.items():
                tensor.copy_(saved[name])
        _load_optimiser(weights, optimiser, moments)
        return standing, best_weights
    return None


def _optimiser_tensors(
    weights: dict[str, torch.Tensor], optimiser: torch.optim.Optimizer
) -> dict[str, torch.Tensor]:
    """Return the optimiser's moments and step counts as "moment/parameter" -> tensor."""
    return {
        f"{kind}/{name}": tensor
        for name, weight in weights.items()
        for kind, tensor in optimiser.state[weight].items()
    }


def _load_optimiser(
    weights: dict[str, torch.Tensor], optimiser: torch.optim.Optimizer, moments: dict[str, torch.Tensor]
) -> None:
    for key, tensor in moments.items():
        kind, name = key.split("/", 1)
        weight = weights[name]
        # The step count stays on the CPU, as AdamW keeps it there; the moments live beside their weight.
        optimiser.state[weight][kind] = tensor if kind == "step" else tensor.to(weight.device)
