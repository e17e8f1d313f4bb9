"""The report of all coefficients: intervals that hold what they promise, and None where undefined."""

import time

import numpy as np
import pytest

from annotation.algorithms.agreement import krippendorff_alpha_nominal, krippendorff_alpha_ordinal
from annotation.algorithms.agreement_report import (
    agreement_by_label,
    agreement_report,
    counts_report,
    label_counts,
    measured_by_task,
    set_sums,
    span_sums,
    text_sums,
)
from annotation.algorithms.pair_agreement import KappaSums, meetings

NAMES = {"agreement", "alpha", "fleiss_kappa", "gwet_ac", "cohen_kappa"}


def crowd(n_tasks: int, n_answers: int, *, seed: int = 0, n_workers: int = 12, n_classes: int = 3):
    """Everybody is right with 0.7 and guesses otherwise: task, worker, label [N]."""
    rng = np.random.default_rng(seed)
    task = np.repeat(np.arange(n_tasks), n_answers)
    worker = np.argsort(rng.random((n_tasks, n_workers)), axis=1)[:, :n_answers].ravel()
    truth = rng.integers(0, n_classes, n_tasks)[task]
    label = np.where(rng.random(len(task)) < 0.7, truth, rng.integers(0, n_classes, len(task)))
    return task, worker, label


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_the_report_has_every_coefficient_with_its_interval_around_it():
    task, worker, label = crowd(300, 3)
    report = agreement_report(task, worker, label, 3, rng=rng())
    assert report.keys() == NAMES
    for measure in report.values():
        assert measure.low < measure.value < measure.high
    assert report["alpha"].value == krippendorff_alpha_nominal(label_counts(task, label, 3))
    assert (report["alpha"].n_tasks, report["alpha"].n_pairs) == (300, 900)


def test_the_ordinal_report_takes_labels_in_order():
    task, worker, label = crowd(300, 3, n_workers=5)
    report = agreement_report(task, worker, label, 3, scale="ordinal", rng=rng())
    counts = label_counts(task, label, 3)
    assert report["alpha"].value == pytest.approx(krippendorff_alpha_ordinal(counts).value())
    kappas = KappaSums(meetings(task, worker, label), 3, "ordinal")
    assert report["cohen_kappa"].value == pytest.approx(kappas.mean_kappa(np.ones((1, 300)))[0])


def test_the_interval_holds_the_crowds_own_agreement_in_about_95_of_100_samples():
    """Kappa-like coefficients of this crowd are 0.49 = 0.7^2: both right by skill, the rest by chance."""
    held = dict.fromkeys(NAMES, 0)
    for seed in range(100):
        report = agreement_report(*crowd(150, 3, seed=seed, n_workers=5), 3, rng=np.random.default_rng(seed))
        for name in NAMES - {"agreement"}:
            held[name] += report[name].low <= 0.49 <= report[name].high
    for name in NAMES - {"agreement"}:
        assert 88 <= held[name] <= 100, (name, held[name])


def test_the_same_generator_gives_the_same_intervals():
    answers = crowd(80, 3)
    assert agreement_report(*answers, 3, rng=rng()) == agreement_report(*answers, 3, rng=rng())


def test_a_thousand_resamples_of_5000_tasks_take_well_under_a_second():
    counts = label_counts(*crowd(5000, 3, n_classes=5)[::2], 5)
    began = time.perf_counter()
    counts_report(counts, rng=rng())
    assert time.perf_counter() - began < 1.0


def test_volunteers_who_share_few_tasks_have_no_kappa_and_the_rest_is_still_reported():
    task, worker, label = crowd(60, 2, n_workers=12)
    report = agreement_report(task, worker, label, 3, rng=rng())
    assert report["cohen_kappa"] is None
    assert report["alpha"] is not None


@pytest.mark.parametrize(
    ("task", "worker", "label"),
    [([], [], []), ([0, 1, 2], [0, 0, 0], [0, 1, 1])],
)
def test_without_two_answers_on_a_task_nothing_is_reported(task, worker, label):
    columns = (np.array(column, dtype=int) for column in (task, worker, label))
    assert agreement_report(*columns, 2, rng=rng()) == dict.fromkeys(NAMES)


def test_all_answers_equal_agree_wholly_and_have_no_alpha():
    task, worker = np.repeat(np.arange(20), 2), np.tile([0, 1], 20)
    report = agreement_report(task, worker, np.ones(40, dtype=int), 3, rng=rng())
    assert report["agreement"][:3] == (1.0, 1.0, 1.0)
    assert report["gwet_ac"][:3] == (1.0, 1.0, 1.0)
    assert (report["alpha"], report["fleiss_kappa"], report["cohen_kappa"]) == (None, None, None)


def test_a_thousand_classes_are_reported():
    report = agreement_report(*crowd(200, 3, n_classes=1000), 1000, rng=rng())
    assert report["alpha"].value == pytest.approx(0.49, abs=0.1)


def test_a_label_that_is_not_on_offer_is_refused():
    with pytest.raises(ValueError, match="labels must lie from 0 to 1"):
        agreement_report(np.array([0, 0]), np.array([0, 1]), np.array([0, 2]), 2, rng=rng())


def test_each_label_is_held_against_the_rest():
    """Label 0 is always agreed on, labels 1 and 2 are mixed up as often as not."""
    task = np.repeat(np.arange(60), 2)
    label = np.array([0, 0] * 30 + [1, 2] * 15 + [1, 1] * 15)
    of_label = agreement_by_label(task, label, 3, rng=rng())
    assert of_label[0]["alpha"].value == 1.0
    assert of_label[2]["alpha"].value < 0
    two = label_counts(task, (label == 2).astype(int), 2)
    assert of_label[2]["alpha"].value == krippendorff_alpha_nominal(two)


def test_sets_of_labels_that_overlap_are_nearer_than_sets_that_do_not():
    task = np.repeat(np.arange(40), 2)
    a, ab, c = [True, False, False], [True, True, False], [False, False, True]
    near = np.array([a, ab, c, c] * 20)
    far = np.array([a, c, ab, ab] * 20)
    of_near, of_far = set_sums(task, near), set_sums(task, far)
    assert of_near["agreement"].value() == of_far["agreement"].value() == 0.5
    assert of_near["alpha"].value() > of_far["alpha"].value() + 0.2
    assert set_sums(task, near, distance="jaccard")["alpha"].value() > of_near["alpha"].value()


def test_spans_are_reported_together_and_by_label():
    texts = [[[(0, 4, "drug"), (10, 15, "effect")], [(0, 4, "drug"), (11, 15, "effect")]]] * 10
    alpha, of_each = span_sums([40] * 10, texts, ["drug", "effect", "dose"])
    together = measured_by_task({"alpha": alpha}, np.full(10, 2), rng())["alpha"]
    by_label = measured_by_task(of_each, np.full(10, 2), rng())
    assert by_label["drug"].value == 1.0
    assert 0 < by_label["effect"].value < together.value < 1.0
    assert by_label["dose"] is None
    assert (together.n_tasks, together.n_pairs) == (10, 10)


def test_free_texts_are_reported_as_similar_as_their_pairs_are():
    sums = text_sums([["rash", "Rash", "fever"], ["cough", "cough"], ["alone"]])
    measure = measured_by_task({"similarity": sums}, np.array([3, 2, 1]), rng())["similarity"]
    assert (measure.value, measure.n_tasks, measure.n_pairs) == (0.5, 2, 4)
    assert text_sums([["alone"]]).value() is None
