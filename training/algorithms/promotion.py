"""Does a new model take over from the one in charge? A paired bootstrap on the same judged items.

Both models are held against each other in the same samples of records, drawn with replacement (Efron 1979;
paired, as in Koehn 2004), so that what is easy or hard for both cancels. A label or a group of records counts
as worse only where the drop is larger than is allowed and is no chance: of many labels, one always drops.
On a few hundred texts F1 alone tells little; how probable each model held what is right tells some more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import reduce
from typing import Any

import numpy as np

from annotation.shares import percent
from training.algorithms.judged import FAMILIES, Judged
from training.algorithms.outcomes import Outcomes, Trial

HARM = 0.005  # of macro-F1 that a promotion may cost
HARM_CHANCE = 0.1  # that it costs more
SUPPORTED_CHANCE = 0.3  # the same, where the losses say clearly that the challenger is better
LOSS_CHANCE = 0.05  # that they say so by chance
RECALL_DROP = 0.03  # of one label
SLICE_DROP = 0.02  # of one group of records
CALIBRATION_RISE = 0.01
SLOWER = 1.2  # times as long a text, within a family
CHANCE = 0.1  # that a drop is none, all labels (or groups) together: Bonferroni divides it among them
FEW = 100  # judged items below which nearly every comparison is open: see _f1_of_few
ENOUGH = 300  # judged items that choose well enough without trials
N_DRAWS = 4000
AT_ONCE = 4_000_000  # numbers of one block of draws


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at.

    value       the drop or the rise that was seen, as a share (times, for speed); allowed: the most of it
    name        the label or the group that is meant
    chance      for F1, that more than is allowed is lost; else, that there is no drop (or rise)
    """

    code: str
    passed: bool
    sentence: str
    name: str = ""
    value: float | None = None
    allowed: float | None = None
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    promoted: bool
    checks: list[Check]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Gains:
    """Challenger less incumbent in B samples: f1 [B], recall [B, K], slices [B, S], calibration, loss [B].

    Of the last two a gain is bad: they are errors. Where there are no losses, the loss gains infinitely.
    """

    f1: np.ndarray
    recall: np.ndarray
    slices: np.ndarray
    calibration: np.ndarray
    loss: np.ndarray


def few_judge(n_judged: int) -> bool:
    """Whether they are too few to prove one model better than another."""
    return n_judged < FEW


def wants_trials(n_judged: int) -> bool:
    """Whether what a model did before it learned from everything should help to choose: see choose."""
    return n_judged < ENOUGH


def verdict(
    challenger: Judged,
    incumbent: Judged | None,
    *,
    record_of: np.ndarray,
    slices: Mapping[str, np.ndarray],
    class_names: Sequence[str],
    rng: np.random.Generator,
) -> Verdict:
    """Return whether the challenger takes over, and why; both were judged on the same N items, in one order.

    record_of [N]: the number of each item's record; records are drawn, as their items are alike. slices: bool
    [N] by name. Without an incumbent the challenger is the first, and takes over.
    """
    if incumbent is None:
        return Verdict(
            True, [Check("first", True, "It is the first model, so there is none to compare with.")]
        )
    if not len(challenger) == len(incumbent) == len(record_of):
        raise ValueError("both models have to be judged on the same items")
    if not challenger.outcomes.occurs.shape == incumbent.outcomes.occurs.shape == (len(class_names),):
        raise ValueError("both models have to be judged on the same classes")
    groups = np.stack([*slices.values()], axis=1) if slices else np.zeros((len(record_of), 0), dtype=bool)
    seen = _gains(challenger, incumbent, np.ones((1, len(record_of)), dtype=np.float32), groups)
    drawn = _together(_gains(challenger, incumbent, w, groups) for w in _samples(np.asarray(record_of), rng))
    checks = [
        _f1_check(challenger, incumbent, seen, drawn),
        *_recall_checks(challenger, seen, drawn, class_names),
        *_slice_checks(seen, drawn, list(slices)),
        _calibration_check(challenger, seen, drawn),
        _speed_check(challenger, incumbent),
    ]
    return Verdict(all(check.passed for check in checks), checks)


def choose(judged: Sequence[Judged], trials: Sequence[Trial]) -> int:
    """Return the place of the best candidate of one run, by macro-F1; of equal ones the plainest.

    trials: empty, or each one's; the items may have decided how long it learned and how sure it is. A dozen
    judged texts alone choose by luck. An encoder is held against the best of the others on what both were
    held to.
    """
    by_plainness = sorted(range(len(judged)), key=lambda place: FAMILIES.index(judged[place].family))
    encoders = [place for place in by_plainness if judged[place].family == "encoder"]
    plain = [place for place in by_plainness if place not in encoders]

    def seen(place: int, *others: int) -> Outcomes:
        """What it did on the judged items and on those that it and others were held to."""
        if not trials:
            return judged[place].outcomes
        items = reduce(np.intersect1d, [trials[one].items for one in (place, *others)])
        return judged[place].outcomes.and_(trials[place].on(items))

    best = max(plain or encoders, key=lambda place: _f1_of(seen(place)))  # the first of equal ones
    for place in encoders:
        if _f1_of(seen(place, best)) > _f1_of(seen(best, place)):
            best = place
    return best


def _f1_of(outcomes: Outcomes) -> float:
    return float(outcomes.macro_f1(np.ones((1, len(outcomes))))[0])


def _once(judged: Judged) -> np.ndarray:
    return np.ones((1, len(judged)), dtype=np.float32)


def _samples(record_of: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield weights float32 [b, N], N_DRAWS rows in all: how often each item's record was drawn."""
    record = np.unique(record_of, return_inverse=True)[1]
    n_records = int(record.max()) + 1
    at_once = max(1, AT_ONCE // len(record))
    for start in range(0, N_DRAWS, at_once):
        n = min(at_once, N_DRAWS - start)
        drawn = rng.integers(0, n_records, (n, n_records)) + n_records * np.arange(n)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=n * n_records).reshape(n, n_records)
        yield counts.astype(np.float32)[:, record]


def _gains(challenger: Judged, incumbent: Judged, weights: np.ndarray, groups: np.ndarray) -> Gains:
    ours, theirs = challenger.outcomes, incumbent.outcomes
    occurs = ours.occurs | theirs.occurs
    return Gains(
        (ours.f1(weights) - theirs.f1(weights))[:, occurs].sum(axis=1) / max(int(occurs.sum()), 1),
        ours.recall(weights) - theirs.recall(weights),
        ours.micro_f1(weights, groups) - theirs.micro_f1(weights, groups),
        challenger.calibration_error(weights) - incumbent.calibration_error(weights),
        _loss_gain(challenger, incumbent, weights),
    )


def _loss_gain(challenger: Judged, incumbent: Judged, weights: np.ndarray) -> np.ndarray:
    if challenger.losses is None or incumbent.losses is None:
        return np.full(len(weights), np.inf)
    return weights @ (challenger.losses - incumbent.losses) / weights.sum(axis=1)


def _together(blocks: Iterator[Gains]) -> Gains:
    parts = list(blocks)
    return Gains(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Gains)))


def _f1_of_few(challenger: Judged, seen: Gains) -> Check:
    """While few texts judge, no model could prove itself, and a campaign's first one would stay for ever.

    So the burden of proof is turned: who learned from more labels takes over, unless it did worse on the
    texts that there are. What a mistake costs is small then, and the next round comes soon.
    """
    drop = -float(seen.f1[0])
    sentence = (
        f"Only {len(challenger)} texts judge so far, too few to prove a model better: being no worse on them "
        f"suffices, and its F1 is {_points(abs(drop))} points {'lower' if drop > 0 else 'higher'}."
    )
    return Check("f1", drop <= 0, sentence, "", drop, 0.0)


def _f1_check(challenger: Judged, incumbent: Judged, seen: Gains, drawn: Gains) -> Check:
    if few_judge(len(challenger)):
        return _f1_of_few(challenger, seen)
    chance = float((drawn.f1 < -HARM).mean())
    allowed, because = HARM_CHANCE, ""
    if (drawn.loss >= 0).mean() <= LOSS_CHANCE:
        allowed, because = SUPPORTED_CHANCE, " where right answers have clearly become more probable, as here"
    now, before = (_f1_of(one.outcomes) for one in (challenger, incumbent))
    sentence = (
        f"On {len(challenger)} texts its F1 is {_points(now)}, and {_points(before)} of the model in charge. "
        f"The chance that it is worse by more than {_points(HARM)} points is {percent(chance)} "
        f"(allowed are {percent(allowed)}{because})."
    )
    return Check("f1", chance <= allowed, sentence, "", -float(seen.f1[0]), HARM, chance)


def _recall_checks(challenger: Judged, seen: Gains, drawn: Gains, class_names: Sequence[str]) -> list[Check]:
    counts, allowed = challenger.outcomes, f"{100 * RECALL_DROP:g}"
    occurs = (counts.true_positives + counts.false_negatives).any(axis=0)
    worse = _clear_drops(seen.recall[0], drawn.recall, RECALL_DROP, n_tested=int(occurs.sum()))
    if not worse:
        sentence = f"It finds no label clearly less often ({allowed} points fewer are allowed)."
        return [Check("recall", True, sentence, allowed=RECALL_DROP)]
    sentence = "It finds {} points fewer of '{}' (allowed are {})."
    return [
        Check("recall", False, sentence.format(_points(drop), class_names[k], allowed),
              class_names[k], drop, RECALL_DROP, chance)
        for k, drop, chance in worse
    ]  # fmt: skip


def _slice_checks(seen: Gains, drawn: Gains, names: list[str]) -> list[Check]:
    if not names:
        return [Check("slices", True, "The records have no groups to compare.")]
    worse, allowed = _clear_drops(seen.slices[0], drawn.slices, SLICE_DROP, n_tested=len(names)), SLICE_DROP
    if not worse:
        sentence = f"It is clearly worse in none of {len(names)} groups of records."
        return [Check("slices", True, sentence, allowed=allowed)]
    sentence = "Where {}, it is right {} points less often (allowed are {:g})."
    return [
        Check("slices", False, sentence.format(names[s], _points(drop), 100 * allowed),
              names[s], drop, allowed, chance)
        for s, drop, chance in worse
    ]  # fmt: skip


def _clear_drops(
    seen: np.ndarray, drawn: np.ndarray, most: float, *, n_tested: int
) -> list[tuple[int, float, float]]:
    """Return (place, drop, chance that it is none) of each column of drawn [B, M] that dropped too far."""
    chances = (drawn >= 0).mean(axis=0)
    places = np.flatnonzero((seen < -most) & (chances < CHANCE / max(n_tested, 1)))
    return [(int(m), float(-seen[m]), float(chances[m])) for m in places]


def _calibration_check(challenger: Judged, seen: Gains, drawn: Gains) -> Check:
    rise, chance = float(seen.calibration[0]), float((drawn.calibration <= 0).mean())
    error = challenger.calibration_error(_once(challenger))[0]
    sentence = (
        f"Its probabilities are off by {_points(error)} points on the mean, those of the model in charge by "
        f"{_points(error - rise)} (allowed is {100 * CALIBRATION_RISE:g} more)."
    )
    passed = rise <= CALIBRATION_RISE or chance >= CHANCE
    return Check("calibration", passed, sentence, "", rise, CALIBRATION_RISE, chance)


def _speed_check(challenger: Judged, incumbent: Judged) -> Check:
    times = incumbent.texts_per_second / challenger.texts_per_second
    same = challenger.family == incumbent.family
    sentence = f"It takes {times:.2f} times as long for a text as the model in charge " + (
        f"(allowed are {SLOWER:g})." if same else "(which is of another kind, so this decides nothing)."
    )
    return Check("speed", not same or times <= SLOWER, sentence, "", times, SLOWER if same else None)


def _points(share: float) -> str:
    return f"{100 * share:.1f}"
