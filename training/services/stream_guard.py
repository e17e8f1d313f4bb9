"""Choosing what to ask has to earn its place: measured each round against the random stream, or given up.

Two heads on frozen embeddings are fitted in a second, so the comparison costs nothing that anybody waits for.
"""

from datetime import datetime

import numpy as np
from django.db import transaction

from annotation import exchange
from annotation.models import Campaign
from training import linear
from training.algorithms.splits import record_places
from training.algorithms.stream_comparison import Comparison, brings_nothing, compare
from training.models import StreamRound, TrainingPolicy, TrainingRun
from training.services.base_models import encoder_of
from training.services.embeddings import vectors_of_tasks
from training.services.runs import policy_of

C = 30.0  # inverse strength of regularisation, the same for both sides
HALVES_SEED = 1  # of the places that part the stream, which must not be those that made it


def measure_round(run: TrainingRun, *, now: datetime) -> StreamRound | None:
    """Compare once for a run that ended; keep the round, and give choosing up if it brought nothing.

    None where there is nothing to compare: no stream, no choosing, too few labels, an answer that is not one
    label.
    """
    campaign, policy = run.campaign, policy_of(run.campaign)
    if policy.acquisition == TrainingPolicy.Acquisition.RANDOM or policy.at_random_since:
        return None
    found = compare_stream(campaign, policy, settled_by=run.snapshot_at)
    if found is None:
        return None
    with transaction.atomic():
        kept, _ = StreamRound.objects.update_or_create(
            run=run,
            defaults={
                "campaign": campaign,
                "at": now,
                "n_learned": found.n_learned,
                "n_judged": found.n_judged,
                "acquired": found.acquired,
                "drawn": found.drawn,
                "deviation": found.deviation,
            },
        )
        if brings_nothing([one.gain for one in StreamRound.objects.filter(campaign=campaign)]):
            TrainingPolicy.objects.filter(pk=policy.pk, at_random_since=None).update(at_random_since=now)
    return kept


def compare_stream(campaign: Campaign, policy: TrainingPolicy, *, settled_by: datetime) -> Comparison | None:
    examples = [
        example
        for example in exchange.labelled_examples(campaign.pk, settled_by=settled_by)
        if "label" in example.value
    ]
    places = record_places([example.record_id for example in examples])
    # What joined the stream after some of it had been chosen is neither chosen nor a fair sample.
    is_either = (places < policy.judging_share) | (places >= policy.exploration_share)
    examples = [example for example, is_it in zip(examples, is_either, strict=True) if is_it]
    if not examples or not policy.judging_share:
        return None
    _, sha256 = encoder_of(campaign)
    has_one, vectors = vectors_of_tasks([example.task_id for example in examples], sha256)
    examples = [example for example, has in zip(examples, has_one, strict=True) if has]
    if not examples:
        return None
    features = linear.vector_features(vectors, is_pair=examples[0].second is not None)
    names = sorted({example.value["label"] for example in examples})
    labels = np.array([names.index(example.value["label"]) for example in examples])
    records = [example.record_id for example in examples]
    in_stream = record_places(records) < policy.judging_share
    half = record_places(records, seed=HALVES_SEED) < 0.5
    targets = np.eye(len(names))

    def learn(rows: np.ndarray, known: np.ndarray, judged: np.ndarray) -> np.ndarray:
        model = linear.fit(features[rows], targets[known], np.ones(len(rows)), c=C, multiple=False)
        return model.scores(features[judged]).argmax(axis=1)

    return compare(labels, in_stream, half, learn, rng=np.random.default_rng(len(examples)))
