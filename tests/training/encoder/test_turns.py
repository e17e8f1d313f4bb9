import dataclasses
import math

import numpy as np
import pytest
import torch

from tests.made_examples import one_hot, signed_sentences
from training.algorithms.calibration import fit_temperature
from training.algorithms.examples import Examples
from training.algorithms.splits import CALIBRATION, TEST, TRAIN, VALIDATION
from training.encoder import checkpoints, classifying, fine_tune, predict_proba, progress
from training.encoder.turns import plan_of

FEW = {"few_examples": 200, "seeds_when_few": 3, "enough_examples": 1000}
SOME = {"few_examples": 0, "enough_examples": 1000}


@pytest.fixture
def parted(examples):
    """As `examples`, with a tenth that calibrates; two texts are of each record."""
    parts = examples.parts.copy()
    parts[examples.rows(TRAIN)[:16]] = CALIBRATION
    return dataclasses.replace(examples, parts=parts, records=np.arange(160) // 2)


def test_while_labels_are_few_each_part_is_left_out_in_turn_and_the_last_learns_from_all(parted, tiny_config):
    plan = plan_of(parted, dataclasses.replace(tiny_config, seed=5, **FEW))
    *rehearsals, last = plan.turns
    assert [turn.seed for turn in plan.turns] == [5, 6, 7, 8]
    assert last.train.tolist() == np.flatnonzero(parted.parts != TEST).tolist()
    assert len(last.held_out) == 0
    apart = np.flatnonzero(np.isin(parted.parts, (VALIDATION, CALIBRATION)))
    assert rehearsals[0].held_out.tolist() == apart.tolist()
    for turn in rehearsals:
        assert sorted([*turn.train, *turn.held_out]) == last.train.tolist()
        assert 0.15 < len(turn.held_out) / len(last.train) < 0.4
    predicted = np.concatenate([turn.held_out for turn in rehearsals])
    assert len(set(predicted)) == len(predicted), "no text is held out twice"
    assert sorted(plan.stopping) == sorted(plan.calibration) == sorted(predicted)


def test_from_enough_labels_on_what_stops_and_what_calibrates_stay_out(parted, tiny_config):
    plan = plan_of(
        parted, dataclasses.replace(tiny_config, **FEW | {"few_examples": 0, "enough_examples": 0})
    )
    [turn] = plan.turns
    assert turn.train.tolist() == parted.rows(TRAIN).tolist()
    assert plan.stopping.tolist() == parted.rows(VALIDATION).tolist()
    assert plan.calibration.tolist() == parted.rows(CALIBRATION).tolist()


def test_the_last_learns_for_as_long_as_suited_those_that_rehearsed(parted, tiny_config, tmp_path):
    config = dataclasses.replace(tiny_config, max_epochs=8, patience=3, **FEW)
    tuned = fine_tune(parted, config, output_dir=tmp_path / "m")
    courses = [[point for point in tuned.history if point["seed"] == seed] for seed in range(4)]
    assert [point["seed"] for point in tuned.history] == sorted(point["seed"] for point in tuned.history)
    steps = [point["step"] for point in tuned.history]
    assert steps == sorted(set(steps))

    n_common = min(map(len, courses[:3]))
    sizes = [len(turn.held_out) for turn in plan_of(parted, config).turns[:3]]
    losses = [
        sum(n * course[epoch]["tempered_loss"] for n, course in zip(sizes, courses, strict=False))
        / sum(sizes)
        for epoch in range(1, n_common)  # from a quarter of the epochs on
    ]
    best_epoch = 2 + int(np.argmin(losses))
    assert tuned.manifest["derived"]["best_epoch"] == best_epoch == len(courses[3])
    assert all(point["validation_loss"] is None for point in courses[3])
    assert tuned.manifest["derived"]["n_train"] == len(parted.learned)


def test_what_is_left_out_in_turn_says_how_sure_the_network_may_be(parted, tiny_config, tmp_path):
    tuned = fine_tune(parted, dataclasses.replace(tiny_config, **FEW), output_dir=tmp_path / "m")
    rows, opinions = tuned.out_of_fold
    plan = plan_of(parted, dataclasses.replace(tiny_config, **FEW))
    assert rows.tolist() == plan.calibration.tolist()
    assert tuned.manifest["temperature_from"] == "held out"
    assert tuned.manifest["n_calibration"] == len(rows) > len(parted.rows(CALIBRATION))
    raw = np.log(opinions) * tuned.manifest["temperature"]
    assert fit_temperature(parted.targets[rows], raw) == pytest.approx(
        tuned.manifest["temperature"], rel=0.02
    )


def test_a_class_that_only_texts_left_out_show_is_learned_in_the_end(tiny_config, tmp_path):
    texts, labels = signed_sentences(200)
    texts = [*texts, *[f"word1 word{i % 5} word2" for i in range(40)]]
    parts = np.array([TRAIN] * 160 + [VALIDATION] * 80, dtype=np.int8)
    examples = Examples(
        head="single",
        class_names=("no", "yes", "neither"),
        texts=texts,
        targets=one_hot([*labels, *[2] * 40], 3),
        weights=np.ones(240, dtype=np.float32),
        parts=parts,
    )
    config = dataclasses.replace(tiny_config, max_epochs=20, patience=20)
    asked = ["word1 word3 word2"]
    apart = fine_tune(examples, config, output_dir=tmp_path / "apart")
    assert predict_proba(apart.path, asked)[0].argmax() != 2
    in_the_end = fine_tune(examples, dataclasses.replace(config, **SOME), output_dir=tmp_path / "m")
    assert predict_proba(in_the_end.path, asked)[0].argmax() == 2


@pytest.fixture
def dead_starts(monkeypatch):
    """Seeds under which a network comes to nothing: no gradient gets past its pooler, so it learns shares."""
    seeds: set[int] = set()
    fresh = classifying.fresh_classifier

    def start(*arguments):
        model = fresh(*arguments)
        if torch.initial_seed() in seeds:
            for layer in (model.bert.pooler.dense, model.classifier):
                torch.nn.init.zeros_(layer.weight)
                torch.nn.init.zeros_(layer.bias)
        return model

    monkeypatch.setattr(classifying, "fresh_classifier", start)
    return seeds


def test_a_last_network_that_learns_next_to_nothing_starts_again(parted, tiny_config, tmp_path, dead_starts):
    config = dataclasses.replace(tiny_config, max_epochs=20, patience=20, **SOME)
    sound = fine_tune(parted, config, output_dir=tmp_path / "sound")
    assert sound.manifest["derived"]["seeds"] == [0, 1], "one that rehearses, one that learns from all"
    dead_starts.add(1)
    tuned = fine_tune(parted, config, output_dir=tmp_path / "m")
    assert tuned.manifest["derived"]["seeds"] == [0, 1, 2]
    assert tuned.manifest["derived"]["kept_seed"] == 2
    first, second = ([point for point in tuned.history if point["seed"] == seed] for seed in (1, 2))
    assert len(first) == len(second) == tuned.manifest["derived"]["best_epoch"]
    assert first[-1]["train_loss"] > 0.6 > 0.3 > second[-1]["train_loss"]
    learned = parted.learned
    found = predict_proba(tuned.path, [parted.texts[row] for row in learned]).argmax(axis=1)
    assert (found == parted.labels[learned]).mean() > 0.9


def test_after_as_many_starts_as_are_spared_the_one_that_learned_most_is_kept(
    parted, tiny_config, tmp_path, dead_starts
):
    dead_starts |= {1, 2, 3}
    config = dataclasses.replace(tiny_config, max_epochs=20, patience=20, **SOME)
    told = []
    tuned = fine_tune(
        parted, config, output_dir=tmp_path / "m", on_progress=lambda now: told.append(now.share_done)
    )
    derived = tuned.manifest["derived"]
    assert derived["seeds"] == [0, 1, 2, 3]
    last = {point["seed"]: point["train_loss"] for point in tuned.history if point["seed"] > 0}
    assert derived["kept_seed"] == min(last, key=last.get)
    shares = predict_proba(tuned.path, parted.texts)
    assert shares.std(axis=0) == pytest.approx(0, abs=1e-6)
    assert told == sorted(told)


def test_a_dead_start_is_told_from_one_that_learned_where_most_texts_have_one_label(
    tiny_config, tmp_path, dead_starts
):
    """Who knows the shares alone is far better there than who begins to learn."""
    texts, labels = signed_sentences(400)
    rows = [row for row, label in enumerate(labels) if label == 0 or row % 16 == 1]
    texts, labels = [texts[row] for row in rows], [labels[row] for row in rows]
    parts = np.where(np.arange(len(rows)) % 5 == 0, VALIDATION, TRAIN).astype(np.int8)
    examples = Examples(
        "single", ("no", "yes"), texts, one_hot(labels, 2), np.ones(len(rows), np.float32), parts
    )
    config = dataclasses.replace(
        tiny_config, max_epochs=20, patience=20, imbalance_ratio=100.0, enough_examples=1000
    )
    dead_starts.add(1)
    tuned = fine_tune(examples, config, output_dir=tmp_path / "m")
    assert tuned.manifest["derived"]["seeds"][:3] == [0, 1, 2]
    assert tuned.manifest["derived"]["kept_seed"] != 1


def test_another_start_goes_on_from_its_checkpoint(parted, tiny_config, tmp_path, monkeypatch, dead_starts):
    monkeypatch.setattr(checkpoints, "BYTES_PER_SECOND", math.inf)
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 0.0)
    config = dataclasses.replace(tiny_config, max_epochs=20, patience=20, **SOME)
    dead_starts.add(1)
    steps = []
    whole = fine_tune(
        parted, config, output_dir=tmp_path / "whole", on_progress=lambda now: steps.append(now.step)
    )

    def kill(now) -> None:
        if now.step >= 0.9 * max(steps):
            raise KeyboardInterrupt

    same = {"output_dir": tmp_path / "m", "checkpoint_dir": tmp_path / "checkpoint"}
    with pytest.raises(KeyboardInterrupt):
        fine_tune(parted, config, on_progress=kill, **same)
    tuned = fine_tune(parted, config, **same)
    assert tuned.history[-1]["seed"] == 2
    assert tuned.history == whole.history
    assert tuned.sha256 == whole.sha256
