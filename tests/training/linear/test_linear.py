"""Linear challengers: they learn, say how sure they are, and are the same again from the same examples."""

import dataclasses
import json
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from training.algorithms.calibration import log_shares_of
from training.algorithms.examples import Examples
from training.algorithms.splits import CALIBRATION, TEST, TRAIN, VALIDATION
from training.errors import TrainingRefused
from training.linear import (
    fit_combined,
    fit_embedding,
    fit_tfidf,
    predict_combined,
    predict_embedding,
    predict_tfidf,
    read_model,
)
from training.linear.regression import fit
from training.linear.words import Words

FILLER = [f"word{i}" for i in range(30)]
SIGNS = ["calm", "rash", "fever"]
PARTS = (TRAIN, TRAIN, TRAIN, VALIDATION, CALIBRATION, TEST)


def sentences(n: int, n_classes: int = 3) -> tuple[list[str], np.ndarray]:
    """n sentences of fillers; one sign word decides the class."""
    rng = np.random.default_rng(0)
    labels = rng.integers(n_classes, size=n)
    texts = [
        " ".join([*rng.choice(FILLER, size=8), SIGNS[label], *rng.choice(FILLER, 3)]) for label in labels
    ]
    return texts, labels


def examples_of(texts, targets, *, head="single", seconds=None) -> Examples:
    n, k = targets.shape
    parts = np.array([PARTS[i % len(PARTS)] for i in range(n)], dtype=np.int8)
    names = tuple(f"class{i}" for i in range(k))
    return Examples(head, names, texts, targets.astype(np.float32), np.ones(n, np.float32), parts, seconds)


def labelled(n: int = 120, **more) -> Examples:
    texts, labels = sentences(n)
    return examples_of(texts, np.eye(3)[labels], **more)


def vectors_of(examples: Examples) -> np.ndarray:
    """float16 [N, 8]: noise, with the class in three of the axes."""
    noise = np.random.default_rng(1).normal(size=(len(examples), 8))
    noise[:, :3] += 3 * examples.targets
    return noise.astype(np.float16)


@pytest.mark.parametrize("head", ["single", "ordinal"])
def test_words_that_decide_are_found(tmp_path, head):
    examples = labelled(head=head)
    fitted = fit_tfidf(examples, output_dir=tmp_path / "m", seed=0)
    probabilities = predict_tfidf(fitted.path, examples.texts)
    assert probabilities.dtype == np.float32
    assert probabilities.sum(axis=1) == pytest.approx(1)
    unseen = examples.rows(TEST)
    assert (probabilities[unseen].argmax(axis=1) == examples.labels[unseen]).mean() > 0.9
    assert fitted.manifest["family"] == "tfidf"
    assert fitted.manifest["head"] == head
    assert fitted.manifest["class_names"] == ["class0", "class1", "class2"]


def test_a_head_on_vectors_learns_from_vectors_alone(tmp_path):
    examples = dataclasses.replace(labelled(), texts=[f"text {i}" for i in range(120)])
    vectors = vectors_of(examples)
    fitted = fit_embedding(examples, vectors, output_dir=tmp_path / "m", seed=0, base_model_sha256="ab12")
    probabilities = predict_embedding(fitted.path, vectors)
    unseen = examples.rows(TEST)
    assert (probabilities[unseen].argmax(axis=1) == examples.labels[unseen]).mean() > 0.8
    assert fitted.manifest["base_model_sha256"] == "ab12"


def test_words_and_vectors_together_tell_what_neither_tells_alone(tmp_path):
    texts, of_words = sentences(240, n_classes=2)
    rng = np.random.default_rng(2)
    of_vectors = rng.integers(2, size=240)
    noise = rng.normal(size=(240, 8))
    noise[:, 0] += 6 * of_vectors
    vectors = noise.astype(np.float16)
    examples = examples_of(texts, np.eye(4)[2 * of_words + of_vectors])
    both = fit_combined(examples, vectors, output_dir=tmp_path / "both", seed=0, base_model_sha256="ab12")
    words = fit_tfidf(examples, output_dir=tmp_path / "words", seed=0)
    alone = fit_embedding(examples, vectors, output_dir=tmp_path / "alone", seed=0)
    unseen = examples.rows(TEST)

    def right(probabilities: np.ndarray) -> float:
        return (probabilities.argmax(axis=1) == examples.labels)[unseen].mean()

    assert right(predict_combined(both.path, texts, vectors)) > 0.9
    assert right(predict_tfidf(words.path, texts)) < 0.7
    assert right(predict_embedding(alone.path, vectors)) < 0.7
    assert both.manifest["base_model_sha256"] == "ab12"


def test_words_that_tell_nothing_come_to_count_nothing(tmp_path):
    examples = dataclasses.replace(labelled(), texts=[" ".join(FILLER[i % 20 :][:4]) for i in range(120)])
    vectors = vectors_of(examples)
    both = fit_combined(examples, vectors, output_dir=tmp_path / "both", seed=0)
    alone = fit_embedding(examples, vectors, output_dir=tmp_path / "alone", seed=0)
    of_words, of_vectors, _ = both.manifest["derived"]["counts"]
    assert of_words < 0.2 * of_vectors
    beside = predict_combined(both.path, examples.texts, vectors)
    assert abs(beside - predict_embedding(alone.path, vectors)).max() < 0.1


def test_the_scores_of_both_are_those_of_each_by_what_it_counts(tmp_path):
    """Also of rows held out in turn, and of a class that nobody has an example of."""
    texts, labels = sentences(90)
    examples, vectors = examples_of(texts, np.eye(4)[labels]), vectors_of(labelled(90))
    same = {"seed": 0, "held_out": [np.array([0, 1, 2]), np.array([7, 8])]}
    both = fit_combined(examples, vectors, output_dir=tmp_path / "both", **same)
    words = fit_tfidf(examples, output_dir=tmp_path / "words", **same)
    alone = fit_embedding(examples, vectors, output_dir=tmp_path / "alone", **same)
    of_words, of_vectors, of_shares = both.manifest["derived"]["counts"]
    first, second, together = (read_model(one.path).linear for one in (words, alone, both))
    expected = np.hstack([of_words * first.weights, of_vectors * second.weights])
    assert together.weights == pytest.approx(expected, abs=1e-5)
    log_shares = log_shares_of(examples.targets[examples.learned], np.ones(len(examples.learned)))
    intercepts = of_words * first.intercepts + of_vectors * second.intercepts + of_shares * log_shares
    assert together.intercepts == pytest.approx(intercepts, abs=1e-4)
    rows, opinions = both.out_of_fold
    assert rows.tolist() == [0, 1, 2, 7, 8]
    assert opinions.sum(axis=1) == pytest.approx(1)
    found = predict_combined(both.path, examples.texts, vectors)
    assert not (found.argmax(axis=1) == 3).any()


def test_a_rare_class_is_found_where_words_and_vectors_each_hint_at_it(tmp_path):
    """Each alone says the commonest class to nearly all; what both know of shares is not counted twice."""
    rng = np.random.default_rng(0)
    labels = rng.choice(3, size=1800, p=[0.85, 0.10, 0.05])
    hints = [labels[i] if rng.random() < 0.7 else rng.integers(3) for i in range(1800)]
    texts = [" ".join([*rng.choice(FILLER, 5), SIGNS[hint]]) for hint in hints]
    vectors = (1.5 * np.eye(3)[labels] + rng.normal(size=(1800, 3))).astype(np.float16)
    examples = examples_of(texts, np.eye(3)[labels])
    both = fit_combined(examples, vectors, output_dir=tmp_path / "both", seed=0)
    alone = fit_embedding(examples, vectors, output_dir=tmp_path / "alone", seed=0)
    rare = examples.rows(TEST)[examples.labels[examples.rows(TEST)] > 0]

    def found(probabilities: np.ndarray) -> float:
        return (probabilities.argmax(axis=1) == examples.labels)[rare].mean()

    together = found(predict_combined(both.path, texts, vectors))
    assert together > found(predict_embedding(alone.path, vectors)) + 0.05
    assert both.manifest["derived"]["counts"][2] < -0.3


@pytest.mark.parametrize("head", ["single", "multiple"])
def test_texts_without_words_leave_the_model_of_both_to_its_vectors(tmp_path, head):
    examples = dataclasses.replace(labelled(head=head), texts=["…!"] * 120)
    vectors = vectors_of(examples)
    both = fit_combined(examples, vectors, output_dir=tmp_path / "m", seed=0)
    alone = fit_embedding(examples, vectors, output_dir=tmp_path / "alone", seed=0)
    beside = predict_combined(both.path, examples.texts, vectors)
    assert ((beside > 0.5) == (predict_embedding(alone.path, vectors) > 0.5)).mean() > 0.95


def test_pairs_are_told_apart_by_words_and_vectors(tmp_path):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 300, 6))
    second[::2] = first[::2]
    targets = np.eye(2)[(np.arange(300) % 2 == 0).astype(int)]
    texts = [f"text {i}" for i in range(300)]
    examples = examples_of(texts, targets, seconds=texts)
    vectors = np.hstack([first, second]).astype(np.float16)
    both = fit_combined(examples, vectors, output_dir=tmp_path / "m", seed=0)
    found = predict_combined(both.path, texts, vectors, texts).argmax(axis=1)
    assert (found == examples.labels)[examples.rows(TEST)].mean() > 0.9


def test_each_of_several_labels_is_a_question_of_its_own(tmp_path):
    rng = np.random.default_rng(0)
    has = rng.random((180, 3)) < 0.4
    texts = [" ".join([*rng.choice(FILLER, 6), *(SIGNS[k] for k in np.flatnonzero(row))]) for row in has]
    examples = examples_of(texts, has.astype(float), head="multiple")
    fitted = fit_tfidf(examples, output_dir=tmp_path / "m", seed=0)
    probabilities = predict_tfidf(fitted.path, texts)
    unseen = examples.rows(TEST)
    assert ((probabilities > 0.5) == has)[unseen].mean() > 0.9
    assert abs(probabilities.sum(axis=1) - 1).max() > 0.5, "they need not sum to 1"


def test_whether_two_texts_agree_is_learned_though_neither_tells_alone(tmp_path):
    rng = np.random.default_rng(0)
    words = [f"sign{i}" for i in range(6)]
    first, second = rng.integers(6, size=(2, 400))
    second[::2] = first[::2]
    targets = np.eye(2)[(first == second).astype(int)]
    examples = examples_of([words[i] for i in first], targets, seconds=[words[i] for i in second])
    fitted = fit_tfidf(examples, output_dir=tmp_path / "m", seed=0)
    found = predict_tfidf(fitted.path, examples.texts, examples.seconds).argmax(axis=1)
    unseen = examples.rows(TEST)
    assert (found == examples.labels)[unseen].mean() > 0.9


def test_vectors_of_a_pair_stand_end_to_end(tmp_path):
    rng = np.random.default_rng(0)
    first = rng.normal(size=(400, 6))
    second = np.where((np.arange(400) % 2 == 0)[:, None], first, rng.normal(size=(400, 6)))
    targets = np.eye(2)[(np.arange(400) % 2 == 0).astype(int)]
    texts = [str(i) for i in range(400)]
    examples = examples_of(texts, targets, seconds=texts)
    vectors = np.hstack([first, second]).astype(np.float16)
    fitted = fit_embedding(examples, vectors, output_dir=tmp_path / "m", seed=0)
    found = predict_embedding(fitted.path, vectors).argmax(axis=1)
    unseen = examples.rows(TEST)
    assert (found == examples.labels)[unseen].mean() > 0.9


def test_a_soft_target_is_learned_as_its_probability():
    features = np.zeros((50, 1))  # nothing to tell the texts apart by
    targets = np.tile([0.7, 0.3], (50, 1))
    model = fit(features, targets, np.ones(50), c=100.0, multiple=False)
    scores = model.scores(features)[0]
    assert np.exp(scores[0] - scores[1]) == pytest.approx(0.7 / 0.3, rel=0.01)


def test_a_weight_of_zero_teaches_nothing():
    features = np.array([[1.0], [-1.0], [1.0]] * 20)
    targets = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]] * 20)
    weights = np.array([1.0, 1.0, 0.0] * 20)
    with_them = fit(features, targets, weights, c=1.0, multiple=False)
    without = fit(features[weights > 0], targets[weights > 0], weights[weights > 0], c=1.0, multiple=False)
    assert (with_them.weights == without.weights).all()


@pytest.mark.parametrize("family", ["tfidf", "embedding", "combined"])
def test_equal_seeds_and_examples_give_equal_models(tmp_path, family):
    examples = labelled()
    vectors = vectors_of(examples)
    fit_it = {
        "tfidf": fit_tfidf,
        "embedding": partial(fit_embedding, vectors=vectors),
        "combined": partial(fit_combined, vectors=vectors),
    }[family]
    first, second = (fit_it(examples, output_dir=tmp_path / name, seed=3) for name in ("one", "two"))
    assert first.sha256 == second.sha256
    assert first.manifest == second.manifest
    assert (first.path / "model.safetensors").read_bytes() == (second.path / "model.safetensors").read_bytes()


def test_texts_that_judge_are_not_looked_at(tmp_path):
    examples = labelled()
    judged = examples.rows(TEST)
    texts, targets = list(examples.texts), examples.targets.copy()
    for row in judged:
        texts[row], targets[row] = "other words altogether", [0, 0, 1]
    changed = dataclasses.replace(examples, texts=texts, targets=targets)
    one = fit_tfidf(examples, output_dir=tmp_path / "one", seed=0)
    assert fit_tfidf(changed, output_dir=tmp_path / "two", seed=0).sha256 == one.sha256


def test_all_that_does_not_judge_teaches_once_models_that_had_not_seen_it_were_asked_about_it(tmp_path):
    examples = labelled(120)
    fitted = fit_tfidf(examples, output_dir=tmp_path / "m", seed=0)
    rows, before = fitted.out_of_fold
    assert sorted(rows) == examples.learned.tolist()
    assert fitted.manifest["derived"]["n_train"] == len(rows) == 120 - len(examples.rows(TEST))
    now = predict_tfidf(fitted.path, [examples.texts[row] for row in rows])
    right = (np.arange(len(rows)), examples.labels[rows])
    assert before[right].mean() < now[right].mean() < 1


def test_of_many_examples_those_that_are_held_out_are_asked_about_once(tmp_path):
    examples = labelled(120)
    parts = np.where(np.arange(1000) < 250, CALIBRATION, TRAIN).astype(np.int8)
    many = dataclasses.replace(
        examples,
        texts=[f"{examples.texts[i % 120]} number{i}" for i in range(1000)],
        targets=examples.targets[np.arange(1000) % 120],
        weights=np.ones(1000, dtype=np.float32),
        parts=parts,
    )
    fitted = fit_tfidf(many, output_dir=tmp_path / "m", seed=0)
    rows, opinions = fitted.out_of_fold
    assert sorted(rows) == list(range(250))
    assert (opinions.argmax(axis=1) == many.labels[rows]).mean() > 0.95, "in the rows' order"
    assert fitted.manifest["derived"]["n_calibration"] == 250


def test_a_text_says_nothing_of_its_double_or_of_what_else_its_record_holds(tmp_path):
    """Each of 20 records has three sentences that share words of its own, and a label by lot."""
    rng = np.random.default_rng(0)
    labels = np.repeat(rng.permutation(np.arange(20) % 2), 3)
    texts = [f"own{i // 3} too{i // 3} also{i // 3} {' '.join(rng.choice(FILLER, 4))}" for i in range(60)]
    known = dataclasses.replace(
        examples_of(texts, np.eye(2)[labels]),
        parts=np.full(60, TRAIN, dtype=np.int8),
        records=[i // 3 for i in range(60)],
    )
    apart = fit_tfidf(known, output_dir=tmp_path / "apart", seed=0)
    leaking = fit_tfidf(dataclasses.replace(known, records=None), output_dir=tmp_path / "leaking", seed=0)

    def share_right(fitted) -> float:
        rows, opinions = fitted.out_of_fold
        return (opinions.argmax(axis=1) == labels[rows]).mean()

    assert share_right(apart) < 0.65
    assert share_right(leaking) > 0.8
    assert apart.manifest["temperature"] > leaking.manifest["temperature"]


def test_too_few_groups_to_leave_any_out_leave_a_model_as_sure_as_it_is(tmp_path):
    examples = dataclasses.replace(labelled(30), records=[i // 6 for i in range(30)])
    fitted = fit_tfidf(examples, output_dir=tmp_path / "m", seed=0)
    assert (fitted.manifest["temperature"], len(fitted.out_of_fold[0])) == (1.0, 0)


def test_labels_that_contradict_each_other_make_it_less_sure(tmp_path):
    examples = labelled(240)
    targets, learned = examples.targets.copy(), examples.learned
    targets[learned[::3]] = np.roll(targets[learned[::3]], 1, axis=1)
    sure = fit_tfidf(examples, output_dir=tmp_path / "one", seed=0)
    unsure = fit_tfidf(dataclasses.replace(examples, targets=targets), output_dir=tmp_path / "two", seed=0)
    texts = [examples.texts[row] for row in examples.rows(TEST)]
    assert predict_tfidf(sure.path, texts).max(axis=1).mean() > 0.9
    assert predict_tfidf(unsure.path, texts).max(axis=1).mean() < 0.8


def test_chinese_is_counted_by_character(tmp_path):
    texts = [("患者有发热症状" if i % 2 else "患者没有不适") + "，入院第" + str(i) + "天" for i in range(60)]
    examples = examples_of(texts, np.eye(2)[np.arange(60) % 2])
    fitted = fit_tfidf(examples, output_dir=tmp_path / "m", seed=0)
    assert fitted.manifest["config"]["counted"] == "characters"
    assert predict_tfidf(fitted.path, ["他发热了", "没有不适"]).argmax(axis=1).tolist() == [1, 0]


@pytest.mark.parametrize("texts", [[""] * 12, ["…!"] * 12], ids=["empty", "punctuation"])
def test_texts_without_words_give_the_labels_shares(tmp_path, texts):
    targets = np.eye(2)[(np.arange(12) % 3 == 0).astype(int)]
    parts = np.full(12, TRAIN, dtype=np.int8)
    examples = dataclasses.replace(examples_of(texts, targets), parts=parts)
    fitted = fit_tfidf(examples, output_dir=tmp_path / "m", seed=0)
    assert predict_tfidf(fitted.path, ["", "anything"])[:, 1] == pytest.approx([1 / 3, 1 / 3], abs=0.01)


def test_a_class_without_an_example_is_never_found(tmp_path):
    texts, labels = sentences(60, n_classes=2)
    fitted = fit_tfidf(examples_of(texts, np.eye(3)[labels]), output_dir=tmp_path / "m", seed=0)
    assert predict_tfidf(fitted.path, texts)[:, 2].max() < 0.01


def test_one_class_is_all_that_is_found(tmp_path):
    texts, _ = sentences(12)
    fitted = fit_tfidf(examples_of(texts, np.eye(2)[np.zeros(12, int)]), output_dir=tmp_path / "m", seed=0)
    assert (predict_tfidf(fitted.path, texts)[:, 0] > 0.99).all()


def test_no_example_is_refused_and_so_are_spans(tmp_path):
    examples = labelled(12)
    nothing = dataclasses.replace(examples, parts=np.full(12, TEST, dtype=np.int8))
    with pytest.raises(ValueError, match="no example to learn from"):
        fit_tfidf(nothing, output_dir=tmp_path / "m", seed=0)
    spans = Examples("spans", ("a",), ["x"], None, np.ones(1), np.zeros(1, np.int8), spans=[[]])
    with pytest.raises(ValueError, match="no head for spans"):
        fit_tfidf(spans, output_dir=tmp_path / "m", seed=0)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("file", ["model.safetensors", "vocabulary.json"])
@pytest.mark.parametrize("damage", [lambda _: b"\x80\x04cos\nsystem\n.", lambda content: content[:-2]])
def test_files_that_are_not_what_was_written_are_refused_unread(tmp_path, file, damage):
    fitted = fit_tfidf(labelled(24), output_dir=tmp_path / "m", seed=0)
    damaged = fitted.path / file
    damaged.write_bytes(damage(damaged.read_bytes()))
    with pytest.raises(TrainingRefused) as refused:
        predict_tfidf(fitted.path, ["a text"])
    assert refused.value.code == "model_damaged"


def test_a_model_without_weights_or_with_a_broken_manifest_is_refused_in_words(tmp_path):
    fitted = fit_tfidf(labelled(24), output_dir=tmp_path / "m", seed=0)
    (fitted.path / "model.safetensors").unlink()
    for code in ("model_missing", "model_damaged"):
        with pytest.raises(TrainingRefused) as refused:
            predict_tfidf(fitted.path, ["a text"])
        assert refused.value.code == code
        (fitted.path / "manifest.json").write_text('{"sha256": ')


def test_a_vocabulary_survives_being_written(tmp_path):
    words = Words.learned_from(["fever and rash", "no fever"])
    words.write(tmp_path)
    again = Words.read(tmp_path, words.inverse_frequency)
    text = ["rash without fever 😀"]
    assert (words.features(text) != again.features(text)).nnz == 0
    assert json.loads((tmp_path / "vocabulary.json").read_text())["unit"] == "words"


def test_linear_models_bring_neither_torch_nor_django():
    code = "import sys, training.linear; print([m for m in ('torch', 'django') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_hundred_labels_with_one_example_each_are_learned(tmp_path):
    texts = [f"sign{i} {' '.join(FILLER[i % 20 : i % 20 + 3])}" for i in range(100)]
    examples = examples_of(texts, np.eye(100))
    fitted = fit_tfidf(examples, output_dir=tmp_path / "m", seed=0)
    learned = examples.learned
    found = predict_tfidf(fitted.path, [texts[row] for row in learned]).argmax(axis=1)
    assert (found == learned).mean() > 0.9
    assert sorted(fitted.out_of_fold[0]) == learned.tolist()


def test_what_is_held_out_in_turn_is_asked_of_models_that_learned_from_all_others(tmp_path):
    """A word of its own tells each text's label: who had learned from it would know, and nobody else can."""
    labels = np.random.default_rng(0).permutation(np.arange(60) % 2)
    texts = [f"own{i} too{i} also{i} {' '.join(FILLER[i % 20 : i % 20 + 3])}" for i in range(60)]
    known = dataclasses.replace(
        examples_of(texts, np.eye(2)[labels]), parts=np.full(60, TRAIN, dtype=np.int8)
    )
    held_out = [np.arange(10, 30), np.arange(40, 50)]
    fitted = fit_tfidf(known, output_dir=tmp_path / "m", seed=0, held_out=held_out)
    rows, opinions = fitted.out_of_fold
    assert rows.tolist() == [*range(10, 30), *range(40, 50)]
    assert (opinions.argmax(axis=1) == labels[rows]).mean() < 0.8
    now = predict_tfidf(fitted.path, [texts[row] for row in rows])
    assert (now.argmax(axis=1) == labels[rows]).mean() > 0.9
