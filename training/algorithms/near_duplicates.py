"""Texts that say nearly the same, found without comparing every pair: MinHash and its bands.

Sources: Broder 1997 (MinHash); Li, Owen, Zhang 2012 (one permutation instead of many); Shrivastava and Li
2014 (what fills an empty bin); Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", chapter 3 (bands).
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SHINGLE = 5  # characters: works without words, so in Chinese too, and a changed letter costs five of them
N_BINS, N_BANDS = 64, 16  # of a signature; two texts of similarity s share a band with 1 - (1 - s^4)^16
TEXTS_PER_CHUNK = 5000
EMPTY = np.uint64(2**64 - 1)


def near_duplicate_groups(texts: Sequence[str], *, threshold: float = 0.8) -> np.ndarray:
    """Return the group [N] of each text: texts that differ in little, directly or by a chain, are in one.

    Two texts are near-duplicates when their sets of five-character shingles (case and spacing aside) have
    Jaccard's index of at least `threshold`. Candidates come from equal bands of MinHash signatures, which
    finds 99.98 % of pairs of 0.8; each candidate is then compared exactly, with the first text of its band.

    >>> near_duplicate_groups(["The patient has a mild fever today.", "Nothing.",
    ...                        "the patient has a mild  fever today"]).tolist()
    [0, 1, 0]
    """
    contents = [" ".join(text.casefold().split()) for text in texts]
    distinct = {content: place for place, content in enumerate(dict.fromkeys(contents))}
    number = np.array([distinct[content] for content in contents], dtype=np.int64)
    names = list(distinct)
    signatures = np.concatenate(
        [np.empty((0, N_BINS), dtype=np.uint64)]
        + [_signatures(names[i : i + TEXTS_PER_CHUNK]) for i in range(0, len(names), TEXTS_PER_CHUNK)]
    )
    pairs = [(i, j) for i, j in _candidates(signatures) if _jaccard(names[i], names[j]) >= threshold]
    left, right = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(len(names), len(names)))
    return connected_components(graph, directed=False)[1][number] if names else number


def _signatures(texts: list[str]) -> np.ndarray:
    """Return uint64 [N, N_BINS]: the lowest hash of a text's shingles in each bin of hashes."""
    padded = [text.ljust(SHINGLE) for text in texts]
    encoded = "".join(padded).encode("utf-32-le", "surrogatepass")
    points = np.frombuffer(encoded, dtype="<u4").astype(np.uint64)
    lengths = np.array([len(text) for text in padded])
    hashes = np.zeros(len(points) - SHINGLE + 1, dtype=np.uint64)
    for offset in range(SHINGLE):
        hashes = hashes * np.uint64(1_000_003) + points[offset : len(points) - SHINGLE + 1 + offset]
    hashes = _mixed(hashes)
    text_of = np.repeat(np.arange(len(texts)), lengths)[: len(hashes)]
    ends = np.cumsum(lengths)
    inside = np.arange(len(hashes)) + SHINGLE <= ends[text_of]  # no shingle lies across two texts
    lowest = np.full((len(texts), N_BINS), EMPTY)
    bins = (hashes >> np.uint64(58)).astype(np.int64)
    np.minimum.at(lowest, (text_of[inside], bins[inside]), hashes[inside])
    return _filled(lowest)


def _mixed(hashes: np.ndarray) -> np.ndarray:
    """Scatter the bits (the finaliser of splitmix64: Steele, Lea, Flood 2014)."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


def _filled(lowest: np.ndarray) -> np.ndarray:
    """Let an empty bin, of a short text, borrow from the next one that is not, marked by how far that is."""
    filled = lowest.copy()
    for step in range(1, N_BINS):
        empty = filled == EMPTY
        if not empty.any():
            break
        borrowed = np.roll(lowest, -step, axis=1)
        found = empty & (borrowed != EMPTY)
        filled[found] = borrowed[found] + np.uint64(step)
    return filled


def _candidates(signatures: np.ndarray) -> list[tuple[int, int]]:
    """Return pairs of texts that share a band: each with the first that has the same one, and with the one
    before it, since two that are alike may both differ from the first."""
    pairs: set[tuple[int, int]] = set()
    for band in np.split(signatures, N_BANDS, axis=1):
        key = np.zeros(len(band), dtype=np.uint64)
        for column in band.T:
            key = _mixed(key ^ column)
        order = np.argsort(key, kind="stable")
        begins = np.concatenate([[True], key[order][1:] != key[order][:-1]])[: len(order)]
        first = order[np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))]
        joined = ~begins
        for partner in (first, np.roll(order, 1)):
            pairs.update(zip(partner[joined].tolist(), order[joined].tolist(), strict=True))
    return sorted(pairs)


def _jaccard(one: str, other: str) -> float:
    left, right = _shingles(one), _shingles(other)
    return len(left & right) / len(left | right)


def _shingles(text: str) -> set[str]:
    return {text[i : i + SHINGLE] for i in range(max(1, len(text) - SHINGLE + 1))}
