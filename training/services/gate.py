"""The best of a run's models against the one in charge, on texts that neither learned from."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from django.utils import timezone

from training import encoder
from training.algorithms.judged import FAMILIES, Judged
from training.algorithms.outcomes import Outcomes
from training.algorithms.promotion import FEW, Check, Verdict, choose, verdict
from training.algorithms.slices import slices_of
from training.errors import ChargeChanged
from training.models import ModelVersion, Promotion, TrainingRun
from training.services import runs
from training.services.judging import (
    Bench,
    Opinion,
    judged,
    only,
    opinion_of,
    pace,
    unlearned,
)
from training.services.promotions import has_files, in_charge, promote


@dataclass(frozen=True, slots=True)
class Candidate:
    version: ModelVersion
    opinion: Opinion  # of the bench's texts
    texts_per_second: float

    def judged_on(self, bench: Bench, chosen: np.ndarray) -> Judged:
        """On some of the bench's texts, chosen bool [N]."""
        opinion, pace = only(self.opinion, chosen), self.texts_per_second
        return judged(self.version, bench.only(chosen), opinion, texts_per_second=pace)


def try_the_gate(
    run: TrainingRun,
    token: int,
    versions: list[ModelVersion],
    bench: Bench,
    opinions: dict[ModelVersion, Opinion],
    *,
    on_progress: Callable[[float], None],
) -> None:
    """Put the best of the models in charge if it passes; the verdict stands on the run either way.

    opinions: of the bench's texts, by models that were asked already.
    """
    current = in_charge(run.campaign_id)
    if not versions or current in versions:  # judged before the worker was lost
        return
    versions = sorted(versions, key=lambda version: FAMILIES.index(version.family))
    candidates = []
    for n_done, version in enumerate(versions):
        candidates.append(_asked(version, bench, opinions.get(version)))
        on_progress((n_done + 1) / (len(versions) + 1))
    everything = np.ones(len(bench), dtype=bool)
    trials = [Outcomes.from_dict(version.metrics["trial"]) for version in versions if len(bench) < FEW]
    best = choose([one.judged_on(bench, everything) for one in candidates], trials)
    while not _decided(run, token, candidates[best], bench, current):
        current = in_charge(run.campaign_id)


def _decided(
    run: TrainingRun, token: int, candidate: Candidate, bench: Bench, current: ModelVersion | None
) -> bool:
    """False where another model took charge meanwhile: the comparison was with the wrong one."""
    version, chosen = candidate.version, np.ones(len(bench), dtype=bool)
    try:
        incumbent, chosen = _incumbent(current, candidate, bench) if current else (None, chosen)
        seen = bench.only(chosen)
        found = verdict(
            candidate.judged_on(bench, chosen),
            incumbent,
            record_of=seen.record_of,
            slices=slices_of(seen.metadata),
            class_names=list(bench.class_names),
            rng=np.random.default_rng(run.number),
        )
    except Incomparable as reason:
        seen, found = bench, reason.verdict
    said = found.to_dict() | {
        "version": version.number,
        "instead_of": current and current.number,
        "n_judged": len(seen),
        "n_gold": int(seen.is_gold.sum()),
    }
    promotion = partial(promote, version, instead_of=current, cause=Promotion.Cause.GATE, now=timezone.now())
    try:
        runs.keep_verdict(run.pk, token, said, promotion if found.promoted else None)
    except ChargeChanged:
        return False
    return True


def _asked(version: ModelVersion, bench: Bench, opinion: Opinion | None = None) -> Candidate:
    texts_per_second = pace(version, bench)
    return Candidate(version, opinion_of(version, bench) if opinion is None else opinion, texts_per_second)


class Incomparable(Exception):
    """The model in charge cannot be held against another; because is a clause."""

    def __init__(self, because: str, *, takes_over: bool) -> None:
        sentence = f"It could not be compared with the model in charge: {because}."
        self.verdict = Verdict(takes_over, [Check("incomparable", takes_over, sentence)])


def _incumbent(current: ModelVersion, candidate: Candidate, bench: Bench) -> tuple[Judged, np.ndarray]:
    """The model in charge on the texts that it did not learn from either, and which these are, bool [N]."""
    if not has_files(current):
        raise Incomparable("its files are gone", takes_over=True)
    try:
        chosen = unlearned(bench, current)
    except FileNotFoundError as error:
        because = "which texts it learned from is no longer known"
        raise Incomparable(because, takes_over=True) from error
    if not chosen.any():  # it answers, and the next labels of the stream will tell
        raise Incomparable("it learned from all the texts that judge now", takes_over=False)
    try:
        asked = _asked(current, bench.only(chosen))
    except encoder.TrainingRefused as refused:
        because = f"it cannot answer ({refused.sentence.rstrip('.')})"
        raise Incomparable(because, takes_over=True) from refused
    if _built_alike(current, candidate.version):
        # What two timings on a shared machine differ by would be noise.
        asked = replace(asked, texts_per_second=candidate.texts_per_second)
    return asked.judged_on(bench.only(chosen), np.ones(chosen.sum(), dtype=bool)), chosen


def _built_alike(one: ModelVersion, other: ModelVersion) -> bool:
    """Whether two models compute the same with other numbers."""
    if one.family != other.family:
        return False
    keys = ("base_model_sha256", "max_tokens", "window_overlap", "precision")
    first, second = (version.lineage | version.lineage.get("config", {}) for version in (one, other))
    return all(first.get(key) == second.get(key) for key in keys)
