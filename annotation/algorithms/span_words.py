"""What the words say: whether marks on these words, elsewhere, were found to be right.

Volunteers who miss a mention here have marked the same word there. For every token of a marked cell, the
token itself, the one before it and the one after it each give the log odds, over those of any mark, that a
mark on them is right; a cell's score is their sum over the root of its number of tokens, for words that stand
together do not speak independently. Nguyen et al. (ACL 2017) put words into the chain itself; here they speak
only where somebody marked, and never teach who is to be trusted: words and volunteers cannot talk each other
into it.

No mark vouches for itself: the counts of a text's own fold of the campaign are left out, and within the text
those of the very cell.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from annotation.algorithms.span_chains import Cells
from annotation.algorithms.tokens import token_offsets

N_FOLDS = 4
PRIOR_MARKS = 5.0  # any word's log odds start from so many marks that are as often right as all marks
FEWEST_MARKS = 3  # rarer words are not kept
MOST_WORDS = 6000  # kept, the most marked first, so that a campaign's state stays a few hundred kB
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, eq=False)
class Sights:
    """Words at marked cells: int [M] each. word counts in `words`: "=rash" is the token itself, "<of" the one
    before it, ">on" the one after. A cell that two labels were given to has every word twice."""

    cell: np.ndarray
    text: np.ndarray
    fold: np.ndarray
    label: np.ndarray
    word: np.ndarray
    words: list[str]


def words_at_marks(cells: Cells, texts: Sequence[str], given: np.ndarray) -> Sights:
    """given [C, L]: whether somebody gave the label there."""
    number: dict[str, int] = {}
    columns: list[np.ndarray] = [np.zeros((5, 0), dtype=np.int64)]
    for chain, part in cells.parts():
        text = texts[chain.text]
        tokens = token_offsets(text)
        cell = np.searchsorted(chain.starts, tokens[:, 0], side="right") - 1
        token, label = np.nonzero(given[part][cell])
        plain = {i: _plain(text, tokens, i) for i in np.unique(token[:, None] + [-1, 0, 1]).tolist()}
        for place, shift in (("<", -1), ("=", 0), (">", 1)):
            word = [number.setdefault(place + plain[i + shift], len(number)) for i in token.tolist()]
            where = np.full((2, len(token)), [[chain.text], [crc32(text.encode()) % N_FOLDS]])
            columns.append(np.stack([cell[token] + part.start, *where, label, word]))
    return Sights(*np.concatenate(columns, axis=1).astype(np.int64), words=list(number))


def count_words(sights: Sights, inside: np.ndarray, labels: Sequence[str]) -> dict:
    """JSON-able: by label, how often each word was marked and how often rightly, fold by fold.

    inside [C, L]: probability that a cell carries the label.
    """
    n_labels = inside.shape[1]
    right = inside[sights.cell, sights.label]
    pairs, pair = np.unique(sights.word * n_labels + sights.label, return_inverse=True)
    key = pair * N_FOLDS + sights.fold
    marked, rightly = (
        np.bincount(key, weight, len(pairs) * N_FOLDS).reshape(-1, N_FOLDS)
        for weight in (np.ones(len(key)), right)
    )
    counted: dict = {label: {} for label in labels}
    for i in np.argsort(-marked.sum(axis=1), kind="stable")[:MOST_WORDS]:
        if marked[i].sum() >= FEWEST_MARKS:
            word, label = divmod(int(pairs[i]), n_labels)
            counts = [marked[i].astype(int).tolist(), rightly[i].round(2).tolist()]
            counted[labels[label]][sights.words[word]] = counts
    total = np.maximum(np.bincount(sights.label, minlength=n_labels), 1)
    share = np.bincount(sights.label, right, n_labels) / total
    return {"counts": counted, "share": dict(zip(labels, share.tolist(), strict=True))}


def word_scores(
    cells: Cells, sights: Sights, inside: np.ndarray, learned: dict, labels: Sequence[str]
) -> np.ndarray:
    """[C, L]: log odds of each label by the words of a cell; 0 where it was not marked.

    inside [C, L]: what the marks alone say, for the words' other places in the same text.
    """
    n_labels, n_words = inside.shape[1], len(sights.words)
    right = inside[sights.cell, sights.label]
    word = sights.word * n_labels + sights.label
    known, place = np.unique(word, return_inverse=True)
    nothing = np.zeros((2, N_FOLDS)).tolist()
    counts = np.array(
        [
            learned["counts"].get(labels[k % n_labels], {}).get(sights.words[k // n_labels], nothing)
            for k in known
        ]
    ).reshape(-1, 2, N_FOLDS)
    elsewhere = counts.sum(axis=2)[place] - counts[place, :, sights.fold]  # [M, 2]: marked, rightly marked
    here = np.stack([np.ones(len(right)), right], axis=1)
    elsewhere += _total(sights.text * n_words * n_labels + word, here)
    elsewhere -= _total(sights.cell * n_words * n_labels + word, here)
    share = np.array([learned["share"].get(label, 0.5) for label in labels])[sights.label].clip(0.02, 0.98)
    rate = (elsewhere[:, 1] + PRIOR_MARKS * share) / (elsewhere[:, 0] + PRIOR_MARKS)
    log_odds = np.log(rate / (1.0 - rate)) - np.log(share / (1.0 - share))
    scores = np.bincount(sights.cell * n_labels + sights.label, log_odds, inside.size).reshape(inside.shape)
    return scores / np.sqrt(cells.n_tokens)[:, None]


def _plain(text: str, tokens: np.ndarray, i: int) -> str:
    """The token without case and digits; nothing before the first and after the last."""
    if not 0 <= i < len(tokens):
        return ""
    start, end = tokens[i].tolist()
    return _DIGIT.sub("0", text[start:end].lower())


def _total(key: np.ndarray, values: np.ndarray) -> np.ndarray:
    """values [M, 2] summed over equal keys [M], for each of them."""
    _, group = np.unique(key, return_inverse=True)
    return np.stack([np.bincount(group, column)[group] for column in values.T], axis=1)
