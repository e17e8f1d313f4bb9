import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax

from training.algorithms.calibration import (
    apply_temperature,
    cross_entropies,
    fit_pool,
    fit_temperature,
    log_shares_of,
    tempered_cross_entropy,
)

RNG = np.random.default_rng(0)


def drawn(probabilities: np.ndarray) -> np.ndarray:
    """One-hot labels that follow the probabilities [N, K]."""
    cumulative = probabilities.cumsum(axis=1)
    labels = (RNG.random((len(cumulative), 1)) > cumulative[:, :-1]).sum(axis=1)
    return np.eye(probabilities.shape[1])[labels]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_of_many_examples_is_found(temperature):
    scores = 2 * RNG.normal(size=(20_000, 4))
    targets = drawn(softmax(scores, axis=1))
    assert fit_temperature(targets, scores * temperature) == pytest.approx(temperature, rel=0.05)


def test_the_temperature_of_many_yes_no_questions_is_found():
    scores = RNG.normal(size=(5000, 3))
    targets = (RNG.random(scores.shape) < expit(scores)).astype(float)
    assert fit_temperature(targets, scores * 2.5, multiple=True) == pytest.approx(2.5, rel=0.05)


def test_a_few_examples_that_are_all_right_do_not_make_a_model_certain():
    scores, targets = np.array([[2.0, 0.0]] * 5), np.array([[1.0, 0.0]] * 5)
    assert 0.6 < fit_temperature(targets, scores) < 1.0


def test_soft_targets_count_by_their_shares():
    scores = np.array([[3.0, 0.0]] * 400)
    hard = np.repeat([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], 100, axis=0)
    soft = np.full((400, 2), [0.75, 0.25])
    assert fit_temperature(soft, scores) == pytest.approx(fit_temperature(hard, scores))
    assert apply_temperature(scores[:1], fit_temperature(soft, scores))[0, 0] == pytest.approx(0.75, abs=0.01)


def test_cross_entropies_follow_their_definition():
    scores, targets = RNG.normal(size=(6, 3)), softmax(RNG.normal(size=(6, 3)), axis=1)
    expected = -(targets * log_softmax(scores / 2, axis=1)).sum(axis=1)
    np.testing.assert_allclose(cross_entropies(targets, scores, temperature=2.0), expected)
    p = expit(scores)
    expected = -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).mean(axis=1)
    np.testing.assert_allclose(cross_entropies(targets, scores, multiple=True), expected)


def test_probabilities_are_float32_and_the_order_of_classes_stays():
    scores = RNG.normal(size=(50, 4))
    found = apply_temperature(scores, 3.0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-6)
    assert (found.argmax(axis=1) == scores.argmax(axis=1)).all()


def test_the_tempered_loss_does_not_punish_overconfidence_and_weighs_the_rows():
    scores, targets = 2 * RNG.normal(size=(2000, 3)), None
    targets = drawn(softmax(scores, axis=1))
    assert tempered_cross_entropy(targets, 8 * scores) == pytest.approx(
        tempered_cross_entropy(targets, scores), rel=0.01
    )
    weights = np.r_[np.ones(1000), np.zeros(1000)]
    first_half = tempered_cross_entropy(targets[:1000], scores[:1000])
    assert tempered_cross_entropy(targets, scores, weights) == pytest.approx(first_half)


def test_the_tempered_loss_does_not_mind_a_model_that_is_too_sure():
    rng = np.random.default_rng(0)
    y_true, logits = rng.integers(0, 3, size=200), rng.normal(size=(200, 3))
    logits[np.arange(200), y_true] += 1.5

    def loss_at(confidence: float) -> float:
        return tempered_cross_entropy(np.eye(3)[y_true], confidence * logits)

    assert loss_at(4.0) == pytest.approx(loss_at(2.0), abs=0.002)
    assert loss_at(2.0) < np.log(3)
    assert loss_at(0.1) > loss_at(1.0) + 0.1, "who is right without being sure knows less than who is sure"


def evidence_of(labels: np.ndarray, log_shares: np.ndarray, n_models: int) -> list[np.ndarray]:
    """Scores [N, K] of models that saw independent evidence and know how common the classes are: log p."""
    rng, n_classes = np.random.default_rng(1), len(log_shares)
    seen = np.eye(n_classes)[labels] + rng.normal(size=(n_models, len(labels), n_classes))
    return [log_shares + one for one in seen]  # log N(x; e_k, 1) = x_k and what all classes have in common


def test_models_that_err_each_for_themselves_are_surer_together():
    """Evidence that is independent adds up; evidence that is the same twice is worth half each time."""
    labels = np.random.default_rng(0).integers(3, size=4000)
    targets, even = np.eye(3)[labels], np.zeros(3)
    evidence = evidence_of(labels, even, 2)
    assert fit_pool(targets, evidence, even)[0] == pytest.approx([1, 1], abs=0.1)
    assert fit_pool(targets, [evidence[0]] * 2, even)[0] == pytest.approx([0.5, 0.5], abs=0.06)


def test_how_common_classes_are_is_counted_once_however_many_models_know_it():
    shares = np.array([0.85, 0.10, 0.05])
    labels = np.random.default_rng(0).choice(3, size=8000, p=shares)
    targets = np.eye(3)[labels]
    log_shares = log_shares_of(targets, np.ones(8000))
    counts, of_shares = fit_pool(targets, evidence_of(labels, log_shares, 3), log_shares)
    assert counts == pytest.approx([1, 1, 1], abs=0.1)
    assert of_shares == pytest.approx(-2, abs=0.2)


def test_how_common_each_of_several_labels_is_is_counted_once():
    rng = np.random.default_rng(0)
    has = rng.random((4000, 2)) < [0.1, 0.3]
    log_odds = log_shares_of(has.astype(float), np.ones(4000), multiple=True)
    assert log_odds == pytest.approx(np.log([1 / 9, 3 / 7]), abs=0.15)
    seen = np.where(has, 1.0, -1.0) + rng.normal(size=(2, 4000, 2))  # its log-odds are twice that
    counts, of_shares = fit_pool(has.astype(float), list(log_odds + 2 * seen), log_odds, multiple=True)
    assert counts == pytest.approx([1, 1], abs=0.1)
    assert of_shares == pytest.approx(-1, abs=0.15)
