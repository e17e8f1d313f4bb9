"""Short free texts: the same words are the same answer, in any script; ties and weights are defined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.algorithms.free_text import mean_similarity, medoid, similarity, similarity_matrix, tokens


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("No  rash\n", "no rash."),
        ("caf\u00e9", "cafe\u0301"),  # one code point, or a letter and a combining mark
        ("STRASSE", "straße"),
        ("\uff11\uff10 mg", "10 mg"),  # full width digits
        ("ﬁbrosis", "fibrosis"),  # a ligature
        ("rash, fever", "fever rash"),
    ],
)
def test_what_reads_the_same_is_the_same(a, b):
    assert similarity(a, b) == 1.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("不明原因发热", ["不", "明", "原", "因", "发", "热"]),
        ("COVID後の発熱", ["covid", "後", "の", "発", "熱"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("0.5 mg x2", ["0.5", "mg", "x2"]),
        ("BP <90/60 👍", ["bp", "<", "90/60", "👍"]),
        ("  ", []),
    ],
)
def test_words_are_found_in_every_script(text, words):
    assert tokens(text) == words


def test_a_sign_that_changes_the_meaning_counts():
    assert similarity("+ 2", "- 2") < 1
    assert similarity("0.5 mg", "5 mg") == 0.5


def test_two_empty_texts_are_alike_and_an_empty_one_is_like_nothing_else():
    assert similarity("", " \n") == 1.0
    assert similarity("", "rash") == 0.0


def test_a_word_that_stands_twice_counts_twice():
    """3 of 3 + 2 tokens are in common once each: no, rash; the second 'no' has no partner."""
    assert similarity("no no rash", "no rash") == pytest.approx(0.8)


def test_the_medoid_of_same_or_different_texts_has_the_share_of_the_votes():
    chosen = medoid(["aspirin", "Aspirin", "ibuprofen", "aspirin!"])
    assert (chosen.index, chosen.share) == (0, 0.75)
    assert chosen.similarities.tolist() == [0.75, 0.75, 0.25, 0.75]


def test_the_text_between_two_others_stands_for_them():
    texts = ["pain in the left arm", "left arm", "left arm numb"]
    assert medoid(texts).index == 1


def test_a_reliable_volunteer_outweighs_two_that_are_not():
    assert medoid(["fever", "chills", "chills"], [0.9, 0.3, 0.3]).index == 0
    assert medoid(["fever", "chills", "chills"], [0.9, 0.6, 0.6]).index == 1


def test_a_tie_goes_to_the_greater_weight_and_then_to_the_first():
    assert medoid(["a", "b"]).index == 0
    assert medoid(["a", "b"], [1, 2]).index == 1
    assert medoid(["x y", "x Y", "x y!"], [1, 3, 3]).index == 1


def test_a_single_text_stands_for_itself():
    assert (medoid(["anything"]).index, medoid(["anything"]).share) == (0, 1.0)
    assert mean_similarity(["anything"]) is None


def test_weights_of_nothing_weigh_alike_and_bad_ones_are_refused():
    assert medoid(["a", "b", "b"], [0, 0, 0]).index == 1
    with pytest.raises(ValueError, match="none of them negative"):
        medoid(["a", "b"], [1, -1])
    with pytest.raises(ValueError, match="as many weights"):
        medoid(["a", "b"], [1])
    with pytest.raises(ValueError, match="at least one text"):
        medoid([])


@given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=6))
def test_equal_texts_have_all_in_common_and_never_more_whatever_they_weigh(weights):
    assert 1 - 1e-12 < medoid(["no rash"] * len(weights), weights).share <= 1


def test_agreement_is_the_mean_over_pairs():
    """1 for the first pair, 2/3 for the other two: 'rash' in common of three tokens."""
    assert mean_similarity(["rash", "Rash", "rash seen"]) == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)


@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_any_text_has_a_similarity_between_0_and_1_whatever_the_order(texts):
    matrix = similarity_matrix(texts)
    assert np.array_equal(matrix, matrix.T)
    assert np.array_equal(matrix.diagonal(), np.ones(len(texts)))
    assert ((matrix >= 0) & (matrix <= 1)).all()
    assert np.allclose(medoid(texts[::-1]).similarities[::-1], medoid(texts).similarities)
