"""What words say of marks: learnt from other texts, never from the mark itself."""

import numpy as np

from annotation.algorithms.span_chains import cells_of, chains_of
from annotation.algorithms.span_crowd import given_labels
from annotation.algorithms.span_words import MOST_WORDS, N_FOLDS, count_words, word_scores, words_at_marks

LABELS = ["sign"]


def marked(texts: list[str], words: list[str]):
    """One volunteer who marks one word in each text."""
    chains = []
    for i, (text, word) in enumerate(zip(texts, words, strict=True)):
        start = text.index(word)
        chains += chains_of(text, [(0, [(start, start + len(word), "sign")])], LABELS, text_index=i)
    cells = cells_of(chains)
    given = given_labels(cells, 1)
    return cells, given, words_at_marks(cells, texts, given)


def scores_by_text(cells, given, scores) -> dict[int, float]:
    marks = np.flatnonzero(given[:, 0])
    text = {at: chain.text for chain, part in cells.parts() for at in range(part.start, part.stop)}
    return {text[at]: float(scores[at, 0]) for at in marks}


def many(n: int = 40) -> tuple[list[str], list[str]]:
    """In half of the texts 'rash' is marked, in the others 'table'; no two texts are the same."""
    words = ["rash" if i % 2 else "table" for i in range(n)]
    return [f"case {'i' * i} the {word} of it" for i, word in enumerate(words)], words


def test_words_marked_rightly_elsewhere_speak_for_a_mark_and_words_marked_wrongly_against_it():
    texts, words = many()
    cells, given, sights = marked(texts, words)
    by_text = {i: word == "rash" for i, word in enumerate(words)}
    inside = np.zeros((len(given), 1))
    for chain, part in cells.parts():
        inside[part] = given[part] * by_text[chain.text]
    scores = word_scores(cells, sights, inside, count_words(sights, inside, LABELS), LABELS)
    assert (scores[~given] == 0).all()
    found = scores_by_text(cells, given, scores)
    assert min(found[i] for i in found if by_text[i]) > 0.5
    assert max(found[i] for i in found if not by_text[i]) < -0.5


def test_no_mark_vouches_for_itself():
    """A word that is marked in one text only says nothing there, however sure that mark is."""
    cells, given, sights = marked(["a zebra b", *many()[0]], ["zebra", *many()[1]])
    inside = given.astype(float) * 0.5
    sure = next(part for chain, part in cells.parts() if chain.text == 0)
    before = word_scores(cells, sights, inside, count_words(sights, inside, LABELS), LABELS)
    inside[sure] = given[sure]
    after = word_scores(cells, sights, inside, count_words(sights, inside, LABELS), LABELS)
    share_moved = 1e-2  # the share of right marks moves with every mark
    assert abs(after[sure] - before[sure]).max() < share_moved


def test_the_same_word_elsewhere_in_the_text_counts():
    text = "zebra here, zebra there"
    chains = chains_of(text, [(0, [(0, 5, "sign"), (12, 17, "sign")])], LABELS)
    cells = cells_of(chains)
    given = given_labels(cells, 1)
    sights = words_at_marks(cells, [text], given)
    nothing_learnt = {"counts": {}, "share": {"sign": 0.5}}
    sure_of_the_second = given * np.linspace(0.5, 1.0, len(given))[:, None]
    scores = word_scores(cells, sights, sure_of_the_second, nothing_learnt, LABELS)
    first, second = np.flatnonzero(given[:, 0])
    assert scores[first, 0] > scores[second, 0] >= 0


def test_what_is_kept_is_bounded_and_rare_words_are_not_kept():
    texts, words = many()
    _, given, sights = marked([*texts, "a zebra b"], [*words, "zebra"])
    learnt = count_words(sights, given.astype(float), LABELS)
    assert "=rash" in learnt["counts"]["sign"] and "=zebra" not in learnt["counts"]["sign"]
    marked_often, rightly = learnt["counts"]["sign"]["=rash"]
    assert len(marked_often) == N_FOLDS and sum(marked_often) == sum(rightly) == 20
    assert len(learnt["counts"]["sign"]) <= MOST_WORDS
    assert {"<the", ">of"} <= learnt["counts"]["sign"].keys()
