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
from training.algorithms.targets import chosen_labels
from training.models import StreamRound, TrainingPolicy, TrainingRun
from training.services.base_models import encoder_of
from training.services.embeddings import vectors_of_tasks
from training.services.runs import policy_of
from training.services.stream_rounds import is_measured

C = 30.0  # inverse strength of regularisation, the same for both sides
HALVES_SEED = 1  # of the places that part the stream, which must not be those that made it


def measure_round(run: TrainingRun, *, now: datetime) -> StreamRound | None:
    """Compare once for a run that ended; keep the round, and give choosing up if it brought nothing.

    None where there is nothing to compare: no stream, no choosing, too few labels, answers that are marks,
    which no head on one vector of a text can give.
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
    if not is_measured(campaign):
        return None
    examples = list(exchange.labelled_examples(campaign.pk, settled_by=settled_by))
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
    answers = [set(chosen_labels(example.value)) for example in examples]
    names = sorted(set().union(*answers))
    targets = np.array([[name in answer for name in names] for answer in answers], dtype=bool)
    any_number = exchange.head_of(campaign) == "multiple"
    records = [example.record_id for example in examples]
    in_stream = record_places(records) < policy.judging_share
    half = record_places(records, seed=HALVES_SEED) < 0.5

    def learn(rows: np.ndarray, known: np.ndarray, judged: np.ndarray) -> np.ndarray:
        model = linear.fit(features[rows], known.astype(float), np.ones(len(rows)), c=C, multiple=any_number)
        scores = model.scores(features[judged])
        return scores >= 0 if any_number else scores.argmax(axis=1)[:, None] == np.arange(len(names))

    return compare(targets, in_stream, half, records, learn, rng=np.random.default_rng(len(examples)))
