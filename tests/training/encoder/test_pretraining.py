import dataclasses
import hashlib
import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from training.algorithms.splits import record_places
from training.config import PretrainConfig
from training.encoder import Progress, TrainingRefused, checkpoints, embed, fine_tune, predict_proba, pretrain
from training.encoder import progress as progress_module
from training.encoder.base_model import load_tokenizer
from training.encoder.masked_words import MaskedWords, vocabulary_of, windows_as_texts, words_of_tokens
from training.encoder.pretraining import STOP_SEED
from training.encoder.tokens import tokenise

# Of these five words, the third and the fourth follow from the first two.
TEXTS = [f"word{i % 8} word{i % 8 + 8} word{i % 8} word{i % 8 + 8} calm" for i in range(240)]
RECORDS = [f"record {i // 3}" for i in range(240)]


@pytest.fixture(autouse=True)
def every_report(monkeypatch):
    monkeypatch.setattr(progress_module, "INTERVAL_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def a_checkpoint_after_every_step(monkeypatch):
    monkeypatch.setattr(checkpoints, "BYTES_PER_SECOND", math.inf)


@pytest.fixture
def config(tiny_base) -> PretrainConfig:
    return PretrainConfig(
        str(tiny_base), learning_rate=9e-6, max_epochs=6, batch_size=16, min_windows=100, precision="fp32"
    )


def test_an_encoder_learns_the_words_and_is_a_base_to_train_and_to_embed_from(
    config, tiny_base, tiny_config, examples, tmp_path
):
    adapted = pretrain(TEXTS, RECORDS, config, output_dir=tmp_path / "adapted")
    losses = [point["validation_loss"] for point in adapted.history]
    assert losses[-1] < 0.7 * losses[0]
    assert losses[0] < math.log(60)  # the guess of who knows nothing of the 60 words

    # The words' vectors and the layers have moved; the pooler, which nothing here uses, is as it was.
    base, weights = load_file(tiny_base / "model.safetensors"), load_file(adapted.path / "model.safetensors")
    assert base.keys() == weights.keys()
    assert {name for name in base if torch.equal(base[name], weights[name])} == {
        "pooler.dense.weight",
        "pooler.dense.bias",
    }

    tuned = fine_tune(
        examples,
        dataclasses.replace(tiny_config, base_model_path=str(adapted.path), max_epochs=3),
        output_dir=tmp_path / "tuned",
    )
    assert tuned.manifest["base_model_sha256"] == adapted.sha256
    assert predict_proba(tuned.path, ["calm"]).shape == (1, 2)
    assert embed(adapted.path, ["calm"]).shape == (1, 32)


def test_the_manifest_says_what_made_the_encoder(config, tiny_base, tmp_path):
    adapted = pretrain(TEXTS, RECORDS, dataclasses.replace(config, max_epochs=1), output_dir=tmp_path / "a")
    manifest = json.loads((adapted.path / "manifest.json").read_text())
    weights = (adapted.path / "model.safetensors").read_bytes()
    of_base = (tiny_base / "model.safetensors").read_bytes()
    assert manifest["sha256"] == adapted.sha256 == hashlib.sha256(weights).hexdigest()
    assert manifest["base_model_sha256"] == hashlib.sha256(of_base).hexdigest()
    assert (manifest["family"], manifest["seed"], manifest["n_texts"]) == ("pretrained", 0, 240)
    n_apart = int((record_places(RECORDS, seed=STOP_SEED) < config.validation_share).sum())
    assert (manifest["derived"]["n_train"], manifest["derived"]["n_validation"]) == (240 - n_apart, n_apart)
    assert PretrainConfig.from_dict(manifest["config"]).max_epochs == 1
    assert manifest["versions"]["torch"] == torch.__version__


def test_a_killed_pretraining_goes_on_and_ends_as_if_it_had_not_been_killed(config, tmp_path):
    config = dataclasses.replace(config, max_epochs=3)
    undisturbed = pretrain(TEXTS, RECORDS, config, output_dir=tmp_path / "undisturbed")

    def kill(progress: Progress) -> None:
        if progress.stage == "training" and progress.step == 20:  # in the second epoch
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(
            TEXTS,
            RECORDS,
            config,
            output_dir=tmp_path / "killed",
            checkpoint_dir=tmp_path / "checkpoint",
            on_progress=kill,
        )
    assert not (tmp_path / "killed").exists()
    steps = []
    resumed = pretrain(
        TEXTS,
        RECORDS,
        config,
        output_dir=tmp_path / "killed",
        checkpoint_dir=tmp_path / "checkpoint",
        on_progress=lambda progress: steps.append(progress.step) if progress.stage == "training" else None,
    )
    assert steps[0] == 20, "it did not start again from nothing"
    assert (resumed.sha256, resumed.history) == (undisturbed.sha256, undisturbed.history)


def test_what_a_window_hides_depends_on_the_step_and_not_on_its_company(config, tiny_base):
    tokenizer = load_tokenizer(tiny_base)
    tokens = tokenise(tokenizer, TEXTS, max_tokens=64, with_offsets=True)
    words = words_of_tokens(tokens, TEXTS, tokenizer.unk_token_id)
    apart = np.arange(240) < 20
    lesson = MaskedWords(
        windows_as_texts(tokens), words, apart, vocabulary_of(tokenizer), tiny_base, config, lambda: None
    )
    cpu = torch.device("cpu")
    together = lesson.inputs(np.array([5, 6, 7]), cpu, [0, 1])["input_ids"]
    alone = lesson.inputs(np.array([7]), cpu, [0, 1])["input_ids"]
    assert torch.equal(together[2], alone[0])
    later = [lesson.inputs(np.array([7]), cpu, [0, step])["input_ids"] for step in range(2, 12)]
    assert any(not torch.equal(alone, ids) for ids in later)


def refusal_of(texts, records, config, tmp_path) -> str:
    with pytest.raises(TrainingRefused) as caught:
        pretrain(texts, records, config, output_dir=tmp_path / "m")
    assert list(tmp_path.iterdir()) == []
    return caught.value.code


def test_what_cannot_be_learned_from_is_refused_and_nothing_is_written(config, tmp_path):
    assert refusal_of([], [], config, tmp_path) == "too_few_texts"
    assert refusal_of(TEXTS[:50], RECORDS[:50], config, tmp_path) == "too_few_texts"
    assert refusal_of(TEXTS, ["one record"] * 240, config, tmp_path) == "too_few_texts"
    assert refusal_of(["皮疹发热"] * 240, RECORDS, config, tmp_path) == "texts_not_readable"
    wild = dataclasses.replace(config, learning_rate=1e30, max_grad_norm=1e30)
    assert refusal_of(TEXTS, RECORDS, wild, tmp_path) == "loss_not_finite"
