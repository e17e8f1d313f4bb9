"""What an answer to each open task is worth, and which tasks come first: the policy's choice, carried out.

Everything here is linear in the number of tasks, but for the head of the queue: there, clusters of the texts'
vectors see to it that what is asked differs. The default and its numbers are measured in
benchmarks/acquisition_curves.py.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection

from annotation import exchange
from annotation.exchange import OpenTasks
from annotation.models import Campaign, Consensus
from training.algorithms.acquisition import (
    ACQUISITIONS,
    as_separate_labels,
    class_needs,
    disagreement,
    disagreement_of_labels,
    margin,
)
from training.algorithms.acquisition_committee import badge_order
from training.algorithms.acquisition_diversity import (
    FEW_LABELS_A_CLASS,
    REFERENCE,
    SHORTLIST_A_PLACE,
    typical_first,
    varied_head,
)
from training.algorithms.acquisition_queue import (
    patience,
    ranks,
    smoothed,
    value_of_one_more,
    with_head,
)
from training.algorithms.outcomes import f1_of_sets
from training.algorithms.relation_pairs import Reading
from training.algorithms.targets import marks_of
from training.algorithms.time_model import fit_time_model
from training.models import TrainingPolicy
from training.services.base_models import encoder_of
from training.services.embeddings import vectors_of_tasks
from training.services.marks import MARKING

Acquisition = TrainingPolicy.Acquisition
SAMPLED = 20_000  # tasks among which typical ones are looked for
COUNT_LABELS = """
SELECT said.key, count(*) FROM annotation_consensus s
CROSS JOIN LATERAL jsonb_array_elements_text(
    coalesce(s.value->'labels', jsonb_build_array(s.value->'label'))
) said (key)
WHERE s.campaign_id = %s AND s.settled_at IS NOT NULL GROUP BY said.key
"""


@dataclass(frozen=True, slots=True)
class Opinion:
    """A model's opinion of N tasks: probabilities [N, K], or of a model that marks, None and its readings."""

    head: str
    label_keys: list[str]
    probabilities: np.ndarray | None
    readings: list[Reading] | None = None  # N
    disagreement_of_draws: np.ndarray | None = None  # [N], BALD, where the family can

    def uncertainty(self, acquisition: str) -> np.ndarray:
        """[N] in [0, 1] (BALD in nats)."""
        if acquisition == Acquisition.BALD and self.disagreement_of_draws is not None:
            return self.disagreement_of_draws
        measure = ACQUISITIONS.get(acquisition, margin)
        if self.probabilities is None:
            assert self.readings is not None
            indifferent = acquisition == Acquisition.RANDOM
            return np.array([0.0 if indifferent else one.unsure(measure) for one in self.readings])
        if self.head == "multiple":
            return as_separate_labels(self.probabilities, measure)
        return measure(self.probabilities)


def acquisition_of(policy: TrainingPolicy) -> str:
    """The policy's, or at random since the guard found that it brings nothing."""
    return Acquisition.RANDOM if policy.at_random_since else policy.acquisition


def task_values(
    campaign: Campaign, policy: TrainingPolicy, tasks: OpenTasks, opinion: Opinion, *, now: datetime
) -> np.ndarray:
    """[N] what one more answer to each task would bring in a second of a volunteer's time."""
    acquisition = acquisition_of(policy)
    uncertainty = opinion.uncertainty(acquisition)
    if acquisition == Acquisition.RANDOM:
        return uncertainty
    if acquisition == Acquisition.RARE and opinion.probabilities is not None:
        needs = class_needs(_labels_so_far(campaign, opinion))
        if opinion.head == "multiple":
            uncertainty = as_separate_labels(opinion.probabilities, margin, np.sqrt(needs))
        else:
            uncertainty = uncertainty * np.sqrt(opinion.probabilities @ needs)
    n_answers, disagrees = _crowds(campaign, tasks, opinion)
    value = value_of_one_more(uncertainty, n_answers, disagrees)
    return value * patience(_days_waited(tasks, now)) / expected_seconds(campaign, tasks)


def expected_seconds(campaign: Campaign, tasks: OpenTasks) -> np.ndarray:
    """[N] by the length of the text, from this campaign's answers."""
    lengths, volunteers, seconds = exchange.answer_times(campaign.pk)
    model, _ = fit_time_model(np.array(lengths), volunteers, np.array(seconds))
    return model.expected_seconds(tasks.lengths)


def _labels_so_far(campaign: Campaign, opinion: Opinion) -> np.ndarray:
    """[K] settled tasks that have each label."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT_LABELS, [campaign.pk])
        counts = dict(cursor.fetchall())
    return np.array([counts.get(key, 0) for key in opinion.label_keys], dtype=np.float64)


def _crowds(campaign: Campaign, tasks: OpenTasks, opinion: Opinion) -> tuple[np.ndarray, np.ndarray]:
    """(answers so far [N], how much they say otherwise than the model [N])."""
    n_answers, disagrees = np.zeros(len(tasks)), np.zeros(len(tasks))
    crowds = exchange.crowds_of_open_tasks(campaign.pk)
    rows, known = tasks.rows_of(exchange.packed_ids(crowd.task_id for crowd in crowds))
    crowds = [crowd for crowd, is_known in zip(crowds, known, strict=True) if is_known]
    if not crowds:
        return n_answers, disagrees
    n_answers[rows] = [crowd.n_answers for crowd in crowds]
    if opinion.readings is not None:
        disagrees[rows] = [
            _disagrees(crowd, opinion.readings[row], opinion)
            for crowd, row in zip(crowds, rows.tolist(), strict=True)
        ]
        return n_answers, disagrees
    said = np.array([[crowd.beliefs.get(key, 0.0) for key in opinion.label_keys] for crowd in crowds])
    thought = opinion.probabilities[rows].astype(np.float64)
    if opinion.head == "multiple":
        disagrees[rows] = disagreement_of_labels(said, thought)
    else:
        disagrees[rows] = disagreement(said / np.maximum(said.sum(axis=1, keepdims=True), 1e-9), thought)
    return n_answers, disagrees


def _disagrees(crowd: exchange.CrowdSays, reading: Reading, opinion: Opinion) -> float:
    """How much of what either marks the other does not: 1 less F1; 0 where the answers add up to nothing."""
    if crowd.value is None:
        return 0.0
    found = {mark for mark, _ in MARKING[opinion.head].marks(reading, opinion.label_keys)}
    return 1.0 - f1_of_sets(found, set(marks_of(crowd.value)))


def _days_waited(tasks: OpenTasks, now: datetime) -> np.ndarray:
    """A task's id begins with the 48 bits of the millisecond at which it was made (UUID version 7)."""
    first = tasks.ids.view("u1").reshape(-1, 16)[:, :6].astype(np.float64)
    milliseconds = first @ 256.0 ** np.arange(5, -1, -1)
    return np.maximum(now.timestamp() - milliseconds / 1000, 0) / 86_400


def places_in_queue(
    campaign: Campaign,
    policy: TrainingPolicy,
    tasks: OpenTasks,
    opinion: Opinion,
    in_stream: np.ndarray,
    *,
    rng: np.random.Generator,
    now: datetime,
) -> np.ndarray:
    """[N] by which the tasks that are not of the random stream are ordered, highest first."""
    values = task_values(campaign, policy, tasks, opinion, now=now)
    if acquisition_of(policy) == Acquisition.RANDOM:
        return values
    former = np.where(tasks.versions > 0, tasks.priorities, np.nan)
    known = ~np.isnan(former)
    former[known] = ranks(former[known])
    places = smoothed(values, former)
    chosen = np.flatnonzero(~in_stream)
    _, encoder_sha256 = encoder_of(campaign)
    n_labels = Consensus.objects.filter(campaign=campaign).settled().count()
    if n_labels < FEW_LABELS_A_CLASS * len(opinion.label_keys):
        head = typical_head(campaign, tasks, chosen, policy.refit_labels, encoder_sha256, rng)
    else:
        best = chosen[np.argsort(-places[chosen], kind="stable")]
        head = _varied_head(policy, tasks, opinion, best, encoder_sha256, rng)
    return with_head(places, head)


def typical_head(
    campaign: Campaign,
    tasks: OpenTasks,
    chosen: np.ndarray,
    n_wanted: int,
    encoder_sha256: str,
    rng: np.random.Generator,
) -> np.ndarray:
    """Up to n_wanted rows of `chosen`, typical ones of clusters without a label first."""
    sample = chosen if len(chosen) <= SAMPLED else rng.choice(chosen, SAMPLED, replace=False)
    has_one, vectors = vectors_of_tasks(tasks.uuids(sample), encoder_sha256)
    sample = sample[has_one]
    settled = Consensus.objects.filter(campaign=campaign).settled()
    _, known = vectors_of_tasks(settled.values_list("task_id", flat=True)[:SAMPLED], encoder_sha256)
    if not len(sample):
        return sample
    both = np.vstack([vectors, known.reshape(-1, vectors.shape[1])]).astype(np.float32)
    is_labelled = np.arange(len(both)) >= len(sample)
    return sample[typical_first(both, is_labelled, min(n_wanted, len(sample)), rng=rng)]


def _varied_head(
    policy: TrainingPolicy,
    tasks: OpenTasks,
    opinion: Opinion,
    best: np.ndarray,
    encoder_sha256: str,
    rng: np.random.Generator,
) -> np.ndarray:
    """The first of `best` in an order in which neighbours differ; as they are where texts lack vectors."""
    n_places = policy.refit_labels
    shortlist = best[: SHORTLIST_A_PLACE * n_places]
    has_one, vectors = vectors_of_tasks(tasks.uuids(shortlist), encoder_sha256)
    if not len(shortlist) or not has_one.all():
        return shortlist
    if acquisition_of(policy) == Acquisition.BADGE and opinion.probabilities is not None:
        order = badge_order(vectors, opinion.probabilities[shortlist], len(shortlist), rng=rng)
        return shortlist[order]
    sample = rng.choice(best, min(len(best), REFERENCE), replace=False)
    _, reference = vectors_of_tasks(tasks.uuids(sample), encoder_sha256)
    return shortlist[varied_head(vectors, reference, n_places, rng=rng)]
