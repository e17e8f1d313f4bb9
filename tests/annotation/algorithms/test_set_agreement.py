"""The distance of two sets of labels: Jaccard's and MASI's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from annotation.algorithms.set_agreement import set_distances

NONE, A, AB, BC, ABC = (
    [False, False, False],
    [True, False, False],
    [True, True, False],
    [False, True, True],
    [True, True, True],
)


@pytest.mark.parametrize(
    ("one", "other", "jaccard", "masi"),
    [
        (AB, AB, 0, 0),
        (AB, ABC, 1 / 3, 1 - 2 / 3 * 2 / 3),
        (AB, BC, 2 / 3, 1 - 1 / 3 * 1 / 3),
        (A, BC, 1, 1),
        (NONE, NONE, 0, 0),
        (NONE, A, 1, 1),
    ],
)
def test_two_sets_are_as_far_apart_as_their_definition_says(one, other, jaccard, masi):
    assert set_distances(np.array([one, other]), "jaccard")[0, 1] == pytest.approx(jaccard)
    assert set_distances(np.array([one, other]), "masi")[0, 1] == pytest.approx(masi)


@given(arrays.arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 5))))
def test_distances_lie_between_0_and_1_and_are_0_for_the_same_sets_alone(sets):
    for name in ("masi", "jaccard"):
        distances = set_distances(sets, name)
        assert np.array_equal(distances, distances.T)
        assert ((distances >= 0) & (distances <= 1)).all()
        assert np.array_equal(distances == 0, (sets[:, None] == sets[None, :]).all(axis=2))
