"""Accuracy and calibration of the consensus on sixteen real crowds, beside crowd-kit's methods. Prints JSON.

Each method sees the answers alone. Accuracy is the share of gold tasks whose most probable label is gold; a
tie counts as the share of the tied labels that are right. Calibration: certainty is calibrated on a random
fifth of the gold and the error (15 bins of equal mass) measured on the rest, both on the engine's posterior
of a fit without gold; the mean over --seeds such splits. And as a campaign does it, where that fifth also
teaches the fit who is right: over SEEDS_WITH_GOLD of the splits. crowd-kit is slow, so what it found is kept
in --references and not computed again; --only-engine leaves out what is not there.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _crowds import SETS, Crowd, read_crowd

from annotation.algorithms.crowd import METHODS, fit_crowd, posterior_without_own_gold
from annotation.algorithms.posterior_calibration import calibrate, calibration_error, recalibrated

REFERENCES = ("MajorityVote", "DawidSkene", "OneCoinDawidSkene", "MACE")
BELOW_BEST = 0.003
GOLD_FOR_CALIBRATION = 0.2
SEEDS_WITH_GOLD = 3
CALIBRATION = (
    "calibration_error",
    "calibration_error_before",
    "calibration_error_by_chance",
    "calibration_error_with_gold",
    "accuracy_with_gold",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=SETS, help="folders of the real data's crowd/")
    parser.add_argument("--seeds", type=int, default=10)
    cache = Path(tempfile.gettempdir()) / "consensus_references.json"
    parser.add_argument("--references", type=Path, default=cache, help="crowd-kit's accuracies, kept here")
    parser.add_argument("--only-engine", action="store_true", help="run crowd-kit on nothing new")
    arguments = parser.parse_args()
    found = json.loads(arguments.references.read_text()) if arguments.references.is_file() else {}
    sets = {}
    for name in arguments.names:
        crowd = read_crowd(name)
        for method in REFERENCES:
            if f"{name}/{method}" not in found and not arguments.only_engine:
                found[f"{name}/{method}"] = reference(crowd, method)
                arguments.references.write_text(json.dumps(found, indent=1))
        references = {m: found[f"{name}/{m}"]["accuracy"] for m in REFERENCES if f"{name}/{m}" in found}
        sets[name] = measure(crowd, references, arguments.seeds)
        print(name, json.dumps(sets[name]), file=sys.stderr, flush=True)
    print(json.dumps(summary(sets), indent=1))


def measure(crowd: Crowd, references: dict[str, float], n_seeds: int) -> dict:
    figures: dict = {"classes": crowd.answers.n_classes, "answers": len(crowd.answers)}
    for method in METHODS:
        began = time.perf_counter()
        fit = fit_crowd(crowd.answers, method=method)
        figures[method] = round(accuracy(fit.posterior, crowd.gold), 4)
        figures[f"{method}_seconds"] = round(time.perf_counter() - began, 2)
    figures["chosen"] = fit.crowd["chosen"]
    figures["crowdkit"] = references
    if references:
        figures["best_reference"] = max(references.values())
        figures["reached"] = figures["engine"] >= max(references.values()) - BELOW_BEST
    return figures | calibration(fit, crowd.gold, n_seeds) | calibration_with_gold(crowd)


def accuracy(posterior: np.ndarray, gold: np.ndarray) -> float:
    known = np.flatnonzero(gold >= 0)
    posterior = posterior[known]
    winners = posterior >= posterior.max(axis=1, keepdims=True) - 1e-9
    return float((winners[np.arange(len(known)), gold[known]] / winners.sum(axis=1)).mean())


def calibration(fit, gold: np.ndarray, n_seeds: int) -> dict[str, float]:
    """The error before, after, and what so few tasks would show by chance if the posterior were perfect."""
    after, by_chance = [], []
    for seed in range(n_seeds):
        rng = np.random.default_rng(seed)
        seen, rest = split(gold, rng)
        posterior = recalibrated(fit.posterior, calibrate(fit.posterior, seen))
        after.append(calibration_error(posterior, rest))
        is_right = rng.random(len(gold)) < posterior.max(axis=1)
        as_drawn = np.where(is_right, posterior.argmax(axis=1), posterior.argmin(axis=1))
        by_chance.append(calibration_error(posterior, np.where(rest >= 0, as_drawn, -1)))
    return {
        "calibration_error": round(float(np.mean(after)), 4),
        "calibration_error_before": round(calibration_error(fit.posterior, gold), 4),
        "calibration_error_by_chance": round(float(np.mean(by_chance)), 4),
    }


def calibration_with_gold(crowd: Crowd) -> dict[str, float]:
    errors, shares = [], []
    for seed in range(SEEDS_WITH_GOLD):
        seen, rest = split(crowd.gold, np.random.default_rng(seed))
        left_out = posterior_without_own_gold(crowd.answers, seen, seen >= 0)
        fit = fit_crowd(crowd.answers, gold=seen)
        posterior = recalibrated(fit.posterior, calibrate(left_out, seen))
        errors.append(calibration_error(posterior, rest))
        shares.append(accuracy(posterior, rest))
    return {
        "calibration_error_with_gold": round(float(np.mean(errors)), 4),
        "accuracy_with_gold": round(float(np.mean(shares)), 4),
    }


def split(gold: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random fifth of the gold, and the rest."""
    order = rng.permutation(np.flatnonzero(gold >= 0))
    n_seen = int(len(order) * GOLD_FOR_CALIBRATION)
    parts = np.full((2, len(gold)), -1)
    for part, tasks in zip(parts, (order[:n_seen], order[n_seen:]), strict=True):
        part[tasks] = gold[tasks]
    return parts[0], parts[1]


def reference(crowd: Crowd, method: str) -> dict:
    """One of crowd-kit's methods with its own settings; majority ties are broken by its own rule."""
    import crowdkit.aggregation
    import pandas as pd

    answers = crowd.answers
    frame = pd.DataFrame({"task": answers.task, "worker": answers.worker, "label": answers.label})
    model = getattr(crowdkit.aggregation, method)()
    began = time.perf_counter()
    predicted = model.fit_predict(frame).reindex(range(answers.n_tasks)).to_numpy()
    known = crowd.gold >= 0
    return {
        "accuracy": round(float((predicted[known] == crowd.gold[known]).mean()), 4),
        "seconds": round(time.perf_counter() - began, 1),
    }


def summary(sets: dict[str, dict]) -> dict:
    complete = [s for s in sets.values() if len(s["crowdkit"]) == len(REFERENCES)]
    means = {method: round(float(np.mean([s[method] for s in sets.values()])), 4) for method in METHODS}
    return {
        "benchmark": "consensus_accuracy",
        "sets": sets,
        "mean": means,
        "n_sets_with_all_references": len(complete),
        "mean_there": {
            **{
                m: round(float(np.mean([s["crowdkit"][m] for s in complete])), 4)
                for m in REFERENCES
                if complete
            },
            **({"engine": round(float(np.mean([s["engine"] for s in complete])), 4)} if complete else {}),
        },
        "n_reached": sum(s.get("reached", False) for s in sets.values()),
        **{
            f"mean_{name}": round(float(np.mean([s[name] for s in sets.values()])), 4) for name in CALIBRATION
        },
    }


if __name__ == "__main__":
    main()
