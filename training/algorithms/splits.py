"""Which examples train, which decide when to stop, and which measure: without a leak between them."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from training.algorithms.near_duplicates import near_duplicate_groups

TRAIN, VALIDATION, TEST, CALIBRATION = 0, 1, 2, 3
MOST_TAKEN = 0.3  # of the other examples, that gold may take out of training with its records


def split_by_group(
    record_ids: Sequence[object],
    texts: Sequence[str],
    *,
    validation_share: float,
    test_share: float,
    seed: int,
    calibration_share: float = 0.0,
    judging: np.ndarray | None = None,
) -> np.ndarray:
    """Return the part [N] of each example: TRAIN, VALIDATION, TEST or CALIBRATION.

    Two examples of one record, or with nearly equal text (see near_duplicates), are in one group, and so are
    examples joined by a chain of such pairs; a group is never divided.

    Each record has a fixed place u in [0, 1), a hash of its id and the seed; a group's place is the lowest
    of its records'. The group is in test if u < test_share, in validation if u is in the next
    validation_share, in calibration if in the next calibration_share, else in train. So a part depends on
    the group alone, and what was test stays test as examples arrive. When a new example joins two groups,
    the lower place wins: test keeps its examples, and others may come over from validation or train
    (harmless, since every model starts from the pretrained weights). Exceptions, for usable parts' sake:

    - An empty test or validation takes the group with the lowest place that is left, while three groups
      exist; below about 1 / share groups that choice may change as examples arrive.
    - A group with more than twice the examples that the part should hold trains instead.
    - Sentences that stand in many notes ("No acute distress.") can chain nearly all records into one group.
      Where a group holds more than half of all examples, and no single record does, nearly equal text alone
      makes the groups, and sentences of one record may be in different parts.

    judging: bool [N], the examples that are to judge models whatever their place, such as expert gold: they
    and their groups are in test. Where that would take more than MOST_TAKEN of the other examples along (a
    gold sentence in every note), only what is nearly equal to one of them is.
    """
    names = [str(record_id) for record_id in record_ids]
    if len(names) != len(texts):
        raise ValueError("record_ids and texts differ in length")
    if not names:
        return np.empty(0, dtype=np.int8)
    group_of, text_of, places = _grouped(names, texts, seed)
    parts = _parts(group_of, places, validation_share, test_share, calibration_share)[group_of]
    if judging is not None and judging.any():
        parts[_taken_along(judging, group_of, text_of)] = TEST
    return parts


def groups_of(record_ids: Sequence[object], texts: Sequence[str]) -> np.ndarray:
    """Return the group [N] of each example, as split_by_group makes them: what may not be divided."""
    return _grouped([str(record_id) for record_id in record_ids], texts, seed=0)[0]


def record_places(record_ids: Sequence[object], *, seed: int = 0) -> np.ndarray:
    """Return the place [N] in [0, 1) of each example's record: a hash of its id, the same for ever."""
    number, places = _numbered_places([str(record_id) for record_id in record_ids], seed)
    return places[number]


def _grouped(names: list[str], texts: Sequence[str], seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (group [N], group [N] by nearly equal text alone, place [N] of what makes the groups)."""
    record_of, places = _numbered_places(names, seed)
    text_of = near_duplicate_groups(texts)
    group_of = _connected(record_of, text_of)
    if _largest_share(group_of) > 0.5 >= _largest_share(record_of):
        group_of = text_of
        plain = [" ".join(text.split()) for text in texts]
        if _largest_share(text_of) > 0.5:  # a form that is filled in: nearly all texts are nearly equal
            group_of = _numbered(plain)
        record_of, places = _numbered_places(plain, seed)
    return group_of, text_of, places[record_of]


def _taken_along(judging: np.ndarray, group_of: np.ndarray, text_of: np.ndarray) -> np.ndarray:
    """Return bool [N]: the judging examples and what must not be trained on for their sake."""
    taken = np.isin(group_of, group_of[judging])
    others = ~judging
    if others.any() and taken[others].mean() > MOST_TAKEN:
        taken = np.isin(text_of, text_of[judging])
    return taken


def _numbered(names: Sequence[str]) -> np.ndarray:
    number = {name: index for index, name in enumerate(dict.fromkeys(names))}
    return np.array([number[name] for name in names], dtype=np.int64)


def _numbered_places(names: list[str], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (number[N] of each name among the distinct ones, place[M] in [0, 1) of each distinct name)."""
    key = f"{seed}".encode()
    digests = b"".join(
        blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest()
        for name in dict.fromkeys(names)
    )
    return _numbered(names), np.frombuffer(digests, dtype="<u8") / 2.0**64


def _connected(record_of: np.ndarray, text_of: np.ndarray) -> np.ndarray:
    """Return the group [N] of each example: components of the graph that joins its record with its text."""
    n_records, n_texts = record_of.max() + 1, text_of.max() + 1
    n_nodes = n_records + n_texts
    ones = np.ones(len(record_of), dtype=np.int8)
    graph = coo_array((ones, (record_of, text_of + n_records)), shape=(n_nodes, n_nodes))
    _, component_of_node = connected_components(graph, directed=False)
    return np.unique(component_of_node[record_of], return_inverse=True)[1]


def _largest_share(group_of: np.ndarray) -> float:
    return np.bincount(group_of).max() / len(group_of)


def _parts(
    group_of: np.ndarray,
    places: np.ndarray,
    validation_share: float,
    test_share: float,
    calibration_share: float,
) -> np.ndarray:
    """Return the part [G] of each group, from the place [N] of each example's record."""
    n, sizes = len(group_of), np.bincount(group_of)
    lowest = np.ones(len(sizes))
    np.minimum.at(lowest, group_of, places)
    part = np.full(len(sizes), TRAIN, dtype=np.int8)
    part[lowest < test_share + validation_share + calibration_share] = CALIBRATION
    part[lowest < test_share + validation_share] = VALIDATION
    part[lowest < test_share] = TEST
    shares = ((TEST, test_share), (VALIDATION, validation_share), (CALIBRATION, calibration_share))
    limits = [(name, max(1, 2 * share * n) if share else 0) for name, share in shares]
    for name, limit in limits:
        part[(part == name) & (sizes > limit)] = TRAIN
    for name, limit in limits[:2]:
        _fill_if_empty(part, name, limit, lowest, sizes)
    return part


def _fill_if_empty(part: np.ndarray, name: int, limit: float, lowest: np.ndarray, sizes: np.ndarray) -> None:
    training = part == TRAIN
    candidates = np.flatnonzero(training & (sizes <= limit))
    if limit and len(part) >= 3 and training.sum() >= 2 and len(candidates) and not (part == name).any():
        part[candidates[np.argmin(lowest[candidates])]] = name
