"""Two encoders learn relations and read them; what befalls one of them befalls the whole."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from transformers import BertForSequenceClassification

from tests.served_models import WORDS, examples_of
from tests.tiny_bert import save_tiny_bert, tiny_config_of
from training.algorithms.examples import Relation, Span
from training.algorithms.splits import TEST, VALIDATION
from training.config import FineTuneConfig
from training.encoder import Progress, TrainingRefused, fine_tune_relations, read_relations
from training.encoder.relating import PAIRS, SPANS, sha256_of_both


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> FineTuneConfig:
    base = save_tiny_bert(tmp_path_factory.mktemp("tiny-bert"), WORDS)
    return tiny_config_of(base, max_epochs=15, patience=15, max_tokens=20, window_overlap=4)


@pytest.fixture(scope="module")
def told() -> list[Progress]:
    return []


@pytest.fixture(scope="module")
def tuned(config, told, tmp_path_factory):
    return fine_tune_relations(
        examples_of("relations"),
        config,
        output_dir=tmp_path_factory.mktemp("relations") / "model",
        on_progress=told.append,
    )


def test_what_causes_what_is_told_apart_in_texts_that_nobody_learned_from(tuned):
    examples = examples_of("relations")
    rows = examples.rows(TEST)
    texts, given = ([column[row] for row in rows] for column in (examples.texts, examples.spans))
    readings = read_relations(tuned.path, texts, given)
    found = [{relation for relation, _ in one.relations(["causes"])} for one in readings]
    hits = sum(len(one & set(examples.relations[row])) for one, row in zip(found, rows, strict=True))
    n_right = sum(len(examples.relations[row]) for row in rows)
    assert 2 * hits / (sum(map(len, found)) + n_right) > 0.8
    for reading in readings:
        assert reading.probabilities.shape == (len(reading.pairs), 2)
        assert reading.probabilities.sum(axis=1) == pytest.approx(1.0, abs=1e-5)


def test_between_spans_that_are_given_nothing_else_is_looked_for(tuned):
    text = "rash word3 fever word4 calm"
    drug, sign = Span(0, 4, "drug"), Span(11, 16, "effect")
    [reading] = read_relations(tuned.path, [text], [[drug, sign]])
    assert [span for span, _ in reading.spans] == [drug, sign]
    [(relation, probability)] = reading.relations(["causes"])
    assert relation == Relation(drug, sign, "causes")
    assert probability == pytest.approx(reading.probabilities[0, 1]), "given spans are certain"
    [turned] = read_relations(tuned.path, [text], [[Span(0, 4, "effect"), Span(11, 16, "effect")]])
    assert (turned.pairs, turned.probabilities.shape) == ([], (0, 2)), "no such two labels were ever related"


def test_no_text_and_an_empty_one_have_no_relations(tuned):
    assert read_relations(tuned.path, []) == []
    assert [one.relations(["causes"]) for one in read_relations(tuned.path, ["", " "])] == [[], []]


def test_the_folder_says_what_it_holds_and_progress_never_goes_back(tuned, told):
    manifest = json.loads((tuned.path / "manifest.json").read_text())
    assert (manifest["head"], manifest["class_names"]) == ("relations", ["causes"])
    assert manifest["joined"] == [["drug", "effect"]]
    assert manifest["sha256"] == tuned.sha256 == sha256_of_both(tuned.path)
    assert {path.name for path in tuned.path.iterdir()} == {SPANS, PAIRS, "manifest.json"}
    shares = [progress.share_done for progress in told]
    assert shares == sorted(shares)
    assert manifest["history"] == told[-1].history, "of both encoders, each point by its name"
    of_encoders = [json.loads((tuned.path / name / "manifest.json").read_text()) for name in (SPANS, PAIRS)]
    assert manifest["history"] == [
        {"encoder": name} | point
        for name, one in zip((SPANS, PAIRS), of_encoders, strict=True)
        for point in one["history"]
    ]


def test_a_training_stopped_in_the_second_encoder_goes_on_and_ends_as_if_it_had_not_been(
    config, tuned, tmp_path
):
    class Stop(Exception):
        pass

    def stop(progress):
        if progress.share_done > 0.6 and progress.step > 0:
            raise Stop

    kept = {"output_dir": tmp_path / "model", "checkpoint_dir": tmp_path / "checkpoint"}
    with pytest.raises(Stop):
        fine_tune_relations(examples_of("relations"), config, on_progress=stop, **kept)
    assert not (tmp_path / "model" / "manifest.json").exists(), "half a model is none"
    assert fine_tune_relations(examples_of("relations"), config, **kept).sha256 == tuned.sha256


@pytest.mark.parametrize("related", ["nothing", "everything"])
def test_where_there_is_nothing_to_tell_apart_it_is_refused_before_anything_is_trained(
    config, related, tmp_path
):
    examples = examples_of("relations")
    certain = [{Relation(*spans, "causes"): 1.0} for spans in examples.spans]
    relations = certain if related == "everything" else [{}] * len(examples)
    examples = dataclasses.replace(examples, relations=relations)
    with pytest.raises(TrainingRefused) as refused:
        fine_tune_relations(examples, config, output_dir=tmp_path / "m")
    assert refused.value.code == "one_class"
    assert not (tmp_path / "m").exists()


def test_of_a_training_that_is_refused_halfway_nothing_is_left(config, tmp_path, monkeypatch):
    forward = BertForSequenceClassification.forward

    def forgetful(self, *args, **options):
        if self.training:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(self, *args, **options)

    monkeypatch.setattr(BertForSequenceClassification, "forward", forgetful)  # the second encoder's
    short = dataclasses.replace(config, max_epochs=3, patience=3)
    with pytest.raises(TrainingRefused) as refused:
        fine_tune_relations(examples_of("relations"), short, output_dir=tmp_path / "m")
    assert refused.value.code == "out_of_memory"
    assert not (tmp_path / "m").exists()


def test_too_few_pairs_to_stop_by_are_refused_before_anything_is_trained(config, tmp_path):
    examples = examples_of("relations")
    spans = [
        [] if part == VALIDATION else own for own, part in zip(examples.spans, examples.parts, strict=True)
    ]
    relations = [stated if own else {} for stated, own in zip(examples.relations, spans, strict=True)]
    examples = dataclasses.replace(examples, spans=spans, relations=relations)
    with pytest.raises(TrainingRefused) as refused:
        fine_tune_relations(examples, config, output_dir=tmp_path / "m")
    assert refused.value.code == "too_few_examples"


def test_what_only_the_judging_texts_relate_is_not_learned(config, tmp_path):
    examples = examples_of("relations")
    turned = [
        {Relation(spans[1], spans[0], "causes"): 1.0} if part == TEST else stated
        for spans, stated, part in zip(examples.spans, examples.relations, examples.parts, strict=True)
    ]
    short = dataclasses.replace(config, max_epochs=3, patience=3)
    tuned = fine_tune_relations(
        dataclasses.replace(examples, relations=turned), short, output_dir=tmp_path / "m"
    )
    assert tuned.manifest["joined"] == [("drug", "effect")]
    assert np.sum(examples.parts == TEST) > 0
