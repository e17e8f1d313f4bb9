import numpy as np
import pytest

from annotation.algorithms.simulated_crowd import (
    Worker,
    answer,
    answer_seconds,
    answers,
    make_crowd,
    of_accuracy,
)


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_worker_of_accuracy_spreads_errors_evenly():
    expected = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]
    np.testing.assert_allclose(of_accuracy(0.8, 3).confusion, expected)


@pytest.mark.parametrize(("accuracy", "n_classes"), [(1.2, 2), (-0.1, 2), (0.8, 1)])
def test_impossible_accuracy_is_refused(accuracy, n_classes):
    with pytest.raises(ValueError):
        of_accuracy(accuracy, n_classes)


@pytest.mark.parametrize(
    "confusion", [[[0.9, 0.2], [0.1, 0.9]], [[1.1, -0.1], [0.0, 1.0]], [[1.0, 0.0]], [1.0, 0.0]]
)
def test_confusion_that_is_no_distribution_is_refused(confusion):
    with pytest.raises(ValueError):
        Worker("w", np.array(confusion), 1.0, 0.5)


def test_perfect_worker_repeats_the_truth_and_zero_accuracy_never_does():
    truths = np.array([0, 1, 2, 2, 1, 0])
    said = answers([of_accuracy(1.0, 3), of_accuracy(0.0, 3)], truths, rng())
    assert said.shape == (2, 6)
    np.testing.assert_array_equal(said[0], truths)
    assert (said[1] != truths).all()
    assert set(said[1]) <= {0, 1, 2}


def test_empirical_confusion_is_the_declared_one():
    confusion = np.array([[0.7, 0.2, 0.1], [0.05, 0.9, 0.05], [0.0, 0.5, 0.5]])
    truths = np.repeat([0, 1, 2], 20_000)
    said = answers([Worker("w", confusion, 1.0, 0.5)], truths, rng())[0]
    counted = np.array([np.bincount(said[truths == k], minlength=3) for k in range(3)]) / 20_000
    # Five standard errors of a share of 0.5 over 20,000 draws.
    np.testing.assert_allclose(counted, confusion, atol=5 * 0.5 / np.sqrt(20_000))
    assert counted[2, 0] == 0


def test_single_answer_follows_the_same_row():
    worker, generator = of_accuracy(0.8, 2), rng()
    right = np.mean([answer(worker, 1, generator) == 1 for _ in range(3_000)])
    assert right == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize("truths", [[-1], [2]])
def test_truth_outside_the_classes_is_refused(truths):
    with pytest.raises(ValueError):
        answers([of_accuracy(0.8, 2)], np.array(truths), rng())


def test_no_tasks_give_no_answers():
    assert answers([of_accuracy(0.8, 2)], np.array([]), rng()).shape == (1, 0)


def accuracies_of(crowd: list[Worker]) -> list[float]:
    return sorted(float(np.mean(np.diag(worker.confusion))) for worker in crowd)


@pytest.mark.parametrize("seed", range(5))
def test_crowd_holds_experts_ordinary_hurried_and_one_spammer(seed):
    crowd = make_crowd(12, n_classes=2, rng=rng(seed))
    ignores_truth = [np.allclose(w.confusion[0], w.confusion[1]) for w in crowd]
    assert sum(ignores_truth) == 1
    skilled = accuracies_of([w for w, ignores in zip(crowd, ignores_truth, strict=True) if not ignores])
    assert sum(a >= 0.87 for a in skilled) >= 3
    assert sum(a <= 0.79 for a in skilled) >= 3
    assert skilled[0] >= 0.57 and skilled[-1] <= 0.99


def test_small_crowd_has_no_spammer():
    crowd = make_crowd(5, n_classes=2, rng=rng())
    assert accuracies_of(crowd)[0] > 0.55


def test_majority_of_the_crowd_beats_its_average_worker():
    truths = rng(1).integers(0, 2, size=4_000)
    said = answers(make_crowd(9, n_classes=2, rng=rng(2)), truths, rng(3))
    majority = (said.mean(axis=0) > 0.5).astype(int)
    assert (majority == truths).mean() > (said == truths).mean() + 0.05


def test_given_accuracies_are_taken_in_order():
    crowd = make_crowd(3, n_classes=4, rng=rng(), accuracies=[0.9, 0.6, 0.75])
    assert [w.confusion[2, 2] for w in crowd] == [0.9, 0.6, 0.75]
    assert [w.name for w in crowd] == ["simulated-01", "simulated-02", "simulated-03"]
    with pytest.raises(ValueError):
        make_crowd(3, n_classes=4, rng=rng(), accuracies=[0.9])


def test_same_seed_makes_the_same_crowd_and_answers():
    def run(seed: int) -> np.ndarray:
        generator = rng(seed)
        crowd = make_crowd(8, n_classes=3, rng=generator)
        return answers(crowd, np.arange(60) % 3, generator)

    np.testing.assert_array_equal(run(4), run(4))
    assert (run(4) != run(5)).any()


def test_median_of_seconds_is_the_declared_one():
    worker, generator = of_accuracy(0.8, 2), rng()
    seconds = [answer_seconds(worker, generator) for _ in range(4_000)]
    assert min(seconds) > 0
    assert np.median(seconds) == pytest.approx(np.exp(worker.seconds_log_mean), rel=0.06)
