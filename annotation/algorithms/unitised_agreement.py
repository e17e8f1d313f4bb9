"""Krippendorff's alpha for spans: agreement on where units lie, not only on what they are called."""

from collections.abc import Sequence

import numpy as np

from annotation.algorithms.agreement import Sums

Span = tuple[int, int, str]  # start, end (code points, end exclusive), label key


def unitised_alpha(disagreements: np.ndarray) -> Sums:
    """alpha_U = 1 - observed / expected, from the two summed over texts and labels: [T, 2].

    Undefined without a unit. Texts in which nobody marked anything add nothing to either.
    """

    def alpha(sums: np.ndarray) -> np.ndarray:
        expected = sums[..., 1]
        undefined = np.full(expected.shape, np.nan)
        return 1.0 - np.divide(sums[..., 0], expected, out=undefined, where=expected > 0)

    return Sums(disagreements, alpha)


def unitised_disagreements(
    lengths: Sequence[int], spans: Sequence[Sequence[Sequence[Span]]], labels: Sequence[str]
) -> np.ndarray:
    """Observed and expected disagreement of each text and label: [T, labels, 2].

    Both are weighted by the text's length times its volunteers.
    lengths: [T], code points. spans: per text, per volunteer who read it (an empty list marked nothing),
    their spans. Spans of one label by one volunteer that overlap count as one: the place is marked once.
    A text with fewer than two volunteers has no pair and gives zeros.
    """
    result = np.zeros((len(lengths), len(labels), 2))
    for t, (length, by_volunteer) in enumerate(zip(lengths, spans, strict=True)):
        n_volunteers = len(by_volunteer)
        if n_volunteers < 2:
            continue
        for k, label in enumerate(labels):
            units = [[(start, end) for start, end, key in one if key == label] for one in by_volunteer]
            if any(units):
                result[t, k] = n_volunteers * length * np.array(disagreement(units, length))
    return result


def disagreement(units: Sequence[Sequence[tuple[int, int]]], length: int) -> tuple[float, float]:
    """Observed and expected disagreement of one label's units on one continuum from 0 to `length`.

    units: per volunteer, (start, end), end exclusive; at least two volunteers. Each volunteer's units and the
    gaps between them cut the continuum into sections of begin b and length l. Two sections of different
    volunteers disagree by the squared distances of their ends where both are units and overlap, by l^2 where
    one is a unit that lies wholly in the other's gap, and not at all otherwise; chance lays the same units
    anywhere (Krippendorff, Sociol Methodol 1995;25:47; Qual Quant 2004;38:787, equations 5 and 6).

    >>> disagreement([[(0, 5)], [(0, 5)]], 10)[0]
    0.0
    """
    sections = [_sections(of_volunteer, length) for of_volunteer in units]
    begin, end, is_unit = np.concatenate(sections).T
    is_unit = is_unit.astype(bool)
    volunteer = np.repeat(np.arange(len(units)), [len(one) for one in sections])
    n_volunteers, size = len(units), end - begin

    others = volunteer[:, None] != volunteer[None, :]
    overlaps = (begin[:, None] < end[None, :]) & (begin[None, :] < end[:, None])
    both = is_unit[:, None] & is_unit[None, :] & overlaps
    ends_apart = (begin[:, None] - begin[None, :]) ** 2 + (end[:, None] - end[None, :]) ** 2
    lies_within = (begin[:, None] >= begin[None, :]) & (end[:, None] <= end[None, :])
    in_gap = is_unit[:, None] & ~is_unit[None, :] & lies_within
    # A unit in a gap is met from both sides, as (unit, gap) and as (gap, unit).
    observed = (others * (both * ends_apart + 2.0 * in_gap * (size**2)[:, None])).sum()
    observed /= n_volunteers * (n_volunteers - 1) * length**2

    unit, gap = size[is_unit], size[~is_unit]
    room = np.maximum(gap[None, :] - unit[:, None] + 1.0, 0.0).sum(axis=1)  # places of each unit in the gaps
    overlapping = (len(unit) - 1) / 3.0 * (2.0 * unit**3 - 3.0 * unit**2 + unit)
    pairs = n_volunteers * length * (n_volunteers * length - 1.0) - (unit * (unit - 1.0)).sum()
    expected = 2.0 / length * (overlapping + unit**2 * room).sum() / pairs
    return float(observed), float(expected)


def _sections(units: Sequence[tuple[int, int]], length: int) -> np.ndarray:
    """The continuum cut into units and gaps: rows of begin, end and 1 for a unit, 0 for a gap."""
    rows, at = [], 0
    for begin, end in _merged(units):
        if begin > at:
            rows.append((at, begin, 0))
        rows.append((begin, end, 1))
        at = end
    if at < length:
        rows.append((at, length, 0))
    return np.array(rows, dtype=float).reshape(-1, 3)


def _merged(units: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(units):
        if merged and begin < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged
