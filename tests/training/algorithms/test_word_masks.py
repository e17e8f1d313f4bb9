import numpy as np

from training.algorithms.word_masks import Vocabulary, masked_words, words_of

VOCABULARY = Vocabulary(mask_id=4, plain_ids=np.arange(5, 1000))


def test_words_are_runs_of_letters_and_digits_marks_and_single_chinese_characters():
    text = "rashes, 发热38度 don't"
    offsets = np.array([(i, i + 1) for i, character in enumerate(text) if character != " "])
    words = words_of(text, offsets)
    found = ["".join(text[a] for (a, _), w in zip(offsets, words, strict=True) if w == n) for n in range(9)]
    assert found == ["rashes", ",", "发", "热", "38", "度", "don", "'", "t"]


def test_a_token_that_begins_with_the_space_before_its_word_belongs_to_the_word():
    assert words_of("no rash", np.array([[0, 2], [2, 5], [5, 7]])).tolist() == [0, 1, 1]


def test_a_word_is_chosen_whole_and_a_special_token_never():
    words = np.array([-1, 0, 0, 0, 1, 2, 2, 3, 4, 5, -1])
    for seed in range(50):
        _, places = masked_words(
            np.full(11, 7), words, VOCABULARY, share=0.3, rng=np.random.default_rng(seed)
        )
        chosen = set(words[places])
        assert len(chosen) == 2
        assert -1 not in chosen
        assert len(places) == np.isin(words, list(chosen)).sum()


def test_of_the_chosen_tokens_most_are_masked_some_replaced_and_some_left():
    ids = np.full(100_000, 7)
    shown, places = masked_words(
        ids, np.arange(100_000), VOCABULARY, share=0.15, rng=np.random.default_rng(0)
    )
    assert len(places) == 15_000
    assert (np.delete(shown, places) == 7).all()
    shares = [(shown[places] == 4).mean(), (shown[places] == 7).mean()]
    np.testing.assert_allclose(shares, [0.8, 0.1], atol=0.01)


def test_a_short_text_hides_one_word_and_an_empty_one_none():
    _, places = masked_words(
        np.array([2, 9, 3]), np.array([-1, 0, -1]), VOCABULARY, share=0.15, rng=np.random.default_rng(0)
    )
    assert places.tolist() == [1]
    _, places = masked_words(
        np.array([2, 3]), np.array([-1, -1]), VOCABULARY, share=0.15, rng=np.random.default_rng(0)
    )
    assert places.tolist() == []
