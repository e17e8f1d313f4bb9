"""What the weights of a linear model say of each word adds up to its opinion."""

import numpy as np
import pytest

from tests.training.linear.test_linear import SIGNS, examples_of, labelled, sentences
from training.linear import explain_tfidf, fit_tfidf, predict_tfidf


def strongest(text, words) -> str:
    start, end, _ = max(words, key=lambda word: word[2])
    return text[start:end]


def adds_up(found):
    total = sum(score for _, _, score in [*found.words, *found.second_words])
    assert total == pytest.approx(found.change, abs=1e-3)
    assert found.convergence_gap < 1e-3


@pytest.mark.parametrize("head", ["single", "ordinal", "multiple"])
def test_the_sign_word_stands_out_and_the_parts_add_up(tmp_path, head):
    examples = labelled(head=head)
    model = fit_tfidf(examples, output_dir=tmp_path / "m", seed=0).path
    for text, label in zip(examples.texts[:10], labelled().labels[:10], strict=True):
        found = explain_tfidf(model, text)
        assert found.class_index == label
        assert found.probability == pytest.approx(predict_tfidf(model, [text])[0, label])
        assert strongest(text, found.words) == SIGNS[label]
        adds_up(found)


def test_a_named_class_is_explained_whatever_is_likeliest(tmp_path):
    model = fit_tfidf(labelled(), output_dir=tmp_path / "m", seed=0).path
    found = explain_tfidf(model, "word1 rash word2", class_index=0)
    assert (found.class_name, found.change < 0) == ("class0", True)
    assert min(found.words, key=lambda word: word[2])[:2] == (6, 10)
    adds_up(found)


def test_of_a_pair_what_both_have_in_common_is_halved(tmp_path):
    texts, labels = sentences(120)
    seconds = texts[3:] + texts[:3]
    same = (labels == np.roll(labels, -3)).astype(int)
    pairs = examples_of(texts, np.eye(2)[same], seconds=seconds)
    model = fit_tfidf(pairs, output_dir=tmp_path / "m", seed=0).path
    found = explain_tfidf(model, "rash word1", "word2 rash")
    assert [len(found.words), len(found.second_words)] == [2, 2]
    adds_up(found)


def test_characters_that_need_no_spaces_and_case_that_changes_length_keep_their_places(tmp_path):
    texts = [f"患者{sign}第{i}天" for i in range(60) for sign in ("发热", "正常")]
    labels = np.array([0, 1] * 60)
    model = fit_tfidf(examples_of(texts, np.eye(2)[labels]), output_dir=tmp_path / "m", seed=0).path
    text = "İ  患者发热\n\n第3天🤒"
    found = explain_tfidf(model, text)
    assert found.class_index == 0
    assert strongest(text, found.words) in "发热"
    assert "".join(text[start:end] for start, end, _ in found.words) == "".join(text.split())
    adds_up(found)


def test_a_text_without_a_known_word_says_nothing(tmp_path):
    model = fit_tfidf(labelled(), output_dir=tmp_path / "m", seed=0).path
    found = explain_tfidf(model, "unheard of")
    assert [score for _, _, score in found.words] == [0, 0]
    assert found.change == 0
