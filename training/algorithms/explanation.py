"""Which words of a text a model's opinion rests on: what every way of asking has in common."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logit

UNSPACED = (  # Chinese, Japanese kana, Thai, Lao, Burmese, Khmer: scripts that put no space between words
    "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\U00020000-\U0003ffff]"
)
# A number with its point, a word with its apostrophe or accents; else each sign by itself.
WORD = re.compile(
    rf"{UNSPACED}|(?:(?!{UNSPACED})[\w\u0300-\u036f]|(?<=\d)[.,](?=\d)|(?<=\w)['’](?=\w))+|\S",
)
SUREST = 1e-7  # float32 probabilities nearer to 0 or 1 are 0 or 1
# What occlusion may read: copies of a text, and words in all of them. Else neighbours go together.
MOST_COPIES, MOST_WORDS = 256, 60_000

Span = tuple[int, int]
Scored = tuple[int, int, float]  # start, end, score


@dataclass(frozen=True, slots=True)
class Explanation:
    """What each word of a text, and of a pair's second text, adds to the log-odds of a class.

    Spans [start, end) are code points of their text, in order; every character but spaces is in one. A score
    above 0 speaks for the class. `change` is the log-odds of the text less those of nothing, of which the
    scores are the parts; they miss it by `convergence_gap`. Occlusion takes one word away at a time, and its
    scores are no parts: both are None.
    """

    method: str  # "integrated_gradients", "occlusion" or "weights"
    class_index: int
    class_name: str
    probability: float
    words: list[Scored]
    second_words: list[Scored]
    change: float | None = None
    convergence_gap: float | None = None


def words_of(text: str) -> list[Span]:
    """Return the spans of a text's words; of scripts without spaces, of each character.

    >>> [("Temp. 38.5, don't"[a:b]) for a, b in words_of("Temp. 38.5, don't")]
    ['Temp', '.', '38.5', ',', "don't"]
    >>> words_of("发热3天")
    [(0, 1), (1, 2), (2, 3), (3, 4)]
    """
    return [match.span() for match in WORD.finditer(text)]


def merged(words: Sequence[Span], pieces: Sequence[Span], scores: np.ndarray) -> list[Scored]:
    """Return the words with the scores of the pieces in them.

    pieces [P] and scores [P]: sub-words, or n-grams, in any order. One that touches several words gives each
    an equal part.

    >>> merged([(0, 5), (6, 9)], [(0, 3), (3, 5), (0, 9)], np.array([1.0, 2.0, 4.0]))
    [(0, 5, 5.0), (6, 9, 2.0)]
    """
    sums = np.zeros(len(words))
    starts, ends = np.array(words, dtype=np.int64).reshape(-1, 2).T
    for (start, end), score in zip(pieces, scores, strict=True):
        first = int(np.searchsorted(ends, start, side="right"))
        last = int(np.searchsorted(starts, end, side="left"))
        if first < last:
            sums[first:last] += score / (last - first)
    return [(start, end, float(total)) for (start, end), total in zip(words, sums, strict=True)]


def occluded(log_odds: Callable[[list[str]], np.ndarray], text: str) -> list[Scored]:
    """Return each word with what taking it out of the text takes from the log-odds of a class.

    log_odds: from N texts to [N]; asked once. In a long text, runs of neighbours are taken out together and
    share what that does.

    >>> occluded(lambda texts: np.array([float("rash" in one) for one in texts]), "a rash")
    [(0, 1, 0.0), (2, 6, 1.0)]
    """
    words = words_of(text)
    n_copies = max(1, min(MOST_COPIES, MOST_WORDS // max(1, len(words))))
    size = max(1, -(-len(words) // n_copies))
    runs = [words[first : first + size] for first in range(0, len(words), size)]
    without = [text[: run[0][0]] + text[run[-1][1] :] for run in runs]
    whole, *rest = log_odds([text, *without])
    return [
        (start, end, float(whole - left) / len(run))
        for run, left in zip(runs, rest, strict=True)
        for start, end in run
    ]


def log_odds_of(probabilities: np.ndarray) -> np.ndarray:
    """Return log p / (1 - p), finite also where float32 has no room for the doubt.

    >>> log_odds_of(np.array([0.5, 1.0])).round(1).tolist()
    [0.0, 16.1]
    """
    return logit(np.clip(np.asarray(probabilities, dtype=np.float64), SUREST, 1 - SUREST))
