"""Which words of one text a fine-tuned encoder's opinion rests on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from training.algorithms.calibration import apply_temperature
from training.algorithms.explanation import Explanation, Scored, log_odds_of, merged, occluded, words_of
from training.encoder.base_model import load_classifier, load_tokenizer
from training.encoder.heads import HEADS, OneOf
from training.encoder.kept_model import kept
from training.encoder.model_files import loadable_manifest
from training.encoder.precision import best_device
from training.encoder.refusals import refuse_no_memory
from training.encoder.scoring import predict_proba, ready_to_score
from training.encoder.tokens import reading_limits
from training.errors import TrainingRefused

# Points at which the gradient is taken on the way from blanks to the text: as many as 128 tokens leave time
# for in two seconds of two cores, and more where the text is shorter.
LEAST_STEPS, MOST_STEPS = 16, 64
LARGEST_GAP = 0.1  # of the change: parts that miss more of it are not shown
LEAST_CHANGE = 0.5  # in log-odds: where blanks are as sure as the text, the way between them tells little
MOST_TOKENS = 4096  # some thirty pages of a record; it is a person who waits
TOKENS_PER_BATCH = 2048


class Unattributable(Exception):
    """The gradients of this network do not say what the words of this text add."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A text, or a pair, as the W windows of L tokens in which the model reads it."""

    inputs: dict[str, Tensor]  # what the network takes: input_ids [W, L] and what goes with them
    text_of: np.ndarray  # [W, L]: 0 the first text, 1 the second, -1 what is of neither
    offsets: np.ndarray  # [W, L, 2]: code points of its text


def explain(
    model_dir: Path | str, text: str, second: str | None = None, *, class_index: int | None = None
) -> Explanation:
    """Return what the words of a text add to the log-odds of a class, the likeliest if none is named.

    Integrated gradients (Sundararajan et al. 2017) of the word embeddings, on the straight way from as many
    blanks as the text has tokens; sub-words summed to words. Blanks are [MASK] or [PAD], whichever the model
    takes less for the text. Where the parts miss the change by more than LARGEST_GAP, where there is hardly
    any, or where the network takes no embeddings, each word is taken out in turn instead. Refused for
    spans, and for a text of more than MOST_TOKENS.
    """
    folder = Path(model_dir)
    manifest = loadable_manifest(folder)
    if manifest["head"] not in HEADS:
        raise TrainingRefused(
            "spans_not_explained", "A model that marks words shows what it looked at by what it marks."
        )
    tokenizer, model = kept(_ready_to_explain, folder)
    network = Network(model, HEADS[manifest["head"]], manifest["temperature"])
    reading = _read(tokenizer, text, second, manifest["config"])
    with refuse_no_memory():
        probabilities = network.probabilities(reading)
        chosen = int(probabilities.argmax()) if class_index is None else class_index
        try:
            found = _by_gradients(network, reading, tokenizer, chosen, text, second)
        except Unattributable:
            found = _by_occlusion(folder, chosen, text, second)
    return Explanation(
        class_index=chosen,
        class_name=manifest["class_names"][chosen],
        probability=float(probabilities[chosen]),
        **found,
    )


class Network:
    """A classifier, its head and its temperature: from token ids or embeddings to tempered scores."""

    def __init__(self, model: PreTrainedModel, head: OneOf, temperature: float) -> None:
        self.model, self.head, self.temperature = model, head, temperature

    def scores(self, inputs: dict[str, Tensor], n_windows: int) -> Tensor:
        """Return [B, K] for B times the windows of one text."""
        outputs = self.model(**inputs).logits.unflatten(0, (-1, n_windows)).mean(dim=1)
        return self.head.scores(outputs) / self.temperature

    def log_odds(self, inputs: dict[str, Tensor], n_windows: int, chosen: int) -> Tensor:
        """Return [B] of the chosen class."""
        scores = self.scores(inputs, n_windows)
        if self.head.multiple:
            return scores[:, chosen]
        others = torch.cat([scores[:, :chosen], scores[:, chosen + 1 :]], dim=1)
        return scores[:, chosen] - others.logsumexp(dim=1)

    def probabilities(self, reading: Reading) -> np.ndarray:
        with torch.inference_mode():
            scores = self.scores(self._on_device(reading.inputs), len(reading.text_of))
        return apply_temperature(scores.cpu().numpy(), 1.0, multiple=self.head.multiple)[0]

    def attributions(
        self, reading: Reading, chosen: int, blanks: list[int]
    ) -> tuple[np.ndarray, float, float]:
        """Return what each token adds [W, L], the change, and how far the parts are from it."""
        from captum.attr import IntegratedGradients  # takes seconds, which trainings need not wait for

        inputs = self._on_device(reading.inputs)
        ids = inputs.pop("input_ids")
        plain = torch.from_numpy(reading.text_of >= 0).to(ids.device)
        n_windows, n_tokens = ids.shape
        embed = self.model.get_input_embeddings()
        text = embed(ids)[None]  # [1, W, L, D]
        baselines = torch.stack([embed(ids.masked_fill(plain, blank)) for blank in blanks])

        def log_odds(embeddings: Tensor) -> Tensor:  # [B, W, L, D] -> [B]
            rest = {name: value.repeat(len(embeddings), 1) for name, value in inputs.items()}
            return self.log_odds({"inputs_embeds": embeddings.flatten(0, 1), **rest}, n_windows, chosen)

        with torch.no_grad():
            known = self.log_odds({"input_ids": ids, **inputs}, n_windows, chosen)
            if not torch.allclose(log_odds(text), known, atol=1e-2):
                raise Unattributable  # the network makes more of ids than their embeddings
            changes = known - torch.cat([log_odds(one[None]) for one in baselines])
        best = int(changes.abs().argmax())
        if abs(float(changes[best])) < LEAST_CHANGE:
            raise Unattributable
        parts, delta = IntegratedGradients(log_odds).attribute(
            text,
            baselines[best][None],
            n_steps=max(LEAST_STEPS, min(MOST_STEPS, TOKENS_PER_BATCH // ids.numel())),
            method="gausslegendre",
            internal_batch_size=max(1, TOKENS_PER_BATCH // (n_windows * n_tokens)),
            return_convergence_delta=True,
        )
        parts = parts[0].sum(dim=-1).cpu().numpy().astype(np.float64)
        return parts, float(parts.sum() - delta), abs(float(delta))

    def _on_device(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value.to(self.model.device) for name, value in inputs.items()}


def _ready_to_explain(folder: Path) -> tuple[Tokenizer, PreTrainedModel]:
    model = ready_to_score(load_classifier(folder), "fp32").requires_grad_(False)
    return load_tokenizer(folder), model.to(best_device())


def _read(tokenizer: Tokenizer, text: str, second: str | None, config: dict) -> Reading:
    """As `tokenise` reads it for training and scoring, with the place of each token."""
    encoded = tokenizer(
        text,
        second,
        padding=True,
        return_tensors="pt",
        return_offsets_mapping=True,
        **reading_limits(
            tokenizer, config["max_tokens"], config["window_overlap"], is_pair=second is not None
        ),
    )
    ids = encoded["input_ids"]
    if ids.numel() > MOST_TOKENS:
        raise TrainingRefused(
            "too_long_to_explain", "This text is too long to say in reasonable time what the model looked at."
        )
    owners = [[-1 if one is None else one for one in encoded.sequence_ids(w)] for w in range(len(ids))]
    names = ["input_ids", *tokenizer.model_input_names]
    inputs = {name: encoded[name] for name in names if name in encoded}
    if "attention_mask" in inputs and bool(inputs["attention_mask"].all()):
        del inputs["attention_mask"]  # faster without, where nothing is padded
    return Reading(inputs, np.array(owners), encoded["offset_mapping"].numpy())


def _by_gradients(
    network: Network, reading: Reading, tokenizer: Tokenizer, chosen: int, text: str, second: str | None
) -> dict:
    blanks = [one for one in (tokenizer.mask_token_id, tokenizer.pad_token_id) if one is not None]
    try:
        parts, change, gap = network.attributions(reading, chosen, blanks)
    except (NotImplementedError, TypeError, ValueError) as error:  # as transformers says: no embeddings taken
        raise Unattributable from error
    if not gap <= LARGEST_GAP * abs(change):
        raise Unattributable

    def onto(words_text: str | None, number: int) -> list[Scored]:
        of_text = reading.text_of == number
        return merged(words_of(words_text or ""), reading.offsets[of_text].tolist(), parts[of_text])

    return {
        "method": "integrated_gradients",
        "words": onto(text, 0),
        "second_words": onto(second, 1),
        "change": change,
        "convergence_gap": gap,
    }


def _by_occlusion(folder: Path, chosen: int, text: str, second: str | None) -> dict:
    def with_first(texts: list[str]) -> np.ndarray:
        seconds = None if second is None else [second] * len(texts)
        return log_odds_of(predict_proba(folder, texts, seconds)[:, chosen])

    def with_second(texts: list[str]) -> np.ndarray:
        return log_odds_of(predict_proba(folder, [text] * len(texts), texts)[:, chosen])

    return {
        "method": "occlusion",
        "words": occluded(with_first, text),
        "second_words": [] if second is None else occluded(with_second, second),
    }
