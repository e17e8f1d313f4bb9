"""Consensus of spans by every method: a simulated crowd against gold, a real crowd against its other half.

Simulated: volunteers of differing carelessness drop, shift, mislabel and invent spans on the abstracts of
bc5cdr_test, some spans being hard for everybody; five of forty (--answers) read a text. Strict and relaxed F1
on gold.
Real: of each abstract of pico_abstracts_dev a random half of its workers is aggregated, and the consensus
predicts which tokens most of the other half mark; token F1, in each seed for all methods alike.

engine_marks_alone is the engine without what the words say, which no other method here reads. Prints JSON.
"""

import argparse
import json
import statistics
import sys
import time

import numpy as np
from _real_texts import ROOT, data_folder

sys.path.insert(0, str(ROOT))

from annotation.algorithms.simulated_spans import NOISE, make_span_crowd, mark_spans
from annotation.algorithms.spans import (
    METHODS,
    Span,
    SpanAnswers,
    SpanFit,
    fit_span_crowd,
    span_f1,
    task_spans,
)
from annotation.algorithms.tokens import token_offsets

BASELINES = [method for method in METHODS if method != "engine"]
N_VOLUNTEERS, N_A_TEXT = 40, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--crowds", type=int, default=3, help="simulated crowds a level of noise")
    parser.add_argument("--seeds", type=int, default=20, help="random halves of the real crowd")
    parser.add_argument("--answers", type=int, default=N_A_TEXT, help="to each text of a simulated crowd")
    parser.add_argument("--texts", type=int, default=500, help="at most so many texts of each set")
    arguments = parser.parse_args()
    figures = {
        "simulated": {
            level: on_simulated(level, arguments.crowds, arguments.texts, arguments.answers)
            if arguments.crowds
            else {}
            for level in NOISE
        },
        "real": on_real(arguments.seeds, arguments.texts) if arguments.seeds else {},
    }
    print(json.dumps(figures, indent=1))


def on_simulated(level: str, n_crowds: int, n_texts: int, n_answers: int) -> dict:
    documents = read_lines("bc5cdr_test", "spans.jsonl")[:n_texts]
    texts = [document["text"] for document in documents]
    gold = [[tuple(span) for span in document["gold"]] for document in documents]
    scores: dict[str, list[dict]] = {}
    volunteers: list[float] = []
    for seed in range(n_crowds):
        answers = simulate(texts, gold, level, np.random.default_rng(seed), n_answers)
        volunteers.append(mean_volunteer_f1(answers, gold))
        for method, predicted in consensus_by_method(answers).items():
            scores.setdefault(method, []).append(span_f1(predicted, gold))
    mean = {
        method: {
            "strict_f1": rounded(score["strict"]["f1"] for score in by_crowd),
            "strict_precision": rounded(score["strict"]["precision"] for score in by_crowd),
            "strict_recall": rounded(score["strict"]["recall"] for score in by_crowd),
            "relaxed_f1": rounded(score["relaxed"]["f1"] for score in by_crowd),
        }
        for method, by_crowd in scores.items()
    }
    least = min(
        engine["strict"]["f1"] - max(scores[method][i]["strict"]["f1"] for method in BASELINES)
        for i, engine in enumerate(scores["engine"])
    )
    return {
        "crowds": n_crowds,
        "volunteers_strict_f1": rounded(volunteers),
        "methods": mean,
        "engine_above_the_best_baseline_by_at_least": round(least, 4),
    }


def on_real(n_seeds: int, n_texts: int) -> dict:
    crowd = real_crowd(n_texts)
    texts, given, n_workers = crowd.texts, crowd.answers, crowd.n_workers
    f1: dict[str, list[float]] = {}
    for seed in range(n_seeds):
        ours, theirs = halves(given, np.random.default_rng(seed))
        target = spans_of(fit_span_crowd(SpanAnswers(texts, theirs, n_workers, ["P"]), method="majority"))
        for method, predicted in consensus_by_method(SpanAnswers(texts, ours, n_workers, ["P"])).items():
            f1.setdefault(method, []).append(token_f1(texts, predicted, target))
    against = {
        method: {
            "mean_difference": rounded(a - b for a, b in zip(f1["engine"], f1[method], strict=True)),
            "seeds_better": sum(a > b for a, b in zip(f1["engine"], f1[method], strict=True)),
        }
        for method in f1
        if method != "engine"
    }
    one_fit = fit_span_crowd(crowd)
    return {
        "seeds": n_seeds,
        "token_f1": {method: rounded(values) for method, values in f1.items()},
        "engine_against": against,
        "one_task_ms_median": one_task_ms(texts, given, one_fit),
        "crowd_kB": round(len(json.dumps(one_fit.crowd)) / 1000),
    }


def real_crowd(n_texts: int) -> SpanAnswers:
    documents = read_lines("pico_abstracts_dev", "dev.jsonl")[:n_texts]
    names = sorted({marks["worker"] for document in documents for marks in document["workers"]})
    number = {name: i for i, name in enumerate(names)}
    given = [
        [(number[marks["worker"]], [tuple(span) for span in marks["spans"]]) for marks in document["workers"]]
        for document in documents
    ]
    return SpanAnswers([document["text"] for document in documents], given, len(names), ["P"])


def simulate(
    texts: list[str],
    gold: list[list[Span]],
    level: str,
    rng: np.random.Generator,
    n_a_text: int = N_A_TEXT,
) -> SpanAnswers:
    labels = sorted({span[2] for spans in gold for span in spans})
    crowd = make_span_crowd(N_VOLUNTEERS, NOISE[level], rng)
    answers = []
    for text, truth in zip(texts, gold, strict=True):
        difficulty = np.exp(rng.normal(0.0, 0.5, len(truth)))
        readers = rng.choice(N_VOLUNTEERS, n_a_text, replace=False).tolist()
        answers.append(
            [(i, mark_spans(text, truth, labels, crowd[i], rng, difficulty=difficulty)) for i in readers]
        )
    return SpanAnswers(texts, answers, N_VOLUNTEERS, labels)


def consensus_by_method(answers: SpanAnswers) -> dict[str, list[list[Span]]]:
    fits = {method: fit_span_crowd(answers, method=method) for method in METHODS}
    found = {method: spans_of(fit) for method, fit in fits.items()}
    marks_alone = fits["engine"].crowd | {"words": None}
    found["engine_marks_alone"] = [
        [
            scored.span
            for scored in task_spans(
                text,
                [spans for _, spans in given],
                [fits["engine"].workers[worker] for worker, _ in given],
                marks_alone,
            ).consensus
        ]
        for text, given in zip(answers.texts, answers.answers, strict=True)
    ]
    return found


def spans_of(fit: SpanFit) -> list[list[Span]]:
    return [[scored.span for scored in spans] for spans in fit.consensus]


def halves(given: list[list], rng: np.random.Generator) -> tuple[list[list], list[list]]:
    """Each text's answers in two; of an odd number the larger half is on either side alike."""
    ours, theirs = [], []
    for answers in given:
        order = rng.permutation(len(answers))
        at = (len(answers) + int(rng.integers(2))) // 2
        ours.append([answers[i] for i in order[:at]])
        theirs.append([answers[i] for i in order[at:]])
    return ours, theirs


def token_f1(texts: list[str], predicted: list[list[Span]], target: list[list[Span]]) -> float:
    both = either = 0
    for text, ours, theirs in zip(texts, predicted, target, strict=True):
        marked = [tokens_in(token_offsets(text)[:, 0], spans) for spans in (ours, theirs)]
        both += (marked[0] & marked[1]).sum()
        either += marked[0].sum() + marked[1].sum()
    return float(2 * both / either)


def tokens_in(starts: np.ndarray, spans: list[Span]) -> np.ndarray:
    inside = np.zeros(len(starts), dtype=bool)
    for start, end, _ in spans:
        inside |= (starts >= start) & (starts < end)
    return inside


def mean_volunteer_f1(answers: SpanAnswers, gold: list[list[Span]]) -> float:
    pairs = [(spans, gold[i]) for i, given in enumerate(answers.answers) for _, spans in given]
    return span_f1([ours for ours, _ in pairs], [theirs for _, theirs in pairs])["strict"]["f1"]


def one_task_ms(texts: list[str], given: list[list], fit: SpanFit) -> float:
    times = []
    for text, answers in list(zip(texts, given, strict=True))[:100]:
        workers = [fit.workers[worker] for worker, _ in answers]
        began = time.perf_counter()
        task_spans(text, [spans for _, spans in answers], workers, fit.crowd)
        times.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(times), 2)


def read_lines(name: str, file: str) -> list[dict]:
    lines = (data_folder(name, holds=file) / file).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def rounded(values) -> float:
    return round(statistics.fmean(values), 4)


if __name__ == "__main__":
    main()
