"""Krippendorff's alpha against published values and values worked out by hand."""

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from annotation.algorithms import agreement
from annotation.algorithms.agreement import krippendorff_alpha_nominal

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


def test_the_example_in_the_docstring_holds():
    assert doctest.testmod(agreement) == (0, 1)


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
