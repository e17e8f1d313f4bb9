"""Consensus and agreement of short free texts, by the words they have in common."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

# Scripts that put no space between words: each of these characters is a token of its own.
_UNSPACED = ("CJK UNIFIED", "CJK COMPATIBILITY", "HIRAGANA", "KATAKANA", "HANGUL SYLLABLE")
_DIGITS_OF_TIES = 12  # similarities that differ by rounding alone are a tie


def tokens(text: str) -> list[str]:
    """The text's words. Case, width, white space and punctuation do not matter; symbols (+, <, emoji) do.

    Text is taken in NFKC, letters with the marks on them; a CJK character is a word of its own; a number
    keeps its decimal point. Punctuation stands for itself where there is nothing else.

    >>> tokens(" Ｓevere  HEADACHE, 38.5°; 頭痛!")
    ['severe', 'headache', '38.5', '°', '頭', '痛']
    >>> tokens("?!")
    ['?', '!']
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    found = list(_runs(folded))
    return [token for token in found if unicodedata.category(token[0])[0] != "P"] or found


def _runs(text: str) -> Iterator[str]:
    """Words, single unspaced characters, single symbols and punctuation marks, in the order of the text."""
    word = ""
    for i, character in enumerate(text):
        if _is_in_word(text, i):
            word += character
            continue
        if word:
            yield word
        word = ""
        if not character.isspace():
            yield character
    if word:
        yield word


def _is_in_word(text: str, i: int) -> bool:
    character = text[i]
    category = unicodedata.category(character)[0]
    if category == "P":  # the point of 38.5, the comma of 38,5
        return text[i - 1 : i].isdigit() and text[i + 1 : i + 2].isdigit()
    return category in "LMN" and not unicodedata.name(character, "").startswith(_UNSPACED)


def numbered_tokens(text: str) -> set[tuple[str, int]]:
    """The text's tokens as a set, in which one that stands twice is there twice: by itself and its number.

    >>> sorted(numbered_tokens("no pain, no rash"))
    [('no', 1), ('no', 2), ('pain', 1), ('rash', 1)]
    """
    return {(token, i) for token, n in Counter(tokens(text)).items() for i in range(1, n + 1)}


def similarity(a: str, b: str) -> float:
    """Token F1 of two texts: twice the tokens in common over the tokens of both, from 0 to 1.

    A token that stands twice counts twice. Two texts without any token are alike.

    >>> similarity("No rash.", "no RASH seen")
    0.8
    """
    counted = Counter(tokens(a)), Counter(tokens(b))
    of_both = sum(counter.total() for counter in counted)
    return 2 * (counted[0] & counted[1]).total() / of_both if of_both else 1.0


def similarity_matrix(texts: Sequence[str]) -> np.ndarray:
    """Token F1 of every two of N texts, N at least 1: [N, N], symmetric, ones on the diagonal."""
    counted = [Counter(tokens(text)) for text in texts]
    column = {token: v for v, token in enumerate(dict.fromkeys(t for c in counted for t in c))}
    counts = np.zeros((len(texts), len(column)))  # [N, V]
    for row, counter in zip(counts, counted, strict=True):
        row[[column[token] for token in counter]] = list(counter.values())
    lengths = counts.sum(axis=1)
    in_common = np.array([np.minimum(row, counts).sum(axis=1) for row in counts])
    of_both = lengths[:, None] + lengths[None, :]
    return np.divide(2.0 * in_common, of_both, out=np.ones_like(in_common), where=of_both > 0)


@dataclass(frozen=True, eq=False)
class Medoid:
    """The text that is most like all: `index` into the texts, its `share`, and every text's similarity [N].

    A text's similarity is the weighted mean of its token F1 with all the texts, itself among them, so that
    for texts that are either the same or wholly different `share` is the share of the votes.
    """

    index: int
    share: float
    similarities: np.ndarray


def medoid(texts: Sequence[str], weights: Sequence[float] | None = None) -> Medoid:
    """The text that stands for all of them; the more reliable a volunteer, the more their text pulls.

    texts: at least one. weights: one a text, not negative; None, or all 0, weighs them alike. Of texts that
    are equally near to all, the one of greater weight is taken, then the one that stands first.

    >>> medoid(["no rash", "rash on the arm", "No rash."]).index
    0
    >>> medoid(["left", "right"], [0.6, 0.9]).index
    1
    """
    if not texts:
        raise ValueError("a medoid needs at least one text")
    weight = np.ones(len(texts)) if weights is None else np.asarray(weights, dtype=float)
    if weight.shape != (len(texts),) or not (weight >= 0).all():
        raise ValueError(f"{len(texts)} texts need as many weights, none of them negative")
    if not weight.any():
        weight = np.ones(len(texts))
    # Weights may add up to a little above 1.
    similarities = np.minimum(similarity_matrix(texts) @ (weight / weight.sum()), 1.0)
    # lexsort sorts by its last key first and keeps the order of what is equal.
    index = int(np.lexsort((-weight, -similarities.round(_DIGITS_OF_TIES)))[0])
    return Medoid(index, float(similarities[index]), similarities)


def mean_similarity(texts: Sequence[str]) -> float | None:
    """How far the texts of one task agree: the mean token F1 over their pairs; None for a single text.

    >>> mean_similarity(["no rash", "No rash.", "fever"])
    0.3333333333333333
    """
    n = len(texts)
    if n < 2:
        return None
    return float(similarity_matrix(texts)[np.triu_indices(n, 1)].mean())
