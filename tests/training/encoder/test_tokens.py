import numpy as np
import torch
from transformers import AutoTokenizer

from training.encoder import tokens as tokens_module
from training.encoder.tokens import bucketed_batches, sorted_batches, tokenise

LENGTHS = np.random.default_rng(0).integers(3, 128, size=500)


def test_sorted_batches_hold_each_row_once_within_the_limit():
    batches = list(sorted_batches(LENGTHS, np.arange(500), 512))
    assert sorted(np.concatenate(batches)) == list(range(500))
    assert all(LENGTHS[batch].max() * len(batch) <= 512 for batch in batches)
    firsts = [LENGTHS[batch].max() for batch in batches]
    assert firsts == sorted(firsts, reverse=True)


def test_a_text_longer_than_the_limit_is_a_batch_of_its_own():
    batches = list(sorted_batches(np.array([100, 4, 4]), np.arange(3), 16))
    assert [batch.tolist() for batch in batches] == [[0], [1, 2]]


def test_bucketed_batches_hold_each_row_once_and_pad_little():
    rows = np.arange(100, 500)
    batches = bucketed_batches(LENGTHS, rows, 16, np.random.default_rng(1))
    assert sorted(np.concatenate(batches)) == list(rows)
    assert {len(batch) for batch in batches} == {16}
    n_padded = sum(LENGTHS[batch].max() * len(batch) for batch in batches)
    assert n_padded < 1.15 * LENGTHS[rows].sum()


def test_another_epoch_mixes_the_batches_anew():
    first, second = (bucketed_batches(LENGTHS, np.arange(500), 16, np.random.default_rng(e)) for e in (1, 2))
    assert {tuple(sorted(batch)) for batch in first} != {tuple(sorted(batch)) for batch in second}


def test_padding_and_mask_equal_the_tokenizers_own(tiny_base):
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    texts = ["word1 word2", "rash", "calm word3 word4 nausea"]
    batch = tokenise(tokenizer, texts, max_tokens=64).padded(np.arange(3), torch.device("cpu"))
    expected = tokenizer(texts, padding=True, return_tensors="pt")
    assert torch.equal(batch["input_ids"], expected["input_ids"])
    assert torch.equal(batch["attention_mask"], expected["attention_mask"])


def test_texts_of_one_length_need_no_mask(tiny_base):
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    batch = tokenise(tokenizer, ["rash word1", "calm word2"], max_tokens=64).padded(
        np.arange(2), torch.device("cpu")
    )
    assert batch["attention_mask"] is None


def test_unknown_share_counts_plain_tokens_alone_over_all_chunks(tiny_base, monkeypatch):
    monkeypatch.setattr(tokens_module, "TEXTS_PER_CHUNK", 2)
    n_done = []
    tokens = tokenise(
        AutoTokenizer.from_pretrained(tiny_base),
        ["rash zebra", "calm well", "fever nausea"],
        max_tokens=64,
        on_chunk=n_done.append,
    )
    assert tokens.unknown_share == 1 / 6
    assert n_done == [2, 3]
