"""Krippendorff's alpha for spans against his own worked example and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.algorithms.unitised_agreement import disagreement, unitised_alpha, unitised_disagreements

# Krippendorff, "Measuring the Reliability of Qualitative Text Analysis Data" (Qual Quant 2004;38:787): a
# continuum from 150 to 450, two observers, categories c and k; here it begins at 0.
OF_C = [[(75, 145), (220, 250)], [(70, 150), (205, 225), (250, 270)]]
OF_K = [[(30, 90), (150, 200)], [(30, 90), (150, 200)]]


def test_krippendorffs_worked_example_has_his_disagreements():
    assert disagreement(OF_C, 300) == pytest.approx((0.0144, 0.0532), abs=5e-5)
    assert disagreement(OF_K, 300) == pytest.approx((0.0, 0.0490), abs=5e-5)


def test_krippendorffs_worked_example_has_his_alpha_for_each_category_and_for_both():
    spans = [
        [(*unit, "c") for unit in of_c] + [(*unit, "k") for unit in of_k]
        for of_c, of_k in zip(OF_C, OF_K, strict=True)
    ]
    disagreements = unitised_disagreements([300], [spans], ["c", "k"])
    assert unitised_alpha(disagreements[:, 0]).value() == pytest.approx(0.7286, abs=5e-4)
    assert unitised_alpha(disagreements[:, 1]).value() == 1.0
    assert unitised_alpha(disagreements.sum(axis=1)).value() == pytest.approx(0.8591, abs=5e-4)


def test_a_unit_in_a_gap_disagrees_by_its_length_and_a_shifted_one_by_the_shifts():
    """Seen from both observers: 2 * 3^2 and 2 * (1^2 + 2^2), over 2 * 1 * 10^2."""
    assert disagreement([[(2, 5)], []], 10)[0] == pytest.approx(9 / 100)
    assert disagreement([[(2, 5)], [(3, 7)]], 10)[0] == pytest.approx(5 / 100)


def test_spans_of_one_volunteer_that_overlap_mark_their_place_once():
    assert disagreement([[(0, 4), (2, 6)], [(0, 6)]], 10)[0] == 0.0
    assert disagreement([[(0, 3), (3, 6)], [(0, 6)]], 10)[0] > 0.0


def test_there_is_no_alpha_without_a_unit_or_a_second_volunteer():
    nothing = unitised_disagreements([10, 10], [[[], []], [[(0, 4, "c")]]], ["c"])
    assert np.array_equal(nothing, np.zeros((2, 1, 2)))
    assert unitised_alpha(nothing.sum(axis=1)).value() is None
    assert unitised_alpha(np.zeros((0, 2))).value() is None


def test_more_of_the_same_agreement_leaves_alpha_as_it_is():
    text = [[(1, 4, "c")], [(2, 5, "c")]]
    once = unitised_alpha(unitised_disagreements([20], [text], ["c"]).sum(axis=1)).value()
    twice = unitised_alpha(unitised_disagreements([20, 20], [text, text], ["c"]).sum(axis=1)).value()
    assert twice == pytest.approx(once)


units = st.lists(
    st.tuples(st.integers(0, 19), st.integers(1, 8)).map(lambda at: (at[0], min(20, at[0] + at[1]))),
    max_size=4,
)


@given(st.lists(units, min_size=2, max_size=4), st.randoms())
def test_the_order_of_volunteers_changes_nothing_and_equal_units_agree(by_volunteer, random):
    observed, expected = disagreement(by_volunteer, 20)
    assert disagreement(random.sample(by_volunteer, len(by_volunteer)), 20) == pytest.approx(
        (observed, expected)
    )
    assert observed >= 0
    assert (expected > 0) == any(map(bool, by_volunteer))
    assert disagreement([by_volunteer[0]] * 3, 20)[0] == 0.0
