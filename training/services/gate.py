"""The best of a run's models against the one in charge, on texts that neither learned from."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from django.utils import timezone

from training import encoder
from training.algorithms.judged import FAMILIES, Judged
from training.algorithms.promotion import FEW, choose, verdict
from training.algorithms.slices import slices_of
from training.errors import ChargeChanged
from training.models import ModelVersion, Promotion, TrainingRun
from training.services import runs
from training.services.judging import (
    TIMED_TEXTS,
    Bench,
    Opinion,
    first_of,
    judged,
    opinion_of,
    outcomes_of_counts,
    pace,
)
from training.services.promotions import in_charge, promote


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
        candidates.append(_judged(version, bench, opinions.get(version)))
        on_progress((n_done + 1) / (len(versions) + 1))
    trials = [outcomes_of_counts(version.metrics["trial"]) for version in versions if len(bench) < FEW]
    best = choose(candidates, trials)
    while not _decided(run, token, versions[best], candidates[best], bench, current):
        current = in_charge(run.campaign_id)


def _decided(
    run: TrainingRun,
    token: int,
    version: ModelVersion,
    candidate: Judged,
    bench: Bench,
    current: ModelVersion | None,
) -> bool:
    """False where another model took charge meanwhile: the comparison was with the wrong one."""
    found = verdict(
        candidate,
        _incumbent(current, version, candidate, bench),
        record_of=bench.record_of,
        slices=slices_of(bench.metadata),
        class_names=list(bench.class_names),
        rng=np.random.default_rng(run.number),
    )
    said = found.to_dict() | {
        "version": version.number,
        "instead_of": current and current.number,
        "n_judged": len(bench),
        "n_gold": int(bench.is_gold.sum()),
    }
    promotion = partial(promote, version, instead_of=current, cause=Promotion.Cause.GATE, now=timezone.now())
    try:
        runs.keep_verdict(run.pk, token, said, promotion if found.promoted else None)
    except ChargeChanged:
        return False
    return True


def _judged(version: ModelVersion, bench: Bench, opinion: Opinion | None = None) -> Judged:
    few = first_of(bench, TIMED_TEXTS)
    texts_per_second = pace(lambda: opinion_of(version, few), len(few))
    if opinion is None:
        opinion = opinion_of(version, bench)
    return judged(version, bench, opinion, texts_per_second=texts_per_second)


def _incumbent(
    current: ModelVersion | None, version: ModelVersion, candidate: Judged, bench: Bench
) -> Judged | None:
    """None where there is none, or none that can answer: its files are gone, or its encoder is another."""
    if current is None or not current.path:
        return None
    try:
        standing = _judged(current, bench)
    except encoder.TrainingRefused:
        return None
    if _built_alike(current, version):
        # What two timings on a shared machine differ by would be noise.
        return replace(standing, texts_per_second=candidate.texts_per_second)
    return standing


def _built_alike(one: ModelVersion, other: ModelVersion) -> bool:
    """Whether two models compute the same with other numbers."""
    if one.family != other.family:
        return False
    keys = ("base_model_sha256", "max_tokens", "window_overlap", "precision")
    first, second = (version.lineage | version.lineage.get("config", {}) for version in (one, other))
    return all(first.get(key) == second.get(key) for key in keys)
