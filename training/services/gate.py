"""The best of a run's models against the one in charge, on texts that neither learned from."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from django.utils import timezone

from training import encoder
from training.algorithms.judged import FAMILIES, Judged
from training.algorithms.outcomes import Trial
from training.algorithms.promotion import Check, Verdict, choose, verdict
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
class Asked:
    """A model, and what it thinks of a bench's texts."""

    version: ModelVersion
    bench: Bench
    opinion: Opinion
    texts_per_second: float

    def only(self, chosen: np.ndarray) -> "Asked":
        """Return the same of some of the texts, chosen bool [N]."""
        return replace(self, bench=self.bench.only(chosen), opinion=only(self.opinion, chosen))

    def judge(self) -> Judged:
        return judged(self.version, self.bench, self.opinion, texts_per_second=self.texts_per_second)


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
    if not versions or run.verdict:  # judged before the worker was lost; somebody may have chosen since
        return
    current = in_charge(run.campaign_id)
    versions = sorted(versions, key=lambda version: FAMILIES.index(version.family))
    candidates = []
    for n_done, version in enumerate(versions):
        candidates.append(_asked(version, bench, opinions.get(version)))
        on_progress((n_done + 1) / (len(versions) + 1))
    trials = [Trial.from_dict(v.metrics["trial"]) for v in versions if "items" in v.metrics.get("trial", {})]
    if len(trials) < len(versions):  # another version of the software made some of them
        trials = []
    best = choose([one.judge() for one in candidates], trials)
    while not _decided(run, token, candidates[best], current):
        current = in_charge(run.campaign_id)


def _decided(run: TrainingRun, token: int, candidate: Asked, current: ModelVersion | None) -> bool:
    """False where another model took charge meanwhile: the comparison was with the wrong one."""
    version, incumbent = candidate.version, None
    try:
        if current is not None:
            candidate, incumbent = _both(candidate, current)
        found = verdict(
            candidate.judge(),
            incumbent and incumbent.judge(),
            record_of=candidate.bench.record_of,
            slices=slices_of(candidate.bench.metadata),
            class_names=list(candidate.bench.class_names),
            rng=np.random.default_rng(run.number),
        )
    except Incomparable as reason:
        found = reason.verdict
    said = found.to_dict() | {
        "version": version.number,
        "instead_of": current and current.number,
        "n_judged": len(candidate.bench),
        "n_gold": int(candidate.bench.is_gold.sum()),
    }
    promotion = partial(promote, version, instead_of=current, cause=Promotion.Cause.GATE, now=timezone.now())
    try:
        runs.keep_verdict(run.pk, token, said, promotion if found.promoted else None)
    except ChargeChanged:
        return False
    return True


def _asked(version: ModelVersion, bench: Bench, opinion: Opinion | None = None) -> Asked:
    texts_per_second = pace(version, bench)
    opinion = opinion_of(version, bench) if opinion is None else opinion
    return Asked(version, bench, opinion, texts_per_second)


class Incomparable(Exception):
    """The model in charge cannot be held against another; because is a clause."""

    def __init__(self, because: str, *, takes_over: bool) -> None:
        sentence = f"It could not be compared with the model in charge: {because}."
        self.verdict = Verdict(takes_over, [Check("incomparable", takes_over, sentence)])


def _both(candidate: Asked, current: ModelVersion) -> tuple[Asked, Asked]:
    """The candidate and the model in charge, on the texts that the latter did not learn from either."""
    if not has_files(current):
        raise Incomparable("its files are gone", takes_over=True)
    try:
        chosen = unlearned(candidate.bench, current, candidate.version)
    except FileNotFoundError as error:
        because = "which texts it learned from is no longer known"
        raise Incomparable(because, takes_over=True) from error
    if not chosen.any():  # it answers, and the next labels of the stream will tell
        because = "it learned from all the texts that judge now, or from their like"
        raise Incomparable(because, takes_over=False)
    candidate = candidate.only(chosen)
    try:
        incumbent = _asked(current, candidate.bench)
    except encoder.TrainingRefused as refused:
        because = f"it cannot answer ({refused.sentence.rstrip('.')})"
        raise Incomparable(because, takes_over=True) from refused
    if _built_alike(current, candidate.version):
        # What two timings on a shared machine differ by would be noise.
        incumbent = replace(incumbent, texts_per_second=candidate.texts_per_second)
    return candidate, incumbent


def _built_alike(one: ModelVersion, other: ModelVersion) -> bool:
    """Whether two models compute the same with other numbers."""
    if one.family != other.family:
        return False
    keys = ("base_model_sha256", "max_tokens", "window_overlap", "precision")
    first, second = (version.lineage | version.lineage.get("config", {}) for version in (one, other))
    return all(first.get(key) == second.get(key) for key in keys)
