import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from tests.made_examples import signed_sentences
from training.encoder import TrainingRefused, embed

TEXTS = [
    "The patient has a severe headache.",
    "She complains of a strong migraine.",
    "The invoice was paid in euros.",
]


def test_an_embedding_is_the_normalised_mean_over_the_tokens(tiny_base):
    texts, _ = signed_sentences(30)
    found = embed(tiny_base, texts, precision="fp32", batch_tokens=100)
    assert (found.dtype, found.shape) == (np.float16, (30, 32))
    tokenizer, model = AutoTokenizer.from_pretrained(tiny_base), AutoModel.from_pretrained(tiny_base).eval()
    with torch.no_grad():
        plain = [
            model(**tokenizer(text, return_tensors="pt")).last_hidden_state.mean(dim=1) for text in texts
        ]
    expected = torch.nn.functional.normalize(torch.cat(plain)).numpy()
    np.testing.assert_allclose(found.astype(np.float32), expected, atol=1e-3)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_texts_of_one_meaning_are_nearer_than_others(minilm, precision):
    vectors = embed(minilm, TEXTS, precision=precision).astype(np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=2e-3)
    assert vectors[0] @ vectors[1] > 0.5
    assert vectors[0] @ vectors[2] < 0.2


def test_half_precision_moves_a_cosine_by_less_than_a_hundredth(minilm):
    fine, coarse = (embed(minilm, TEXTS, precision=p).astype(np.float32) for p in ("fp32", "bf16"))
    np.testing.assert_allclose(coarse @ coarse.T, fine @ fine.T, atol=0.01)


def test_what_stands_at_the_end_of_a_long_text_moves_its_embedding(tiny_base):
    start = "word1 " * 500
    one, other = embed(tiny_base, [start + "rash " * 500, start + "calm " * 500], precision="fp32")
    assert not np.allclose(one, other, atol=1e-2)


def test_empty_texts_and_none_at_all_have_their_embeddings(tiny_base):
    assert embed(tiny_base, []).shape == (0, 32)
    assert np.isfinite(embed(tiny_base, ["", " "])).all()


def test_a_base_model_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(TrainingRefused) as caught:
        embed(tmp_path, ["a text"])
    assert caught.value.code == "base_model_missing"


def test_embedding_reports_a_rising_share(tiny_base):
    shares = []
    embed(tiny_base, ["rash"] * 10, on_progress=shares.append)
    assert shares == sorted(shares)
