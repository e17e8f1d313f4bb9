"""Texts as counted words: TF-IDF of one and two words, or of characters where words have no spaces."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

UNSPACED = re.compile(  # Chinese, Japanese kana, Thai, Lao, Burmese, Khmer
    "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\U00020000-\U0003ffff]"
)
UNSPACED_SHARE = 0.2  # of the letters from which on characters are counted beside words
ANALYSERS = {
    "words": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"},
    "characters": {"analyzer": "char", "ngram_range": (1, 3)},
}
MAX_TERMS = 30_000
VOCABULARY = "vocabulary.json"


class Words:
    """A vocabulary with its inverse document frequencies: turns N texts into rows of length 1."""

    def __init__(self, unit: str, terms: Sequence[str], inverse_frequency: np.ndarray) -> None:
        self.unit, self.terms, self.inverse_frequency = unit, list(terms), inverse_frequency
        if self.terms:
            vocabulary = {term: place for place, term in enumerate(self.terms)}
            self._vectoriser = _vectoriser(unit, vocabulary=vocabulary)
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
    return sum(map(bool, map(UNSPACED.match, letters))) / max(len(letters), 1)


def _vectoriser(unit: str, **settings) -> TfidfVectorizer:
    return TfidfVectorizer(sublinear_tf=True, **ANALYSERS[unit], **settings)
