"""What a model thinks of open tasks, whatever its family and the kind of question."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from annotation import exchange
from annotation.exchange import OpenTasks, TaskText
from training import encoder, linear
from training.algorithms.acquisition_committee import bald, dropped_out
from training.algorithms.calibration import apply_temperature
from training.algorithms.examples import Span
from training.model_folders import read_manifest
from training.models import ModelVersion, TrainingPolicy
from training.services.acquisition import Opinion, acquisition_of
from training.services.base_models import ENCODER_GONE, folder_of_encoder
from training.services.embeddings import embed_tasks, vector_pages, vectors_of_texts
from training.services.marks import MARKING
from training.services.remembered import recall, remember

N_DRAWS, DROPOUT = 10, 0.3  # of BALD
AT_ONCE = 10_000  # tasks, of which counted words and vectors are put side by side
Family = ModelVersion.Family


def opinion_of_open_tasks(
    version: ModelVersion, policy: TrainingPolicy, *, on_progress: Callable[[float], None]
) -> tuple[OpenTasks, Opinion]:
    """The open tasks, and the model's opinion of each. What was imported while it read is left out."""
    manifest = read_manifest(version.path)
    if version.takes_vectors:
        return _by_vectors(version, manifest, policy, on_progress)
    tasks, words, seconds = _open_texts(version)
    if manifest["head"] in MARKING:
        readings = MARKING[manifest["head"]].read(version.path, words, on_progress=on_progress)
        return tasks, Opinion(manifest["head"], version.label_keys, None, readings)
    if version.family == Family.TFIDF:
        probabilities = linear.predict_tfidf(version.path, words, seconds)
    else:
        probabilities = _read_what_is_new(version, tasks, words, seconds, on_progress)
    return tasks, Opinion(manifest["head"], version.label_keys, probabilities)


def _open_texts(version: ModelVersion) -> tuple[OpenTasks, list[str], list[str] | None]:
    """The open tasks, their texts and, of pairs, the second ones."""
    texts = list(exchange.unlabelled_texts(version.campaign_id))
    tasks = exchange.open_tasks(version.campaign_id)
    rows, found = tasks.rows_of(exchange.packed_ids(text.task_id for text in texts))
    texts = [text for text, is_open in zip(texts, found, strict=True) if is_open]
    seconds = [text.second or "" for text in texts] if texts and texts[0].second is not None else None
    return tasks.only(rows), [text.text for text in texts], seconds


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
    words = [text.text for text in texts]
    if head in MARKING:
        return Opinion(head, version.label_keys, None, MARKING[head].read(version.path, words))
    seconds = [text.second or "" for text in texts] if texts and texts[0].second is not None else None
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
    """By vectors, or by these and words. Where tasks have another encoder's, all texts are read anew."""
    embed_tasks(
        version.campaign,
        _folder_of_encoder(version),
        manifest["base_model_sha256"],
        on_progress=lambda share: on_progress(0.5 * share),
    )
    if version.family == Family.COMBINED:
        tasks, words, seconds = _open_texts(version)
        together = linear.combined_features(version.path)
    else:
        tasks, words, seconds, together = exchange.open_tasks(version.campaign_id), [], None, None
    multiple, temperature = manifest["head"] == "multiple", manifest["temperature"]
    wants_draws = acquisition_of(policy) == TrainingPolicy.Acquisition.BALD
    probabilities = np.full((len(tasks), len(manifest["class_names"])), np.nan, dtype=np.float32)
    draws = np.full(len(tasks), np.nan) if wants_draws else None
    model = linear.read_linear(version.path)
    for rows, vectors in _pages(tasks, version, manifest, on_progress):
        if together is None:
            features = linear.vector_features(vectors, is_pair=manifest["is_pair"])
        else:
            page = [words[row] for row in rows]
            features = together(page, vectors, seconds and [seconds[row] for row in rows])
        probabilities[rows] = apply_temperature(model.scores(features), temperature, multiple=multiple)
        if draws is not None:
            draws[rows] = bald(_draws(model, features, manifest, seed=version.number), multiple=multiple)
    known = ~np.isnan(probabilities[:, 0])
    draws = None if draws is None else draws[known]
    return tasks.only(known), Opinion(
        manifest["head"], version.label_keys, probabilities[known], disagreement_of_draws=draws
    )


def _pages(
    tasks: OpenTasks, version: ModelVersion, manifest: dict, on_progress: Callable[[float], None]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(places among the tasks [M], their vectors [M, D]), few at a time: ten million would not fit."""
    for ids, vectors in vector_pages(version.campaign_id, manifest["base_model_sha256"]):
        rows, found = tasks.rows_of(ids)
        vectors = vectors[found]
        for first in range(0, len(rows), AT_ONCE):
            few = slice(first, first + AT_ONCE)
            yield rows[few], vectors[few]
        on_progress(0.5 + 0.5 * (rows[-1] + 1) / len(tasks) if len(rows) else 0.5)


def _draws(model: linear.Linear, features: linear.Features, manifest: dict, *, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)  # the same draws of the model for every page
    return dropped_out(
        features,
        model.weights / manifest["temperature"],
        model.intercepts / manifest["temperature"],
        n_draws=N_DRAWS,
        rate=DROPOUT,
        multiple=manifest["head"] == "multiple",
        rng=rng,
    )
