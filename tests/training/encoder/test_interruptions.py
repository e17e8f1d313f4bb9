"""What may befall a training in the middle: SIGKILL, no memory, several processes. The result stays."""

import dataclasses
import json
import os
import pickle
import random
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import BertForSequenceClassification

from tests.made_examples import relabelled
from training.algorithms.examples import HEADS, MARKING_HEADS, Examples, Relation, Span
from training.config import FineTuneConfig, PretrainConfig
from training.encoder import TrainingRefused, fine_tune, shared
from training.encoder.jobs import read_job, write_job

ROOT = Path(__file__).parents[3]
CHILD = ROOT / "benchmarks" / "_killed_training.py"


@pytest.fixture(scope="module")
def steady_base(tiny_base, tmp_path_factory):
    """The tiny encoder without dropout: what is computed does not depend on what is computed together."""
    folder = tmp_path_factory.mktemp("steady")
    for path in tiny_base.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def start(folder: Path, *launcher: str) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, str(CHILD), str(folder)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def prepared(folder: Path, examples, config) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "arguments").write_bytes(pickle.dumps((examples, config)))
    return folder


def steps_to_the_end(child: subprocess.Popen) -> list[int]:
    steps, _ = child.communicate()
    assert child.returncode == 0
    return [int(step) for step in steps.split()]


def manifest_of(folder: Path, name: str = "model") -> dict:
    return json.loads((folder / name / "manifest.json").read_text())


def test_a_training_killed_at_random_moments_ends_as_if_nobody_had_killed_it(examples, tiny_config, tmp_path):
    noise = relabelled(examples, np.random.default_rng(0).integers(0, 2, size=160))
    rehearsing = {"few_examples": 200, "seeds_when_few": 2, "enough_examples": 1000}
    config = dataclasses.replace(tiny_config, max_epochs=3, **rehearsing)
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    n_steps = steps_to_the_end(start(prepared(undisturbed, noise, config)))[-1]
    prepared(killed, noise, config)
    for kill_at in sorted(random.Random(1).sample(range(2, n_steps), 3)):
        child = start(killed)
        next(line for line in child.stdout if int(line) >= kill_at)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        assert child.returncode == -signal.SIGKILL
    steps = steps_to_the_end(start(killed))
    assert steps[0] >= kill_at, "it did not start again from nothing"
    assert manifest_of(killed) == manifest_of(undisturbed)  # history and the weights' sha256 included


def test_a_training_shared_by_two_processes_learns_what_one_learns(
    examples, tiny_config, steady_base, tmp_path
):
    config = dataclasses.replace(tiny_config, base_model_path=str(steady_base), max_epochs=3)
    alone = fine_tune(examples, config, output_dir=tmp_path / "alone")
    launcher = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes=2", "--num_machines=1"]
    options = ["--mixed_precision=no", "--dynamo_backend=no", "--main_process_port=0"]
    steps = steps_to_the_end(start(prepared(tmp_path / "shared", examples, config), *launcher, *options))
    assert steps == list(range(1, alone.history[-1]["step"] + 1)), "the first process alone reports"
    assert_close(tmp_path / "shared" / "model", alone.path)


def test_a_training_that_several_processes_share_tells_refuses_and_returns_as_one_does(
    examples, tiny_config, steady_base, tmp_path
):
    config = dataclasses.replace(tiny_config, base_model_path=str(steady_base), max_epochs=3)
    told = []
    made = shared(
        fine_tune, examples, config, output_dir=tmp_path / "m", n_processes=2, on_progress=told.append
    )
    assert (made.path, made.sha256, made.history) == (
        tmp_path / "m", manifest_of(tmp_path, "m")["sha256"], made.manifest["history"],
    )  # fmt: skip
    assert {"tokenising", "training"} <= {one.stage for one in told}
    assert told[-1].history == made.history
    assert_close(made.path, fine_tune(examples, config, output_dir=tmp_path / "alone").path)
    same = dataclasses.replace(examples, targets=np.tile([1.0, 0.0], (len(examples), 1)).astype(np.float32))
    with pytest.raises(TrainingRefused, match="the same label") as caught:
        shared(fine_tune, same, config, output_dir=tmp_path / "refused", n_processes=2)
    assert caught.value.code == "one_class"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "m"], "no job is left"


@given(seed=st.integers(0, 10_000), head=st.sampled_from(HEADS))
@hypothesis.settings(max_examples=40, deadline=None)
def test_what_is_to_be_learned_reaches_the_other_processes_as_it_is(tmp_path_factory, seed, head):
    rng = np.random.default_rng(seed)
    path = tmp_path_factory.mktemp("job") / "job"
    n, marks = int(rng.integers(1, 5)), head in MARKING_HEADS
    spans = [[Span(0, 4, "drug"), Span(2, 9, 'si"gn\n')][: rng.integers(0, 3)] for _ in range(n)]
    related = {Relation(Span(0, 4, "drug"), Span(2, 9, "sign"), "causes"): float(rng.random())}
    examples = Examples(
        head, ("a", "ß"), [f"text {i} \u2028" for i in range(n)],
        None if marks else rng.random((n, 2)).astype(np.float32), rng.random(n).astype(np.float32),
        rng.integers(0, 5, n).astype(np.int8), ["x"] * n if seed % 2 and not marks else None,
        spans if marks else None, [related] * n if head == "relations" else None,
        [f"r{i}" for i in range(n)] if seed % 3 else None,
        [dict.fromkeys(one, float(rng.random())) for one in spans] if marks and seed % 5 else None,
    )  # fmt: skip
    config = FineTuneConfig("/base", seed=seed, frozen_share=float(rng.random()))
    write_job(path, "fine_tune", (examples, config), {"output_dir": path.parent, "checkpoint_dir": None})
    name, [again, config_again], options = read_job(path)
    assert (name, config_again) == ("fine_tune", config)
    assert options == {"output_dir": path.parent, "checkpoint_dir": None}
    for field in dataclasses.fields(Examples):
        theirs, ours = getattr(again, field.name), getattr(examples, field.name)
        if isinstance(ours, np.ndarray):
            assert theirs.dtype == ours.dtype and (theirs == ours).all()
        else:
            assert theirs == ours, field.name


def test_texts_to_read_reach_the_other_processes_with_their_records(tmp_path):
    texts, records = ["a\nb", "ü"], [uuid4(), uuid4()]
    write_job(tmp_path / "job", "pretrain", (texts, records, PretrainConfig("/base")), {"origin": None})
    name, [same, names, config], options = read_job(tmp_path / "job")
    assert (name, same, names, options) == (
        "pretrain",
        texts,
        [str(one) for one in records],
        {"origin": None},
    )
    assert config == PretrainConfig("/base")


def test_who_stops_listening_ends_all_the_processes_that_share_a_training(
    examples, tiny_config, steady_base, tmp_path
):
    config = dataclasses.replace(tiny_config, base_model_path=str(steady_base), max_epochs=15)

    def lose(progress):
        if progress.stage == "training":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shared(fine_tune, examples, config, output_dir=tmp_path / "m", n_processes=2, on_progress=lose)
    assert list(tmp_path.iterdir()) == []
    named = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(bytes(tmp_path) in one for one in named)


def assert_close(model: Path, other: Path) -> None:
    weights, others = (load_file(path / "model.safetensors") for path in (model, other))
    for name, weight in weights.items():
        torch.testing.assert_close(weight, others[name], atol=2e-3, rtol=1e-3)


@pytest.fixture
def memory_for(monkeypatch):
    """Limit how many texts the network can take at once while it trains."""

    def limit(n_texts: int) -> None:
        forward = BertForSequenceClassification.forward

        def limited(self, input_ids, **options):
            if self.training and len(input_ids) > n_texts:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return forward(self, input_ids, **options)

        monkeypatch.setattr(BertForSequenceClassification, "forward", limited)

    return limit


def test_a_batch_that_does_not_fit_the_memory_is_cut_and_the_result_stays(
    examples, tiny_config, steady_base, tmp_path, memory_for
):
    config = dataclasses.replace(tiny_config, base_model_path=str(steady_base), max_epochs=3)
    roomy = fine_tune(examples, config, output_dir=tmp_path / "roomy")
    memory_for(4)
    narrow = fine_tune(examples, config, output_dir=tmp_path / "narrow")
    assert (roomy.manifest["derived"]["n_pieces"], narrow.manifest["derived"]["n_pieces"]) == (1, 4)
    assert_close(narrow.path, roomy.path)


def test_memory_that_does_not_hold_one_text_is_refused_in_words(examples, tiny_config, tmp_path, memory_for):
    memory_for(0)
    with pytest.raises(TrainingRefused) as caught:
        fine_tune(examples, tiny_config, output_dir=tmp_path / "m")
    assert caught.value.code == "out_of_memory"
    assert "fewer tokens a text" in caught.value.sentence
    assert list(tmp_path.iterdir()) == []
