"""What each word adds to the opinion of a model on counted words: its weights say it, exactly."""

from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import logsumexp, softmax

from training.algorithms.calibration import apply_temperature
from training.algorithms.explanation import Explanation, Scored, merged, words_of
from training.linear.learning import word_features
from training.linear.scoring import read_model
from training.linear.words import Words

N_POINTS = 32  # of the integral; it is smooth, and the gap says what is missing


def explain_tfidf(
    model_dir: Path | str, text: str, second: str | None = None, *, class_index: int | None = None
) -> Explanation:
    """Return what the words of a text add to the log-odds of a class, the likeliest if none is named.

    Features times weights are the scores' parts, but the odds of one class depend on the scores of all. On
    the way from no word to the whole text, the odds of class c grow by the gradient w_c - sum q_k w_k, where
    q_k is the share of class k among the others: integrated gradients (Sundararajan et al. 2017) in closed
    form but for the mean of q.
    """
    stored = read_model(model_dir)
    manifest, model, words = stored.manifest, stored.linear, stored.words
    assert words is not None
    features = csr_matrix(word_features(words, [text], None if second is None else [second]))
    scores, start = model.scores(features)[0].astype(np.float64), model.intercepts.astype(np.float64)
    multiple, temperature = manifest["head"] == "multiple", manifest["temperature"]
    probabilities = apply_temperature(scores[None], temperature, multiple=multiple)[0]
    chosen = int(probabilities.argmax()) if class_index is None else class_index
    against = np.zeros(len(scores))
    if not multiple:
        against = _mean_rivals(start / temperature, scores / temperature, chosen)
    direction = (model.weights[chosen] - against @ model.weights) / temperature  # [F]
    parts = features.multiply(direction).toarray()[0]
    change = _log_odds(scores / temperature, chosen, multiple) - _log_odds(
        start / temperature, chosen, multiple
    )
    of_first, of_second = _of_texts(parts, features.toarray()[0], is_pair=second is not None)
    return Explanation(
        method="weights",
        class_index=chosen,
        class_name=manifest["class_names"][chosen],
        probability=float(probabilities[chosen]),
        words=_onto_words(words, text, of_first),
        second_words=[] if second is None else _onto_words(words, second, of_second),
        change=change,
        convergence_gap=abs(float(parts.sum()) - change),
    )


def _mean_rivals(start: np.ndarray, end: np.ndarray, chosen: int) -> np.ndarray:
    """Return [K] the mean share of each class among those that are not chosen, from start to end."""
    nodes, weights = np.polynomial.legendre.leggauss(N_POINTS)
    way = start + (nodes[:, None] + 1) / 2 * (end - start)  # [points, K]
    way[:, chosen] = -np.inf
    return (weights / 2) @ softmax(way, axis=1)


def _log_odds(scores: np.ndarray, chosen: int, multiple: bool) -> float:
    return float(scores[chosen] - (0.0 if multiple else logsumexp(np.delete(scores, chosen))))


def _of_texts(parts: np.ndarray, values: np.ndarray, *, is_pair: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return [V] for each text; what a pair has in common is halved between those that have the term."""
    if not is_pair:
        return parts, np.empty(0)
    alone, has = parts.reshape(4, -1), values.reshape(4, -1)[:2] != 0
    common = (alone[2] + alone[3]) / np.maximum(has.sum(axis=0), 1)
    return alone[0] + common * has[0], alone[1] + common * has[1]


def _onto_words(words: Words, text: str, parts: np.ndarray) -> list[Scored]:
    """A term's part is shared by all places where it stands."""
    columns, spans = words.occurrences(text)
    times = np.bincount(columns, minlength=len(parts))
    return merged(words_of(text), spans, parts[columns] / times[columns])
