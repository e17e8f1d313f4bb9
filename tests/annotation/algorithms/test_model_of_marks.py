"""The model as one more annotator of marks: habits of its own, capped, and no word of its own."""

import json

import numpy as np
import pytest

from annotation.algorithms.model_of_marks import measured_model_habits, model_of_marks_earns_its_place
from annotation.algorithms.simulated_spans import NOISE, Carelessness, make_span_crowd, mark_spans
from annotation.algorithms.span_habits import TYPICAL
from annotation.algorithms.spans import fit_span_crowd, span_f1, task_spans
from tests.annotation.algorithms.test_span_crowd import LABELS, simulated

GOOD = Carelessness(drop=0.1, shift=0.05, spurious=0.1, mislabel=0.05)
USELESS = Carelessness(drop=0.95, shift=0.5, spurious=0.95, mislabel=0.5)
PAIN_AND_RASH, PAIN, ITS_RASH = "Pain and rash", (0, 4, "sign"), (9, 13, "sign")
CROWD = {
    "method": "engine", "labels": ["sign"], "tags": TYPICAL.tolist(), "right": {"sign": 1.0}, "mixed_up": {},
    "begin": 0.2, "stay": 0.3, "join": 0.02, "words": None, "label_share": {"sign": 1.0},
}  # fmt: skip
FLAWLESS = np.full((3, 3, 3), [0.998, 0.001, 0.001])
FLAWLESS[1] = [0.001, 0.998, 0.001]


@pytest.fixture(scope="module")
def crowd():
    """Three of sixteen have marked each of 150 texts, much of it wrongly."""
    answers, gold = simulated(make_span_crowd(16, NOISE["high"], np.random.default_rng(1)), 1, 150, 3)
    return answers, gold, fit_span_crowd(answers)


def marks_of(model: Carelessness, answers, gold) -> dict:
    rng = np.random.default_rng(9)
    return {n: mark_spans(answers.texts[n], gold[n], LABELS, model, rng) for n in range(len(gold))}


def strict_f1(answers, gold, fit, annotator, model) -> float:
    found = []
    for n, given in enumerate(answers.answers):
        marked, workers = [spans for _, spans in given], [fit.workers[worker] for worker, _ in given]
        read = task_spans(
            answers.texts[n], marked, workers, fit.crowd | {"annotator": annotator}, model=model[n]
        )
        found.append([span.span for span in read.consensus])
    return span_f1(found, gold)["strict"]["f1"]


def test_a_good_model_is_heard_and_helps(crowd):
    answers, gold, fit = crowd
    model = marks_of(GOOD, answers, gold)
    annotator = measured_model_habits(answers, fit, model)
    assert json.loads(json.dumps(annotator)) == annotator
    assert model_of_marks_earns_its_place(answers, fit, model, dict(enumerate(gold[:60])), annotator).earned
    assert strict_f1(answers, gold, fit, annotator, model) > strict_f1(answers, gold, fit, None, model) + 0.05


def test_a_useless_model_moves_next_to_nothing_and_is_not_heard(crowd):
    answers, gold, fit = crowd
    model = marks_of(USELESS, answers, gold)
    annotator = measured_model_habits(answers, fit, model)
    assert not model_of_marks_earns_its_place(answers, fit, model, dict(enumerate(gold)), annotator).earned
    with_it, without = (strict_f1(answers, gold, fit, one, model) for one in (annotator, None))
    assert with_it == pytest.approx(without, abs=0.02)


def test_a_model_that_says_the_contrary_of_what_is_there_is_not_heard(crowd):
    """Believed like a typical volunteer, it would spoil what people found."""
    answers, gold, fit = crowd
    model = {n: gold[n - 1] for n in range(len(gold))}  # what another text holds
    model = {n: [span for span in spans if span[1] <= len(answers.texts[n])] for n, spans in model.items()}
    believed = {"tags": fit.crowd["tags"], "right": {}}
    verdict = model_of_marks_earns_its_place(answers, fit, model, dict(enumerate(gold)), believed)
    assert not verdict.earned
    assert verdict.gain < 0


def test_a_flawless_model_weighs_one_and_a_half_typical_people():
    """One of these finds a mark that is there with .65 and makes it where nothing is with .02."""
    marks, heard = (
        [[PAIN], [PAIN]],
        CROWD | {"annotator": {"tags": FLAWLESS.tolist(), "right": {"sign": 1.0}}},
    )
    read = task_spans(PAIN_AND_RASH, marks, [None, None], heard, model=[PAIN])
    assert read.weights == pytest.approx([np.log(0.65 / 0.02)] * 2)
    assert read.model_weight == pytest.approx(1.5 * np.log(0.65 / 0.02))
    assert read.consensus[0].support == 2, "the model is nobody"
    against = task_spans(PAIN_AND_RASH, marks, [None, None], heard, model=[])
    assert against.model_weight == pytest.approx(1.5 * np.log(0.35 / 0.98))
    assert against.consensus[0].confidence < read.consensus[0].confidence


def test_what_the_model_alone_marks_is_not_there_and_without_its_worth_it_is_unheard():
    heard = CROWD | {"annotator": {"tags": FLAWLESS.tolist(), "right": {"sign": 1.0}}}
    read = task_spans(PAIN_AND_RASH, [[PAIN], [PAIN]], [None, None], heard, model=[PAIN, ITS_RASH])
    assert ([span.span for span in read.consensus], read.rejected) == ([PAIN], [])
    nothing = task_spans(PAIN_AND_RASH, [[], []], [None, None], heard, model=[PAIN])
    assert (nothing.consensus, nothing.rejected, nothing.model_weight) == ([], [], None)
    unheard = task_spans(PAIN_AND_RASH, [[PAIN], []], [None, None], CROWD, model=[PAIN])
    assert unheard == task_spans(PAIN_AND_RASH, [[PAIN], []], [None, None], CROWD)


def test_too_few_texts_that_two_have_read_measure_nothing(crowd):
    answers, gold, fit = crowd
    model = marks_of(GOOD, answers, gold)
    assert measured_model_habits(answers, fit, {n: model[n] for n in range(19)}) is None
