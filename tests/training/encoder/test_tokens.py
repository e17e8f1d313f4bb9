from itertools import pairwise

import numpy as np
import torch
from transformers import AutoTokenizer

from training.encoder import tokens as tokens_module
from training.encoder.tokens import bucketed_batches, sorted_batches, tokenise
from training.encoder.windows import drawn_windows, windows_of

LENGTHS = np.random.default_rng(0).integers(3, 128, size=500)


def rows_of(tokens):
    return [tokens.ids[start:end] for start, end in pairwise(tokens.starts)]


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
    assert set(batch) == {"input_ids"}


def test_a_long_text_becomes_windows_that_overlap_and_hold_every_token(tiny_base):
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    texts = ["calm", " ".join(f"word{i}" for i in range(20)), ""]
    tokens = tokenise(tokenizer, texts, max_tokens=10, overlap=2)
    assert tokens.n_windows.tolist() == [1, 3, 1]
    words = [tokenizer.decode(row, skip_special_tokens=True) for row in rows_of(tokens)]
    assert words[1:4] == [
        " ".join(f"word{i}" for i in numbers) for numbers in (range(8), range(6, 14), range(12, 20))
    ]
    assert (words[0], words[4]) == ("calm", "")
    windows, place = windows_of(tokens, np.array([2, 1]))
    assert (windows.tolist(), place.tolist()) == ([4, 1, 2, 3], [0, 1, 1, 1])


def test_a_step_draws_a_few_windows_of_a_long_text_and_others_in_time(tiny_base):
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    texts = [" ".join(f"word{i % 40}" for i in range(100)), "calm"]
    tokens = tokenise(tokenizer, texts, max_tokens=10)
    seen = set()
    for seed in range(40):
        windows, place = drawn_windows(tokens, np.array([0, 1]), 3, np.random.default_rng(seed))
        assert place.tolist() == [0, 0, 0, 1]
        assert windows[-1] == tokens.first_window[1]
        seen.update(windows.tolist())
    assert seen == set(range(len(tokens.window_lengths)))


def test_pairs_are_cut_to_one_window_and_the_second_text_has_its_own_type(tiny_base):
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    texts, seconds = ["word1 word2", "calm " * 30], ["rash", "fever well"]
    tokens = tokenise(tokenizer, texts, seconds, max_tokens=16)
    assert tokens.n_windows.tolist() == [1, 1]
    batch = tokens.padded(np.arange(2), torch.device("cpu"))
    expected = tokenizer(texts, seconds, truncation=True, max_length=16, padding=True, return_tensors="pt")
    for name in ("input_ids", "token_type_ids", "attention_mask"):
        assert torch.equal(batch[name], expected[name]), name


def test_many_long_texts_are_tokenised_a_few_at_a_time(tiny_base, monkeypatch):
    monkeypatch.setattr(tokens_module, "CHARACTERS_PER_CHUNK", 100)
    n_done = []
    texts = ["calm " * 30, "rash", "well", "fever " * 30, "well"]
    tokenise(AutoTokenizer.from_pretrained(tiny_base), texts, max_tokens=64, on_chunk=n_done.append)
    assert n_done == [1, 4, 5]


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
