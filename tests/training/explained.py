"""A campaign whose model in charge counts words: it learns in no time, and every word's weight is known."""

from pathlib import Path

import numpy as np

from annotation.models import Campaign, MicroTask
from tests.factories import NOW
from tests.labelled import add_labelled, sentences
from training.algorithms.examples import Examples
from training.linear import fit_tfidf
from training.models import ModelVersion, TrainingRun
from training.services.embeddings import write_vectors

SHA256 = "e" * 64


def put_in_charge(campaign: Campaign, folder: Path, *, number: int = 1) -> ModelVersion:
    texts, labels = zip(*sentences(60), strict=True)
    targets = np.eye(2, dtype=np.float32)[[("no", "yes").index(label) for label in labels]]
    parts = np.zeros(60, dtype=np.int8)
    examples = Examples("single", ("no", "yes"), list(texts), targets, np.ones(60, dtype=np.float32), parts)
    fitted = fit_tfidf(examples, output_dir=folder / f"model-{number}", seed=0)
    ModelVersion.objects.filter(campaign=campaign).update(in_charge=False)
    run = TrainingRun.objects.create(campaign=campaign, number=number, opened_at=NOW, state="succeeded")
    return ModelVersion.objects.create(
        campaign=campaign, run=run, number=number, family="tfidf", path=str(fitted.path), in_charge=True,
        sha256=fitted.sha256, label_keys=["no", "yes"],
        metrics={"test": {"macro_f1": 0.9, "n_examples": 20}},
    )  # fmt: skip


def settled(campaign: Campaign, texts: list[str], label: str = "yes") -> list[MicroTask]:
    return add_labelled(campaign, [(text, label) for text in texts])


def place_at(tasks: list[MicroTask], angles: list[float]) -> None:
    """Give tasks vectors at these angles in degrees: the nearer the angles, the more alike."""
    radians = np.deg2rad(angles)
    vectors = np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float16)
    write_vectors([task.pk for task in tasks], vectors, SHA256)
