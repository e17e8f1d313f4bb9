"""The bottom of an encoder stays as it was pretrained, whatever family it is of."""

import dataclasses
import math
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ModernBertConfig,
    RobertaConfig,
)

from training.encoder import checkpoints, fine_tune
from training.encoder import progress as progress_module
from training.encoder.layers import freeze_bottom

WIDTH = {"vocab_size": 50, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16}
CONFIGS = {
    "bert": (BertConfig(**WIDTH, num_hidden_layers=6), "bert.encoder.layer"),
    "roberta": (RobertaConfig(**WIDTH, num_hidden_layers=6), "roberta.encoder.layer"),
    "deberta": (DebertaV2Config(**WIDTH, num_hidden_layers=6), "deberta.encoder.layer"),
    "modernbert": (
        ModernBertConfig(**WIDTH, num_hidden_layers=6, pad_token_id=0, cls_token_id=1, sep_token_id=2),
        "model.layers",
    ),
    "distilbert": (
        DistilBertConfig(vocab_size=50, dim=16, n_heads=2, hidden_dim=16, n_layers=6),
        "distilbert.transformer.layer",
    ),
}


@pytest.mark.parametrize("family", CONFIGS)
def test_embeddings_and_the_lowest_layers_are_frozen_and_nothing_else_is(family):
    config, layers = CONFIGS[family]
    model = AutoModelForSequenceClassification.from_config(config)
    freeze_bottom(model, 1 / 3)
    learns = {name: weight.requires_grad for name, weight in model.named_parameters()}
    below = (f"{layers}.0.", f"{layers}.1.")
    for name, does in learns.items():
        assert does != (".embeddings." in name or name.startswith(below)), name
    assert any(".embeddings." in name for name in learns)


def test_of_no_share_nothing_is_frozen():
    model = AutoModelForSequenceClassification.from_config(CONFIGS["bert"][0])
    assert freeze_bottom(model, 0.0) == []
    assert all(weight.requires_grad for weight in model.parameters())


def test_what_is_frozen_ends_as_it_began_and_what_is_above_learns(examples, tiny_config, tiny_base, tmp_path):
    config = dataclasses.replace(tiny_config, frozen_share=0.5, max_epochs=3)
    tuned = fine_tune(examples, config, output_dir=tmp_path / "m")
    before, after = load_file(tiny_base / "model.safetensors"), load_file(tuned.path / "model.safetensors")
    same = {
        name: torch.equal(value, after[f"bert.{name}"])
        for name, value in before.items()
        if f"bert.{name}" in after and "pooler" not in name
    }
    for name, is_same in same.items():
        assert is_same == name.startswith(("embeddings.", "encoder.layer.0.")), name


def test_what_is_frozen_and_not_written_puts_no_checkpoint_off(tmp_path, monkeypatch):
    model = AutoModelForSequenceClassification.from_config(CONFIGS["bert"][0])
    freeze_bottom(model, 0.5)
    written = 4 * sum(weight.nbytes for weight in model.parameters() if weight.requires_grad)
    clock = [0.0]
    monkeypatch.setattr(checkpoints, "BYTES_PER_SECOND", 1)
    monkeypatch.setattr(checkpoints, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    kept = checkpoints.Checkpoints(tmp_path, "", model)
    for clock[0], due in ((written - 1, False), (written, True)):
        assert kept.due is due


def test_a_killed_training_of_the_upper_half_ends_as_if_it_had_not_been_killed(
    examples, tiny_config, tmp_path, monkeypatch
):
    monkeypatch.setattr(checkpoints, "BYTES_PER_SECOND", math.inf)  # one after every epoch
    monkeypatch.setattr(progress_module, "INTERVAL_SECONDS", 0.0)
    config = dataclasses.replace(tiny_config, frozen_share=0.5, max_epochs=3)
    undisturbed = fine_tune(examples, config, output_dir=tmp_path / "undisturbed")

    def kill(progress):
        if progress.epoch == 3:
            raise KeyboardInterrupt

    again = []
    folder = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        fine_tune(examples, config, output_dir=tmp_path / "m", checkpoint_dir=folder, on_progress=kill)
    resumed = fine_tune(
        examples, config, output_dir=tmp_path / "m", checkpoint_dir=folder, on_progress=again.append
    )
    assert min(progress.epoch for progress in again if progress.stage == "training") == 3
    assert resumed.history == undisturbed.history
    assert resumed.sha256 == undisturbed.sha256
