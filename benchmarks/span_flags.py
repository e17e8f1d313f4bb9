"""Who is flagged among volunteers who mark text: a real crowd, and crowds with cheats of three kinds put in.

Real: all workers of pico_abstracts_dev, the truth being the engine's consensus of them all. Then the same
crowd with one who marks nothing, one who marks anything and one who copies another; and crowds simulated on
bc5cdr_test, at three levels of noise, with the same three. Prints JSON: who was flagged for what, and how
many of the honest; of simulated crowds the sums.
"""

import argparse
import json
import sys

import numpy as np
from span_consensus import ROOT, read_lines, real_crowd, simulate, spans_of

sys.path.insert(0, str(ROOT))

from annotation.algorithms.collusion import lock_steps
from annotation.algorithms.dependence import beside_others, dependences
from annotation.algorithms.simulated_spans import NOISE
from annotation.algorithms.skill import FEWEST
from annotation.algorithms.span_scores import overlap_f1, without_near_misses
from annotation.algorithms.spans import SpanAnswers, fit_span_crowd

READ_BY_A_CHEAT = 0.2  # of the texts
COPIED = 0.8  # of what the one who is copied answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--crowds", type=int, default=5, help="simulated crowds a level of noise")
    parser.add_argument("--texts", type=int, default=500, help="at most so many texts of each set")
    arguments = parser.parse_args()
    real = real_crowd(arguments.texts)
    report = {"real": flags(real), "real with cheats": flags(with_cheats(real, np.random.default_rng(0)), 3)}
    documents = read_lines("bc5cdr_test", "spans.jsonl")[: arguments.texts]
    texts = [document["text"] for document in documents]
    gold = [[tuple(span) for span in document["gold"]] for document in documents]
    for level in NOISE:
        crowds = []
        for seed in range(arguments.crowds):
            rng = np.random.default_rng(seed)
            crowds.append(flags(with_cheats(simulate(texts, gold, level, rng), rng), 3))
        report[f"simulated, {level} noise"] = {key: sum(crowd[key] for crowd in crowds) for key in crowds[0]}
    print(json.dumps(report, indent=1))


def with_cheats(answers: SpanAnswers, rng: np.random.Generator) -> SpanAnswers:
    """The crowd with three more: who marks nothing, who marks anything, who copies the busiest."""
    nothing, anything, copier = range(answers.n_workers, answers.n_workers + 3)
    busiest = np.bincount([worker for given in answers.answers for worker, _ in given]).argmax()
    together = []
    for text, given in zip(answers.texts, answers.answers, strict=True):
        added = [(copier, spans) for worker, spans in given if worker == busiest and rng.random() < COPIED]
        if rng.random() < READ_BY_A_CHEAT:
            added.append((nothing, []))
        if rng.random() < READ_BY_A_CHEAT and len(text) > 60:
            start = int(rng.integers(0, len(text) - 40))
            added.append((anything, [(start, start + 30, str(rng.choice(answers.labels)))]))
        together.append([*given, *added])
    return SpanAnswers(answers.texts, together, answers.n_workers + 3, answers.labels)


def flags(answers: SpanAnswers, n_cheats: int = 0) -> dict:
    """The last n_cheats of the workers are none of the honest."""
    truths = spans_of(fit_span_crowd(answers))
    rows = [(t, worker, spans) for t, given in enumerate(answers.answers) for worker, spans in given]
    task, worker = np.array([row[:2] for row in rows]).T
    codes: dict[str, int] = {}
    values: list[list] = []

    def code(spans: list) -> int:
        key = json.dumps(sorted(spans))
        if key not in codes:
            codes[key] = len(values)
            values.append(spans)
        return codes[key]

    def likeness(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
        return np.array([overlap_f1(values[a], values[b]) for a, b in zip(ours, theirs, strict=True)])

    said, truth = np.array([code(row[2]) for row in rows]), np.array([code(spans) for spans in truths])
    order = np.argsort(worker, kind="stable")
    of_each = np.split(order, np.cumsum(np.bincount(worker, minlength=answers.n_workers))[:-1])
    figures = [beside_others(said[own], truth[task[own]], likeness) for own in of_each if len(own)]
    by_worker = dependences(worker[order], *np.concatenate(figures, axis=1), answers.n_workers)
    ignoring = {w for w, found in enumerate(by_worker) if found is not None and found.is_striking}
    clear = np.array([code(without_near_misses(spans, truths[t])) for t, _, spans in rows])
    clear_truth = np.array([code(without_near_misses(spans, spans)) for spans in truths])
    found = lock_steps(task, worker, clear, clear_truth, is_open=True)
    pairs = [(pair.first, pair.second) for pair in found]
    cheats = range(answers.n_workers - n_cheats, answers.n_workers)
    copier = cheats[-1] if n_cheats else None
    return {
        "volunteers": answers.n_workers,
        "with answers enough": int((np.bincount(worker) >= FEWEST).sum()),
        "cheats who ignore the text found": len(ignoring & set(cheats[:2])),
        "copying found": sum(copier in pair for pair in pairs),
        "others said to ignore the text": len(ignoring - set(cheats)),
        "others said to copy": sum(copier not in pair for pair in pairs),
    }


if __name__ == "__main__":
    main()
