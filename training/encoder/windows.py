"""Long texts as windows: which of them a step reads, and one verdict from all of them."""

import numpy as np
import torch
from torch import Tensor

from training.encoder.tokens import Tokens


def windows_of(tokens: Tokens, texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (window [R], place in `texts` [R]) of all windows of some texts, text by text."""
    counts = tokens.n_windows[texts]
    place = np.repeat(np.arange(len(texts)), counts)
    within = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
    return tokens.first_window[texts][place] + within, place


def drawn_windows(
    tokens: Tokens, texts: np.ndarray, at_most: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same for a training step, with at_most windows of a text, others in each epoch.

    Memory is bounded however long a text is. Drawn at random and not the first ones, so that over the epochs
    all of a record is read, and the place of the evidence is not learned in its stead.
    """
    windows, place = windows_of(tokens, texts)
    if len(windows) == len(texts):
        return windows, place
    shuffled = np.lexsort((rng.random(len(windows)), place))  # by text, at random within it
    counts = tokens.n_windows[texts]
    rank = np.arange(len(windows)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = np.sort(shuffled[rank < at_most])
    return windows[kept], place[kept]


def pooled(outputs: Tensor, place: Tensor, n_texts: int) -> Tensor:
    """Return [B, O] the mean over each text's windows of outputs [R, O], given each window's text [R].

    Outputs are log-odds: their mean is the product of the windows' opinions, each to the power of one part in
    their number. A window without evidence says little and is outvoted by one that has some.
    """
    if len(outputs) == n_texts:
        return outputs
    sums = outputs.new_zeros(n_texts, outputs.shape[1]).index_add(0, place, outputs)
    return sums / torch.bincount(place, minlength=n_texts).unsqueeze(1)
