"""Work out what a model looked at, whatever its family, and keep it for whoever asked."""

import logging
from dataclasses import asdict
from uuid import UUID

import numpy as np
from django.utils import timezone

from annotation.errors import Invalid, place_of
from annotation.exchange import TaskText, texts_of
from training import encoder, linear
from training.algorithms.explanation import Explanation as Explained
from training.algorithms.explanation import log_odds_of, occluded
from training.model_folders import read_manifest
from training.models import Explanation, ModelVersion
from training.services.explanations import text_sha256
from training.services.scoring import probabilities_of_texts

logger = logging.getLogger(__name__)
Family = ModelVersion.Family
UNFORESEEN = "Something unforeseen stopped it; the worker's log has where."


def explain_task(task_id: UUID) -> None:
    """Fill the row that waits for this task's text; whatever is gone meanwhile wants nothing."""
    row = Explanation.objects.waiting().filter(task=task_id).select_related("model_version__campaign").last()
    texts = texts_of([task_id])
    if row is None or not texts or text_sha256(texts[0]) != row.text_sha256:
        return
    content, failure = None, ""
    try:
        content = _content(row.model_version, explain_text(row.model_version, texts[0]))
    except Invalid as refused:
        failure = refused.sentence
    except Exception as error:
        logger.error("task %s was not explained: %s\n%s", task_id, type(error).__name__, place_of(error))
        failure = UNFORESEEN
    Explanation.objects.filter(pk=row.pk, content__isnull=True).update(
        content=content, failure=failure, finished_at=timezone.now()
    )


def explain_text(version: ModelVersion, text: TaskText) -> Explained:
    """What the words of a text, or a pair, add to the likeliest label by this model."""
    if version.family == Family.TFIDF:
        return linear.explain_tfidf(version.path, text.text, text.second)
    if version.family == Family.ENCODER:
        return encoder.explain(version.path, text.text, text.second)
    return _by_occlusion(version, text)


def _by_occlusion(version: ModelVersion, text: TaskText) -> Explained:
    """A frozen encoder's vector is a mean over the text; what a word is worth shows when it is gone."""
    first, second = text.text, text.second
    probabilities = probabilities_of_texts(version, [first], None if second is None else [second])[0]
    chosen = int(probabilities.argmax())

    def log_odds(texts: list[str], seconds: list[str] | None) -> np.ndarray:
        return log_odds_of(probabilities_of_texts(version, texts, seconds)[:, chosen])

    def with_first(texts: list[str]) -> np.ndarray:
        return log_odds(texts, None if second is None else [second] * len(texts))

    return Explained(
        method="occlusion",
        class_index=chosen,
        class_name=read_manifest(version.path)["class_names"][chosen],
        probability=float(probabilities[chosen]),
        words=occluded(with_first, first),
        second_words=[]
        if second is None
        else occluded(lambda texts: log_odds([first] * len(texts), texts), second),
    )


def _content(version: ModelVersion, found: Explained) -> dict:
    """As it is kept: scores to four digits, and the label by its key, not by its name at that time."""
    content = asdict(found) | {"label": version.label_keys[found.class_index]}
    del content["class_index"], content["class_name"]
    for texts in ("words", "second_words"):
        content[texts] = [[start, end, float(f"{score:.4g}")] for start, end, score in content[texts]]
    return content
