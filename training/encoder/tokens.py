"""Texts as token ids, tokenised once and kept flat, long ones as windows; batches that waste little."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase as Tokenizer

TEXTS_PER_CHUNK = 1000  # tokenised between two reports: about half a second for abstracts
CHARACTERS_PER_CHUNK = (
    2_000_000  # the tokenizer's own objects take 100 bytes a character until they are packed
)

Inputs = dict[str, torch.Tensor]  # what a network is called with


@dataclass(frozen=True, slots=True)
class Tokens:
    """N texts in M >= N windows; window w is ids[starts[w] : starts[w + 1]], special tokens included.

    Text i has the windows first_window[i] to first_window[i + 1] - 1: one, unless it is longer than a window.
    4 bytes a token: a million sentences in 140 MB.
    """

    ids: np.ndarray  # int32
    starts: np.ndarray  # int64 [M + 1]
    first_window: np.ndarray  # int64 [N + 1]
    second_from: np.ndarray | None  # int64 [M], for pairs: the token at which the second text begins
    pad_id: int
    unknown_share: float  # of the tokens that are not special
    places: np.ndarray | None = None  # int32: a token's number in its text, -1 for a special one; on request
    offsets: np.ndarray | None = None  # int32 [., 2]: the code points [start, end) of its text that it covers

    def __len__(self) -> int:
        return len(self.first_window) - 1

    @property
    def window_lengths(self) -> np.ndarray:
        return np.diff(self.starts)

    @property
    def n_windows(self) -> np.ndarray:
        return np.diff(self.first_window)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens [N] of each text in all its windows."""
        return np.diff(self.starts[self.first_window])

    def text_offsets(self, text: int) -> np.ndarray:
        """Return [T, 2] the code points of each of a text's T tokens, whichever windows they are in."""
        first, last = self.starts[self.first_window[text : text + 2]]
        places = self.places[first:last]
        offsets = np.zeros((places.max(initial=-1) + 1, 2), dtype=np.int32)
        offsets[places[places >= 0]] = self.offsets[first:last][places >= 0]
        return offsets

    def padded(self, windows: np.ndarray, device: torch.device) -> Inputs:
        """Return input_ids [B, L], attention_mask [B, L] and for pairs token_type_ids [B, L] of B windows.

        No mask where nothing is padded: that is faster.
        """
        lengths = self.starts[windows + 1] - self.starts[windows]
        places = np.arange(lengths.max())
        inside = places < lengths[:, None]  # [B, L]
        ids = np.full(inside.shape, self.pad_id, dtype=np.int64)
        ids[inside] = np.concatenate([self.ids[self.starts[w] : self.starts[w + 1]] for w in windows])
        batch = {"input_ids": torch.from_numpy(ids)}
        if not inside.all():
            batch["attention_mask"] = torch.from_numpy(inside.astype(np.int64))
        if self.second_from is not None:
            in_second = inside & (places >= self.second_from[windows][:, None])
            batch["token_type_ids"] = torch.from_numpy(in_second.astype(np.int64))
        return {name: tensor.to(device) for name, tensor in batch.items()}


def tokenise(
    tokenizer: Tokenizer,
    texts: Iterable[str],
    seconds: Iterable[str] | None = None,
    *,
    max_tokens: int,
    overlap: int = 0,
    with_offsets: bool = False,
    on_chunk: Callable[[int], None] = lambda n_done: None,
) -> Tokens:
    """Return the texts' tokens; on_chunk gets the count so far.

    A text longer than max_tokens (or the model's own limit) becomes windows that share `overlap` tokens. A
    pair has one window: of its two texts, the longer one is cut until both fit.
    """
    windowed = seconds is None
    limits = reading_limits(tokenizer, max_tokens, overlap, is_pair=not windowed)
    # From one window's beginning to the next's.
    step = limits["max_length"] - tokenizer.num_special_tokens_to_add() - limits.get("stride", 0)
    places, offsets = [np.empty(0, dtype=np.int32)], [np.empty((0, 2), dtype=np.int32)]
    has_types = not windowed and "token_type_ids" in tokenizer.model_input_names
    ids, n_windows, second_from, n_done = [np.empty(0, dtype=np.int32)], [], [], 0
    lengths: list[int] = []
    for chunk in _chunks(zip(texts, seconds, strict=True) if not windowed else ((text,) for text in texts)):
        encoded = tokenizer(
            *map(list, zip(*chunk, strict=True)),
            return_attention_mask=False,
            return_token_type_ids=has_types,
            return_offsets_mapping=with_offsets,
            return_special_tokens_mask=with_offsets,
            **limits,
        )
        rows = encoded["input_ids"]
        ids.extend(np.asarray(row, dtype=np.int32) for row in rows)
        lengths.extend(map(len, rows))
        if has_types:
            second_from.extend(types.index(1) for types in encoded["token_type_ids"])
        text_of = encoded["overflow_to_sample_mapping"] if windowed else range(len(rows))
        n_windows.append(np.bincount(text_of, minlength=len(chunk)))
        if with_offsets:
            offsets.extend(np.asarray(row, dtype=np.int32) for row in encoded["offset_mapping"])
            numbers = np.concatenate([np.arange(n) for n in n_windows[-1]])  # of a window in its text
            for number, special in zip(numbers, encoded["special_tokens_mask"], strict=True):
                plain = np.asarray(special) == 0
                places.append(np.where(plain, number * step + np.cumsum(plain) - 1, -1).astype(np.int32))
        n_done += len(chunk)
        on_chunk(n_done)
    flat = np.concatenate(ids)
    n_plain = len(flat) - tokenizer.num_special_tokens_to_add(pair=not windowed) * len(lengths)
    n_unknown = 0 if tokenizer.unk_token_id is None else int((flat == tokenizer.unk_token_id).sum())
    return Tokens(
        ids=flat,
        starts=_ends(lengths),
        first_window=_ends(np.concatenate([np.empty(0, dtype=np.int64), *n_windows])),
        second_from=np.array(second_from) if has_types else None,
        pad_id=tokenizer.pad_token_id or 0,
        unknown_share=n_unknown / max(n_plain, 1),
        places=np.concatenate(places) if with_offsets else None,
        offsets=np.concatenate(offsets) if with_offsets else None,
    )


def reading_limits(tokenizer: Tokenizer, max_tokens: int, overlap: int, *, is_pair: bool) -> dict:
    """Return what tells a tokenizer to cut a long text into windows, and a long pair to its length."""
    limit = min(max_tokens, tokenizer.model_max_length)
    limits = {"truncation": True, "max_length": limit}
    if is_pair:
        return limits
    return limits | {"stride": min(overlap, limit // 4), "return_overflowing_tokens": True}


def _chunks(texts: Iterable[tuple[str, ...]]) -> Iterator[list[tuple[str, ...]]]:
    """Yield the texts in lists that are short in number and in characters."""
    chunk, n_characters = [], 0
    for row in texts:
        chunk.append(row)
        n_characters += sum(map(len, row))
        if len(chunk) == TEXTS_PER_CHUNK or n_characters >= CHARACTERS_PER_CHUNK:
            yield chunk
            chunk, n_characters = [], 0
    if chunk:
        yield chunk


def _ends(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


def sorted_batches(lengths: np.ndarray, rows: np.ndarray, batch_tokens: int) -> Iterator[np.ndarray]:
    """Yield batches of `rows` by falling length, each of at most batch_tokens tokens with its padding.

    Longest first: if memory runs out, it does at once. A row longer than batch_tokens is a batch of its own.
    """
    by_length = rows[np.argsort(-lengths[rows], kind="stable")]
    start = 0
    while start < len(by_length):
        n_rows = max(1, batch_tokens // int(lengths[by_length[start]]))
        yield by_length[start : start + n_rows]
        start += n_rows


def bucketed_batches(
    lengths: np.ndarray, rows: np.ndarray, batch_size: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Return batches of `rows` in random order, each of texts of similar length.

    The rows are shuffled and cut into buckets of 16 batches, sorted by length within a bucket, cut into
    batches, and the batches shuffled: nearly no padding, and still another mixture in each epoch.
    """
    shuffled, bucket_size = rng.permutation(rows), 16 * batch_size
    batches = []
    for start in range(0, len(shuffled), bucket_size):
        bucket = shuffled[start : start + bucket_size]
        bucket = bucket[np.argsort(lengths[bucket], kind="stable")]
        batches.extend(bucket[first : first + batch_size] for first in range(0, len(bucket), batch_size))
    return [batches[index] for index in rng.permutation(len(batches))]
