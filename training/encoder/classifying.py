"""The lesson of every head that gives a text (or a pair) probabilities of K classes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from training.algorithms.calibration import (
    apply_temperature,
    cross_entropies,
    fit_temperature,
    tempered_cross_entropy,
)
from training.algorithms.class_weights import class_weights
from training.algorithms.examples import Examples
from training.config import FineTuneConfig
from training.encoder.base_model import fresh_classifier
from training.encoder.heads import HEADS
from training.encoder.scoring import ready_to_score, scores_of
from training.encoder.tokens import Inputs, Tokens
from training.encoder.turns import plan_of
from training.encoder.windows import pooled
from training.errors import TrainingRefused


class Classifying:
    """See training_loop.Lesson."""

    def __init__(
        self,
        examples: Examples,
        tokens: Tokens,
        base: Path,
        config: FineTuneConfig,
        on_batch: Callable[[], None],
    ) -> None:
        self.examples, self.tokens, self.base, self.config = examples, tokens, base, config
        self.head, self.on_batch = HEADS[examples.head], on_batch
        self.targets = np.asarray(examples.targets, dtype=np.float32)  # [N, K]
        self.plan = plan_of(examples, config)
        self.turns, self.spares, self.weights = self.plan.turns, self.plan.spares, self.plan.weights
        self._refuse_unlearnable()
        mass = self.weights[self.plan.learned] @ self.targets[self.plan.learned]  # [K]
        found = None if self.head.multiple else class_weights(mass, imbalance_ratio=config.imbalance_ratio)
        self.class_weights = found
        self._class_weights = torch.ones(len(mass)) if found is None else torch.from_numpy(found).float()

    def _refuse_unlearnable(self) -> None:
        chosen = self.targets[self.turns[0].train]
        said = chosen > 0.5 if self.head.multiple else chosen.argmax(axis=1)[:, None]
        if (said == said[0]).all():
            raise TrainingRefused(
                "one_class",
                "All examples to train on have the same label, so there is nothing to tell apart. "
                "Collect examples of at least two labels.",
            )

    def fresh_model(self) -> PreTrainedModel:
        return fresh_classifier(self.base, self.examples.head, list(self.examples.class_names))

    def inputs(self, windows: np.ndarray, device: torch.device, seed: list[int]) -> Inputs:
        return self.tokens.padded(windows, device)

    def losses(
        self, outputs: Tensor, inputs: Inputs, texts: np.ndarray, windows: np.ndarray, place: np.ndarray
    ) -> Tensor:
        device = outputs.device
        of_texts = pooled(outputs, torch.from_numpy(place).to(device), len(texts))  # [B, O]
        targets = torch.from_numpy(self.targets[texts]).to(device)
        return self.head.losses(of_texts, targets, self._class_weights.to(device))

    def predict(self, model: PreTrainedModel, precision: str, rows: np.ndarray) -> np.ndarray:
        """Return scores [rows, K]."""
        return scores_of(
            ready_to_score(model, precision),
            self.head,
            self.tokens,
            rows,
            batch_tokens=self.config.eval_batch_tokens,
            on_batch=lambda done: self.on_batch(),
        )

    def judge(self, predicted: np.ndarray, rows: np.ndarray) -> dict[str, float]:
        chosen = np.isin(rows, self.plan.stopping)
        scores, targets, weights = predicted[chosen], self.targets[rows[chosen]], self.weights[rows[chosen]]
        losses = cross_entropies(targets, scores, multiple=self.head.multiple)
        if self.head.multiple:
            hits = ((scores > 0) == (targets > 0.5)).mean(axis=1)
        else:
            hits = scores.argmax(axis=1) == targets.argmax(axis=1)
        return {
            "validation_loss": float(np.average(losses, weights=weights)),
            "tempered_loss": tempered_cross_entropy(targets, scores, weights, multiple=self.head.multiple),
            "validation_accuracy": float(np.average(hits, weights=weights)),
        }

    def calibrate(self, predicted: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
        """Return what the manifest says of the temperature, and of texts that were held out in turn."""
        chosen = np.isin(rows, self.plan.calibration)
        rows, scores, multiple = rows[chosen], predicted[chosen], self.head.multiple
        temperature = fit_temperature(self.targets[rows], scores, multiple=multiple)
        known = {
            "temperature": temperature,
            "temperature_from": self.plan.calibrated_from,
            "n_calibration": len(rows),
        }
        if not self.plan.rehearses:
            return known
        opinions = apply_temperature(scores, temperature, multiple=multiple).astype(float).round(4)
        return known | {"out_of_fold": {"rows": rows.tolist(), "probabilities": opinions.tolist()}}

    def derived(self) -> dict[str, Any]:
        """Return what followed from the examples, for the manifest."""
        weights = None if self.class_weights is None else self.class_weights.tolist()
        return {"n_validation": len(self.plan.stopping), "class_weights": weights}
