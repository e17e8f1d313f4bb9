"""A vector for each text, from the pretrained encoder as it is: for linear heads, clusters and neighbours."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from training.encoder.base_model import checked_folder, load_encoder, load_tokenizer
from training.encoder.batches import computed_batches
from training.encoder.kept_model import kept
from training.encoder.precision import best_device, resolve_precision
from training.encoder.progress import Progress, ProgressReporter
from training.encoder.tokens import tokenise

WINDOW_TOKENS = 256  # attention over more costs more than it adds to a mean


def embed(
    base_model_path: Path | str,
    texts: Iterable[str],
    *,
    precision: str = "auto",
    batch_tokens: int = 2048,
    on_progress: Callable[[float], None] = lambda share_done: None,
) -> np.ndarray:
    """Return float16 [N, D]: the mean of the last layer over a text's tokens, of length 1.

    The inner product of two texts is then the cosine between them. A long text is read in windows, and the
    mean is over all its tokens. float16 moves a cosine by less than 0.001. Source of mean pooling and
    length 1: Reimers and Gurevych 2019. on_progress gets the share done about once a second; what it raises
    stops the computation.
    """
    reporter = ProgressReporter(lambda progress: on_progress(progress.share_done))
    folder = checked_folder(base_model_path)
    tokenizer, model = kept(_ready_encoder, folder, precision)
    tokens = tokenise(
        tokenizer,
        texts,
        max_tokens=WINDOW_TOKENS,
        on_chunk=lambda n_done: reporter.tell(Progress("tokenising", 0.0, step=n_done)),
    )
    lengths = tokens.window_lengths
    text_of = np.repeat(np.arange(len(tokens)), tokens.n_windows)  # [M]
    sums = torch.zeros(len(tokens), model.config.hidden_size)
    n_done = 0

    def summed(windows: np.ndarray) -> torch.Tensor:
        """[B, D]"""
        batch = tokens.padded(windows, model.device)
        hidden = model(**batch).last_hidden_state.float()  # [B, L, D]
        if "attention_mask" in batch:
            hidden = hidden * batch["attention_mask"].unsqueeze(-1)
        return hidden.sum(dim=1).cpu()

    with torch.inference_mode():
        for windows, of_batch in computed_batches(lengths, batch_tokens, summed):
            sums.index_add_(0, torch.from_numpy(text_of[windows]), of_batch)
            n_done += int(lengths[windows].sum())
            reporter.tell(Progress("embedding", n_done / len(tokens.ids)))
    return F.normalize(sums, dim=1).half().numpy()


def _ready_encoder(folder: Path, precision: str) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    device = best_device()
    dtype = torch.bfloat16 if resolve_precision(precision, device) == "bf16" else torch.float32
    return load_tokenizer(folder), load_encoder(folder).eval().to(device, dtype)
