"""A model's opinion of every open task, turned into the order in which they are asked."""

import io
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from uuid import UUID

import numpy as np
import orjson
from django.db import connection
from django.utils import timezone

from annotation import exchange
from annotation.exchange import OpenTasks, TaskText
from annotation.models import Campaign, Gold
from training.algorithms.acquisition_queue import queue_priorities, with_head
from training.algorithms.examples import Span
from training.algorithms.splits import record_places
from training.models import ModelVersion, Prediction, TrainingPolicy
from training.services.acquisition import Opinion, places_in_queue, typical_head
from training.services.base_models import encoder_of
from training.services.marks import MARKING
from training.services.runs import policy_of
from training.services.scoring import opinion_of_open_tasks, opinion_of_texts, spans_of_texts
from training.services.snapshot import learned_tasks

WRITE_PREDICTIONS = """
INSERT INTO training_prediction (task_id, model_version_id, version_number, probabilities, answer, explored)
SELECT task_id, %(model)s, %(number)s, probabilities, answer, explored FROM staged_prediction
WHERE n > %(first)s AND n <= %(first)s + %(chunk)s
ON CONFLICT (task_id) DO UPDATE SET model_version_id = excluded.model_version_id,
    version_number = excluded.version_number, probabilities = excluded.probabilities,
    answer = excluded.answer, explored = excluded.explored
WHERE training_prediction.version_number <= excluded.version_number
"""
CHUNK = 5000
PREDICTIONS_KEPT = 100_000  # of the head of the queue: what people come to see before the next model
SUGGESTED_FROM = 0.5  # of the probability that a span is right
START = 500  # tasks in typical order before there is a model


def order_queue(version: ModelVersion, *, number: int, on_progress: Callable[[float], None]) -> int:
    """Score all open tasks and order them by what their answers are worth, the random stream among them.

    `number` is the run's: a later run's order goes over an earlier one's, whichever models they had, and it
    seeds the lot. Returns how many tasks it ordered.
    """
    campaign, policy = version.campaign, policy_of(version.campaign)
    tasks, opinion = opinion_of_open_tasks(
        version, policy, on_progress=lambda share: on_progress(0.8 * share)
    )
    _free_the_stream(policy)
    if not len(tasks):
        return 0
    rng, now = np.random.default_rng(number), timezone.now()
    in_stream = stream_of(policy, tasks)
    places = places_in_queue(campaign, policy, tasks, opinion, in_stream, rng=rng, now=now)
    priority = queue_priorities(places, in_stream=in_stream, rng=rng)
    head = np.argsort(-priority, kind="stable")[:PREDICTIONS_KEPT]
    if opinion.readings is not None:
        head = head[in_stream[head]]  # of marks nothing is asked but how far people agree with them there
    write_predictions(version, tasks.uuids(head), _said(opinion, head), in_stream[head], number)
    if opinion.readings is not None:
        # Of a record that has left the stream since, the hardest tasks are answered first.
        left = Prediction.objects.filter(model_version=version, version_number__lt=number)
        left.filter(task__is_open=True).delete()
    on_progress(0.9)
    write_priorities(campaign, tasks, priority, number=number)
    if exchange.hears_models(campaign.pk):
        _tell_the_engine(version, tasks, opinion, in_stream, number)
    if opinion.readings is not None and campaign.preannotates:
        suggest_spans(version, tasks, [one.spans for one in opinion.readings], in_stream, number=number)
    return len(tasks)


def _said(opinion: Opinion, rows: np.ndarray) -> list[list[float]] | list[dict]:
    """What Prediction keeps of these tasks: the probabilities [K] of each, or the marks as an answer."""
    if opinion.readings is None:
        return opinion.probabilities[rows].round(5).tolist()
    answer = MARKING[opinion.head].answer
    return [answer(opinion.readings[row], opinion.label_keys) for row in rows]


def order_start(campaign: Campaign, *, seed: int) -> int:
    """Before there is a model: the most typical texts first, the random stream among them, others by lot.

    Signed by no model, so that the first one's order goes over it. Returns how many tasks it ordered.
    """
    policy, tasks, rng = policy_of(campaign), exchange.open_tasks(campaign.pk), np.random.default_rng(seed)
    if not len(tasks):
        return 0
    in_stream = stream_of(policy, tasks)
    _, encoder_sha256 = encoder_of(campaign)
    head = typical_head(campaign, tasks, np.flatnonzero(~in_stream), START, encoder_sha256, rng)
    places = with_head(np.zeros(len(tasks)), head)
    write_priorities(campaign, tasks, queue_priorities(places, in_stream=in_stream, rng=rng), number=0)
    return len(tasks)


def stream_of(policy: TrainingPolicy, tasks: OpenTasks) -> np.ndarray:
    """bool [N]: whose records are of the random stream, which acquisition never touches.

    By the record's place alone, as in the snapshot, where the same records judge models: so what is in the
    stream is fixed for ever, whatever any model thinks of it.
    """
    distinct, record_of = np.unique(tasks.record_ids.view("S16"), return_inverse=True)
    names = [UUID(bytes=one.ljust(16, b"\0")) for one in distinct.tolist()]
    return _are_of_stream(policy, names)[record_of]


def _are_of_stream(policy: TrainingPolicy, record_ids: Sequence[UUID]) -> np.ndarray:
    return record_places(record_ids) < policy.exploration_share


def _free_the_stream(policy: TrainingPolicy) -> None:
    """Take back what models said of its records before: these judge models, settled ones as well."""
    spoken_of = exchange.records_spoken_of(policy.campaign_id)
    of_stream = _are_of_stream(policy, spoken_of)
    judging = [record for record, is_of_it in zip(spoken_of, of_stream, strict=True) if is_of_it]
    if judging:
        exchange.take_back(policy.campaign_id, judging)


def write_priorities(campaign: Campaign, tasks: OpenTasks, priority: np.ndarray, *, number: int) -> None:
    ids = (UUID(bytes=task_id) for task_id in tasks.ids.tolist())
    exchange.set_priorities(
        campaign.pk, zip(ids, priority.tolist(), strict=True), run=number, now=timezone.now()
    )


def _tell_the_engine(
    version: ModelVersion, tasks: OpenTasks, opinion: Opinion, in_stream: np.ndarray, number: int
) -> None:
    """What the model thinks of tasks that it did not learn from is one more annotator's opinion.

    Also of gold that is full: it says whether the model is to be heard. Not of the stream, bool [N]: models
    are judged by what people say of it, and by nothing a model said. None where it is no longer known which
    tasks these are.
    """
    try:
        learned = learned_tasks(version.run)
    except FileNotFoundError:
        return
    gold, judging = _full_gold(version.campaign)
    ids = chain((UUID(bytes=task_id) for task_id in tasks.ids.tolist()), (one.task_id for one in gold))
    opinions = _for_the_engine(opinion)
    if gold:
        opinions = chain(opinions, _for_the_engine(opinion_of_texts(version, opinion.head, gold)))
    exchange.set_opinions(
        version.campaign_id,
        (
            (task_id, said)
            for task_id, said, judges in zip(ids, opinions, [*in_stream, *judging], strict=True)
            if not judges and str(task_id) not in learned
        ),
        version=number,
    )


def _full_gold(campaign: Campaign) -> tuple[list[TaskText], np.ndarray]:
    """Texts whose right answer a file gave and that want no more answers, and which are of the stream."""
    full = Gold.objects.filter(
        campaign=campaign, origin=Gold.Origin.FILE, task__is_open=False, task__held=False
    )
    gold = exchange.texts_of(full.values_list("task_id", flat=True))
    return gold, _are_of_stream(policy_of(campaign), [text.record_id for text in gold])


def _for_the_engine(opinion: Opinion) -> Iterable[dict]:
    """{label key: probability} of each task; of a model that marks its spans, not how they are related."""
    if opinion.readings is None:
        for row in opinion.probabilities.round(5).tolist():
            yield dict(zip(opinion.label_keys, row, strict=True))
    else:
        answer = MARKING["spans"].answer
        yield from (answer(reading, opinion.label_keys) for reading in opinion.readings)


def suggest_spans(
    version: ModelVersion,
    tasks: OpenTasks,
    spans: Sequence[Sequence[tuple[Span, float]]],
    in_stream: np.ndarray,
    *,
    number: int,
) -> int:
    """Let volunteers begin with the spans [N] that more likely are right than not; returns in how many tasks.

    Not in those of the stream, bool [N], which judge models. Also in gold that is full: it goes out still,
    and without a suggestion it could be told apart.
    """
    gold, of_stream = _full_gold(version.campaign)
    judging = [*in_stream, *of_stream]
    in_gold = spans_of_texts(version, [text.text for text in gold])
    ids = chain((UUID(bytes=one) for one in tasks.ids.tolist()), (text.task_id for text in gold))
    found = (
        (task_id, _likely(one))
        for task_id, judges, one in zip(ids, judging, chain(spans, in_gold), strict=True)
        if not judges
    )
    return exchange.set_suggestions(version.campaign_id, found, version=number)


def _likely(spans: Sequence[tuple[Span, float]]) -> list[dict]:
    return [
        span._asdict() | {"probability": round(probability, 4)}
        for span, probability in spans
        if probability >= SUGGESTED_FROM
    ]


def write_predictions(
    version: ModelVersion,
    task_ids: Sequence[UUID],
    said: Sequence[list[float] | dict],
    explored: np.ndarray,
    number: int,
) -> None:
    """Store one opinion a task: what the model said [N], explored [N] bool. A later run's stay."""
    rows = io.StringIO()
    for task_id, opinion, at_random in zip(task_ids, said, explored.tolist(), strict=True):
        written = orjson.dumps(opinion).decode().replace("\\", "\\\\")  # COPY would read the backslash
        columns = ("\\N", written) if isinstance(opinion, dict) else (written, "\\N")
        rows.write("\t".join([str(task_id), *columns, str(at_random)]) + "\n")
    rows.seek(0)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS staged_prediction")
        cursor.execute(
            """CREATE TEMPORARY TABLE staged_prediction
            (n serial PRIMARY KEY, task_id uuid, probabilities jsonb, answer jsonb, explored boolean)"""
        )
        cursor.copy_expert(
            "COPY staged_prediction (task_id, probabilities, answer, explored) FROM STDIN", rows
        )
        for first in range(0, len(task_ids), CHUNK):
            cursor.execute(
                WRITE_PREDICTIONS,
                {"model": version.pk, "number": number, "first": first, "chunk": CHUNK},
            )
        cursor.execute("DROP TABLE staged_prediction")
