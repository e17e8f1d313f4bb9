"""Does the promotion gate hold when labels are poisoned? Simulated rounds on real texts. Prints JSON.

A round: a model of counted words learned some labels and is in charge. A batch of new labels arrives, of
which the challenger learns as well; in every other round the batch is poisoned. Gold that an expert gave
and the stream of texts drawn by lot judge both, as on the platform: the stream's new labels come from the
same people as the batch, so they are poisoned too. Honest people err as well, in NOISE of the labels. What
a promotion costs is macro-F1 on gold that neither the models nor the gate have seen.

Constants of the gate and the sizes of the rounds were looked at on seeds from 100000 on; what is reported
begins at 0.

    ./hc bench poisoned_rounds --rounds 200
"""

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from multiprocessing import get_context

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two processes, a core each

import numpy as np
from _real_texts import ROOT, data_folder, read_texts_and_labels
from scipy.sparse.linalg import svds

sys.path.insert(0, str(ROOT))

from training.algorithms.calibration import apply_temperature, fit_temperature
from training.algorithms.judged import Judged, judged_classes
from training.algorithms.metrics import confusion_matrix, macro_f1
from training.algorithms.promotion import HARM, Verdict, verdict
from training.algorithms.slices import slices_of
from training.linear import fit
from training.linear.words import Words

SETS = {  # labels learned before, new ones, gold that judges: each between two numbers
    "chip_ctc_zh": ((200, 500), (200, 500), (150, 300)),
    "medical_abstracts": ((200, 500), (200, 500), (150, 300)),
    "symptom2disease": ((150, 300), (100, 200), (100, 150)),
}
ORDER = ("chip_ctc_zh", "medical_abstracts", "chip_ctc_zh", "symptom2disease")  # most texts, best known truth
STREAM_SHARE = 0.2  # of all labels: drawn by lot, and kept to judge
NOISE = 0.03
C = 30.0
DIMENSIONS = 200  # of the words counted: learning takes a tenth of the time
MOST_UNSEEN = 1500  # texts by which the truth about labels, sites and calibration is known


@dataclass(frozen=True)
class Texts:
    features: np.ndarray  # [N, DIMENSIONS], rows of length 1
    labels: np.ndarray
    class_names: list[str]
    lengths: np.ndarray


@cache
def read_set(name: str) -> Texts:
    """Texts that stand once: some stand twice, with two labels. Counted words, in 200 latent dimensions."""
    texts, names = read_texts_and_labels(data_folder(name))
    label_of = dict(zip(texts, names, strict=True))
    class_names = sorted(set(names))
    counted = Words.learned_from(list(label_of)).features(list(label_of))
    left, values, _ = svds(counted, k=DIMENSIONS, v0=np.ones(min(counted.shape)))
    vectors = left * values
    return Texts(
        vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9),
        np.array([class_names.index(label) for label in label_of.values()]),
        class_names,
        np.array([len(text) for text in label_of]),
    )


@dataclass
class Batch:
    """Rows of texts and what people said of them."""

    rows: np.ndarray
    labels: np.ndarray

    def only(self, chosen: np.ndarray) -> "Batch":
        return Batch(self.rows[chosen], self.labels[chosen])

    def and_(self, other: "Batch") -> "Batch":
        return Batch(np.append(self.rows, other.rows), np.append(self.labels, other.labels))


def said(texts: Texts, rows: np.ndarray, rng: np.random.Generator) -> Batch:
    labels, n_classes = texts.labels[rows].copy(), len(texts.class_names)
    wrong = rng.random(len(rows)) < NOISE
    labels[wrong] = rng.integers(0, n_classes, wrong.sum())
    return Batch(rows, labels)


def site_of(texts: Texts, rows: np.ndarray) -> np.ndarray:
    """Each quarter of the lengths is a site: what is wrong at one site is wrong of texts that are alike."""
    return np.searchsorted(np.quantile(texts.lengths, [0.25, 0.5, 0.75]), texts.lengths[rows])


# Poisons change a batch in place; each batch holds what is learned and the stream's part alike.


def one_class_flipped(texts: Texts, batch: Batch, rng: np.random.Generator) -> None:
    of_class = batch.labels == rng.choice(batch.labels)
    flipped = of_class & (rng.random(len(batch.rows)) < rng.uniform(0.6, 1.0))
    batch.labels[flipped] = rng.integers(0, len(texts.class_names), flipped.sum())


def one_class_merged(texts: Texts, batch: Batch, rng: np.random.Generator) -> None:
    merged, into = rng.choice(np.unique(batch.labels), 2, replace=False)
    batch.labels[batch.labels == merged] = into


def random_labels(texts: Texts, batch: Batch, rng: np.random.Generator) -> None:
    random = rng.random(len(batch.rows)) < rng.uniform(0.2, 0.6)
    batch.labels[random] = rng.integers(0, len(texts.class_names), random.sum())


def duplicated_spam(texts: Texts, batch: Batch, rng: np.random.Generator) -> None:
    """A few texts over and over, all under one label."""
    spam = np.flatnonzero(rng.random(len(batch.rows)) < rng.uniform(0.3, 0.6))
    batch.rows[spam] = rng.choice(batch.rows[spam], len(spam) // 20 + 1)[np.arange(len(spam)) // 20]
    batch.labels[spam] = rng.choice(batch.labels)


def one_site_wrong(texts: Texts, batch: Batch, rng: np.random.Generator) -> None:
    wrong = site_of(texts, batch.rows) == rng.integers(0, 4)
    batch.labels[wrong] = rng.integers(0, len(texts.class_names), wrong.sum())


POISONS = [one_class_flipped, one_class_merged, random_labels, duplicated_spam, one_site_wrong]


@dataclass
class Judging:
    """Both models, the one in charge first, on the same texts."""

    rows: np.ndarray
    models: list[Judged]
    slices: dict[str, np.ndarray]


@dataclass
class Round:
    name: str
    poison: str
    seen: Judging  # by the gate: gold and stream
    unseen: Judging  # gold alone, and much of it
    gain: float  # of macro-F1 on all the gold that is left


def play(seed: int) -> Round:
    rng = np.random.default_rng(seed)
    name = ORDER[seed // 2 % len(ORDER)]
    poison = POISONS[seed // 2 % len(POISONS)] if seed % 2 else None
    texts = read_set(name)
    n_old, n_new, n_gold = (int(rng.integers(low, high + 1)) for low, high in SETS[name])
    old, new, gold, unseen = np.split(rng.permutation(len(texts.labels)), np.cumsum([n_old, n_new, n_gold]))
    before, batch = said(texts, old, rng), said(texts, new, rng)
    if poison:
        poison(texts, batch, rng)
    in_stream = rng.random(len(texts.labels)) < STREAM_SHARE  # by text: copies of one are on one side
    learned_before = before.only(~in_stream[before.rows])
    learned = learned_before.and_(batch.only(~in_stream[batch.rows]))
    asked = before.and_(batch)
    judging = Batch(gold, texts.labels[gold]).and_(asked.only(in_stream[asked.rows]))
    answers = [probabilities(texts, one) for one in (learned_before, learned)]
    left = Batch(unseen, texts.labels[unseen])
    return Round(
        name,
        poison.__name__ if poison else "honest",
        judged(texts, judging, answers, rng),
        judged(texts, left.only(np.arange(len(unseen)) < MOST_UNSEEN), answers, rng),
        macro_f1_on(left, answers[1]) - macro_f1_on(left, answers[0]),
    )


def judged(texts: Texts, batch: Batch, answers: list[np.ndarray], rng: np.random.Generator) -> Judging:
    metadata = [{"site": f"site {s}", "sex": "FM"[rng.integers(2)]} for s in site_of(texts, batch.rows)]
    models = [
        judged_classes(batch.labels, p[batch.rows], texts_per_second=1.0, family="tfidf") for p in answers
    ]
    return Judging(batch.rows, models, slices_of(metadata))


def macro_f1_on(batch: Batch, answers: np.ndarray) -> float:
    predicted = answers[batch.rows].argmax(axis=1)
    return macro_f1(confusion_matrix(batch.labels, predicted, answers.shape[1]))


def probabilities(texts: Texts, learned: Batch) -> np.ndarray:
    """Learn as the platform's linear models do, and answer for all texts of the set; a tenth calibrates."""
    n_classes = len(texts.class_names)
    calibrates = np.arange(len(learned.rows)) % 10 == 0
    rows, targets = learned.rows[~calibrates], np.eye(n_classes)[learned.labels]
    model = fit(texts.features[rows], targets[~calibrates], np.ones(len(rows)), c=C, multiple=False)
    scores = model.scores(texts.features)
    temperature = fit_temperature(targets[calibrates], scores[learned.rows[calibrates]])
    return apply_temperature(scores, temperature)


def judge(seed: int) -> dict:
    one = play(seed)
    found, truth = (decide(one.name, judging, seed) for judging in (one.seen, one.unseen))
    return {
        "set": one.name,
        "poison": one.poison,
        "gain": one.gain,
        "keeps_the_rules": not any(not check.passed for check in truth.checks[1:]),
        "promoted": found.promoted,
        "against": sorted({check.code for check in found.checks if not check.passed}),
    }


def decide(name: str, judging: Judging, seed: int) -> Verdict:
    incumbent, challenger = judging.models
    return verdict(
        challenger, incumbent, record_of=judging.rows, slices=judging.slices,
        class_names=read_set(name).class_names, rng=np.random.default_rng(seed),
    )  # fmt: skip


def summary(rounds: list[dict]) -> dict:
    """Better: macro-F1 on unseen gold is no lower. Lawful: there, the gate's other rules hold as well."""
    promoted = [one["gain"] for one in rounds if one["promoted"]]
    better = [one for one in rounds if one["gain"] >= 0]
    lawful = [one for one in better if one["keeps_the_rules"]]
    return {
        "rounds": len(rounds),
        "cost_more_than_allowed": sum(one["gain"] < -HARM for one in rounds),
        "promoted": len(promoted),
        "promoted_though_they_cost": sorted(round(gain, 4) for gain in promoted if gain < -HARM),
        "better_or_equal": len(better),
        "of_these_refused": share_refused(better),
        "and_keep_the_rules": len(lawful),
        "of_the_latter_refused": share_refused(lawful),
    }


def share_refused(rounds: list[dict]) -> float | None:
    return round(float(np.mean([not one["promoted"] for one in rounds])), 3) if rounds else None


def by_gain(rounds: list[dict]) -> dict[str, dict]:
    edges = [-1.0, -HARM, 0.0, 0.01, 0.03, 0.06, 1.0]
    between = {
        f"{low:g} to {high:g}": [one for one in rounds if low <= one["gain"] < high]
        for low, high in pairwise(edges)
    }
    return {name: {"rounds": len(g), "refused": share_refused(g)} for name, g in between.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the first round's seed")
    arguments = parser.parse_args()
    started = time.monotonic()
    for name in SETS:
        read_set(name)
    with get_context("fork").Pool(2) as pool:  # which have the sets that were read
        rounds = pool.map(judge, range(arguments.first, arguments.first + arguments.rounds), chunksize=4)
    by: dict[str, dict[str, list[dict]]] = {"poison": defaultdict(list), "set": defaultdict(list)}
    for one in rounds:
        for key, groups in by.items():
            groups[one[key]].append(one)
    against = [code for one in rounds for code in one["against"]]
    figures = {
        "benchmark": "poisoned_rounds",
        "first_seed": arguments.first,
        **summary(rounds),
        "honest_by_gain": by_gain([one for one in rounds if one["poison"] == "honest"]),
        "refused_by": {code: against.count(code) for code in sorted(set(against))},
        **{f"by_{key}": {name: summary(g) for name, g in groups.items()} for key, groups in by.items()},
        "seconds": round(time.monotonic() - started),
        "load_average": os.getloadavg()[0],
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
