"""AdamW with a rate for each layer, and the shape of the rate over the steps."""

import torch
from transformers import PreTrainedModel

from training.config import LoopConfig
from training.encoder.layers import depth_of, n_layers_of


def make_optimiser(model: PreTrainedModel, config: LoopConfig) -> torch.optim.AdamW:
    """Return AdamW (bias-corrected, as torch's is) whose groups carry a `factor` of the learning rate.

    Matrices alone are decayed (biases and LayerNorm have one dimension). Word embeddings are not: the vectors
    of words that no example holds stay as they were pretrained. The head, which is the classifier and BERT's
    pooler (trained for another task, if at all), goes faster; each layer further down goes slower by
    layer_decay (Howard and Ruder 2018; Zhang et al. 2021).
    """
    words = model.get_input_embeddings().weight
    n_layers = n_layers_of(model)
    groups: dict[tuple[float, bool], list[torch.Tensor]] = {}
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            continue
        if not name.startswith(f"{model.base_model_prefix}.") or ".pooler." in name:
            factor = config.head_learning_rate_factor
        else:
            factor = config.layer_decay ** (n_layers - 1 - depth_of(name))
        groups.setdefault((factor, weight.dim() >= 2 and weight is not words), []).append(weight)
    return torch.optim.AdamW(
        [
            {"params": weights, "weight_decay": config.weight_decay if decays else 0.0, "factor": factor}
            for (factor, decays), weights in groups.items()
        ],
        fused=True,  # one pass over the memory instead of ten: a fifteenth of a step of MiniLM's saved
    )


def share_of_peak(step: int, n_steps: int, warmup_share: float) -> float:
    """Return the share of the peak learning rate at a step from 0: up in a line, then down to zero.

    >>> [round(share_of_peak(step, 10, 0.2), 2) for step in (0, 1, 2, 9)]
    [0.5, 1.0, 1.0, 0.12]
    """
    n_warmup = max(1, round(warmup_share * n_steps))
    return min((step + 1) / n_warmup, (n_steps - step) / max(1, n_steps - n_warmup))
