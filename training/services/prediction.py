"""What a model thinks of texts that somebody sends, in words that can be sent back."""

import logging
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from annotation.errors import Invalid, place_of
from training.algorithms.examples import Span
from training.model_folders import read_manifest
from training.models import ModelVersion
from training.services import prediction_jobs
from training.services.marks import MARKING
from training.services.prediction_jobs import AskedText
from training.services.scoring import probabilities_of_texts

logger = logging.getLogger(__name__)
UNFORESEEN = "Something unforeseen stopped the prediction; the worker's log has it."
KEEP_SECONDS = 5.0


def answer_job(job_id: UUID) -> None:
    """Do the job if nobody else does; whatever goes wrong stands on its row."""
    job = prediction_jobs.take(job_id, now=timezone.now())
    if job is None:
        return
    texts = [AskedText(*one) for one in job.texts]
    kept_at = time.monotonic()

    def keep(share_done: float) -> None:
        nonlocal kept_at
        if time.monotonic() > kept_at + KEEP_SECONDS:
            kept_at = time.monotonic()
            prediction_jobs.keep(job, now=timezone.now())

    try:
        outcome = {"result": predictions(job.model_version, texts, on_progress=keep)}
    except Invalid as refused:
        outcome = {"failure_code": refused.code, "failure": refused.sentence}
    except (OperationalError, InterfaceError):
        raise  # the database is away: the lease runs out, and the job is taken up again
    except Exception as error:
        logger.error("prediction %s broke off: %s\n%s", job_id, type(error).__name__, place_of(error))
        outcome = {"failure_code": "unforeseen", "failure": UNFORESEEN}
    prediction_jobs.end(job, now=timezone.now(), **outcome)


def predictions(
    version: ModelVersion,
    texts: Sequence[AskedText],
    *,
    on_progress: Callable[[float], None] = lambda done: None,
) -> list[dict]:
    """What the model thinks of each text, in their order and in the form of its campaign's answers.

    One label: {"label", "probabilities": {key: p}}. Any number: {"labels", "probabilities"}, a label from one
    half on. Spans: {"spans": [{"start", "end", "label", "probability"}]}, in code points. Relations: the same
    and {"relations": [{"from", "to", "label", "probability"}]}, places in the list of spans.
    """
    head = read_manifest(version.path)["head"]
    firsts = [one.text for one in texts]
    if head in MARKING:
        given = [one.spans and [Span(**span) for span in one.spans] for one in texts]
        readings = MARKING[head].read(version.path, firsts, given, on_progress=on_progress)
        return [MARKING[head].answer(reading, version.label_keys) for reading in readings]
    seconds = [one.second for one in texts] if texts and texts[0].second is not None else None
    probabilities = probabilities_of_texts(version, firsts, seconds, on_progress=on_progress)
    say = _any_of if head == "multiple" else _one_of
    keys = version.label_keys
    return [say(dict(zip(keys, row, strict=True))) for row in probabilities.round(5).tolist()]


def _one_of(probabilities: dict[str, float]) -> dict:
    return {"label": max(probabilities, key=probabilities.__getitem__), "probabilities": probabilities}


def _any_of(probabilities: dict[str, float]) -> dict:
    return {"labels": [key for key, p in probabilities.items() if p >= 0.5], "probabilities": probabilities}
