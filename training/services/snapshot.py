"""What a run learns from: written once, with its sha256, and never changed."""

import hashlib
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from annotation.exchange import LabelledExample, labelled_examples
from training.algorithms.splits import split_by_group
from training.config import FineTuneConfig
from training.models import TrainingRun

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Snapshot:
    path: Path
    sha256: str
    texts: list[str]
    labels: list[str]
    parts: list[int]


def take_snapshot(run: TrainingRun, path: Path, config: FineTuneConfig, *, settled_by: datetime) -> Snapshot:
    """Write the consensus labels settled by then as JSONL, with the part that each belongs to."""
    examples = list(labelled_examples(run.campaign_id, settled_by=settled_by))
    parts = split_by_group(
        [str(e.record_id) for e in examples],
        [e.text for e in examples],
        validation_share=config.validation_share,
        test_share=config.test_share,
        seed=config.seed,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    try:
        with unfinished.open("wb") as file:
            file.writelines(_line(*pair) for pair in zip(examples, parts, strict=True))
            file.flush()
            os.fsync(file.fileno())
        unfinished.chmod(0o400)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return read_snapshot(path)


def _line(example: LabelledExample, part: int) -> bytes:
    return orjson.dumps(
        {
            "task": example.task_id,
            "record": example.record_id,
            "text": example.text,
            "label": example.value["label"],
            "certainty": example.certainty,
            "n_answers": example.n_answers,
            "part": PARTS[part],
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def learned_tasks(run: TrainingRun) -> set[str]:
    """The ids of the tasks that the run's model was trained, stopped or measured on."""
    with Path(run.snapshot_path).open("rb") as file:
        return {orjson.loads(line)["task"] for line in file}


def read_snapshot(path: Path) -> Snapshot:
    content = path.read_bytes()
    rows = [orjson.loads(line) for line in content.splitlines()]
    return Snapshot(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        texts=[row["text"] for row in rows],
        labels=[row["label"] for row in rows],
        parts=[PARTS.index(row["part"]) for row in rows],
    )
