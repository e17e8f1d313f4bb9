"""What a model thinks of open tasks, whatever its family and the kind of question."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from annotation import exchange
from annotation.exchange import OpenTasks, TaskText
from training import encoder, linear
from training.algorithms.acquisition_committee import bald, dropped_out
from training.algorithms.examples import Span
from training.model_folders import read_manifest
from training.models import ModelVersion, TrainingPolicy
from training.services.acquisition import Opinion, acquisition_of
from training.services.base_models import ENCODER_GONE, folder_of_encoder
from training.services.embeddings import embed_tasks, vector_pages, vectors_of_texts
from training.services.marks import MARKING
from training.services.remembered import recall, remember

N_DRAWS, DROPOUT = 10, 0.3  # of BALD
AT_ONCE = 10_000  # tasks
Family = ModelVersion.Family


def opinion_of_open_tasks(
    version: ModelVersion, policy: TrainingPolicy, *, on_progress: Callable[[float], None]
) -> tuple[OpenTasks, Opinion]:
    """The open tasks, and the model's opinion of each. What was imported while it read is left out."""
    manifest = read_manifest(version.path)
    if version.takes_vectors:
        return _by_vectors(version, manifest, policy, on_progress)
    texts = list(exchange.unlabelled_texts(version.campaign_id))
    tasks = exchange.open_tasks(version.campaign_id)
    rows, found = tasks.rows_of(exchange.packed_ids(text.task_id for text in texts))
    tasks = tasks.only(rows)
    words, seconds = _words_of([text for text, is_open in zip(texts, found, strict=True) if is_open])
    if manifest["head"] in MARKING:
        readings = MARKING[manifest["head"]].read(version.path, words, on_progress=on_progress)
        return tasks, Opinion(manifest["head"], version.label_keys, None, readings)
    if version.family == Family.TFIDF:
        probabilities = linear.predict_tfidf(version.path, words, seconds)
    else:
        probabilities = _read_what_is_new(version, tasks, words, seconds, on_progress)
    return tasks, Opinion(manifest["head"], version.label_keys, probabilities)


def _read_what_is_new(
    version: ModelVersion,
    tasks: OpenTasks,
    words: Sequence[str],
    seconds: Sequence[str] | None,
    on_progress: Callable[[float], None],
) -> np.ndarray:
    """An encoder's probabilities [N, K]; it reads what it has not read before."""
    known, probabilities = recall(version.path, tasks.ids, len(version.label_keys))
    new = np.flatnonzero(~known)
    if len(new):
        probabilities[new] = encoder.predict_proba(
            version.path,
            [words[row] for row in new],
            seconds and [seconds[row] for row in new],
            on_progress=on_progress,
        )
        remember(version.path, tasks.ids, probabilities)
    return probabilities


def opinion_of_texts(version: ModelVersion, head: str, texts: Sequence[TaskText]) -> Opinion:
    """Of texts of any task."""
    words, seconds = _words_of(texts)
    if head in MARKING:
        return Opinion(head, version.label_keys, None, MARKING[head].read(version.path, words))
    return Opinion(head, version.label_keys, probabilities_of_texts(version, words, seconds))


def probabilities_of_texts(
    version: ModelVersion,
    texts: Sequence[str],
    seconds: Sequence[str] | None = None,
    *,
    on_progress: Callable[[float], None] = lambda share_done: None,
) -> np.ndarray:
    """Calibrated probabilities [N, K] of texts that need not be tasks; not of a model that marks."""
    if version.family == Family.TFIDF:
        return linear.predict_tfidf(version.path, texts, seconds)
    if version.takes_vectors:
        vectors = vectors_of_texts(_folder_of_encoder(version), texts, seconds)
        if version.family == Family.EMBEDDING:
            return linear.predict_embedding(version.path, vectors)
        return linear.predict_combined(version.path, texts, vectors, seconds)
    return encoder.predict_proba(version.path, texts, seconds, on_progress=on_progress)


def _folder_of_encoder(version: ModelVersion) -> str:
    folder = folder_of_encoder(version)
    if folder is None:
        raise encoder.TrainingRefused("encoder_gone", ENCODER_GONE)
    return folder


def spans_of_texts(version: ModelVersion, texts: Sequence[str]) -> list[list[tuple[Span, float]]]:
    """Each text's spans with how probable they are; of a model of spans alone."""
    return encoder.predict_spans(version.path, texts)


def _by_vectors(
    version: ModelVersion, manifest: dict, policy: TrainingPolicy, on_progress: Callable[[float], None]
) -> tuple[OpenTasks, Opinion]:
    """By vectors, or by these and words. Where tasks have another encoder's, all texts are read anew.

    Few tasks at a time are read and scored: ten million texts or vectors do not fit the memory.
    """
    embed_tasks(
        version.campaign,
        _folder_of_encoder(version),
        manifest["base_model_sha256"],
        on_progress=lambda share: on_progress(0.5 * share),
    )
    tasks = exchange.open_tasks(version.campaign_id)
    model, multiple = linear.read_model(version.path), manifest["head"] == "multiple"
    wants_draws = acquisition_of(policy) == TrainingPolicy.Acquisition.BALD
    probabilities = np.full((len(tasks), len(manifest["class_names"])), np.nan, dtype=np.float32)
    draws = np.full(len(tasks), np.nan) if wants_draws else None
    for rows, vectors in _pages(tasks, version, manifest, on_progress):
        texts = seconds = None
        if model.words is not None:
            rows, vectors, texts, seconds = _with_texts(tasks, rows, vectors)
        if not len(rows):
            continue
        features = model.features(texts, seconds, vectors)
        probabilities[rows] = model.probabilities(features)
        if draws is not None:
            draws[rows] = bald(_draws(model, features, seed=version.number), multiple=multiple)
    known = ~np.isnan(probabilities[:, 0])
    draws = None if draws is None else draws[known]
    return tasks.only(known), Opinion(
        manifest["head"], version.label_keys, probabilities[known], disagreement_of_draws=draws
    )


def _pages(
    tasks: OpenTasks, version: ModelVersion, manifest: dict, on_progress: Callable[[float], None]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(places among the tasks [M], rising; their vectors [M, D]) of all tasks that have one."""
    for ids, vectors in vector_pages(version.campaign_id, manifest["base_model_sha256"]):
        rows, found = tasks.rows_of(ids)
        vectors = vectors[found]
        for first in range(0, len(rows), AT_ONCE):
            few = slice(first, first + AT_ONCE)
            yield rows[few], vectors[few]
        if len(rows):
            on_progress(0.5 + 0.5 * (rows[-1] + 1) / len(tasks))


def _with_texts(
    tasks: OpenTasks, rows: np.ndarray, vectors: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[str], list[str] | None]:
    """Of these tasks those that are not gone by now, with their texts and, of pairs, the second ones."""
    texts = exchange.texts_of(tasks.uuids(rows))
    left, _ = tasks.rows_of(exchange.packed_ids(text.task_id for text in texts))
    words, seconds = _words_of(texts)
    return left, vectors[np.isin(rows, left)], words, seconds


def _words_of(texts: Sequence[TaskText]) -> tuple[list[str], list[str] | None]:
    seconds = [text.second or "" for text in texts] if texts and texts[0].second is not None else None
    return [text.text for text in texts], seconds


def _draws(model: linear.StoredModel, features: list, *, seed: int) -> np.ndarray:
    temperature, intercepts = model.manifest["temperature"], model.linear.intercepts

    def scores_of(weights: np.ndarray) -> np.ndarray:
        return linear.Linear(weights, intercepts).scores(*features) / temperature

    return dropped_out(
        scores_of,
        model.linear.weights,
        n_draws=N_DRAWS,
        rate=DROPOUT,
        multiple=model.manifest["head"] == "multiple",
        rng=np.random.default_rng(seed),  # the same draws of the model for every page
    )
