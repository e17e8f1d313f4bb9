"""Consensus of text spans: what most likely is there, given who marked what, and what else may be.

    majority             each token by majority vote
    exact_majority       the very spans that more than half of the volunteers mark
    token_dawid_skene    each token by Dawid and Skene's model
    engine               a sequence model with each volunteer's habits, and the words: the engine's own choice

Marks may overlap and nest; see span_chains for what happens then. Deterministic; nothing is random.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv

from annotation.algorithms import span_crowd, span_votes, token_dawid_skene
from annotation.algorithms.answer_matrix import NOT_SAID
from annotation.algorithms.certainty import N_SAYINGS
from annotation.algorithms.span_chains import Cells, Chain, Found, cells_of, chains_of, label_of
from annotation.algorithms.span_habits import habits_when
from annotation.algorithms.span_relations import relation_says, relation_votes
from annotation.algorithms.span_scores import span_f1
from annotation.algorithms.span_stretches import (
    Stretches,
    found_states,
    marked_stretches,
    rejected_spans,
    rejected_stretches,
)
from annotation.algorithms.span_types import (
    RejectedSpan,
    ScoredSpan,
    Span,
    SpanAnswers,
    SpanFit,
    SpanReading,
    check_spans,
)

__all__ = [
    "METHODS",
    "RejectedSpan",
    "ScoredSpan",
    "Span",
    "SpanAnswers",
    "SpanFit",
    "SpanReading",
    "fit_span_crowd",
    "relation_says",
    "relation_votes",
    "span_f1",
    "task_spans",
]

METHODS = ("majority", "exact_majority", "token_dawid_skene", "engine")


def fit_span_crowd(
    answers: SpanAnswers, *, method: str = "engine", gold: dict[int, list[Span]] | None = None
) -> SpanFit:
    """Learn the crowd from all answers and read every text.

    gold: for some texts, by index, the spans that are certain; they are that text's consensus and teach what
    each volunteer is worth. Raises ValueError for an unknown method or gold outside its text.
    """
    if method not in METHODS:
        raise ValueError(f"{method!r} is none of {', '.join(METHODS)}")
    gold = gold or {}
    for text_index, spans in gold.items():
        check_spans(answers.texts[text_index], spans, answers.labels)
    tells_certainty = answers.tells_certainty and method == "engine"
    by_row = answers_by_row(answers) if tells_certainty else answers.answers
    chains = [
        chain
        for i, (text, given) in enumerate(zip(answers.texts, by_row, strict=True))
        if given
        for chain in chains_of(
            text, given, answers.labels, text_index=i, gold=gold.get(i), every_token=_by_token(method)
        )
    ]
    cells = cells_of(chains)
    crowd, workers = _learn(cells, answers, method, tells_certainty)
    read = _read(cells, answers.texts, crowd, rows_of_habits(workers, crowd), answers.labels)
    for text_index, spans in gold.items():
        read.consensus[text_index] = _certain(answers.answers[text_index], spans)
        read.rejected[text_index] = []
    by_worker = replace(cells, worker=cells.worker % max(answers.n_workers, 1))
    quality = _token_quality(by_worker, read.posterior, answers.n_workers)
    return SpanFit(read.consensus, read.rejected, crowd, workers, *quality)


def task_spans(
    text: str,
    spans_by_worker: list[list[Span]],
    workers: Sequence[dict | None],
    crowd: dict,
    certain: Sequence[int] | None = None,
    *,
    model: list[Span] | None = None,
) -> SpanReading:
    """One text's consensus from its own answers, by what a fit learned; the same that the fit gave it.

    workers: each volunteer's entry of SpanFit.workers, None for one nobody knows yet, who counts as the
    crowd's typical one. certain: for each answer 1 sure, 0 not sure, -1 not said. model: what a model marks
    that never saw the text; heard only where crowd["annotator"] says what it is worth (see model_of_marks).
    """
    if len(spans_by_worker) != len(workers):
        raise ValueError(f"{len(spans_by_worker)} answers need as many workers, not {len(workers)}")
    for spans in spans_by_worker:
        check_spans(text, spans)
    certain = [NOT_SAID] * len(workers) if certain is None else certain
    workers = [habits_when(worker, crowd, said) for worker, said in zip(workers, certain, strict=True)]
    of_model = None
    if model is not None and crowd.get("annotator"):
        check_spans(text, model)
        of_model = len(workers)
        spans_by_worker, workers = [*spans_by_worker, model], [*workers, crowd["annotator"]]
    order = {label: i for i, label in enumerate(crowd["labels"])}
    given = {label for spans in spans_by_worker for _, _, label in spans}
    labels = sorted(given, key=lambda label: (order.get(label, len(order)), label))
    answers = list(enumerate(spans_by_worker))
    chains = chains_of(text, answers, labels, every_token=_by_token(crowd["method"])) if given else []
    cells = cells_of(chains)
    read = _read(cells, [text], crowd, workers, labels, of_model)
    weights = None
    if crowd["method"] == "engine":
        weights = span_crowd.answer_weights(
            cells, crowd, workers, labels, read.states, read.stretches, of_model
        )
    model_weight = weights.pop() if weights and of_model is not None else None
    return SpanReading(read.consensus[0], read.rejected[0], weights, model_weight)


def _by_token(method: str) -> bool:
    return method == "token_dawid_skene"


def answers_by_row(answers: SpanAnswers) -> list[list[tuple[int, list[Span]]]]:
    """The answers under the rows of habits that they were given by: the workers', unless these said more."""
    if not answers.tells_certainty:
        return answers.answers
    return [
        [
            (span_crowd.row_of(worker, said, answers.n_workers), spans)
            for (worker, spans), said in zip(given, certain, strict=True)
        ]
        for given, certain in zip(answers.answers, answers.certain, strict=True)
    ]


def rows_of_habits(workers: Sequence[dict], crowd: dict) -> list[dict | None]:
    """The habits of each row."""
    sayings = range(N_SAYINGS) if "certain" in crowd else [NOT_SAID]
    return [habits_when(worker, crowd, said) for said in sayings for worker in workers]


def _learn(cells: Cells, answers: SpanAnswers, method: str, tells_certainty: bool) -> tuple[dict, list[dict]]:
    crowd: dict = {}
    workers: list[dict] = [{} for _ in range(answers.n_workers)]
    if method == "engine":
        crowd, workers = span_crowd.fit(
            cells, answers.texts, answers.n_workers, answers.labels, tells_certainty=tells_certainty
        )
    elif method == "token_dawid_skene":
        crowd, workers = token_dawid_skene.fit(cells, answers.n_workers, answers.labels)
    return {"method": method, "labels": list(answers.labels)} | crowd, workers


class _Read(NamedTuple):
    """posterior [C, 1 + 2 L], states [C]; stretches: those rejected; consensus, rejected: of every text."""

    posterior: np.ndarray
    states: np.ndarray
    stretches: Stretches
    consensus: list[list[ScoredSpan]]
    rejected: list[list[RejectedSpan]]


def _read(
    cells: Cells,
    texts: list[str],
    crowd: dict,
    workers: Sequence[dict | None],
    labels: list[str],
    model: int | None = None,
) -> _Read:
    match crowd["method"]:
        case "engine":
            posterior, found = span_crowd.read(cells, texts, crowd, workers, labels, model)
        case "token_dawid_skene":
            posterior, found = token_dawid_skene.read(cells, crowd, workers, labels)
        case "exact_majority":
            posterior, found = span_votes.exact_majority(cells, len(labels))
        case _:
            posterior, found = span_votes.token_majority(cells, len(labels))
    consensus: list[list[ScoredSpan]] = [[] for _ in texts]
    inside = posterior[:, 1::2] + posterior[:, 2::2]
    for (chain, part), spans in zip(cells.parts(), found, strict=True):
        people = chain.tags if model is None else chain.tags[chain.workers != model]
        consensus[chain.text] += [_scored(chain, people, span, inside[part], labels) for span in spans]
    for spans in consensus:
        spans.sort(key=lambda span: span.span)
    states = found_states(cells, found)
    stretches = rejected_stretches(
        marked_stretches(cells.without(model), len(labels)), cells, states, len(labels)
    )
    rejected = rejected_spans(stretches, cells, states, inside, labels, len(texts))
    return _Read(posterior, states, stretches, consensus, rejected)


def _scored(chain: Chain, tags: np.ndarray, span: Found, inside: np.ndarray, labels: list[str]) -> ScoredSpan:
    within = slice(span.first, span.last + 1)
    confidence = np.average(inside[within, span.label], weights=chain.n_tokens[within])
    support = (label_of(tags[:, within]) == span.label).any(axis=1).sum()
    return ScoredSpan(
        int(chain.starts[span.first]),
        int(chain.ends[span.last]),
        labels[span.label],
        float(min(confidence, 1.0)),
        span.boundary,
        int(support),
    )


def _certain(given: list[tuple[int, list[Span]]], gold: list[Span]) -> list[ScoredSpan]:
    return [
        ScoredSpan(
            start, end, label, 1.0, 1.0,
            sum(any(s < end and start < e and key == label for s, e, key in spans) for _, spans in given),
        )
        for start, end, label in sorted(set(gold))
    ]  # fmt: skip


def _token_quality(
    cells: Cells, posterior: np.ndarray, n_workers: int, *, prior_spans: float = 2.0
) -> tuple[np.ndarray, np.ndarray]:
    """(accuracy [W], interval [W, 2]): token F1 of each worker's marks, a Beta's mean and middle 90 %.

    F1 = 2 hits / (marked + there), all in expected tokens. Tokens of one span stand and fall together, so a
    worker's F1 counts as if it rested on as many trials as they marked spans or should have (the mean of
    both), with the crowd's F1 as a prior of prior_spans trials. Where nothing was to be marked and nothing
    was, that prior is all there is.
    """
    n, said = cells.n_tokens[cells.cell].astype(float), label_of(cells.tag)
    inside = posterior[:, 1::2] + posterior[:, 2::2]
    hit = np.pad(inside, ((0, 0), (0, 1)))[cells.cell, said]  # label -1, outside, hits nothing
    there, begun = inside.sum(axis=1)[cells.cell], posterior[:, 1::2].sum(axis=1)[cells.cell]

    def per_worker(weight: np.ndarray) -> np.ndarray:
        return np.bincount(cells.worker, weight, n_workers)

    hits, both = per_worker(n * hit), per_worker(n * ((said >= 0) + there))
    n_spans = per_worker((cells.tag % 2 == 1) + begun) / 2.0
    crowd_f1 = 2.0 * hits.sum() / both.sum() if both.sum() else 0.5
    f1 = np.where(both > 0, 2.0 * hits / np.where(both > 0, both, 1.0), crowd_f1)
    right = f1 * n_spans + crowd_f1 * prior_spans
    wrong = (1.0 - f1) * n_spans + (1.0 - crowd_f1) * prior_spans
    right, wrong = np.maximum(right, 1e-3), np.maximum(wrong, 1e-3)
    interval = np.stack([betaincinv(right, wrong, p) for p in (0.05, 0.95)], axis=1)
    return right / (right + wrong), interval
