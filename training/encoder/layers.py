"""How deep a weight lies in an encoder, and the bottom that stays as it was pretrained."""

import re

from torch import nn
from transformers import PreTrainedModel

LAYER = re.compile(r"\.layers?\.(\d+)\.")  # encoder.layer.3. in BERT, layers.3. in ModernBERT


def depth_of(name: str) -> int:
    """Return a parameter's layer, counted from 0 at the bottom; embeddings are below, at -1."""
    found = LAYER.search(name)
    return int(found[1]) if found else -1


def n_layers_of(model: PreTrainedModel) -> int:
    return 1 + max((depth_of(name) for name, _ in model.named_parameters()), default=0)


def freeze_bottom(model: PreTrainedModel, share: float) -> list[nn.Module]:
    """Freeze the embeddings and a share of the layers, rounded; return what is frozen. Of 0, nothing is.

    Lower layers hold what all texts of a language have in common, and a few hundred labels say little of it:
    the upper ones learn nearly as much alone (Lee, Tang and Lin 2019), for less work. What is frozen needs no
    gradient, and no dropout, which would be noise that nothing learns from.
    """
    if not share:
        return []
    n_frozen = round(share * n_layers_of(model))
    frozen = [
        module
        for name, module in model.named_modules()
        if name.endswith(".embeddings") or 0 <= depth_of(f"{name}.") < n_frozen
    ]
    for module in frozen:
        module.requires_grad_(False)
    return frozen
