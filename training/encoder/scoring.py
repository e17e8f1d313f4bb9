"""Class probabilities for many texts, fast."""

import copy
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from training.algorithms.calibration import apply_temperature
from training.encoder.base_model import load_classifier, load_tokenizer
from training.encoder.batches import computed_batches
from training.encoder.first_token import read_first_token_only
from training.encoder.heads import HEADS, OneOf, final_layer, fold
from training.encoder.kept_model import kept
from training.encoder.model_files import loadable_manifest
from training.encoder.precision import batch_tokens_for, best_device, resolve_precision
from training.encoder.progress import Progress, ProgressReporter
from training.encoder.tokens import Tokens, tokenise
from training.encoder.windows import pooled, windows_of

TOKENISING_SHARE = 0.05  # of the time that scoring takes, for the progress bar


def predict_proba(
    model_dir: Path | str,
    texts: Iterable[str],
    seconds: Iterable[str] | None = None,
    *,
    batch_tokens: int | None = None,
    on_progress: Callable[[float], None] = lambda share_done: None,
) -> np.ndarray:
    """Return calibrated probabilities [N, K] float32 of a model that fine_tune made, in the texts' order.

    Rows sum to 1; where any number of labels may hold, each entry is a probability of its own. seconds are
    the second texts of pairs. A text longer than the model's window is read in windows.

    Four things make it fast, measured in benchmarks/scoring_speed.py: texts are tokenised once, batches hold
    texts of equal length, weights are bf16 where the processor multiplies that faster, and BERT's last layer
    is computed for the one token that is read. A batch has at most batch_tokens tokens, unless said
    otherwise what suits the device. on_progress gets the share done about once a second; what it raises stops
    the scoring.
    """
    reporter = ProgressReporter(lambda progress: on_progress(progress.share_done))
    folder = Path(model_dir)
    manifest = loadable_manifest(folder)
    config, head = manifest["config"], HEADS[manifest["head"]]
    reporter.tell(Progress("tokenising", 0.0))
    tokenizer, model = kept(_ready_classifier, folder, config["precision"])
    tokens = tokenise(
        tokenizer,
        texts,
        seconds,
        max_tokens=config["max_tokens"],
        overlap=config["window_overlap"],
        on_chunk=lambda n_done: reporter.tell(Progress("tokenising", 0.0, step=n_done)),
    )
    batch_tokens = batch_tokens or batch_tokens_for(model.device)

    def tell(done: float) -> None:
        reporter.tell(Progress("scoring", TOKENISING_SHARE + (1 - TOKENISING_SHARE) * done))

    tell(0.0)
    everything = np.arange(len(tokens))
    scores = scores_of(model, head, tokens, everything, batch_tokens=batch_tokens, on_batch=tell)
    return apply_temperature(scores, manifest["temperature"], multiple=head.multiple)


def _ready_classifier(folder: Path, precision: str) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    device = best_device()
    model = ready_to_score(load_classifier(folder), resolve_precision(precision, device))
    return load_tokenizer(folder), model.to(device)


def scores_of(
    model: PreTrainedModel,
    head: OneOf,
    tokens: Tokens,
    texts: np.ndarray,
    *,
    batch_tokens: int,
    on_batch: Callable[[float], None] = lambda done: None,
) -> np.ndarray:
    """Return scores [len(texts), K] float32, in the order of texts; on_batch gets the share done."""
    windows, place = windows_of(tokens, texts)
    outputs = torch.empty(len(windows), model.config.num_labels)  # [R, O]
    lengths = tokens.window_lengths[windows]
    n_tokens, n_done = max(int(lengths.sum()), 1), 0

    def logits_of(batch: np.ndarray) -> torch.Tensor:
        return model(**tokens.padded(windows[batch], model.device)).logits.float().cpu()

    with torch.inference_mode():
        for batch, logits in computed_batches(lengths, batch_tokens, logits_of):
            outputs[torch.from_numpy(batch)] = logits
            n_done += int(lengths[batch].sum())
            on_batch(n_done / n_tokens)
        return head.scores(pooled(outputs, torch.from_numpy(place), len(texts))).numpy()


def ready_to_score(model: PreTrainedModel, precision: str) -> PreTrainedModel:
    """Return a copy of a classifier that computes the same class probabilities sooner, and cannot be trained.

    The weights themselves become bf16, because autocast would convert them again at every batch. The last
    linear layer stays fp32: bf16 logits have steps of 1/128, which would tie thousands of tasks in the queue.
    """
    model = fold(copy.deepcopy(model)).eval()
    read_first_token_only(model)
    if precision == "bf16":
        model.to(torch.bfloat16)
        _, _, final = final_layer(model)
        final.float().register_forward_pre_hook(lambda module, inputs: (inputs[0].float(),))
    return model
