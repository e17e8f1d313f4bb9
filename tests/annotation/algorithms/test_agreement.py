"""Agreement coefficients against published values, values worked out by hand, and other packages."""

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from annotation.algorithms.agreement import (
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    krippendorff_alpha_nominal,
    krippendorff_alpha_ordinal,
    observed_agreement,
)

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: four observers, twelve
# units, five values, with answers missing. A column is a unit, a row an observer; 0 stands for no answer.
WORKED_EXAMPLE = """
1 2 3 3 2 1 4 1 2 0 0 0
1 2 3 3 2 2 4 1 2 5 0 3
0 3 3 3 2 3 4 2 2 5 1 0
1 2 3 3 2 4 4 1 2 5 1 0
"""


def counted(table: str, n_labels: int) -> np.ndarray:
    rows = np.array([line.split() for line in table.strip().splitlines()], dtype=int)  # [W, T]
    return np.stack([(rows == label).sum(axis=0) for label in range(1, n_labels + 1)], axis=1)  # [T, K]


def test_krippendorffs_worked_example_with_missing_answers_gives_his_value():
    assert krippendorff_alpha_nominal(counted(WORKED_EXAMPLE, 5)) == pytest.approx(0.743, abs=0.0005)


def test_krippendorffs_two_observers_and_two_values_give_his_value():
    """Section A of the same paper: ten units, 0 for 'no' (1 here), alpha = 0.095."""
    table = "1 2 1 1 1 1 1 1 2 1\n2 2 2 1 1 2 1 1 1 1"
    assert krippendorff_alpha_nominal(counted(table, 2)) == pytest.approx(0.095, abs=0.0005)


def test_krippendorffs_two_observers_and_five_values_give_his_value():
    """Section B: twelve units, a to e, alpha = 0.692."""
    table = "1 1 2 2 4 3 3 3 5 4 4 1\n2 1 2 2 2 3 3 3 5 4 4 4"
    assert krippendorff_alpha_nominal(counted(table, 5)) == pytest.approx(0.692, abs=0.0005)


def test_systematic_disagreement_is_below_zero():
    """Two tasks, each with one vote a side: observed 2 + 2, expected (16 - 8) / 3, so 1 - 4 / (8 / 3)."""
    assert krippendorff_alpha_nominal(np.array([[1, 1], [1, 1]])) == pytest.approx(-0.5)


def test_tasks_with_a_single_answer_carry_no_pair():
    pairs = np.array([[2, 0], [1, 1], [0, 3]])
    assert krippendorff_alpha_nominal(np.vstack([pairs, [[1, 0], [0, 1], [0, 0]]])) == (
        krippendorff_alpha_nominal(pairs)
    )


@pytest.mark.parametrize(
    "counts", [np.zeros((0, 3)), np.array([[1, 0], [0, 1]]), np.array([[3, 0], [2, 0]]), np.zeros((4, 2))]
)
def test_there_is_no_agreement_to_speak_of_without_pairs_or_with_one_label(counts):
    assert krippendorff_alpha_nominal(counts) is None


@given(arrays.arrays(int, st.tuples(st.integers(1, 8), st.integers(2, 4)), elements=st.integers(0, 4)))
def test_alpha_never_exceeds_one_and_does_not_know_the_order_of_tasks_or_labels(counts):
    alpha = krippendorff_alpha_nominal(counts)
    turned = krippendorff_alpha_nominal(counts[::-1, ::-1])
    assert alpha == turned or alpha == pytest.approx(turned)
    assert alpha is None or alpha <= 1


def test_krippendorffs_worked_example_has_his_ordinal_value():
    """Section D of the same paper: alpha = 0.815 for the labels taken in order."""
    assert krippendorff_alpha_ordinal(counted(WORKED_EXAMPLE, 5)).value() == pytest.approx(0.815, abs=0.0005)


def test_gwets_worked_example_has_his_values():
    """Gwet, Handbook of Inter-Rater Reliability, 4th ed. 2014, uses the same ratings by four raters.

    His R package irrCAC has them as cac.raw4raters: AC1 0.77544, Fleiss' kappa 0.76117.
    """
    counts = counted(WORKED_EXAMPLE, 5)
    assert gwet_ac(counts).value() == pytest.approx(0.77544, abs=5e-6)
    assert fleiss_kappa(counts).value() == pytest.approx(0.76117, abs=5e-6)


def test_the_textbook_example_of_fleiss_kappa_has_its_value():
    """Fourteen raters, ten subjects, five categories: kappa = 0.210 (Wikipedia, Fleiss' kappa)."""
    table = """
    0 0 0 0 14|0 2 6 4 2|0 0 3 5 6|0 3 9 2 0|2 2 8 1 1|7 7 0 0 0|3 2 6 3 0|2 5 3 2 2|6 5 2 1 0|0 2 2 3 7
    """
    counts = np.array([row.split() for row in table.strip().split("|")], dtype=int)
    assert fleiss_kappa(counts).value() == pytest.approx(0.210, abs=0.0005)


def test_gwets_coefficient_stands_where_kappa_and_alpha_fall():
    """Of 100 tasks 98 have yes twice, 2 have one of each: nearly everybody agrees, and kappa says chance."""
    counts = np.array([[2, 0]] * 98 + [[1, 1]] * 2)
    assert observed_agreement(counts).value() == 0.98
    assert fleiss_kappa(counts).value() == pytest.approx(-0.0101, abs=0.0001)
    assert krippendorff_alpha_nominal(counts) == pytest.approx(-0.0051, abs=0.0001)
    assert gwet_ac(counts).value() == pytest.approx((0.98 - 0.0198) / (1 - 0.0198))


def test_ordinal_weights_count_a_near_miss_as_most_of_an_agreement():
    """Two raters, labels low, middle, high; one pair agrees on each end, one misses by a step: weight 3/4.

    Observed (1 + 1 + 3/4) / 3; shares 1/2, 1/6, 1/3; by chance for AC2 6 / 6 * 11/18 of the weights' sum 6;
    for kappa 1 - (2 * 1/2 * 1/6 / 4 + 2 * 1/6 * 1/3 / 4 + 2 * 1/2 * 1/3).
    """
    counts = np.array([[2, 0, 0], [0, 0, 2], [1, 1, 0]])
    observed = 2.75 / 3
    by_chance = 6 / 6 * (1 / 2 * 1 / 2 + 1 / 6 * 5 / 6 + 1 / 3 * 2 / 3)
    assert gwet_ac(counts, "ordinal").value() == pytest.approx((observed - by_chance) / (1 - by_chance))
    by_chance = 1 - (1 / 24 + 1 / 36 + 1 / 3)
    assert fleiss_kappa(counts, "ordinal").value() == pytest.approx((observed - by_chance) / (1 - by_chance))


some_counts = arrays.arrays(
    int, st.tuples(st.integers(1, 8), st.integers(2, 5)), elements=st.integers(0, 4)
).filter(lambda counts: (counts[counts.sum(axis=1) > 1].sum(axis=0) > 0).sum() > 1)


@given(some_counts)
def test_alpha_is_that_of_the_krippendorff_package(counts):
    domain = np.arange(counts.shape[1])
    for level, sums in (
        ("nominal", krippendorff_alpha(counts)),
        ("ordinal", krippendorff_alpha_ordinal(counts)),
        ("interval", krippendorff_alpha(counts, np.subtract.outer(domain, domain) ** 2.0)),
    ):
        theirs = krippendorff.alpha(value_counts=counts, value_domain=domain, level_of_measurement=level)
        assert sums.value() == pytest.approx(theirs)


@given(arrays.arrays(int, st.tuples(st.integers(1, 8), st.integers(2, 4)), elements=st.integers(0, 4)))
def test_kappa_and_gwet_never_exceed_one_and_do_not_know_the_order_of_tasks_or_labels(counts):
    for coefficient in (fleiss_kappa, gwet_ac):
        for scale in ("nominal", "ordinal"):
            value = coefficient(counts, scale).value()
            assert value is None or value <= 1 + 1e-12
            assert coefficient(counts[::-1, ::-1], scale).value() == pytest.approx(value)


@pytest.mark.parametrize("counts", [np.zeros((0, 3)), np.array([[1, 0], [0, 1]]), np.zeros((4, 2))])
def test_no_coefficient_is_made_up_where_no_two_answers_meet(counts):
    coefficients = (observed_agreement, krippendorff_alpha, krippendorff_alpha_ordinal, fleiss_kappa, gwet_ac)
    assert [coefficient(counts).value() for coefficient in coefficients] == [None] * 5


def test_a_single_label_on_offer_gives_no_scale_and_no_error():
    counts = np.array([[3], [2]])
    assert observed_agreement(counts).value() == 1.0
    assert krippendorff_alpha_ordinal(counts).value() is None
    assert fleiss_kappa(counts).value() is None
    assert gwet_ac(counts).value() is None


def test_a_resample_that_holds_a_task_twice_is_that_tasks_rows_twice():
    counts = np.array([[2, 1, 0], [0, 2, 0], [1, 0, 2]])
    drawn = np.array([[2.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
    for build in (krippendorff_alpha, krippendorff_alpha_ordinal, fleiss_kappa, gwet_ac, observed_agreement):
        resampled = build(counts).resampled(drawn)
        assert resampled[0] == pytest.approx(build(counts[[0, 0, 2]]).value())
        assert resampled[1] == pytest.approx(build(counts).value())
