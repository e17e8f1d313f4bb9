"""Texts as token ids, tokenised once and kept flat; batches that waste little on padding."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase as Tokenizer

TEXTS_PER_CHUNK = 1000  # tokenised between two reports: about half a second for abstracts


@dataclass(frozen=True, slots=True)
class Tokens:
    """N texts; text i is ids[starts[i] : starts[i + 1]]. 4 bytes a token: a million sentences in 140 MB."""

    ids: np.ndarray  # int32
    starts: np.ndarray  # int64 [N + 1]
    pad_id: int
    unknown_share: float  # of the tokens that are not special

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.starts)

    def padded(self, rows: np.ndarray, device: torch.device) -> dict[str, torch.Tensor | None]:
        """Return input_ids and attention_mask, [B, L]; no mask where no text is padded: that is faster."""
        lengths = self.starts[rows + 1] - self.starts[rows]
        inside = np.arange(lengths.max()) < lengths[:, None]  # [B, L]
        ids = np.full(inside.shape, self.pad_id, dtype=np.int64)
        ids[inside] = np.concatenate([self.ids[self.starts[row] : self.starts[row + 1]] for row in rows])
        mask = None if inside.all() else torch.from_numpy(inside.astype(np.int64)).to(device)
        return {"input_ids": torch.from_numpy(ids).to(device), "attention_mask": mask}


def tokenise(
    tokenizer: Tokenizer,
    texts: Iterable[str],
    *,
    max_tokens: int,
    on_chunk: Callable[[int], None] = lambda n_done: None,
) -> Tokens:
    """Return the texts' tokens, cut at max_tokens or the model's limit; on_chunk gets the count so far."""
    limit = min(max_tokens, tokenizer.model_max_length)
    chunks, lengths, remaining = [np.empty(0, dtype=np.int32)], [], iter(texts)
    while chunk := list(islice(remaining, TEXTS_PER_CHUNK)):
        rows = tokenizer(
            chunk,
            truncation=True,
            max_length=limit,
            return_attention_mask=False,
            return_token_type_ids=False,
        )["input_ids"]
        chunks.extend(np.asarray(row, dtype=np.int32) for row in rows)
        lengths.extend(map(len, rows))
        on_chunk(len(lengths))
    ids = np.concatenate(chunks)
    n_plain = len(ids) - tokenizer.num_special_tokens_to_add() * len(lengths)
    n_unknown = 0 if tokenizer.unk_token_id is None else int((ids == tokenizer.unk_token_id).sum())
    return Tokens(
        ids=ids,
        starts=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64),
        pad_id=tokenizer.pad_token_id or 0,
        unknown_share=n_unknown / max(n_plain, 1),
    )


def sorted_batches(lengths: np.ndarray, rows: np.ndarray, batch_tokens: int) -> Iterator[np.ndarray]:
    """Yield batches of `rows` by falling length, each of at most batch_tokens tokens with its padding.

    Longest first: if memory runs out, it does at once. A text longer than batch_tokens is a batch of its own.
    """
    by_length = rows[np.argsort(-lengths[rows], kind="stable")]
    start = 0
    while start < len(by_length):
        n_texts = max(1, batch_tokens // int(lengths[by_length[start]]))
        yield by_length[start : start + n_texts]
        start += n_texts


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
