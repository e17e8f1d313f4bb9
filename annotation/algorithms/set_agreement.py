"""How far apart two answers are that are sets of labels."""

from typing import Literal

import numpy as np

SetDistance = Literal["masi", "jaccard"]


def set_distances(sets: np.ndarray, distance: SetDistance = "masi") -> np.ndarray:
    """The distance of every two of V sets of K labels, bool [V, K]: [V, V], 0 to 1, 0 on the diagonal.

    Jaccard's is 1 - J, J the labels in common over the labels of either. MASI is 1 - J * M, where M is 1 for
    the same sets, 2/3 where one holds the other, 1/3 where they overlap, 0 where they have nothing in common
    (Passonneau, LREC 2006). Two empty sets are the same; an empty one is 1 from every other.

    >>> set_distances(np.array([[True, True], [True, False]])).round(3).tolist()
    [[0.0, 0.667], [0.667, 0.0]]
    """
    sets = np.asarray(sets, dtype=float)
    in_common = sets @ sets.T
    sizes = np.diagonal(in_common)
    of_either = sizes[:, None] + sizes[None, :] - in_common
    jaccard = np.divide(in_common, of_either, out=np.ones_like(in_common), where=of_either > 0)
    if distance == "jaccard":
        return 1.0 - jaccard
    is_same = in_common == of_either
    holds_other = in_common == np.minimum(sizes[:, None], sizes[None, :])
    monotonicity = np.where(is_same, 1.0, np.where(holds_other, 2 / 3, 1 / 3))
    return 1.0 - jaccard * monotonicity
