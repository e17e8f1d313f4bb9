"""Every head learns, is calibrated on its own terms, and loads in transformers by path."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForSequenceClassification

from tests.made_examples import FILLER, SIGNS, one_hot, signed_sentences
from training.algorithms.examples import Examples
from training.algorithms.splits import TEST, split_by_group
from training.encoder import TrainingRefused, fine_tune, predict_proba
from training.encoder.heads import AnyOf, InOrder, OneOf, OrderedThresholds


def learned(examples: Examples, config, folder):
    """Train and return (what fine_tune gave, probabilities of the test part, its targets)."""
    tuned = fine_tune(examples, dataclasses.replace(config, max_epochs=20), output_dir=folder)
    rows = examples.rows(TEST)
    seconds = None if examples.seconds is None else [examples.seconds[row] for row in rows]
    found = predict_proba(tuned.path, [examples.texts[row] for row in rows], seconds)
    return tuned, found, examples.targets[rows]


def made(head, names, texts, targets, **more) -> Examples:
    n = len(texts)
    return Examples(
        head=head,
        class_names=names,
        texts=texts,
        targets=np.asarray(targets, dtype=np.float32),
        weights=np.ones(n, dtype=np.float32),
        parts=split_by_group(range(n), texts, validation_share=0.15, test_share=0.15, seed=0),
        **more,
    )


def test_one_of_several_is_torchs_cross_entropy_with_soft_targets():
    outputs, targets = torch.randn(5, 3), torch.rand(5, 3).softmax(dim=1)
    weights = torch.tensor([0.5, 1.0, 2.0])
    expected = cross_entropy(outputs, targets, weight=weights, reduction="none")
    torch.testing.assert_close(OneOf().losses(outputs, targets, weights), expected)


def test_any_of_several_asks_each_label_on_its_own():
    outputs = torch.tensor([[0.0, 100.0]])
    losses = AnyOf().losses(outputs, torch.tensor([[1.0, 1.0]]), torch.ones(2))
    torch.testing.assert_close(losses, torch.tensor([np.log(2) / 2], dtype=torch.float32))


@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_ordered_classes_share_one_slope_and_their_probabilities_sum_to_one(n_classes):
    layer = OrderedThresholds(8, n_classes - 1)
    hidden = 50 * torch.randn(20, 8)
    outputs = layer(hidden)
    torch.testing.assert_close(layer.folded()(hidden), outputs)
    probabilities = InOrder().scores(outputs).exp()
    assert probabilities.shape == (20, n_classes)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(20))
    beyond = outputs.sigmoid()
    torch.testing.assert_close(probabilities.flip(1).cumsum(1).flip(1)[:, 1:], beyond, atol=1e-5, rtol=1e-4)


def test_ordered_classes_far_in_the_tail_have_finite_losses_and_gradients():
    outputs = torch.tensor([[80.0, 79.0, 78.0], [-80.0, -81.0, -82.0]], requires_grad=True)
    losses = InOrder().losses(outputs, torch.eye(4)[[0, 3]], torch.ones(4))
    losses.sum().backward()
    assert torch.isfinite(losses).all()
    assert torch.isfinite(outputs.grad).all()


def test_soft_targets_are_reproduced_where_the_crowd_is_divided(tiny_config, tmp_path):
    texts, labels = signed_sentences(240)
    targets = np.where(labels[:, None] == 1, [0.3, 0.7], [0.9, 0.1])
    _, found, expected = learned(made("single", ("no", "yes"), texts, targets), tiny_config, tmp_path / "m")
    assert np.abs(found - expected).mean() < 0.1


def test_examples_that_weigh_nothing_teach_nothing(examples, tiny_config, tmp_path):
    counts = np.arange(160) % 3 != 0
    weights = np.where(counts, 2.0, 0.0).astype(np.float32)
    weighed = fine_tune(
        dataclasses.replace(examples, weights=weights), tiny_config, output_dir=tmp_path / "a"
    )
    without = dataclasses.replace(
        examples,
        texts=[text for text, kept in zip(examples.texts, counts, strict=True) if kept],
        targets=examples.targets[counts],
        weights=np.ones(counts.sum(), dtype=np.float32),
        parts=examples.parts[counts],
    )
    assert weighed.sha256 == fine_tune(without, tiny_config, output_dir=tmp_path / "b").sha256


def test_an_example_of_twice_the_weight_counts_as_two(tiny_config, tmp_path):
    """Half the crowd's weight says yes of every text, and a third of the examples."""
    texts, labels = ["calm rash"] * 240, np.arange(240) % 3 == 0
    examples = made("single", ("no", "yes"), texts, one_hot(labels.astype(int), 2))
    parts = (np.arange(240) // 3 % 10 >= 8).astype(np.int8)  # equal texts, so no split by text
    weights = np.where(labels, 2.0, 1.0).astype(np.float32)
    examples = dataclasses.replace(examples, parts=parts, weights=weights)
    tuned = fine_tune(
        examples, dataclasses.replace(tiny_config, imbalance_ratio=9), output_dir=tmp_path / "m"
    )
    assert predict_proba(tuned.path, ["calm rash"])[0, 1] == pytest.approx(0.5, abs=0.1)


def test_any_number_of_labels_can_hold(tiny_config, tmp_path):
    rng = np.random.default_rng(1)
    targets = rng.integers(0, 2, size=(240, 2))
    texts = [
        " ".join([*rng.choice(FILLER, 4), *[SIGNS["no"][0]] * row[0], *[SIGNS["yes"][0]] * row[1]])
        for row in targets
    ]
    tuned, found, expected = learned(
        made("multiple", ("calm", "ill"), texts, targets), tiny_config, tmp_path / "m"
    )
    assert ((found > 0.5) == (expected > 0.5)).mean() > 0.9
    assert found.sum(axis=1).max() > 1.2
    assert found.sum(axis=1).min() < 0.8
    loaded = AutoModelForSequenceClassification.from_pretrained(tuned.path)
    assert loaded.config.problem_type == "multi_label_classification"
    assert loaded.config.id2label == {0: "calm", 1: "ill"}


def test_ordered_classes_are_learned_and_load_as_thresholds(tiny_config, tmp_path):
    rng = np.random.default_rng(2)
    labels = np.arange(300) % 3
    texts = [" ".join([*rng.choice(FILLER, 4), ["calm", "rash", "fever"][label]]) for label in labels]
    tuned, found, expected = learned(
        made("ordinal", ("mild", "medium", "severe"), texts, one_hot(labels, 3)), tiny_config, tmp_path / "m"
    )
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-5)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.85
    loaded = AutoModelForSequenceClassification.from_pretrained(tuned.path)
    assert loaded.config.id2label == {0: "beyond mild", 1: "beyond medium"}
    assert torch.equal(loaded.classifier.weight[0], loaded.classifier.weight[1])


def test_pairs_are_told_apart_by_what_both_texts_say(tiny_config, tmp_path):
    """The label is whether the second text has a sign word at all; the first has one always."""
    rng = np.random.default_rng(3)
    labels = np.arange(240) % 2
    texts = [" ".join([*rng.choice(FILLER, 3), "rash"]) for _ in labels]
    seconds = [" ".join([*rng.choice(FILLER, 3), *["rash"] * label]) for label in labels]
    examples = made("single", ("other", "same"), texts, one_hot(labels, 2), seconds=seconds)
    _, found, expected = learned(examples, tiny_config, tmp_path / "m")
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.9


def test_labels_that_never_differ_are_refused(tiny_config, tmp_path):
    texts, _ = signed_sentences(60)
    always = made("multiple", ("a", "b"), texts, [[1.0, 0.0]] * 60)
    with pytest.raises(TrainingRefused) as caught:
        fine_tune(always, tiny_config, output_dir=tmp_path / "m")
    assert caught.value.code == "one_class"
