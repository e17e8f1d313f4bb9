"""What a network's outputs mean: one of K classes, any of K, or one of K in their order.

B texts, O outputs of the network, K classes. `scores` [B, K] are what a softmax (or, for any of K, a sigmoid)
turns into probabilities; a temperature divides them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel


class OneOf:
    """Exactly one of K classes: softmax over K outputs, cross-entropy against soft targets."""

    multiple = False
    problem_type = "single_label_classification"

    def output_names(self, class_names: list[str]) -> list[str]:
        return class_names

    def prepare(self, model: PreTrainedModel) -> None:
        """Change a freshly made model where transformers has no such head."""

    def scores(self, outputs: Tensor) -> Tensor:
        """Turn outputs [B, O] into scores [B, K]."""
        return outputs

    def losses(self, outputs: Tensor, targets: Tensor, class_weights: Tensor) -> Tensor:
        """Return [B] of -sum_k weight_k target_k log p_k, for targets [B, K] and class weights [K]."""
        return -(class_weights * targets * self.scores(outputs).log_softmax(dim=1)).sum(dim=1)


class AnyOf(OneOf):
    """Any of K labels, each a question of its own: a sigmoid an output, binary cross-entropy.

    Without weights by class: absence is a label's usual answer, and weights would undo its calibration.
    """

    multiple = True
    problem_type = "multi_label_classification"

    def losses(self, outputs: Tensor, targets: Tensor, class_weights: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean(dim=1)


class InOrder(OneOf):
    """One of K classes in their order: a cumulative-link model (McCullagh 1980) with one slope for all.

    Output k of K - 1 is the log-odds of "beyond class k": one score of the text minus threshold k. One slope
    and rising thresholds keep P(beyond k) falling in k, which K - 1 separate questions would not (CORAL, Cao
    et al. 2020). Trained by the likelihood of the class, for the sake of calibrated classes.
    """

    problem_type = "multi_label_classification"  # for a plain reader of the outputs: each has its sigmoid

    def output_names(self, class_names: list[str]) -> list[str]:
        return [f"beyond {name}" for name in class_names[:-1]]

    def prepare(self, model: PreTrainedModel) -> None:
        parent, name, linear = final_layer(model)
        setattr(parent, name, OrderedThresholds(linear.in_features, linear.out_features))

    def scores(self, outputs: Tensor) -> Tensor:
        """Return log p [B, K] of p_k = P(beyond k - 1) - P(beyond k).

        With s(x) = 1 / (1 + exp -x) and a > b, s(a) - s(b) = s(a) s(-b) (1 - exp(b - a)): no difference of
        nearly equal numbers, whichever tail the text is in.
        """
        edge = outputs.new_zeros(len(outputs), 1)
        above = torch.cat([edge, F.logsigmoid(outputs)], dim=1)  # log s(a); before the first class a is inf
        below = torch.cat([F.logsigmoid(-outputs), edge], dim=1)  # log s(-b)
        gaps = torch.diff(outputs, dim=1).clamp(max=-1e-6)  # b - a of the K - 2 classes within
        within = F.pad(torch.log(-torch.expm1(gaps)), (1, 1))
        return above + below + within


class OrderedThresholds(nn.Module):
    """[B, H] -> [B, K - 1]: one score a text, above thresholds that rise by construction."""

    def __init__(self, in_features: int, n_thresholds: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, in_features).normal_(std=0.02))
        self.first = nn.Parameter(torch.tensor([(n_thresholds - 1) / 2]))  # log-odds of beyond class 0
        self.gaps = nn.Parameter(torch.full((n_thresholds - 1,), 0.5413))  # softplus(0.5413) = 1

    @property
    def bias(self) -> Tensor:
        return torch.cat([self.first, self.first - F.softplus(self.gaps).cumsum(dim=0)])

    def forward(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.weight) + self.bias

    def folded(self) -> nn.Linear:
        """Return the same map as a linear layer with equal rows: what transformers can load."""
        bias = self.bias.detach()
        linear = nn.Linear(self.weight.shape[1], len(bias), device=bias.device)
        with torch.no_grad():
            linear.weight.copy_(self.weight.expand_as(linear.weight))
            linear.bias.copy_(bias)
        return linear


HEADS = {"single": OneOf(), "multiple": AnyOf(), "ordinal": InOrder()}


def final_layer(model: PreTrainedModel) -> tuple[nn.Module, str, nn.Module]:
    """Return the layer that makes the outputs, its parent and its name there; in every family it is last."""
    path, layer = [
        pair for pair in model.named_modules() if isinstance(pair[1], nn.Linear | OrderedThresholds)
    ][-1]
    parent, _, name = path.rpartition(".")
    return model.get_submodule(parent), name, layer


def fold(model: PreTrainedModel) -> PreTrainedModel:
    """Put a plain linear layer where a head was prepared; the outputs stay as they are."""
    parent, name, layer = final_layer(model)
    if isinstance(layer, OrderedThresholds):
        setattr(parent, name, layer.folded())
    return model
