"""Texts with everybody's spans as sequences of tags, cut wherever somebody set a boundary.

Between two such boundaries nobody tells one token from the next, so a stretch of tokens is one cell of the
sequence, and no consensus boundary can lie where no volunteer (or gold) ever put one.

A tag is one small integer: 0 outside, 2 l + 1 where a span of label l begins, 2 l + 2 where it goes on.
One sequence holds one span at a time. Where a volunteer's spans of two labels overlap in a text, these
labels get sequences of their own there; so do spans inside a span of the same label (the outer ones in
the first sequence, the inner ones in the next). Spans of one label that overlap without one
holding the other are read as one span. White space at the ends of a span is not part of it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from annotation.algorithms.span_types import Span
from annotation.algorithms.tokens import cut_tokens, token_offsets

OUTSIDE = 0


@dataclass(frozen=True, eq=False)
class Chain:
    """One sequence. starts, ends, n_tokens: int [S]; workers: int [A]; tags: int [A, S]; gold: int [S]."""

    text: int
    starts: np.ndarray
    ends: np.ndarray
    n_tokens: np.ndarray
    workers: np.ndarray
    tags: np.ndarray
    gold: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of all chains in a row, and one sight per cell and worker.

    first: int [N], each chain's first cell. n_tokens, gold: int [C] a cell (gold -1: unknown).
    run_first, run_length: int [R], longest first: a run ends with a chain or with a cell that is certainly
    outside, because nobody marked it or gold says so; what lies in one run tells nothing of another.
    cell, worker, tag, before: int [M] a sight: who gave which tag there, and which in the cell before.
    """

    chains: list[Chain]
    first: np.ndarray
    run_first: np.ndarray
    run_length: np.ndarray
    n_tokens: np.ndarray
    gold: np.ndarray
    cell: np.ndarray
    worker: np.ndarray
    tag: np.ndarray
    before: np.ndarray

    def parts(self) -> Iterator[tuple[Chain, slice]]:
        for chain, first in zip(self.chains, self.first, strict=True):
            yield chain, slice(first, first + len(chain.starts))

    @cached_property
    def is_marked(self) -> np.ndarray:
        """bool [C]: whether anybody marked it."""
        marked = np.zeros(len(self.n_tokens), dtype=bool)
        marked[self.cell[self.tag > 0]] = True
        return marked

    def without(self, worker: int | None) -> "Cells":
        return self if worker is None else self.sights(self.worker != worker)

    def of(self, worker: int) -> "Cells":
        return self.sights(self.worker == worker)

    def sights(self, which: np.ndarray) -> "Cells":
        """The same cells with those sights alone where which [M] is true."""
        sights = {name: getattr(self, name)[which] for name in ("cell", "worker", "tag", "before")}
        return replace(self, **sights)

    def with_gold(self, posterior: np.ndarray) -> np.ndarray:
        """posterior [C, 1 + 2 L], certain where gold says so."""
        known = self.gold >= 0
        posterior[known] = np.arange(posterior.shape[1]) == self.gold[known, None]
        return posterior


@dataclass(frozen=True, slots=True)
class Found:
    """A span in a chain: its first and last cell, its label's index, the confidence in its boundaries."""

    first: int
    last: int
    label: int
    boundary: float


def begins(label: int) -> int:
    return 2 * label + 1


def label_of(tag: np.ndarray) -> np.ndarray:
    """-1 outside.

    >>> label_of(np.array([0, 1, 2, 3, 4])).tolist()
    [-1, 0, 0, 1, 1]
    """
    return (np.asarray(tag) + 1) // 2 - 1


def chains_of(
    text: str,
    answers: Sequence[tuple[int, list[Span]]],
    labels: list[str],
    *,
    text_index: int = 0,
    gold: list[Span] | None = None,
    every_token: bool = False,
) -> list[Chain]:
    """The sequences of one text; none where it has no tokens or nobody answered.

    every_token: make each token a cell, for methods that know no more than tokens.

    >>> (chain,) = chains_of("a rash on the arm", [(0, [(2, 6, "sign")]), (1, [(2, 17, "sign")])], ["sign"])
    >>> chain.n_tokens.tolist(), chain.tags.tolist()
    ([1, 1, 3], [[0, 1, 0], [0, 1, 2]])
    """
    markers = [spans for _, spans in answers] + ([gold] if gold is not None else [])
    tokens = token_offsets(text)
    if not len(tokens) or not markers:
        return []
    number = {label: i for i, label in enumerate(labels)}
    nested = [_by_depth(_trimmed(text, spans), number) for spans in markers]  # {(depth, label): spans}
    bounds = sorted({at for layers in nested for spans in layers.values() for span in spans for at in span})
    tokens = cut_tokens(tokens, bounds)
    starts, ends, n_tokens = _cells_between(tokens, tokens[:, 0] if every_token else bounds)
    workers = np.array([worker for worker, _ in answers], dtype=np.int64)
    chains = []
    for group in _groups(nested):
        tags = np.zeros((len(markers), len(starts)), dtype=np.int32)
        for row, layers in zip(tags, nested, strict=True):
            for key in group & layers.keys():
                for start, end in layers[key]:
                    i, j = np.searchsorted(starts, [start, end])
                    row[i:j] = begins(key[1]) + 1
                    row[i] = begins(key[1])
        gold_tags = tags[-1] if gold is not None else None
        chains.append(Chain(text_index, starts, ends, n_tokens, workers, tags[: len(workers)], gold_tags))
    return chains


def cells_of(chains: Iterable[Chain]) -> Cells:
    chains = list(chains)
    length = np.array([len(chain.starts) for chain in chains], dtype=np.int64)
    first = np.cumsum(length) - length
    placed = list(zip(chains, first, length, strict=True))
    gold = [np.full(len(c.starts), -1) if c.gold is None else c.gold for c in chains]
    before = [np.pad(chain.tags, ((0, 0), (1, 0)))[:, :-1] for chain in chains]
    return Cells(
        chains,
        first,
        *_runs(chains, first + length - 1),
        _joined(chain.n_tokens for chain in chains),
        _joined(gold),
        _joined(np.tile(at + np.arange(n), len(chain.workers)) for chain, at, n in placed),
        _joined(np.repeat(chain.workers, len(chain.starts)) for chain in chains),
        _joined(chain.tags.ravel() for chain in chains),
        _joined(tags.ravel() for tags in before),
    )  # fmt: skip


def _runs(chains: list[Chain], last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    outside = [(c.tags == 0).all(axis=0) if c.gold is None else c.gold == 0 for c in chains]
    ends = np.union1d(np.flatnonzero(_joined(outside)), last)
    length = np.diff(ends, prepend=-1)
    longest_first = np.argsort(-length, kind="stable")
    return (ends - length + 1)[longest_first], length[longest_first]


def spans_of(tags: Sequence[int]) -> list[tuple[int, int, int]]:
    """(first cell, last cell, label) of each span in a sequence of tags; a span may begin with any tag.

    >>> spans_of([0, 1, 2, 1, 0, 4])
    [(1, 2, 0), (3, 3, 0), (5, 5, 1)]
    """
    spans: list[tuple[int, int, int]] = []
    open_label, begun = -1, 0
    for i, (tag, label) in enumerate(zip([*tags, 0], [*label_of(np.asarray([*tags, 0]))], strict=True)):
        if open_label >= 0 and (label != open_label or tag % 2 == 1):
            spans.append((begun, i - 1, open_label))
            open_label = -1
        if label >= 0 and open_label < 0:
            open_label, begun = int(label), i
    return spans


def _trimmed(text: str, spans: list[Span]) -> Iterable[Span]:
    for start, end, label in spans:
        marked = text[start:end]
        start, end = start + len(marked) - len(marked.lstrip()), start + len(marked.rstrip())
        if start < end:
            yield start, end, label


def _by_depth(spans: Iterable[Span], number: dict[str, int]) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """{(depth, label): disjoint [start, end) in order}; spans inside one of their label lie deeper."""
    layers: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for start, end, label in sorted(set(spans), key=lambda s: (s[0], -s[1])):
        depth = 0
        while (row := layers.setdefault((depth, number[label]), [])) and end <= row[-1][1]:
            depth += 1
        if row and start < row[-1][1]:
            row[-1] = (row[-1][0], end)
        else:
            row.append((start, end))
    return layers


def _groups(nested: list[dict]) -> list[set[tuple[int, int]]]:
    """Put layers that never overlap within one answer together, first come first served, depths apart."""
    groups: list[set[tuple[int, int]]] = []
    for key in sorted({key for layers in nested for key in layers}) or [(0, 0)]:
        for group in groups:
            if all(key[0] == other[0] for other in group) and not any(
                _overlap(layers[key], layers[other])
                for other in group
                for layers in nested
                if key in layers and other in layers
            ):
                group.add(key)
                break
        else:
            groups.append({key})
    return groups


def _overlap(ours: list[tuple[int, int]], theirs: list[tuple[int, int]]) -> bool:
    in_order = sorted(ours + theirs)
    return any(later[0] < sooner[1] for sooner, later in pairwise(in_order))


def _cells_between(tokens: np.ndarray, bounds: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """starts, ends, n_tokens [S] of the runs of tokens between boundaries."""
    _, first, n_tokens = np.unique(
        np.searchsorted(bounds, tokens[:, 0], side="right"), return_index=True, return_counts=True
    )
    return tokens[first, 0], tokens[first + n_tokens - 1, 1], n_tokens


def _joined(arrays: Iterable[np.ndarray]) -> np.ndarray:
    arrays = list(arrays)
    return np.concatenate(arrays).astype(np.int64) if arrays else np.zeros(0, dtype=np.int64)
