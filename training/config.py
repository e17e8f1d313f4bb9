"""Every hyper-parameter of one fine-tuning, in one frozen value that is stored with the model it made."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FineTuneConfig:
    """How one encoder is fine-tuned; equal configs, examples and machine give equal models.

    The defaults were chosen with MiniLM (6 layers, 384 wide) on sentences and short notes; the figures
    are in benchmarks/text_accuracy.py.
    """

    base_model_path: str  # a folder with config.json, a tokenizer and safetensors weights; never a hub name
    seed: int = 0  # head initialisation, dropout, order of the batches, split

    # Length. Sentences have about 35 tokens; 128 holds nearly all of them and keeps a step short.
    max_tokens: int = 128  # tokens a text, special tokens included; the rest is cut off

    # Steps. Few labels need many epochs (Mosbach et al. 2021, Zhang et al. 2021), many labels need few:
    # the budget is in steps, and the two limits keep the extremes sane.
    batch_size: int = 16  # examples a step
    max_steps: int = 400  # optimiser steps that the number of epochs is derived from
    min_epochs: int = 3  # passes over the training part, however large it is
    max_epochs: int = 15  # passes over the training part, however small it is
    patience: int = 5  # epochs without a lower tempered validation loss, after a quarter, before it stops

    # AdamW with bias correction, linear warm-up, linear decay to zero.
    learning_rate: float = 5e-5  # peak, at a width of 768; see learning_rate_for
    head_learning_rate_factor: float = 5.0  # the head starts from random weights and has further to go
    weight_decay: float = 0.01  # a step, times the learning rate; not on biases, LayerNorm, word embeddings
    warmup_share: float = 0.1  # share of the steps before the full learning rate is reached
    max_grad_norm: float = 1.0  # L2 norm above which the gradient is scaled down

    # Parts, as shares of the groups (see algorithms/splits.py).
    validation_share: float = 0.15  # decides when to stop
    test_share: float = 0.15  # looked at once, after training

    # Limits.
    imbalance_ratio: float = 3.0  # largest class over smallest from which the loss is weighted by class
    max_unknown_share: float = 0.05  # share of [UNK] tokens above which the base model cannot read the texts
    eval_batch_tokens: int = 2048  # padded tokens a batch without gradients; fits the L2 cache of a CPU core
    precision: str = "auto"  # "auto" measures, "bf16" and "fp32" insist

    def __post_init__(self) -> None:
        if self.precision not in ("auto", "bf16", "fp32"):
            raise ValueError(f"precision is auto, bf16 or fp32, not {self.precision!r}")
        if not 0 < self.validation_share + self.test_share < 1:
            raise ValueError("validation_share and test_share leave nothing to train on")
        if not 1 <= self.min_epochs <= self.max_epochs:
            raise ValueError("min_epochs must be at least 1 and at most max_epochs")
        if min(self.batch_size, self.max_steps, self.patience, self.eval_batch_tokens) < 1:
            raise ValueError("batch_size, max_steps, patience and eval_batch_tokens must be at least 1")
        if self.max_tokens < 8:
            raise ValueError("max_tokens must be at least 8")

    def epochs_for(self, n_train: int) -> int:
        """Return the most epochs to train on n_train examples.

        >>> FineTuneConfig("m", batch_size=16, max_steps=400, min_epochs=3, max_epochs=20).epochs_for(800)
        8
        """
        steps_per_epoch = -(-n_train // self.batch_size)
        return min(self.max_epochs, max(self.min_epochs, self.max_steps // steps_per_epoch))

    def learning_rate_for(self, width: int) -> float:
        """Return the peak learning rate for an encoder whose hidden states are `width` wide.

        A narrower network needs larger steps. By the square of the width, what suits BERT-base (768) and
        BERT-large (1024) gives 2e-4 for MiniLM (384), which needs a third of the steps of 1e-4.
        """
        return self.learning_rate * (768 / width) ** 2

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "FineTuneConfig":
        return cls(**values)
