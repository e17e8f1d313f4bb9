import dataclasses
import json

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.tiny_bert import tiny_config_of
from training.algorithms.calibration import apply_temperature
from training.algorithms.splits import TEST, TRAIN, VALIDATION
from training.config import FineTuneConfig
from training.encoder import TrainingRefused, fine_tune, predict_proba, unknown_token_share
from training.encoder.scoring import ready_to_score


@pytest.fixture(scope="module")
def tiny_model(tiny_base, examples, tmp_path_factory):
    config = tiny_config_of(tiny_base, max_epochs=8)
    return fine_tune(examples, config=config, output_dir=tmp_path_factory.mktemp("scored") / "model").path


def plain_probabilities(model_dir, texts) -> np.ndarray:
    """One text at a time through transformers' own classes, in fp32: slow, and hard to get wrong."""
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    model = AutoModelForSequenceClassification.from_pretrained(model_dir).eval()
    with torch.no_grad():
        logits = [
            model(**tokenizer(text, return_tensors="pt", truncation=True, max_length=64)).logits
            for text in texts
        ]
    temperature = json.loads((model_dir / "manifest.json").read_text())["temperature"]
    return (torch.cat(logits) / temperature).softmax(dim=-1).numpy()


def test_scores_equal_a_plain_forward_pass_in_the_order_of_the_texts(tiny_model, examples):
    scores = predict_proba(tiny_model, examples.texts, batch_tokens=128)
    assert scores.dtype == np.float32
    assert scores.shape == (160, 2)
    np.testing.assert_allclose(scores, plain_probabilities(tiny_model, examples.texts), atol=1e-5)


def test_scores_do_not_depend_on_the_size_of_the_batches(tiny_model, examples):
    small, large = (predict_proba(tiny_model, examples.texts, batch_tokens=n) for n in (1, 4096))
    np.testing.assert_allclose(small, large, atol=1e-5)


def test_texts_may_come_from_a_generator_and_may_be_empty_or_too_long(tiny_model):
    texts = ["", "rash", "calm " * 1000, "an emoji 🤒 and a NUL \x00"]
    scores = predict_proba(tiny_model, (text for text in texts))
    assert scores.shape == (4, 2)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-5)


def test_no_texts_give_no_scores(tiny_model):
    assert predict_proba(tiny_model, []).shape == (0, 2)


def test_scoring_reports_a_rising_share_and_stops_when_the_listener_raises(tiny_model, examples):
    shares = []
    predict_proba(tiny_model, examples.texts, on_progress=shares.append)
    assert shares == sorted(shares)
    assert shares[0] == 0.0

    def stop(share_done):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        predict_proba(tiny_model, examples.texts, on_progress=stop)


def test_a_model_that_is_gone_is_refused(tmp_path):
    with pytest.raises(TrainingRefused) as caught:
        predict_proba(tmp_path / "gone", ["a text"])
    assert caught.value.code == "model_missing"


def test_making_a_model_ready_to_score_leaves_the_trained_one_as_it_was(tiny_model):
    model = AutoModelForSequenceClassification.from_pretrained(tiny_model)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    ready_to_score(model, "bf16")
    assert {name: weight.dtype for name, weight in model.state_dict().items()} == {
        name: weight.dtype for name, weight in before.items()
    }
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_minilm_in_bf16_agrees_with_fp32_and_keeps_fine_differences(minilm, examples, tmp_path):
    few = np.concatenate([examples.rows(part)[:8] for part in (TRAIN, VALIDATION, TEST)])
    chosen = dataclasses.replace(
        examples,
        texts=[f"The patient had {examples.texts[i]} after the drug." for i in few],
        targets=examples.targets[few],
        weights=examples.weights[few],
        parts=examples.parts[few],
    )
    config = FineTuneConfig(
        str(minilm), precision="bf16", batch_size=8, min_epochs=1, max_epochs=1, seeds_when_few=1
    )
    tuned = fine_tune(chosen, config=config, output_dir=tmp_path / "model")
    scores = predict_proba(tuned.path, chosen.texts)
    plain = plain_probabilities(tuned.path, chosen.texts)
    np.testing.assert_allclose(scores, plain, atol=0.02)
    assert len(np.unique(scores[:, 0])) > 20  # bf16 logits would tie


def test_unknown_share_tells_a_foreign_language_from_a_known_one(minilm):
    assert unknown_token_share(minilm, ["The patient reports nausea after metformin."]) == 0.0
    assert unknown_token_share(minilm, ["患者服用二甲双胍后出现恶心和呕吐症状"]) > 0.3
    assert unknown_token_share(minilm, []) == 0.0


def test_a_long_text_is_the_mean_of_its_windows(tiny_base, examples, tmp_path):
    config = FineTuneConfig(
        str(tiny_base), precision="fp32", max_tokens=10, window_overlap=2, min_epochs=1, max_epochs=1
    )
    tuned = fine_tune(examples, config=config, output_dir=tmp_path / "model")
    words = [f"word{i}" for i in range(20)]
    windows = [
        " ".join(words[start : start + 8]) for start in (0, 6, 12)
    ]  # eight words and two special tokens
    temperature = tuned.manifest["temperature"]
    log_odds = np.log(predict_proba(tuned.path, windows)) * temperature
    expected = apply_temperature(log_odds.mean(axis=0, keepdims=True), temperature)
    scores = predict_proba(tuned.path, [" ".join(words), "rash"])
    np.testing.assert_allclose(scores[:1], expected, atol=1e-5)
