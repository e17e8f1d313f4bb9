import dataclasses
import errno
import hashlib
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoTokenizer

from tests.made_examples import one_hot, relabelled
from training.algorithms.calibration import fit_temperature
from training.algorithms.splits import CALIBRATION, TEST, VALIDATION
from training.encoder import Progress, TrainingRefused, checkpoints, fine_tune, predict_proba
from training.encoder import progress as progress_module
from training.encoder.base_model import fresh_classifier, load_tokenizer
from training.encoder.classifying import Classifying
from training.encoder.optimiser import make_optimiser
from training.encoder.progress import ProgressReporter
from training.encoder.tokens import tokenise
from training.encoder.training_loop import Training


class FencingLost(Exception):
    pass


@pytest.fixture(autouse=True)
def every_report(monkeypatch):
    monkeypatch.setattr(progress_module, "INTERVAL_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def a_checkpoint_after_every_epoch(monkeypatch):
    monkeypatch.setattr(checkpoints, "BYTES_PER_SECOND", math.inf)


def refusal_of(examples, config, tmp_path, **changes) -> TrainingRefused:
    with pytest.raises(TrainingRefused) as caught:
        fine_tune(dataclasses.replace(examples, **changes), config, output_dir=tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
    return caught.value


def test_a_model_learns_what_decides_the_class(examples, tiny_config, tmp_path):
    config = dataclasses.replace(tiny_config, max_epochs=20)
    tuned = fine_tune(examples, config=config, output_dir=tmp_path / "model")
    test = examples.rows(TEST)
    predicted = predict_proba(tuned.path, [examples.texts[row] for row in test]).argmax(axis=1)
    assert (predicted == examples.labels[test]).mean() > 0.9
    assert tuned.history[-1]["train_loss"] < 0.5 * tuned.history[0]["train_loss"]


def test_the_manifest_says_what_made_the_model(examples, tiny_config, tiny_base, tmp_path):
    tuned = fine_tune(examples, config=tiny_config, output_dir=tmp_path / "model")
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text())
    weights = (tmp_path / "model" / "model.safetensors").read_bytes()
    base_weights = (tiny_base / "model.safetensors").read_bytes()

    assert manifest == json.loads(json.dumps(tuned.manifest))
    assert manifest["class_names"] == ["no", "yes"]
    assert manifest["config"] == tiny_config.to_dict()
    assert manifest["sha256"] == tuned.sha256 == hashlib.sha256(weights).hexdigest()
    assert manifest["base_model_sha256"] == hashlib.sha256(base_weights).hexdigest()
    assert (manifest["family"], manifest["head"], manifest["seed"]) == ("encoder", "single", 0)
    assert manifest["versions"]["torch"] == torch.__version__


def test_equal_calls_give_equal_models_and_leave_the_callers_randomness_alone(
    examples, tiny_config, tmp_path
):
    torch.manual_seed(11)
    expected = torch.rand(1)
    torch.manual_seed(11)
    first = fine_tune(examples, config=tiny_config, output_dir=tmp_path / "a")
    assert torch.rand(1) == expected
    second = fine_tune(examples, config=tiny_config, output_dir=tmp_path / "b")
    assert first.sha256 == second.sha256
    assert first.history == second.history


def test_the_temperature_is_fitted_on_the_calibration_part_and_applied_to_predictions(
    examples, tiny_config, tmp_path
):
    parts = examples.parts.copy()
    calibration = examples.rows(TEST)
    parts[calibration] = CALIBRATION
    apart = dataclasses.replace(examples, parts=parts)
    tuned = fine_tune(apart, config=tiny_config, output_dir=tmp_path / "model")
    assert tuned.manifest["temperature_from"] == "calibration"
    assert tuned.manifest["n_calibration"] == len(calibration)

    # Whatever temperature predictions are made at, another must not suit those examples better.
    predicted = predict_proba(tuned.path, [apart.texts[row] for row in calibration])
    again = fit_temperature(apart.targets[calibration], np.log(predicted))
    raw = np.log(predicted) * tuned.manifest["temperature"]
    assert fit_temperature(apart.targets[calibration], raw) == pytest.approx(
        tuned.manifest["temperature"], rel=1e-3
    )
    assert abs(np.log(again)) < abs(np.log(tuned.manifest["temperature"]))


def test_without_a_calibration_part_the_validation_part_serves_and_the_manifest_says_so(
    examples, tiny_config, tmp_path
):
    tuned = fine_tune(examples, config=tiny_config, output_dir=tmp_path / "model")
    assert tuned.manifest["temperature_from"] == "validation"
    assert tuned.manifest["temperature"] > 0


def killed_after(n_epochs: int, examples, config, tmp_path) -> Path:
    """Train and be killed in the epoch after; returns the folder with the checkpoint."""

    def kill(progress: Progress) -> None:
        if progress.stage == "training" and progress.epoch > n_epochs:
            raise KeyboardInterrupt

    folder = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        fine_tune(examples, config, output_dir=tmp_path / "m", checkpoint_dir=folder, on_progress=kill)
    return folder


@pytest.mark.parametrize("n_epochs_before_the_kill", [1, 4])
def test_a_killed_training_goes_on_and_ends_as_if_it_had_not_been_killed(
    examples, tiny_config, tmp_path, n_epochs_before_the_kill
):
    undisturbed = fine_tune(examples, config=tiny_config, output_dir=tmp_path / "undisturbed")
    folder = killed_after(n_epochs_before_the_kill, examples, tiny_config, tmp_path)
    epochs = set()
    resumed = fine_tune(
        examples,
        tiny_config,
        output_dir=tmp_path / "resumed",
        checkpoint_dir=folder,
        on_progress=lambda progress: epochs.add(progress.epoch) if progress.stage == "training" else None,
    )

    assert min(epochs) == n_epochs_before_the_kill + 1
    assert resumed.history == undisturbed.history
    assert resumed.manifest == undisturbed.manifest
    assert resumed.sha256 == undisturbed.sha256


def test_a_killed_training_remembers_the_best_weights_of_an_earlier_epoch(examples, tiny_config, tmp_path):
    config = dataclasses.replace(tiny_config, max_epochs=20, patience=4)
    rng = np.random.default_rng(0)
    noise = relabelled(examples, rng.integers(0, 2, size=160))  # gets worse, the longer it learns
    undisturbed = fine_tune(noise, config=config, output_dir=tmp_path / "undisturbed")
    best_epoch = undisturbed.manifest["derived"]["best_epoch"]
    folder = killed_after(best_epoch + 2, noise, config, tmp_path)
    [checkpoint] = folder.iterdir()
    assert {path.name for path in checkpoint.iterdir()} == {
        "state.json", "best.safetensors", "predicted.safetensors", "weights.safetensors",
        "moments.safetensors",
    }  # fmt: skip
    resumed = fine_tune(noise, config=config, output_dir=tmp_path / "resumed", checkpoint_dir=folder)
    assert resumed.history == undisturbed.history
    assert resumed.sha256 == undisturbed.sha256


def test_a_checkpoint_leaves_out_the_words_that_training_does_not_touch(examples, tiny_config, tmp_path):
    texts = [text.replace("word7", "word8") for text in examples.texts]
    seen = dataclasses.replace(examples, texts=texts)
    folder = killed_after(2, seen, tiny_config, tmp_path)
    words = "bert.embeddings.word_embeddings.weight"
    saved = load_file(folder / "at-00-0002-0000000" / "best.safetensors")
    vocabulary = AutoTokenizer.from_pretrained(tiny_config.base_model_path).get_vocab()
    unseen = {vocabulary[word] for word in ("word7", "[PAD]", "[UNK]", "[MASK]")}
    assert set(saved[f"rows of {words}"].tolist()) == set(range(len(vocabulary))) - unseen
    assert len(saved[words]) == len(vocabulary) - len(unseen)


def test_a_large_checkpoint_waits_until_it_is_worth_its_room(examples, tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "BYTES_PER_SECOND", 1e-6)
    folder = killed_after(4, examples, tiny_config, tmp_path)
    assert not folder.exists()
    undisturbed = fine_tune(examples, config=tiny_config, output_dir=tmp_path / "undisturbed")
    resumed = fine_tune(examples, config=tiny_config, output_dir=tmp_path / "b", checkpoint_dir=folder)
    assert resumed.sha256 == undisturbed.sha256


def test_a_finished_checkpoint_is_saved_again_without_training(examples, tiny_config, tmp_path):
    kept = {"checkpoint_dir": tmp_path / "checkpoint"}
    first = fine_tune(examples, config=tiny_config, output_dir=tmp_path / "a", **kept)
    stages = []
    second = fine_tune(
        examples,
        tiny_config,
        output_dir=tmp_path / "b",
        on_progress=lambda progress: stages.append(progress.stage),
        **kept,
    )
    assert "training" not in stages
    assert second.sha256 == first.sha256


@pytest.mark.parametrize("change", ["config", "labels"])
def test_a_checkpoint_of_another_training_is_not_taken_up(examples, tiny_config, tmp_path, change):
    kept = {"checkpoint_dir": tmp_path / "checkpoint"}
    fine_tune(examples, config=tiny_config, output_dir=tmp_path / "a", **kept)
    config, others = tiny_config, examples
    if change == "config":
        config = dataclasses.replace(tiny_config, seed=1)
    else:
        others = relabelled(examples, 1 - examples.labels)
    kept_run = fine_tune(others, config=config, output_dir=tmp_path / "b", **kept)
    fresh_run = fine_tune(others, config=config, output_dir=tmp_path / "c")
    assert kept_run.sha256 == fresh_run.sha256


def test_a_damaged_checkpoint_is_passed_over(examples, tiny_config, tmp_path):
    folder = killed_after(2, examples, tiny_config, tmp_path)
    (folder / "at-00-0002-0000000" / "moments.safetensors").write_bytes(b"not a tensor")
    undisturbed = fine_tune(examples, config=tiny_config, output_dir=tmp_path / "a")
    resumed = fine_tune(examples, config=tiny_config, output_dir=tmp_path / "b", checkpoint_dir=folder)
    assert resumed.sha256 == undisturbed.sha256


def test_checkpoints_hold_safetensors_and_json_alone_and_only_the_last(examples, tiny_config, tmp_path):
    folder = killed_after(3, examples, tiny_config, tmp_path)
    [checkpoint] = folder.iterdir()
    assert checkpoint.name == "at-00-0003-0000000"
    assert {path.suffix for path in checkpoint.iterdir()} == {".safetensors", ".json"}

    (folder / ".at-00-0004-0000000.writing-abc").mkdir()  # by a process that was killed while it wrote
    fine_tune(examples, config=tiny_config, output_dir=tmp_path / "model", checkpoint_dir=folder)
    [finished] = folder.iterdir()
    assert {path.name for path in finished.iterdir()} == {
        "state.json",
        "best.safetensors",
        "predicted.safetensors",
    }


def test_training_stops_when_the_validation_loss_stops_falling_and_keeps_the_best_weights(
    examples, tiny_config, tmp_path
):
    rng = np.random.default_rng(0)
    noise = relabelled(examples, rng.integers(0, 2, size=len(examples)))  # nothing to learn but by heart
    config = dataclasses.replace(tiny_config, max_epochs=20, patience=2)
    tuned = fine_tune(noise, config=config, output_dir=tmp_path / "model")
    losses = [entry["tempered_loss"] for entry in tuned.history]
    best_epoch = 5 + int(np.argmin(losses[4:]))  # from a quarter of the epochs on
    assert len(losses) == best_epoch + 2 < 20
    assert tuned.manifest["derived"]["best_epoch"] == best_epoch
    validation = noise.rows(VALIDATION)
    predicted = predict_proba(tuned.path, [noise.texts[row] for row in validation])
    kept = tuned.history[best_epoch - 1]["validation_accuracy"]
    assert (predicted.argmax(axis=1) == noise.labels[validation]).mean() == pytest.approx(kept)


def test_progress_rises_from_stage_to_stage(examples, tiny_config, tmp_path):
    seen: list[Progress] = []
    fine_tune(examples, config=tiny_config, output_dir=tmp_path / "model", on_progress=seen.append)
    shares = [progress.share_done for progress in seen]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert {progress.stage for progress in seen} == {"tokenising", "training", "evaluating", "saving"}
    last_step = next(progress for progress in reversed(seen) if progress.stage == "training")
    assert last_step.step == last_step.n_steps == 6 * last_step.n_steps // last_step.n_epochs
    assert last_step.train_loss is not None
    assert len(last_step.history) == 5


@pytest.mark.parametrize("stage", ["tokenising", "training", "evaluating", "saving"])
def test_a_listener_that_raises_stops_the_training_and_no_model_appears(
    examples, tiny_config, tmp_path, stage
):
    def lose_fencing(progress: Progress) -> None:
        if progress.stage == stage:
            raise FencingLost

    with pytest.raises(FencingLost):
        fine_tune(examples, config=tiny_config, output_dir=tmp_path / "model", on_progress=lose_fencing)
    assert list(tmp_path.iterdir()) == []


def test_rare_class_is_weighted_and_the_manifest_says_so(examples, tiny_config, tmp_path):
    rare = relabelled(examples, [int(i % 8 == 1) for i in range(160)])
    tuned = fine_tune(rare, config=tiny_config, output_dir=tmp_path / "model")
    no_weight, yes_weight = tuned.manifest["derived"]["class_weights"]
    assert yes_weight > 2 * no_weight


def test_biases_norms_and_words_are_not_decayed_and_rates_rise_from_the_words_to_the_head(
    tiny_config, tiny_base
):
    model = fresh_classifier(tiny_base, "single", ["no", "yes"])
    name_of = {weight: name for name, weight in model.named_parameters()}
    group_of = {
        name_of[weight]: group
        for group in make_optimiser(model, tiny_config).param_groups
        for weight in group["params"]
    }
    assert set(group_of) == set(name_of.values())
    for name, group in group_of.items():
        decays = name.endswith("weight") and "LayerNorm" not in name and "word_embeddings" not in name
        assert group["weight_decay"] == (tiny_config.weight_decay if decays else 0.0), name
        expected = {"classifier": 5.0, "bert.pooler": 5.0, "bert.embeddings": 0.81}
        expected |= {"bert.encoder.layer.0": 0.9, "bert.encoder.layer.1": 1.0}
        [factor] = [factor for start, factor in expected.items() if name.startswith(start)]
        assert group["factor"] == pytest.approx(factor), name


@pytest.mark.parametrize(("max_grad_norm", "norm"), [(1e-3, 1e-3), (1e9, None)])
def test_a_step_takes_its_share_of_the_rate_and_a_gradient_no_longer_than_is_allowed(
    examples, tiny_config, tiny_base, max_grad_norm, norm
):
    config = dataclasses.replace(tiny_config, max_grad_norm=max_grad_norm, warmup_share=0.5)
    tokens = tokenise(load_tokenizer(tiny_base), examples.texts, max_tokens=config.max_tokens)
    lesson = Classifying(examples, tokens, tiny_base, config, on_batch=lambda: None)
    training = Training(lesson, config, ProgressReporter(None))
    rates = []

    def look(optimiser, *_):
        gradients = [weight.grad.norm() for weight in training.model.parameters() if weight.grad is not None]
        length = float(torch.stack(gradients).norm())
        assert length == pytest.approx(norm, rel=1e-3) if norm else length > 1e-2
        rates.append([group["lr"] / group["factor"] for group in optimiser.param_groups])

    training.optimiser.register_step_pre_hook(look)
    training._train_epoch()
    peak = config.learning_rate_for(training.model.config.hidden_size)
    n_warmup = round(0.5 * training.n_epochs * training.steps_per_epoch)
    for step, of_groups in enumerate(rates):
        assert of_groups == pytest.approx([peak * (step + 1) / n_warmup] * len(of_groups))
    assert len(rates) == training.steps_per_epoch > 1


def test_base_model_that_is_not_there_is_refused(examples, tiny_config, tmp_path):
    config = dataclasses.replace(tiny_config, base_model_path="bert-base-uncased")
    refused = refusal_of(examples, config, tmp_path)
    assert refused.code == "base_model_missing"
    assert "bert-base-uncased" not in refused.sentence


def test_pickled_base_model_is_refused_unread(examples, tiny_config, tiny_base, tmp_path_factory, tmp_path):
    folder = tmp_path_factory.mktemp("pickled") / "base"
    shutil.copytree(tiny_base, folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    config = dataclasses.replace(tiny_config, base_model_path=str(folder))
    assert refusal_of(examples, config, tmp_path).code == "base_model_not_safetensors"


def test_base_model_with_torn_weights_is_refused(
    examples, tiny_config, tiny_base, tmp_path_factory, tmp_path
):
    folder = tmp_path_factory.mktemp("torn") / "base"
    shutil.copytree(tiny_base, folder)
    weights = (tiny_base / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    config = dataclasses.replace(tiny_config, base_model_path=str(folder))
    assert refusal_of(examples, config, tmp_path).code == "base_model_unreadable"


def test_texts_in_a_language_the_base_model_cannot_read_are_refused(examples, tiny_config, tmp_path):
    texts = [f"{text} 患者出现皮疹" for text in examples.texts]
    refused = refusal_of(examples, tiny_config, tmp_path, texts=texts)
    assert refused.code == "texts_not_readable"
    assert "another language" in refused.sentence


def test_examples_of_one_class_are_refused(examples, tiny_config, tmp_path):
    assert refusal_of(examples, tiny_config, tmp_path, targets=one_hot([1] * 160, 2)).code == "one_class"


def test_examples_that_leave_a_part_empty_are_refused(examples, tiny_config, tmp_path):
    assert refusal_of(examples, tiny_config, tmp_path, parts=np.array([0, 2] * 80)).code == "too_few_examples"


def test_a_loss_that_is_not_a_number_is_refused(examples, tiny_config, tmp_path):
    config = dataclasses.replace(tiny_config, learning_rate=1e30)
    assert refusal_of(examples, config, tmp_path).code == "loss_not_finite"


def full_disk_as_the_system_says_it(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def full_disk_as_safetensors_says_it(*args, **kwargs):
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize("fail", [full_disk_as_the_system_says_it, full_disk_as_safetensors_says_it])
def test_a_full_disk_is_refused_with_nothing_half_written_and_the_old_model_kept(
    examples, tiny_config, tmp_path, monkeypatch, fail
):
    old = fine_tune(examples, config=tiny_config, output_dir=tmp_path / "model")
    monkeypatch.setattr("transformers.modeling_utils.safe_save_file", fail)
    with pytest.raises(TrainingRefused) as caught:
        fine_tune(examples, config=dataclasses.replace(tiny_config, seed=1), output_dir=tmp_path / "model")
    assert caught.value.code == "disk_full"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    kept = (tmp_path / "model" / "model.safetensors").read_bytes()
    assert hashlib.sha256(kept).hexdigest() == old.sha256


def test_a_disk_that_fills_up_at_a_checkpoint_is_refused(examples, tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr("training.encoder.checkpoints.save_file", full_disk_as_safetensors_says_it)
    with pytest.raises(TrainingRefused) as caught:
        fine_tune(
            examples,
            tiny_config,
            output_dir=tmp_path / "model",
            checkpoint_dir=tmp_path / "checkpoint",
        )
    assert caught.value.code == "disk_full"
    assert list((tmp_path / "checkpoint").iterdir()) == []


def test_what_a_killed_save_left_is_cleared_away(examples, tiny_config, tmp_path):
    leftover = tmp_path / ".model.writing-abc"
    leftover.mkdir()
    (leftover / "model.safetensors").write_bytes(b"half")
    fine_tune(examples, config=tiny_config, output_dir=tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_training_starts_from_the_pretrained_weights(examples, tiny_config, tiny_base, tmp_path):
    config = dataclasses.replace(tiny_config, learning_rate=1e-12, max_epochs=3)
    fine_tune(examples, config=config, output_dir=tmp_path / "model")
    pretrained = load_file(tiny_base / "model.safetensors")
    trained = load_file(tmp_path / "model" / "model.safetensors")
    word_embeddings = "embeddings.word_embeddings.weight"
    torch.testing.assert_close(trained[f"bert.{word_embeddings}"], pretrained[word_embeddings])
