"""A BERT with random weights and a handful of words: it trains in seconds, and loads like a real one."""

from collections.abc import Iterable
from pathlib import Path

from training.config import FineTuneConfig


def save_tiny_bert(folder: Path, words: Iterable[str], *, width: int = 32, n_layers: int = 2) -> Path:
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set(words))]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizer(vocab=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    shape = {"hidden_size": width, "num_hidden_layers": n_layers, "num_attention_heads": 2}
    limits = {"vocab_size": len(vocabulary), "max_position_embeddings": 64, "intermediate_size": 2 * width}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(BertConfig(**shape, **limits)).save_pretrained(folder)
    return folder


def tiny_config_of(base: Path, **changes) -> FineTuneConfig:
    """How such a network learns: 9e-6 at width 768 is 5e-3 at width 32, and its random bottom learns too.

    In one turn: for how long it gropes before it learns anything is another number for each seed.
    """
    settings = {
        "learning_rate": 9e-6, "few_examples": 0, "enough_examples": 0, "marking_factor": 1,
        "precision": "fp32", "frozen_share": 0.0,
    }  # fmt: skip
    return FineTuneConfig(str(base), **settings | changes)
