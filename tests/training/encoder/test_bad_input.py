"""What comes in may be too much, too little, of another kind or damaged: each has its end in words."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from tests.made_examples import FILLER, one_hot
from training.algorithms.splits import TRAIN
from training.encoder import TrainingRefused, fine_tune, predict_proba


def refusal_of(examples, config, folder) -> str:
    with pytest.raises(TrainingRefused) as caught:
        fine_tune(examples, config, output_dir=folder)
    assert not folder.exists()
    assert caught.value.sentence.endswith(".")
    return caught.value.code


def patient(config):
    """So many passes that a network of random weights has learned for sure, whatever its draws of dropout."""
    return dataclasses.replace(config, max_epochs=24, patience=24)


def test_a_base_model_of_another_architecture_is_refused(examples, tiny_config, tiny_base, tmp_path):
    other = tmp_path / "gpt"
    shutil.copytree(tiny_base, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"model_type": "gpt2"}))
    tuned = dataclasses.replace(tiny_config, base_model_path=str(other))
    assert refusal_of(examples, tuned, tmp_path / "model") == "base_model_not_an_encoder"


def test_no_examples_at_all_are_refused(examples, tiny_config, tmp_path):
    none = dataclasses.replace(
        examples,
        texts=[],
        targets=examples.targets[:0],
        weights=examples.weights[:0],
        parts=examples.parts[:0],
    )
    assert refusal_of(none, tiny_config, tmp_path / "model") == "too_few_examples"


def test_a_class_with_one_example_is_learned_with_the_others(examples, tiny_config, tmp_path):
    labels = examples.labels.copy()
    labels[np.flatnonzero(examples.parts == TRAIN)[0]] = 2
    three = dataclasses.replace(examples, class_names=("no", "yes", "maybe"), targets=one_hot(labels, 3))
    tuned = fine_tune(three, patient(tiny_config), output_dir=tmp_path / "model")
    probabilities = predict_proba(tuned.path, examples.texts)
    assert probabilities.shape == (len(examples), 3)
    others = labels < 2
    assert (probabilities.argmax(axis=1) == labels)[others].mean() > 0.9


def test_texts_of_a_hundred_thousand_characters_are_learned_and_read(examples, tiny_config, tmp_path):
    book = " ".join(FILLER * 400)
    assert len(book) > 90_000
    texts = list(examples.texts)
    row = int(np.flatnonzero(examples.parts == TRAIN)[0])
    texts[row] = f"{book} {book} {texts[row]}"
    longer = dataclasses.replace(examples, texts=texts)
    tuned = fine_tune(longer, patient(tiny_config), output_dir=tmp_path / "model")
    long, short = predict_proba(tuned.path, [f"{book} {book}", "rash"])
    assert long.sum() == pytest.approx(1, abs=1e-5)
    assert short.argmax() == 1


@pytest.mark.parametrize("damage", ["torn", "another number", "of another shape", "pickled"])
def test_a_trained_model_that_was_damaged_is_refused_unread(examples, tiny_config, tmp_path, damage):
    tuned = fine_tune(examples, tiny_config, output_dir=tmp_path / "model")
    weights = tuned.path / "model.safetensors"
    if damage == "torn":
        weights.write_bytes(weights.read_bytes()[:-1000])
    elif damage == "another number":
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
    elif damage == "of another shape":
        config = json.loads((tuned.path / "config.json").read_text())
        (tuned.path / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    else:
        weights.rename(tuned.path / "pytorch_model.bin")
    with pytest.raises(TrainingRefused) as caught:
        predict_proba(tuned.path, ["rash"])
    assert caught.value.code in ("model_missing", "model_damaged", "base_model_unreadable")
