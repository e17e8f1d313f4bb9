"""Tokens in many scripts, and cuts inside them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.algorithms.tokens import cut_tokens, token_offsets


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in token_offsets(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No fever, T 37.2!", ["No", "fever", ",", "T", "37", ".", "2", "!"]),
        ("发热3天", ["发", "热", "3", "天"]),
        ("발열 있음", ["발열", "있음"]),
        ("nai\u0308ve", ["nai\u0308ve"]),
        ("👍🏽 👩‍⚕️?", ["👍🏽", "👩‍⚕️", "?"]),
        ("a\r\nb\tc", ["a", "b", "c"]),
        (" \n", []),
        ("", []),
    ],
)
def test_words_ideographs_emoji_and_punctuation_are_tokens(text, expected):
    assert words(text) == expected


@given(st.text(max_size=60))
def test_every_character_but_white_space_lies_in_exactly_one_token(text):
    covered = [at for start, end in token_offsets(text) for at in range(start, end)]
    assert covered == [at for at, character in enumerate(text) if not character.isspace()]


@given(st.text(max_size=40), st.lists(st.integers(0, 40), max_size=6))
def test_a_cut_splits_the_token_it_falls_into_and_no_other(text, at):
    tokens = token_offsets(text)
    cut = cut_tokens(tokens, at)
    assert [i for a, b in cut for i in range(a, b)] == [i for a, b in tokens for i in range(a, b)]
    inside = {i for i in at for a, b in tokens if a < i < b}
    assert set(cut[:, 0]) == set(tokens[:, 0]) | inside
    assert (np.diff(cut, axis=1) > 0).all()
