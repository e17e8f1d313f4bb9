"""The consensus methods: what they find in crowds whose truth is known, and what they do at the edges."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.algorithms import simulated_crowd
from annotation.algorithms.answer_matrix import Answers
from annotation.algorithms.certainty import certainty_rates
from annotation.algorithms.crowd import METHODS, fit_crowd
from annotation.algorithms.online import answer_weights, task_posterior

WEIGHING = [method for method in METHODS if method != "majority"]


def answered_by(confusions, truth, rng, *, per_task=None) -> Answers:
    """Every task goes to `per_task` of the workers (all of them if None); confusions [W, K, K]."""
    confusions = np.asarray(confusions)
    n_workers, n_classes, _ = confusions.shape
    per_task = per_task or n_workers
    task = np.repeat(np.arange(len(truth)), per_task)
    worker = np.concatenate([rng.permutation(n_workers)[:per_task] for _ in truth])
    cumulative = confusions[worker, truth[task]].cumsum(axis=1)
    label = (rng.random(len(task))[:, None] > cumulative).sum(axis=1)
    return Answers(task, worker, np.minimum(label, n_classes - 1), len(truth), n_workers, n_classes)


def of_accuracies(accuracies, n_classes):
    return [simulated_crowd.of_accuracy(a, n_classes).confusion for a in accuracies]


def share_right(posterior, truth) -> float:
    return float((posterior.argmax(axis=1) == truth).mean())


def task_by_task(answers: Answers, fit) -> np.ndarray:
    """What the online update says of each task."""
    rows = []
    for t in range(answers.n_tasks):
        at = np.flatnonzero(answers.task == t)
        certain = None if answers.certain is None else answers.certain[at].tolist()
        workers = [fit.workers[w] for w in answers.worker[at]]
        rows.append(task_posterior(answers.label[at].tolist(), workers, fit.crowd, certain))
    return np.array(rows)


@pytest.mark.parametrize("method", WEIGHING)
def test_two_good_workers_outweigh_three_who_guess(method):
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 600)
    answers = answered_by(of_accuracies([0.95, 0.95, 1 / 3, 1 / 3, 1 / 3], 3), truth, rng)
    majority = share_right(fit_crowd(answers, method="majority").posterior, truth)
    fit = fit_crowd(answers, method=method)
    assert share_right(fit.posterior, truth) > majority + 0.05
    assert fit.accuracy[:2].min() > 0.9
    assert fit.accuracy[2:].max() < 0.45


@pytest.mark.parametrize("method", ["dawid_skene", "engine"])
def test_a_bias_is_seen_through_where_one_number_a_worker_cannot(method):
    """Three of five call most "no" a "yes": the vote is wrong, their confusion matrices say so."""
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 800)
    biased, sound = [[0.35, 0.65], [0.02, 0.98]], [[0.9, 0.1], [0.1, 0.9]]
    answers = answered_by([biased] * 3 + [sound] * 2, truth, rng)
    assert share_right(fit_crowd(answers, method="majority").posterior, truth) < 0.85
    assert share_right(fit_crowd(answers, method=method).posterior, truth) > 0.90


def test_counts_and_intervals_describe_each_worker():
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, 500)
    answers = answered_by([[[0.9, 0.1], [0.3, 0.7]], *of_accuracies([0.9] * 6, 2)], truth, rng)
    fit = fit_crowd(answers)
    rows = fit.counts[0] / fit.counts[0].sum(axis=1, keepdims=True)
    assert rows == pytest.approx(np.array([[0.9, 0.1], [0.3, 0.7]]), abs=0.06)
    assert (fit.accuracy_interval[:, 0] < fit.accuracy).all()
    assert (fit.accuracy < fit.accuracy_interval[:, 1]).all()
    assert fit.accuracy_interval[0] == pytest.approx([0.77, 0.83], abs=0.04)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_classes", [2, 4, 30])
def test_online_and_batch_agree(method, n_classes):
    if method == "dawid_skene" and n_classes == 30:
        pytest.skip("no confusion matrices for so many classes")
    rng = np.random.default_rng(4)
    truth = rng.integers(0, n_classes, 60)
    answers = answered_by(of_accuracies(rng.uniform(0.4, 0.95, 12), n_classes), truth, rng, per_task=5)
    answers = Answers(
        answers.task, answers.worker, answers.label, 61, 13, n_classes, rng.integers(-1, 2, len(answers))
    )
    fit = fit_crowd(answers, method=method)
    assert task_by_task(answers, fit) == pytest.approx(fit.posterior, abs=1e-6)
    assert json.loads(json.dumps([fit.crowd, fit.workers])) == [fit.crowd, fit.workers]


@pytest.mark.parametrize("method", METHODS)
def test_gold_is_kept_and_anchors_the_worker_who_disagrees(method):
    answers = Answers(
        np.repeat(np.arange(12), 3), np.tile(np.arange(3), 12), np.tile([1, 1, 0], 12), 12, 3, 2
    )
    gold = np.full(12, -1)
    gold[:8] = 0
    fit = fit_crowd(answers, method=method, gold=gold)
    assert (fit.posterior[:8] == [1.0, 0.0]).all()
    assert fit.accuracy[2] > fit.accuracy[0]
    if method in ("one_coin", "engine"):
        assert fit.posterior[8:, 0].min() > 0.5


def test_gold_of_another_length_or_label_is_refused():
    answers = Answers(np.array([0]), np.array([0]), np.array([1]), 1, 1, 2)
    with pytest.raises(ValueError, match="gold must have one label for each task"):
        fit_crowd(answers, gold=np.array([0, 1]))
    with pytest.raises(ValueError, match="gold must have one label for each task"):
        fit_crowd(answers, gold=np.array([2]))


@pytest.mark.parametrize("plain_says", [1, -1], ids=["sure", "nothing"])
def test_doubt_counts_for_less_only_from_those_whose_doubt_means_something(plain_says):
    """Whether they say that they are sure or, as by one press on the page, say nothing."""
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 2, 1500)
    plain = answered_by(of_accuracies([0.75] * 6, 2), truth, rng, per_task=3)
    right = plain.label == truth[plain.task]
    doubts = rng.random(len(plain)) < np.where(right, 0.1, 0.8)  # workers 0 to 2 know when they know
    doubts &= plain.worker < 3  # the others never doubt
    certain = np.where(doubts, 0, plain_says).astype(np.int8)
    answers = Answers(plain.task, plain.worker, plain.label, 1500, 6, 2, certain)
    fit, without = fit_crowd(answers), fit_crowd(plain)
    assert share_right(fit.posterior, truth) > share_right(without.posterior, truth) + 0.025
    knows, doubts = (task_posterior([1], fit.workers[:1], fit.crowd, [said])[1] for said in (plain_says, 0))
    assert knows > doubts + 0.15
    always = answer_weights([1], [fit.workers[5]], fit.crowd, [plain_says])[0]
    assert always == pytest.approx(answer_weights([1], [without.workers[5]], without.crowd)[0], abs=0.3)
    assert task_by_task(answers, fit) == pytest.approx(fit.posterior, abs=1e-6)


def test_what_doubt_is_worth_by_hand():
    """One volunteer, eight answers, three in doubt: the right one of them and both that are wrong."""
    certain = np.array([0, 0, 0, -1, -1, -1, -1, -1], dtype=np.int8)
    answers = Answers(np.arange(8), np.zeros(8, int), np.zeros(8, int), 8, 1, 2, certain)
    posterior = np.repeat([[1.0, 0.0]], 8, axis=0)
    posterior[1:3] = [0.0, 1.0]
    _, crowd = certainty_rates(answers, posterior)
    # Of all, with one more of each: "not sure" 4, "sure" 1, nothing 6; two answers' worth of these shares.
    begins = 2 * np.array([4, 1, 6]) / 11
    right, wrong = (np.array([1, 0, 5]) + begins) / 8, (np.array([2, 0, 0]) + begins) / 4
    assert crowd == pytest.approx(np.stack([right, wrong], axis=1))
    nobody_said = Answers(*(np.zeros(3, int),) * 3, 1, 1, 2, np.full(3, -1, dtype=np.int8))
    assert certainty_rates(nobody_said, np.array([[0.5, 0.5]])) is None


@pytest.mark.parametrize("method", WEIGHING)
def test_a_weight_is_what_the_log_odds_would_lose_without_the_answer(method):
    rng = np.random.default_rng(6)
    truth = rng.integers(0, 2, 400)
    answers = answered_by(of_accuracies([0.95, 0.7, 0.7, 0.7], 2), truth, rng)
    fit = fit_crowd(answers, method=method)
    workers, labels = [*fit.workers[:3], None], [1, 0, 1, 0]
    weights = answer_weights(labels, workers, fit.crowd)
    with_all = task_posterior(labels, workers, fit.crowd)
    without_first = task_posterior(labels[1:], workers[1:], fit.crowd)
    assert with_all.argmax() == 1
    fall = np.log(with_all[1] / with_all[0]) - np.log(without_first[1] / without_first[0])
    assert weights[0] == pytest.approx(fall)
    assert weights[0] > weights[2] > 0 > weights[1]


def test_a_majority_vote_weighs_every_answer_alike():
    fit = fit_crowd(Answers(np.zeros(3, int), np.arange(3), np.array([1, 1, 0]), 1, 3, 2), method="majority")
    assert answer_weights([1, 1, 0], fit.workers, fit.crowd) == [1.0, 1.0, -1.0]


@pytest.mark.parametrize("method", METHODS)
def test_no_answers_at_all_leave_every_label_alike(method):
    nothing = np.zeros(0, int)
    fit = fit_crowd(Answers(nothing, nothing, nothing, 3, 2, 4), method=method)
    assert fit.posterior == pytest.approx(np.full((3, 4), 0.25), abs=1e-6)
    assert fit.accuracy.tolist() == pytest.approx([0.75, 0.75])


@pytest.mark.parametrize("method", METHODS)
def test_one_worker_alone_is_believed(method):
    label = np.array([0, 1, 2, 1, 1])
    fit = fit_crowd(Answers(np.arange(5), np.zeros(5, int), label, 5, 1, 3), method=method)
    assert fit.posterior.argmax(axis=1).tolist() == label.tolist()


@pytest.mark.parametrize("method", METHODS)
def test_when_all_answers_are_equal_so_is_the_consensus(method):
    answers = Answers(np.repeat(np.arange(6), 3), np.tile(np.arange(3), 6), np.full(18, 2), 6, 3, 4)
    fit = fit_crowd(answers, method=method)
    assert fit.posterior.argmax(axis=1).tolist() == [2] * 6
    assert fit.posterior[:, 2].min() > 0.95


def test_a_worker_with_one_answer_is_taken_for_a_typical_one():
    rng = np.random.default_rng(7)
    truth = rng.integers(0, 2, 300)
    old = answered_by(of_accuracies([0.8] * 5, 2), truth, rng, per_task=3)
    answers = Answers(np.append(old.task, 0), np.append(old.worker, 5), np.append(old.label, 1), 300, 6, 2)
    fit = fit_crowd(answers)
    assert fit.accuracy[5] == pytest.approx(0.8, abs=0.1)
    lower, upper = fit.accuracy_interval[5]
    assert upper - lower > 0.4
    newcomer, unknown = (answer_weights([1], [who], fit.crowd)[0] for who in (fit.workers[5], None))
    assert newcomer == pytest.approx(unknown, abs=0.8)


def test_a_thousand_classes_keep_one_small_parameter_set_a_worker():
    rng = np.random.default_rng(8)
    truth = rng.integers(0, 1000, 400)
    answers = answered_by(of_accuracies([0.9, 0.8, 0.3, 0.3, 0.3], 1000), truth, rng)
    fit = fit_crowd(answers)
    assert fit.counts is None
    assert max(len(json.dumps(worker)) for worker in fit.workers) < 60
    assert share_right(fit.posterior, truth) > 0.95
    with pytest.raises(ValueError, match="at most 20 classes"):
        fit_crowd(answers, method="dawid_skene")


def test_on_a_scale_an_unseen_near_miss_is_likelier_than_a_far_one():
    answers = Answers(np.arange(5), np.zeros(5, int), np.arange(5), 5, 1, 5)
    row = fit_crowd(answers, ordinal=True).workers[0]["rows"][0][2]
    assert row[2] > row[1] > row[0] and row[2] > row[3] > row[4]
    row = fit_crowd(answers).workers[0]["rows"][0][2]
    assert row[1] == pytest.approx(row[0], rel=0.05)


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="no method called 'oracle'"):
        fit_crowd(Answers(np.array([0]), np.array([0]), np.array([0]), 1, 1, 2), method="oracle")


@pytest.mark.parametrize(
    ("label", "n_classes", "message"),
    [([2], 2, "each label must lie between 0 and 1"), ([0], 1, "two classes"), ([0, 1], 2, "one length")],
)
def test_answers_that_cannot_be_are_refused(label, n_classes, message):
    with pytest.raises(ValueError, match=message):
        Answers(np.array([0]), np.array([0]), np.array(label), 1, 1, n_classes)


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_any_answers_give_distributions_that_do_not_depend_on_their_order(data):
    n_classes = data.draw(st.integers(2, 4))
    triple = st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, n_classes - 1))
    rows = data.draw(st.lists(triple, max_size=20, unique_by=lambda row: row[:2]))
    shuffled = data.draw(st.permutations(rows))
    method = data.draw(st.sampled_from(METHODS))

    def fitted(rows):
        task, worker, label = np.array(rows, dtype=int).reshape(-1, 3).T
        return fit_crowd(Answers(task, worker, label, 6, 4, n_classes), method=method).posterior

    posterior = fitted(rows)
    assert posterior.sum(axis=1) == pytest.approx(np.ones(6))
    assert posterior == pytest.approx(fitted(shuffled), abs=1e-4)


def test_the_engine_says_what_it_chose_and_why():
    rng = np.random.default_rng(9)
    truth = rng.integers(0, 3, 300)
    answers = answered_by(of_accuracies(rng.uniform(0.6, 0.95, 12), 3), truth, rng, per_task=4)
    chosen = fit_crowd(answers).crowd["chosen"]
    assert f"{len(chosen['designs'])} models, weighed by how well they foretold" in chosen["why"]
    assert sum(design["weight"] for design in chosen["designs"]) == pytest.approx(1.0, abs=0.02)
    few = fit_crowd(answers.only(np.arange(len(answers)) < 20)).crowd["chosen"]
    assert few["why"] == "Too few answers to compare models: confusion rows drawn to the crowd's."


def test_a_refit_of_the_same_answers_gives_the_same_and_other_held_out_answers_nearly_so():
    rng = np.random.default_rng(10)
    truth = rng.integers(0, 2, 400)
    answers = answered_by(of_accuracies(rng.uniform(0.6, 0.9, 10), 2), truth, rng, per_task=4)
    posterior = fit_crowd(answers).posterior
    assert (fit_crowd(answers).posterior == posterior).all()
    other = fit_crowd(answers, rng=np.random.default_rng(11)).posterior
    assert np.abs(other - posterior).max() < 0.2
    assert (other.argmax(axis=1) == posterior.argmax(axis=1)).mean() > 0.98


def test_a_label_that_nobody_gives_does_not_make_the_others_doubtful():
    rng = np.random.default_rng(12)
    truth = rng.integers(0, 2, 500)
    two_labels = answered_by(of_accuracies(rng.uniform(0.7, 0.95, 12), 2), truth, rng, per_task=5)
    answers = Answers(two_labels.task, two_labels.worker, two_labels.label, 500, 12, 3)
    fit = fit_crowd(answers)
    assert fit.posterior[:, 2].max() < 0.1
    assert share_right(fit.posterior, truth) > share_right(fit_crowd(two_labels).posterior, truth) - 0.01
