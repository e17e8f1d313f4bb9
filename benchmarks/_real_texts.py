"""Real labelled texts for benchmarks; a benchmark whose data set is absent says so and ends."""

import csv
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HELD_OUT = 0.4
PLACES_SEED = 1000


def data_folder(name: str, kind: str = "text", holds: str = "gold.csv") -> Path:
    """Return the folder of a real data set, or end with a sentence where it is absent."""
    root = Path(os.environ.get("HC_DATA_DIR") or ROOT.parent / "shared" / "data")
    folder = root / kind / name
    if not (folder / holds).is_file():
        sys.exit(
            f"The real data set {name} is not here: set HC_DATA_DIR to the folder that holds {kind}/{name}."
        )
    return folder


def read_texts_and_labels(folder: Path) -> tuple[list[str], list[str]]:
    text_of = {row["task"]: row["text"] for row in rows_of(folder / "texts.csv")}
    gold = rows_of(folder / "gold.csv")
    return [text_of[row["task"]] for row in gold], [row["label"] for row in gold]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def drawn_and_held_out(texts: list[str], n_labels: int, seed: int):
    """Return the places of n_labels texts to learn from (0: of all), and of those that nobody sees."""
    import numpy as np

    from training.algorithms.splits import TEST, split_by_group

    # Places by another seed than those that part the drawn labels, else none of these would be left to judge.
    apart = split_by_group(
        range(len(texts)), texts, validation_share=0.0, test_share=HELD_OUT, seed=PLACES_SEED + seed
    )
    held_out, pool = np.flatnonzero(apart == TEST), np.flatnonzero(apart != TEST)
    n_labels = min(n_labels or len(pool), len(pool))
    return np.sort(np.random.default_rng(seed).choice(pool, n_labels, replace=False)), held_out


def gold_examples(texts: list[str], labels: list[str], parts):
    """Gold as learners take it: every label certain, every example of one weight."""
    import numpy as np

    from training.algorithms.examples import Examples

    class_names = tuple(sorted(set(labels)))
    places = [class_names.index(label) for label in labels]
    return Examples(
        head="single",
        class_names=class_names,
        texts=texts,
        targets=np.eye(len(class_names), dtype=np.float32)[places],
        weights=np.ones(len(texts), dtype=np.float32),
        parts=np.asarray(parts, dtype=np.int8),
    )
