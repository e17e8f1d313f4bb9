"""Which examples train, which decide when to stop, and which measure: without a leak between them."""

from collections.abc import Collection, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from training.algorithms.near_duplicates import near_duplicate_groups

TRAIN, VALIDATION, TEST, CALIBRATION = 0, 1, 2, 3
ASIDE = 4  # neither teaches nor judges: too near to what judges
LEARNED = (TRAIN, VALIDATION, CALIBRATION)
MOST_TAKEN = 0.3  # of the other examples, that gold may take out of training with its records
MOST_ASIDE = 0.05  # of the examples, that one family of nearly equal texts may lose for judging


class Shares(NamedTuple):
    """Of the places, in each part but TRAIN."""

    validation: float
    test: float
    calibration: float

    def most(self, n: int) -> dict[int, float]:
        """Return the most examples of n that one group may bring into each part: twice its share."""
        shares = {TEST: self.test, VALIDATION: self.validation, CALIBRATION: self.calibration}
        return {part: max(1, 2 * share * n) if share else 0 for part, share in shares.items()}


def split_by_group(
    record_ids: Sequence[object],
    texts: Sequence[str],
    *,
    validation_share: float,
    test_share: float,
    seed: int,
    calibration_share: float = 0.0,
) -> np.ndarray:
    """Return the part [N] of each example: TRAIN, VALIDATION, TEST or CALIBRATION.

    Two examples of one record, or with nearly equal text (see near_duplicates), are in one group, and so are
    examples joined by a chain of such pairs; a group is never divided.

    Each record has a fixed place u in [0, 1), a hash of its id and the seed; a group's place is that of the
    record which a lot, another hash, draws of it. The group is in test if u < test_share, in validation if u
    is in the next validation_share, in calibration if in the next calibration_share, else in train. So a
    group is as probable in each part as a record on its own, and its part depends on the group alone: it
    stays as examples arrive, unless a new one joins it and the lot falls on that. Exceptions, for usable
    parts' sake:

    - An empty test or validation takes the group with the lowest place that is left, while three groups
      exist; below about 1 / share groups that choice may change as examples arrive.
    - A group with more than twice the examples that the part should hold trains instead.
    - Sentences that stand in many notes ("No acute distress.") can chain nearly all records into one group.
      Where a group holds more than half of all examples, and no single record does, nearly equal text alone
      makes the groups, and sentences of one record may be in different parts.
    """
    names = _names(record_ids, texts)
    if not names:
        return np.empty(0, dtype=np.int8)
    group_of, drawn_by = _grouped(names, texts)
    _, places = _numbered_places(drawn_by, seed)
    number, lots = _numbered_places(drawn_by, f"{seed}, lot")
    drawn = _drawn_places(group_of, places[number], lots[number])
    shares = Shares(validation_share, test_share, calibration_share)
    part = _by_place(drawn, shares)
    most = shares.most(len(names))
    _make_usable(part, np.bincount(group_of), drawn, most, fill=(TEST, VALIDATION))
    return part[group_of]


def split_around_judges(
    record_ids: Sequence[object],
    texts: Sequence[str],
    *,
    gold: np.ndarray,
    validation_share: float,
    test_share: float,
    calibration_share: float,
    seed: int,
) -> np.ndarray:
    """Return the part [N] of each of a campaign's examples; only gold and the random stream are in TEST.

    gold: bool [N], the examples that judge whatever their place. The stream are the records whose place (see
    record_places) is below test_share: acquisition never touches them, so nothing else of the crowd's may
    judge. What a judging example must not meet in training, its record's others and what is nearly equal to
    it, is in TEST too where it is gold or of the stream itself, and else ASIDE.

    Nearly equal texts of several records, a family, would cost the more the larger it is: of a large one,
    some record is nearly always of the stream. So a lot, another hash of the ids, draws one record of each
    family. If that one is of the stream, the family judges: its examples of the stream are in TEST, its
    others ASIDE. If not, it teaches, but for examples whose record judges with other texts. So each
    different text has the same chance to judge, in however many records it stands, and of a family's
    examples test_share * (1 - test_share) at most are on the mean ASIDE because it judges. A family teaches
    too if it would lose more than MOST_ASIDE of all examples by judging; one with gold judges.

    What teaches is in validation or calibration as in split_by_group, so that without gold and
    near-duplicates both give the same parts, and these stay as examples arrive. The lot may fall on a
    near-duplicate that arrives; then a family may change sides, as a whole. Exceptions, for usable parts'
    sake:

    - While neither gold nor the stream has an example that judges, the group that has the lowest place of
      those in train stands in.
    - A record with more than twice the examples that TEST should hold trains instead.
    - Where gold would take more than MOST_TAKEN of the other examples along with its records (a gold
      sentence in every note), only what is nearly equal to gold may not teach.
    - Where more than half of all texts are nearly equal (a form that is filled in), only equal ones are a
      family; and where families chain more than half of all examples into one group, they alone are groups.
    """
    names = _names(record_ids, texts)
    if not names:
        return np.empty(0, dtype=np.int8)
    record_of, place_of_record = _numbered_places(names, seed)
    _, lot_of_record = _numbered_places(names, f"{seed}, lot")
    places, lots = place_of_record[record_of], lot_of_record[record_of]
    family_of = families_of(texts)
    shares = Shares(validation_share, test_share, calibration_share)
    most = shares.most(len(names))
    of_stream = (places < test_share) & (_sizes(record_of) <= most[TEST])
    drawn_of_stream = _drawn_places(family_of, places, lots) < test_share
    judges = _families_that_judge(family_of, drawn_of_stream, gold, of_stream)
    judging = gold | (of_stream & judges[family_of])
    teaching = ~(judging | _too_near(judging, gold, record_of, family_of))
    parts = np.full(len(names), ASIDE, dtype=np.int8)
    parts[judging] = TEST
    if teaching.any():
        group_of = _group_unless_chained(record_of[teaching], family_of[teaching])
        drawn = _drawn_places(group_of, places[teaching], lots[teaching])
        part = _by_place(drawn, shares)
        part[part == TEST] = TRAIN
        fill = (VALIDATION,) if judging.any() else (TEST, VALIDATION)
        _make_usable(part, np.bincount(group_of), drawn, most, fill=fill)
        parts[teaching] = part[group_of]
    return parts


def groups_of(record_ids: Sequence[object], texts: Sequence[str]) -> np.ndarray:
    """Return the group [N] of each example, as split_by_group makes them: what may not be divided."""
    return _grouped([str(record_id) for record_id in record_ids], texts)[0]


def record_places(record_ids: Sequence[object], *, seed: int = 0) -> np.ndarray:
    """Return the place [N] in [0, 1) of each example's record: a hash of its id, the same for ever."""
    number, places = _numbered_places([str(record_id) for record_id in record_ids], seed)
    return places[number]


def families_of(texts: Sequence[str]) -> np.ndarray:
    """Return the family [N] of each text: nearly equal ones; where these are over half of all, equal ones."""
    family_of = near_duplicate_groups(texts)
    return _equal_texts(texts) if len(texts) and _largest_share(family_of) > 0.5 else family_of


def _names(record_ids: Sequence[object], texts: Sequence[str]) -> list[str]:
    names = [str(record_id) for record_id in record_ids]
    if len(names) != len(texts):
        raise ValueError("record_ids and texts differ in length")
    return names


def _grouped(names: list[str], texts: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Return (group [N], names [N] of what makes the groups: records, or texts)."""
    record_of = _numbered(names)
    text_of = near_duplicate_groups(texts)
    group_of = _connected(record_of, text_of)
    if _largest_share(group_of) > 0.5 >= _largest_share(record_of):
        group_of = text_of
        plain = [" ".join(text.split()) for text in texts]
        if _largest_share(text_of) > 0.5:  # a form that is filled in: nearly all texts are nearly equal
            group_of = _numbered(plain)
        return group_of, plain
    return group_of, names


def _families_that_judge(
    family_of: np.ndarray, drawn_of_stream: np.ndarray, gold: np.ndarray, of_stream: np.ndarray
) -> np.ndarray:
    """Return bool [F]: the families of nearly equal texts whose gold and stream are in TEST."""
    n_lost = np.bincount(family_of, weights=~(gold | of_stream))
    judges = drawn_of_stream & (n_lost <= max(1, MOST_ASIDE * len(family_of)))
    judges[family_of[gold]] = True
    return judges


def _too_near(
    judging: np.ndarray, gold: np.ndarray, record_of: np.ndarray, family_of: np.ndarray
) -> np.ndarray:
    """Return bool [N]: what does not judge and may not teach for the sake of what does."""
    with_records = judging
    if not gold.all() and np.isin(record_of, record_of[gold])[~gold].mean() > MOST_TAKEN:
        with_records = judging & ~gold
    of_judged = np.isin(record_of, record_of[with_records]) | np.isin(family_of, family_of[judging])
    return of_judged & ~judging


def _group_unless_chained(record_of: np.ndarray, family_of: np.ndarray) -> np.ndarray:
    """Return the group [N] of each example, of text alone where texts chain most records into one."""
    group_of = _connected(record_of, family_of)
    if _largest_share(group_of) > 0.5 >= _largest_share(record_of):
        return np.unique(family_of, return_inverse=True)[1]
    return group_of


def _drawn_places(group_of: np.ndarray, places: np.ndarray, lots: np.ndarray) -> np.ndarray:
    """Return the place [G] of each group's example with the lowest lot [N]."""
    order = np.lexsort((lots, group_of))
    return places[order[np.unique(group_of[order], return_index=True)[1]]]


def _equal_texts(texts: Sequence[str]) -> np.ndarray:
    return _numbered([" ".join(text.split()) for text in texts])


def _numbered(names: Sequence[str]) -> np.ndarray:
    number = {name: index for index, name in enumerate(dict.fromkeys(names))}
    return np.array([number[name] for name in names], dtype=np.int64)


def _numbered_places(names: list[str], seed: int | str) -> tuple[np.ndarray, np.ndarray]:
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


def _sizes(group_of: np.ndarray) -> np.ndarray:
    """Return int [N]: how many examples each one's group has."""
    return np.bincount(group_of)[group_of]


def _by_place(places: np.ndarray, shares: Shares) -> np.ndarray:
    """Return the part [G] of groups by their places [G] alone."""
    part = np.full(len(places), TRAIN, dtype=np.int8)
    part[places < shares.test + shares.validation + shares.calibration] = CALIBRATION
    part[places < shares.test + shares.validation] = VALIDATION
    part[places < shares.test] = TEST
    return part


def _make_usable(
    part: np.ndarray, sizes: np.ndarray, places: np.ndarray, most: dict[int, float], *, fill: Collection[int]
) -> None:
    """Let groups [G] too large for their part train, and give parts to fill a group where they have none."""
    for name, limit in most.items():
        part[(part == name) & (sizes > limit)] = TRAIN
    for name in fill if len(part) > len(fill) else ():
        training = part == TRAIN
        candidates = np.flatnonzero(training & (sizes <= most[name]))
        if most[name] and training.sum() >= 2 and len(candidates) and not (part == name).any():
            part[candidates[np.argmin(places[candidates])]] = name
