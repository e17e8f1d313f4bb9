"""Which words of a text a masked-language model has to find, and what it is shown in their place.

BERT's own rule (Devlin et al. 2019, with its later whole-word masks): of the words, 15 in 100 are chosen; of
their tokens, 80 in 100 are shown as [MASK], 10 as another token and 10 as they are. All tokens of a word are
chosen with it: the rest of "pneumothorax" would give its beginning away.
"""

import re
from dataclasses import dataclass

import numpy as np

# Chinese and Japanese write no spaces: a character is a word there, as it is for their tokenizers.
SPACELESS = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
WORD = re.compile(rf"[{SPACELESS}]|[^\W{SPACELESS}]+|[^\w\s]")
MASKED, REPLACED = 0.8, 0.1  # of the chosen tokens; the rest are shown as they are


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What to show: the id of [MASK], and the ids that a token may be replaced by."""

    mask_id: int
    plain_ids: np.ndarray


def words_of(text: str, offsets: np.ndarray) -> np.ndarray:
    """Return int32 [T]: the number of the word that each of T tokens belongs to, -1 for an empty token.

    offsets: int [T, 2], the code points [start, end) that a token covers. A word is a run of letters and
    digits, a punctuation mark, or one Chinese or Japanese character.

    >>> words_of("rashes, 发热", np.array([[0, 4], [4, 6], [6, 7], [8, 9], [9, 10]])).tolist()
    [0, 0, 1, 2, 3]
    """
    starts = np.array([match.start() for match in WORD.finditer(text)], dtype=np.int64)
    # By a token's last character: some tokenizers count the space before it as its first.
    words = np.searchsorted(starts, offsets[:, 1] - 1, side="right") - 1
    return np.where(offsets[:, 1] > offsets[:, 0], words, -1).astype(np.int32)


def n_chosen(n_words: np.ndarray | int, share: float) -> np.ndarray:
    """Return how many of so many words are chosen: the share, and at least one where there is one."""
    return np.minimum(n_words, np.maximum(1, np.rint(share * np.asarray(n_words))))


def masked_words(
    ids: np.ndarray, words: np.ndarray, vocabulary: Vocabulary, *, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return (ids as shown [T], places of the chosen tokens [C]) of one text.

    words: int [T], a token's word, -1 for one that is never chosen.
    """
    present = np.unique(words[words >= 0])
    chosen = rng.choice(present, size=int(n_chosen(len(present), share)), replace=False)
    places = np.flatnonzero(np.isin(words, chosen))
    draws, shown = rng.random(len(places)), ids.copy()
    replaced = (draws >= MASKED) & (draws < MASKED + REPLACED)
    shown[places[draws < MASKED]] = vocabulary.mask_id
    shown[places[replaced]] = rng.choice(vocabulary.plain_ids, size=int(replaced.sum()))
    return shown, places
