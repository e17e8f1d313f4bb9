"""Dawid and Skene's model with every token an item of its own and its BIO tag the class.

Nguyen et al. (ACL 2017) call it the usual baseline: it knows neither that a span goes on nor that a volunteer
misses it as a whole. Plain EM (Dawid and Skene, Appl Stat 1979;28:20), no shrinkage. Wants a cell a token.
"""

from collections.abc import Sequence

import numpy as np

from annotation.algorithms.span_chains import Cells, Found, begins, spans_of
from annotation.algorithms.span_votes import vote_shares

SMOOTHING = 1e-6  # added to every count, so that nothing unseen is impossible
MAX_ITERATIONS = 100
TOLERANCE = 1e-4


def fit(cells: Cells, n_workers: int, labels: Sequence[str]) -> tuple[dict, list[dict]]:
    """(crowd, workers), JSON-able: how often each tag is, and what each worker says for it."""
    posterior = cells.with_gold(vote_shares(cells, len(labels)))
    for _ in range(MAX_ITERATIONS):
        share, confusion = _maximise(cells, posterior, n_workers)
        previous, posterior = posterior, tag_posterior(cells, share, confusion)
        if np.abs(posterior - previous).max(initial=0.0) < TOLERANCE:
            break
    *own, crowd = confusion.tolist()
    return {"share": share.tolist(), "confusion": crowd}, [{"confusion": worker} for worker in own]


def read(
    cells: Cells, crowd: dict, workers: Sequence[dict | None], labels: Sequence[str]
) -> tuple[np.ndarray, list[list[Found]]]:
    """(posterior [C, K], runs of each token's likeliest tag); a label the fit never saw finds nothing."""
    known = {label: i for i, label in enumerate(crowd["labels"])}
    first = [begins(known[label]) if label in known else None for label in labels]
    tags = np.array([0] + [0 if tag is None else tag + i for tag in first for i in (0, 1)])
    seen = np.array([True] + [tag is not None for tag in first for _ in (0, 1)])
    confusion = np.array([(worker or crowd)["confusion"] for worker in [*workers, None]])[:, tags][:, :, tags]
    confusion = np.where(seen[:, None] & seen, confusion, SMOOTHING)
    share = np.where(seen, np.array(crowd["share"])[tags], SMOOTHING)
    posterior = tag_posterior(cells, share, confusion)
    return posterior, likeliest_spans(cells, posterior)


def tag_posterior(cells: Cells, share: np.ndarray, confusion: np.ndarray) -> np.ndarray:
    """[C, K]: P(tag) of each token, given the tags of its own volunteers alone."""
    scores = np.tile(np.log(share), (len(cells.n_tokens), 1))
    log_confusion = np.log(confusion)
    for true in range(len(share)):
        given = log_confusion[cells.worker, true, cells.tag]
        scores[:, true] += np.bincount(cells.cell, given, len(scores))
    posterior = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
    return cells.with_gold(posterior / posterior.sum(axis=1, keepdims=True))


def likeliest_spans(cells: Cells, posterior: np.ndarray) -> list[list[Found]]:
    """Runs of each token's likeliest tag. Boundary: P(it begins here, not later) P(it does not go on)."""
    tags = posterior.argmax(axis=1)
    found = []
    for chain, part in cells.parts():
        here = posterior[part]
        found.append([])
        for first, last, label in spans_of(tags[part]):
            begun, going_on = here[first, begins(label)], here[first, begins(label) + 1]
            after = here[last + 1, begins(label) + 1] if last + 1 < len(chain.starts) else 0.0
            found[-1].append(Found(first, last, label, float(begun / (begun + going_on) * (1.0 - after))))
    return found


def _maximise(cells: Cells, posterior: np.ndarray, n_workers: int) -> tuple[np.ndarray, np.ndarray]:
    n_tags = posterior.shape[1]
    key = cells.worker * n_tags + cells.tag
    counts = np.stack(
        [
            np.bincount(key, posterior[cells.cell, true], n_workers * n_tags).reshape(n_workers, n_tags)
            for true in range(n_tags)
        ],
        axis=1,
    )
    confusion = np.concatenate([counts, counts.sum(axis=0, keepdims=True)]) + SMOOTHING
    share = posterior.sum(axis=0) + SMOOTHING
    return share / share.sum(), confusion / confusion.sum(axis=2, keepdims=True)
