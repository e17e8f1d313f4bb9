"""What it takes to make a model again."""

import hashlib
import os
import platform
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

from training.services.snapshot import Snapshot

CODE = (
    "training/config.py",
    "training/model_folders.py",
    "training/half_vectors.py",
    *(f"training/{part}/*.py" for part in ("algorithms", "encoder", "linear", "services")),
)


def lineage_of(manifest: dict[str, Any], snapshot: Snapshot) -> dict[str, Any]:
    """Return what a model was made of and with, from its manifest and the snapshot that it learned from."""
    return {
        "snapshot_sha256": snapshot.sha256,
        "base_model_sha256": manifest["base_model_sha256"],
        "config": manifest["config"],
        "derived": manifest["derived"],
        "seed": manifest["seed"],
        "versions": manifest["versions"],
        "code_sha256": code_sha256(),
        "machine": {"processor": platform.machine(), "n_cores": len(os.sched_getaffinity(0))},
    }


@cache
def code_sha256() -> str:
    """Of the source files that a model depends on, by their names: says more than a version's name does."""
    digest = hashlib.sha256()
    for pattern in CODE:
        for path in sorted(Path(settings.BASE_DIR).glob(pattern)):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
