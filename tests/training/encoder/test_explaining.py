"""A fine-tuned encoder says which words its opinion rests on, and how nearly that adds up."""

import json

import numpy as np
import pytest
import torch
from transformers import BertForSequenceClassification

from tests.made_examples import FILLER, SIGNS
from tests.tiny_bert import tiny_config_of
from training.config import FineTuneConfig
from training.encoder import TrainingRefused, explain, explaining, fine_tune, predict_proba
from training.encoder.base_model import fresh_classifier, load_classifier, load_tokenizer
from training.encoder.explaining import LARGEST_GAP
from training.encoder.heads import final_layer, fold
from training.encoder.model_files import write_model


@pytest.fixture(scope="module")
def tiny_model(tiny_base, examples, tmp_path_factory):
    """One word decides: it knows a "no" by its sign, and takes everything else for a "yes"."""
    config = tiny_config_of(tiny_base, max_epochs=20, patience=20)
    return fine_tune(examples, config, output_dir=tmp_path_factory.mktemp("explained") / "model").path


@pytest.fixture
def under_head(tiny_model, tmp_path):
    """Its encoder, with what it learned of the first class spread over the classes of another head."""
    learned = final_layer(load_classifier(tiny_model))[2].weight

    def write(head="single", n_classes=2, **changes):
        names = [f"class{k}" for k in range(n_classes)]
        config = FineTuneConfig(str(tiny_model), precision="fp32", **changes).to_dict()
        manifest = {"format": 2, "head": head, "class_names": names, "temperature": 1.0, "config": config}
        model = fresh_classifier(tiny_model, head, names)
        weight = final_layer(model)[2].weight
        with torch.no_grad():
            weight.copy_((learned[0] - learned[1]) * torch.linspace(1, -1, len(weight))[:, None])
        write_model(tmp_path, fold(model), load_tokenizer(tiny_model), manifest)
        return tmp_path

    return write


def adds_up(found):
    assert found.method == "integrated_gradients"
    total = sum(score for _, _, score in [*found.words, *found.second_words])
    assert abs(total - found.change) == pytest.approx(found.convergence_gap, abs=1e-3)
    assert found.convergence_gap <= LARGEST_GAP * abs(found.change)


def strongest(text, words) -> str:
    start, end, _ = max(words, key=lambda word: word[2])
    return text[start:end]


def test_the_sign_word_stands_out_and_the_parts_add_up(tiny_model, examples):
    for text in examples.texts[:16:2]:
        found = explain(tiny_model, text)
        assert strongest(text, found.words) in SIGNS["no"]
        assert found.probability == pytest.approx(predict_proba(tiny_model, [text]).max(), abs=1e-4)
        adds_up(found)


def test_the_other_class_gets_the_same_parts_with_the_other_sign(tiny_model):
    text = "word1 word2 calm word3"
    favoured, against = (explain(tiny_model, text, class_index=one) for one in (0, 1))
    assert (favoured.class_name, against.class_name) == ("no", "yes")
    assert against.probability + favoured.probability == pytest.approx(1, abs=1e-5)
    assert [-score for *_, score in against.words] == pytest.approx(
        [score for *_, score in favoured.words], abs=1e-4
    )


def test_taking_out_the_marked_words_lowers_the_probability_and_taking_out_others_does_not(
    tiny_model, examples
):
    """The deletion test where one word decides by construction: it holds that the marks matter."""
    rng, marked, random = np.random.default_rng(0), [], []
    for text in examples.texts[:32:2]:
        found = explain(tiny_model, text)
        ranked = sorted(range(len(found.words)), key=lambda place: -found.words[place][2])
        n_out = max(1, len(ranked) // 10)
        for drops, places in (
            (marked, ranked[:n_out]),
            (random, rng.choice(ranked, n_out, replace=False)),
        ):
            left = without(text, [found.words[place] for place in places])
            after = predict_proba(tiny_model, [left])[0, found.class_index]
            drops.append(found.probability - after)
    assert np.mean(marked) > 0.3
    assert np.mean(marked) >= 2 * np.mean(random)


def without(text: str, words) -> str:
    for start, end, _ in sorted(words, reverse=True):
        text = text[:start] + text[end:]
    return text


def test_a_text_longer_than_a_window_is_explained_over_all_its_windows(under_head):
    model = under_head(max_tokens=24, window_overlap=4)
    text = " ".join([*FILLER[:20], "calm", *FILLER[20:]])
    found = explain(model, text)
    assert len(found.words) == 41
    assert all(score for *_, score in found.words), "every word is in a window"
    assert found.probability == pytest.approx(predict_proba(model, [text]).max(), abs=1e-4)
    adds_up(found)


def test_of_a_pair_both_texts_are_explained(under_head):
    model = under_head()
    found = explain(model, "word1 word2", "word3 calm")
    assert [(start, end) for start, end, _ in found.words] == [(0, 5), (6, 11)]
    assert [(start, end) for start, end, _ in found.second_words] == [(0, 5), (6, 10)]
    expected = predict_proba(model, ["word1 word2"], ["word3 calm"]).max()
    assert found.probability == pytest.approx(expected, abs=1e-4)
    adds_up(found)


@pytest.mark.parametrize("head", ["multiple", "ordinal"])
def test_every_head_is_explained_on_its_own_terms(under_head, head):
    model, text = under_head(head, n_classes=3), "word1 word2 calm"
    for class_index in (0, 2):
        found = explain(model, text, class_index=class_index)
        probability = predict_proba(model, [text])[0, class_index]
        assert found.probability == pytest.approx(probability, abs=1e-4)
        adds_up(found)


def test_where_the_parts_miss_too_much_each_word_is_taken_out_instead(tiny_model, monkeypatch):
    monkeypatch.setattr(explaining, "LARGEST_GAP", -1.0)
    text = "word1 word2 calm word3"
    found = explain(tiny_model, text)
    assert (found.method, found.change, found.convergence_gap) == ("occlusion", None, None)
    assert strongest(text, found.words) == "calm"


def test_where_blanks_say_as_much_as_the_text_each_word_is_taken_out_instead(tiny_model):
    found = explain(tiny_model, "word12 rash word13")
    assert found.class_name == "yes"
    assert found.method == "occlusion"


def test_a_network_that_takes_no_embeddings_is_explained_by_occlusion(tiny_model, monkeypatch):
    def refuse(self):
        raise NotImplementedError

    monkeypatch.setattr(BertForSequenceClassification, "get_input_embeddings", refuse)
    assert explain(tiny_model, "word1 calm").method == "occlusion"


def test_hostile_texts_are_explained_in_code_points(tiny_model):
    for text in ("", "   ", "🤒 rash\x00 é́", "患者 rash", "rash" * 50, "<script>rash</script>"):
        found = explain(tiny_model, text)
        covered = "".join(text[start:end] for start, end, _ in found.words)
        assert covered == "".join(text.split())
        assert np.isfinite([score for *_, score in found.words]).all()


def test_spans_and_endless_texts_are_refused(tiny_model, tmp_path):
    with pytest.raises(TrainingRefused) as caught:
        explain(tiny_model, "rash " * 5000)
    assert caught.value.code == "too_long_to_explain"
    manifest = json.loads((tiny_model / "manifest.json").read_text()) | {"head": "spans"}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "model.safetensors").write_bytes((tiny_model / "model.safetensors").read_bytes())
    with pytest.raises(TrainingRefused) as caught:
        explain(tmp_path, "rash")
    assert caught.value.code == "spans_not_explained"
