"""Texts as counted words: TF-IDF of one and two words, or of characters where words have no spaces."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from training.algorithms.explanation import UNSPACED, Span

UNSPACED_SHARE = 0.2  # of the letters from which on characters are counted beside words
ANALYSERS = {
    "words": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"},
    "characters": {"analyzer": "char", "ngram_range": (1, 3)},
}
# What an n-gram is made of: scikit-learn takes several spaces for one.
UNITS = {"words": re.compile(r"\b\w+\b"), "characters": re.compile(r"\s\s+|.", re.DOTALL)}
MAX_TERMS = 30_000
VOCABULARY = "vocabulary.json"


class Words:
    """A vocabulary with its inverse document frequencies: turns N texts into rows of length 1."""

    def __init__(self, unit: str, terms: Sequence[str], inverse_frequency: np.ndarray) -> None:
        self.unit, self.terms, self.inverse_frequency = unit, list(terms), inverse_frequency
        self._columns = {term: place for place, term in enumerate(self.terms)}
        if self.terms:
            self._vectoriser = _vectoriser(unit, vocabulary=self._columns)
            self._vectoriser.idf_ = np.asarray(inverse_frequency, dtype=np.float64)

    @classmethod
    def learned_from(cls, texts: Sequence[str]) -> "Words":
        """Return the vocabulary of the texts; an empty one where they hold nothing to count."""
        unit = "characters" if unspaced_share(texts) >= UNSPACED_SHARE else "words"
        vectoriser = _vectoriser(unit, max_features=MAX_TERMS)
        try:
            vectoriser.fit(texts)
        except ValueError:  # "empty vocabulary"
            return cls(unit, [], np.empty(0))
        return cls(unit, vectoriser.get_feature_names_out().tolist(), vectoriser.idf_)

    def features(self, texts: Sequence[str]) -> csr_matrix:
        """Return float64 [N, V], rows of length 1, or 0 where no word of a text is known."""
        if not self.terms:
            return csr_matrix((len(texts), 0))
        return csr_matrix(self._vectoriser.transform(texts))

    def occurrences(self, text: str) -> tuple[np.ndarray, list[Span]]:
        """Return (column [P], code points [P]) of every time that a known term stands in a text."""
        if not self.terms:
            return np.empty(0, dtype=np.int64), []
        lowered = text.lower()
        origin = [place for place, sign in enumerate(text) for _ in sign.lower()]
        units = [match.span() for match in UNITS[self.unit].finditer(lowered)]
        longest = ANALYSERS[self.unit]["ngram_range"][1]
        spans = [  # in the order in which scikit-learn names the n-grams
            (origin[units[first][0]], origin[units[first + n - 1][1] - 1] + 1)
            for n in range(1, longest + 1)
            for first in range(len(units) - n + 1)
        ]
        terms = self._vectoriser.build_analyzer()(text)
        known = [
            (self._columns[term], span)
            for term, span in zip(terms, spans, strict=True)
            if term in self._columns
        ]
        return np.array([column for column, _ in known], dtype=np.int64), [span for _, span in known]

    def write(self, folder: Path) -> None:
        content = {"unit": self.unit, "terms": self.terms}
        (folder / VOCABULARY).write_text(json.dumps(content), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path, inverse_frequency: np.ndarray) -> "Words":
        content = json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))
        return cls(content["unit"], content["terms"], inverse_frequency)


def unspaced_share(texts: Sequence[str]) -> float:
    """Return the share of letters, in the first thousand texts, of scripts that put no space between words.

    >>> unspaced_share(["患者发热"]), unspaced_share(["fever"])
    (1.0, 0.0)
    """
    letters = [letter for text in texts[:1000] for letter in text[:1000] if not letter.isspace()]
    return sum(re.match(UNSPACED, letter) is not None for letter in letters) / max(len(letters), 1)


def _vectoriser(unit: str, **settings) -> TfidfVectorizer:
    return TfidfVectorizer(sublinear_tf=True, **ANALYSERS[unit], **settings)
