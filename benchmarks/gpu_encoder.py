"""Texts a second that a GPU scores and trains: a BERT of the base size at 128 tokens, beside the Trainer.

One command on the machine with the GPU, in an environment with torch, transformers, accelerate, scipy and
numpy: `python benchmarks/gpu_encoder.py`. No Django, no data and no network are needed: the network has
random weights, the texts are made up, and neither changes how long a step takes. `--smoke` runs all of it
within a minute on a CPU, with a tiny network, to see that it runs.

Scored: predict_proba from the text on (tokenising counts, loading is warmed up). Trained: steps of fine_tune
by the clock, for several sizes of a batch, without the first steps; the Trainer has its own defaults (batches
of 8, fp32) and the same texts, padded to 128 beforehand.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from training.algorithms.examples import Examples
from training.algorithms.splits import TRAIN, VALIDATION
from training.config import FineTuneConfig
from training.encoder import Progress, fine_tune, predict_proba
from training.encoder import progress as progress_module

import torch  # isort: skip
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    BertTokenizer,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from training.encoder.precision import best_device, resolve_precision

MAX_TOKENS = 128
N_CLASSES = 5
N_WARM_UP_STEPS = 20
TARGETS = {"scored": 18_000, "trained": 4_500, "times_the_trainer": 3}
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="a tiny network and few texts")
    parser.add_argument("--scored", type=int, default=100_000, help="texts to score")
    parser.add_argument("--trained", type=int, default=20_000, help="texts to train on, in one pass")
    parser.add_argument("--batches", type=int, nargs="+", default=[16, 64, 256], help="texts a step")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.scored, arguments.trained, arguments.batches = 200, 400, [8, 16]
    progress_module.INTERVAL_SECONDS = 0.0  # every step is told, so that steps can be timed
    with tempfile.TemporaryDirectory() as folder:
        base = random_bert(Path(folder) / "base", TINY if arguments.smoke else BASE)
        print(json.dumps(measure(base, Path(folder), arguments), indent=1))


def measure(base: Path, folder: Path, arguments: argparse.Namespace) -> dict:
    texts = made_up_texts(arguments.trained)
    trained = {size: trained_rate(base, folder / f"by-{size}", texts, size) for size in arguments.batches}
    of_trainer = trainer_rate(base, texts[: len(texts) // 4])
    scored = scored_rate(folder / f"by-{arguments.batches[0]}", made_up_texts(arguments.scored))
    return {
        "benchmark": "gpu_encoder",
        "smoke": arguments.smoke,
        "n_tokens": MAX_TOKENS,
        "texts_per_second_scored": scored,
        "texts_per_second_trained": trained,
        "texts_per_second_trained_by_the_trainer": of_trainer,
        "times_the_trainer": {size: round(rate / of_trainer, 2) for size, rate in trained.items()},
        "targets": TARGETS,
        "precision": resolve_precision("auto", best_device()),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "n_threads": torch.get_num_threads(),
        "load_average": os.getloadavg()[0],
    }


def trained_rate(base: Path, output_dir: Path, texts: list[str], batch_size: int) -> float:
    """Return texts a second over the steps of a fine-tuning of one pass."""
    config = FineTuneConfig(
        str(base),
        batch_size=batch_size,
        max_tokens=MAX_TOKENS,
        min_epochs=1,
        max_epochs=1,
        few_examples=0,
        enough_examples=0,
    )
    n_others = max(16, len(texts) // 100)
    parts = np.full(len(texts), TRAIN, dtype=np.int8)
    parts[:n_others] = VALIDATION
    examples = Examples(
        head="single",
        class_names=tuple(f"class {k}" for k in range(N_CLASSES)),
        texts=texts,
        targets=np.eye(N_CLASSES, dtype=np.float32)[np.arange(len(texts)) % N_CLASSES],
        weights=np.ones(len(texts), dtype=np.float32),
        parts=parts,
    )
    clock = StepClock()
    fine_tune(examples, config, output_dir=output_dir, on_progress=clock.hear)
    return clock.steps_per_second() * batch_size


def trainer_rate(base: Path, texts: list[str]) -> float:
    """Return texts a second over the steps of transformers' Trainer with its defaults."""
    tokenizer = BertTokenizer.from_pretrained(base, local_files_only=True)
    model = BertForSequenceClassification.from_pretrained(base, local_files_only=True, num_labels=N_CLASSES)
    encoded = tokenizer(texts, truncation=True, max_length=MAX_TOKENS, padding="max_length")
    rows = zip(encoded["input_ids"], encoded["attention_mask"], strict=True)
    data = [
        {"input_ids": ids, "attention_mask": mask, "label": number % N_CLASSES}
        for number, (ids, mask) in enumerate(rows)
    ]
    clock = StepClock()
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, num_train_epochs=1, save_strategy="no", report_to="none", disable_tqdm=True
        )
        Trainer(model=model, args=arguments, train_dataset=data, callbacks=[clock]).train()
        return clock.steps_per_second() * arguments.train_batch_size


class StepClock(TrainerCallback):
    """The instants at which steps ended, as fine_tune and as the Trainer tell them."""

    def __init__(self) -> None:
        self.instants: list[float] = []

    def hear(self, progress: Progress) -> None:
        if progress.stage == "training":
            self.instants.append(now())

    def on_step_end(self, *args, **kwargs) -> None:
        self.instants.append(now())

    def steps_per_second(self) -> float:
        timed = self.instants[min(N_WARM_UP_STEPS, len(self.instants) // 2) :]
        return round((len(timed) - 1) / (timed[-1] - timed[0]), 3)


def now() -> float:
    """Return the clock's seconds once the GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def scored_rate(model_dir: Path, texts: list[str]) -> float:
    def seconds(score: Callable[[], np.ndarray]) -> float:
        started = now()
        score()
        return now() - started

    seconds(lambda: predict_proba(model_dir, texts[:64]))
    return round(len(texts) / seconds(lambda: predict_proba(model_dir, texts)), 1)


def random_bert(folder: Path, shape: dict[str, int]) -> Path:
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *made_up_words()]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(vocab=str(folder / "vocab.txt"), model_max_length=512).save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=30_522, **shape)).save_pretrained(folder)
    return folder


def made_up_words() -> list[str]:
    return [f"word{number}" for number in range(20_000)]


def made_up_texts(n: int) -> list[str]:
    """Return texts of 128 tokens, [CLS] and [SEP] among them."""
    words = np.array(made_up_words())
    draws = np.random.default_rng(0).integers(0, len(words), size=(n, MAX_TOKENS - 2))
    return [" ".join(words[row]) for row in draws]


if __name__ == "__main__":
    main()
