"""Every hyper-parameter of one training, in one frozen value that is stored with the model it made."""

from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self


def shown_settings(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config as it may be shown and given away: without a place on this server."""
    return {name: value for name, value in config.items() if name != "base_model_path"}


TEST_SHARE = 0.15  # of the records, that judges at most; the random stream may be smaller
CERTAINTY_FLOOR = 0.4  # of a consensus, below which it is left out


@dataclass(frozen=True, slots=True)
class LoopConfig:
    """What the training loop reads, whatever is learned."""

    base_model_path: str  # a folder with config.json, a tokenizer and safetensors weights; never a hub name
    seed: int = 0  # head initialisation, dropout, order of the batches, split

    # Length. Sentences have about 35 tokens; 128 holds nearly all of them and keeps a step short. Longer
    # texts are read in windows.
    max_tokens: int = 128  # tokens a window, special tokens included

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
    layer_decay: float = 0.9  # what a layer's rate is of the rate of the layer above it
    weight_decay: float = 0.01  # a step, times the learning rate; not on biases, LayerNorm, word embeddings
    warmup_share: float = 0.1  # share of the steps before the full learning rate is reached
    max_grad_norm: float = 1.0  # L2 norm above which the gradient is scaled down
    frozen_share: float = 0.0  # of the layers, from the bottom, that stay as they were pretrained

    validation_share: float = 0.15  # of the groups (see algorithms/splits.py): decides when to stop
    max_unknown_share: float = 0.05  # share of [UNK] tokens above which the base model cannot read the texts
    eval_batch_tokens: int = 2048  # padded tokens a batch without gradients; fits the L2 cache of a CPU core
    precision: str = "auto"  # "auto" measures, "bf16" and "fp32" insist

    def __post_init__(self) -> None:
        if self.precision not in ("auto", "bf16", "fp32"):
            raise ValueError(f"precision is auto, bf16 or fp32, not {self.precision!r}")
        if not 1 <= self.min_epochs <= self.max_epochs:
            raise ValueError("min_epochs must be at least 1 and at most max_epochs")
        if min(self.batch_size, self.max_steps, self.patience, self.eval_batch_tokens) < 1:
            raise ValueError("batch_size, max_steps, patience and eval_batch_tokens must be at least 1")
        if self.max_tokens < 8:
            raise ValueError("max_tokens must be at least 8")
        if not 0 < self.layer_decay <= 1:
            raise ValueError("layer_decay must be above 0 and at most 1")
        if not 0 <= self.frozen_share <= 1:
            raise ValueError("frozen_share must be between 0 and 1")
        if not 0 < self.validation_share < 1:
            raise ValueError("validation_share must be above 0 and below 1")

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
    def from_dict(cls, values: dict[str, Any]) -> Self:
        return cls(**values)


@dataclass(frozen=True, slots=True)
class FineTuneConfig(LoopConfig):
    """How one encoder is fine-tuned; equal configs, examples and machine give equal models.

    The defaults were chosen with MiniLM (6 layers, 384 wide) on sentences and short notes; the figures
    are in benchmarks/text_accuracy.py.
    """

    # Few labels: another head and another order can move accuracy by points (Mosbach et al. 2021), and what
    # stops and calibrates is missed by what learns. So networks rehearse, each without other texts, with
    # seed, seed + 1, ...; then one learns from all, for as long as suited those.
    few_examples: int = 200  # examples to train on below which several rehearse
    seeds_when_few: int = 3  # that rehearse
    spare_seeds: int = 2  # for a last network that learns next to nothing
    enough_examples: int = 1000  # from which on one network does, and what stops it is left out for good

    # A step takes a third less without the lowest third of the layers, and the models are as good: figures in
    # docs/figures.md.
    frozen_share: float = 1 / 3

    # Windows of a long text, whose outputs are averaged; of a pair's two texts, the longer one is cut.
    window_overlap: int = 32  # tokens that two windows share, so that no phrase is cut in both
    train_windows: int = 4  # of one text in a step, drawn anew in each epoch; scoring reads all of them

    # A network that marks decides about each token, and hardly any is marked: it needs so many times the
    # steps, epochs and patience; figures in benchmarks/spans_accuracy.py.
    marking_factor: int = 3

    # Parts besides validation_share, of the groups as well.
    test_share: float = TEST_SHARE  # never looked at here: it judges
    calibration_share: float = 0.1  # how sure the model may be is learned from these alone

    # Labels that volunteers are hardly sure of teach noise.
    certainty_floor: float = CERTAINTY_FLOOR

    imbalance_ratio: float = 3.0  # largest class over smallest from which the loss is weighted by class

    def __post_init__(self) -> None:
        LoopConfig.__post_init__(self)  # super() does not know a class with slots
        if not 0 < self.validation_share + self.test_share + self.calibration_share < 1:
            raise ValueError("validation_share, test_share and calibration_share leave nothing to train on")
        if min(self.train_windows, self.marking_factor) < 1:
            raise ValueError("train_windows and marking_factor must be at least 1")
        if not 1 <= self.seeds_when_few <= 4:
            raise ValueError("seeds_when_few must be between 1 and 4")  # quarters that are left out
        if not 0 <= self.window_overlap <= self.max_tokens // 2:
            raise ValueError("window_overlap must be at most half of max_tokens")

    def for_marks(self) -> Self:
        """Return how a network that marks is trained."""
        factor = self.marking_factor
        return replace(
            self,
            max_steps=factor * self.max_steps,
            max_epochs=factor * self.max_epochs,
            patience=factor * self.patience,
        )

    def seeds_for(self, n_train: int) -> list[int]:
        """Return a seed for each turn on n_train examples; the last of several learns from all.

        >>> config = FineTuneConfig("m", seed=7, few_examples=200, seeds_when_few=3, enough_examples=1000)
        >>> config.seeds_for(150), config.seeds_for(500), config.seeds_for(1000)
        ([7, 8, 9, 10], [7, 8], [7])
        """
        n_turns = self.n_rehearsals(n_train) + (n_train < self.enough_examples)
        return [self.seed + turn for turn in range(n_turns)]

    def n_rehearsals(self, n_train: int) -> int:
        """Return how often something is held out."""
        return self.seeds_when_few if n_train < self.few_examples else 1


@dataclass(frozen=True, slots=True)
class PretrainConfig(LoopConfig):
    """How an encoder is pretrained further on texts without labels: a window of a text is an example.

    Domain- and task-adaptive pretraining after Gururangan et al. 2020; figures in benchmarks/pretraining.py.
    """

    train_windows: ClassVar[int] = 1  # a window stands alone: there is no verdict to average

    masked_share: float = 0.15  # of the words
    min_windows: int = 200  # fewer teach words by heart, not a language

    batch_size: int = 32
    max_steps: int = 2000
    min_epochs: int = 1
    max_epochs: int = 10
    patience: int = 2
    layer_decay: float = 1.0  # all layers have something to learn of new words
    validation_share: float = 0.1

    def __post_init__(self) -> None:
        LoopConfig.__post_init__(self)
        if not 0 < self.masked_share < 1:
            raise ValueError("masked_share must be above 0 and below 1")
