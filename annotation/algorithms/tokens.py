"""Tokens of a text in any script, with exact offsets in Unicode code points."""

import re
from collections.abc import Iterable

import numpy as np

_IDEOGRAPHS = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"  # Han, kana, full-width forms
_MARKS = "\u0300-\u036f\ufe00-\ufe0f\U0001f3fb-\U0001f3ff"  # accents, variation selectors, skin tones
_LETTERS = rf"[^\W{_IDEOGRAPHS}]"
_TOKEN = re.compile(
    rf"(?:{_LETTERS}+(?:[{_MARKS}]+{_LETTERS}*)*|\S[{_MARKS}]*(?:\u200d\S[{_MARKS}]*)*)"
)  # \u200d joins emoji into one


def token_offsets(text: str) -> np.ndarray:
    """int [N, 2]: [start, end) of every word, number, single ideograph, emoji and punctuation mark.

    White space belongs to no token.

    >>> [("no 发热 (T 37.2)")[start:end] for start, end in token_offsets("no 发热 (T 37.2)")]
    ['no', '发', '热', '(', 'T', '37', '.', '2', ')']
    """
    return np.array([match.span() for match in _TOKEN.finditer(text)], dtype=np.int64).reshape(-1, 2)


def cut_tokens(tokens: np.ndarray, at: Iterable[int]) -> np.ndarray:
    """int [N', 2]: the tokens, those that a position of `at` falls into cut there.

    >>> cut_tokens(np.array([[0, 10], [11, 14]]), [4, 11]).tolist()
    [[0, 4], [4, 10], [11, 14]]
    """
    at = np.unique(np.fromiter(at, dtype=np.int64))
    if not len(tokens) or not len(at):
        return tokens
    token = np.searchsorted(tokens[:, 0], at, side="right") - 1
    inside = (token >= 0) & (at > tokens[token, 0]) & (at < tokens[token, 1])
    cuts = at[inside]
    return np.stack([np.sort(np.append(tokens[:, 0], cuts)), np.sort(np.append(tokens[:, 1], cuts))], axis=1)
