"""The lesson of spans: a layer of BIO tags for each label, over the encoder's own tokens."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import log_softmax
from torch import Tensor
from transformers import PreTrainedModel

from training.algorithms.calibration import (
    cross_entropies,
    fit_sigmoid,
    fit_temperature,
    tempered_cross_entropy,
)
from training.algorithms.examples import Examples, Span
from training.algorithms.token_tags import (
    best_tags,
    soft_tags_of,
    span_of,
    span_score,
    strict_f1,
    tags_of,
    token_runs,
)
from training.config import FineTuneConfig
from training.encoder.base_model import fresh_tagger
from training.encoder.batches import computed_batches
from training.encoder.heads import final_layer
from training.encoder.scoring import ready_to_score
from training.encoder.tokens import Inputs, Tokens
from training.encoder.turns import plan_of
from training.encoder.windows import windows_of
from training.errors import TrainingRefused

SMALLEST_COUNT = 0.1  # of a tag that no text to learn from has


class Tagging:
    """See training_loop.Lesson. L labels; the network has 3 L outputs a token."""

    def __init__(
        self,
        examples: Examples,
        tokens: Tokens,
        base: Path,
        config: FineTuneConfig,
        on_batch: Callable[[], None],
    ) -> None:
        self.examples, self.tokens, self.base, self.config = examples, tokens, base, config
        self.labels, self.on_batch = list(examples.class_names), on_batch
        self.plan = plan_of(examples, config)
        self.turns, self.spares, self.weights = self.plan.turns, self.plan.spares, self.plan.weights
        self._refuse_unlearnable()
        self.tags = [
            tags_of(tokens.text_offsets(text), spans, self.labels)
            for text, spans in enumerate(examples.spans)
        ]  # N of [T, L]
        self.beliefs = examples.span_beliefs and [
            soft_tags_of(tokens.text_offsets(text), spans, self.labels).astype(np.float16)
            for text, spans in enumerate(examples.span_beliefs)
        ]  # N of [T, L, 3]
        lengths = [len(self.tags[row]) for row in self.plan.learned]
        longest = config.train_windows * config.max_tokens
        self.mean_tokens = float(np.minimum(lengths, longest).mean())  # that a step reads of a text

    def _refuse_unlearnable(self) -> None:
        if not any(self.examples.spans[row] for row in self.turns[0].train):
            raise TrainingRefused(
                "one_class",
                "Nothing is marked in any of the examples to train on, so there is nothing to find. "
                "Collect texts in which something is marked.",
            )

    def fresh_model(self) -> PreTrainedModel:
        """Return a network that begins with each tag as likely as it is among the texts to learn from.

        Else the first epochs teach it that most tokens are outside, which only its biases have to say (as in
        Lin et al. 2017, "Focal loss for dense object detection", section 4.1).
        """
        model = fresh_tagger(self.base, self.labels)
        sums = sum(self._targets(text, slice(None)).sum(axis=0) for text in self.plan.learned.tolist())
        shares = (sums + SMALLEST_COUNT) / (sums + SMALLEST_COUNT).sum(axis=1, keepdims=True)  # [L, 3]
        _, _, outputs = final_layer(model)
        with torch.no_grad():
            outputs.bias.copy_(torch.from_numpy(np.log(shares).reshape(-1)))
        return model

    def inputs(self, windows: np.ndarray, device: torch.device, seed: list[int]) -> Inputs:
        return self.tokens.padded(windows, device)

    def losses(
        self, outputs: Tensor, inputs: Inputs, texts: np.ndarray, windows: np.ndarray, place: np.ndarray
    ) -> Tensor:
        """Return [B] the cross-entropy with each text's tags, or with how likely people hold them, summed
        over tokens and labels.

        Of outputs [R, W, 3 L] of R windows of W tokens. In units of the mean text: a long text has more to
        say, and the loss is of the size of other heads'.
        """
        n_windows, n_tokens, _ = outputs.shape
        # Zeros, and so no loss, for special tokens and padding.
        targets = np.zeros((n_windows, n_tokens, len(self.labels), 3), dtype=np.float32)
        for row, (window, text) in enumerate(zip(windows, texts[place], strict=True)):
            places = self.tokens.places[self.tokens.starts[window] : self.tokens.starts[window + 1]]
            plain = np.flatnonzero(places >= 0)
            targets[row, plain] = self._targets(text, places[plain])
        log_p = outputs.view(targets.shape).log_softmax(dim=3)
        of_windows = -(torch.from_numpy(targets).to(outputs.device) * log_p).sum(dim=(1, 2, 3))
        of_texts = of_windows.new_zeros(len(texts))
        return (
            of_texts.index_add(0, torch.from_numpy(place).to(outputs.device), of_windows) / self.mean_tokens
        )

    def predict(self, model: PreTrainedModel, precision: str, rows: np.ndarray) -> np.ndarray:
        """Return scores [tokens of all these texts, L, 3]."""
        scores = tag_scores(
            ready_to_score(model, precision),
            self.tokens,
            rows,
            batch_tokens=self.config.eval_batch_tokens,
            on_batch=lambda done: self.on_batch(),
        )
        return np.concatenate(scores)

    def judge(self, predicted: np.ndarray, rows: np.ndarray) -> dict[str, float]:
        rows, scores = self._apart(predicted, rows, self.plan.stopping)
        targets, flat = self._flat(rows, scores)
        weights = np.repeat(self.weights[rows], [len(tags) * len(self.labels) for tags in scores])
        found = [[span for span, _ in self._found(row, one)] for row, one in zip(rows, scores, strict=True)]
        # Right is what the tags can say: a span within a token was widened to it.
        right = [self._right(row) for row in rows]
        return {
            "validation_loss": float(np.average(cross_entropies(targets, flat), weights=weights)),
            "tempered_loss": tempered_cross_entropy(targets, flat, weights),
            "validation_f1": strict_f1(found, right),
        }

    def calibrate(self, predicted: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
        """Return the temperature of the tags, and the sigmoid that makes a span's score a probability."""
        rows, scores = self._apart(predicted, rows, self.plan.calibration)
        temperature = fit_temperature(*self._flat(rows, scores))
        of_spans, hits = [], []
        for row, one in zip(rows, scores, strict=True):
            right = set(self._right(row))
            for span, score in self._found(row, one / temperature):
                of_spans.append(score)
                hits.append(span in right)
        slope, shift = fit_sigmoid(np.array(of_spans), np.array(hits, dtype=float))
        return {
            "temperature": temperature,
            "temperature_from": self.plan.calibrated_from,
            "n_calibration": len(rows),
            "span_slope": slope,
            "span_shift": shift,
        }

    def derived(self) -> dict[str, Any]:
        return {"n_validation": len(self.plan.stopping), "mean_tokens": self.mean_tokens}

    def _apart(
        self, predicted: np.ndarray, rows: np.ndarray, chosen: np.ndarray
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return (those of the rows that were chosen, each one's scores [T, L, 3])."""
        each = np.split(predicted, np.cumsum([len(self.tags[row]) for row in rows])[:-1])
        is_chosen = np.isin(rows, chosen)
        return rows[is_chosen], [scores for scores, one in zip(each, is_chosen, strict=True) if one]

    def _flat(self, rows: np.ndarray, scores: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return (targets, scores), both [tokens * L, 3], of all tokens of some texts."""
        targets = np.concatenate([self._targets(row, slice(None)).reshape(-1, 3) for row in rows])
        return targets, np.concatenate([one.reshape(-1, 3) for one in scores])

    def _targets(self, text: int, places: np.ndarray | slice) -> np.ndarray:
        """Return [P, L, 3], how likely each tag of these tokens is."""
        if self.beliefs is None:
            return np.eye(3, dtype=np.float32)[self.tags[text][places]]
        return self.beliefs[text][places].astype(np.float32)

    def _found(self, row: int, scores: np.ndarray) -> list[tuple[Span, float]]:
        return scored_spans(scores, self.tokens.text_offsets(row), self.examples.texts[row], self.labels)

    def _right(self, row: int) -> list[Span]:
        offsets, text = self.tokens.text_offsets(row), self.examples.texts[row]
        return [span_of(run, offsets, text, self.labels) for run in token_runs(self.tags[row])]


def tag_scores(
    model: PreTrainedModel,
    tokens: Tokens,
    texts: np.ndarray,
    *,
    batch_tokens: int,
    on_batch: Callable[[float], None] = lambda done: None,
) -> list[np.ndarray]:
    """Return float32 [T, L, 3] for each text; a token in two windows has the mean of both."""
    windows, place = windows_of(tokens, texts)
    lengths = tokens.window_lengths[windows]
    n_labels = model.config.num_labels // 3
    sums = [np.zeros((len(tokens.text_offsets(text)), n_labels, 3), dtype=np.float32) for text in texts]
    counts = [np.zeros(len(one), dtype=np.float32) for one in sums]
    n_tokens, n_done = max(int(lengths.sum()), 1), 0

    def logits_of(batch: np.ndarray) -> np.ndarray:
        return model(**tokens.padded(windows[batch], model.device)).logits.float().cpu().numpy()

    with torch.inference_mode():
        for batch, logits in computed_batches(lengths, batch_tokens, logits_of):
            for row, window, text in zip(logits, windows[batch], place[batch], strict=True):
                places = tokens.places[tokens.starts[window] : tokens.starts[window + 1]]
                plain = np.flatnonzero(places >= 0)
                sums[text][places[plain]] += row[plain].reshape(-1, n_labels, 3)
                counts[text][places[plain]] += 1
            n_done += int(lengths[batch].sum())
            on_batch(n_done / n_tokens)
    return [one / count[:, None, None] for one, count in zip(sums, counts, strict=True)]


def scored_spans(
    scores: np.ndarray, offsets: np.ndarray, text: str, labels: list[str]
) -> list[tuple[Span, float]]:
    """Return the likeliest legal spans of a text, by place, each with the log-odds of its certainty."""
    log_p = log_softmax(scores.astype(np.float64), axis=2)  # [T, L, 3]
    runs = token_runs(best_tags(log_p))
    return sorted((span_of(run, offsets, text, labels), span_score(log_p, run)) for run in runs)
