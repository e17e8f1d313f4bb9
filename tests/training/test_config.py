import dataclasses
import json

import pytest

from training.config import FineTuneConfig


def test_a_config_survives_json():
    config = FineTuneConfig("models/base", seed=3, learning_rate=3e-5)
    assert FineTuneConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_few_labels_get_many_epochs_and_many_labels_few():
    config = FineTuneConfig("m", batch_size=16, max_steps=400, min_epochs=3, max_epochs=20)
    assert [config.epochs_for(n) for n in (100, 840, 100_000)] == [20, 7, 3]


def test_a_narrow_encoder_gets_a_higher_learning_rate():
    config = FineTuneConfig("m", learning_rate=5e-5)
    assert config.learning_rate_for(768) == pytest.approx(5e-5)
    assert config.learning_rate_for(384) == pytest.approx(2e-4)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"precision": "fp16"}, "precision is auto, bf16 or fp32"),
        ({"validation_share": 0.5, "test_share": 0.5}, "leave nothing to train on"),
        ({"min_epochs": 5, "max_epochs": 4}, "min_epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"max_tokens": 2}, "max_tokens"),
    ],
)
def test_a_config_that_cannot_train_is_refused(change, reason):
    with pytest.raises(ValueError, match=reason):
        dataclasses.replace(FineTuneConfig("m"), **change)
