"""Groups of records by their metadata (site, sex, age band, language), to see whom a model serves worse."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.algorithms.outcomes import Outcomes

AGE = re.compile(r"(?i)(^|[^a-z])ages?([^a-z]|$)|alter\b|年龄|年齡")
YEARS = 20  # of an age band
FEW_VALUES = 12  # distinct ones, up to which each is a group of its own
N_BANDS = 4  # that other numbers are cut into
LONGEST = 40  # characters of a value that still reads as a group's name


def slices_of(
    metadata: Sequence[Mapping[str, Any]], *, most_groups: int = 30, least: int = 20
) -> dict[str, np.ndarray]:
    """Return bool [N] of each group, by its name "column = value".

    metadata: of each of N items, its record's other columns, whatever a file had there. Ages are cut into
    bands of YEARS, other numbers of many values at their quartiles. A group has at least `least` items, and a
    column two groups or more; columns of free text or of identifiers make none. Of too many groups, those of
    the columns with the fewest stay.

    >>> sexes = [{"sex": "F"}] * 3 + [{"sex": "M"}] * 2
    >>> {name: rows.tolist() for name, rows in slices_of(sexes, least=2).items()}
    {'sex = F': [True, True, True, False, False], 'sex = M': [False, False, False, True, True]}
    """
    columns = []
    for column in dict.fromkeys(str(name) for one in metadata for name in one):
        values = _grouped(column, [_text(one.get(column)) for one in metadata])
        groups = sorted(value for value, n in Counter(values).items() if value and n >= least)
        if len(groups) >= 2:
            named = column.replace(" = ", "=")
            columns.append({f"{named} = {g}": np.array([v == g for v in values]) for g in groups})
    chosen: dict[str, np.ndarray] = {}
    for groups_of_column in sorted(columns, key=len):
        if len(chosen) + len(groups_of_column) <= most_groups:
            chosen |= groups_of_column
    return chosen


def slice_report(slices: Mapping[str, np.ndarray], outcomes: Outcomes) -> list[dict[str, Any]]:
    """Return, of each column, its groups with n and score, the smallest one, and the largest gap of scores.

    The score is F1 over all classes together: of single labels, the share of items that are right.
    """
    if not slices:
        return []
    masks = np.stack(list(slices.values()), axis=1)
    scores = outcomes.micro_f1(np.ones((1, len(outcomes))), masks)[0]
    columns: dict[str, list[dict[str, Any]]] = {}
    for name, n, score in zip(slices, masks.sum(axis=0), scores, strict=True):
        column, group = name.split(" = ", 1)
        columns.setdefault(column, []).append({"name": group, "n": int(n), "score": float(score)})
    return [
        {
            "column": column,
            "groups": groups,
            "smallest": min(groups, key=lambda group: group["n"])["name"],
            "largest_gap": max(g["score"] for g in groups) - min(g["score"] for g in groups),
        }
        for column, groups in columns.items()
    ]


def _text(value: Any) -> str:
    """A value as it would be shown; nothing for lists and the like, which are no group's name."""
    return " ".join(str(value).split()) if isinstance(value, str | int | float) else ""


def _grouped(column: str, values: list[str]) -> list[str]:
    """The group's name of each value; empty where it belongs to none."""
    numbers = [_number(value) for value in values]
    known = [number for number in numbers if number is not None]
    if known and len(known) == sum(map(bool, values)):
        if AGE.search(column) and min(known) >= 0 and max(known) < 150:
            return ["" if number is None else _age_band(number) for number in numbers]
        if len(set(known)) > FEW_VALUES:
            edges = np.unique(np.quantile(known, np.linspace(0, 1, N_BANDS + 1)))
            return ["" if number is None else _band(number, edges) for number in numbers]
    distinct = set(values) - {""}
    if len(distinct) > FEW_VALUES or any(len(value) > LONGEST for value in distinct):
        return [""] * len(values)
    return values


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _age_band(age: float) -> str:
    start = int(age // YEARS) * YEARS
    return f"{start:02}–{start + YEARS - 1}"


def _band(number: float, edges: np.ndarray) -> str:
    """The stretch between two edges, of which the last one is closed on both sides."""
    place = min(int(np.searchsorted(edges, number, side="right")), len(edges) - 1) - 1
    return f"{edges[place]:g} to {edges[place + 1]:g}"
