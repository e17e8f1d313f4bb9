"""The lesson of pretraining: find the words that were masked. A window of a text is an example of its own."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer

from training.algorithms.word_masks import Vocabulary, masked_words, n_chosen, words_of
from training.config import PretrainConfig
from training.encoder.base_model import load_masked_lm
from training.encoder.tokens import Inputs, Tokens, sorted_batches
from training.encoder.turns import Turn
from training.errors import TrainingRefused


class MaskedWords:
    """See training_loop.Lesson. V words in the vocabulary; C tokens of a batch are to be found."""

    def __init__(
        self,
        tokens: Tokens,
        words: np.ndarray,
        is_validation: np.ndarray,
        vocabulary: Vocabulary,
        base: Path,
        config: PretrainConfig,
        on_batch: Callable[[], None],
    ) -> None:
        """tokens: of windows, a text each. words: int [., as tokens.ids]. is_validation: bool [M]."""
        self.tokens, self.words, self.vocabulary = tokens, words, vocabulary
        self.base, self.config, self.on_batch = base, config, on_batch
        is_plain = words >= 0
        begins = is_plain & (words != np.roll(words, 1))  # a window begins with a special token
        n_words, n_plain = (np.add.reduceat(flags, tokens.starts[:-1]) for flags in (begins, is_plain))  # [M]
        train, held_out = (np.flatnonzero(part & (n_words > 0)) for part in (~is_validation, is_validation))
        if len(train) < config.min_windows or not len(held_out):
            raise too_few_texts(len(train), config.min_windows)
        self.turns, self.spares = [Turn(config.seed, train, held_out)], []
        self.weights = np.ones(len(tokens), dtype=np.float32)
        words_each, tokens_each = n_words[train], n_plain[train]
        # Tokens of a window that are to be found.
        self.mean_chosen = float(
            (n_chosen(words_each, config.masked_share) * tokens_each / words_each).mean()
        )

    def fresh_model(self) -> PreTrainedModel:
        model = load_masked_lm(self.base)
        read_chosen_only(model)
        return model

    def inputs(self, windows: np.ndarray, device: torch.device, seed: list[int]) -> Inputs:
        """Return the windows as shown, and "chosen" [C]: places in [R * L] of the tokens to be found."""
        inputs = self.tokens.padded(windows, torch.device("cpu"))
        shown, chosen = inputs["input_ids"].numpy(), []
        for row, window in enumerate(windows):
            span = slice(self.tokens.starts[window], self.tokens.starts[window + 1])
            # By window, so that a batch that is cut into pieces hides what the whole one does.
            rng = np.random.default_rng([*seed, window])
            ids, places = masked_words(
                self.tokens.ids[span],
                self.words[span],
                self.vocabulary,
                share=self.config.masked_share,
                rng=rng,
            )
            shown[row, : len(ids)] = ids
            chosen.append(row * shown.shape[1] + places)
        inputs["chosen"] = torch.from_numpy(np.concatenate(chosen))
        return {name: tensor.to(device) for name, tensor in inputs.items()}

    def losses(
        self, outputs: Tensor, inputs: Inputs, texts: np.ndarray, windows: np.ndarray, place: np.ndarray
    ) -> Tensor:
        """Return [B] the cross-entropy of each window's chosen tokens, in units of the mean window.

        Their mean over windows is then a mean over tokens. Of outputs [1, C, V].
        """
        losses, rows = self._token_losses(outputs[0], inputs, windows)
        of_texts = losses.new_zeros(len(texts)).index_add(
            0, torch.from_numpy(place).to(rows.device)[rows], losses
        )
        return of_texts / self.mean_chosen

    def predict(self, model: PreTrainedModel, precision: str, rows: np.ndarray) -> np.ndarray:
        """Find words behind masks that are the same each time; return [tokens, 2], loss and 1 if found."""
        model.eval()
        device, predicted = model.device, []
        lengths, limit = self.tokens.window_lengths, self.config.eval_batch_tokens
        with torch.inference_mode():
            for windows in sorted_batches(lengths, rows, limit):
                inputs = self.inputs(windows, device, [self.config.seed])
                with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
                    outputs = model(**inputs).logits[0].float()  # [C, V]
                losses, _ = self._token_losses(outputs, inputs, windows)
                is_found = outputs.argmax(dim=1) == self._targets(inputs, windows)
                predicted.append(torch.stack([losses, is_found.float()], dim=1).cpu().numpy())
                self.on_batch()
        return np.concatenate(predicted)

    def judge(self, predicted: np.ndarray, rows: np.ndarray) -> dict[str, float]:
        loss, accuracy = predicted.mean(axis=0, dtype=np.float64).tolist()
        return {"validation_loss": loss, "validation_accuracy": accuracy}

    def derived(self) -> dict[str, Any]:
        """Return what followed from the texts, for the manifest."""
        return {"n_windows": len(self.tokens), "n_validation": len(self.turns[0].held_out)}

    def _token_losses(self, outputs: Tensor, inputs: Inputs, windows: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return (loss [C], row of `windows` [C]) of the chosen tokens."""
        rows = inputs["chosen"] // inputs["input_ids"].shape[1]
        return F.cross_entropy(outputs, self._targets(inputs, windows), reduction="none"), rows

    def _targets(self, inputs: Inputs, windows: np.ndarray) -> Tensor:
        """Return the ids [C] of the chosen tokens."""
        rows, places = np.divmod(inputs["chosen"].cpu().numpy(), inputs["input_ids"].shape[1])
        ids = self.tokens.ids[self.tokens.starts[windows[rows]] + places].astype(np.int64)
        return torch.from_numpy(ids).to(inputs["chosen"].device)


def read_chosen_only(model: PreTrainedModel) -> None:
    """Let a masked-language model, called with `chosen` besides, answer for those tokens only: [1, C, V].

    Of 100 tokens, 15 are asked for, and to score a token against 30,000 words takes as long as to encode it.
    """
    chosen: list[Tensor] = []

    def take(module: nn.Module, args: tuple, inputs: dict[str, Tensor]) -> tuple[tuple, dict[str, Tensor]]:
        chosen[:] = [inputs.pop("chosen")]
        return args, inputs

    def choose(module: nn.Module, args: tuple, outputs: Any) -> Any:
        outputs.last_hidden_state = outputs.last_hidden_state.flatten(0, 1)[chosen.pop()].unsqueeze(0)
        return outputs

    model.register_forward_pre_hook(take, with_kwargs=True)
    model.base_model.register_forward_hook(choose)


def windows_as_texts(tokens: Tokens) -> Tokens:
    return replace(tokens, first_window=np.arange(len(tokens.starts)))


def words_of_tokens(tokens: Tokens, texts: Sequence[str], unknown_id: int | None) -> np.ndarray:
    """Return int32, as tokens.ids: each token's word in its text; -1 for special and unknown tokens."""
    words = np.full(len(tokens.ids), -1, dtype=np.int32)
    for number, text in enumerate(texts):
        first, last = tokens.starts[tokens.first_window[number : number + 2]]
        plain = first + np.flatnonzero(tokens.places[first:last] >= 0)
        words[plain] = words_of(text, tokens.offsets[plain])
    words[tokens.ids == unknown_id] = -1
    return words


def vocabulary_of(tokenizer: Tokenizer) -> Vocabulary:
    """Refuses a tokenizer without a token that stands for a masked one."""
    if tokenizer.mask_token_id is None:
        raise TrainingRefused(
            "base_model_without_mask",
            "The campaign's base model has no token for a masked word, so it cannot read the texts first. "
            "Set one of the BERT, RoBERTa, DeBERTa or ModernBERT families.",
        )
    return Vocabulary(
        mask_id=tokenizer.mask_token_id,
        plain_ids=np.setdiff1d(np.arange(tokenizer.vocab_size), tokenizer.all_special_ids),
    )


def too_few_texts(n_windows: int, needed: int) -> TrainingRefused:
    return TrainingRefused(
        "too_few_texts",
        f"There are {n_windows} pieces of text to learn from, and at least {needed} are needed, with others "
        "from other records to stop by. Import more records first.",
    )
